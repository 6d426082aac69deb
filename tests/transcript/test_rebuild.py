from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.model import Event, LogRecord, Message, SpanRecord, ToolCall, Transcript
from spanwitness.transcript import rebuild
from spanwitness.transcript.parts import DETAILS

if TYPE_CHECKING:
    from collections.abc import Callable

    Span = Callable[..., SpanRecord]


def texts(*turns: tuple[str, str]) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in turns])


def test_nothing_gives_nothing() -> None:
    assert rebuild([], []) == Transcript()


def test_the_system_prompt_is_the_latest_that_is_told(span: Span) -> None:
    first = span("llm", {"gen_ai.input.messages": texts(("system", "It is May."), ("user", "Hi"))}, at=1)
    second = span("llm", {"gen_ai.input.messages": texts(("system", "It is June."), ("user", "Hi"))}, at=2)
    third = span("llm", {"gen_ai.output.messages": texts(("assistant", "Hello"))}, at=3)
    assert rebuild([first, second, third], []).system_prompt == "It is June."


def test_system_messages_of_one_call_are_joined_each_once(span: Span) -> None:
    attributes = {
        "gen_ai.system_instructions": '[{"type": "text", "content": "Be kind."}]',
        "gen_ai.input.messages": texts(("system", "Be kind."), ("user", "Hi"), ("system", "She is verified.")),
    }
    transcript = rebuild([span("llm", attributes)], [])
    assert transcript.system_prompt == "Be kind.\n\nShe is verified."
    assert [message.role for message in transcript.messages] == ["user"]


def test_two_dialects_in_one_conversation_are_one_talk(span: Span) -> None:
    triage = span(
        "llm",
        {"gen_ai.input.messages": texts(("user", "Hi")), "gen_ai.output.messages": texts(("assistant", "Hello"))},
        at=1,
    )
    claims = span(
        "llm",
        {
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": "Hi",
            "llm.input_messages.1.message.role": "assistant",
            "llm.input_messages.1.message.content": "Hello",
            "llm.input_messages.2.message.role": "user",
            "llm.input_messages.2.message.content": "My claim?",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "Paid.",
        },
        at=2,
        trace_id="other",
    )
    said = [message.content for message in rebuild([claims, triage], []).messages]
    assert said == ["Hi", "Hello", "My claim?", "Paid."]


def test_a_text_and_parallel_calls_of_one_answer_are_one_message(span: Span) -> None:
    calls = [{"type": "tool_call", "id": f"c{n}", "name": "find", "arguments": {}} for n in (1, 2)]
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": "Let me see."}, *calls]}]
    transcript = rebuild([span("llm", {"gen_ai.output.messages": json.dumps(answer)})], [])
    assert transcript.messages == (
        Message(
            "assistant",
            "Let me see.",
            (ToolCall("c1", "find", "{}"), ToolCall("c2", "find", "{}")),
            span_id="span-0000",
        ),
    )


def test_logs_of_a_span_below_the_call_that_counts_are_its_own(span: Span) -> None:
    """ADK's legacy schema: the messages are logged on `generate_content`, under `call_llm`."""
    outer, inner = span("llm", at=1), span("", at=2, parent_span_id="span-0001")
    log = LogRecord("trace", inner.span_id, 1, "gen_ai.user.message", '{"content": "Hi"}')
    assert [message.content for message in rebuild([outer, inner], [log]).messages] == ["Hi"]


def test_logs_of_a_container_are_not_read_again(span: Span) -> None:
    agent = span("", at=1)
    model = span("llm", {"gen_ai.input.messages": texts(("user", "Hi"))}, at=2, parent_span_id=agent.span_id)
    log = LogRecord("trace", agent.span_id, 1, "gen_ai.user.message", '{"content": "Hi there"}')
    assert [message.content for message in rebuild([agent, model], [log]).messages] == ["Hi"]


WORDS = st.sampled_from([
    "role", "content", "parts", "type", "text", "tool_calls", "id", "name", "arguments", "function", "kwargs",
    "data", "lc", "generations", "message", "messages", "choices", "output", "input", "toolUse", "toolResult",
    "function_call", "function_response", "tool_call", "tool_call_response", "response", "result", "status",
    "assistant", "user", "system", "tool", "human", "ai", "index", "contents", "error", "value", "json",
    "call_id", "instructions", "config", "documents", "page_content", "metadata", "args", "inputs", "input_str",
    "0", "error-json", "reasoning", "blob", "modality", "transcript", "content='a\\ud800'",
    "ResponseFunctionToolCall(name='f')", "{'type':'output_text','text':1}",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=20,
)
TEXTS = st.text(max_size=12) | WORDS | JSON.map(json.dumps) | st.just("[" * 5000) | st.just("[" * 900 + "]" * 900)
KEYS = st.sampled_from([
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
    "llm.input_messages.0.message.role", "llm.input_messages.0.message.content",
    "llm.input_messages.0.message.tool_calls.1.tool_call.function.name", "llm.output_messages.3.message.role",
    "llm.output_messages.3.message.contents.0.message_content.text", "gen_ai.input.messages.1.message.role",
    "gen_ai.prompt.0.role", "gen_ai.prompt.0.content", "gen_ai.completion.0.content",
    "gen_ai.completion.0.tool_calls.0.name", "ai.prompt.messages", "ai.response.text", "ai.response.toolCalls",
    "input.value", "output.value", "mlflow.spanInputs", "mlflow.spanOutputs", "gcp.vertex.agent.llm_request",
    "gen_ai.tool.name", "gen_ai.tool.call.id", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
    "lk.function_tool.is_error", "gen_ai.retrieval.documents", "retrieval.documents.0.document.content",
    "retrieval.documents.0.document.metadata", "retrieval.documents.0.document.score", "content", "message",
    "id",
])  # fmt: skip
ATTRIBUTES = st.dictionaries(KEYS | st.text(max_size=8), TEXTS, max_size=8)
ROLES = ("system", "user", "assistant", "tool")
NAMES = st.sampled_from([*(f"gen_ai.{role}.message" for role in ROLES), "gen_ai.choice", DETAILS, "event"])
EVENTS = st.lists(st.builds(Event, st.integers(0, 3), NAMES, ATTRIBUTES), max_size=3).map(tuple)
KINDS = st.sampled_from(["llm", "llm", "tool", "retrieval", "handoff", "human", "guardrail", "speech", ""])
IDS = st.sampled_from("abcdef")


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[SpanRecord], list[LogRecord]]:
    def record(span_id: str) -> SpanRecord:
        known: dict[str, Any] = dict.fromkeys(("tenant", "name", "service", "scope", "dialect"), "")
        known |= {"trace_id": "t", "span_id": span_id, "parent_span_id": draw(IDS), "step_kind": draw(KINDS)}
        known |= {"started_ns": draw(st.integers(0, 4)), "ended_ns": draw(st.integers(0, 4)), "status": draw(TEXTS)}
        return SpanRecord(**known, attributes=draw(ATTRIBUTES), events=draw(EVENTS))

    spans = [record(span_id) for span_id in draw(st.sets(IDS))]
    logs = draw(
        st.lists(st.builds(LogRecord, st.just("t"), IDS, st.integers(0, 3), NAMES, TEXTS, ATTRIBUTES), max_size=4)
    )
    return spans, logs


@settings(max_examples=150, deadline=None)
@given(conversations())
def test_whatever_stands_in_the_attributes_is_no_error(given_: tuple[list[SpanRecord], list[LogRecord]]) -> None:
    spans, logs = given_
    transcript = rebuild(spans, logs)
    known = {span.span_id for span in spans} | {""}
    for message in transcript.messages:
        assert message.role in {"user", "assistant", "tool"}
        assert message.content or message.tool_calls or message.role == "tool"
        assert message.span_id in known
        message.content.encode()


@settings(max_examples=60, deadline=None)
@given(conversations(), st.randoms(use_true_random=False))
def test_the_order_of_spans_does_not_matter(given_: tuple[list[SpanRecord], list[LogRecord]], random: Any) -> None:
    spans, logs = given_
    assert rebuild(random.sample(spans, len(spans)), logs) == rebuild(spans, logs)
