"""What a next hop answers, and what that makes us do: OTLP's own table."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from spanwitness.columns import Problem
from spanwitness.errors import Busy, Rejected, TooLarge
from spanwitness.forward import Throttled
from spanwitness.forward.replies import refused_grpc, refused_http, taken, unreachable

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


def status(message: str = "", retry_s: float | None = None) -> bytes:
    told = Status(code=14, message=message)
    if retry_s is not None:
        info, packed = RetryInfo(), AnyMessage()
        info.retry_delay.FromMilliseconds(round(retry_s * 1000))
        packed.Pack(info)
        told.details.append(packed)
    return bytes(told.SerializeToString())


def kind(error: Exception) -> type[Exception]:
    return type(error)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, Busy) for code in (429, 502, 503, 504)),
        *((code, Rejected) for code in (301, 400, 401, 403, 404, 405, 408, 415, 422, 500, 501, 505)),
        (413, TooLarge),
    ],
)
def test_http_statuses(code: int, expected: type[Exception]) -> None:
    assert kind(refused_http(code, None, b"", NOW)) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((c, Busy) for c in ("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS")),
        *((c, Rejected) for c in ("UNKNOWN", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED")),
        *((c, Rejected) for c in ("FAILED_PRECONDITION", "UNIMPLEMENTED", "INTERNAL", "UNAUTHENTICATED")),
        ("RESOURCE_EXHAUSTED", TooLarge),
    ],
)
def test_grpc_codes(code: str, expected: type[Exception]) -> None:
    assert kind(refused_grpc(code, "", b"")) is expected


def test_exhausted_with_a_time_to_wait_is_no_refusal() -> None:
    error = refused_grpc("RESOURCE_EXHAUSTED", "", status(retry_s=2.5))
    assert isinstance(error, Throttled)
    assert error.retry_after_s == 2.5


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        ("7", b"", 7.0),
        ("0", b"", 0.0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", b"", 30.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", b"", 0.0),
        ("Fri, 20 Nov 2026 12:00:30 -0000", b"", 30.0),
        ("99999999", b"", 300.0),
        (None, status(retry_s=1.5), 1.5),
        ("7", status(retry_s=1.5), 7.0),
    ],
)
def test_the_time_that_a_hop_asks_for(header: str | None, body: bytes, expected: float) -> None:
    error = refused_http(503, header, body, NOW)
    assert isinstance(error, Throttled)
    assert error.retry_after_s == expected


@pytest.mark.parametrize("header", ["soon", "-3", "1.5e3", "٣s"])
def test_a_time_that_is_none_is_not_taken_for_one(header: str) -> None:
    error = refused_http(503, header, b"\xff\xff", NOW)
    assert (kind(error), getattr(error, "retry_after_s", None)) == (Busy, 1.0)


@pytest.mark.parametrize(
    ("seconds", "wait_s"), [(2**63 - 1, 300.0), (-(2**63), 0.0)], ids=["more than Python counts", "before now"]
)
def test_a_time_beyond_all_measure_is_cut(seconds: int, wait_s: float) -> None:
    told = Status()
    told.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=seconds)))
    error = refused_grpc("UNAVAILABLE", "", told.SerializeToString())
    assert isinstance(error, Throttled)
    assert error.retry_after_s == wait_s


def test_a_time_that_cannot_be_read_is_none() -> None:
    told = Status(details=[AnyMessage(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff")])
    assert kind(refused_grpc("UNAVAILABLE", "", told.SerializeToString())) is Busy


def test_a_refusal_says_code_and_reason_but_no_novel() -> None:
    assert str(refused_grpc("INVALID_ARGUMENT", "bad id", b"")) == (
        "the next hop refused the request for good (INVALID_ARGUMENT): bad id"
    )
    assert len(str(refused_http(400, None, status("x" * 5000), NOW))) < 400
    assert str(refused_http(400, None, b"<html>", NOW)).endswith("(400): no reason given")
    assert str(unreachable("ConnectError")) == "the next hop did not take the data (ConnectError)"


def traces(rejected: int, message: str = "") -> Any:
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


def logs(rejected: int, message: str = "") -> Any:
    partial = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=message)
    return ExportLogsServiceResponse(partial_success=partial).SerializeToString()


def test_partial_success() -> None:
    assert taken("traces", traces(2, "too old")) == Problem(2, "the next hop: too old")
    assert taken("logs", logs(1)) == Problem(1, "the next hop: gave no reason")
    assert taken("traces", traces(0, "deprecated")) == Problem(0, "the next hop: deprecated")
    assert taken("traces", traces(-5, "odd")) == Problem(0, "the next hop: odd")


@pytest.mark.parametrize("body", [b"", traces(0), b"\xff\xff", b"{}", b"<html>"])
def test_an_acknowledgement_that_says_nothing_or_nonsense_is_one(body: bytes) -> None:
    """The hop has the data: sent again it would have it twice."""
    assert taken("traces", body) is None
