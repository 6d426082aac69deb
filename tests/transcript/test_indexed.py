from __future__ import annotations

from typing import TYPE_CHECKING

from spanwitness.model import Message, SpanRecord, ToolCall
from spanwitness.transcript import indexed

if TYPE_CHECKING:
    from collections.abc import Callable

    Span = Callable[..., SpanRecord]


def test_prompt_and_completion_are_read(span: Span) -> None:
    attributes = {
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Be kind.",
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": "Where is it?",
        "gen_ai.prompt.2.role": "assistant",
        "gen_ai.prompt.2.tool_calls.0.id": "c1",
        "gen_ai.prompt.2.tool_calls.0.name": "find",
        "gen_ai.prompt.2.tool_calls.0.arguments": '{"what": "it"}',
        "gen_ai.prompt.3.role": "tool",
        "gen_ai.prompt.3.content": "here",
        "gen_ai.prompt.3.tool_call_id": "c1",
        "gen_ai.completion.0.content": "It is here.",
        "gen_ai.completion.0.finish_reason": "stop",
    }
    said = indexed.read(span("llm", attributes), ())
    assert said.input == (
        Message("system", "Be kind."),
        Message("user", "Where is it?"),
        Message("assistant", tool_calls=(ToolCall("c1", "find", '{"what": "it"}'),)),
        Message("tool", "here", tool_call_id="c1"),
    )
    assert said.output == (Message("assistant", "It is here."),)


def test_a_content_that_spells_blocks_is_read_as_blocks(span: Span) -> None:
    blocks = '[{"type": "text", "text": "See"}, {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}]'
    attributes = {
        "gen_ai.completion.0.content": blocks,
        "gen_ai.completion.0.tool_calls.0.id": "c1",
        "gen_ai.completion.0.tool_calls.0.name": "f",
    }
    assert indexed.read(span("llm", attributes), ()).output == (
        Message("assistant", "See"),
        Message("assistant", tool_calls=(ToolCall("c1", "f", '{"a":1}'),)),
    )


def test_a_text_that_is_json_of_its_own_stays_a_text(span: Span) -> None:
    text = '[{"type": "hail", "text": "roof"}]'
    attributes = {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": text}
    assert indexed.read(span("llm", attributes), ()).input == (Message("user", text),)


def test_an_empty_text_is_written_as_json(span: Span) -> None:
    attributes = {
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": '""',
        "gen_ai.completion.0.tool_calls.0.id": "c1",
        "gen_ai.completion.0.tool_calls.0.name": "find",
        "gen_ai.completion.0.tool_calls.0.arguments": "{}",
    }
    assert indexed.read(span("llm", attributes), ()).output == (
        Message("assistant", tool_calls=(ToolCall("c1", "find", "{}"),)),
    )
