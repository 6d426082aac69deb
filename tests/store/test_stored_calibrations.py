"""Calibrations in the store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spanwitness.store.calibrations import calibrations_of, insert_calibration
from spanwitness.testing import EPOCH
from tests.evaluators.test_calibrated import CALIBRATION

if TYPE_CHECKING:
    from spanwitness.store import Store

FIRST = replace(CALIBRATION, tenant="acme", version=1, valid_from=EPOCH, source="labels.jsonl")


def test_what_was_stored_comes_back_the_oldest_first(store: Store) -> None:
    second = replace(FIRST, version=2, intercept=0.25)
    for one in (second, FIRST):
        insert_calibration(store, one, EPOCH)
    assert calibrations_of(store, "acme") == [FIRST, second]
    assert calibrations_of(store, "globex") == []


def test_the_figures_are_columns_of_their_own(store: Store) -> None:
    insert_calibration(store, FIRST, EPOCH)
    (row,) = store.rows("SELECT * FROM calibrations FINAL")
    assert [row[name] for name in ("Labels", "Positives", "Groups", "Auc", "AucLow", "AucHigh", "Bar")] == [
        60,
        30,
        20,
        0.9,
        0.8,
        0.95,
        0.6,
    ]
