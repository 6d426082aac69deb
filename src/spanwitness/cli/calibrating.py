"""TaskCompletion on a tenant's own labels: `calibrate`."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from spanwitness.access import reach
from spanwitness.app import usual_bundle
from spanwitness.calibration import fit, reaches_the_bar, read_labels
from spanwitness.cli.common import (
    ConfigOption,
    JsonOption,
    StoreOption,
    app,
    configured,
    settings_of,
    shown,
    told,
)
from spanwitness.errors import SpanWitnessError
from spanwitness.evaluators import TaskCompletion
from spanwitness.evaluators.chat_file import chat_lines, opened
from spanwitness.report import calibrations
from spanwitness.report.text import command, count, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spanwitness.calibration import Labels
    from spanwitness.config import Config
    from spanwitness.model.calibration import Agreement, Calibration

_SHOWN = 8
_BAD_SHOWN = 20
_UNREACHED = (
    "spanwitness: WARNING: {place}, and no probability reaches that: every calibrated score of {name} will be 'not "
    "passed', since what was agreed is not changed; agree on a number below 1 there, such as 0.5"
)


@app.command("calibrate")
def calibrate_command(
    file: Annotated[
        Path | None, typer.Argument(metavar="LABELS", help="Labelled transcripts, a JSON line each, or .gz.")
    ] = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Whose labels these are.")] = None,
    group: Annotated[
        str, typer.Option("--group", metavar="KEY", help="Key of a line's group; else group, meta.group or task.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="What to call it; else the file's name.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Fit and tell the figures; store nothing.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Show what is on record instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fit TaskCompletion to a tenant's own labels, where that is found to agree with them.

    A line: messages, completed (true or false), and group: the customer, the task or whatever else makes
    conversations alike. How well it does is found out on whole groups left out. Refused, with exit status 1, where the
    lower end of the AUC's 95 % interval is not above 0.6. See docs/calibration.md.

    Examples:

        spanwitness calibrate labels.jsonl --tenant northwind-mutual --dry-run

        spanwitness calibrate labels.jsonl --tenant northwind-mutual --group customer_id

        spanwitness calibrate --list
    """
    if listing:
        if file is not None:
            raise typer.BadParameter("allowed is LABELS or --list", param_hint="--list")
        shown(
            settings_of(config, store),
            as_json,
            lambda access: calibrations.rows(access.ask, tenant=tenant),
            lambda access: calibrations.show(access.ask, tenant=tenant),
        )
        return
    if file is None:
        raise typer.BadParameter("missing; allowed is a file of labelled transcripts, or --list", param_hint="LABELS")
    if not tenant:
        raise typer.BadParameter("missing; allowed is the tenant whose labels these are", param_hint="--tenant")
    with told():
        settings = configured(config, store)
        labels, fitted = _fit(file, group, settings)
        fitted = replace(fitted, tenant=tenant, source=name or file.name)
        if not reaches_the_bar(fitted.agreement):
            raise SpanWitnessError(_refusal(fitted.agreement))
        made = _fields(fitted)
        if not dry_run:
            with reach(settings) as access:
                made = access.calibrate(made)
            for place in made["unreached"]:
                sys.stderr.write(plain(_UNREACHED.format(place=place, name=fitted.evaluator)) + "\n")
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({**made, "recorded": not dry_run}) + b"\n")
        sys.stdout.flush()
        return
    for line in _account(labels, fitted, made, recorded=not dry_run):
        typer.echo(plain(line))


def _fit(file: Path, group: str, settings: Config) -> tuple[Labels, Calibration]:
    evaluator = next((one for one in usual_bundle(settings).evaluators if isinstance(one, TaskCompletion)), None)
    evaluator = evaluator or TaskCompletion()
    with opened(file) as (lines, _):
        labels = read_labels(chat_lines(lines), evaluator, group)
    for doubt in _doubts(file, labels):
        sys.stderr.write(plain(f"spanwitness: {doubt}") + "\n")
    return labels, fit(labels, evaluator)


def _doubts(file: Path, labels: Labels) -> Iterator[str]:
    """What was left out, and why the figures may be too good."""
    for bad in labels.bad[:_BAD_SHOWN]:
        yield f"{file}, line {bad.number}: {bad.why}; left out"
    if len(labels.bad) > _BAD_SHOWN:
        yield f"{file}: {count(len(labels.bad) - _BAD_SHOWN, 'more line')} left out"
    too_good = "where several are of one customer or task, the figures are too good"
    if len(labels) > labels.grouped:
        number = len(labels) - labels.grouped
        each = count(number, "conversation names", "conversations name")
        yield f"{each} no group, and each counts as its own: {too_good}"
    elif labels and len(set(labels.groups)) == len(labels):
        yield f"every group holds one conversation: {too_good}"
    if labels.twins:
        yield (
            f"{count(labels.twins, 'conversation is', 'conversations are')} word for word one of another group, and "
            "counted in that one: do the groups tell apart what is alike?"
        )


def _fields(fitted: Calibration) -> dict[str, Any]:
    return {
        "tenant": fitted.tenant,
        "evaluator": fitted.evaluator,
        "evaluator_version": fitted.evaluator_version,
        "source": fitted.source,
        "model": fitted.model(),
    }


def _figures(found: Agreement) -> str:
    return f"AUC {found.auc:.2f} [{found.low:.2f}, {found.high:.2f}] on groups left out"


def _refusal(found: Agreement) -> str:
    if found.auc > found.bar:
        needed = math.ceil(found.groups * ((found.auc - found.low) / (found.auc - found.bar)) ** 2)
        help_ = (
            f"{found.groups} groups leave the interval wide: with about {max(needed, found.groups + 1):,}, and if it "
            "stays as good, it would do; more labels of the same groups help little"
        )
    else:
        help_ = (
            "what was labelled hardly shows in these conversations, so more labels of the same kind will not help: "
            "give expected_actions (mode reference), or ask a language model (docs/judges.md)"
        )
    return (
        f"calibration refused: {_figures(found)}, {found.labels} labels, {found.positives} of them completed, in "
        f"{found.groups} groups; the lower end must be above {found.bar:g}. {help_}. What is in force stays"
    )


def _account(labels: Labels, fitted: Calibration, made: dict[str, Any], *, recorded: bool) -> list[str]:
    found = fitted.agreement
    left_out = f"; left out: {labels.too_short} with fewer than 2 turns of the customer" if labels.too_short else ""
    lines = [
        f"{found.labels} labelled conversations, {found.positives} completed, in {found.groups} groups{left_out}",
        f"{_figures(found)}; needed: the lower end above {found.bar:g}",
        f"balanced accuracy of 0.5 or more against the label: {found.accuracy:.2f}",
        f"strongest traits: {calibrations.strongest(fitted.model(), _SHOWN)}",
    ]
    if fitted.constant:
        lines.append(f"the same in all labels, so without weight: {', '.join(name for name, _ in fitted.constant)}")
    if not recorded:
        return [*lines, "nothing was stored (--dry-run)"]
    older = command("rescore", "--evaluator", fitted.evaluator, "--tenant", fitted.tenant)
    return [
        *lines,
        f"calibration {made['version']} of tenant {fitted.tenant!r} scores what begins from {made['valid_from']} on",
        f"what began before is scored by it with: {older}",
    ]
