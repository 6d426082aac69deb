"""Answers on the wire: acknowledgement, partial success and google.rpc.Status, for both transports."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import orjson
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from spanwitness.errors import Busy, Rejected, fault, wire_code
from spanwitness.receive import Signal

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from spanwitness.receive import Outcome

logger = logging.getLogger(__name__)

# A reason also travels three times in gRPC trailers, of which clients read 8 KiB in all. Escaped, a letter may take 12.
_REASON_CHARS: Final = 300
_BAD_REQUEST: Final = 400
_FAULT: Final = "internal error, nothing was stored"


class Encoding(StrEnum):
    """The two forms of OTLP/HTTP; an answer has the form of its request."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One request's refusal, ready for both transports.

    Attributes:
        grpc: canonical code by name.
        http: status code.
        reason: one line for the sender.
        retry_after_s: seconds to wait; None is final.
    """

    grpc: str
    http: int
    reason: str
    retry_after_s: float | None = None

    def status(self) -> Status:
        """The google.rpc.Status, with RetryInfo where a retry may succeed and BadRequest where the data is wrong."""
        status = Status(code=code_pb2.Code.Value(self.grpc), message=self.reason)
        if self.retry_after_s is not None:
            status.details.append(_packed(_retry_info(self.retry_after_s)))
        elif self.http == _BAD_REQUEST:
            status.details.append(_packed(BadRequest(field_violations=[{"description": self.reason}])))
        return status

    def headers(self) -> dict[str, str]:
        """Retry-After in whole seconds, at least 1, where a retry may succeed."""
        if self.retry_after_s is None:
            return {}
        return {"retry-after": str(max(1, math.ceil(self.retry_after_s)))}


def refusal_of(error: Exception) -> Refusal:
    """How `error` is told. Only what was written for the sender is repeated to it; a fault of ours is logged."""
    code = wire_code(error)
    if isinstance(error, Rejected):
        return Refusal(code.grpc, code.http, str(error)[:_REASON_CHARS])
    if isinstance(error, Busy):
        return Refusal(code.grpc, code.http, str(error)[:_REASON_CHARS], max(0.0, error.retry_after_s))
    logger.error("request answered as retryable after %s", fault(error))
    return Refusal(code.grpc, code.http, _FAULT, 1.0)


def acknowledgement(signal: Signal, outcome: Outcome) -> Message:
    """The response message; `partial_success` stays unset when there is nothing to say."""
    told = bool(outcome.rejected or outcome.reason)
    if signal is Signal.LOGS:
        logs = ExportLogsPartialSuccess(rejected_log_records=outcome.rejected, error_message=outcome.reason)
        return ExportLogsServiceResponse(partial_success=logs if told else None)
    spans = ExportTracePartialSuccess(rejected_spans=outcome.rejected, error_message=outcome.reason)
    return ExportTraceServiceResponse(partial_success=spans if told else None)


def encode(message: Message, encoding: Encoding) -> bytes:
    """`message` as an HTTP body."""
    if encoding is Encoding.JSON:
        return orjson.dumps(json_format.MessageToDict(message))
    return message.SerializeToString()


def _retry_info(seconds: float) -> RetryInfo:
    info = RetryInfo()
    info.retry_delay.FromMilliseconds(round(seconds * 1000))
    return info


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
