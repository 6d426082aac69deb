"""The captures as traffic: senders that keep a request until it is acknowledged, as a client of OTLP does."""

from __future__ import annotations

import gzip
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from spanwitness.receive import Signal
from spanwitness.testing import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    SpanKey = tuple[str, str, str]

CAPTURES: Final = Path(__file__).parents[1] / "captures"
_SENDERS: Final = 6
_PATIENCE_S: Final = 180.0
_DEADLINE_S: Final = 20.0
_PAUSE_S: Final = 0.05
_SERVICES: Final = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_PATHS: Final = {Signal.TRACES: "/v1/traces", Signal.LOGS: "/v1/logs"}
_CHANNEL: Final = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
# What a client of OTLP sends again; anything else would be lost, and fails the test.
_AGAIN: Final = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
_AGAIN_HTTP: Final = {429, 502, 503, 504}
_MESSAGES: Final[dict[Signal, Any]] = {Signal.TRACES: ExportTraceServiceRequest, Signal.LOGS: ExportLogsServiceRequest}


@dataclass(frozen=True, slots=True)
class Request:
    """An export request, as bytes."""

    signal: Signal
    body: bytes


def recorded(copies: int = 1) -> list[Request]:
    """All captures, each as a tenant of its own, since they share conversations. Copies differ by tenant alone."""
    found = []
    for path in sorted(CAPTURES.glob("*.otlp.gz")):
        signal = Signal.LOGS if path.name.endswith(".logs.otlp.gz") else Signal.TRACES
        for body in frames(gzip.decompress(path.read_bytes())):
            found += [Request(signal, _owned(body, signal, f"{path.name.split('.')[0]}-{n}")) for n in range(copies)]
    return found


def _owned(body: bytes, signal: Signal, tenant: str) -> bytes:
    request = _MESSAGES[signal].FromString(body)
    for resource, item in _items(request):
        for told in (resource.resource.attributes, item.attributes):
            kept = [pair for pair in told if pair.key != "tenant.id"]
            del told[:]
            told.extend(kept)
        resource.resource.attributes.add(key="tenant.id").value.string_value = tenant
    return bytes(request.SerializeToString())


def _items(request: Any) -> Iterator[tuple[Any, Any]]:
    """Every span or log record, with what stands around it."""
    if isinstance(request, ExportTraceServiceRequest):
        for resource in request.resource_spans:
            yield from ((resource, span) for scope in resource.scope_spans for span in scope.spans)
    else:
        for resource in request.resource_logs:
            yield from ((resource, record) for scope in resource.scope_logs for record in scope.log_records)


def _tenant(resource: Any, item: Any) -> str:
    """As the sender said on the resource, or SpanWitness on the item when it passed it on."""
    told = (pair for pair in (*item.attributes, *resource.resource.attributes) if pair.key == "tenant.id")
    return next((str(pair.value.string_value) for pair in told), "")


def spans(requests: Iterable[Request]) -> Iterator[tuple[SpanKey, dict[str, Any]]]:
    """Every span in requests: tenant, trace and span id; and its string attributes."""
    for request in requests:
        if request.signal is Signal.TRACES:
            for resource, span in _items(ExportTraceServiceRequest.FromString(request.body)):
                told = {pair.key: pair.value.string_value for pair in span.attributes}
                yield (_tenant(resource, span), span.trace_id.hex(), span.span_id.hex()), told


def logs(requests: Iterable[Request]) -> Iterator[tuple[str, bytes]]:
    """Every log record in requests, but for our scores: its tenant, and the whole of it."""
    for request in requests:
        if request.signal is Signal.LOGS:
            for resource, record in _items(ExportLogsServiceRequest.FromString(request.body)):
                if record.event_name != "gen_ai.evaluation.result":
                    yield _tenant(resource, record), record.SerializeToString(deterministic=True)


class _OverGrpc:
    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, options=_CHANNEL)

    def send(self, request: Request) -> bytes | None:
        """The answer to a request; None: it is to be sent again."""
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(_SERVICES[request.signal])
        try:
            return call(request.body, timeout=_DEADLINE_S)
        except grpc.RpcError as error:
            if error.code() not in _AGAIN:
                raise
            return None

    def close(self) -> None:
        self._channel.close()


class _OverHttp:
    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=f"http://{address}", timeout=_DEADLINE_S)

    def send(self, request: Request) -> bytes | None:
        """The answer to a request; None: it is to be sent again."""
        headers = {"content-type": "application/x-protobuf"}
        try:
            answer = self._client.post(_PATHS[request.signal], content=request.body, headers=headers)
        except httpx.TransportError:
            return None
        assert answer.status_code in {200, *_AGAIN_HTTP}, answer.text
        return answer.content if answer.status_code == httpx.codes.OK else None

    def close(self) -> None:
        self._client.close()


@dataclass
class Sending:
    """Requests on their way, every other sender over HTTP. `acknowledged` grows while they are."""

    requests: Sequence[Request]
    grpc: str
    http: str
    acknowledged: int = 0
    again: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _futures: list[Future[None]] = field(default_factory=list)
    _todo: queue.SimpleQueue[Request] = field(default_factory=queue.SimpleQueue)

    def through(self, moment: int = 0, happens: Callable[[], None] = lambda: None) -> None:
        """Sends all; when `moment` of them are acknowledged, something happens while the others are on their way.

        Raises:
            TimeoutError: a request is not acknowledged for minutes.
        """
        for request in self.requests:
            self._todo.put(request)
        with ThreadPoolExecutor(_SENDERS) as pool:
            senders = [_OverHttp(self.http) if n % 2 else _OverGrpc(self.grpc) for n in range(_SENDERS)]
            futures = [pool.submit(self._send_all, sender) for sender in senders]
            with self._changed:
                self._changed.wait_for(lambda: self.acknowledged >= moment, _PATIENCE_S)
            happens()
            for future in futures:
                future.result(_PATIENCE_S)

    def _send_all(self, sender: _OverGrpc | _OverHttp) -> None:
        try:
            while True:
                self._send(sender, self._todo.get_nowait())
        except queue.Empty:
            return
        finally:
            sender.close()

    def _send(self, sender: _OverGrpc | _OverHttp, request: Request) -> None:
        until = time.monotonic() + _PATIENCE_S
        while (answer := sender.send(request)) is None:
            if time.monotonic() > until:
                raise TimeoutError("a request is not acknowledged")
            with self._changed:
                self.again += 1
            threading.Event().wait(_PAUSE_S)
        assert _refused(request.signal, answer) == 0
        with self._changed:
            self.acknowledged += 1
            self._changed.notify_all()


def _refused(signal: Signal, answer: bytes) -> int:
    if signal is Signal.TRACES:
        return ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
    return ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records
