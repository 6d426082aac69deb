"""Chat dicts: what is taken, and how a refusal reads."""

from __future__ import annotations

from typing import Any

import pytest

from spanwitness.evaluators import TaskCompletion
from spanwitness.evaluators.chat import calls, conversation_of, documents, nbest, texts
from spanwitness.model import Conversation, Document, Message, ToolCall

CARD = "4111 1111 1111 1111"


def test_a_conversation_is_read_as_it_was_sent() -> None:
    conversation = conversation_of(
        [
            {"role": "system", "content": "Be kind."},
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {}}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "1", "name": "get_order", "arguments": {"id": 4}},
                    {"id": "2", "type": "function", "function": {"name": "cancel_order", "arguments": '{"id": 4}'}},
                    {"name": "ping"},
                ],
            },
            {"role": "tool", "tool_call_id": "1", "name": "get_order", "content": "gone", "error": True, "x": object()},
        ]
    )
    assert conversation == Conversation(
        messages=(
            Message("system", "Be kind."),
            Message("system", "Be brief."),
            Message("user", "Hi"),
            Message(
                "assistant",
                "",
                (
                    ToolCall("1", "get_order", '{"id": 4}'),
                    ToolCall("2", "cancel_order", '{"id": 4}'),
                    ToolCall("", "ping", ""),
                ),
            ),
            Message("tool", "gone", (), "1", "get_order", error=True),
        ),
        system_prompt="Be kind.\n\nBe brief.",
    )


def test_values_of_the_model_are_taken_as_they_are() -> None:
    message, call, document = Message("user", "Hi"), ToolCall("1", "ping"), Document("text")
    assert conversation_of([message]).messages == (message,)
    assert calls("expected_actions", [call]) == (call,)
    assert documents([document, "more", {"content": "c", "metadata": {"source": "faq"}}]) == (
        document,
        Document("more"),
        Document("c", '{"source": "faq"}'),
    )


def test_hypotheses_and_texts_are_read() -> None:
    assert nbest([["turn left", 0.5], ("turn right", 0)]) == (("turn left", 0.5), ("turn right", 0.0))
    assert texts("required_outputs", iter(["10", "20"])) == ("10", "20")


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        (CARD, "conversation is of type str; allowed: a Conversation or a list of chat messages"),
        (None, "conversation is None; allowed: a Conversation or a list"),
        ({"role": "user"}, "conversation is of type dict"),
        ([CARD], r"conversation\[0\] is of type str; allowed: {role, content"),
        ([{"content": CARD}], r"conversation\[0\].role is None; allowed: system, user, assistant, tool"),
        ([{"role": "bot", "content": CARD}], r"conversation\[0\].role is 'bot'; allowed: system, user"),
        ([{"role": CARD}], r"role is of type str"),
        ([{"role": ["user"], "content": CARD}], r"role is of type list"),
        ([{"role": "user", "content": 4}], r"conversation\[0\].content is of type int; allowed: text, None or a list"),
        ([{"role": "user", "content": [CARD]}], r"content\[0\] is of type str; allowed: a part"),
        ([{"role": "user", "tool_calls": CARD}], r"tool_calls is of type str; allowed: a list"),
        ([{"role": "assistant", "tool_calls": [{"id": 1, "name": "a"}]}], r"tool_calls\[0\].id is of type int"),
        ([{"role": "assistant", "tool_calls": [{"arguments": {}}]}], r"tool_calls\[0\].name is None; allowed: text"),
        ([{"role": "assistant", "tool_calls": [{"function": CARD}]}], r"function is of type str"),
        ([{"role": "assistant", "tool_calls": [{"name": "a", "arguments": [1]}]}], r"arguments is of type list"),
        ([{"role": "assistant", "tool_calls": [{"name": "a", "arguments": {"a": {1}}}]}], "holds what JSON cannot"),
        ([{"role": "tool", "error": CARD}], r"error is of type str; allowed: true or false"),
    ],
)
def test_a_wrong_shape_is_refused_with_its_place_and_without_its_content(messages: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says) as told:
        TaskCompletion().evaluate(messages)
    assert CARD not in str(told.value)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"expected_actions": {"name": "a"}}, "expected_actions is of type dict; allowed: a list"),
        ({"expected_actions": ["a"]}, r"expected_actions\[0\] is of type str; allowed: a call"),
        ({"required_outputs": "10"}, "required_outputs is of type str; allowed: a list"),
        ({"required_outputs": [10]}, r"required_outputs\[0\] is of type int; allowed: text"),
        ({"documents": [1]}, r"documents\[0\] is of type int; allowed: a Document, text or"),
        ({"documents": [{"text": CARD}]}, r"documents\[0\].content is None"),
        ({"system_prompt": 3}, "system_prompt is of type int; allowed: text"),
        ({"reference": 3}, "reference is of type int; allowed: text"),
        ({"nbest": [["one"]]}, r"nbest\[0\] is of type list; allowed: \[hypothesis, posterior\]"),
        ({"nbest": [["one", float("nan")]]}, r"nbest\[0\]"),
        ({"nbest": [["one", 10**400]]}, r"nbest\[0\]"),
    ],
)
def test_a_wrong_further_input_is_refused(inputs: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TaskCompletion().evaluate(Conversation(()), **inputs)


def test_deep_nesting_is_refused_too() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="holds what JSON cannot"):
        calls("expected_actions", [{"name": "a", "arguments": deep}])
