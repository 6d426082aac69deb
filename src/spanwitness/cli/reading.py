"""Commands that read the record: query, versions, scores, conversation."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any

import typer

from spanwitness.access import reach
from spanwitness.cli.common import (
    ConfigOption,
    JsonOption,
    LimitOption,
    StoreOption,
    TenantOption,
    app,
    configured,
    settings_of,
    shown,
    told,
)
from spanwitness.report import conversation, scores, versions
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
    model_versions, model_uses, model_swaps, deployments, contracts, alerts; conversations_latest, steps_latest and
    scores_latest leave out earlier revisions. Columns: `DESCRIBE TABLE steps`, and docs/record.md.

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
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """The lowest scores, what they rest on, and how many conversations could not be judged.

    Example:

        spanwitness scores --evaluator ConversationResolution --limit 5
    """
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
