"""Scores given again, by what is in force now: `rescore`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spanwitness.access import reach, rescore_request
from spanwitness.app import utc_now
from spanwitness.cli.common import ConfigOption, JsonOption, StoreOption, TenantOption, app, configured, moment, told
from spanwitness.report.rescored import judged
from spanwitness.report.text import count

if TYPE_CHECKING:
    from spanwitness.access import Access

_KEYS = ("after", "total")


@app.command("rescore")
def rescore_command(
    evaluator: Annotated[
        list[str] | None, typer.Option("--evaluator", metavar="NAME", help="Only by this one; may be given again.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Closed since: 2026-11-20T09:00:00Z, or 7d ago.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Closed before.")] = None,
    tenant: TenantOption = None,
    conversation: Annotated[str | None, typer.Option("--conversation", help="Only this conversation.")] = None,
    judge: Annotated[
        bool, typer.Option("--judge", help="Ask the language model of [judge] anew, instead of the evaluators.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would change; write nothing.")] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score closed conversations again by what is in force for them now: evaluators, thresholds, calibrations.

    Of each the newest revision. A verdict that differs is added; earlier ones stay, and one that is the same is not
    written again. What a judge scored keeps its threshold and verdict. With `--judge` nothing is scored here: the
    language model is asked by the server that runs, or by the next, without regard to answers on record.

    Examples:

        spanwitness rescore --evaluator TaskCompletion --since 30d --dry-run

        spanwitness rescore --tenant northwind-mutual --since 2026-11-01 --until 2026-12-01

        spanwitness rescore --conversation conv-7d1f0a52-0003 --judge
    """
    if not (evaluator or since or tenant or conversation):
        raise typer.BadParameter(
            "missing; allowed is at least one of them, since all that is on record would be scored again",
            param_hint="--evaluator, --since, --tenant or --conversation",
        )
    now = utc_now()
    begin, end = moment("--since", since, now), moment("--until", until, now)
    if begin and end and begin >= end:
        raise typer.BadParameter(f"{until!r}: allowed is a time after --since {since!r}", param_hint="--until")
    selection: dict[str, Any] = {"since": begin, "until": end, "tenant": tenant, "conversation": conversation}
    request = rescore_request(**selection, evaluators=tuple(evaluator or ()), judge=judge, dry_run=dry_run)
    with told(), reach(configured(config, store)) as access:
        found = _all(access, request)
        kept = 0 if judge else judged(access.ask, evaluators=evaluator or (), **selection)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({**found, "judged": kept, "judge": judge, "dry_run": dry_run}) + b"\n")
        sys.stdout.flush()
        return
    for line in _account(found, judge=judge, dry_run=dry_run):
        typer.echo(line)
    if kept:
        verb, its = ("keeps", "its") if kept == 1 else ("keep", "their")
        typer.echo(f"  {count(kept, 'judged score')} {verb} {its} threshold and verdict: rescore --judge asks anew")


def _all(access: Access, request: dict[str, Any]) -> Counter[str]:
    """Page after page; the sums. Progress is drawn on a terminal only."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    sums: Counter[str] = Counter()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("scoring", total=None)
        while True:
            page = access.rescore(request)
            sums.update({name: number for name, number in page.items() if name not in _KEYS})
            progress.update(task, completed=sums["conversations"], total=page["total"] or None)
            if page["after"] is None:
                return sums
            request = {**request, "after": page["after"]}


def _account(found: Counter[str], *, judge: bool, dry_run: bool) -> list[str]:
    talks = count(found["conversations"], "conversation")
    if judge:
        lines = [f"{talks}: the judge {'would be' if dry_run else 'is'} asked for {count(found['asked'], 'score')}"]
    else:
        would = "would be " if dry_run else ""
        verdicts = f"{would}{found['changed']:,} changed, {found['new']:,} new, {found['unchanged']:,} unchanged"
        lines = [
            f"{talks} scored again: {count(found['scores'], 'score')}, {verdicts}, {found['failed']:,} failed",
            f"  from passed to not passed: {found['to_fail']:,}; from not passed to passed: {found['to_pass']:,}",
        ]
    if found["left"]:
        lines.append(f"  left to the review, since more of them has come: {found['left']:,}")
    if found["gone"]:
        lines.append(f"  not scored, since their spans are not stored any more: {found['gone']:,}")
    return lines
