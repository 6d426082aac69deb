"""The commands. Exit status 0; 1: it failed, one line why; 2: wrong usage."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console, RenderableType

from spanwitness import __version__
from spanwitness.access import Access, own, reach, refuse_held
from spanwitness.app import hop_of, receive_limits, review_rules, serve
from spanwitness.config import Config, ForwardConfig, duration, load
from spanwitness.errors import ConfigError, SpanWitnessError
from spanwitness.report import conversation, scores, swaps, versions
from spanwitness.store import parse_location
from spanwitness.terminal import console, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

app = typer.Typer(
    name="spanwitness",
    help="The record of which model really answered, and how well: agent spans over OTLP into ClickHouse.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

StoreOption = Annotated[
    str | None,
    typer.Option("--store", envvar="SPANWITNESS_STORE", help="chdb://PATH or clickhouse://HOST:PORT/DATABASE."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", envvar="SPANWITNESS_CONFIG", help="TOML file; see docs/configuration.md.")
]
TenantOption = Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a row.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="At most so many rows.")]


@contextmanager
def told() -> Iterator[None]:
    """Whatever fails is one line on stderr and exit status 1."""
    try:
        yield
    except SpanWitnessError as error:
        sys.stderr.write(f"spanwitness: {' '.join(str(error).split())}\n")
        raise typer.Exit(1) from None
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def configured(config: Path | None, store: str | None) -> Config:
    """The settings of a command: the file's, with the store of the command line."""
    found = load(config)
    if store is None:
        return found
    try:
        parse_location(store)
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint="--store") from None
    return replace(found, store=replace(found.store, url=store))


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"spanwitness {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    _shown: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Options that belong to no command."""


@app.command("serve")
def serve_command(
    config: ConfigOption = None,
    store: StoreOption = None,
    grpc: Annotated[str | None, typer.Option(help="OTLP/gRPC address, HOST:PORT; port 0 takes a free one.")] = None,
    http: Annotated[str | None, typer.Option(help="OTLP/HTTP address, HOST:PORT; port 0 takes a free one.")] = None,
    idle: Annotated[str | None, typer.Option(help="Silence that ends a conversation: 30s, 15m, 2h.")] = None,
) -> None:
    """Receive OTLP, store and tag spans, close and score conversations.

    Prints `ready grpc=HOST:PORT http=HOST:PORT` once it accepts data; logs go to stderr; SIGTERM drains and stops.

    Examples:

        spanwitness serve

        spanwitness serve --store clickhouse://writer@db:8123/agents --grpc 0.0.0.0:4317 --idle 5m
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    with told():
        settings = configured(config, store)
        receive = replace(
            settings.receive,
            grpc=settings.receive.grpc if grpc is None else grpc,
            http=settings.receive.http if http is None else http,
        )
        close = settings.close if idle is None else replace(settings.close, idle=_duration("--idle", idle))
        refuse_held(settings)
        serve(replace(settings, receive=receive, close=close), _say)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _duration(option: str, text: str) -> Any:
    try:
        return duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: allowed is {error}", param_hint=option) from None


@app.command("import")
def import_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recorded telemetry.")],
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Read recorded telemetry into the store; its conversations are closed and scored before this returns.

    FILE is `.otlp` (4-byte big-endian length + request, repeated; `.logs.otlp` for logs), OTLP/JSON, or what the
    Collector's file exporter wrote (JSON lines or proto, with zstd or without); `.gz` and `.zst` of each. The form is
    told by the content.

    Examples:

        spanwitness import traces.otlp traces.logs.otlp

        spanwitness import /var/log/otel/*.jsonl.gz --store chdb:///var/lib/spanwitness
    """
    from spanwitness.importing import import_files

    with told():
        settings = configured(config, store)
        review_rules(settings)
        opened = own(settings)
        try:
            result = import_files(files, opened, settings, Console(stderr=True, highlight=False))
        finally:
            opened.close()
    if result.swept.failed:
        result.problems.append(f"{result.swept.failed} of the conversations could not be reviewed and stay open")
    for problem in result.problems:
        sys.stderr.write(f"spanwitness: {problem}\n")
    typer.echo(result.summary())
    if result.problems:
        raise typer.Exit(1)


@app.command("query")
def query_command(
    sql: Annotated[str, typer.Argument(help="A ClickHouse query; read only.")],
    config: ConfigOption = None,
    store: StoreOption = None,
    fmt: Annotated[str, typer.Option("--format", help="table, json (one object a row) or csv.")] = "table",
) -> None:
    """Ask the record in ClickHouse SQL, also while `serve` holds the store.

    Each row is seen once, as it stands now (`final = 1`). Tables: otel_traces, otel_logs, conversations, steps, scores,
    model_versions, model_swaps; conversations_latest, steps_latest and scores_latest leave out earlier revisions.

    Examples:

        spanwitness query "SELECT ModelVersion, count() FROM steps_latest WHERE StepKind = 'llm' GROUP BY ALL"

        spanwitness query "SELECT * FROM model_swaps" --format json
    """
    if fmt not in _FORMATS:
        raise typer.BadParameter(f"{fmt!r}: allowed are {', '.join(_FORMATS)}", param_hint="--format")
    with told(), reach(configured(config, store)) as access:
        answer = access.ask(sql.strip().rstrip(";"), _FORMATS[fmt])
        if fmt == "table":
            console().print(table_of(answer))
        else:
            sys.stdout.buffer.write(answer)
            sys.stdout.flush()


_FORMATS = {"table": "JSONCompactEachRowWithNames", "json": "JSONEachRow", "csv": "CSVWithNames"}


@app.command("close")
def close_command(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The conversation's id.")],
    config: ConfigOption = None,
    store: StoreOption = None,
    tenant: TenantOption = None,
) -> None:
    """Close an open conversation now and score it.

    Example:

        spanwitness close conv-7d1f0a52-0001
    """
    with told(), reach(configured(config, store)) as access:
        done = access.close(identity, tenant)
        if done["failed"]:
            raise SpanWitnessError(
                f"conversation {identity!r} could not be reviewed and stays open; the log says where"
            )
        if not any(done.values()):
            raise SpanWitnessError(f"no open conversation {identity!r}; see: spanwitness conversation {identity}")
    how = "revised" if done["revised"] else "closed" if done["closed"] else "unchanged: nothing new had arrived"
    typer.echo(f"{identity}: {how}")


@app.command("check-config")
def check_config_command(
    config: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="TOML file.")] = None,
    option: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Check a configuration file and say what it means, without opening anything.

    Example:

        spanwitness check-config spanwitness.toml
    """
    with told():
        path = config or option
        settings = configured(path, store)
        rules = review_rules(settings)
        receive_limits(settings)
        hop_of(settings)
        location = parse_location(settings.store.url)
    close = settings.close
    typer.echo(f"{path or 'defaults'}: ok")
    typer.echo(f"  store      {location}")
    typer.echo(f"  receive    grpc {settings.receive.grpc or 'off'}, http {settings.receive.http or 'off'}")
    header = f"header {settings.tenant.header}, then " if settings.tenant.header else ""
    attributes = ", ".join(settings.tenant.attributes) or "no attribute"
    typer.echo(f"  tenant     {header}{attributes}, else {settings.tenant.default!r}")
    typer.echo(f"  forward    {_forwarding(settings.forward)}")
    typer.echo(f"  close      after {close.idle} of silence, {close.max_age} of age, {close.end_grace} after an end")
    for kind, table in (("channel", close.idle_by_channel), ("tenant", close.idle_by_tenant)):
        for name, idle in table.items():
            typer.echo(f"             {kind} {name}: after {idle} of silence")
    for evaluator in rules.bundle.evaluators:
        threshold = rules.bundle.threshold(evaluator.name)
        typer.echo(
            f"  evaluate   {evaluator.name}, {'no threshold' if threshold is None else f'threshold {threshold}'}"
        )


def _forwarding(forward: ForwardConfig) -> str:
    if not forward.endpoint:
        return "off"
    answered = "both have it" if forward.answer == "both" else "it is stored here and queued on disk"
    return f"{forward.endpoint}, senders are answered when {answered}"


def shown(
    settings: Config,
    as_json: bool,
    rows: Callable[[Access], list[dict[str, Any]]],
    show: Callable[[Access], RenderableType],
) -> None:
    """Prints a report: its rows as JSON, or what they look like."""
    with told(), reach(settings) as access:
        if not as_json:
            console().print(show(access))
            return
        for row in rows(access):
            sys.stdout.buffer.write(orjson.dumps(row) + b"\n")
        sys.stdout.flush()


@app.command("versions")
def versions_command(
    config: ConfigOption = None, store: StoreOption = None, tenant: TenantOption = None, as_json: JsonOption = False
) -> None:
    """Which models really answered: per agent, since when, how often, how much of it was verified.

    Example:

        spanwitness versions --tenant northwind-mutual
    """
    shown(
        _settings(config, store),
        as_json,
        lambda access: versions.rows(access.ask, tenant=tenant),
        lambda access: versions.show(access.ask, tenant=tenant),
    )


@app.command("swaps")
def swaps_command(
    config: ConfigOption = None, store: StoreOption = None, tenant: TenantOption = None, as_json: JsonOption = False
) -> None:
    """When the model behind an agent changed: from, to, since when, the first trace and conversation.

    Examples:

        spanwitness swaps

        spanwitness swaps --json | jq 'select(.Class == "version")'
    """
    shown(
        _settings(config, store),
        as_json,
        lambda access: swaps.rows(access.ask, tenant=tenant),
        lambda access: swaps.show(access.ask, tenant=tenant),
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
        _settings(config, store),
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
        _settings(config, store),
        as_json,
        lambda access: conversation.rows(access.ask, identity, tenant=tenant),
        lambda access: conversation.show(access.ask, identity, tenant=tenant),
    )


def _settings(config: Path | None, store: str | None) -> Config:
    with told():
        return configured(config, store)


@app.command("demo")
def demo_command(store: StoreOption = None) -> None:
    """Seven agents recorded from real instrumentations, one silent swap: serve, send, close, and show the record.

    Example:

        spanwitness demo --store chdb://.spanwitness/store
    """
    from spanwitness import demo

    with told():
        demo.run(configured(None, store).store.url, console())
