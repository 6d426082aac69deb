"""Model calls as what they were told and what they said, from all the spans and logs that tell of one."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from spanwitness.model import Message, SpanRecord
from spanwitness.transcript.calls import model_calls
from spanwitness.transcript.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    Span = Callable[..., SpanRecord]


def said(*texts: str) -> str:
    parts = [{"role": "assistant", "parts": [{"type": "text", "content": text}]} for text in texts]
    return json.dumps(parts)


def told(text: str) -> str:
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}])


def output(span: Span, *texts: str) -> list[str]:
    (call,) = model_calls(Tree([span("llm", {"gen_ai.output.messages": said(*texts)})]), [])
    return [unit.content for unit in call.said]


def test_the_pieces_of_a_streamed_reply_are_not_told_beside_the_whole(span: Span) -> None:
    assert output(span, "It is ", "here.", "It is here.") == ["It is here."]


def test_texts_that_are_no_pieces_are_all_told(span: Span) -> None:
    assert output(span, "It is", "over there.") == ["It is", "over there."]
    assert output(span, "It is here.") == ["It is here."]


def test_a_call_that_two_spans_tell_of_is_one_and_reads_what_either_has(span: Span) -> None:
    outer = span("llm", {"gen_ai.input.messages": told("Where?"), "gen_ai.output.messages": said("Here.")}, span_id="a")
    inner = span("llm", {"gen_ai.response.model": "m"}, span_id="b", parent_span_id="a")
    (call,) = model_calls(Tree([outer, inner]), [])
    assert (call.span_id, call.told, call.said) == (
        "b",
        (Message("user", "Where?"),),
        (Message("assistant", "Here."),),
    )


def test_what_the_inner_span_tells_is_not_told_again(span: Span) -> None:
    content = {"gen_ai.input.messages": told("Where?"), "gen_ai.output.messages": said("Here.")}
    outer = span("llm", {**content, "gen_ai.output.messages": said("HERE.")}, span_id="a")
    (call,) = model_calls(Tree([outer, span("llm", content, span_id="b", parent_span_id="a")]), [])
    assert call.said == (Message("assistant", "Here."),)


def test_a_call_that_thousands_of_spans_tell_of_reads_each_once(span: Span) -> None:
    made = [
        span("llm", span_id=f"s{at}", parent_span_id=f"s{at - 1}", started_ns=at, ended_ns=9000 - at)
        for at in range(3000)
    ]
    began = time.process_time()
    (call,) = model_calls(Tree(made), [])
    assert call.said == ()
    assert time.process_time() - began < 5


def test_a_call_under_a_guardrail_is_aside_and_one_under_a_tool_is_not(span: Span) -> None:
    guard, tool = span("guardrail", {}, span_id="g"), span("tool", {}, span_id="t")
    calls = [span("llm", {}, span_id="a", parent_span_id="g"), span("llm", {}, span_id="b", parent_span_id="t")]
    found = {call.span_id: (call.nested, call.aside) for call in model_calls(Tree([guard, tool, *calls]), [])}
    assert found == {"a": (True, True), "b": (True, False)}
