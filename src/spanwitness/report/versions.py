"""Which model versions answered: where, when, how much, and whether that is known."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from spanwitness.report.empty import nothing
from spanwitness.report.sql import SLOT, Ask, fetch, matching
from spanwitness.report.text import Timeline, Whole, clock, columns, line, lines, percent, place, plain, verified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

Row = dict[str, Any]

BUCKETS: Final = 24

LATE: Final = 50
"""Conversations of a slot by which its shares of late are told."""

_VERSIONS = f"""
SELECT {SLOT}, ModelVersion, FirstSeen, LastSeen, Conversations, Calls, VerifiedShare, Buckets, AfterFailure
FROM (SELECT * FROM model_versions WHERE {{where}}) AS versions
LEFT JOIN (
    SELECT {SLOT}, ModelVersion, sum(Failures) AS AfterFailure,
           sumForEach(arrayMap(number -> if(number = Bucket, Sum, 0), range({BUCKETS}))) AS Buckets
    FROM (
        SELECT {SLOT}, ModelVersion, sum(Calls) AS Sum, sum(CallsAfterFailure) AS Failures,
               intDiv((toUnixTimestamp64Micro(FirstAt) - Begin) * {BUCKETS}, greatest(End - Begin, 1)) AS Slice,
               least(greatest(Slice, 0), {BUCKETS - 1}) AS Bucket
        FROM (SELECT * FROM model_uses WHERE {{where}}) AS uses
        INNER JOIN (
            SELECT {SLOT}, toUnixTimestamp64Micro(min(FirstSeen)) AS Begin, toUnixTimestamp64Micro(max(LastSeen)) AS End
            FROM model_versions WHERE {{where}} GROUP BY {SLOT}
        ) AS slots USING ({SLOT})
        GROUP BY {SLOT}, ModelVersion, Slice
    )
    GROUP BY {SLOT}, ModelVersion
) AS timelines USING ({SLOT}, ModelVersion)
ORDER BY {SLOT}, FirstSeen, ModelVersion
"""
# Of each slot its last conversations, the oldest of them first.
_LATE = f"""
SELECT {SLOT}, arrayReverse(groupArray(Versions)) AS Talks, min(Began) AS Since, any(Number) AS All
FROM (
    SELECT {SLOT}, ConversationId, min(FirstAt) AS Began, groupUniqArray(toString(ModelVersion)) AS Versions,
           count() OVER (PARTITION BY {SLOT}) AS Number
    FROM model_uses WHERE {{where}} GROUP BY {SLOT}, ConversationId
    ORDER BY {SLOT}, Began DESC, ConversationId DESC
    LIMIT {LATE} BY {SLOT}
)
GROUP BY {SLOT}
"""
_REPLACED = f"""
SELECT {SLOT}, FromVersion, FirstSeenAt FROM model_swaps
WHERE {{where}} AND Class = 'version' AND Traffic = 'all' AND EndedAt = 0
"""

_FALLBACK: Final = 0.8  # as the ledger has it
_WORDS: Final = len("not told by the")
_LEGEND = (
    f"Share over time: {BUCKETS} equal parts of the time from the slot's first call to its last. A block's height is"
    " the version's share of the calls; a dot: none of them; a blank: there was no call. Share now: of the"
    f" slot's last {LATE} conversations, those in which it answered."
)
_NOT_TOLD = (
    "A version that ends in '?' is the requested name: the instrumentation does not tell which model answered."
    " A swap behind it would not show; the probe of spanwitness.sdk in that process tells it."
)


@dataclass(frozen=True, slots=True)
class _Late:
    """A slot of late: by conversation the versions that answered, the oldest first; whether there were earlier ones."""

    talks: Sequence[Sequence[str]]
    since: str
    more: bool


def rows(ask: Ask, *, tenant: str | None = None, service: str | None = None, agent: str | None = None) -> list[Row]:
    """A row for each version of each slot (tenant, service, agent, role), in order of appearance.

    Beyond the columns of model_versions:
    `ShareNow`: of the slot's last 50 conversations, the share in which it answered.
    `State`: `fallback`, most of its calls came next after a failed one of another model; `gone`, in none of those 50
    conversations; `replaced`, another has taken its place since; `new`, first seen within them, where others answered
    before; else ''.
    `Timeline`: its share of the slot's calls in each of 24 equal parts of the time from the slot's first call to its
    last, each conversation's calls where its first one was; None where nobody called.
    """
    where = matching(TenantId=tenant, ServiceName=service, AgentName=agent)
    found, late, replaced = (fetch(ask, sql.replace("{where}", where)) for sql in (_VERSIONS, _LATE, _REPLACED))
    slots = {_slot(row): _Late(row["Talks"], row["Since"], row["All"] > len(row["Talks"])) for row in late}
    gone = {(*_slot(row), row["FromVersion"]): row["FirstSeenAt"] for row in replaced}
    totals: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * BUCKETS)
    for row in found:
        row["Buckets"] = row["Buckets"] or [0] * BUCKETS
        totals[_slot(row)] = [sum(pair) for pair in zip(totals[_slot(row)], row["Buckets"], strict=True)]
    for row in found:
        calls = zip(row.pop("Buckets"), totals[_slot(row)], strict=True)
        of_late = slots.get(_slot(row), _NOT_KNOWN)
        row["ShareNow"] = _share(row["ModelVersion"], of_late)
        row["State"] = _state(row, of_late, gone.get((*_slot(row), row["ModelVersion"]), ""))
        row["Timeline"] = [round(some / everything, 4) if everything else None for some, everything in calls]
    return found


_NOT_KNOWN: Final = _Late((), "", more=False)


def _share(version: str, late: _Late) -> float | None:
    """None where the slot's conversations are not on record."""
    return round(sum(version in talk for talk in late.talks) / len(late.talks), 4) if late.talks else None


def _state(row: Row, late: _Late, replaced: str) -> str:
    failures = row.pop("AfterFailure")
    if failures and failures >= _FALLBACK * row["Calls"]:
        return "fallback"
    if row["ShareNow"] == 0:
        return "gone"
    if row["LastSeen"] < replaced:
        return "replaced"
    # Where all conversations are among the last ones, what the first of them used was there from the beginning.
    first = not late.more and late.talks and row["ModelVersion"] in late.talks[0]
    return "new" if late.talks and row["FirstSeen"] >= late.since and not first else ""


def render(rows: Sequence[Row]) -> Group:
    """A table for each slot, and how to read it."""
    if not rows:
        return lines("No model version is on record.")
    parts: list[RenderableType] = []
    for _, versions in groupby(rows, key=_slot):
        parts += _slot_table(list(versions))
    parts.append(line(_LEGEND))
    if any(row["VerifiedShare"] < 1 for row in rows):
        parts.append(line(_NOT_TOLD))
    return Group(*parts)


def show(
    ask: Ask, *, tenant: str | None = None, service: str | None = None, agent: str | None = None
) -> RenderableType:
    """The report, or why there is none."""
    found = rows(ask, tenant=tenant, service=service, agent=agent)
    if found:
        return render(found)
    wanted = [f"of {kind} {name!r}" for kind, name in (("service", service), ("agent", agent)) if name is not None]
    return nothing(ask, " ".join(["no call that names a model", *wanted]), tenant)


def _slot(row: Row) -> tuple[str, ...]:
    return row["TenantId"], row["ServiceName"], row["AgentName"], row["StepKind"]


def _slot_table(versions: Sequence[Row]) -> list[RenderableType]:
    table = columns()
    table.add_column("model version\nshare over time", min_width=BUCKETS)
    table.add_column("first seen (UTC)\nlast seen", no_wrap=True)
    table.add_column("conv.\ncalls", no_wrap=True, justify="right")
    table.add_column("served model\nshare now", max_width=_WORDS)
    for row in versions:
        _add(table, row)
    return [Text(plain(place(versions[0])), "bold"), table, ""]


def _add(table: Table, row: Row) -> None:
    table.add_row(
        Group(Whole(row["ModelVersion"]), Timeline(row["Timeline"])),
        lines(clock(row["FirstSeen"]), clock(row["LastSeen"])),
        f"{row['Conversations']:,}\n{row['Calls']:,}",
        lines(verified(row["VerifiedShare"]), _now(row)),
    )


def _now(row: Row) -> str:
    share = "" if row["ShareNow"] is None else percent(row["ShareNow"])
    return ", ".join(part for part in (share, row["State"]) if part)
