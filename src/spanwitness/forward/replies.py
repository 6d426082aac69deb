"""What a next hop answers, on both transports, as what we do about it."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spanwitness.columns import Problem
from spanwitness.errors import Busy, Rejected, TooLarge
from spanwitness.forward import Throttled

if TYPE_CHECKING:
    from spanwitness.forward import Kind

# OTLP's specification ("Failures"). All that is not listed is final: the client must not send the same again.
RETRYABLE_HTTP: Final = frozenset({429, 502, 503, 504})
RETRYABLE_GRPC: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
_TOO_LARGE: Final = frozenset({"413", "RESOURCE_EXHAUSTED"})
_MAX_WAIT_S: Final = 300.0
_MESSAGE_CHARS: Final = 300


def taken(kind: Kind, body: bytes) -> Problem | None:
    """What an acknowledgement says of single items. One that cannot be read is one too: the hop has the data."""
    message: Any = ExportLogsServiceResponse() if kind == "logs" else ExportTraceServiceResponse()
    try:
        message.ParseFromString(body)
    except DecodeError:
        return None
    partial = message.partial_success
    rejected = partial.rejected_log_records if kind == "logs" else partial.rejected_spans
    if rejected <= 0 and not partial.error_message:
        return None
    return Problem(max(0, rejected), f"the next hop: {partial.error_message[:_MESSAGE_CHARS] or 'gave no reason'}")


def refused_http(status: int, retry_after: str | None, body: bytes, now: dt.datetime) -> Busy | Rejected:
    """A status that is not 2xx."""
    if status in RETRYABLE_HTTP:
        wait = _seconds(retry_after, now)
        return _busy(str(status), _retry_delay(body) if wait is None else wait)
    return _final(str(status), _status(body).message)


def refused_grpc(code: str, message: str, details: bytes) -> Busy | Rejected:
    """A status that is not OK. `details`: grpc-status-details-bin."""
    wait = _retry_delay(details)
    if code in RETRYABLE_GRPC or (code == "RESOURCE_EXHAUSTED" and wait is not None):
        return _busy(code, wait)
    return _final(code, message)


def unreachable(why: str) -> Busy:
    """No answer at all."""
    return _busy(why, None)


def without_words(error: Rejected) -> str:
    """A refusal for the log: without the hop's own words, which may quote what it was sent."""
    return str(error).partition("): ")[0].removesuffix(")") + ")"


def _busy(why: str, wait_s: float | None) -> Busy:
    reason = f"the next hop did not take the data ({why})"
    if wait_s is None:
        return Busy(reason)
    return Throttled(reason, retry_after_s=min(max(0.0, wait_s), _MAX_WAIT_S))


def _final(code: str, message: str) -> Rejected:
    kind = TooLarge if code in _TOO_LARGE else Rejected
    return kind(f"the next hop refused the request for good ({code}): {message[:_MESSAGE_CHARS] or 'no reason given'}")


def _seconds(text: str | None, now: dt.datetime) -> float | None:
    """Retry-After: seconds or a date."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or dt.UTC) - now).total_seconds()


def _retry_delay(details: bytes) -> float | None:
    info = RetryInfo()
    for detail in _status(details).details:
        try:
            if detail.Is(RetryInfo.DESCRIPTOR) and detail.Unpack(info):
                return float(info.retry_delay.seconds + info.retry_delay.nanos / 10**9)
        except DecodeError:  # it does not say when, then
            return None
    return None


def _status(body: bytes) -> Any:
    try:
        return Status.FromString(body)
    except DecodeError:
        return Status()
