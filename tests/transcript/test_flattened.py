from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.model import Message, SpanRecord, ToolCall
from spanwitness.transcript import flattened

if TYPE_CHECKING:
    from collections.abc import Callable

    Span = Callable[..., SpanRecord]

DIALECTS = {"openinference": "llm.input_messages", "traceai": "gen_ai.input.messages"}


@pytest.mark.parametrize("prefix", DIALECTS.values(), ids=DIALECTS)
def test_both_dialects_are_read(prefix: str, span: Span) -> None:
    attributes = {
        f"{prefix}.0.message.role": "system",
        f"{prefix}.0.message.content": "Be kind.",
        f"{prefix}.1.message.role": "user",
        f"{prefix}.1.message.content": "Where is it?",
        f"{prefix}.2.message.role": "assistant",
        f"{prefix}.2.message.tool_calls.0.tool_call.id": "c1",
        f"{prefix}.2.message.tool_calls.0.tool_call.function.name": "find",
        f"{prefix}.2.message.tool_calls.0.tool_call.function.arguments": '{"what": "it"}',
        f"{prefix}.3.message.role": "tool",
        f"{prefix}.3.message.content": "here",
        f"{prefix}.3.message.tool_call_id": "c1",
        f"{prefix}.3.message.name": "find",
    }
    assert flattened.read(span("llm", attributes), ()).input == (
        Message("system", "Be kind."),
        Message("user", "Where is it?"),
        Message("assistant", tool_calls=(ToolCall("c1", "find", '{"what": "it"}'),)),
        Message("tool", "here", tool_call_id="c1", name="find"),
    )


def test_a_text_that_stands_in_contents_alone_is_read_and_one_that_stands_twice_is_read_once(span: Span) -> None:
    base = "llm.output_messages.0.message"
    contents = {f"{base}.role": "assistant", f"{base}.contents.0.message_content.type": "text"}
    contents[f"{base}.contents.0.message_content.text"] = "Hello"
    for attributes in (contents, {**contents, f"{base}.content": "Hello"}):
        assert flattened.read(span("llm", attributes), ()).output == (Message("assistant", "Hello"),)


def test_several_contents_and_an_image_make_one_text(span: Span) -> None:
    base = "llm.input_messages.0.message"
    attributes = {
        f"{base}.role": "user",
        f"{base}.contents.1.message_content.type": "image",
        f"{base}.contents.0.message_content.type": "text",
        f"{base}.contents.0.message_content.text": "Look:",
    }
    assert flattened.read(span("llm", attributes), ()).input == (Message("user", "Look:\n[image]"),)


def test_messages_go_by_number_not_by_the_order_of_attributes_and_numbers_may_have_gaps(span: Span) -> None:
    texts = {10: "c", 9: "b", 2: "a"}
    attributes = {f"llm.input_messages.{n}.message.content": text for n, text in texts.items()}
    attributes |= {f"llm.input_messages.{n}.message.role": "user" for n in texts}
    assert [unit.content for unit in flattened.read(span("llm", attributes), ()).input] == ["a", "b", "c"]


def test_calls_numbered_through_a_history_belong_to_their_message(span: Span) -> None:
    base = "llm.input_messages.4.message"
    attributes = {f"{base}.role": "assistant", f"{base}.tool_calls.2.tool_call.function.name": "find"}
    assert flattened.read(span("llm", attributes), ()).input == (
        Message("assistant", tool_calls=(ToolCall("", "find"),)),
    )


def test_a_message_that_lost_its_role_to_the_attribute_limit_is_none(span: Span) -> None:
    assert flattened.read(span("llm", {"llm.input_messages.7.message.content": "Hi"}), ()).input == ()


def test_an_assistant_whose_calls_were_dropped_stands_as_an_empty_unit(span: Span) -> None:
    attributes = {"gen_ai.input.messages.2.message.role": "assistant"}
    assert flattened.read(span("llm", attributes), ()).input == (Message("assistant"),)


@pytest.mark.parametrize("number", ["", "x", "-1", "1.5", "²", "9" * 5000])
def test_what_is_no_number_is_left_out(number: str, span: Span) -> None:
    attributes = {
        f"llm.input_messages.{number}.message.role": "user",
        f"llm.input_messages.{number}.message.content": "x",
    }
    assert flattened.read(span("llm", attributes), ()).input == ()
