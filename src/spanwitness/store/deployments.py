"""Declared changes in the store, and what of the record shows that one has come."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from spanwitness.model import Deployment, Slot, swap_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spanwitness.model import ChangeKind, SwapClass
    from spanwitness.store.clickhouse import Store

_MOMENT: Final = pa.timestamp("ms")
_TYPES: Final = dict.fromkeys(("ValidFrom", "ValidUntil", "DeclaredAt", "UpdatedAt"), _MOMENT)

_DEPLOYMENTS = "SELECT * FROM deployments FINAL WHERE {where} ORDER BY DeclaredAt, DeploymentId"

_CHANGED = """
SELECT TenantId, toUnixTimestamp64Milli(max(UpdatedAt)) AS at, count() AS rows FROM deployments GROUP BY TenantId
"""

_VERSION_OF: Final[dict[ChangeKind, str]] = {
    "model": "ModelVersion",
    "prompt": "PromptVersion",
    "agent": "AgentVersion",
}

_SEEN = """
SELECT ServiceName AS service, AgentName AS agent, {version} AS version,
       min(if(FirstAt >= fromUnixTimestamp64Milli({since:Int64}), FirstAt, LastAt)) AS at
FROM model_uses FINAL
WHERE TenantId = {tenant:String} AND LastAt >= fromUnixTimestamp64Milli({since:Int64}) AND Gone = 0 AND {version} != ''
GROUP BY ServiceName, AgentName, {version}
"""

_WITHDRAWN = """
SELECT DeploymentId, UpdatedAt FROM deployments FINAL WHERE TenantId = {tenant:String} AND Withdrawn
"""

_SWAPS = """
SELECT ServiceName, AgentName, StepKind, Class, FromVersion, ToVersion, Occurrence, DetectedAt, FirstSeenAt,
       DeploymentId, toUnixTimestamp64Nano(EndedAt) AS ended
FROM model_swaps FINAL
WHERE TenantId = {tenant:String} AND Withdrawn = 0 AND {which}
ORDER BY FirstSeenAt, Class, FromVersion, ToVersion, Occurrence
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the ledger, as far as declarations ask.

    Attributes:
        ended_ns: 0 while it stands.
    """

    slot: Slot
    swap_class: SwapClass
    from_version: str
    to_version: str
    occurrence: int
    detected: dt.datetime
    first_seen: dt.datetime
    ended_ns: int
    deployment_id: str

    @property
    def id(self) -> str:
        """As Swap.id."""
        slot = self.slot
        place = (slot.tenant, slot.service, slot.agent, slot.step_kind)
        return swap_id((*place, self.swap_class, self.from_version, self.to_version, self.occurrence))


def deployments_of(store: Store, tenant: str) -> list[Deployment]:
    """All that was declared in a tenant, in the order in which it was; withdrawn ones too."""
    found = store.rows(_DEPLOYMENTS.replace("{where}", "TenantId = {tenant:String}"), {"tenant": tenant})
    return [_deployment(row) for row in found]


def deployments_named(store: Store, tenant: str, ids: Sequence[str]) -> dict[str, Deployment]:
    """Those of some ids that are on record."""
    where = "TenantId = {tenant:String} AND DeploymentId IN {ids:Array(String)}"
    found = store.rows(_DEPLOYMENTS.replace("{where}", where), {"tenant": tenant, "ids": list(ids)})
    return {row["DeploymentId"]: _deployment(row) for row in found}


def changed_at(store: Store) -> dict[str, tuple[int, int]]:
    """By tenant something that differs once a declaration has come or was withdrawn. Reads one small column."""
    return {row["TenantId"]: (row["at"], row["rows"]) for row in store.rows(_CHANGED)}


def withdrawn_at(store: Store, tenant: str) -> dict[str, dt.datetime]:
    """When the withdrawn declarations of a tenant were withdrawn."""
    return {row["DeploymentId"]: _utc(row["UpdatedAt"]) for row in store.rows(_WITHDRAWN, {"tenant": tenant})}


def insert_deployments(store: Store, deployments: Iterable[Deployment], now: dt.datetime) -> None:
    """Records declarations, each in the place of an earlier one of its id."""
    found = [_row(one, now) for one in deployments]
    if found:
        columns = {name: pa.array([row[name] for row in found], _TYPES.get(name)) for name in found[0]}
        store.insert("deployments", pa.table(columns))


def versions_seen(store: Store, tenant: str, kind: ChangeKind, since: dt.datetime) -> list[dict[str, Any]]:
    """What was in use since a moment, in every service and agent of a tenant: service, agent, version, at.

    `at` is the first moment since then at which a conversation is known to have used the version.
    """
    sql = _SEEN.replace("{version}", _VERSION_OF[kind])
    found = store.rows(sql, {"tenant": tenant, "since": int(since.timestamp() * 1000)})
    return [{**row, "at": _utc(row["at"])} for row in found]


def entries_of(store: Store, tenant: str, *, absent: bool) -> list[Entry]:
    """The ledger of a tenant: the absent, or all the others."""
    sql = _SWAPS.replace("{which}", "Class = 'absent'" if absent else "Class != 'absent'")
    return [_entry(tenant, row) for row in store.rows(sql, {"tenant": tenant})]


def _entry(tenant: str, row: dict[str, Any]) -> Entry:
    return Entry(
        slot=Slot(tenant, row["ServiceName"], row["AgentName"], row["StepKind"]),
        swap_class=row["Class"],
        from_version=row["FromVersion"],
        to_version=row["ToVersion"],
        occurrence=row["Occurrence"],
        detected=_utc(row["DetectedAt"]),
        first_seen=_utc(row["FirstSeenAt"]),
        ended_ns=row["ended"],
        deployment_id=row["DeploymentId"],
    )


def _deployment(row: dict[str, Any]) -> Deployment:
    return Deployment(
        tenant=row["TenantId"],
        deployment_id=row["DeploymentId"],
        kind=row["Kind"],
        service=row["ServiceName"],
        agent=row["AgentName"],
        from_version=row["FromVersion"],
        to_version=row["ToVersion"],
        valid_from=_utc(row["ValidFrom"]),
        valid_until=None if row["ValidUntil"] is None else _utc(row["ValidUntil"]),
        declared_by=row["DeclaredBy"],
        reason=row["Reason"],
        declared_at=_utc(row["DeclaredAt"]),
        source=row["Source"],
        withdrawn=bool(row["Withdrawn"]),
    )


def _row(one: Deployment, now: dt.datetime) -> dict[str, Any]:
    return {
        "TenantId": one.tenant,
        "DeploymentId": one.deployment_id,
        "Kind": one.kind,
        "ServiceName": one.service,
        "AgentName": one.agent,
        "FromVersion": one.from_version,
        "ToVersion": one.to_version,
        "ValidFrom": _naive(one.valid_from),
        "ValidUntil": None if one.valid_until is None else _naive(one.valid_until),
        "DeclaredBy": one.declared_by,
        "Reason": one.reason,
        "DeclaredAt": _naive(one.declared_at),
        "Source": one.source,
        "Withdrawn": one.withdrawn,
        "UpdatedAt": _naive(now),
    }


def _naive(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def _utc(value: Any) -> dt.datetime:
    moment: dt.datetime = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
