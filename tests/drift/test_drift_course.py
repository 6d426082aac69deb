"""One version of a slot: learnt, watched, learnt anew; and as text and back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from spanwitness.drift.compact import rounded
from spanwitness.drift.counting import count
from spanwitness.drift.course import Course, Standing
from tests.drift.talk import OTHER, PLAIN, many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.drift import Verdict
    from spanwitness.drift.counting import Counted
    from tests.drift.talk import Agent


def counted(agent: Agent, number: int, seed: int, prompt: str = "") -> list[Counted]:
    return [replace(rounded(count(one)), prompt=prompt) for one in many(agent, number, seed)]


def run(course: Course, taken: Sequence[Counted]) -> tuple[int, Verdict | None]:
    """Until the first verdict: the number of the conversation, and the verdict."""
    for number, one in enumerate(taken, course.last + 1):
        verdict = course.take(number, one)
        if verdict is not None:
            return number, verdict
    return 0, None


def test_it_learns_then_watches_then_tells() -> None:
    course = Course(30, 1.0)
    run(course, counted(PLAIN, 29, 1))
    assert (course.phase, course.learnt, course.learns) == ("learning", 29, True)
    run(course, counted(PLAIN, 21, 2))
    assert (course.phase, course.learnt, course.watched) == ("watching", 30, 20)
    number, verdict = run(course, counted(OTHER, 30, 3))
    assert verdict is not None
    assert verdict.cause == "model"
    assert 50 < number <= 65


def test_after_a_change_it_learns_from_what_came_since() -> None:
    course = Course(30, 1.0)
    run(course, counted(PLAIN, 40, 1))
    since = [(number, one) for number, one in enumerate(counted(OTHER, 20, 2), 41)]
    course.relearn(since)
    assert (course.learnt, course.begin) == (20, 41)
    run(course, counted(OTHER, 10, 3))
    assert run(course, counted(OTHER, 30, 4)) == (0, None)
    assert run(course, counted(PLAIN, 30, 5))[0] > 0


def test_more_since_a_change_than_a_reference_needs_is_watched_already() -> None:
    course = Course(30, 1.0)
    course.relearn(list(enumerate(counted(PLAIN, 50, 1), 1)))
    assert (course.phase, course.watched) == ("watching", 20)


def test_a_prompt_that_changes_while_it_learns_leaves_the_old_one_out() -> None:
    course = Course(30, 1.0)
    run(course, counted(PLAIN, 20, 1, "old"))
    run(course, counted(PLAIN, 2, 2, "new"))
    assert course.learnt == 22
    run(course, counted(PLAIN, 1, 3, "new"))
    assert (course.learnt, course.begin) == (3, 21)


def test_it_is_alarmed_as_long_as_another_model_stands_whatever_it_learns() -> None:
    standing = Standing("disguised", "a", "a", 1)
    assert Course(30, 1.0, standing=standing).phase == "alarmed"
    assert Course(30, 1.0, standing=replace(standing, swap_class="prompt")).phase == "learning"


def test_a_return_is_told_by_the_reference_before_and_a_stranger_is_not_taken_for_it() -> None:
    course = Course(30, 1.0)
    before = counted(PLAIN, 30, 1)
    run(course, before)
    course.remember(5)
    assert course.returns_in == 50
    assert not course.may_have_returned
    assert not course.returned(before, counted(OTHER, 50, 2))
    assert course.returned(before, counted(PLAIN, 50, 3))
    assert course.former == 0
    assert course.phase == "watching"


def test_a_change_that_took_long_to_see_needs_twice_as_long_to_be_seen_gone() -> None:
    course = Course(30, 1.0)
    course.remember(80)
    assert course.returns_in == 160
    for one in counted(PLAIN, 175, 1):
        course.take(course.last + 1, one)
    assert course.may_have_returned
    course.remember(120)
    for one in counted(PLAIN, 250, 1):
        course.take(course.last + 1, one)
    assert not course.may_have_returned


def test_it_goes_on_from_its_text() -> None:
    course = Course(30, 1.0)
    run(course, counted(PLAIN, 40, 1))
    course.standing = Standing("disguised", "a", "a", 2)
    course.remember(7)
    again = Course.from_text(course.to_text())
    assert again.to_text() == course.to_text()
    assert (again.standing, again.former, again.returns_in) == (course.standing, 1, 50)
    later = counted(OTHER, 20, 2)
    assert run(again, later) == run(course, later)


def test_what_it_learns_is_not_in_the_text_and_is_given_again() -> None:
    course = Course(30, 1.0, begin=1)
    taken = counted(PLAIN, 20, 1)
    run(course, taken)
    again = Course.from_text(course.to_text())
    assert (again.learns, again.learnt, again.begin, again.conversations) == (True, 0, 1, 0)
    for number, one in enumerate(taken, again.begin):
        again.take(number, one)
    assert again.to_text() == course.to_text()
    assert again.learnt == 20


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"needed": 30}'])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the state"):
        Course.from_text(text)


def test_its_text_is_bounded() -> None:
    course = Course(100, 1.0)
    run(course, counted(PLAIN, 350, 1))
    assert len(course.to_text()) < 1_000_000
