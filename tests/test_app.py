"""A real server process, real senders: what is acknowledged is durable, whatever happens to the process."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import threading
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from spanwitness.access import reach
from spanwitness.api import POINTER, Pointer, ServeClient
from spanwitness.config import parse
from spanwitness.evaluators import BUNDLE
from spanwitness.testing import chat, trace_request, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Serve

    Start = Callable[..., Serve]

PROTOBUF = {"content-type": "application/x-protobuf"}
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def send_http(server: Serve, body: bytes, within_s: float = 10.0) -> httpx.Response:
    return httpx.post(f"http://{server.addresses['http']}/v1/traces", content=body, headers=PROTOBUF, timeout=within_s)


def send_grpc(server: Serve, body: bytes, within_s: float = 10.0) -> ExportTraceServiceResponse:
    with grpc.insecure_channel(server.addresses["grpc"]) as channel:
        export: Any = channel.unary_unary(EXPORT, response_deserializer=ExportTraceServiceResponse.FromString)
        answer: ExportTraceServiceResponse = export(body, timeout=within_s)
        return answer


def asked(store: str, sql: str) -> list[dict[str, Any]]:
    """What the record says, through the server where one runs."""
    with reach(parse({"store": {"url": store}})) as access:
        return [json.loads(line) for line in access.ask(sql, "JSONEachRow").splitlines()]


def count(store: str, table: str) -> int:
    return int(asked(store, f"SELECT toUInt32(count()) AS n FROM {table}")[0]["n"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, serving: Start) -> Iterator[Serve]:
    """Shared by tests that leave it as it is, each with a tenant of its own."""
    started = serving(tmp_path_factory.mktemp("server"), "--idle", "1h")
    yield started
    started.kill()


def spans_of(server: Serve, tenant: str) -> int:
    return count(server.store, f"otel_traces WHERE TenantId = '{tenant}'")


def test_the_ready_line_tells_addresses_that_accept_data(server: Serve) -> None:
    assert server.ready.split()[0] == "ready"
    assert list(server.addresses) == ["grpc", "http"]
    assert send_grpc(server, trace_request([chat(1, 1)], tenant="ready")) == ExportTraceServiceResponse()
    assert send_http(server, trace_request([chat(1, 2)], tenant="ready")).status_code == 200
    assert httpx.get(f"http://{server.addresses['http']}/health").json() == {"status": "ok"}
    assert spans_of(server, "ready") == 2


def test_what_is_acknowledged_can_be_read_at_once(server: Serve) -> None:
    for number in range(1, 6):
        send_http(server, trace_request([chat(number, 1)], tenant="read"))
        assert spans_of(server, "read") == number


def test_spans_that_are_refused_are_counted_and_the_others_are_stored(server: Serve) -> None:
    request = ExportTraceServiceRequest.FromString(trace_request([chat(1, 1), chat(1, 2)], tenant="refused"))
    request.resource_spans[0].scope_spans[0].spans[1].span_id = b"short"
    answer = send_grpc(server, request.SerializeToString())
    assert answer.partial_success.rejected_spans == 1
    assert "1 of 2 spans refused" in answer.partial_success.error_message
    assert send_http(server, b"nonsense").status_code == 400
    assert spans_of(server, "refused") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_with_status_zero(serve: Start, number: signal.Signals) -> None:
    server = serve()
    acknowledged: queue.Queue[int] = queue.Queue()
    senders = [threading.Thread(target=send_until_refused, args=(server, n, acknowledged)) for n in range(1, 5)]
    for sender in senders:
        sender.start()
    until(lambda: acknowledged.qsize() > 8)
    server.process.send_signal(number)
    assert server.process.wait(30) == 0
    for sender in senders:
        sender.join()

    assert server.process.stdout is not None
    assert server.process.stdout.read() == "", "one line on stdout, logs on stderr"
    assert "Traceback" not in server.log.read_text()
    assert count(server.store, "otel_traces") >= acknowledged.qsize()


def send_until_refused(server: Serve, sender: int, acknowledged: queue.Queue[int]) -> None:
    for number in range(1, 100_000):
        try:
            if send_http(server, trace_request([chat(sender, number, 0, "c")])).status_code != 200:
                return
        except httpx.TransportError:
            return
        acknowledged.put(number)


def test_a_server_that_stopped_leaves_no_pointer_and_starts_again(serve: Start, tmp_path: Path) -> None:
    first = serve()
    pointer = tmp_path / "store" / POINTER
    assert pointer.stat().st_mode & 0o777 == 0o600
    send_http(first, trace_request([chat(1, 1, 0, "c")]))
    assert first.terminate() == 0
    assert not pointer.exists()
    assert count(serve().store, "otel_traces") == 1


def test_silence_closes_scores_and_tells_the_swap(serve: Start) -> None:
    server = serve("--idle", "400ms")
    calls = [chat(1, 1, 0, "a"), chat(2, 1, 10, "b", served="gpt-4o-mini-2024-07-18")]
    send_grpc(server, trace_request(calls))
    until(lambda: count(server.store, "conversations") == 2)
    until(lambda: count(server.store, "model_swaps") == 2)
    assert count(server.store, "scores") == 2 * len(BUNDLE.evaluators)
    rows = asked(server.store, "SELECT CloseReason, Revision FROM conversations")
    assert rows == [{"CloseReason": "idle", "Revision": 1}] * 2
    assert server.terminate() == 0
    told = server.log.read_text()
    assert "model swap: tenant=acme service=claims" in told
    assert "openai/gpt-4o-2024-08-06 -> openai/gpt-4o-mini-2024-07-18" in told


def test_a_close_through_the_api_is_done_when_it_answers(server: Serve) -> None:
    for tenant in ("closing", "open"):
        send_http(server, trace_request([chat(1, 1, 0, "c")], tenant=tenant))
    pointer = Pointer.read(server.log.parent / "store")
    assert pointer is not None
    client = ServeClient(pointer)
    assert client.close("c", "closing") == {"closed": 1, "revised": 0, "unchanged": 0, "failed": 0}
    assert asked(server.store, "SELECT TenantId FROM conversations") == [{"TenantId": "closing"}]


class Sender:
    """Sends one span a request and keeps each until it is acknowledged, over restarts, as an SDK's exporter does."""

    def __init__(self, number: int, server: Serve) -> None:
        self.server = server
        self.acknowledged: list[str] = []
        self._number = number
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def expect(self, more: int) -> None:
        """Returns once so many more are acknowledged."""
        wanted = len(self.acknowledged) + more
        until(lambda: len(self.acknowledged) >= wanted)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        at = 0
        while not self._stop.is_set():
            at += 1
            trace = self._number * 100_000 + at // 5
            span = chat(trace, at, at, f"c{self._number}-{at // 20}")
            while not self._sent(trace_request([span])):
                self._stop.wait(0.02)
            self.acknowledged.append(span.span_id + span.trace_id)

    def _sent(self, body: bytes) -> bool:
        with contextlib.suppress(httpx.TransportError, grpc.RpcError):
            if self._number % 2:
                return send_http(self.server, body, 3).status_code == 200
            return not send_grpc(self.server, body, 3).partial_success.rejected_spans
        return False


@pytest.fixture
def senders(serve: Start) -> Iterator[list[Sender]]:
    first = serve("--idle", "500ms")
    started = [Sender(number, first) for number in range(1, 5)]
    yield started
    for sender in started:
        sender.stop()


def test_killed_again_and_again_nothing_acknowledged_is_lost_or_there_twice(
    serve: Start, senders: list[Sender]
) -> None:
    server = senders[0].server
    for _ in range(5):
        for sender in senders:
            sender.expect(4)
        server.kill()
        server = serve("--idle", "500ms")
        for sender in senders:
            sender.server = server
    for sender in senders:
        sender.stop()

    acknowledged = [identity for sender in senders for identity in sender.acknowledged]
    stored = [row["id"] for row in asked(server.store, "SELECT concat(SpanId, TraceId) AS id FROM otel_traces")]
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored)

    conversations = len(
        {identity_of(sender, at) for sender in senders for at in range(1, len(sender.acknowledged) + 1)}
    )
    until(lambda: count(server.store, "conversations_latest") >= conversations)
    until(lambda: asked(server.store, UNSETTLED) == [])
    assert asked(server.store, TWICE_SCORED) == []
    assert asked(server.store, HOLES) == []
    (scored,) = asked(server.store, "SELECT toUInt32(count()) AS n FROM scores")
    assert scored["n"] == count(server.store, "conversations") * len(BUNDLE.evaluators)


def identity_of(sender: Sender, at: int) -> str:
    return f"{id(sender)}-{at // 20}"


UNSETTLED = "SELECT SpanId FROM otel_traces WHERE TrajectoryStep = 0 OR ConversationId = '' LIMIT 5"
TWICE_SCORED = """
SELECT ConversationId, Revision, Evaluator, toUInt32(count()) AS n FROM scores GROUP BY ALL HAVING n > 1
"""
HOLES = """
SELECT ConversationId, toUInt32(max(Step)) AS last, toUInt32(uniqExact(SpanId, TraceId)) AS steps
FROM steps_latest GROUP BY ConversationId HAVING last != steps OR steps != toUInt32(count())
"""
