"""Alarms in words."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from spanwitness.drift.counting import count, tool_names
from spanwitness.drift.evidence import Windows
from spanwitness.drift.explain import MOST_SHIFTS, strongest
from spanwitness.drift.features import FEATURES, INDEX, TOOL_SLOTS
from spanwitness.drift.reference import Reference, fit
from tests.drift.talk import PLAIN, many


@pytest.fixture(scope="module")
def reference() -> Reference:
    counted = [count(one) for one in many(PLAIN, 40, 1)]
    tools = tool_names(counted)
    return fit([replace(one, values=one.valued(tools)) for one in counted])


def shifted(reference: Reference, **by: float) -> tuple[Windows, np.ndarray]:
    differences = np.zeros((1, len(reference.columns)))
    values = np.tile(reference.means, (6, 1)).astype(np.float32)
    for name, each in by.items():
        at = list(reference.columns).index(INDEX[name.replace("tool_", "tool:")])
        differences[0, at] = each
        values[-4:, at] += each
    return Windows(np.array([4]), differences, np.full_like(differences, 0.25)), values


def test_the_surest_come_first_and_not_more_than_a_person_reads(reference: Reference) -> None:
    found, values = shifted(reference, commas=1.0, bold=-2.0)
    shifts = strongest(reference, found, 0, values, "model", ("find_order",))
    assert [each.name for each in shifts[:2]] == ["bold", "commas"]
    assert len(shifts) == MOST_SHIFTS
    assert (shifts[1].strength, shifts[1].certainty) == (1.0, 2.0)
    assert shifts[1].after == pytest.approx(shifts[1].before + 1)


def test_logarithms_are_told_as_what_they_are_of(reference: Reference) -> None:
    found, values = shifted(reference, output=1.0)
    shift = strongest(reference, found, 0, values, "tokens", ())[0]
    assert shift.after + 1 == pytest.approx((shift.before + 1) * math.e, rel=1e-3)
    assert str(shift).startswith("output tokens per call: ")


def test_a_tool_is_named(reference: Reference) -> None:
    found, values = shifted(reference, tool_0=1.0)
    assert "the tool find_order," in strongest(reference, found, 0, values, "tools", ("find_order",))[0].says


def test_a_feature_without_any_value_since_is_left_out(reference: Reference) -> None:
    found, values = shifted(reference, commas=1.0)
    values[:, list(reference.columns).index(INDEX["commas"])] = np.nan
    assert "commas" not in {each.name for each in strongest(reference, found, 0, values, "model", ())}


def test_every_feature_has_its_own_name_and_words() -> None:
    assert len(INDEX) == len({feature.says for feature in FEATURES}) == len(FEATURES)
    assert sum(feature.name.startswith("tool:") for feature in FEATURES) == TOOL_SLOTS
