"""Wire bytes to columns: as the slow reference reads them, and no sender pays for another's mistake."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from spanwitness.columns import Attributes, Problem
from spanwitness.decode import decode_logs, decode_spans
from spanwitness.tag import TenantRule
from tests.decode import generated, reference
from tests.decode.built import (
    CAPTURES,
    LOG_CAPTURES,
    START,
    TRACE_CAPTURES,
    agree,
    array,
    field,
    map_of,
    nested,
    only,
    refused,
    request,
    requests_of,
    rows,
    span,
    with_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from spanwitness.columns import Batch
    from tests.decode.reference import Reading

    Decode = Callable[[Sequence[bytes]], Batch]

AT = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
WRONG_IDS = (
    "1 of 2 spans refused: a trace id must be 16 bytes, a span id 8 bytes, neither all zero, "
    "and times before the year 2106"
)
NO_TRACES = "the body is not an OTLP trace export request"


def read_spans(bodies: Sequence[bytes]) -> Reading:
    return reference.read_spans(bodies, [""] * len(bodies), TenantRule(), AT)


GOOD = request(span(), span(name="execute_tool", attributes=[KeyValue(key="a", value=AnyValue(int_value=3))]))
DAMAGED = {
    "nothing of OTLP": b"not OTLP at all",
    "cut off": GOOD[:-1],
    "no UTF-8 in a name": field(1, field(2, field(2, field(5, b"\xff\xfe")))),
    "no UTF-8 in a value": with_value(field(1, b"\xff")),
    "no UTF-8 inside an array": with_value(field(5, field(1, field(1, b"\xff")))),
    "an array that is none": with_value(field(5, b"\xff\xff")),
    "a map that is none": with_value(field(6, b"\xff\xff")),
    "a map inside an array that is none": with_value(field(5, field(1, field(6, b"\xff")))),
    "nested without end": with_value(nested(150)),
}


@pytest.mark.parametrize("path", TRACE_CAPTURES, ids=lambda path: path.name)
def test_a_capture_is_read_as_the_reference_reads_it(path: Path) -> None:
    bodies = requests_of(path)
    agree(decode_spans(bodies), read_spans(bodies))


def test_captures_are_there() -> None:
    assert len(CAPTURES) > 20
    assert LOG_CAPTURES


@settings(generated.PATIENT, max_examples=100)
@given(generated.batches(generated.trace_bodies))
def test_any_trace_requests_are_read_as_the_reference_reads_them(batch: tuple[list[bytes], list[str]]) -> None:
    agree(decode_spans(batch[0]), read_spans(batch[0]))


def test_flipped_cut_and_added_bytes_change_nothing_for_the_neighbours_and_nothing_that_still_is_otlp() -> None:
    chance = random.Random(20261120)  # noqa: S311 - the same damage in every run
    bodies = [body for path in TRACE_CAPTURES for body in requests_of(path) if len(body) < 8_000]
    alone = rows(decode_spans([GOOD]))
    for _ in range(300):
        body = _harmed(chance.choice(bodies), chance)
        told = read_spans([GOOD, body, GOOD])
        found = decode_spans([GOOD, body, GOOD])
        assert rows(found)[:2] == rows(found)[-2:] == alone
        assert set(found.problems) <= {1}
        if told.refused.get(1, 0) is not None:
            agree(found, told)


def _harmed(body: bytes, chance: random.Random) -> bytes:
    harmed = bytearray(body)
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = chance.randrange(len(harmed))
        match chance.randrange(3):
            case 0:
                harmed[at] = chance.randrange(256)
            case 1:
                del harmed[at : at + chance.randrange(1, 4)]
            case _:
                harmed[at:at] = chance.randbytes(chance.randrange(1, 4))
    return bytes(harmed)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (AnyValue(), ""),
        (AnyValue(string_value=""), ""),
        (AnyValue(string_value="Grüße\n\0"), "Grüße\n\0"),
        (AnyValue(string_value='["no", "list"]'), '["no", "list"]'),
        (AnyValue(int_value=-(2**63)), "-9223372036854775808"),
        (AnyValue(int_value=2**53 + 1), "9007199254740993"),
        (AnyValue(bool_value=True), "true"),
        (AnyValue(bool_value=False), "false"),
        (AnyValue(double_value=12.0), "12"),
        (AnyValue(double_value=-0.25), "-0.25"),
        (AnyValue(double_value=1e300), "1e+300"),
        (AnyValue(double_value=float("nan")), "NaN"),
        (AnyValue(double_value=float("inf")), "Infinity"),
        (AnyValue(double_value=float("-inf")), "-Infinity"),
        (AnyValue(bytes_value=b"\x00\xff"), "AP8="),
        (AnyValue(bytes_value=b""), ""),
        (array(), "[]"),
        (map_of(), "{}"),
        (array(AnyValue(string_value="stop")), '["stop"]'),
        (array(AnyValue(), AnyValue(int_value=1), AnyValue(bool_value=False)), "[null,1,false]"),
        (array(AnyValue(double_value=float("nan")), AnyValue(bytes_value=b"\xff")), '["NaN","/w=="]'),
        (map_of(a=array(map_of(b=AnyValue(string_value="ü")))), '{"a":[{"b":"ü"}]}'),
    ],
)
def test_every_kind_of_value_has_a_text(value: AnyValue, stored: str) -> None:
    batch = decode_spans([request(span(attributes=[KeyValue(key="key", value=value)]))])
    assert only(batch)["SpanAttributes"] == [("key", stored)]


def test_a_key_without_a_value_is_stored_as_empty() -> None:
    assert only(decode_spans([request(span(attributes=[KeyValue(key="key")]))]))["SpanAttributes"] == [("key", "")]


@pytest.mark.parametrize("trace_id", [b"", b"\1", b"\1" * 8, b"\1" * 15, b"\1" * 17, b"\1" * 32, bytes(16)])
def test_a_span_whose_trace_id_cannot_be_one_is_refused_alone(trace_id: bytes) -> None:
    batch = decode_spans([request(span(trace_id=trace_id), span(name="good"))])
    assert [row["SpanName"] for row in rows(batch)] == ["good"]
    assert batch.problems == {0: Problem(1, WRONG_IDS)}


@pytest.mark.parametrize("span_id", [b"", b"\1", b"\1" * 7, b"\1" * 9, b"\1" * 16, bytes(8)])
def test_a_span_whose_span_id_cannot_be_one_is_refused_alone(span_id: bytes) -> None:
    batch = decode_spans([request(span(name="good"), span(span_id=span_id))])
    assert [row["SpanName"] for row in rows(batch)] == ["good"]
    assert batch.problems == {0: Problem(1, WRONG_IDS)}


@pytest.mark.parametrize("parent", [b"", b"\1", b"\1" * 16, bytes(8)])
def test_a_parent_id_that_is_none_makes_a_root(parent: bytes) -> None:
    assert only(decode_spans([request(span(parent_span_id=parent))]))["ParentSpanId"] == ""


def test_ids_are_lower_hex() -> None:
    row = only(decode_spans([request(span(trace_id=b"\xab" * 16, span_id=b"\xcd" * 8, parent_span_id=b"\xef" * 8))]))
    assert (row["TraceId"], row["SpanId"], row["ParentSpanId"]) == ("ab" * 16, "cd" * 8, "ef" * 8)


@pytest.mark.parametrize(
    ("start", "end", "duration"),
    [
        (START, START + 5, 5),
        (START, START, 0),
        (START, START - 1, 0),
        (0, 7, 7),
        (0, 0, 0),
        (5, 0, 0),
        (reference.LATEST - 1, reference.LATEST, 1),
    ],
)
def test_a_span_keeps_its_start_and_lasts_no_less_than_nothing(start: int, end: int, duration: int) -> None:
    row = only(decode_spans([request(span(start_time_unix_nano=start, end_time_unix_nano=end))]))
    assert (row["Timestamp"], row["Duration"]) == (start, duration)


@pytest.mark.parametrize("late", [reference.LATEST + 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("which", ["start_time_unix_nano", "end_time_unix_nano"])
def test_a_span_after_the_year_2106_is_refused(which: str, late: int) -> None:
    batch = decode_spans([request(span(name="good"), span(**{which: late}))])
    assert [row["SpanName"] for row in rows(batch)] == ["good"]
    assert batch.problems == {0: Problem(1, WRONG_IDS)}


def test_an_event_after_the_year_2106_stays_with_its_span() -> None:
    batch = decode_spans([request(span(events=[Span.Event(time_unix_nano=2**64 - 1, name="later")]))])
    assert only(batch)["Events.Timestamp"] == [reference.LATEST]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *enumerate(("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer", "Unspecified")),
        (-1, "Unspecified"),
    ],
)
def test_a_kind_has_the_exporters_name(kind: Any, name: str) -> None:
    assert only(decode_spans([request(span(kind=kind))]))["SpanKind"] == name


@pytest.mark.parametrize(("code", "name"), [(0, "Unset"), (1, "Ok"), (2, "Error"), (3, "Unset"), (-1, "Unset")])
def test_a_status_has_the_exporters_name(code: Any, name: str) -> None:
    row = only(decode_spans([request(span(status=Status(code=code, message="why")))]))
    assert (row["StatusCode"], row["StatusMessage"]) == (name, "why")


def test_a_span_without_status_scope_and_resource_is_stored() -> None:
    row = only(decode_spans([request(span())]))
    assert (row["StatusCode"], row["StatusMessage"]) == ("Unset", "")
    assert (row["ScopeName"], row["ScopeVersion"], row["ResourceAttributes"]) == ("", "", [])


def test_events_and_links_stay_with_their_span() -> None:
    told = [KeyValue(key="content", value=AnyValue(string_value="hello"))]
    events = [Span.Event(time_unix_nano=START, name="first", attributes=told), Span.Event(name="second")]
    links = [Span.Link(trace_id=b"\3" * 16, span_id=b"\4" * 8, trace_state="a=b", attributes=told), Span.Link()]
    bare, full = rows(decode_spans([request(span(), span(events=events, links=links))]))
    assert bare["Events.Name"] == bare["Links.TraceId"] == []
    assert full["Events.Timestamp"] == [START, 0]
    assert full["Events.Name"] == ["first", "second"]
    assert full["Events.Attributes"] == [[("content", "hello")], []]
    assert full["Links.TraceId"] == ["03" * 16, ""]
    assert full["Links.SpanId"] == ["04" * 8, ""]
    assert full["Links.TraceState"] == ["a=b", ""]
    assert full["Links.Attributes"] == [[("content", "hello")], []]


def test_fields_of_a_later_otlp_are_ignored_on_every_level() -> None:
    def later(message: Any) -> Any:
        for raw in generated.UNKNOWN_FIELDS:
            message.MergeFromString(raw)
        return message

    message = later(ExportTraceServiceRequest())
    part = later(message.resource_spans.add())
    later(part.resource)
    scope_spans = later(part.scope_spans.add())
    later(scope_spans.scope)
    value = later(AnyValue(string_value="v"))
    one = later(span(attributes=[later(KeyValue(key="k", value=value))], events=[later(Span.Event(name="e"))]))
    later(one.status)
    scope_spans.spans.append(one)
    body = message.SerializeToString()
    assert body.count(generated.UNKNOWN_FIELDS[0]) == 10
    row = only(decode_spans([body]))
    assert (row["SpanName"], row["SpanAttributes"], row["Events.Name"]) == ("chat", [("k", "v")], ["e"])


def test_a_key_that_comes_twice_is_stored_twice_and_the_last_counts() -> None:
    told = [KeyValue(key="k", value=AnyValue(string_value=value)) for value in ("first", "last")]
    batch = decode_spans([request(span(attributes=told), span())])
    assert rows(batch)[0]["SpanAttributes"] == [("k", "first"), ("k", "last")]
    column = batch.attributes.column("k")
    assert column is not None
    assert column.to_pylist() == ["last", None]


def test_a_key_that_nobody_has_is_no_column() -> None:
    assert decode_spans([GOOD]).attributes.column("nobody.has.it") is None
    assert decode_spans([GOOD]).of_resource("nobody.has.it") is None


def test_attributes_of_nobody_have_no_columns() -> None:
    none = Attributes(decode_spans([]).attributes.offsets, pa.array([], pa.string()), pa.array([], pa.string()))
    assert (none.n, none.column("k"), none.maps().to_pylist()) == (0, None, [])


def test_each_span_knows_its_request_and_its_resource() -> None:
    def of(service: str, count: int) -> bytes:
        message = ExportTraceServiceRequest()
        part = message.resource_spans.add()
        part.resource.attributes.add(key="service.name").value.string_value = service
        part.scope_spans.add().spans.extend(span() for _ in range(count))
        return message.SerializeToString()

    batch = decode_spans([of("a", 2), b"", of("b", 0), of("c", 1)])
    assert batch.request.tolist() == [0, 0, 3]
    services = batch.of_resource("service.name")
    assert services is not None
    assert services.to_pylist() == ["a", "a", "c"]


@pytest.mark.parametrize(
    "bodies",
    [
        [],
        [b""],
        [b"", b""],
        [request()],
        [ExportTraceServiceRequest(resource_spans=[ResourceSpans()]).SerializeToString()],
    ],
)
@pytest.mark.parametrize("decode", [decode_spans, decode_logs])
def test_a_request_with_nothing_in_it_is_no_problem(
    decode: Callable[[Sequence[bytes]], Batch], bodies: list[bytes]
) -> None:
    batch = decode(bodies)
    assert (batch.n, batch.problems) == (0, {})


def test_a_request_none_of_whose_spans_is_usable_is_refused_as_a_whole() -> None:
    problem = decode_spans([request(span(trace_id=b""), span(span_id=b""))]).problems[0]
    assert problem.fatal
    assert problem.reason.startswith("2 of 2 spans refused: ")


def test_refused_spans_are_counted_by_request() -> None:
    bad = span(trace_id=b"short")
    batch = decode_spans([request(span(), bad, bad), GOOD, request(bad), request(span(), bad)])
    assert refused(batch) == {0: 2, 2: None, 3: 1}
    assert [problem.reason.split(" spans")[0] for problem in batch.problems.values()] == ["2 of 3", "1 of 1", "1 of 2"]
    assert batch.request.tolist() == [0, 1, 1, 3]


@pytest.mark.parametrize("path", LOG_CAPTURES, ids=lambda path: path.name)
def test_log_records_sent_to_the_traces_are_refused_as_a_whole(path: Path) -> None:
    bodies = requests_of(path)
    batch = decode_spans([*bodies, GOOD])
    assert batch.n == 2
    assert refused(batch) == dict.fromkeys(range(len(bodies)))


@pytest.mark.parametrize("body", DAMAGED.values(), ids=DAMAGED)
def test_a_request_that_cannot_be_read_is_found_and_refused_alone(body: bytes) -> None:
    batch = decode_spans([GOOD, body, GOOD, body])
    assert batch.problems == dict.fromkeys((1, 3), Problem(0, NO_TRACES, fatal=True))
    assert batch.request.tolist() == [0, 0, 2, 2]
    assert rows(batch) == rows(decode_spans([GOOD])) * 2


@pytest.mark.parametrize("body", DAMAGED.values(), ids=DAMAGED)
def test_a_request_that_cannot_be_read_is_refused_when_it_comes_alone(body: bytes) -> None:
    batch = decode_spans([body])
    assert (batch.n, batch.problems) == (0, {0: Problem(0, NO_TRACES, fatal=True)})


def test_a_damaged_request_and_one_with_bad_spans_are_each_told_their_own() -> None:
    batch = decode_spans([b"\xff", request(span(), span(span_id=b"")), GOOD])
    assert refused(batch) == {0: None, 1: 1}
    assert batch.request.tolist() == [1, 2, 2]


def test_what_nests_as_deep_as_json_does_in_life_is_stored() -> None:
    assert only(decode_spans([with_value(nested(40))]))["SpanAttributes"] == [("key", "[" * 40 + '"deep"' + "]" * 40)]
