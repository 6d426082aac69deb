"""State as bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spanwitness.drift import state


def test_arrays_and_facts_come_back_bit_by_bit() -> None:
    arrays = {"a.b": np.array([0.1, np.nan]), "c": np.arange(3, dtype=np.int64), "d": np.empty((0, 2), np.float32)}
    found, facts = state.unpack(state.pack(arrays, {"tools": ["x"], "rate": 0.1}))
    assert facts == {"tools": ["x"], "rate": 0.1}
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


GOOD = state.pack({"a": np.arange(9)}, {"x": 1})


@pytest.mark.parametrize("data", [b"", b"no zip", GOOD[:-20], GOOD[:40], b"\x00" * 200])
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="state of a drift detector"):
        state.unpack(data)


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "VERSION", 3)
    with pytest.raises(ValueError, match="not of version 3"):
        state.unpack(GOOD)


def test_nothing_in_it_can_be_executed() -> None:
    """An array of Python objects would need pickle to be read."""
    evil = state.pack({"a": np.array([object], dtype=object)}, {})
    with pytest.raises(ValueError, match="state of a drift detector"):
        state.unpack(evil)
    assert json.loads(state.unpack(GOOD)[0]["a"].tolist().__repr__()) == list(range(9))
