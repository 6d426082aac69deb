"""Commands for declared changes: deployment declare, list, withdraw."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Annotated

import orjson
import typer

from spanwitness.access import reach
from spanwitness.app import utc_now
from spanwitness.cli.common import ConfigOption, JsonOption, StoreOption, TenantOption, app, configured, told
from spanwitness.deployment import FIELDS, NotAllowed, read_declaration
from spanwitness.report import deployments
from spanwitness.terminal import console

group = typer.Typer(
    name="deployment",
    help="""Declare a change before it comes, so that it is recorded and nobody is paged.

    Example:

        spanwitness deployment declare --tenant acme --to-model gpt-4o-mini --by jane --reason CHG-1204
    """,
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(group)

TenantOfOption = Annotated[str, typer.Option("--tenant", help="Whose agents change.")]


@group.command("declare")
def declare_command(
    tenant: TenantOfOption,
    by: Annotated[str, typer.Option("--by", help="Who declares it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in a sentence; a ticket's number.")],
    to_model: Annotated[
        str, typer.Option("--to-model", help="The model that comes: gpt-4o-mini, openai/gpt-4o-mini-2024-07-18.")
    ] = "",
    to_prompt: Annotated[str, typer.Option("--to-prompt", help="The version of the prompt that comes.")] = "",
    to_agent_version: Annotated[
        str, typer.Option("--to-agent-version", help="The version of the agent that comes.")
    ] = "",
    from_model: Annotated[str, typer.Option("--from-model", help="Only where it takes the place of this model.")] = "",
    from_prompt: Annotated[str, typer.Option("--from-prompt", help="The same of a prompt.")] = "",
    from_agent_version: Annotated[
        str, typer.Option("--from-agent-version", help="The same of an agent's version.")
    ] = "",
    agent: Annotated[str, typer.Option("--agent", help="Only this agent; every one if left out.")] = "",
    service: Annotated[str, typer.Option("--service", help="Only this service; every one if left out.")] = "",
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="When it begins: 2026-11-21T09:00:00Z, or now.")
    ] = "now",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="By when it has come; open if left out.")] = "",
    identity: Annotated[
        str, typer.Option("--id", help="A name of yours for it; made from the content if left out.")
    ] = "",
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Declare that a model, a prompt or a version of an agent will come into use.

    A swap that it covers is recorded as declared and pages nobody. Declared after the fact it is a warning. What was
    declared is not edited: withdraw it and declare anew.

    Examples:

        spanwitness deployment declare --tenant acme --agent claims --to-model gpt-4o-mini-2024-07-18
        --from 2026-12-01T06:00:00Z --until 2026-12-02T06:00:00Z --by jane@vendor.example --reason "CHG-1204: cheaper"

        spanwitness deployment declare --tenant acme --to-prompt p-8 --by ci --reason "release 2.4"
    """
    fields = {
        "tenant": tenant,
        "to_model": to_model,
        "to_prompt": to_prompt,
        "to_agent_version": to_agent_version,
        "from_model": from_model,
        "from_prompt": from_prompt,
        "from_agent_version": from_agent_version,
        "agent": agent,
        "service": service,
        "from": begin,
        "until": until,
        "by": by,
        "reason": reason,
        "id": identity,
    }
    _check(fields, utc_now())
    with told(), reach(configured(config, store)) as access:
        done = access.declare(fields)
    for text in deployments.summary(done):
        typer.echo(text)


def _check(fields: dict[str, str], now: dt.datetime) -> None:
    """What is wrong with an option is wrong usage, and told before any store is looked for."""
    try:
        read_declaration(fields, now, "cli")
    except NotAllowed as error:
        why = error.why.removeprefix("= ")
        for field in FIELDS:
            if "_" in field:
                why = why.replace(field, _option(field))
        raise typer.BadParameter(why, param_hint=_option(error.field)) from None


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


@group.command("list")
def list_command(
    tenant: TenantOption = None, config: ConfigOption = None, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """What was declared and what came of it: expected, seen, late, absent (overdue), withdrawn.

    Examples:

        spanwitness deployment list --tenant acme

        spanwitness deployment list --json | jq 'select(.status == "absent")'
    """
    with told(), reach(configured(config, store)) as access:
        found = access.deployments(tenant)
        if not as_json:
            console().print(deployments.render(found))
            return
        for row in found:
            sys.stdout.buffer.write(orjson.dumps(row) + b"\n")
        sys.stdout.flush()


@group.command("withdraw")
def withdraw_command(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Of the declaration.")],
    tenant: TenantOfOption,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Take a declaration back: it stays on record and covers nothing any more. What it covered is judged anew.

    Example:

        spanwitness deployment withdraw 5c1f0a9be2 --tenant acme
    """
    with told(), reach(configured(config, store)) as access:
        gone = access.withdraw(tenant, identity)
    typer.echo(f"{gone['id']}: withdrawn")
