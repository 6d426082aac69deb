from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.model import Message, SpanRecord, ToolCall
from spanwitness.transcript import payload

if TYPE_CHECKING:
    from collections.abc import Callable

    Span = Callable[..., SpanRecord]

CALL = (Message("assistant", tool_calls=(ToolCall("c1", "find", '{"what":"it"}'),)),)
TEXT = (Message("assistant", "Here."),)
LANGCHAIN_CALL = {"name": "find", "args": {"what": "it"}, "id": "c1", "type": "tool_call"}
OPENAI_CALL = {"id": "c1", "function": {"name": "find", "arguments": '{"what":"it"}'}, "type": "function"}


def generation(**kwargs: Any) -> dict[str, Any]:
    message = {"lc": 1, "type": "constructor", "kwargs": {"type": "ai", "content": "", **kwargs}}
    return {"generations": [[{"text": "", "message": message}]], "type": "LLMResult"}


def response(span: Span, value: object) -> tuple[Message, ...]:
    text = value if isinstance(value, str) else json.dumps(value)
    return payload.read(span("llm", {"output.value": text}), ()).output


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (generation(tool_calls=[LANGCHAIN_CALL]), CALL),
        (generation(content="Here."), TEXT),
        (generation(content=[{"type": "tool_use", "id": "c1", "name": "find", "input": {"what": "it"}}],
                    tool_calls=[LANGCHAIN_CALL]), CALL),
        ({"generations": [[{"text": "Here."}]]}, TEXT),
        ({"choices": [{"index": 0, "message": {"content": None, "tool_calls": [OPENAI_CALL]}}]}, CALL),
        ({"choices": [{"index": 0, "delta": {"content": "Here."}}]}, TEXT),
        ([{"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]}], CALL),
        ([{"id": "__fake_id__", "output": [{"type": "message", "role": "assistant",
                                            "content": [{"type": "output_text", "text": "Here."}]}]}], TEXT),
        ({"output": [{"type": "reasoning", "summary": []},
                     {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "find",
                      "arguments": '{"what":"it"}'}]}, CALL),
        ({"content": {"role": "model", "parts": [{"text": "Here."}]}}, TEXT),
        ("Here.", TEXT),
        ('"Here."', TEXT),
    ],
)  # fmt: skip
def test_responses_of_every_shape_are_read(value: object, expected: tuple[Message, ...], span: Span) -> None:
    assert tuple(unit for unit in response(span, value) if unit != Message("assistant")) == expected


@pytest.mark.parametrize(
    "text", ["", "{", '[{"role": "assi', "{}", "[]", "null", '{"generations": [[]]}', '{"choices": {}}']
)
def test_a_response_that_tells_nothing_is_left_out(text: str, span: Span) -> None:
    assert all(unit == Message("assistant") for unit in response(span, text))


@pytest.mark.parametrize(
    "request_value",
    [
        {"model": "m", "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]},
        {"messages": [[{"lc": 1, "kwargs": {"type": "system", "content": "Be kind."}},
                       {"lc": 1, "kwargs": {"type": "human", "content": "Hi"}}]]},
        {"instructions": "Be kind.", "input": "Hi"},
        {"instructions": "Be kind.", "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]},
        {"config": {"system_instruction": "Be kind."}, "contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
    ],
)  # fmt: skip
def test_requests_of_every_shape_are_read(request_value: object, span: Span) -> None:
    said = payload.read(span("llm", {"input.value": json.dumps(request_value)}), ())
    assert said.input == (Message("system", "Be kind."), Message("user", "Hi"))


def test_an_embedding_is_no_message(span: Span) -> None:
    attributes = {"input.value": '{"input": "hail on a roof"}', "embedding.model_name": "small"}
    assert payload.read(span("llm", attributes), ()).input == ()


@pytest.mark.parametrize(
    ("request_key", "response_key"),
    [
        ("langfuse.observation.input", "langfuse.observation.output"),
        ("gen_ai.prompt", "gen_ai.completion"),
        ("request_data", "response_data"),
    ],
)
def test_every_key_that_holds_a_dump_is_read(span: Span, request_key: str, response_key: str) -> None:
    attributes = {
        request_key: json.dumps({"messages": [{"role": "user", "content": "Where is it?"}]}),
        response_key: json.dumps({"role": "assistant", "content": "Here."}),
    }
    said = payload.read(span("llm", attributes), ())
    assert (said.input, said.output) == ((Message("user", "Where is it?"),), TEXT)


@pytest.mark.parametrize("text", ["<coroutine object AsyncAPIResponse.parse at 0x7f46835eaf20>", "null", " ", "[{"])
def test_what_is_no_reply_is_none(text: str, span: Span) -> None:
    assert response(span, text) == ()


def test_a_reply_in_angle_brackets_is_one(span: Span) -> None:
    assert response(span, "<b>Here.</b>") == (Message("assistant", "<b>Here.</b>"),)
