"""What was agreed with each tenant: `contracts`."""

from __future__ import annotations

from spanwitness.cli.common import ConfigOption, JsonOption, StoreOption, TenantOption, app, settings_of, shown
from spanwitness.report import contracts


@app.command("contracts")
def contracts_command(
    config: ConfigOption = None, store: StoreOption = None, tenant: TenantOption = None, as_json: JsonOption = False
) -> None:
    """What was agreed with each tenant, since when, and what each version of it changed.

    Examples:

        spanwitness contracts --tenant northwind-mutual

        spanwitness contracts --json | jq -r 'select(.State == "in force") | .Text'
    """
    shown(
        settings_of(config, store),
        as_json,
        lambda access: contracts.rows(access.ask, tenant=tenant),
        lambda access: contracts.show(access.ask, tenant=tenant),
    )
