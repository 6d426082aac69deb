"""What a closed conversation shows of each slot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.drift.slots import prompt_hash, shown
from spanwitness.model import Message, Step, ToolCall
from tests.drift.closed import SERVED, closed
from tests.drift.talk import PLAIN, many

if TYPE_CHECKING:
    from spanwitness.model import Conversation

TALK = many(PLAIN, 1, 1, topic="refund")[0]
ONE = closed(7, TALK)


def roles(talk: dict[str, Any]) -> list[str]:
    return [message["role"] for message in talk["messages"]]


def with_span(conversation: Conversation, at: int, **changes: Any) -> Conversation:
    steps = list(conversation.steps)
    steps[at] = replace(steps[at], span=replace(steps[at].span, **changes))
    return replace(conversation, steps=tuple(steps))


def test_an_agent_alone_shows_the_whole_talk_with_what_each_call_cost() -> None:
    (found,) = shown(ONE)
    assert (found.slot.service, found.slot.agent, found.slot.step_kind) == ("claims", "front", "llm")
    assert (found.version, found.trace) == (f"openai/{SERVED}", ONE.steps[0].span.trace_id)
    assert found.talk["topic"] == "refund"
    assert roles(found.talk) == roles(TALK)[1:]  # the greeting came from no call
    told = [message["usage"] for message in found.talk["messages"] if "usage" in message]
    expected = [message["usage"] for message in TALK["messages"] if "usage" in message]
    assert told == [{name: number for name, number in usage.items() if number} for usage in expected]
    calls = [message["tool_calls"][0]["name"] for message in found.talk["messages"] if "tool_calls" in message]
    assert calls
    assert set(calls) == {"find_order"}


def test_times_and_reasons_to_finish_are_those_of_the_call() -> None:
    (found,) = shown(with_span(ONE, 0, started_ns=0, ended_ns=1_500_000, finish_reason="length"))
    first = next(message for message in found.talk["messages"] if message["role"] == "assistant")
    assert (first["latency_ms"], first["finish_reason"]) == (1.5, "length")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("llm.token_count.completion_details.reasoning", "reasoning_tokens"),
        ("gen_ai.usage.cache_read.input_tokens", "cache_read_tokens"),
    ],
)
def test_tokens_that_only_an_attribute_tells_are_read(name: str, key: str) -> None:
    (found,) = shown(with_span(ONE, 0, attributes={name: "12"}))
    first = next(message for message in found.talk["messages"] if message["role"] == "assistant")
    assert first["usage"][key] == 12


def test_each_of_several_agents_shows_its_own_answers_among_the_users_messages() -> None:
    mine, theirs = ONE.steps[0].span, ONE.steps[1].span
    messages = (
        Message("user", "hello"),
        Message("assistant", "", (ToolCall("t1", "mine", "{}"),), span_id=mine.span_id),
        Message("tool", "result for me", tool_call_id="t1"),
        Message("assistant", "", (ToolCall("t2", "theirs", "{}"),), span_id=theirs.span_id),
        Message("tool", "result for them", tool_call_id="t2"),
    )
    steps = (Step(1, 1, mine), Step(2, 1, replace(theirs, agent_name="back")))
    back, front = shown(replace(ONE, messages=messages, steps=steps, system_prompt="of the last one"))
    assert (back.slot.agent, front.slot.agent) == ("back", "front")
    assert [message["content"] for message in front.talk["messages"]] == ["hello", "", "result for me"]
    assert [message["content"] for message in back.talk["messages"]] == ["hello", "", "result for them"]
    assert "prompt_hash" not in front.talk


def test_calls_told_by_two_instrumentations_are_matched_in_order() -> None:
    messages = tuple(replace(m, span_id=m.span_id and f"outer-{m.span_id}") for m in ONE.messages)
    (found,) = shown(replace(ONE, messages=messages))
    assert found.talk == shown(ONE)[0].talk


def test_without_content_the_counts_of_tokens_are_what_is_left() -> None:
    (found,) = shown(replace(ONE, messages=()))
    assert roles(found.talk) == ["assistant"] * len(ONE.steps)
    assert all(message["usage"] for message in found.talk["messages"])


def test_what_failed_shows_nothing_and_a_fallback_shows_the_model_that_answered() -> None:
    failed = with_span(ONE, 0, status="Error", served_model="o3", model_version="openai/o3")
    assert [found.version for found in shown(failed)] == [f"openai/{SERVED}"]
    all_failed = tuple(replace(step, span=replace(step.span, status="Error")) for step in ONE.steps)
    assert shown(replace(ONE, steps=all_failed)) == []


def test_calls_that_tell_no_served_model_go_with_those_that_do() -> None:
    (found,) = shown(with_span(ONE, 0, served_model="", model_version="openai/gpt-4o?"))
    assert found.version == f"openai/{SERVED}"


def test_two_models_in_one_conversation_are_none() -> None:
    (found,) = shown(with_span(ONE, 0, served_model="o3", model_version="openai/o3"))
    assert found.version == ""


def test_other_steps_than_calls_of_language_models_are_no_slot() -> None:
    speech = tuple(replace(step, span=replace(step.span, step_kind="speech")) for step in ONE.steps)
    assert shown(replace(ONE, steps=speech)) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Be brief. Today is Monday, 3 May.", "Be brief. Today is Sunday, 12 June.", True),
        ("Order 4711 of ann@example.com", "Order 12 of bob@example.com", True),
        ("Session 0a1b2c3d", "Session 99ff00ee", True),
        ("Be brief.", "Be kind.", False),
    ],
)
def test_what_is_filled_into_a_prompt_is_no_part_of_what_makes_it_the_same(one: str, other: str, *, same: bool) -> None:
    assert (prompt_hash(one) == prompt_hash(other)) is same
