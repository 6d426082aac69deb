"""What the ledger of swaps says: `swaps`, and `swaps show ID`."""

from __future__ import annotations

import sys
from typing import Annotated

import orjson
import typer

from spanwitness.access import reach
from spanwitness.app import utc_now
from spanwitness.cli.common import (
    ConfigOption,
    JsonOption,
    StoreOption,
    TenantOption,
    app,
    moment,
    settings_of,
    shown,
    told,
)
from spanwitness.report import swap, swaps
from spanwitness.terminal import console

group = typer.Typer(
    invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}, rich_markup_mode="markdown"
)
app.add_typer(group, name="swaps")


def _some_of(option: str, values: list[str] | None, allowed: tuple[str, ...]) -> tuple[str, ...]:
    for value in values or ():
        if value not in allowed:
            raise typer.BadParameter(f"{value!r}: allowed are {', '.join(allowed)}", param_hint=option)
    return tuple(values or ())


@group.callback()
def swaps_command(
    context: typer.Context,
    config: ConfigOption = None,
    store: StoreOption = None,
    tenant: TenantOption = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="First seen or found since then: 1d, 2h, 2026-11-20T22:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="First seen before then.")] = None,
    of_class: Annotated[
        list[str] | None,
        typer.Option(
            "--class", metavar="CLASS", help=f"Only of this class; may be repeated: {', '.join(swaps.CLASSES)}."
        ),
    ] = None,
    severity: Annotated[
        list[str] | None,
        typer.Option(metavar="SEVERITY", help=f"Only this severe; may be repeated: {', '.join(swaps.SEVERITIES)}."),
    ] = None,
    undeclared: Annotated[bool, typer.Option("--undeclared", help="Only what nobody declared.")] = False,
    standing: Annotated[bool, typer.Option("--standing", help="Only what has not been undone.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"At most so many; {swaps.SHOWN} where it is not given, all as JSON.")
    ] = None,
    as_json: JsonOption = False,
    fail: Annotated[bool, typer.Option("--fail", help="Exit status 1 where there is one to show.")] = False,
) -> None:
    """When the model behind an agent changed: from, to, since when, declared or not, how far it has spread.

    The newest first. `spanwitness swaps show ID` tells everything about one.

    Exit status: 0; 1 with --fail where there is a swap to show (without it, and with a line on stderr: it failed);
    2 wrong usage.

    Examples:

        spanwitness swaps

        spanwitness swaps --standing --severity page

        spanwitness swaps --undeclared --since 1d --fail

        spanwitness swaps --json | jq 'select(.Class == "version")'
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    now = utc_now()
    wanted = swaps.Wanted(
        since=moment("--since", since, now),
        until=moment("--until", until, now),
        classes=_some_of("--class", of_class, swaps.CLASSES),
        severities=_some_of("--severity", severity, swaps.SEVERITIES),
        undeclared=undeclared,
        standing=standing,
        limit=limit if limit is not None or as_json else swaps.SHOWN,
    )
    with told(), reach(settings_of(config, store)) as access:
        found = swaps.rows(access.ask, tenant=tenant, wanted=wanted)
        if as_json:
            sys.stdout.buffer.write(b"".join(orjson.dumps(row) + b"\n" for row in found))
            sys.stdout.flush()
        else:
            console().print(swaps.show(access.ask, found, tenant=tenant, wanted=wanted))
    if fail and found:
        raise typer.Exit(1)


def _refuse_options(context: typer.Context) -> None:
    """What stands before `show` would have no effect."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"options go after it: spanwitness swaps {context.invoked_subcommand} ID --...")


@group.command("show")
def show_command(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The swap's id, or as much of it as no other has.")],
    config: ConfigOption = None,
    store: StoreOption = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """One swap: what it rests on, who had declared it, what it did to scores and costs, and what to do next.

    Example:

        spanwitness swaps show 3f2a91bc
    """
    shown(
        settings_of(config, store),
        as_json,
        lambda access: swap.rows(access.ask, identity, tenant=tenant),
        lambda access: swap.show(access.ask, identity, tenant=tenant),
    )
