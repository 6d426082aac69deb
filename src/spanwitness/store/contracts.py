"""Contracts in the store: every version of what was agreed, never rewritten but for the moment at which it ended."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from spanwitness.model import BundleTerms, Contract

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.store.clickhouse import Store

_MOMENT: Final = pa.timestamp("ms")
_TYPES: Final[dict[str, pa.DataType]] = {
    **dict.fromkeys(("ValidFrom", "ValidUntil", "RecordedAt", "UpdatedAt"), _MOMENT),
    "ApprovedModels": pa.list_(pa.string()),
    "Evaluators": pa.list_(pa.string()),
    "Judged": pa.list_(pa.string()),
    "Aliases": pa.list_(pa.struct([("Requested", pa.string()), ("Served", pa.string())])),
    "MinVerifiedShare": pa.float64(),
    "Thresholds": pa.map_(pa.string(), pa.float64()),
}

_CONTRACTS = """
SELECT * FROM contracts FINAL WHERE TenantId = {tenant:String} ORDER BY Version
"""


def contracts_of(store: Store, tenant: str) -> list[Contract]:
    """Every version of what was agreed with a tenant, the oldest first."""
    return [_contract(row) for row in store.rows(_CONTRACTS, {"tenant": tenant})]


def insert_contracts(store: Store, contracts: Sequence[Contract], now: dt.datetime) -> None:
    """Records versions of one tenant, all or none of them, each in the place of an earlier row of its number."""
    found = [_row(contract, now) for contract in contracts]
    if found:
        columns = {name: pa.array([row[name] for row in found], _TYPES.get(name)) for name in found[0]}
        store.insert("contracts", pa.table(columns))


def _contract(row: dict[str, Any]) -> Contract:
    return Contract(
        tenant=row["TenantId"],
        version=row["Version"],
        name=row["Name"],
        valid_from=_utc(row["ValidFrom"]),
        valid_until=None if row["ValidUntil"] is None else _utc(row["ValidUntil"]),
        approved=tuple(row["ApprovedModels"]),
        aliases=tuple((alias["Requested"], alias["Served"]) for alias in row["Aliases"]),
        min_verified=row["MinVerifiedShare"],
        evaluators=tuple(row["Evaluators"]),
        thresholds=dict(row["Thresholds"]),
        notice=dt.timedelta(seconds=row["NoticeSeconds"]),
        source=row["Source"],
        text=row["Text"],
        recorded_at=_utc(row["RecordedAt"]),
        judged=tuple(row["Judged"]),
        parameters=json.loads(row["Parameters"]),
        channels={name: _terms(terms) for name, terms in json.loads(row["Channels"]).items()},
    )


def _terms(told: dict[str, Any]) -> BundleTerms:
    return BundleTerms(tuple(told["evaluators"]), told["thresholds"], tuple(told["judged"]))


def _row(contract: Contract, now: dt.datetime) -> dict[str, Any]:
    return {
        "TenantId": contract.tenant,
        "Version": contract.version,
        "Name": contract.name,
        "ValidFrom": _naive(contract.valid_from),
        "ValidUntil": None if contract.valid_until is None else _naive(contract.valid_until),
        "ApprovedModels": list(contract.approved),
        "Aliases": [{"Requested": requested, "Served": served} for requested, served in contract.aliases],
        "MinVerifiedShare": contract.min_verified,
        "Evaluators": list(contract.evaluators),
        "Thresholds": list(contract.thresholds.items()),
        "Judged": list(contract.judged),
        "Parameters": _json(contract.parameters),
        "Channels": _json({name: asdict(terms) for name, terms in contract.channels.items()}),
        "NoticeSeconds": contract.notice.total_seconds(),
        "Source": contract.source,
        "Text": contract.text,
        "RecordedAt": _naive(contract.recorded_at or now),
        "UpdatedAt": _naive(now),
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _naive(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def _utc(value: Any) -> dt.datetime:
    moment: dt.datetime = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
