from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from opentelemetry import baggage, propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import spanwitness
from spanwitness.attributes import CONVERSATION, CONVERSATION_ENDED
from spanwitness.sdk import conversation, current_conversation, end_conversation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from opentelemetry.util.types import AttributeValue


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    yield exporter
    exporter.clear()


@pytest.fixture
def provider(spans: InMemorySpanExporter) -> Iterator[TracerProvider]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider
    provider.shutdown()


def attributes_of(spans: InMemorySpanExporter, name: str) -> Mapping[str, AttributeValue]:
    (span,) = (span for span in spans.get_finished_spans() if span.name == name)
    return span.attributes or {}


def test_there_is_no_conversation_unless_one_is_set() -> None:
    assert current_conversation() == ""


def test_it_holds_inside_and_ends_with_the_block() -> None:
    before = get_current()
    with conversation("c-1"):
        assert current_conversation() == "c-1"
    assert get_current() == before


def test_it_ends_with_an_error_too_and_lets_it_through() -> None:
    with pytest.raises(KeyError), conversation("c-1"):
        raise KeyError
    assert current_conversation() == ""


def test_the_inner_one_counts() -> None:
    with conversation("outer"):
        with conversation("inner"):
            assert current_conversation() == "inner"
        assert current_conversation() == "outer"


def test_an_empty_id_changes_nothing() -> None:
    with conversation(""):
        assert current_conversation() == ""
    with conversation("outer"):
        with conversation(""):
            assert current_conversation() == "outer"
        assert current_conversation() == "outer"


def test_other_baggage_stays() -> None:
    with conversation("c-1"):
        assert baggage.get_baggage("customer.tier") is None
        carried = baggage.set_baggage("customer.tier", "gold")
    assert baggage.get_all(carried) == {CONVERSATION: "c-1", "customer.tier": "gold"}


def test_a_given_context_is_read_in_place_of_the_current_one() -> None:
    with conversation("current"):
        assert current_conversation(baggage.set_baggage(CONVERSATION, "given", Context())) == "given"
        assert current_conversation(Context()) == ""


def test_it_decorates_a_function() -> None:
    @conversation("c-1")
    def answer(question: str, *, politely: bool) -> tuple[str, bool, str]:
        """Answers."""
        return question, politely, current_conversation()

    assert answer("where?", politely=True) == ("where?", True, "c-1")
    assert (answer.__name__, answer.__doc__) == ("answer", "Answers.")
    assert current_conversation() == ""


def test_a_decorated_function_may_call_itself() -> None:
    @conversation("c-1")
    def count(depth: int) -> list[str]:
        deeper = count(depth - 1) if depth else []
        return [*deeper, current_conversation()]

    assert count(2) == ["c-1"] * 3
    assert current_conversation() == ""


def test_it_decorates_a_coroutine_function() -> None:
    @conversation("c-1")
    async def answer() -> tuple[str, str]:
        before = current_conversation()
        await asyncio.gather(asyncio.to_thread(int))
        return before, current_conversation()

    async def main() -> None:
        assert inspect.iscoroutinefunction(answer)
        assert await answer() == ("c-1", "c-1")
        assert current_conversation() == ""

    asyncio.run(main())


def test_tasks_at_the_same_time_keep_their_own() -> None:
    async def talk(conversation_id: str, both: asyncio.Barrier) -> tuple[str, str]:
        with conversation(conversation_id):
            await both.wait()
            inside = current_conversation()
            await both.wait()
        return inside, current_conversation()

    async def main() -> tuple[tuple[str, str], tuple[str, str]]:
        both = asyncio.Barrier(2)
        first, second = await asyncio.gather(talk("a", both), talk("b", both))
        return first, second

    assert asyncio.run(main()) == (("a", ""), ("b", ""))


def test_one_manager_may_be_entered_by_two_tasks_that_leave_in_any_order(caplog: pytest.LogCaptureFixture) -> None:
    shared = conversation("shared")

    async def talk(entered: asyncio.Barrier, leave: asyncio.Event, left: asyncio.Event) -> tuple[str, str]:
        with shared:
            await entered.wait()
            await leave.wait()
            inside = current_conversation()
        left.set()
        return inside, current_conversation()

    async def main() -> tuple[tuple[str, str], tuple[str, str]]:
        entered, go, first_left, second_left = asyncio.Barrier(2), asyncio.Event(), asyncio.Event(), asyncio.Event()
        go.set()
        first, second = await asyncio.gather(talk(entered, go, first_left), talk(entered, first_left, second_left))
        return first, second

    assert asyncio.run(main()) == (("shared", ""), ("shared", ""))
    assert caplog.records == []


def test_a_new_task_and_a_worker_thread_inherit_it() -> None:
    async def main() -> tuple[str, str]:
        with conversation("c-1"):
            task = asyncio.create_task(asyncio.to_thread(current_conversation))
            return await task, await asyncio.to_thread(current_conversation)

    assert asyncio.run(main()) == ("c-1", "c-1")


def test_a_generator_is_refused_at_once() -> None:
    def words() -> Iterator[str]:
        yield current_conversation()

    async def tokens() -> AsyncIterator[str]:
        yield current_conversation()

    with pytest.raises(TypeError, match="cannot decorate a generator"):
        conversation("c-1")(words)
    with pytest.raises(TypeError, match="cannot decorate a generator"):
        conversation("c-1")(tokens)


def test_an_abandoned_async_generator_disturbs_no_other_task(caplog: pytest.LogCaptureFixture) -> None:
    async def tokens() -> AsyncIterator[str]:
        with conversation("c-1"):
            yield current_conversation()

    async def main() -> str:
        stream = tokens()
        first = await asyncio.create_task(anext_of(stream))
        await stream.aclose()  # type: ignore[attr-defined] # an async generator is what it is
        assert current_conversation() == ""
        return first

    async def anext_of(stream: AsyncIterator[str]) -> str:
        return await anext(stream)

    assert asyncio.run(main()) == "c-1"
    assert caplog.records == []


@pytest.mark.parametrize(
    "conversation_id", ["c-1", "call 7/ä, =;%", "SRM_xk29", "9f1c7d0e-1c2b-4a5e-8f53-6a0c0c0e7d11"]
)
def test_it_travels_to_another_service(conversation_id: str) -> None:
    headers: dict[str, str] = {}
    with conversation(conversation_id):
        W3CBaggagePropagator().inject(headers)
    assert headers["baggage"].startswith("gen_ai.conversation.id=")
    assert current_conversation(W3CBaggagePropagator().extract(headers, Context())) == conversation_id


ANOTHER_SERVICE = """
import http.server
from opentelemetry import context, propagate
from opentelemetry.sdk.trace import TracerProvider
from spanwitness.sdk import SpanWitnessProcessor, current_conversation

provider = TracerProvider()
provider.add_span_processor(SpanWitnessProcessor())

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        token = context.attach(propagate.extract(self.headers))
        with provider.get_tracer("service").start_as_current_span("chat gpt-4o") as span:
            told = f"{current_conversation()}|{span.attributes['gen_ai.conversation.id']}|{span.parent.trace_id:032x}"
        context.detach(token)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(told.encode())

    def log_message(self, *args):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.handle_request()
server.server_close()
"""


def test_it_reaches_another_process_by_the_propagators_that_opentelemetry_sets(provider: TracerProvider) -> None:
    where = {**os.environ, "PYTHONPATH": str(Path(spanwitness.__file__).parents[1])}
    line = [sys.executable, "-c", ANOTHER_SERVICE]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=where) as service:  # noqa: S603 - our own text
        assert service.stdout is not None
        port = int(service.stdout.readline())
        headers: dict[str, str] = {}
        with conversation("call 7/\u00e4"), provider.get_tracer("test").start_as_current_span("request") as span:
            propagate.inject(headers)
            told = httpx.get(f"http://127.0.0.1:{port}/", headers=headers, timeout=30).text
    assert told == f"call 7/\u00e4|call 7/\u00e4|{span.get_span_context().trace_id:032x}"
    assert service.returncode == 0


def test_a_thread_gets_it_with_a_copied_context_and_not_without() -> None:
    found: list[str] = []

    def note() -> None:
        found.append(current_conversation())

    with conversation("c-1"):
        copied = contextvars.copy_context()
        for target in (lambda: copied.run(note), note):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert found == ["c-1", ""]


def test_the_end_is_marked_on_the_current_span(provider: TracerProvider, spans: InMemorySpanExporter) -> None:
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        assert end_conversation() is True
    assert attributes_of(spans, "inner") == {CONVERSATION_ENDED: True}
    assert attributes_of(spans, "outer") == {}


def test_a_span_from_outside_learns_which_conversation_ended(
    provider: TracerProvider, spans: InMemorySpanExporter
) -> None:
    with provider.get_tracer("test").start_as_current_span("request"), conversation("c-1"):
        end_conversation()
    assert attributes_of(spans, "request") == {CONVERSATION_ENDED: True, CONVERSATION: "c-1"}


def test_the_end_overwrites_no_id(provider: TracerProvider, spans: InMemorySpanExporter) -> None:
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("turn", attributes={CONVERSATION: "own"}), conversation("c-1"):
        end_conversation()
    assert attributes_of(spans, "turn") == {CONVERSATION_ENDED: True, CONVERSATION: "own"}


def test_without_a_recording_span_nothing_is_marked() -> None:
    assert end_conversation() is False
    with conversation("c-1"):
        assert end_conversation() is False


def test_the_import_is_light() -> None:
    heavy = "grpc", "google.protobuf", "pyarrow", "chdb", "starlette", "numpy", "clickhouse_connect", "ptars", "typer"
    code = f"import sys, spanwitness.sdk; print(*(name for name in {heavy!r} if name in sys.modules))"
    where = {**os.environ, "PYTHONPATH": str(Path(spanwitness.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=where)  # noqa: S603 - our own text
    assert done.stdout.split() == []
