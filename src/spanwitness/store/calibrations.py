"""Calibrations in the store: every version that was let in, never rewritten."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa

from spanwitness.model.calibration import Calibration

if TYPE_CHECKING:
    from spanwitness.store.clickhouse import Store

_MOMENT: Final = pa.timestamp("ms")
_UNSIGNED: Final = pa.uint32()
_TYPES: Final[dict[str, pa.DataType]] = {
    **dict.fromkeys(("ValidFrom", "UpdatedAt"), _MOMENT),
    **dict.fromkeys(("Version", "Labels", "Positives", "Groups"), _UNSIGNED),
}

_CALIBRATIONS: Final = """
SELECT * FROM calibrations FINAL WHERE TenantId = {tenant:String} ORDER BY Evaluator, Version
"""


def calibrations_of(store: Store, tenant: str) -> list[Calibration]:
    """All of a tenant, of each evaluator the oldest first."""
    return [_calibration(row) for row in store.rows(_CALIBRATIONS, {"tenant": tenant})]


def insert_calibration(store: Store, one: Calibration, now: dt.datetime) -> None:
    """Records a calibration, in the place of one of the same tenant, evaluator and version."""
    agreement = one.agreement
    row = {
        "TenantId": one.tenant,
        "Evaluator": one.evaluator,
        "Version": one.version,
        "ValidFrom": _naive(one.valid_from),
        "EvaluatorVersion": one.evaluator_version,
        "Labels": agreement.labels,
        "Positives": agreement.positives,
        "Groups": agreement.groups,
        "Auc": agreement.auc,
        "AucLow": agreement.low,
        "AucHigh": agreement.high,
        "Bar": agreement.bar,
        "Model": orjson.dumps(one.model()).decode(),
        "Source": one.source,
        "UpdatedAt": _naive(now),
    }
    store.insert("calibrations", pa.table({name: pa.array([row[name]], _TYPES.get(name)) for name in row}))


def _calibration(row: dict[str, Any]) -> Calibration:
    return Calibration.of(
        orjson.loads(row["Model"]),
        tenant=row["TenantId"],
        evaluator=row["Evaluator"],
        evaluator_version=row["EvaluatorVersion"],
        version=row["Version"],
        valid_from=_utc(row["ValidFrom"]),
        source=row["Source"],
    )


def _naive(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def _utc(value: Any) -> dt.datetime:
    moment: dt.datetime = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
