"""What the commands share: the application, common options, how errors are told and reports are printed."""

from __future__ import annotations

import datetime as dt
import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from spanwitness import __version__
from spanwitness.access import Access, reach
from spanwitness.config import Config, load
from spanwitness.config import duration as read_duration
from spanwitness.errors import ConfigError, SpanWitnessError
from spanwitness.store import parse_location
from spanwitness.terminal import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

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


def duration(option: str, text: str) -> dt.timedelta:
    """The duration that an option names. Raises typer.BadParameter where it names none."""
    try:
        return read_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: allowed is {error}", param_hint=option) from None


def moment(option: str, text: str | None, now: dt.datetime) -> dt.datetime | None:
    """The time that an option names: a time, or how long before now. Raises typer.BadParameter where it names none."""
    if text is None:
        return None
    try:
        return now - read_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        found = dt.datetime.fromisoformat(text)
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        allowed = (
            "a duration before now, such as '2h' or '1d', or a time, such as '2026-11-20' or '2026-11-20T22:24:37Z'"
        )
        raise typer.BadParameter(f"{text!r}: allowed is {allowed} (UTC)", param_hint=option) from None


def settings_of(config: Path | None, store: str | None) -> Config:
    """`configured`, its errors told."""
    with told():
        return configured(config, store)


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
