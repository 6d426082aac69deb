"""Changes of the model behind a slot: each told once, and none invented."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.model import Slot, Swap
from spanwitness.model_names import relation
from spanwitness.swap import find_swaps, version_uses
from tests.swap.built import BEGIN, FULL, MINI, NEW, SERVED, SLOT, talks, use

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spanwitness.model import Use


def versions(uses: Iterable[Use]) -> list[Swap]:
    return [swap for swap in find_swaps(uses, relation) if swap.swap_class == "version"]


def told(uses: Iterable[Use]) -> list[tuple[str, str, str, int]]:
    """Each change as conversation, from, to, occurrence."""
    letter = {f"openai/{served}": name for name, served in SERVED.items()}
    return [
        (swap.first_conversation, letter[swap.from_version], letter[swap.to_version], swap.occurrence)
        for swap in versions(uses)
    ]


def test_no_use_is_no_swap() -> None:
    assert find_swaps([], relation) == []


def test_one_model_is_no_swap() -> None:
    assert find_swaps(talks("A" * 50), lambda *_: "alias") == []


def test_a_new_version_is_told_at_once_and_once() -> None:
    assert told(talks("AAB")) == [("c0002", "A", "B", 1)]
    assert told(talks("A" * 50 + "B" * 50)) == [("c0050", "A", "B", 1)]


def test_a_swap_says_who_where_since_when_and_how_many() -> None:
    (swap,) = versions(talks("AAABB"))
    assert swap == Swap(
        slot=SLOT,
        swap_class="version",
        from_version=f"openai/{FULL}",
        to_version=f"openai/{MINI}",
        occurrence=1,
        first_seen=BEGIN + dt.timedelta(minutes=3),
        first_seen_ns=round((BEGIN + dt.timedelta(minutes=3)).timestamp() * 10**9),
        first_trace="trace-3",
        first_conversation="c0003",
        before=3,
        after=2,
        severity="page",
        evidence={"requested": "gpt-4o", "served": MINI, "calls_in_first_conversation": 3},
        share_now=0.4,
    )


def test_a_swap_within_a_conversation_is_found() -> None:
    uses = [*talks("AAA"), use(3, FULL, at=180), use(3, MINI, at=200), *talks("----BB")[4:]]
    assert told(uses) == [("c0003", "A", "B", 1)]


def test_a_swap_within_the_first_conversation_is_found() -> None:
    assert told([use(0, FULL, at=0, lasts=10), use(0, MINI, at=11)]) == [("c0000", "A", "B", 1)]


def test_two_models_that_answer_side_by_side_from_the_first_conversation_on_are_there_by_design() -> None:
    first = [use(0, FULL, at=0, lasts=30), use(0, MINI, at=10, lasts=30)]
    assert told([*first, *talks("-" + "AB" * 100)[1:]]) == []


def test_a_third_model_behind_a_router_is_told() -> None:
    first = [use(0, FULL, at=0, lasts=30), use(0, MINI, at=10, lasts=30)]
    assert told([*first, *talks("-ABABCABC")[1:]]) == [("c0005", "B", "C", 1)]


@pytest.mark.parametrize(("before", "between", "after"), [(50, 50, 50), (10, 10, 10), (3, 20, 20), (100, 8, 8)])
def test_a_model_that_comes_back_in_place_of_the_other_is_told(before: int, between: int, after: int) -> None:
    assert told(talks("A" * before + "B" * between + "A" * after)) == [
        (f"c{before:04}", "A", "B", 1),
        (f"c{before + between:04}", "B", "A", 1),
    ]


def test_the_same_change_again_is_another_occurrence() -> None:
    assert told(talks(("A" * 20 + "B" * 20) * 2)) == [
        ("c0020", "A", "B", 1),
        ("c0040", "B", "A", 1),
        ("c0060", "A", "B", 2),
    ]


def test_a_third_model_in_between_changes_nothing_for_the_first_that_comes_back() -> None:
    assert told(talks("A" * 20 + "B" * 20 + "C" * 20 + "A" * 20)) == [
        ("c0020", "A", "B", 1),
        ("c0040", "B", "C", 1),
        ("c0060", "C", "A", 1),
    ]


def test_a_return_is_told_once_it_is_sure_and_dated_when_it_was() -> None:
    back = "A" * 20 + "B" * 20 + "A" * 4
    assert told(talks(back)) == [("c0020", "A", "B", 1)]
    assert told(talks(back + "A" * 4)) == [("c0020", "A", "B", 1), ("c0040", "B", "A", 1)]


def test_a_model_seen_once_long_before_it_takes_over_is_told_twice() -> None:
    assert told(talks("A" * 50 + "B" + "A" * 100 + "B" * 50)) == [("c0050", "A", "B", 1), ("c0151", "A", "B", 2)]


def test_a_canary_that_takes_over_little_by_little_is_told_once() -> None:
    chance = random.Random(7)  # noqa: S311 - the same traffic in every run
    grows = "".join("B" if chance.random() < number / 300 else "A" for number in range(300))
    assert len(told(talks("A" * 50 + grows + "B" * 100))) == 1


def test_a_steady_canary_that_takes_over_at_once_is_told_once() -> None:
    assert told(talks("A" * 20 + "AAAAAAAAAB" * 8 + "B" * 60)) == [("c0029", "A", "B", 1)]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.35, 0.5, 0.95])
@pytest.mark.parametrize("before", [0, 300])
def test_versions_that_answer_in_turn_are_told_once_in_400_conversations(share: float, before: int) -> None:
    """Chance has its share: of many runs, one in a hundred or so may tell it twice."""
    counts: Counter[int] = Counter()
    for seed in range(40):
        chance = random.Random(seed)  # noqa: S311 - the same traffic in every run
        mixed = "".join("B" if chance.random() < share else "A" for _ in range(400))
        counts[len(versions(talks("A" * before + mixed)))] += 1
    assert counts[1] >= 38
    assert max(counts) <= 2


def test_calls_whose_served_model_nobody_tells_take_no_part() -> None:
    assert told(talks("?" * 20)) == []
    assert told(talks("AAA" + "?" * 50 + "AAA")) == []
    assert told(talks("AA??BB")) == [("c0004", "A", "B", 1)]
    assert told(talks("???AAA")) == []


def test_each_slot_has_its_own_history() -> None:
    other = Slot("acme", "claims", "triage", "llm")
    uses = [*talks("AAA"), *(use(number, MINI, slot=other) for number in range(3))]
    assert told(uses) == []
    (swap,) = versions([*uses, use(9, FULL, slot=other)])
    assert swap.slot == other


MIXED = [
    *talks("AAAABBBBB"),
    use(3, MINI, at=190),
    use(9, MINI, requested="gpt-4.1"),
    *(use(number, FULL, slot=Slot("acme", "claims", "triage", "llm")) for number in range(3)),
    use(11, "", at=541),
    *(use(number, FULL, at=600) for number in (10, 12, 13)),
    use(12, MINI, at=600),
]


@settings(deadline=None)
@given(st.permutations(MIXED))
def test_the_order_in_which_uses_come_decides_nothing(uses: list[Use]) -> None:
    assert find_swaps(uses, relation) == find_swaps(MIXED, relation)
    assert set(version_uses(uses)) == set(version_uses(MIXED))


LETTERS = st.lists(st.tuples(st.sampled_from("ABC?"), st.integers(1, 30)), max_size=8)


@settings(deadline=None)
@given(LETTERS)
def test_any_history_tells_each_change_once_from_one_version_to_another(runs: list[tuple[str, int]]) -> None:
    uses = talks("".join(letter * count for letter, count in runs))
    found = versions(uses)
    assert all(swap.from_version != swap.to_version for swap in found)
    assert len({(swap.first_conversation, swap.to_version) for swap in found}) == len(found)
    assert [swap.first_seen for swap in found] == sorted(swap.first_seen for swap in found)
    seen = dict.fromkeys(use.version for use in uses if use.served)
    assert set(list(seen)[1:]) <= {swap.to_version for swap in found}


# Another model than was asked for.


def mismatches(uses: Iterable[Use]) -> list[Swap]:
    return [swap for swap in find_swaps(uses, relation) if swap.swap_class == "mismatch"]


def test_a_model_of_another_family_is_told_once_for_each_pair() -> None:
    (found,) = mismatches(talks("AABBB"))
    assert (found.from_version, found.to_version, found.occurrence) == ("openai/gpt-4o", f"openai/{MINI}", 1)
    assert (found.first_conversation, found.first_trace, found.severity) == ("c0002", "trace-2", "warning")
    assert (found.before, found.after) == (2, 3)
    assert found.evidence == {"requested": "gpt-4o", "served": MINI}


@pytest.mark.parametrize(
    ("requested", "served"),
    [("gpt-4o", FULL), ("gpt-4o", "gpt-4o"), (FULL, FULL), ("", MINI), ("gpt-4o", ""), ("azure/my-deployment", FULL)],
)
def test_what_may_well_be_the_requested_model_is_no_mismatch(requested: str, served: str) -> None:
    provider = "azure.ai.openai" if requested.startswith("azure") else "openai"
    assert mismatches([use(0, served, requested=requested, provider=provider)]) == []


@pytest.mark.parametrize(
    ("requested", "served"), [("gpt-4o", MINI), (FULL, "gpt-4o-2024-11-20"), ("claude-opus-4-1", "claude-haiku-4-5")]
)
def test_another_family_or_another_snapshot_than_the_pinned_one_is_a_mismatch(requested: str, served: str) -> None:
    (found,) = mismatches([use(0, served, requested=requested)])
    assert found.from_version == f"openai/{requested}"


def test_the_requested_name_carries_its_provider_once() -> None:
    (swap,) = [
        swap
        for swap in find_swaps([use(0, MINI, requested="openai/gpt-4o")], relation)
        if swap.swap_class == "mismatch"
    ]
    assert swap.from_version == "openai/gpt-4o"


def test_each_wrong_answer_to_each_request_is_told() -> None:
    uses = [use(0, MINI), use(1, MINI, requested="gpt-4.1"), use(2, NEW), use(3, MINI), use(4, NEW)]
    assert {(swap.from_version, swap.to_version) for swap in mismatches(uses)} == {
        ("openai/gpt-4o", f"openai/{MINI}"),
        ("openai/gpt-4.1", f"openai/{MINI}"),
        ("openai/gpt-4o", f"openai/{NEW}"),
    }


# The versions in use.


def test_a_version_is_summed_over_its_conversations() -> None:
    uses = [use(0, FULL), use(1, FULL, requested="gpt-4.1", calls=5), use(1, FULL, at=70, lasts=600, calls=1)]
    (found,) = version_uses(uses)
    assert (found.version, found.conversations, found.calls, found.verified) == (f"openai/{FULL}", 2, 9, 1.0)
    assert (found.first, found.last) == (BEGIN, BEGIN + dt.timedelta(seconds=670))


def test_an_unverified_version_is_one_of_its_own() -> None:
    shares = {found.version: found.verified for found in version_uses(talks("AA?"))}
    assert shares == {f"openai/{FULL}": 1.0, "openai/gpt-4o?": 0.0}
