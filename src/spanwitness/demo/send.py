"""A sender of OTLP over both transports, in every form that senders use: plain, compressed, JSON."""

from __future__ import annotations

import gzip
import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spanwitness.demo.otlp_json import to_json
from spanwitness.errors import Busy, SpanWitnessError
from spanwitness.receive import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spanwitness.demo.play import Part, Request

_TIMEOUT_S: Final = 60.0
_TRIES: Final = 20
_OK: Final = 200
_RETRYABLE: Final = frozenset({429, 502, 503, 504})
_PATHS: Final = {Signal.TRACES: "/v1/traces", Signal.LOGS: "/v1/logs"}
_SERVICES: Final = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_ANSWERS: Final[Mapping[Signal, Any]] = {
    Signal.TRACES: ExportTraceServiceResponse,
    Signal.LOGS: ExportLogsServiceResponse,
}


@dataclass(frozen=True, slots=True)
class Form:
    """How a request travels."""

    transport: str
    json: bool = False
    gzip: bool = False


FORMS: Final = (
    Form("gRPC"),
    Form("HTTP"),
    Form("gRPC", gzip=True),
    Form("HTTP", json=True),
    Form("gRPC"),
    Form("HTTP", gzip=True),
    Form("gRPC", gzip=True),
    Form("HTTP", json=True, gzip=True),
)
"""In turn: half of the requests over each transport."""


class Sender:
    """Sends requests to one server. `send` may be called from several threads.

    Args:
        addresses: HOST:PORT by "grpc" and "http".
        pause: waits before another try; raises SpanWitnessError where trying again is of no use.
    """

    def __init__(self, addresses: Mapping[str, str], pause: Callable[[float], None]) -> None:
        self._http = addresses["http"]
        self._channel = grpc.insecure_channel(addresses["grpc"])
        self._pause = pause

    def close(self) -> None:
        """Ends the connections."""
        self._channel.close()

    def send(self, part: Part, form: Form) -> None:
        """Returns once the server has said that the request is stored, all of it.

        Raises:
            SpanWitnessError: it refused the request or a part of it, or is too busy for long.
        """
        send = self._by_grpc if form.transport == "gRPC" else self._by_http
        for _ in range(_TRIES):
            try:
                refused = send(part, form)
            except Busy as busy:
                self._pause(busy.retry_after_s)
                continue
            if refused:
                raise SpanWitnessError(f"the server refused a part of a request over {form.transport}: {refused}")
            return
        raise SpanWitnessError(f"the server did not take a request over {form.transport} in {_TRIES} tries")

    def _by_grpc(self, part: Part, form: Form) -> str:
        export = self._channel.unary_unary(
            _SERVICES[part.signal],
            request_serializer=_serialised,
            response_deserializer=_ANSWERS[part.signal].FromString,
        )
        compression = grpc.Compression.Gzip if form.gzip else grpc.Compression.NoCompression
        try:
            answer = export(part.request, timeout=_TIMEOUT_S, compression=compression)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise Busy(str(error.details())) from None
            raise SpanWitnessError(f"over gRPC: {error.code().name}: {error.details()}") from None
        return _refused(answer)

    def _by_http(self, part: Part, form: Form) -> str:
        body = to_json(part.request) if form.json else _serialised(part.request)
        headers = {"Content-Type": "application/json" if form.json else "application/x-protobuf"}
        if form.gzip:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        status, answer, retry_after = self._post(_PATHS[part.signal], body, headers)
        if status in _RETRYABLE:
            raise Busy(f"HTTP {status}", retry_after_s=retry_after)
        if status != _OK:
            raise SpanWitnessError(f"over HTTP: status {status}: {answer[:200].decode(errors='replace')}")
        if form.json:
            return str(orjson.loads(answer).get("partialSuccess") or "")
        return _refused(_ANSWERS[part.signal].FromString(answer))

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, float]:
        host, _, port = self._http.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=_TIMEOUT_S)
        try:
            connection.request("POST", path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.read(), _seconds(response.getheader("Retry-After"))
        except OSError as error:
            raise Busy(f"the connection failed: {error}") from None
        finally:
            connection.close()


def _serialised(request: Request) -> bytes:
    return request.SerializeToString()


def _refused(answer: Any) -> str:
    return str(answer.partial_success).strip().replace("\n", ", ")


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdigit() else 1.0
