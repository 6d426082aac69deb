"""Long numbers: groups, endings, country codes, and what is too short or too long to be one."""

from __future__ import annotations

import pytest

from spanwitness.evaluators.long_numbers import LongNumbers, long_numbers


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("+1 (415) 555-0132", ["14155550132"]),
        ("DE89 3704 0044 0532 0130 00", ["89370400440532013000"]),
        ("4111111111111111, 4155550132", ["4111111111111111", "4155550132"]),
        ("415 555", []),
        ("", []),
    ],
)
def test_what_is_a_long_number(text: str, digits: list[str]) -> None:
    assert [run for _, _, run in long_numbers(text)] == digits


@pytest.mark.parametrize(
    ("source", "told", "known"),
    [
        ('{"phone": "+14155550132"}', "Call (415) 555-0132.", True),
        ("020 7946 0958", "+44 20 7946 0958", True),
        ('{"phone": "+14155550132"}', "Call (415) 556-0132.", False),
        ('{"id": "5550132"}', "99999 5550132", False),
        ("", "Call (415) 555-0132.", False),
    ],
)
def test_the_same_number_in_other_groups(source: str, told: str, known: bool) -> None:
    numbers = LongNumbers()
    numbers.learn(source)
    assert bool(list(numbers.told(told))) is known


def test_an_ending_is_that_of_a_long_number_learnt_so_far() -> None:
    numbers = LongNumbers()
    numbers.learn('{"card": "4111111111111234", "pin": 9876}')
    assert (numbers.ends("1234"), numbers.ends("9876")) == (True, False)
    numbers.learn("4111-1111-1111-9876")
    assert numbers.ends("9876")
