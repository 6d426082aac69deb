"""Which model versions answered: where, when, how much, and whether that is known."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from spanwitness.report.empty import nothing
from spanwitness.report.sql import SLOT, Ask, fetch, matching
from spanwitness.report.text import Timeline, Whole, clock, columns, line, lines, place, plain, verified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

Row = dict[str, Any]

BUCKETS: Final = 24

_VERSIONS = f"""
SELECT {SLOT}, ModelVersion, FirstSeen, LastSeen, Conversations, Calls, VerifiedShare, Buckets
FROM (SELECT * FROM model_versions WHERE {{where}}) AS versions
LEFT JOIN (
    SELECT {SLOT}, ModelVersion,
           sumForEach(arrayMap(number -> toUInt64(number = Bucket), range({BUCKETS}))) AS Buckets
    FROM (
        SELECT {SLOT}, ModelVersion,
               intDiv((toUnixTimestamp64Micro(StartedAt) - Begin) * {BUCKETS}, greatest(End - Begin, 1)) AS Slice,
               least(greatest(Slice, 0), {BUCKETS - 1}) AS Bucket
        FROM (SELECT * FROM steps_latest WHERE ModelVersion != '' AND {{where}}) AS steps
        INNER JOIN (
            SELECT {SLOT}, toUnixTimestamp64Micro(min(FirstSeen)) AS Begin, toUnixTimestamp64Micro(max(LastSeen)) AS End
            FROM model_versions WHERE {{where}} GROUP BY {SLOT}
        ) AS slots USING ({SLOT})
    )
    GROUP BY {SLOT}, ModelVersion
) AS timelines USING ({SLOT}, ModelVersion)
ORDER BY {SLOT}, FirstSeen, ModelVersion
"""

_WORDS: Final = len("not told by the")
_LEGEND = (
    f"Share over time: {BUCKETS} equal parts of the time from the slot's first call to its last. A block's height is"
    " the version's share of the calls; a dot: none of them; a blank: there was no call."
)
_NOT_TOLD = (
    "A version that ends in '?' is the requested name: the instrumentation does not tell which model answered."
    " A swap behind it would not show; the probe of spanwitness.sdk in that process tells it."
)


def rows(ask: Ask, *, tenant: str | None = None) -> list[Row]:
    """A row for each version of each slot (tenant, service, agent, kind), in order of appearance.

    Beyond the columns of model_versions, `Timeline`: the version's share of the slot's calls in each of 24 equal parts
    of the time from the slot's first call to its last; None where nobody called.
    """
    found = fetch(ask, _VERSIONS.replace("{where}", matching(TenantId=tenant)))
    totals: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * BUCKETS)
    for row in found:
        row["Buckets"] = row["Buckets"] or [0] * BUCKETS
        totals[_slot(row)] = [sum(pair) for pair in zip(totals[_slot(row)], row["Buckets"], strict=True)]
    for row in found:
        calls = zip(row.pop("Buckets"), totals[_slot(row)], strict=True)
        row["Timeline"] = [round(some / everything, 4) if everything else None for some, everything in calls]
    return found


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


def show(ask: Ask, *, tenant: str | None = None) -> RenderableType:
    """The report, or why there is none."""
    found = rows(ask, tenant=tenant)
    return render(found) if found else nothing(ask, "no call that names a model", tenant)


def _slot(row: Row) -> tuple[str, ...]:
    return row["TenantId"], row["ServiceName"], row["AgentName"], row["StepKind"]


def _slot_table(versions: Sequence[Row]) -> list[RenderableType]:
    table = columns()
    table.add_column("model version\nshare over time", min_width=BUCKETS)
    table.add_column("first seen (UTC)\nlast seen", no_wrap=True)
    table.add_column("conv.\ncalls", no_wrap=True, justify="right")
    table.add_column("served model\n", max_width=_WORDS)
    for row in versions:
        _add(table, row)
    return [Text(plain(place(versions[0])), "bold"), table, ""]


def _add(table: Table, row: Row) -> None:
    table.add_row(
        Group(Whole(row["ModelVersion"]), Timeline(row["Timeline"])),
        lines(clock(row["FirstSeen"]), clock(row["LastSeen"])),
        f"{row['Conversations']:,}\n{row['Calls']:,}",
        verified(row["VerifiedShare"]),
    )
