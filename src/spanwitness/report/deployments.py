"""What was declared, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from spanwitness.report.text import clock, command, count, labelled, line, lines, plain, prose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Group, RenderableType

Row = dict[str, Any]

_TO: Final = {"to_model": "model", "to_prompt": "prompt", "to_agent_version": "agent version"}
_MEANING: Final = {
    "expected": "not seen yet",
    "seen": "came",
    "late": "came after it was due",
    "absent": "overdue: nobody has seen it",
    "withdrawn": "covers nothing any more",
}


def render(rows: Sequence[Row]) -> Group:
    """A block for each declaration, the newest first. `rows`: as the deployment API lists them."""
    parts: list[RenderableType] = []
    for row in sorted(rows, key=lambda row: (row["declared_at"], row["id"]), reverse=True):
        parts += [Text(plain(f"{row['id']}  {row['status']}: {_MEANING[row['status']]}"), "bold"), _facts(row), ""]
    if not rows:
        parts.append(line(f"No change is declared. To declare one: `{command('deployment', 'declare')} --help`."))
        return lines(*parts)
    absent = sum(row["status"] == "absent" for row in rows)
    parts.append(line(f"{count(len(rows), 'declaration')}, {f'{absent:,}' if absent else 'none'} overdue."))
    return lines(*parts)


def summary(done: Mapping[str, Any]) -> list[str]:
    """What a declaration does, in a few lines. `done`: the record (`deployment`), `new`, and what it `covers`."""
    row = done["deployment"]
    begin = "declared" if done["new"] else f"already on record since {clock(row['declared_at'])} UTC, declared"
    told = [
        f"{row['id']}: {begin} by {row['by']}: {change(row)} in {where(row)}, {period(row)} UTC.",
        _covers(done["covers"]),
    ]
    return [prose(text) for text in told]


def change(row: Mapping[str, Any]) -> str:
    """What becomes what."""
    key = next(name for name in _TO if name in row)
    before = row[key.replace("to_", "from_", 1)]
    return f"{_TO[key]} {before + ' -> ' if before else ''}{row[key]}"


def where(row: Mapping[str, Any]) -> str:
    """In which slots."""
    service = f"service {row['service']}" if row["service"] else "every service"
    agent = f"agent {row['agent']}" if row["agent"] else "every agent"
    return f"tenant {row['tenant']}, {service}, {agent}"


def period(row: Mapping[str, Any]) -> str:
    """In which time."""
    return f"from {clock(row['from'])}" + (f" until {clock(row['until'])}" if row["until"] else " on")


def _covers(covers: Sequence[Mapping[str, Any]]) -> str:
    if not covers:
        return "No swap on record is covered by it; one that comes in that time will be."
    named = ", ".join(f"{one['id']} ({one['class']} to {one['to']} since {clock(one['first_seen'])})" for one in covers)
    return f"Covers {count(len(covers), 'swap')} on record: {named}."


def _facts(row: Mapping[str, Any]) -> RenderableType:
    facts = [
        ("change", prose(change(row))),
        ("where", prose(where(row))),
        ("when", f"{period(row)} UTC"),
        ("declared", prose(f"by {row['by']} ({row['source']}), {clock(row['declared_at'])} UTC: {row['reason']}")),
    ]
    if row["seen_at"]:
        facts.append(("seen", f"{clock(row['seen_at'])} UTC"))
    if row["withdrawn_at"]:
        facts.append(("withdrawn", f"{clock(row['withdrawn_at'])} UTC"))
    if row["status"] in ("expected", "late", "absent"):
        facts.append(("due", f"{clock(row['due'])} UTC"))
    if row["swaps"]:
        facts.append(("covers", ", ".join(row["swaps"])))
    return labelled(facts)
