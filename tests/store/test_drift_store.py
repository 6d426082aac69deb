"""What the watch keeps, in the store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from spanwitness.model import Slot
from spanwitness.store import drift
from spanwitness.store.drift import Kept, Taken
from spanwitness.testing import EPOCH

if TYPE_CHECKING:
    from spanwitness.store import Store

SLOT = Slot("acme", "claims", "front", "llm")
OTHER = replace(SLOT, agent="back")


def taken(number: int, version: str = "a", slot: Slot = SLOT) -> Taken:
    return Taken(slot, f"c{number}", number, version, "v1", 1_700_000_000_123_456_789, "f" * 32, f"{number}")


def kept(version: str = "a", number: int = 0, learnt: int = 0, phase: str = "learning") -> Kept:
    return Kept(SLOT, version, phase, learnt, 100, number, number, "state")


@pytest.fixture
def filled(store: Store) -> Store:
    mixed = [taken(number, "b" if number % 4 == 0 else "a") for number in range(1, 13)]
    drift.take(store, [*mixed, taken(1, slot=OTHER)], EPOCH)
    return store


def numbers(found: list[Taken]) -> list[int]:
    return [one.number for one in found]


def test_what_was_taken_comes_back_whole_and_in_order(filled: Store) -> None:
    assert drift.later(filled, OTHER, {}, 0) == [taken(1, slot=OTHER)]
    assert numbers(drift.later(filled, SLOT, {}, 0)) == list(range(1, 13))


def test_each_version_is_read_on_from_where_its_state_ends(filled: Store) -> None:
    assert numbers(drift.later(filled, SLOT, {"a": 10}, 4)) == [8, 11, 12]
    assert numbers(drift.later(filled, SLOT, {"a": 12, "b": 0}, 12)) == [4, 8, 12]


def test_the_first_and_the_last_of_a_version(filled: Store) -> None:
    assert numbers(drift.last(filled, SLOT, "a", 10, 3)) == [7, 9, 10]
    assert numbers(drift.first(filled, SLOT, "b", 5, 9)) == [8, 12]
    assert drift.latest_versions(filled, SLOT, 9, 3) == ["a", "b", "a"]


def test_a_conversation_is_known_in_its_slot_alone(filled: Store) -> None:
    asked = [(SLOT, "c1"), (OTHER, "c2"), (OTHER, "c1"), (SLOT, "c99")]
    assert drift.known(filled, "acme", asked) == {(SLOT, "c1"), (OTHER, "c1")}
    assert drift.known(filled, "globex", asked) == set()
    assert drift.known(filled, "acme", []) == set()


def test_taken_a_second_time_it_is_there_once(filled: Store) -> None:
    drift.take(filled, [replace(taken(1), number=13)], EPOCH)
    assert numbers(drift.later(filled, SLOT, {}, 11)) == [12, 13]
    assert 1 not in numbers(drift.later(filled, SLOT, {}, 0))


def test_a_state_replaces_the_one_before_it(store: Store) -> None:
    drift.keep(store, [kept(number=25), kept("b", 20)], EPOCH)
    drift.keep(store, [replace(kept(number=50), state="later")], EPOCH)
    drift.keep(store, [], EPOCH)
    assert drift.kept(store, SLOT) == {"a": (50, "later"), "b": (20, "state")}
    assert drift.kept(store, OTHER) == {}


def test_of_a_slot_with_ever_new_versions_the_latest_are_gone_on_with(store: Store) -> None:
    drift.keep(store, [kept(f"v{number}", number) for number in range(1, 12)], EPOCH)
    assert sorted(number for number, _ in drift.kept(store, SLOT).values()) == list(range(4, 12))


def test_how_far_it_is_counts_what_came_since_the_last_state(filled: Store) -> None:
    drift.keep(filled, [kept(number=3, learnt=3), replace(kept("b", 8, 100, "watching"), conversations=200)], EPOCH)
    learning, watching = drift.watched(filled, "acme")
    assert (learning.version, learning.phase, learning.learnt, learning.needed) == ("a", "learning", 9, 100)
    assert learning.conversations == 9
    assert (watching.version, watching.learnt, watching.conversations) == ("b", 100, 201)
    assert drift.watched(filled, "globex") == []


def test_a_reference_is_never_more_than_whole(filled: Store) -> None:
    drift.keep(filled, [replace(kept(number=1, learnt=98), needed=100)], EPOCH)
    assert drift.watched(filled, "acme")[0].learnt == 100
