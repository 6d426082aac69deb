"""What the demo says: who plays, what the record then tells of them, and how to ask more."""

from __future__ import annotations

import shlex
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from spanwitness.config import DEFAULT_STORE
from spanwitness.demo.cast import AGENTS, TENANT
from spanwitness.report import Ask, conversation, scores, swaps, versions
from spanwitness.report.text import Timeline, Whole, verified
from spanwitness.store import parse_location

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

Row = dict[str, Any]

_LOWEST: Final = 3
_BY_MODEL: Final = (
    "SELECT arrayJoin(ModelVersions) AS Model, Outcome, count() AS Conversations"
    " FROM conversations_latest GROUP BY ALL ORDER BY ALL"
)
_BY_AGENT: Final = (
    "SELECT ServiceName, ModelVersion, count() AS Calls, round(avg(OutputTokens), 1) AS Tokens"
    " FROM steps_latest WHERE StepKind = 'llm' GROUP BY ALL ORDER BY ALL"
)


def announce(console: Console) -> None:
    """Who plays."""
    console.print(
        f"Claims agents of one insurer, {len(AGENTS)} of them, each recorded from another instrumentation, replay what"
        " they sent: real OTLP, with names, ids and times of this run. Half way through, another model begins to answer"
        " each of them under the same requested name. Nobody declares it."
    )
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for agent in AGENTS:
        table.add_row(f"  {agent.service}", agent.speaks)
    console.print("", table, "")


def tell(ask: Ask, run: str, console: Console) -> None:
    """What the record says of the agents, by the reports that the commands print."""
    used = versions.rows(ask, tenant=TENANT)
    found = swaps.rows(ask, tenant=TENANT)
    changed = [row for row in found if row["Class"] == "version"]
    _heading(console, "Which model answered", "spanwitness versions")
    console.print(_overview([row for row in used if row["StepKind"] == "llm"]))
    _heading(console, "Swaps that nobody declared", "spanwitness swaps")
    console.print(_news(changed, run))
    console.print()
    if changed:
        same_place = [row for row in found if _place(row) == _place(changed[0])]
        console.print(swaps.render(same_place, swaps.slots(ask, tenant=TENANT)))
    _heading(console, "The lowest scores", "spanwitness scores")
    console.print(scores.show(ask, tenant=TENANT, limit=_LOWEST))
    if changed:
        _heading(console, "The conversation where that swap began", "spanwitness conversation ID")
        console.print(conversation.show(ask, changed[0]["FirstConversationId"], tenant=TENANT))
    _heading(console, "What cannot be known", "")
    console.print(_untold(used))


def more(store_url: str, run: str, console: Console) -> None:
    """Commands to go on with, as they can be pasted."""
    default = parse_location(store_url) == parse_location(DEFAULT_STORE)
    suffix = "" if default else f" --store {shlex.quote(store_url)}"
    _heading(console, "Ask more", "")
    for words in (f'query "{_BY_MODEL}"', f'query "{_BY_AGENT}"', f"conversation {AGENTS[-1].service}-{run}-0002"):
        # Not wrapped, so that it can be pasted.
        console.print(Text(f"  spanwitness {words}{suffix}"), soft_wrap=True)
    console.print("\nThe demo's server is stopped, its record stays. Run the demo again and the record grows.")


def _heading(console: Console, title: str, command: str) -> None:
    text = Text.assemble((title, "bold"), f"  ({command})" if command else "")
    console.print("", Rule(text, align="left"), "")


def _place(row: Row) -> tuple[str, str, str]:
    return row["ServiceName"], row["AgentName"], row["StepKind"]


def _overview(used: Sequence[Row]) -> RenderableType:
    """A line for each version of each agent."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("agent", no_wrap=True)
    table.add_column("model version", no_wrap=True)
    table.add_column("calls", justify="right", no_wrap=True)
    table.add_column("share over time", no_wrap=True)
    table.add_column("served model")
    for service, rows in groupby(used, lambda row: row["ServiceName"]):
        for number, row in enumerate(rows):
            table.add_row(
                "" if number else Text(service),
                Whole(row["ModelVersion"]),
                f"{row['Calls']:,}",
                Timeline(row["Timeline"]),
                verified(row["VerifiedShare"]),
            )
    return table


def _news(changed: Sequence[Row], run: str) -> str:
    new = sum(row["FirstConversationId"].startswith(f"{row['ServiceName']}-{run}-") for row in changed)
    if not changed:
        return "None found."
    if new:
        return (
            f"Another model answers {new} of {len(AGENTS)} agents. Where they tell which name they requested, it is the"
            " same as before. The newest of these swaps:"
        )
    return (
        f"This run brought no new swap: both models had already answered these {len(changed)} agents before it, and"
        " versions that take turns are told once, not at every turn. The newest swap on record, with this run's"
        " conversations counted in:"
    )


def _untold(used: Sequence[Row]) -> str:
    """Of which agents nobody can say which model answered."""
    untold = [row for row in used if row["StepKind"] == "llm" and not row["VerifiedShare"]]
    if not untold:
        return "Every agent's instrumentation tells which model answered."
    return " ".join(
        f"{row['ServiceName']}: its instrumentation repeats the requested model and never tells which one answered, in"
        f" {row['Calls']:,} calls of {row['Calls']:,}. They stand on record as {row['ModelVersion']}, source unknown;"
        " nothing is guessed, and a swap there cannot be shown. The probe of spanwitness.sdk in that process shows it."
        for row in untold
    )
