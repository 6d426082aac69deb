"""Uses on record: those of a conversation's last revision, whatever was written of it before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from spanwitness.store.uses import (
    Mark,
    News,
    Span,
    Sum,
    Used,
    newest_block,
    news,
    page_end,
    read_uses,
    replace_uses,
    slots_with_uses,
    sums,
)
from tests.swap.built import FULL, MINI, SLOT, talks, use

if TYPE_CHECKING:
    from spanwitness.model import Use
    from spanwitness.store import Store


def write(store: Store, revision: int, *uses: Use, conversation: str = "c0000") -> None:
    replace_uses(store, "acme", [Used(conversation, revision, uses)])


def on_record(store: Store, *spans: Span) -> list[Use]:
    return [stored.use for stored in read_uses(store, "acme", spans or [Span(SLOT)])]


def test_a_use_is_read_as_it_was_written(store: Store) -> None:
    one = use(
        0,
        FULL,
        first_ns=1_796_385_600_123_456_789,
        failed=2,
        after_failure=1,
        fingerprint="fp",
        prompt_version="p",
        agent_version="a",
        opening=3,
    )
    write(store, 1, one)
    (found,) = on_record(store)
    assert found.first_ns == one.first_ns
    assert replace(found, first=one.first) == one


def test_a_revision_replaces_what_was_and_leaves_what_is(store: Store) -> None:
    write(store, 1, use(0, FULL), use(0, MINI, at=5))
    write(store, 2, use(0, FULL), use(0, FULL, at=9, requested="gpt-4.1"))
    assert [(one.served, one.requested) for one in on_record(store)] == [(FULL, "gpt-4o"), (FULL, "gpt-4.1")]
    write(store, 3)
    assert on_record(store) == []
    assert slots_with_uses(store, "acme") == set()


def test_what_was_taken_back_may_come_again(store: Store) -> None:
    for uses in ((use(0, FULL),), (), (use(0, FULL),)):
        write(store, 1, *uses)  # the same revision, as after a process that was killed in between
    assert on_record(store) == [use(0, FULL)]


def test_the_same_again_writes_nothing(store: Store) -> None:
    write(store, 1, use(0, FULL))
    write(store, 2, use(0, FULL))
    assert store.rows("SELECT Revision FROM model_uses") == [{"Revision": 1}]


def test_a_conversation_that_moves_to_another_slot_leaves_the_first(store: Store) -> None:
    other = replace(SLOT, agent="triage")
    write(store, 1, use(0, FULL))
    write(store, 2, use(0, FULL, slot=other))
    assert slots_with_uses(store, "acme") == {other}


def test_sums_are_equal_only_when_uses_are(store: Store) -> None:
    everything = talks("AAB")
    replace_uses(store, "acme", [Used(one.conversation_id, 1, [one]) for one in everything])
    times = [one.first_ns for one in everything]
    found = sums(store, "acme", {SLOT: [0, times[0], times[1]], replace(SLOT, agent="nobody"): []})
    assert [one.uses for one in found[SLOT]] == [0, 1, 2, 3]
    assert found[replace(SLOT, agent="nobody")] == [Sum()]
    stored = list(read_uses(store, "acme", [Span(SLOT)]))
    assert Sum(2, stored[0].hash) + Sum(1, stored[1].hash) == Sum(3, found[SLOT][2].hash)
    write(store, 2, replace(everything[0], calls=9))
    again = sums(store, "acme", {SLOT: times})[SLOT]
    assert [one.uses for one in again] == [1, 2, 3, 3]
    assert again[0] != found[SLOT][1]


def test_a_part_of_the_time_brings_all_of_its_conversations(store: Store) -> None:
    first, other, last = use(0, FULL), use(1, FULL), use(0, MINI, at=200)
    replace_uses(store, "acme", [Used("c0000", 1, [first, last]), Used("c0001", 1, [other])])
    assert on_record(store, Span(SLOT, low=other.first_ns)) == [first, last]
    assert on_record(store, Span(SLOT, high=first.first_ns)) == [first, last]
    assert on_record(store, Span(SLOT, low=last.first_ns)) == []


def test_a_page_ends_where_it_has_enough(store: Store) -> None:
    everything = talks("AAAAA")
    replace_uses(store, "acme", [Used(one.conversation_id, 1, [one]) for one in everything])
    assert page_end(store, Span(SLOT), 2) == everything[2].first_ns
    assert page_end(store, Span(SLOT, low=everything[2].first_ns), 2) == Span(SLOT).high


def all_news(store: Store, mark: Mark, most: int = 100) -> News:
    return news(store, "acme", {SLOT: mark}, most)[SLOT]


def test_what_was_written_since_a_mark_is_news_also_after_a_merge(store: Store) -> None:
    write(store, 1, use(0, FULL))
    mark = Mark(newest_block(store), use(0, FULL).first_ns)
    assert all_news(store, mark) == News(mark.block)
    write(store, 1, use(2, FULL), conversation="c0002")
    write(store, 1, use(1, MINI), conversation="c0001")
    found = all_news(store, mark)
    assert [stored.use for stored in found.uses] == [use(1, MINI), use(2, FULL)]
    assert [stored.hash for stored in found.uses] == [stored.hash for stored in read_uses(store, "acme", [Span(SLOT)])][
        1:
    ]
    assert found.plain
    assert found.block == newest_block(store) > mark.block
    store.command("OPTIMIZE TABLE model_uses FINAL")
    assert all_news(store, mark) == found
    assert all_news(store, Mark(found.block, use(2, FULL).first_ns)) == News(found.block)


def test_news_of_several_slots_are_up_to_the_same_insert(store: Store) -> None:
    other, nobody = replace(SLOT, agent="triage"), replace(SLOT, agent="nobody")
    write(store, 1, use(0, FULL))
    write(store, 1, use(1, FULL, slot=other), conversation="c0001")
    last = newest_block(store)
    found = news(store, "acme", {SLOT: Mark(0, -1), other: Mark(last, use(1, FULL).first_ns), nobody: Mark(0, -1)}, 100)
    assert [len(one.uses) for one in found.values()] == [1, 0, 0]
    assert found[nobody].block == found[SLOT].block == last - 1
    assert found[other].block == last


@pytest.mark.parametrize(
    ("revision", "uses"),
    [(2, [use(0, FULL, calls=9)]), (2, []), (2, [use(0, FULL), use(0, MINI, at=99)]), (1, [use(0, FULL, at=99)])],
)
def test_what_touches_the_past_is_not_plain(store: Store, revision: int, uses: list[Use]) -> None:
    write(store, 1, use(0, FULL))
    mark = Mark(newest_block(store), use(0, FULL).first_ns)
    write(store, revision, *uses)
    assert all_news(store, mark) == News(newest_block(store), plain=False)


def test_late_conversations_are_not_plain(store: Store) -> None:
    write(store, 1, use(1, FULL), conversation="c0001")
    mark = Mark(newest_block(store), use(1, FULL).first_ns)
    write(store, 1, use(0, FULL))
    assert not all_news(store, mark).plain


def test_a_use_of_a_known_conversation_is_never_of_revision_one(store: Store) -> None:
    write(store, 1, use(0, FULL))
    write(store, 1, use(0, FULL), use(0, MINI, at=99))  # as after a process that was killed in between
    assert store.rows("SELECT ServedModel, Revision FROM model_uses ORDER BY Revision") == [
        {"ServedModel": FULL, "Revision": 1},
        {"ServedModel": MINI, "Revision": 2},
    ]


def test_more_news_than_asked_for_are_not_read(store: Store) -> None:
    everything = talks("AAAA")
    replace_uses(store, "acme", [Used(one.conversation_id, 1, [one]) for one in everything])
    assert all_news(store, Mark(0, -1), most=3) == News(0, plain=False)
    assert len(all_news(store, Mark(0, -1), most=4).uses) == 4
