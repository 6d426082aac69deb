"""A real server on a free port, a real client for each form of OTLP, and an ingest with memory behind it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import inspect
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import httpx
import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette

from spanwitness.errors import Rejected
from spanwitness.receive import DEFAULT_LIMITS, Caller, Limits, Outcome, Signal
from spanwitness.receive.otlp_grpc import SERVICES, GrpcReceiver
from spanwitness.receive.otlp_http import HttpReceiver, otlp_routes, unknown_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

Request = ExportTraceServiceRequest | ExportLogsServiceRequest


EMPTY: Mapping[str, str] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs `async def` tests, each in a loop of its own and within half a minute."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), 30))
    return True


def otlp_json(request: Request) -> bytes:
    def hexed(value: Any) -> Any:
        if isinstance(value, list):
            return [hexed(item) for item in value]
        if not isinstance(value, dict):
            return value
        ids = {"traceId", "spanId", "parentSpanId"}
        return {key: base64.b64decode(item).hex() if key in ids else hexed(item) for key, item in value.items()}

    return orjson.dumps(hexed(json_format.MessageToDict(request)))


@dataclass
class MemoryIngest:
    """Decodes and keeps requests. Spans without proper ids are rejected by item, as the real path does.

    Attributes:
        error: raised in place of storing.
        warning: the reason of the outcome.
        gate: when set, nothing is stored before it opens.
    """

    error: Exception | None = None
    warning: str = ""
    gate: asyncio.Event | None = None
    stored: list[Request] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    waiting: int = 0
    arrivals: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, body: bytes, signal: Signal, caller: Caller) -> Outcome:
        async with self.arrivals:
            self.waiting += 1
            self.arrivals.notify_all()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        request = _decoded(body, signal)
        self.stored.append(request)
        self.callers.append(caller)
        bad = _bad_ids(request)
        return Outcome(bad, "bad ids" if bad else self.warning)

    async def arrived(self, count: int) -> None:
        """Returns once `count` requests have come."""
        async with self.arrivals:
            await self.arrivals.wait_for(lambda: self.waiting >= count)


def _decoded(body: bytes, signal: Signal) -> Request:
    kind = ExportTraceServiceRequest if signal is Signal.TRACES else ExportLogsServiceRequest
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise Rejected("not protobuf") from error


def _bad_ids(request: Request) -> int:
    if isinstance(request, ExportLogsServiceRequest):
        return 0
    every = [span for part in request.resource_spans for scope in part.scope_spans for span in scope.spans]
    return sum(len(s.trace_id) != 16 or len(s.span_id) != 8 or len(s.parent_span_id) not in {0, 8} for s in every)


@dataclass(frozen=True)
class Answer:
    """What a sender makes of its request: "stored", "retry" (keep the data), "final" (drop it) or "too large"."""

    kind: str
    rejected: int = 0
    reason: str = ""
    retry_after_s: float | None = None
    bad_request: bool = False


def _signal(request: Request) -> Signal:
    return Signal.TRACES if isinstance(request, ExportTraceServiceRequest) else Signal.LOGS


def _told(status: Status, kind: str) -> Answer:
    retry, bad = RetryInfo(), BadRequest()
    delay = next((retry.retry_delay.ToTimedelta() for detail in status.details if detail.Unpack(retry)), None)
    seconds = None if delay is None else delay.total_seconds()
    return Answer(kind, 0, status.message, seconds, any(detail.Unpack(bad) for detail in status.details))


def _reply(request: Request) -> ExportTraceServiceResponse | ExportLogsServiceResponse:
    return ExportTraceServiceResponse() if _signal(request) is Signal.TRACES else ExportLogsServiceResponse()


def _acknowledged(response: ExportTraceServiceResponse | ExportLogsServiceResponse) -> Answer:
    assert response.HasField("partial_success") == bool(response.ByteSize())
    partial = response.partial_success
    rejected = getattr(partial, "rejected_spans", 0) or getattr(partial, "rejected_log_records", 0)
    return Answer("stored", rejected, partial.error_message)


class GrpcClient:
    KINDS = {  # noqa: RUF012 - a table of the test's own
        grpc.StatusCode.UNAVAILABLE: "retry",
        grpc.StatusCode.CANCELLED: "retry",
        grpc.StatusCode.RESOURCE_EXHAUSTED: "too large",
    }

    def __init__(self, address: str) -> None:
        self.channel = grpc.aio.insecure_channel(address)

    async def send(self, request: Request, *, packed: bool = False, headers: Mapping[str, str] = EMPTY) -> Answer:
        export: Any = self.channel.unary_unary(f"/{SERVICES[_signal(request)]}/Export")
        compression = grpc.Compression.Gzip if packed else None
        metadata = list(headers.items())
        try:
            body = await export(request.SerializeToString(), compression=compression, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return self.refused(error)
        reply = _reply(request)
        reply.ParseFromString(body)
        return _acknowledged(reply)

    def refused(self, error: grpc.aio.AioRpcError) -> Answer:
        trailers = dict(error.trailing_metadata() or ())
        status = Status.FromString(trailers.get("grpc-status-details-bin", b""))
        return _told(status, self.KINDS.get(error.code(), "final"))

    async def close(self) -> None:
        await self.channel.close()


class HttpClient:
    KINDS = {429: "retry", 502: "retry", 503: "retry", 504: "retry", 413: "too large"}  # noqa: RUF012 - the same

    def __init__(self, address: str, content_type: str) -> None:
        self.http = httpx.AsyncClient(base_url=f"http://{address}", timeout=30, limits=httpx.Limits())
        self.content_type = content_type

    async def send(self, request: Request, *, packed: bool = False, headers: Mapping[str, str] = EMPTY) -> Answer:
        body = otlp_json(request) if self.content_type.endswith("json") else request.SerializeToString()
        named = {"content-type": self.content_type, **headers}
        if packed:
            named["content-encoding"] = "gzip"
        path = f"/v1/{_signal(request)}"
        try:
            response = await self.http.post(path, content=gzip.compress(body) if packed else body, headers=named)
        except httpx.TransportError:
            return Answer("retry")
        assert response.headers["content-type"] == self.content_type
        return self.told(response, request)

    def told(self, response: httpx.Response, request: Request) -> Answer:
        if response.status_code == 200:
            return _acknowledged(self.parsed(response.content, _reply(request)))
        answer = _told(self.parsed(response.content, Status()), self.KINDS.get(response.status_code, "final"))
        assert (answer.retry_after_s is not None) == ("retry-after" in response.headers)
        return answer

    def parsed(self, content: bytes, message: Any) -> Any:
        if self.content_type.endswith("json"):
            return json_format.Parse(content, message)
        return message.FromString(content)

    async def close(self) -> None:
        await self.http.aclose()


Receiver = GrpcReceiver | HttpReceiver
Client = GrpcClient | HttpClient


@dataclass
class Bench:
    """One transport under test."""

    form: str
    ingest: MemoryIngest = field(default_factory=MemoryIngest)
    address: str = ""

    @staticmethod
    def spans(*span_ids: bytes, name: str = "chat") -> ExportTraceServiceRequest:
        """A request of spans with these ids; of one good span where none is given."""
        wanted = [{"trace_id": b"t" * 16, "span_id": span_id, "name": name} for span_id in span_ids or (b"s" * 8,)]
        return ExportTraceServiceRequest(resource_spans=[{"scope_spans": [{"spans": wanted}]}])  # type: ignore[list-item]

    @staticmethod
    def logs(text: str) -> ExportLogsServiceRequest:
        record = {"body": {"string_value": text}}
        return ExportLogsServiceRequest(resource_logs=[{"scope_logs": [{"log_records": [record]}]}])  # type: ignore[list-item]

    def receiver(self, address: str = "127.0.0.1:0", limits: Limits = DEFAULT_LIMITS, **options: Any) -> Receiver:
        if self.form == "grpc":
            return GrpcReceiver(self.ingest, address, limits)
        routes = otlp_routes(self.ingest, limits, allowed_origins=options.pop("allowed_origins", ()))
        return HttpReceiver(Starlette(routes=routes, exception_handlers={404: unknown_path}), address, **options)

    def client(self) -> Client:
        return GrpcClient(self.address) if self.form == "grpc" else HttpClient(self.address, f"application/{self.form}")

    @asynccontextmanager
    async def up(self, limits: Limits = DEFAULT_LIMITS, **options: Any) -> AsyncIterator[Receiver]:
        receiver = self.receiver(limits=limits, **options)
        self.address = await receiver.start()
        try:
            yield receiver
        finally:
            await receiver.stop(1)

    @asynccontextmanager
    async def calling(self, limits: Limits = DEFAULT_LIMITS) -> AsyncIterator[Client]:
        """A server and a client of it."""
        async with self.up(limits):
            client = self.client()
            try:
                yield client
            finally:
                await client.close()

    async def refusing(self) -> None:
        """Returns once nothing listens on the address any more."""
        host, _, port = self.address.rpartition(":")
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                return
            writer.close()


@pytest.fixture(params=["grpc", "x-protobuf", "json"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)


@pytest.fixture
def grpc_bench() -> Bench:
    return Bench("grpc")


@pytest.fixture
def http_bench() -> Bench:
    return Bench("x-protobuf")
