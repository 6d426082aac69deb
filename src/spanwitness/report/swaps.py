"""Which models were changed: where, from what to what, since when, and where to look first."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.text import Text

from spanwitness.report.empty import nothing
from spanwitness.report.sql import SLOT, Ask, fetch, matching
from spanwitness.report.text import Middle, Whole, clock, command, count, labelled, line, lines, place, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group, RenderableType

Row = dict[str, Any]

KEY: Final = (
    "TenantId",
    "ServiceName",
    "AgentName",
    "StepKind",
    "Class",
    "FromVersion",
    "ToVersion",
    "Occurrence",
)
"""What makes a swap the same one."""

_ID_DIGITS: Final = 8

_SWAPS = f"""
SELECT {", ".join(KEY)}, FirstSeenAt, FirstConversationId, FirstTraceId, ConversationsBefore, ConversationsAfter,
       Declared, DeclaredBy, Severity, DetectedAt, Evidence
FROM model_swaps
WHERE {{where}}
ORDER BY FirstSeenAt DESC, Severity = 'page' DESC, {", ".join(KEY)}
"""

_SLOTS = f"""
SELECT count() AS slots, countIf(Share < 1) AS unverified, countIf(Share <= 0) AS untold
FROM (SELECT sum(Calls * VerifiedShare) / sum(Calls) AS Share FROM model_versions WHERE {{where}} GROUP BY {SLOT})
"""

_CLASSES: Final = {
    "version": "another model answers",
    "mismatch": "the model that answers is not the one that was asked for",
    "unapproved": "the model that answers is not on the contract's list",
    "unverified": "more calls than the contract allows do not tell which model answered",
    "fingerprint": "same model, another backend",
    "disguised": "same name, other behaviour",
}
_LABELS: Final = {"mismatch": ("asked for", "answered")}


@dataclass(frozen=True, slots=True)
class Slots:
    """How much of the record can show a swap at all.

    Attributes:
        unverified: slots where some calls do not tell which model answered.
        untold: those of them where no call does.
    """

    all: int
    unverified: int
    untold: int


def rows(ask: Ask, *, tenant: str | None = None, conversation: str | None = None) -> list[Row]:
    """A row for each swap that stands, the newest first; of one `conversation`: those that were first seen there.

    Beyond the columns of model_swaps, `Id`, which names a swap as long as the record exists.
    """
    where = matching(TenantId=tenant, FirstConversationId=conversation)
    return [{"Id": swap_id(row), **row} for row in fetch(ask, _SWAPS.replace("{where}", where))]


def swap_id(row: Row) -> str:
    """A short digest of what makes a swap the same one."""
    return hashlib.sha256(orjson.dumps([row[name] for name in KEY])).hexdigest()[:_ID_DIGITS]


def slots(ask: Ask, *, tenant: str | None = None) -> Slots:
    """What stands behind the absence of a swap."""
    found = fetch(ask, _SLOTS.replace("{where}", matching(TenantId=tenant)))[0]
    return Slots(found["slots"], found["unverified"], found["untold"])


def render(rows: Sequence[Row], behind: Slots) -> Group:
    """A block for each swap, what to do next, and what the record cannot know."""
    parts: list[RenderableType] = []
    for row in rows:
        parts += [Text(plain(_title(row)), "bold"), _facts(row), ""]
    if not rows:
        parts.append(line(f"No swap found in {count(behind.all, 'slot')} (tenant, service, agent, kind of call)."))
    else:
        parts.append(line(_next(rows[0])))
    if behind.unverified:
        parts.append(line(_doubt(behind)))
    return lines(*parts)


def show(ask: Ask, *, tenant: str | None = None) -> RenderableType:
    """The report, or why there is none."""
    found, behind = rows(ask, tenant=tenant), slots(ask, tenant=tenant)
    return render(found, behind) if found or behind.all else nothing(ask, "no call that names a model", tenant)


def summary(row: Row) -> str:
    """A swap in one line."""
    return f"{row['Id']} {row['Class']} from {row['FromVersion']} to {row['ToVersion']}"


def _title(row: Row) -> str:
    meaning = _CLASSES.get(row["Class"])
    return f"{row['Id']}  {row['Severity']}  {row['Class']}{f': {meaning}' if meaning else ''}"


def _facts(row: Row) -> RenderableType:
    before, after = _LABELS.get(row["Class"], ("from", "to"))
    again = f" (for the {_ordinal(row['Occurrence'])} time)" if row["Occurrence"] > 1 else ""
    return labelled(
        [
            ("where", place(row)),
            (before, Whole(row["FromVersion"])),
            (after, Whole(row["ToVersion"])),
            ("since", f"{clock(row['FirstSeenAt'], milliseconds=True)} UTC{again}, {_declared(row)}"),
            ("first conversation", Middle(row["FirstConversationId"])),
            ("first trace", Middle(row["FirstTraceId"])),
            ("conversations", f"{row['ConversationsBefore']:,} before, {row['ConversationsAfter']:,} after"),
        ]
    )


def _ordinal(number: int) -> str:
    teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _declared(row: Row) -> str:
    if not row["Declared"]:
        return "not declared"
    return f"declared by {row['DeclaredBy']}" if row["DeclaredBy"] else "declared"


def _next(newest: Row) -> str:
    return (
        f"Next: `{command('conversation', newest['FirstConversationId'])}` shows the first conversation of the newest"
        f" one, step by step; `{command('versions')}` shows how far it has spread."
    )


def _doubt(behind: Slots) -> str:
    return (
        f"No proof for {behind.unverified:,} of {count(behind.all, 'slot')}: calls there do not tell which model"
        f" answered (all of them in {behind.untold:,}), so a swap would not show. `{command('versions')}` names them;"
        " the probe of spanwitness.sdk in their process closes the gap."
    )
