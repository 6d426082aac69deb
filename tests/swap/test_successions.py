"""Prompts and agents change by the rule of models, and are told apart from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spanwitness.model_names import relation
from spanwitness.swap import find_swaps
from tests.swap.built import FULL, MINI, of_class, use

if TYPE_CHECKING:
    from spanwitness.model import Swap, Use


def uses(count: int, change: int, **after: str) -> list[Use]:
    """Conversations with prompt p1 and agent 1.0, and something else from one of them on."""
    usual = {"served": FULL, "prompt_version": "p1", "agent_version": "1.0"}
    told = [{**usual, **(after if talk >= change else {})} for talk in range(count)]
    return [
        use(talk, one["served"], prompt_version=one["prompt_version"], agent_version=one["agent_version"])
        for talk, one in enumerate(told)
    ]


def told(found: list[Swap]) -> list[tuple[str, str, str, str]]:
    return [(swap.swap_class, swap.from_version, swap.to_version, swap.severity) for swap in found]


def test_a_new_prompt_is_told_as_one() -> None:
    (swap,) = find_swaps(uses(40, 20, prompt_version="p2"), relation)
    assert told([swap]) == [("prompt", "p1", "p2", "warning")]
    assert (swap.before, swap.after, swap.first_conversation) == (20, 20, "c0020")


def test_a_new_agent_version_is_told_as_one() -> None:
    assert told(find_swaps(uses(40, 20, agent_version="1.1"), relation)) == [("agent", "1.0", "1.1", "warning")]


def test_a_prompt_that_nobody_tells_takes_no_part() -> None:
    assert find_swaps(uses(40, 20, prompt_version=""), relation) == []


def test_a_prompt_that_is_taken_back_is_information() -> None:
    there = uses(20, 10, prompt_version="p2")
    back = [use(talk, FULL, prompt_version="p1", agent_version="1.0") for talk in range(20, 40)]
    assert [swap[1:] for swap in told(find_swaps(there + back, relation))] == [
        ("p1", "p2", "warning"),
        ("p2", "p1", "info"),
    ]


def test_model_and_prompt_that_change_together_are_two_entries_that_name_each_other() -> None:
    found = find_swaps(uses(40, 20, prompt_version="p2", served=MINI), relation)
    (model,), (prompt,) = of_class(found, "version"), of_class(found, "prompt")
    assert model.evidence["together_with"] == [prompt.id]
    assert prompt.evidence["together_with"] == [model.id]
    assert (model.evidence["prompt_version_before"], model.evidence["prompt_version"]) == ("p1", "p2")
    assert model.evidence["agent_version_before"] == model.evidence["agent_version"] == "1.0"


def test_changes_in_different_conversations_do_not() -> None:
    later = [use(talk, MINI, prompt_version="p2", agent_version="1.0") for talk in range(30, 50)]
    found = find_swaps(uses(30, 20, prompt_version="p2") + later, relation)
    assert all("together_with" not in swap.evidence for swap in found)
    assert len(of_class(found, "version")) == len(of_class(found, "prompt")) == 1
