"""How far a change has spread, and when it has come to its end."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from spanwitness.model_names import relation
from spanwitness.swap import find_swaps
from tests.swap.built import BEGIN, FULL, MINI, NEW, of_class, talks, use

if TYPE_CHECKING:
    from spanwitness.model import Swap


def versions(letters: str) -> list[Swap]:
    return of_class(find_swaps(talks(letters), relation), "version")


def at(talk: int) -> int:
    return round((BEGIN.timestamp() + talk * 60) * 10**9)


def test_a_swap_that_took_all_stands_with_its_whole_share() -> None:
    (swap,) = versions("A" * 60 + "B" * 60)
    assert (swap.traffic, swap.share_now, swap.ended_ns, swap.after) == ("all", 1.0, 0, 60)


def test_a_canary_is_a_part_and_its_share_is_that_of_the_last_fifty() -> None:
    (swap,) = versions("A" * 60 + "AB" * 30)
    assert (swap.traffic, swap.share_now, swap.ended_ns) == ("part", 0.5, 0)


def test_a_return_ends_the_change_at_its_moment_and_says_what_came() -> None:
    there, back = versions("A" * 20 + "B" * 20 + "A" * 20)
    assert (there.ended_ns, there.traffic, there.after) == (at(40), "none", 20)
    assert there.evidence["ended_by"] == f"openai/{FULL}"
    assert (back.ended_ns, back.traffic, back.severity) == (0, "all", "info")


def test_a_third_model_ends_it_as_well() -> None:
    first, second = versions("A" * 20 + "B" * 20 + "C" * 20)
    assert (first.ended_ns, first.evidence["ended_by"]) == (at(40), f"openai/{NEW}")
    assert second.ended_ns == 0


def test_nothing_has_ended_while_its_silence_may_be_chance() -> None:
    assert versions("A" * 20 + "B" * 20 + "A" * 4)[0].ended_ns == 0


def test_what_was_seen_once_has_ended_after_two_hundred_conversations_without_it() -> None:
    assert versions("A" * 50 + "B" + "A" * 199)[0].ended_ns == 0
    assert versions("A" * 50 + "B" + "A" * 200)[0].ended_ns == at(51)


def test_what_comes_back_for_good_without_taking_over_stands_again() -> None:
    seldom = "A" * 50 + "B" + "A" * 200
    assert versions(seldom + "AB" * 19)[0].ended_ns != 0
    (again,) = versions(seldom + "AB" * 20)
    assert (again.ended_ns, again.traffic) == (0, "part")


def test_the_second_occurrence_ends_the_first() -> None:
    first, second = versions("A" * 50 + "B" + "A" * 100 + "B" * 50)
    assert (first.ended_ns, first.after, second.ended_ns, second.after) == (at(51), 1, 0, 50)


def test_to_flap_is_told_once() -> None:
    chance = random.Random(3)  # noqa: S311 - the same traffic in every run
    assert len(versions("A" * 30 + "".join(chance.choice("AB") for _ in range(500)))) == 1


def test_a_model_that_steps_in_after_failures_is_a_fallback_and_no_page() -> None:
    uses = talks("A" * 30)
    for talk in range(30, 60):
        uses.append(use(talk, FULL, failed=1))
        if talk % 3 == 0:
            uses.append(use(talk, MINI, at=talk * 60 + 5, calls=1, after_failure=1))
    (swap,) = of_class(find_swaps(uses, relation), "version")
    assert (swap.traffic, swap.severity) == ("fallback", "warning")
    taken_over = uses + [use(talk, MINI) for talk in range(60, 120)]
    (swap,) = of_class(find_swaps(taken_over, relation), "version")
    assert (swap.traffic, swap.severity) == ("all", "page")


@pytest.mark.parametrize(("calls", "severity"), [(5, "warning"), (6, "page")])
def test_eight_of_ten_calls_after_a_failure_make_a_fallback(calls: int, severity: str) -> None:
    uses = [*talks("A" * 30), use(30, FULL), use(30, MINI, at=1805, calls=calls, after_failure=4)]
    (swap,) = of_class(find_swaps(uses, relation), "version")
    assert swap.severity == severity
