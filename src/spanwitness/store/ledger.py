"""The ledger in the store: `model_versions`, `model_swaps`, and by which terms a tenant's entries were last judged."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from spanwitness.model import Slot, Swap, VersionUse
from spanwitness.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spanwitness.store.clickhouse import Store

OTHERS: Final = ("disguised", "absent")
"""Classes that are told by others; the ledger of names neither writes nor withdraws them."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TICK: Final = dt.timedelta(milliseconds=1)
_SLOT: Final = "ServiceName, AgentName, StepKind"
_OURS: Final = f"TenantId = {{tenant:String}} AND ({_SLOT}) IN {{slots:Array(Tuple(String, String, String))}}"

# A change of prompt that the watch for disguised swaps found is its own: no name on the spans tells of it.
_NOT_OTHERS: Final = "Class NOT IN {others:Array(String)} AND JSONExtractString(Evidence, 'source') != 'watch'"

_VERSIONS = f"""
SELECT {_SLOT}, ModelVersion, toUnixTimestamp64Nano(FirstSeen) AS first, toUnixTimestamp64Nano(LastSeen) AS last,
       Conversations, Calls, VerifiedShare, toUnixTimestamp64Milli(UpdatedAt) AS updated
FROM model_versions FINAL WHERE {_OURS}
"""

_SWAPS = f"""
SELECT * REPLACE (toUnixTimestamp64Nano(FirstSeenAt) AS FirstSeenAt, toUnixTimestamp64Nano(EndedAt) AS EndedAt,
                  toUnixTimestamp64Milli(DetectedAt) AS DetectedAt, toUnixTimestamp64Milli(UpdatedAt) AS UpdatedAt)
FROM model_swaps FINAL WHERE {_OURS} AND {_NOT_OTHERS}
"""

_SLOTS = f"""
SELECT DISTINCT {_SLOT} FROM model_swaps FINAL
WHERE TenantId = {{tenant:String}} AND {_NOT_OTHERS}
"""

_UNNAMED = f"""
SELECT DISTINCT TenantId, {_SLOT} FROM model_swaps FINAL WHERE SwapId = '' AND {_NOT_OTHERS}
"""

# What of them decides on an entry; when a row was written does not.
_TERMS = """
SELECT TenantId, sum(c) AS contracts, sum(d) AS deployments, max(jc) AS judged_contracts, max(jd) AS judged_deployments
FROM (
    SELECT TenantId, cityHash64(Version, ValidFrom, ifNull(toString(ValidUntil), ''), ApprovedModels, toString(Aliases),
                                ifNull(toString(MinVerifiedShare), ''), NoticeSeconds) AS c,
           toUInt64(0) AS d, toUInt64(0) AS jc, toUInt64(0) AS jd
    FROM contracts FINAL WHERE {where}
    UNION ALL
    SELECT TenantId, 0, cityHash64(DeploymentId, Kind, ServiceName, AgentName, FromVersion, ToVersion, ValidFrom,
                                   ifNull(toString(ValidUntil), ''), DeclaredBy, DeclaredAt, Withdrawn), 0, 0
    FROM deployments FINAL WHERE {where}
    UNION ALL
    SELECT TenantId, 0, 0, Contracts, Deployments FROM ledger_terms FINAL WHERE {where}
)
GROUP BY TenantId
"""


class TermsState(NamedTuple):
    """Digests of a tenant's contracts and declarations; 0 where there are none."""

    contracts: int = 0
    deployments: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """A tenant's terms as they are, and those by which its ledger was last judged as a whole."""

    now: TermsState
    then: TermsState


def judged(store: Store, tenant: str) -> Judged:
    """The terms of one tenant."""
    return _judged(store, "TenantId = {tenant:String}", {"tenant": tenant}).get(
        tenant, Judged(TermsState(), TermsState())
    )


def all_judged(store: Store) -> dict[str, Judged]:
    """The terms of each tenant that has or had some."""
    return _judged(store, "1", {})


def _judged(store: Store, where: str, parameters: Mapping[str, Any]) -> dict[str, Judged]:
    return {
        row["TenantId"]: Judged(
            TermsState(row["contracts"], row["deployments"]),
            TermsState(row["judged_contracts"], row["judged_deployments"]),
        )
        for row in store.rows(_TERMS.replace("{where}", where), parameters)
    }


def note_judged(store: Store, tenant: str, state: TermsState, now: dt.datetime) -> None:
    """The whole ledger of a tenant is judged by these terms."""
    columns = {
        "TenantId": pa.array([tenant]),
        "Contracts": pa.array([state.contracts], pa.uint64()),
        "Deployments": pa.array([state.deployments], pa.uint64()),
        "UpdatedAt": pa.array([rows.naive(now)], pa.timestamp("ms")),
    }
    store.insert("ledger_terms", pa.table(columns))


def slots_with_swaps(store: Store, tenant: str) -> set[Slot]:
    """The slots of a tenant that have an entry of ours."""
    found = store.rows(_SLOTS, {"tenant": tenant, "others": list(OTHERS)})
    return {_slot(tenant, row) for row in found}


def slots_of_earlier_schema(store: Store) -> dict[str, set[Slot]]:
    """By tenant the slots whose entries were written before entries had names."""
    found: dict[str, set[Slot]] = {}
    for row in store.rows(_UNNAMED, {"others": list(OTHERS)}):
        found.setdefault(row["TenantId"], set()).add(_slot(row["TenantId"], row))
    return found


def write_versions(
    store: Store, tenant: str, slots: Iterable[Slot], used: Sequence[VersionUse], now: dt.datetime
) -> None:
    """Writes the versions of some slots that changed, and takes back those that nobody uses any more."""
    known = {(_slot(tenant, row), row["ModelVersion"]): row for row in _read(store, _VERSIONS, tenant, slots)}
    entries = []
    for use in used:
        row = known.pop((use.slot, use.version), None)
        if row is None or _version_facts(use) != tuple(row[name] for name in _VERSION_FACTS):
            entries.append(rows.version_row(use, _after(now, row)))
    entries += [rows.gone_version_row(*key, _after(now, row)) for key, row in sorted(known.items(), key=_first)]
    if entries:
        store.insert("model_versions", rows.table(entries))


_VERSION_FACTS: Final = ("first", "last", "Conversations", "Calls", "VerifiedShare")


def _version_facts(use: VersionUse) -> tuple[Any, ...]:
    return _nanoseconds(use.first), _nanoseconds(use.last), use.conversations, use.calls, use.verified


def write_swaps(
    store: Store, tenant: str, slots: Iterable[Slot], swaps: Sequence[Swap], now: dt.datetime
) -> list[Swap]:
    """Brings the entries of some slots up to date; returns those that are new.

    A known one is written again where a fact of it changed, keeps when it was detected and what others wrote into its
    row, and is withdrawn where it is not among `swaps`.
    """
    known = {tuple(row[name] for name in _KEY): row for row in _read(store, _SWAPS, tenant, slots)}
    new, entries = [], []
    for swap in swaps:
        row = rows.swap_row(swap, now, now)
        before = known.pop(tuple(row[name] for name in _KEY), None)
        if before is None:
            new.append(swap)
            entries.append(row)
        elif any(row[name] != before[name] for name in _SWAP_FACTS):
            kept = {"DetectedAt": _naive(before["DetectedAt"]), "ScoreShift": before["ScoreShift"]}
            entries.append({**row, **kept, "UpdatedAt": rows.naive(_after(now, before))})
    entries += [_withdrawn(row, now) for _, row in sorted(known.items(), key=_first)]
    if entries:
        store.insert("model_swaps", rows.table(entries))
    return new


_KEY: Final = (
    "TenantId",
    "ServiceName",
    "AgentName",
    "StepKind",
    "Class",
    "FromVersion",
    "ToVersion",
    "Occurrence",
)
_SWAP_FACTS: Final = (
    "SwapId",
    "FirstSeenAt",
    "FirstTraceId",
    "FirstConversationId",
    "ConversationsBefore",
    "ConversationsAfter",
    "ShareNow",
    "Traffic",
    "EndedAt",
    "Declared",
    "DeclaredBy",
    "DeploymentId",
    "Evidence",
    "Severity",
)


def _withdrawn(row: Mapping[str, Any], now: dt.datetime) -> dict[str, Any]:
    return {
        **row,
        "DetectedAt": _naive(row["DetectedAt"]),
        "UpdatedAt": rows.naive(_after(now, row)),
        "Withdrawn": 1,
    }


def _read(store: Store, sql: str, tenant: str, slots: Iterable[Slot]) -> list[dict[str, Any]]:
    names = [(slot.service, slot.agent, slot.step_kind) for slot in sorted(slots)]
    return store.rows(sql, {"tenant": tenant, "slots": names, "others": list(OTHERS)}) if names else []


def _slot(tenant: str, row: Mapping[str, Any]) -> Slot:
    return Slot(tenant, row["ServiceName"], row["AgentName"], row["StepKind"])


def _first(item: tuple[Any, Any]) -> Any:
    return item[0]


def _after(now: dt.datetime, row: Mapping[str, Any] | None) -> dt.datetime:
    """When a row is written: never before the one that it replaces."""
    updated = (row.get("UpdatedAt") or row.get("updated") or 0) if row else 0
    return max(now, _EPOCH + updated * _TICK)


def _naive(milliseconds: int) -> dt.datetime:
    return rows.naive(_EPOCH + milliseconds * _TICK)


def _nanoseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1000
