"""Reads what a swap did to scores, and writes it beside the swap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spanwitness import comparison, score_shift
from spanwitness.model import Slot
from spanwitness.store import rows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from spanwitness.store.clickhouse import Store

    Row = dict[str, Any]

# Times to the nanosecond, as they are written: a moment in Python has fewer digits.
_SWAPS = """
SELECT * REPLACE (toUnixTimestamp64Nano(FirstSeenAt) AS FirstSeenAt, toUnixTimestamp64Nano(EndedAt) AS EndedAt,
                  toUnixTimestamp64Milli(DetectedAt) AS DetectedAt, toUnixTimestamp64Milli(UpdatedAt) AS UpdatedAt)
FROM model_swaps FINAL
WHERE TenantId = {tenant:String} AND (ServiceName, AgentName, StepKind) IN {slots:Array(Tuple(String, String, String))}
  AND has({classes:Array(String)}, Class)
ORDER BY FirstSeenAt, Class, FromVersion, ToVersion, Occurrence
"""

# In whose slots a verdict may have come that no entry knows of yet: those compared before, and those that still stand.
_SLOTS = """
SELECT DISTINCT TenantId, ServiceName, AgentName, StepKind FROM model_swaps FINAL
WHERE (ScoreShift != '{}' OR EndedAt = 0) AND has({classes:Array(String)}, Class)
"""


def slots_of_shifts(store: Store, classes: Sequence[str]) -> set[Slot]:
    """The slots of all tenants with a swap, of some classes, whose scores were compared or that stands."""
    rows = store.rows(_SLOTS, {"classes": list(classes)})
    return {Slot(row["TenantId"], row["ServiceName"], row["AgentName"], row["StepKind"]) for row in rows}


def swaps_of(store: Store, tenant: str, slots: Iterable[Slot], classes: Sequence[str]) -> list[Row]:
    """The ledger's entries of some classes in some slots of a tenant, as they stand now. Times are integers."""
    names = [(slot.service, slot.agent, slot.step_kind) for slot in sorted(slots)]
    parameters = {"tenant": tenant, "slots": names, "classes": list(classes)}
    return store.rows(_SWAPS, parameters) if names else []


def shifts_of(store: Store, change: comparison.Change, first: int) -> tuple[list[score_shift.EvaluatorShift], int]:
    """The scores before and after a change, compared; nothing where no evaluator ran.

    Args:
        store: where they are.
        change: what is asked about.
        first: of the conversations since, so many at most.

    Returns:
        And when the last of those conversations came, Unix nanoseconds; 0 where there is none.
    """
    sides = store.rows(*change.sides())
    since = [row["Came"] for row in sides if row["Side"] == "after"][:first]
    return score_shift.by_evaluator(store.rows(comparison.SCORES, change.between(sides, first))), max(since, default=0)


def write(store: Store, shifts: Sequence[tuple[Row, Mapping[str, Any]]], now: dt.datetime) -> None:
    """Writes entries again as they were read, each with what its change did to scores."""
    moment = int(now.timestamp() * 1000)
    # Never older than the row that it replaces; of two of the same moment, the one inserted last stands.
    entries = [
        {**row, "ScoreShift": rows.as_json(shift), "UpdatedAt": max(moment, row["UpdatedAt"])} for row, shift in shifts
    ]
    if entries:
        store.insert("model_swaps", rows.table(entries))
