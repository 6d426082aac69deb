"""Values inside arguments and results: where they stand, and how two of them compare."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from spanwitness.evaluators.policy import values
from spanwitness.evaluators.policy.values import Pool, content_of, first_time, moment, order, path_of, since, values_at

TREE = {
    "a": {"b": [{"c": 1}, {"c": 2}, {"d": 3}]},
    "t": {"x": {"id": "p"}, "y": {"id": "q"}},
    "0": "zero",
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("0", ("zero",)),
        ("none", (None,)),
        ("a.b.0.c", (1,)),
        ("a.b.#.c", (1, 2)),
        ("a.b.#", (3,)),
        ("t.#", (2,)),
        ("t.#.id", ("p", "q")),
        ("a.b.3", ()),
        ("a.b.c", ()),
        ("a.b.-1", ()),
        ("a.b." + "9" * 40, ()),
        ("nothing.at.all", ()),
        ("0.#", ()),
    ],
)
def test_a_path_leads_to_values(path: str, found: tuple[Any, ...]) -> None:
    assert values_at(TREE, path_of(path)) == found


def test_no_path_is_the_whole_and_a_list_stands_for_its_entries() -> None:
    assert values_at("text", ()) == ("text",)
    assert values_at({"ids": ["1", "2"]}, ("ids",)) == ("1", "2")
    assert values_at({"ids": []}, ("ids",)) == ()


def test_a_long_list_is_read_up_to_a_limit() -> None:
    assert len(values_at([{"a": 1}] * 10_000, ("#", "a"))) == 200


@pytest.mark.parametrize("path", [".", "a.", ".a", "a..b"])
def test_a_path_with_an_empty_part_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="keys parted by dots"):
        path_of(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('"word"', "word"),
        ('[{"type": "text", "text": "{\\"a\\": 1}"}]', {"a": 1}),
        ('[{"type": "text", "text": "word"}]', "word"),
        ('[{"type": "text"}]', '[{"type": "text"}]'),
        ('[{"type": "image"}]', [{"type": "image"}]),
        ("available", "available"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_result_is_json_or_text(text: str, value: Any) -> None:
    assert content_of(text) == value


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Economy ", "economy", True),
        ("5", 5, True),
        (5, "5.0", True),
        (5.0, 5, True),
        ("5", "5.0", False),
        ("12345678901234567890", "12345678901234567891", False),
        ("1_0", 10, False),
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        ("true", True, False),
        (None, None, True),
        (None, "", False),
        ({"a": 1}, {"a": 1}, False),
        (float("nan"), "nan", False),
    ],
)
def test_a_pool_holds_what_equals_one_of_its_values(one: Any, other: Any, same: bool) -> None:
    assert (one in Pool(["unlike", other])) is same


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1, 2, -1),
        ("10", 9, 1),
        (2, 2.0, 0),
        ("2026-11-21", "2026-11-20T23:00:00", 1),
        ("2026-11-21T10:00:00+02:00", "2026-11-21T08:00:00Z", 0),
        ("2026-11-20", "2026-11-21", -1),
        ("a", "b", None),
        ({}, 1, None),
        (10**400, 1, 1),
        ("9" * 40, 1, None),
        ("inf", 1, None),
    ],
)
def test_order_of_numbers_and_times(one: Any, other: Any, expected: int | None) -> None:
    assert order(one, other) == expected


UTC = dt.UTC


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-11-21", dt.datetime(2026, 11, 21)),  # noqa: DTZ001 - it says no zone
        ("2026-11-21 09:30", dt.datetime(2026, 11, 21, 9, 30)),  # noqa: DTZ001
        ("2026-11-21t09:30:00z", dt.datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("2026-13-21", None),
        ("on 2026-11-21", None),
        (1_700_000_000, dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1_700_000_000_000, dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (10**400, None),
        (1e300, None),
        (-1, None),
        (True, None),
        (None, None),
    ],
)
def test_what_is_a_time(value: Any, at: dt.datetime | None) -> None:
    assert moment(value) == at


def test_the_first_time_of_a_text() -> None:
    assert first_time("now 2026-11-21 09:30:00 EST, then 2027-01-01") == dt.datetime(2026, 11, 21, 9, 30)  # noqa: DTZ001
    assert first_time("no time here") is None


def test_where_one_time_has_no_zone_both_are_of_the_same() -> None:
    with_zone = dt.datetime(2026, 11, 21, 9, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
    assert since(with_zone, dt.datetime(2026, 11, 21, 8)) == dt.timedelta(hours=1)  # noqa: DTZ001


def test_numbers_are_finite() -> None:
    assert values.number("1e999") is None
    assert values.number(float("inf")) is None
    assert values.number("12.5") == 12.5
    assert values.number([1]) is None
