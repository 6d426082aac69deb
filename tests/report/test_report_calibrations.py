"""What tenants' own labels taught."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spanwitness.report import calibrations
from spanwitness.store.calibrations import insert_calibration
from spanwitness.testing import EPOCH
from tests.evaluators.test_calibrated import CALIBRATION

if TYPE_CHECKING:
    from spanwitness.store import Store
    from tests.report.conftest import Printed

FIRST = replace(CALIBRATION, tenant="acme", version=1, valid_from=EPOCH, source="labels.jsonl")


def test_the_newest_is_in_force_and_the_others_were_replaced(store: Store, printed: Printed) -> None:
    for one in (FIRST, replace(FIRST, version=2), replace(FIRST, tenant="globex")):
        insert_calibration(store, one, EPOCH)
    found = [(row["TenantId"], row["Version"], row["State"]) for row in calibrations.rows(store.ask)]
    assert found == [("acme", 2, "in force"), ("acme", 1, "replaced"), ("globex", 1, "in force")]
    assert len(calibrations.rows(store.ask, tenant="acme")) == 2
    text = printed(calibrations.show(store.ask, tenant="acme"))
    for told in (
        "0.90 [0.80, 0.95]",
        "60, 30 completed, 20 groups",
        "labels.jsonl",
        "thanks_at_end +2.00",
        "above 0.6",
    ):
        assert told in text


def test_that_groups_were_not_named_is_marked(store: Store, printed: Printed) -> None:
    insert_calibration(store, replace(FIRST, agreement=replace(FIRST.agreement, grouped=False)), EPOCH)
    assert "20 groups (not named)" in printed(calibrations.show(store.ask))


def test_where_there_is_none_it_says_how_to_make_one(store: Store, printed: Printed) -> None:
    assert "No calibration is on record of tenant 'nobody'" in printed(calibrations.show(store.ask, tenant="nobody"))
