from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanwitness.transcript.overlap import overlap, retold, shared

KEYS = st.lists(st.integers(0, 3), max_size=12)


@pytest.mark.parametrize(
    ("known", "told", "expected"),
    [
        ([], [1, 2], (0, 0)),
        ([1, 2], [], (0, 0)),
        ([1, 2], [1, 2, 3], (2, 2)),  # the whole history
        ([1, 2, 3, 4], [3, 4, 5], (2, 2)),  # cut in front
        ([1, 2, 3, 4], [1, 9, 3, 4, 5], (2, 4)),  # rewritten in the middle
        ([1, 2], [3, 4], (0, 0)),  # an increment
        ([1, 2, 1, 2], [1, 2, 1, 2, 3], (4, 4)),
        ([7, 2], [1, 2, 3, 2, 4], (1, 4)),  # of equal ones the last
    ],
)
def test_a_history_is_laid_against_the_list(known: list[int], told: list[int], expected: tuple[int, int]) -> None:
    assert overlap(known, len(known), told) == expected


def slow(known: list[int], stop: int, told: list[int]) -> tuple[int, int]:
    runs = [
        (size, end)
        for size in range(min(stop, len(told)), 0, -1)
        for end in range(len(told), size - 1, -1)
        if known[stop - size : stop] == told[end - size : end]
    ]
    return runs[0] if runs else (0, 0)


@given(KEYS, KEYS, st.data())
def test_it_finds_what_trying_everything_finds(known: list[int], told: list[int], data: st.DataObject) -> None:
    stop = data.draw(st.integers(0, len(known)))
    if told[:stop] != known[:stop]:  # a history that begins with the list is taken from its beginning
        assert overlap(known, stop, told) == slow(known, stop, told)


@given(KEYS, KEYS)
def test_what_is_retold_is_a_common_subsequence(known: list[int], told: list[int]) -> None:
    places: defaultdict[int, list[int]] = defaultdict(list)
    for at, key in enumerate(known):
        places[key].append(at)
    count, end, stop = retold(places, told)
    assert count <= end <= len(told)
    assert count <= stop <= len(known)
    assert bool(count) == any(key in known for key in told)
    assert not count or told[end - 1] == known[stop - 1]


def test_retold_steps_over_gaps_on_both_sides() -> None:
    assert retold({1: [0], 2: [1], 9: [2], 3: [3]}, [1, 8, 2, 3, 4]) == (3, 4, 4)


@given(KEYS, KEYS)
def test_shared_is_the_common_beginning(left: list[int], right: list[int]) -> None:
    size = shared(left, right)
    assert left[:size] == right[:size]
    assert left[size : size + 1] != right[size : size + 1] or size == len(left) == len(right)
