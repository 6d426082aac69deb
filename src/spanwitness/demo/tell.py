"""What the demo says: who plays, what the record then tells of them, and how to ask more."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from spanwitness.config import DEFAULT_STORE
from spanwitness.demo.cast import AGENTS, TENANT
from spanwitness.report import Ask, conversation, scores, swaps, versions

Row = dict[str, Any]


def announce(console: Console) -> None:
    """Who plays."""
    console.print(
        "Seven claims agents of one insurer, each recorded from another instrumentation, send their telemetry. Half way"
        " through, every one of them gets its answers from another model than before, under the same requested name."
    )
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for agent in AGENTS:
        table.add_row(agent.service, agent.speaks)
    console.print(Padding(table, (1, 2)))


def tell(ask: Ask, run: str, console: Console) -> None:
    """The reports."""
    console.print(versions.render(versions.rows(ask, tenant=TENANT)))
    console.print("="*80)
    found = swaps.rows(ask, tenant=TENANT)
    console.print(swaps.render(found, swaps.slots(ask, tenant=TENANT)))
    console.print("="*80)
    console.print(scores.show(ask, tenant=TENANT, limit=4))
    console.print("="*80)
    console.print(conversation.show(ask, found[0]["FirstConversationId"], tenant=TENANT))


def more(store_url: str, run: str, console: Console) -> None:
    """Commands to go on with."""
