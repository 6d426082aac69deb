"""Log records to columns: those that carry the content of calls need neither ids nor a time of their own."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from spanwitness.columns import Problem
from spanwitness.decode import decode_logs
from spanwitness.tag import TenantRule
from tests.decode import generated, reference
from tests.decode.built import LOG_CAPTURES, START, agree, array, logs, map_of, request, requests_of, rows, span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.decode.reference import Reading

AT = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


def read_logs(bodies: Sequence[bytes]) -> Reading:
    return reference.read_logs(bodies, [""] * len(bodies), TenantRule(), AT)


@pytest.mark.parametrize("path", LOG_CAPTURES, ids=lambda path: path.name)
def test_a_capture_is_read_as_the_reference_reads_it(path: Path) -> None:
    bodies = requests_of(path)
    agree(decode_logs(bodies), read_logs(bodies), "LogAttributes")


@settings(generated.PATIENT, max_examples=100)
@given(generated.batches(generated.log_bodies))
def test_any_log_requests_are_read_as_the_reference_reads_them(batch: tuple[list[bytes], list[str]]) -> None:
    agree(decode_logs(batch[0]), read_logs(batch[0]), "LogAttributes")


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        (AnyValue(string_value="hello"), "hello"),
        (AnyValue(), ""),
        (None, ""),
        (AnyValue(int_value=5), "5"),
        (AnyValue(bytes_value=b"\xff"), "/w=="),
        (map_of(content=AnyValue(string_value="hi"), index=AnyValue(int_value=0)), '{"content":"hi","index":0}'),
        (array(AnyValue(string_value="hi")), '["hi"]'),
    ],
)
def test_every_kind_of_log_body_has_a_text(body: AnyValue | None, stored: str) -> None:
    (row,) = rows(decode_logs([logs(LogRecord(body=body))]), "LogAttributes")
    assert row["Body"] == stored


@pytest.mark.parametrize(
    ("time", "observed", "stored"), [(START, START + 9, START), (START, 0, START), (0, START, START), (0, 0, 0)]
)
def test_a_log_record_without_a_time_has_the_time_it_was_observed(time: int, observed: int, stored: int) -> None:
    (row,) = rows(decode_logs([logs(LogRecord(time_unix_nano=time, observed_time_unix_nano=observed))]))
    assert row["Timestamp"] == stored


def test_a_log_record_after_the_year_2106_is_refused() -> None:
    batch = decode_logs([logs(LogRecord(time_unix_nano=2**63), LogRecord(observed_time_unix_nano=2**63), LogRecord())])
    assert batch.problems == {0: Problem(2, "2 of 3 log records refused: times must be before the year 2106")}
    assert batch.n == 1


def test_an_observed_time_that_is_not_used_refuses_nothing() -> None:
    assert decode_logs([logs(LogRecord(time_unix_nano=START, observed_time_unix_nano=2**64 - 1))]).problems == {}


@pytest.mark.parametrize(
    ("trace_id", "span_id", "stored"),
    [
        (b"", b"", ("", "")),
        (b"\1" * 16, b"\2" * 8, ("01" * 16, "02" * 8)),
        (b"\1" * 16, b"", ("01" * 16, "")),
        (b"\1" * 3, b"\2" * 9, ("", "")),
    ],
)
def test_a_log_record_needs_no_ids(trace_id: bytes, span_id: bytes, stored: tuple[str, str]) -> None:
    batch = decode_logs([logs(LogRecord(trace_id=trace_id, span_id=span_id), LogRecord(trace_id=b"\5" * 16))])
    assert batch.problems == {}
    assert (rows(batch)[0]["TraceId"], rows(batch)[0]["SpanId"]) == stored


@pytest.mark.parametrize(("number", "stored"), [(0, 0), (9, 9), (24, 24), (-5, 0), (300, 255)])
def test_a_severity_fits_its_column(number: Any, stored: int) -> None:
    (row,) = rows(decode_logs([logs(LogRecord(severity_number=number, severity_text="INFO", flags=0x1FF))]))
    assert (row["SeverityNumber"], row["SeverityText"], row["TraceFlags"]) == (stored, "INFO", 255)


def test_spans_sent_to_the_logs_harm_no_neighbour() -> None:
    good = logs(LogRecord(event_name="gen_ai.choice"))
    batch = decode_logs([good, request(span()), good])
    assert [name for name in batch.columns["EventName"].to_pylist() if name] == ["gen_ai.choice"] * 2


def test_a_log_request_that_cannot_be_read_is_told_so() -> None:
    batch = decode_logs([logs(LogRecord(event_name="e")), b"\xff"])
    assert batch.problems == {1: Problem(0, "the body is not an OTLP logs export request", fatal=True)}
    assert batch.n == 1
