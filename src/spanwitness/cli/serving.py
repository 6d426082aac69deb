"""Commands that write the record: serve, import, close; and those about the set-up: check-config, demo."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from spanwitness.access import own, reach, refuse_held
from spanwitness.app import check, contracts_explained, evaluators_explained, serve, utc_now
from spanwitness.cli.common import ConfigOption, StoreOption, TenantOption, app, configured, duration, told
from spanwitness.errors import SpanWitnessError
from spanwitness.report.text import plain
from spanwitness.store import parse_location
from spanwitness.terminal import console

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from spanwitness.config import AlertsConfig, DeploymentsConfig, DriftConfig, ForwardConfig, JudgeConfig


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
        close = settings.close if idle is None else replace(settings.close, idle=duration("--idle", idle))
        refuse_held(settings)
        serve(replace(settings, receive=receive, close=close), _say)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


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
        contracts_explained(settings, utc_now())  # with the rules that they build on; before the store is touched
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
        evaluators = evaluators_explained(settings)
        contracts = contracts_explained(settings, utc_now())
        check(settings)
        location = parse_location(settings.store.url)
    close = settings.close
    typer.echo(f"{path or 'defaults'}: ok")
    typer.echo(f"  store      {location}")
    typer.echo(f"  receive    grpc {settings.receive.grpc or 'off'}, http {settings.receive.http or 'off'}")
    header = f"header {settings.tenant.header}, then " if settings.tenant.header else ""
    attributes = ", ".join(settings.tenant.attributes) or "no attribute"
    typer.echo(f"  tenant     {header}{attributes}, else {settings.tenant.default!r}")
    typer.echo(f"  forward    {_forwarding(settings.forward)}")
    idle, age, grace = (_time(each) for each in (close.idle, close.max_age, close.end_grace))
    typer.echo(f"  close      after {idle} of silence, {age} of age, {grace} after an end")
    for kind, table in (("channel", close.idle_by_channel), ("tenant", close.idle_by_tenant)):
        for name, each in table.items():
            typer.echo(f"             {kind} {name}: after {_time(each)} of silence")
    for line in evaluators:
        typer.echo(f"  evaluate   {plain(line)}")
    typer.echo(f"  judge      {_judging(settings.judge)}")
    _echo_contracts(settings.contracts.folder, contracts)
    typer.echo(f"  declaring  {_declaring(settings.deployments)}")
    typer.echo(f"  drift      {_drift(settings.drift)}")
    typer.echo(f"  alerts     {_alerts(settings.alerts)}")
    typer.echo(f"  metrics    {'GET /metrics' if settings.metrics.serve and settings.receive.http else 'off'}")


def _echo_contracts(folder: str, contracts: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> None:
    # Without opening the store nobody knows which of it is new.
    known = "the record decides what is new, and what is in force: spanwitness contracts"
    typer.echo(f"  contracts  {folder or 'no folder'}; {known}")
    for whose, lines in contracts:
        typer.echo(f"             {plain(whose)}")
        for label, text in lines:
            typer.echo(f"               {label:<9}{plain(text)}")


def _judging(judge: JudgeConfig) -> str:
    """Of the endpoint's URL the host alone: a path may be a secret."""
    if not judge.model:
        return "no language model is asked"
    budget = f"at most {judge.budget:g} USD a tenant and day" if judge.budget else "no budget"
    if judge.budget_by_tenant:
        budget += f", but of its own for {', '.join(sorted(judge.budget_by_tenant))}"
    kept = "cards, phones and the like taken out" if judge.redact else "nothing taken out"
    return f"{judge.model} at {urlsplit(judge.url).hostname}, {budget}, {kept}"


def _declaring(deployments: DeploymentsConfig) -> str:
    http = "over HTTP" if deployments.token_file or deployments.token_env else "not over HTTP (there is no token)"
    return f"by command; {http}; {'by spans' if deployments.from_spans else 'not by spans'}"


def _drift(drift: DriftConfig) -> str:
    if not drift.watch:
        return "not watched"
    rate = f"at most {drift.false_alarms_per_1000:g} in 1,000 of its conversations a false alarm"
    return f"each slot is learnt from {drift.reference} conversations, then watched; {rate}"


def _alerts(alerts: AlertsConfig) -> str:
    """A webhook's URL is not shown: its path may be a secret."""
    told = [name for name, url in (("Alertmanager", alerts.alertmanager), ("a webhook", alerts.webhook)) if url]
    return f"{' and '.join(told)}: {', '.join(alerts.severities)}" if told else "nobody is told"


def _time(span: dt.timedelta) -> str:
    """As a configuration has it: 15m, 1d."""
    seconds = span.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _forwarding(forward: ForwardConfig) -> str:
    if not forward.endpoint:
        return "off"
    answered = "both have it" if forward.answer == "both" else "it is stored here and queued on disk"
    return f"{forward.endpoint}, senders are answered when {answered}"


@app.command("demo")
def demo_command(store: StoreOption = None) -> None:
    """Seven agents recorded from real instrumentations, one silent swap: serve, send, close, and show the record.

    Example:

        spanwitness demo --store chdb://.spanwitness/store
    """
    from spanwitness import demo

    with told():
        demo.run(configured(None, store).store.url, console())
