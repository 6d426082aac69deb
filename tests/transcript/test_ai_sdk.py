from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from spanwitness.model import Message, SpanRecord, ToolCall
from spanwitness.transcript import ai_sdk

if TYPE_CHECKING:
    from collections.abc import Callable

    Span = Callable[..., SpanRecord]

CALL = {"type": "tool-call", "toolCallId": "c1", "toolName": "find", "input": {"what": "it"}}


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ({"type": "json", "value": {"a": 1}}, False),
        ({"type": "error-json", "value": {"a": 1}}, True),
        ({"a": 1}, False),
    ],
)
def test_the_history_is_read(output: object, *, error: bool, span: Span) -> None:
    result = {"type": "tool-result", "toolCallId": "c1", "toolName": "find", "output": output}
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Where is it?"}]},
        {"role": "assistant", "content": [CALL]},
        {"role": "tool", "content": [result]},
    ]
    said = ai_sdk.read(span("llm", {"ai.prompt.messages": json.dumps(messages)}), ())
    assert said.input == (
        Message("system", "Be kind."),
        Message("user", "Where is it?"),
        Message("assistant", tool_calls=(ToolCall("c1", "find", '{"what":"it"}'),)),
        Message("tool", '{"a":1}', tool_call_id="c1", name="find", error=error),
    )


@pytest.mark.parametrize("given", ['{"what":"it"}', {"what": "it"}], ids=["generate", "stream"])
def test_the_answer_is_text_and_calls(given: object, span: Span) -> None:
    calls = [{"toolCallId": "c1", "toolName": "find", "input": given}]
    attributes = {"ai.response.text": "Let me see.", "ai.response.toolCalls": json.dumps(calls)}
    assert ai_sdk.read(span("llm", attributes), ()).output == (
        Message("assistant", "Let me see."),
        Message("assistant", tool_calls=(ToolCall("c1", "find", '{"what":"it"}'),)),
    )
