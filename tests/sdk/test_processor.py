from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from spanwitness.attributes import AGENT_VERSION, CHANNEL, CONVERSATION, PROMPT_VERSION, TENANT
from spanwitness.sdk import SpanWitnessProcessor, conversation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

STAMPS = {"tenant": "acme", "agent_version": "1.4.0", "prompt_version": "p-7", "channel": "voice"}
STAMPED = {TENANT: "acme", AGENT_VERSION: "1.4.0", PROMPT_VERSION: "p-7", CHANNEL: "voice"}


class Process:
    """An application's tracing as it would set it up."""

    def __init__(self, **stamps: str) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SpanWitnessProcessor(**stamps))
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def attributes(self, name: str = "span") -> Mapping[str, AttributeValue]:
        (span,) = (span for span in self.exporter.get_finished_spans() if span.name == name)
        return span.attributes or {}


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


def test_the_conversation_is_stamped_on_the_spans_inside(process: Process) -> None:
    with conversation("c-1"), process.tracer.start_as_current_span("turn"):
        process.tracer.start_span("call").end()
    process.tracer.start_span("after").end()
    assert process.attributes("turn")[CONVERSATION] == process.attributes("call")[CONVERSATION] == "c-1"
    assert CONVERSATION not in process.attributes("after")


def test_a_value_that_the_span_has_is_left_alone(process: Process) -> None:
    own = {TENANT: "own", AGENT_VERSION: "own", PROMPT_VERSION: "own", CHANNEL: "", CONVERSATION: "own"}
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
