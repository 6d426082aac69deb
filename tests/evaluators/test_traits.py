"""What is measured of a conversation for the calibrated mode."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from spanwitness.evaluators import TaskCompletion
from spanwitness.evaluators.traits import TRAITS, traits_of
from spanwitness.model import Conversation, Message, ToolCall
from tests.evaluators.test_every_evaluator import conversations

if TYPE_CHECKING:
    from collections.abc import Sequence

ASK = Message("user", "Can you cancel my order, please? It is order four.")
CALL = ToolCall("1", "cancel_order", '{"order": 4}')
DONE = Message("assistant", "Your order has been cancelled.")


def measured(*messages: Message) -> dict[str, float]:
    return traits_of(messages, TaskCompletion().changes)


def does(call: ToolCall = CALL, result: str = "ok") -> Sequence[Message]:
    return Message("assistant", "", (call,)), Message("tool", result, tool_call_id=call.id)


def test_every_trait_is_measured_and_no_other() -> None:
    assert measured(ASK, DONE).keys() == TRAITS.keys()
    assert measured().keys() == TRAITS.keys()


@given(conversation=conversations)
@settings(max_examples=60)
def test_every_trait_of_any_conversation_is_a_finite_number(conversation: Conversation) -> None:
    found = traits_of(conversation.messages, TaskCompletion().changes)
    assert found.keys() == TRAITS.keys()
    assert all(math.isfinite(value) and value >= 0 for value in found.values())


@pytest.mark.parametrize(
    ("trait", "without", "with_it"),
    [
        ("thanks_at_end", [ASK, DONE, Message("user", "Fine.")], [ASK, DONE, Message("user", "Thank you so much!")]),
        (
            "relief_at_end",
            [ASK, Message("user", "It is not fixed.")],
            [ASK, Message("user", "Great, it is fixed now.")],
        ),
        ("trouble_at_end", [ASK, Message("user", "It works.")], [ASK, Message("user", "It still does not work.")]),
        ("customer_questions", [Message("user", "Cancel it.")], [ASK]),
        ("asks_for_person", [ASK], [ASK, Message("user", "Let me speak to your manager!")]),
        ("successes", [ASK, Message("assistant", "Which one?")], [ASK, DONE]),
        ("failure_at_end", [ASK, DONE], [ASK, Message("assistant", "I was unable to cancel it.")]),
        ("apologies", [ASK, DONE], [ASK, Message("assistant", "I am sorry about that.")]),
        ("confirmations", [ASK, DONE], [ASK, Message("assistant", "Shall I go ahead?")]),
        ("promise_at_end", [ASK, DONE], [ASK, Message("assistant", "One moment, I will look.")]),
        ("changes", [ASK, *does(result="Error: no")], [ASK, *does()]),
        ("failed_calls", [ASK, *does()], [ASK, *does(result="Error: no")]),
        ("unrecovered_errors", [ASK, *does(result="Error: no"), *does()], [ASK, *does(result="Error: no")]),
        ("repeated_calls", [ASK, *does()], [ASK, *does(), *does()]),
        ("tools", [ASK, *does(), *does()], [ASK, *does(), *does(ToolCall("1", "get_order", "{}"))]),
        ("handed_over", [ASK, DONE], [ASK, *does(ToolCall("1", "transfer_to_human_agents", "{}"))]),
        ("agent_ends", [ASK, DONE, ASK], [ASK, DONE]),
        ("in_english", [Message("user", "Bitte storniere das.")], [ASK]),
        ("customer_repeats", [ASK, DONE, Message("user", "No.")], [ASK, DONE, ASK]),
        ("last_words", [ASK, Message("user", "Yes.")], [ASK, Message("user", "Yes, and there is one more thing.")]),
    ],
)
def test_a_trait_is_greater_where_it_is_met(trait: str, without: list[Message], with_it: list[Message]) -> None:
    assert measured(*without)[trait] < measured(*with_it)[trait]


def test_shares_and_sizes() -> None:
    found = measured(ASK, *does(), *does(result="Error: no"), DONE, Message("user", "Thanks."))
    assert found["calls"] == pytest.approx(math.log(3))
    assert found["changes"] == pytest.approx(math.log(2))
    assert found["failed_calls"] == 0.5
    assert found["customer_questions"] == 0.5
    assert found["agent_turns"] == pytest.approx(math.log(2)), "calls without words are no turns"


def test_what_a_change_is_says_the_evaluator() -> None:
    messages = (ASK, *does())
    assert traits_of(messages, TaskCompletion(reads=("cancel_order",)).changes)["changes"] == 0
