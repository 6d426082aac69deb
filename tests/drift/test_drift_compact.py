"""What was counted, as text and back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spanwitness.drift.compact import from_text, rounded, to_text
from spanwitness.drift.counting import count
from tests.drift.talk import PLAIN, many

COUNTED = count({**many(PLAIN, 1, 1, topic="refund")[0], "prompt_hash": "abc"})


def test_what_was_counted_comes_back_to_seven_digits() -> None:
    found, expected = from_text(to_text(COUNTED)), rounded(COUNTED)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.covariates, expected.covariates)
    np.testing.assert_allclose(found.values, COUNTED.values, rtol=1e-6)
    assert (found.topic, found.prompt, found.tools) == ("refund", COUNTED.prompt, COUNTED.tools)


def test_a_second_time_it_is_the_same_text() -> None:
    assert to_text(from_text(to_text(COUNTED))) == to_text(COUNTED)


def test_it_is_a_kilobyte_or_two() -> None:
    assert len(to_text(COUNTED)) < 2_000


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"values": 3}', to_text(COUNTED)[:-9], to_text(COUNTED).replace('"topic"', '"other"')]
)
def test_what_is_no_such_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not what was counted"):
        from_text(text)


@pytest.mark.parametrize("change", [{"form": 2}, {"values": "AACAPw=="}])
def test_what_another_release_counted_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="another release"):
        from_text(json.dumps(json.loads(to_text(COUNTED)) | change))
