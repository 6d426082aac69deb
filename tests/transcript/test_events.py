from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from spanwitness.model import Event, LogRecord, Message, SpanRecord, ToolCall
from spanwitness.transcript import events

if TYPE_CHECKING:
    from collections.abc import Callable

    Span = Callable[..., SpanRecord]


def log(name: str, body: object) -> LogRecord:
    return LogRecord("trace", "span-0000", 1, f"gen_ai.{name}", body if isinstance(body, str) else json.dumps(body))


def event(name: str, **attributes: object) -> Event:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in attributes.items()}
    return Event(1, f"gen_ai.{name}", texts)


CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"what": "it"}'}}
HISTORY = (
    Message("system", "Be kind."),
    Message("user", "Where is it?"),
    Message("assistant", tool_calls=(ToolCall("c1", "find", '{"what": "it"}'),)),
    Message("tool", "here", tool_call_id="c1"),
)


def test_log_records_hold_openai_messages(span: Span) -> None:
    logs = [
        log("system.message", {"content": "Be kind."}),
        log("user.message", {"content": "Where is it?"}),
        log("assistant.message", {"tool_calls": [CALL]}),
        log("tool.message", {"content": "here", "id": "c1"}),
        log("choice", {"index": 0, "finish_reason": "stop", "message": {"content": "It is here."}}),
    ]
    said = events.read(span("llm"), logs)
    assert said.input == HISTORY
    assert said.output == (Message("assistant", "It is here."),)


def test_span_events_hold_bedrock_blocks(span: Span) -> None:
    use = {"toolUse": {"toolUseId": "c1", "name": "find", "input": {"what": "it"}}}
    result = {"toolResult": {"toolUseId": "c1", "status": "error", "content": [{"text": "not here"}]}}
    told = (
        event("system.message", content=[{"text": "Be kind."}]),
        event("user.message", content=[{"text": "Where is it?"}]),
        event("assistant.message", content=[use]),
        event("tool.message", content=[result]),
        event("choice", message=[{"text": "It is gone."}], finish_reason="end_turn"),
    )
    said = events.read(span("llm", events=told), ())
    assert said.input[2].tool_calls == (ToolCall("c1", "find", '{"what":"it"}'),)
    assert said.input[3] == Message("tool", "not here", tool_call_id="c1", error=True)
    assert said.output == (Message("assistant", "It is gone."),)


def test_a_choice_may_be_plain_text(span: Span) -> None:
    said = events.read(span("llm", events=(event("choice", message="Done."),)), ())
    assert said.output == (Message("assistant", "Done."),)


def test_gemini_contents_tell_their_own_role(span: Span) -> None:
    """ADK's legacy schema logs the whole history as user messages; every field of a part is there, mostly null."""
    call = {
        "text": None,
        "function_call": {"id": "c1", "name": "find", "args": {"what": "it"}},
        "function_response": None,
    }
    result = {"function_response": {"id": "c1", "name": "find", "response": {"it": "here"}}, "function_call": None}
    logs = [
        log("user.message", {"content": {"role": "user", "parts": [{"text": "Where is it?", "function_call": None}]}}),
        log("user.message", {"content": {"role": "model", "parts": [call]}}),
        log("user.message", {"content": {"role": "user", "parts": [result]}}),
        log("choice", {"content": {"role": "model", "parts": [{"text": "Here."}]}, "index": 0}),
    ]
    said = events.read(span("llm"), logs)
    assert [unit.role for unit in said.input] == ["user", "assistant", "tool"]
    assert said.input[2] == Message("tool", '{"it":"here"}', tool_call_id="c1", name="find")
    assert said.output == (Message("assistant", "Here."),)


def test_only_the_first_choice_was_heard(span: Span) -> None:
    logs = [log("choice", {"index": n, "message": {"content": str(n)}}) for n in range(3)]
    assert events.read(span("llm"), logs).output == (Message("assistant", "0"),)


def test_without_content_only_the_names_of_tools_are_left(span: Span) -> None:
    bare = {"id": "c1", "type": "function", "function": {"name": "find"}}
    logs = [log("user.message", {}), log("choice", {"index": 0, "message": {"tool_calls": [bare]}})]
    said = events.read(span("llm"), logs)
    assert said.input == ()
    assert said.output == (Message("assistant", tool_calls=(ToolCall("c1", "find"),)),)


@pytest.mark.parametrize("body", ["", "{", "[]", "3", '{"message": 3}', '{"index": {}, "message": null}'])
def test_a_body_that_cannot_be_read_is_no_error(body: str, span: Span) -> None:
    events.read(span("llm"), [log("choice", body), log("tool.message", body), log("system.message", body)])
