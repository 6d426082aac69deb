from __future__ import annotations

import asyncio
import logging
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from spanwitness.attributes import (
    AGENT_VERSION,
    CHANNEL,
    CONVERSATION,
    INTENT,
    LANGUAGE,
    PROMPT_VERSION,
    TENANT,
    TRAJECTORY_STEP,
)
from spanwitness.sdk import SpanWitnessProcessor, conversation
from spanwitness.sdk import processor as processor_module

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

STAMPS: dict[str, Any] = {
    "tenant": "acme",
    "agent_version": "1.4.0",
    "prompt_version": "p-7",
    "channel": "voice",
    "intent": "claim",
    "language": "de-CH",
}
STAMPED = {
    TENANT: "acme",
    AGENT_VERSION: "1.4.0",
    PROMPT_VERSION: "p-7",
    CHANNEL: "voice",
    INTENT: "claim",
    LANGUAGE: "de-CH",
}
CALL = {"gen_ai.operation.name": "chat"}
TOOL = {"gen_ai.operation.name": "execute_tool"}
AGENT = {"gen_ai.operation.name": "invoke_agent"}


class Process:
    """An application's tracing as it would set it up."""

    def __init__(self, *before: SpanProcessor, limits: SpanLimits | None = None, **stamps: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(span_limits=limits)
        for processor in before:
            self.provider.add_span_processor(processor)
        self.provider.add_span_processor(SpanWitnessProcessor(**stamps))
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def attributes(self, name: str = "span") -> Mapping[str, AttributeValue]:
        (span,) = (span for span in self.exporter.get_finished_spans() if span.name == name)
        return span.attributes or {}

    def steps(self) -> dict[str, AttributeValue | None]:
        """By span, its number."""
        return {span.name: (span.attributes or {}).get(TRAJECTORY_STEP) for span in self.exporter.get_finished_spans()}


@pytest.fixture
def process() -> Iterator[Process]:
    process = Process(**STAMPS)
    yield process
    process.provider.shutdown()


def test_every_span_is_stamped(process: Process) -> None:
    with process.tracer.start_as_current_span("root"), process.tracer.start_as_current_span("child"):
        pass
    assert process.attributes("root") == process.attributes("child") == STAMPED


def test_what_is_not_given_is_not_set() -> None:
    process = Process()
    process.tracer.start_span("span").end()
    assert process.attributes() == {}


def test_what_is_no_text_becomes_text() -> None:
    """As it is, the exporter could not write it, and would lose the other spans with it."""
    process = Process(tenant=uuid.UUID(int=7), channel=3)
    process.tracer.start_span("work").end()
    assert process.attributes("work") == {TENANT: str(uuid.UUID(int=7)), CHANNEL: "3"}


def test_the_conversation_is_stamped_on_the_spans_inside(process: Process) -> None:
    with conversation("c-1"), process.tracer.start_as_current_span("turn"):
        process.tracer.start_span("call").end()
    process.tracer.start_span("after").end()
    assert process.attributes("turn")[CONVERSATION] == process.attributes("call")[CONVERSATION] == "c-1"
    assert CONVERSATION not in process.attributes("after")


def test_a_value_that_the_span_has_is_left_alone(process: Process) -> None:
    own: dict[str, AttributeValue] = {**dict.fromkeys(STAMPED, "own"), CHANNEL: "", CONVERSATION: "own"}
    own[TRAJECTORY_STEP] = 7
    with conversation("c-1"):
        process.tracer.start_span("span", attributes=own).end()
    assert process.attributes() == own


def test_an_instrumentation_has_the_last_word(process: Process) -> None:
    with conversation("c-1"), process.tracer.start_as_current_span("span") as span:
        span.set_attribute(CONVERSATION, "thread-9")
    assert process.attributes()[CONVERSATION] == "thread-9"


def test_a_context_given_to_the_span_counts_first(process: Process) -> None:
    with conversation("current"):
        process.tracer.start_span("own", context=baggage.set_baggage(CONVERSATION, "given", Context())).end()
        process.tracer.start_span("silent", context=Context()).end()
    assert process.attributes("own")[CONVERSATION] == "given"
    assert process.attributes("silent")[CONVERSATION] == "current"


def test_tasks_at_the_same_time_stamp_their_own(process: Process) -> None:
    async def talk(conversation_id: str, both: asyncio.Barrier) -> None:
        with conversation(conversation_id), process.tracer.start_as_current_span(conversation_id):
            await both.wait()
            process.tracer.start_span(f"{conversation_id} call").end()
            await both.wait()

    async def main() -> None:
        both = asyncio.Barrier(2)
        await asyncio.gather(talk("a", both), talk("b", both))

    asyncio.run(main())
    found = {span.name: (span.attributes or {})[CONVERSATION] for span in process.exporter.get_finished_spans()}
    assert found == {"a": "a", "a call": "a", "b": "b", "b call": "b"}


def test_the_conversation_crosses_services(process: Process) -> None:
    propagator = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    headers: dict[str, str] = {}
    with conversation("c 1"), process.tracer.start_as_current_span("caller"):
        propagator.inject(headers)

    called = Process(tenant="other")
    called.tracer.start_span("span", context=propagator.extract(headers, Context())).end()
    assert called.attributes() == {TENANT: "other", CONVERSATION: "c 1"}
    (caller,), (span,) = process.exporter.get_finished_spans(), called.exporter.get_finished_spans()
    assert span.parent is not None
    assert caller.context is not None
    assert span.parent.span_id == caller.context.span_id


def test_an_unsampled_span_is_no_trouble() -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, resource=Resource.create({}))
    provider.add_span_processor(SpanWitnessProcessor(**STAMPS))
    with conversation("c-1"), provider.get_tracer("test").start_as_current_span("span") as span:
        assert not span.is_recording()


def test_baggage_of_another_type_is_read_as_text(process: Process) -> None:
    process.tracer.start_span("span", context=baggage.set_baggage(CONVERSATION, 42)).end()
    assert process.attributes()[CONVERSATION] == "42"


def test_a_failure_stays_out_of_the_application(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    class Unreadable:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with caplog.at_level(logging.ERROR, logger="spanwitness.sdk.processor"):
        process.tracer.start_span("span", context=baggage.set_baggage(CONVERSATION, Unreadable())).end()
    assert [span.name for span in process.exporter.get_finished_spans()] == ["span"]
    assert [record.message for record in caplog.records] == ["A span could not be stamped"]


def test_it_flushes_and_shuts_down_as_any_processor() -> None:
    processor = SpanWitnessProcessor(**STAMPS)
    assert processor.force_flush() is True
    processor.shutdown()


def test_steps_are_numbered_by_their_start_and_wrappers_are_not(process: Process) -> None:
    start = process.tracer.start_as_current_span
    with conversation("c-1"), start("agent", attributes=AGENT):
        with start("first", attributes=CALL):
            pass
        with start("tool", attributes=TOOL), start("inside", attributes=CALL):
            pass
        process.tracer.start_span("last", attributes=CALL).end()
    assert process.steps() == {"first": 1, "tool": 2, "inside": 3, "last": 4, "agent": None}


def test_parallel_steps_keep_the_order_of_their_start(process: Process) -> None:
    with conversation("c-1"):
        spans = [process.tracer.start_span(f"execute_tool {name}") for name in "abc"]
        for span in reversed(spans):
            span.end()
    assert process.steps() == {"execute_tool a": 1, "execute_tool b": 2, "execute_tool c": 3}


def test_each_conversation_is_counted_by_itself_over_all_its_turns(process: Process) -> None:
    for name, conversation_id in (("a1", "a"), ("b1", "b"), ("a2", "a")):
        with conversation(conversation_id):
            process.tracer.start_span(name, attributes=CALL).end()
    process.tracer.start_span("own", attributes={**CALL, CONVERSATION: "b"}).end()
    assert process.steps() == {"a1": 1, "b1": 1, "a2": 2, "own": 2}


def test_without_a_conversation_nothing_is_numbered(process: Process) -> None:
    process.tracer.start_span("chat gpt-4o", attributes=CALL).end()
    assert process.steps() == {"chat gpt-4o": None}


def test_two_spans_of_one_model_call_are_one_step(process: Process) -> None:
    start = process.tracer.start_as_current_span
    with conversation("c-1"):
        with start("call_llm"), start("generate_content gpt-4o"):
            pass
        process.tracer.start_span("chat gpt-4o").end()
    assert process.steps() == {"call_llm": 1, "generate_content gpt-4o": None, "chat gpt-4o": 2}


def test_what_a_span_says_after_its_start_counts_with_the_order_of_its_start(process: Process) -> None:
    with conversation("c-1"):
        late, known = process.tracer.start_span("ChatOpenAI"), process.tracer.start_span("tool", attributes=TOOL)
        known.end()
        late.set_attribute("openinference.span.kind", "LLM")
        late.end()
    assert process.steps() == {"tool": 2, "ChatOpenAI": 1}


def test_a_span_that_turns_out_to_be_no_step_leaves_a_gap(process: Process) -> None:
    with conversation("c-1"), process.tracer.start_as_current_span("turn"):
        process.tracer.start_span("chat gpt-4o").end()
    assert process.steps() == {"chat gpt-4o": 2, "turn": None}


def test_a_number_that_the_application_sets_itself_stays(process: Process) -> None:
    with conversation("c-1"):
        span = process.tracer.start_span("ChatOpenAI")
        span.set_attributes({"openinference.span.kind": "LLM", TRAJECTORY_STEP: 9})
        span.end()
    assert process.steps() == {"ChatOpenAI": 9}


def test_a_span_that_is_told_late_of_an_earlier_start_gets_none(process: Process) -> None:
    with conversation("c-1"):
        process.tracer.start_span("chat a", start_time=2_000).end()
        process.tracer.start_span("chat b", start_time=1_000).end()
        process.tracer.start_span("chat c", start_time=3_000).end()
    assert process.steps() == {"chat a": 1, "chat b": None, "chat c": 2}


def test_a_span_whose_end_was_taken_over_ends_once_and_at_its_time(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    with conversation("c-1"):
        span = process.tracer.start_span("ChatOpenAI", start_time=1)
        span.end(end_time=5)
        span.end(end_time=9)
    (ended,) = process.exporter.get_finished_spans()
    assert (ended.end_time, "end" in vars(span)) == (5, False)
    assert [record.message for record in caplog.records] == ["Calling end() on an ended span."]


def test_tasks_get_no_number_twice(process: Process) -> None:
    async def step(both: asyncio.Barrier) -> None:
        with process.tracer.start_as_current_span("chat gpt-4o"):
            await both.wait()

    async def main() -> None:
        both = asyncio.Barrier(5)
        with conversation("c-1"):
            await asyncio.gather(*(step(both) for _ in range(5)))

    asyncio.run(main())
    spans = sorted(process.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)
    assert [(span.attributes or {})[TRAJECTORY_STEP] for span in spans] == [1, 2, 3, 4, 5]


def test_it_reads_the_conversation_that_a_processor_before_it_set() -> None:
    class Room(SpanProcessor):
        def on_start(self, span: Any, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's own
            span.set_attribute(CONVERSATION, "room-1")

    process = Process(Room())
    process.tracer.start_span("chat gpt-4o").end()
    assert process.attributes("chat gpt-4o") == {CONVERSATION: "room-1", TRAJECTORY_STEP: 1}


def test_the_limits_of_the_sdk_hold() -> None:
    short = Process(limits=SpanLimits(max_span_attribute_length=3), **STAMPS)
    with conversation("c-123"):
        short.tracer.start_span("chat gpt-4o").end()
    assert short.attributes("chat gpt-4o")[CONVERSATION] == "c-1"
    few = Process(limits=SpanLimits(max_span_attributes=2), **STAMPS)
    with conversation("c-1"):
        few.tracer.start_span("chat gpt-4o", attributes={"a": 1, "b": 2}).end()
    assert few.attributes("chat gpt-4o") == {CONVERSATION: "c-1", TRAJECTORY_STEP: 1}
    (span,) = few.exporter.get_finished_spans()
    assert span.dropped_attributes == len(STAMPED) + 2


def test_it_sets_the_same_where_the_sdk_is_built_otherwise(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    with conversation("c-1"):
        process.tracer.start_span("chat a", attributes=CALL).end()
        monkeypatch.setattr(processor_module, "_own_dict", lambda *_: None)
        process.tracer.start_span("chat b", attributes=CALL).end()
    assert process.attributes("chat b") == {**process.attributes("chat a"), TRAJECTORY_STEP: 2}
