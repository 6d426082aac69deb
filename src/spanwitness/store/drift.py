"""What the watch for disguised swaps keeps: features of conversations, and how far it is with each slot's versions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from spanwitness.model import Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spanwitness.store.clickhouse import Store

MOST_VERSIONS: Final = 8
"""Of a slot, those that the watch goes on with: the latest."""

_TYPES: Final[Mapping[str, pa.DataType]] = {
    "Number": pa.uint64(),
    "StartedAt": pa.timestamp("ns"),
    "TakenAt": pa.timestamp("ms"),
    "UpdatedAt": pa.timestamp("ms"),
    **dict.fromkeys(("Learnt", "Needed", "Conversations"), pa.uint64()),
}
_OF_SLOT: Final = (
    "TenantId = {tenant:String} AND ServiceName = {service:String} AND AgentName = {agent:String} "
    "AND StepKind = {kind:String}"
)
_FEATURES: Final = """
SELECT ConversationId, Number, ModelVersion, PromptVersion, toUnixTimestamp64Nano(StartedAt) AS started, TraceId,
       Features
FROM drift_features FINAL
"""
# Each version from where its state ends; versions without one from `since` on.
_LATER: Final = f"""{_FEATURES}
WHERE {_OF_SLOT} AND Number > if(has({{versions:Array(String)}}, ModelVersion),
    {{numbers:Array(UInt64)}}[indexOf({{versions:Array(String)}}, ModelVersion)], {{since:UInt64}})
ORDER BY Number, StartedAt, ConversationId
"""
_LAST: Final = f"""{_FEATURES}
WHERE {_OF_SLOT} AND ModelVersion = {{version:String}} AND Number <= {{number:UInt64}}
ORDER BY Number DESC, StartedAt DESC, ConversationId DESC LIMIT {{most:UInt64}}
"""
_FROM: Final = f"""{_FEATURES}
WHERE {_OF_SLOT} AND ModelVersion = {{version:String}} AND Number >= {{number:UInt64}}
ORDER BY Number, StartedAt, ConversationId LIMIT {{most:UInt64}}
"""
_KNOWN: Final = """
SELECT ServiceName, AgentName, StepKind, ConversationId FROM drift_features FINAL
WHERE TenantId = {tenant:String}
  AND (ServiceName, AgentName, StepKind, ConversationId) IN {keys:Array(Tuple(String, String, String, String))}
"""
_STATES: Final = f"""
SELECT ModelVersion, Number, State FROM drift_states FINAL
WHERE {_OF_SLOT} ORDER BY Number DESC, ModelVersion LIMIT {MOST_VERSIONS}
"""
_LATEST_VERSIONS: Final = f"""
SELECT ModelVersion FROM drift_features FINAL WHERE {_OF_SLOT} AND Number <= {{number:UInt64}}
ORDER BY Number DESC LIMIT {{most:UInt64}}
"""
# Times to the nanosecond and as numbers: rows are written again as they were read.
_ENTRIES: Final = """
SELECT * REPLACE (toUnixTimestamp64Nano(FirstSeenAt) AS FirstSeenAt, toUnixTimestamp64Nano(EndedAt) AS EndedAt,
                  toUnixTimestamp64Milli(DetectedAt) AS DetectedAt, toUnixTimestamp64Milli(UpdatedAt) AS UpdatedAt)
FROM model_swaps FINAL
WHERE TenantId = {tenant:String} AND Withdrawn = 0 AND JSONExtractString(Evidence, 'source') = 'watch'
ORDER BY FirstSeenAt, Class, FromVersion, ToVersion, Occurrence
"""
_WATCHED: Final = """
SELECT states.ServiceName AS service, states.AgentName AS agent, states.StepKind AS kind,
       states.ModelVersion AS version, states.Phase AS phase,
       states.Learnt AS learnt, states.Needed AS needed, states.Conversations AS conversations,
       states.Number AS number, countIf(later.Number > states.Number) AS since
FROM (SELECT * EXCEPT (State) FROM drift_states FINAL WHERE TenantId = {tenant:String}) AS states
LEFT JOIN (
    SELECT ServiceName, AgentName, StepKind, ModelVersion, Number FROM drift_features FINAL
    WHERE TenantId = {tenant:String}
) AS later
ON states.ServiceName = later.ServiceName AND states.AgentName = later.AgentName
    AND states.StepKind = later.StepKind AND states.ModelVersion = later.ModelVersion
GROUP BY ALL
ORDER BY service, agent, kind, version
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A conversation that the watch took in: its number in the slot, and what was counted of it, as text."""

    slot: Slot
    conversation_id: str
    number: int
    version: str
    prompt_version: str
    started_ns: int
    trace: str
    features: str


@dataclass(frozen=True, slots=True)
class Kept:
    """How far the watch is with a version of a slot.

    Attributes:
        state: as text; empty where only a summary was read.
        number: what came later in the slot is not in it.
        learnt: conversations of the reference, of `needed`.
        conversations: of this version, ever taken in.
    """

    slot: Slot
    version: str
    phase: str
    learnt: int
    needed: int
    conversations: int
    number: int
    state: str = ""


def take(store: Store, taken: Sequence[Taken], now: dt.datetime) -> None:
    """Keeps what was counted. One conversation of a slot is kept once."""
    rows = [
        {
            **_slot_columns(one.slot),
            "ConversationId": one.conversation_id,
            "Number": one.number,
            "ModelVersion": one.version,
            "PromptVersion": one.prompt_version,
            "StartedAt": one.started_ns,
            "TraceId": one.trace,
            "Features": one.features,
            "TakenAt": _naive(now),
        }
        for one in taken
    ]
    if rows:
        store.insert("drift_features", _table(rows))


def known(store: Store, tenant: str, conversations: Iterable[tuple[Slot, str]]) -> set[tuple[Slot, str]]:
    """Which of some conversations were taken in of their slots before."""
    keys = [(slot.service, slot.agent, slot.step_kind, identity) for slot, identity in conversations]
    rows = store.rows(_KNOWN, {"tenant": tenant, "keys": keys}) if keys else []
    return {
        (Slot(tenant, row["ServiceName"], row["AgentName"], row["StepKind"]), row["ConversationId"]) for row in rows
    }


def later(store: Store, slot: Slot, ends: Mapping[str, int], since: int) -> list[Taken]:
    """What was taken in of a slot after the end of each version's state, versions without one after `since`; in order.

    Args:
        store: where from.
        slot: of which.
        ends: by version, the number that its state ends with.
        since: for all other versions.
    """
    parameters = {"versions": list(ends), "numbers": list(ends.values()), "since": since, **_of(slot)}
    return [_taken(slot, row) for row in store.rows(_LATER, parameters)]


def last(store: Store, slot: Slot, version: str, number: int, most: int) -> list[Taken]:
    """The last conversations of a version up to a number in the slot, oldest first."""
    parameters = {"version": version, "number": number, "most": most, **_of(slot)}
    return [_taken(slot, row) for row in reversed(store.rows(_LAST, parameters))]


def first(store: Store, slot: Slot, version: str, number: int, most: int) -> list[Taken]:
    """The first conversations of a version from a number in the slot on, oldest first."""
    parameters = {"version": version, "number": number, "most": most, **_of(slot)}
    return [_taken(slot, row) for row in store.rows(_FROM, parameters)]


def latest_versions(store: Store, slot: Slot, number: int, most: int) -> list[str]:
    """Which versions answered in a slot's conversations up to a number, latest first."""
    return [row["ModelVersion"] for row in store.rows(_LATEST_VERSIONS, {"number": number, "most": most, **_of(slot)})]


def keep(store: Store, states: Sequence[Kept], now: dt.datetime) -> None:
    """Writes states; each replaces the one before it."""
    rows = [
        {
            **_slot_columns(one.slot),
            "ModelVersion": one.version,
            "Phase": one.phase,
            "Learnt": one.learnt,
            "Needed": one.needed,
            "Conversations": one.conversations,
            "Number": one.number,
            "State": one.state,
            "UpdatedAt": _naive(now),
        }
        for one in states
    ]
    if rows:
        store.insert("drift_states", _table(rows))


def kept(store: Store, slot: Slot) -> dict[str, tuple[int, str]]:
    """By version of a slot, the number that its state ends with, and the state."""
    return {row["ModelVersion"]: (row["Number"], row["State"]) for row in store.rows(_STATES, _of(slot))}


def watched(store: Store, tenant: str) -> list[Kept]:
    """How far the watch is with each version of each slot of a tenant, what came since the last state included."""
    found = []
    for row in store.rows(_WATCHED, {"tenant": tenant}):
        learns = row["learnt"] < row["needed"]
        found.append(
            Kept(
                Slot(tenant, row["service"], row["agent"], row["kind"]),
                row["version"],
                row["phase"],
                min(row["needed"], row["learnt"] + row["since"] * learns),
                row["needed"],
                row["conversations"] + row["since"],
                row["number"],
            )
        )
    return found


def entries(store: Store, tenant: str) -> list[dict[str, Any]]:
    """The ledger's entries that the watch made in a tenant, as they stand. Times are integers."""
    return store.rows(_ENTRIES, {"tenant": tenant})


def slot_of(row: Mapping[str, Any]) -> Slot:
    """Whose an entry is."""
    return Slot(row["TenantId"], row["ServiceName"], row["AgentName"], row["StepKind"])


def _taken(slot: Slot, row: dict[str, Any]) -> Taken:
    return Taken(
        slot,
        row["ConversationId"],
        row["Number"],
        row["ModelVersion"],
        row["PromptVersion"],
        row["started"],
        row["TraceId"],
        row["Features"],
    )


def _of(slot: Slot) -> dict[str, str]:
    return {"tenant": slot.tenant, "service": slot.service, "agent": slot.agent, "kind": slot.step_kind}


def _slot_columns(slot: Slot) -> dict[str, str]:
    return {
        "TenantId": slot.tenant,
        "ServiceName": slot.service,
        "AgentName": slot.agent,
        "StepKind": slot.step_kind,
    }


def _table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in rows], _TYPES.get(name)) for name in rows[0]})


def _naive(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None)
