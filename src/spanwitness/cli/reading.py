"""Commands that read the record: query, versions, scores, conversation."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any

import typer

from spanwitness.access import reach
from spanwitness.app import utc_now
from spanwitness.cli.common import (
    ConfigOption,
    JsonOption,
    LimitOption,
    StoreOption,
    TenantOption,
    app,
    configured,
    moment,
    settings_of,
    shown,
    told,
)
from spanwitness.report import conversation, scores, versions
from spanwitness.report import fail_rate as fail_rates
from spanwitness.terminal import console, table_of


# SQL that begins with a comment, as those of the documentation do, looks like an option.
@app.command("query", context_settings={"ignore_unknown_options": True})
def query_command(
    sql: Annotated[str, typer.Argument(help="One ClickHouse query; read only.")],
    config: ConfigOption = None,
    store: StoreOption = None,
    fmt: Annotated[str, typer.Option("--format", help="table, json (one object a row) or csv.")] = "table",
) -> None:
    """Ask the record in ClickHouse SQL, also while `serve` holds the store.

    Each row is seen once, as it stands now (`final = 1`). Tables: otel_traces, otel_logs, conversations, steps, scores,
    model_versions, model_uses, model_swaps, deployments, contracts, calibrations, judge_calls, alerts;
    conversations_latest, steps_latest and scores_latest leave out earlier revisions. Columns: `DESCRIBE TABLE steps`,
    and docs/record.md.

    Examples:

        spanwitness query "SELECT ModelVersion, count() FROM steps_latest WHERE StepKind = 'llm' GROUP BY ALL"

        spanwitness query "SELECT * FROM model_swaps" --format json
    """
    if fmt not in _FORMATS:
        raise typer.BadParameter(f"{fmt!r}: allowed are {', '.join(_FORMATS)}", param_hint="--format")
    if _statements(sql) > 1:
        raise typer.BadParameter("one statement at a time", param_hint="SQL")
    with told(), reach(configured(config, store)) as access:
        answer = access.ask(sql.strip().rstrip(";"), _FORMATS[fmt])
        if fmt == "table":
            console().print(table_of(answer))
        else:
            sys.stdout.buffer.write(answer)
            sys.stdout.flush()


_FORMATS = {"table": "JSONCompactEachRowWithNames", "json": "JSONEachRow", "csv": "CSVWithNames"}
# In quotes and comments a semicolon ends nothing.
_TEXT = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:\\.|[^`\\])*`|--[^\n]*|/\*.*?\*/", re.DOTALL)


def _statements(sql: str) -> int:
    bare = _TEXT.sub(lambda found: " " if found[0][0] in "-/" else "''", sql)
    return sum(bool(part.strip()) for part in bare.split(";"))


@app.command("versions")
def versions_command(
    config: ConfigOption = None,
    store: StoreOption = None,
    tenant: TenantOption = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Only this agent.")] = None,
    service: Annotated[str | None, typer.Option("--service", help="Only this service.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Which models really answered: per agent and role, since when, how often, how much of it was verified.

    Examples:

        spanwitness versions --tenant northwind-mutual

        spanwitness versions --agent claims_agent
    """
    wanted = {"tenant": tenant, "agent": agent, "service": service}
    shown(
        settings_of(config, store),
        as_json,
        lambda access: versions.rows(access.ask, **wanted),
        lambda access: versions.show(access.ask, **wanted),
    )


@app.command("scores")
def scores_command(
    config: ConfigOption = None,
    store: StoreOption = None,
    tenant: TenantOption = None,
    conversation: Annotated[str | None, typer.Option("--conversation", help="Only this conversation.")] = None,
    evaluator: Annotated[str | None, typer.Option("--evaluator", help="Only this evaluator.")] = None,
    fail_rate: Annotated[
        bool, typer.Option("--fail-rate", help="How many were not passed instead, with intervals and coverage.")
    ] = False,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME,NAME", help=f"With --fail-rate, of: {', '.join(fail_rates.BY)}.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --fail-rate: began since then: 7d, 2026-11-20T22:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="With --fail-rate: began before then.")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """The lowest scores, what they rest on, and how many conversations could not be judged.

    With --fail-rate: of the latest verdicts, how many were not passed, with the Wilson interval (95 %), the share that
    could be scored at all, and the mean with its n. Evaluators, their versions and judges are never mixed. A
    conversation that two models answered counts under both.

    Examples:

        spanwitness scores --evaluator ConversationResolution --limit 5

        spanwitness scores --fail-rate --by tenant,model_version --since 30d
    """
    if fail_rate:
        if conversation is not None:
            raise typer.BadParameter("has no effect with --fail-rate", param_hint="--conversation")
        asked = _rates(tenant, evaluator, by, since, until, limit)
        shown(
            settings_of(config, store),
            as_json,
            lambda access: fail_rates.rows(access.ask, asked),
            lambda access: fail_rates.show(access.ask, asked),
        )
        return
    for option, given in (("--by", by), ("--since", since), ("--until", until)):
        if given is not None:
            raise typer.BadParameter("allowed with --fail-rate alone", param_hint=option)
    wanted: dict[str, Any] = {
        "tenant": tenant,
        "conversation": conversation,
        "evaluator": evaluator,
        "limit": limit,
    }
    shown(
        settings_of(config, store),
        as_json,
        lambda access: scores.rows(access.ask, **wanted),
        lambda access: scores.show(access.ask, **wanted),
    )


def _rates(
    tenant: str | None, evaluator: str | None, by: str | None, since: str | None, until: str | None, limit: int
) -> fail_rates.Wanted:
    keys = tuple(dict.fromkeys(key.strip() for key in (by or "").split(",") if key.strip()))
    if by is not None and not keys:
        raise typer.BadParameter(f"names nothing: allowed are {', '.join(fail_rates.BY)}", param_hint="--by")
    for key in keys:
        if key not in fail_rates.BY:
            raise typer.BadParameter(f"{key!r}: allowed are {', '.join(fail_rates.BY)}", param_hint="--by")
    now = utc_now()
    begin, end = moment("--since", since, now), moment("--until", until, now)
    if begin and end and end <= begin:
        raise typer.BadParameter(f"{until!r}: allowed is a time after --since {since}", param_hint="--until")
    return fail_rates.Wanted(keys, tenant, evaluator, begin, end, limit)


@app.command("conversation")
def conversation_command(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The conversation's id.")],
    config: ConfigOption = None,
    store: StoreOption = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """One conversation: its steps, the model that served each, its scores, its earlier revisions.

    Example:

        spanwitness conversation conv-7d1f0a52-0003
    """
    shown(
        settings_of(config, store),
        as_json,
        lambda access: conversation.rows(access.ask, identity, tenant=tenant),
        lambda access: conversation.show(access.ask, identity, tenant=tenant),
    )
