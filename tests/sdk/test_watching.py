"""Which requests are looked at, and which span is stamped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from tests.sdk.asking import ASKED, HELLO, ask_httpx, openai_at
from tests.sdk.model_server import OLD, Answer, ModelServer, events, whole
from tests.sdk.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("/v1beta/models/gemini-2.5-flash:generateContent", {"modelVersion": "gemini-2.5-flash"}, "gemini-2.5-flash"),
        ("/v1beta/models/g:streamGenerateContent?alt=sse", [{"modelVersion": "g-001"}], "g-001"),
        ("/openai/deployments/prod/chat/completions?api-version=2024-10-21", {"model": OLD[0]}, OLD[0]),
        ("/model/anthropic.claude-3-5-sonnet/invoke", {"type": "message", "model": "claude-3-5"}, "claude-3-5"),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/c:rawPredict", {"model": "claude-4"}, "claude-4"),
        ("/api/chat", {"model": "llama3.2", "message": {"content": "hi"}}, "llama3.2"),
        ("/model/anthropic.claude-3-5-sonnet/converse", {"model": "no"}, None),
        ("/v1/messages/count_tokens", {"model": "no"}, None),
        ("/v1/embeddings", {"model": "no"}, None),
        ("/v1/audio/transcriptions", {"model": "no"}, None),
        ("/messages", {"model": "no"}, None),
        ("/orders", {"model": "no"}, None),
    ],
)
def test_the_address_tells_what_is_a_model_call(
    server: ModelServer, tracing: Tracing, path: str, body: Any, model: str | None
) -> None:
    server.answer = lambda *_: events(body) if isinstance(body, list) else whole(body)
    with tracing.tracer.start_as_current_span("chat gpt-4o"):
        httpx.post(f"{server.address}{path}", json={})
    assert tracing.served() == (model, None)


@pytest.mark.usefixtures("installed")
def test_the_call_above_the_request_is_stamped_and_nothing_else(server: ModelServer, tracing: Tracing) -> None:
    start = tracing.tracer.start_as_current_span
    http = {"http.request.method": "POST"}
    with (
        start("invoke_agent claims"),
        start("execute_tool ask"),
        start("call_llm"),
        start("generate_content gpt-4o"),
        start("attempt"),
        start("POST", kind=SpanKind.CLIENT, attributes=http),
    ):
        ask_httpx(server)
    assert tracing.served("call_llm") == tracing.served("generate_content gpt-4o") == OLD
    for name in ("POST", "attempt", "execute_tool ask", "invoke_agent claims"):
        assert tracing.served(name) == (None, None)


@pytest.mark.usefixtures("installed")
def test_without_a_call_the_spans_that_say_nothing_are_stamped(server: ModelServer, tracing: Tracing) -> None:
    start = tracing.tracer.start_as_current_span
    with start("execute_tool ask"), start("a"), start("b"), start("c"), start("d"):
        ask_httpx(server)
    assert [tracing.served(name)[0] for name in "abcd"] == [None, OLD[0], OLD[0], OLD[0]]
    assert tracing.served("execute_tool ask") == (None, None)


@pytest.mark.usefixtures("installed")
def test_a_tool_that_asks_a_model_itself_is_not_stamped(server: ModelServer, tracing: Tracing) -> None:
    with tracing.tracer.start_as_current_span("chat gpt-4o"), tracing.tracer.start_as_current_span("execute_tool ask"):
        ask_httpx(server)
    assert tracing.served("chat gpt-4o") == tracing.served("execute_tool ask") == (None, None)


@pytest.mark.usefixtures("installed")
def test_without_the_processor_the_current_span_is_stamped(server: ModelServer) -> None:
    tracing = Tracing(plain=True)
    with tracing.tracer.start_as_current_span("above"), tracing.tracer.start_as_current_span("chat gpt-4o"):
        ask_httpx(server)
    assert (tracing.served(), tracing.served("above")) == (OLD, (None, None))


@pytest.mark.usefixtures("installed")
def test_a_span_that_ended_before_its_stream_is_left_alone(
    server: ModelServer, tracing: Tracing, caplog: pytest.LogCaptureFixture
) -> None:
    with openai_at(server) as client:
        with tracing.tracer.start_as_current_span("chat gpt-4o"):
            stream = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
        assert len(list(stream)) == 3
    assert tracing.served() == (None, None)
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


class Foreign(trace.NonRecordingSpan):
    """A recording span of another SDK: it says less of itself than OpenTelemetry's own does."""

    attributes: ClassVar[Mapping[str, Any]] = {}

    def is_recording(self) -> bool:
        return True


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("body", [b'{"model": "gpt-4o"}', b'{"model": "gpt-4o"'], ids=["read", "known at its end"])
def test_a_span_of_another_sdk_does_not_break_the_answer(server: ModelServer, body: bytes) -> None:
    server.answer = lambda *_: Answer([body])
    with trace.use_span(Foreign(trace.INVALID_SPAN_CONTEXT)):
        with httpx.stream("POST", f"{server.address}/v1/chat/completions", json=ASKED) as response:
            assert response.read() == body
        assert httpx.post(f"{server.address}/v1/chat/completions", json=ASKED).content == body


@pytest.mark.usefixtures("installed")
def test_embeddings_leave_the_span_alone(server: ModelServer, tracing: Tracing) -> None:
    with tracing.tracer.start_as_current_span("chat gpt-4o"), openai_at(server) as client:
        client.embeddings.create(model="text-embedding-3-small", input="hello")
    assert tracing.served() == (None, None)
