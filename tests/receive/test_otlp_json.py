"""OTLP/JSON read as the specification has it, field by field."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from spanwitness.errors import Rejected
from spanwitness.receive import Signal
from spanwitness.receive.otlp_json import to_protobuf

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

HEX = "5b8efff798038103d269b633813fc60c"
TRACE_ID = bytes.fromhex(HEX)


def request(value: object) -> ExportTraceServiceRequest:
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return ExportTraceServiceRequest.FromString(to_protobuf(body, Signal.TRACES))


def span(**fields: object) -> Span:
    """The span that these JSON fields make."""
    (read,) = request({"resourceSpans": [{"scopeSpans": [{"spans": [fields]}]}]}).resource_spans[0].scope_spans[0].spans
    return read


def log(**fields: object) -> LogRecord:
    body = orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [fields]}]}]})
    read = ExportLogsServiceRequest.FromString(to_protobuf(body, Signal.LOGS))
    return read.resource_logs[0].scope_logs[0].log_records[0]


def attribute(value: object) -> AnyValue:
    return span(attributes=[{"key": "a", "value": value}]).attributes[0].value


def test_every_part_of_a_request_is_read() -> None:
    read = request(
        {
            "resourceSpans": [
                {
                    "resource": {
                        "attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}],
                        "droppedAttributesCount": 1,
                    },
                    "scopeSpans": [
                        {
                            "scope": {"name": "openinference", "version": "1.2"},
                            "spans": [
                                {
                                    "traceId": HEX,
                                    "spanId": HEX[:16],
                                    "parentSpanId": HEX[16:],
                                    "traceState": "ot=th:8",
                                    "flags": 769,
                                    "name": "chat",
                                    "kind": 3,
                                    "startTimeUnixNano": "1544712660000000001",
                                    "endTimeUnixNano": 1544712661000000001,
                                    "events": [{"timeUnixNano": "7", "name": "e", "attributes": []}],
                                    "links": [{"traceId": HEX, "spanId": HEX[:16], "traceState": "a=b"}],
                                    "status": {"code": 2, "message": "no"},
                                }
                            ],
                            "schemaUrl": "https://scope",
                        }
                    ],
                    "schemaUrl": "https://resource",
                }
            ]
        }
    )
    one: dict[str, Any] = {
        "trace_id": TRACE_ID,
        "span_id": TRACE_ID[:8],
        "parent_span_id": TRACE_ID[8:],
        "trace_state": "ot=th:8",
        "flags": 769,
        "name": "chat",
        "kind": 3,
        "start_time_unix_nano": 1544712660000000001,
        "end_time_unix_nano": 1544712661000000001,
        "events": [{"time_unix_nano": 7, "name": "e"}],
        "links": [{"trace_id": TRACE_ID, "span_id": TRACE_ID[:8], "trace_state": "a=b"}],
        "status": {"code": 2, "message": "no"},
    }
    scope: Any = {"scope": {"name": "openinference", "version": "1.2"}, "spans": [one], "schema_url": "https://scope"}
    service = {"key": "service.name", "value": {"string_value": "agent"}}
    resource: Any = {"attributes": [service], "dropped_attributes_count": 1}
    part: Any = {"resource": resource, "scope_spans": [scope], "schema_url": "https://resource"}
    assert read == ExportTraceServiceRequest(resource_spans=[part])


def test_log_records_are_read() -> None:
    read = log(traceId=HEX, spanId=HEX[:16], severityNumber=9, eventName="gen_ai.choice", body={"stringValue": "hi"})
    assert (read.trace_id, read.span_id) == (TRACE_ID, TRACE_ID[:8])
    assert (read.severity_number, read.event_name, read.body.string_value) == (9, "gen_ai.choice", "hi")
    assert log(body={"stringValue": "hi"}).trace_id == b""


def test_ids_are_hex_of_either_case() -> None:
    upper, lower = span(traceId=HEX.upper(), spanId=HEX[:16].upper()), span(traceId=HEX, spanId=HEX[:16])
    assert upper == lower
    assert (lower.trace_id, lower.span_id) == (TRACE_ID, TRACE_ID[:8])


BAD_IDS = [
    base64.b64encode(TRACE_ID).decode(),
    base64.b64encode(TRACE_ID[:8]).decode(),
    HEX[:-1],
    HEX[:-2],
    HEX + "00",
    " ".join([HEX[:16], HEX[16:]]),
    "0x" + HEX[:14],
    "sixteen letters!",
    "\uff18" * 32,
    5,
    True,
    {},
    [],
]


@pytest.mark.parametrize("key", ["traceId", "spanId", "parentSpanId"])
@pytest.mark.parametrize("bad", BAD_IDS)
def test_bad_id_stays_bad_and_fails_nothing_else(key: str, bad: object) -> None:
    """Of no allowed length: neither a whole id, nor an absent one, which for a parent would mean a root."""
    read = span(**{"name": "kept", key: bad})
    found = {"traceId": read.trace_id, "spanId": read.span_id, "parentSpanId": read.parent_span_id}[key]
    assert read.name == "kept"
    assert len(found) not in {0, 8 if key != "traceId" else 16}


def test_bad_id_of_a_link_or_a_log_record_stays_bad() -> None:
    assert len(span(links=[{"traceId": "x", "spanId": "y"}]).links[0].trace_id) == 1
    assert len(log(traceId="x").trace_id) == 1


@pytest.mark.parametrize("absent", ["", None])
def test_absent_id_is_empty(absent: str | None) -> None:
    assert span(parentSpanId=absent).parent_span_id == b""


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**63), 0, -5])
def test_int64_is_exact_as_number_and_as_string(number: int) -> None:
    assert attribute({"intValue": number}) == attribute({"intValue": str(number)}) == AnyValue(int_value=number)


def test_uint64_is_exact_up_to_its_end() -> None:
    assert span(startTimeUnixNano=2**64 - 1).start_time_unix_nano == 2**64 - 1
    assert span(startTimeUnixNano=str(2**64 - 1)).start_time_unix_nano == 2**64 - 1


def test_whole_float_is_an_integer() -> None:
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":1.5e3,"flags":2.0}]}]}]}'
    read = request(body).resource_spans[0].scope_spans[0].spans[0]
    assert (read.start_time_unix_nano, read.flags) == (1500, 2)


def test_unknown_keys_are_ignored_at_each_level() -> None:
    odd: dict[str, object] = {"x": {"y": [1]}, "": 1, "deprecatedThing": "z"}
    value = {**odd, "stringValue": "v"}
    one = {**odd, "name": "kept", "attributes": [{**odd, "key": "a", "value": value}], "status": odd, "events": [odd]}
    read = request({**odd, "resourceSpans": [{**odd, "resource": odd, "scopeSpans": [{**odd, "spans": [one]}]}]})
    kept = read.resource_spans[0].scope_spans[0].spans[0]
    assert (kept.name, kept.attributes[0].value.string_value, len(kept.events)) == ("kept", "v", 1)


def test_snake_case_is_no_key() -> None:
    read = span(trace_id=HEX, span_id=HEX[:16], name="kept", start_time_unix_nano="1")
    assert read == Span(name="kept")
    assert attribute({"string_value": "x"}) == AnyValue()


@pytest.mark.parametrize(
    ("sent", "kind"),
    [(3, 3), ("3", 3), ("SPAN_KIND_CLIENT", 3), ("CLIENT", 0), ("SPAN_KIND_X", 0), (77, 77), (None, 0)],
)
def test_enum_is_a_number_or_by_tolerance_its_name(sent: object, kind: int) -> None:
    assert span(kind=sent).kind == kind


def test_names_of_other_enums_are_tolerated_too() -> None:
    assert span(status={"code": "STATUS_CODE_ERROR"}).status == Status(code=Status.STATUS_CODE_ERROR)
    assert log(severityNumber="SEVERITY_NUMBER_INFO").severity_number == 9


def test_nested_values_are_kept() -> None:
    inner = {"kvlistValue": {"values": [{"key": "k", "value": {"bytesValue": "AQID"}}, {"key": "empty", "value": {}}]}}
    read = attribute({"arrayValue": {"values": [inner, {"boolValue": False}, {}, {"stringValue": ""}]}})
    first, second, third, fourth = read.array_value.values
    assert first.kvlist_value.values[0].value.bytes_value == b"\x01\x02\x03"
    assert first.kvlist_value.values[1].HasField("value")
    kinds = [value.WhichOneof("value") for value in (first, second, third, fourth)]
    assert kinds == ["kvlist_value", "bool_value", None, "string_value"]


@pytest.mark.parametrize(
    ("empty", "kind"), [({"arrayValue": {}}, "array_value"), ({"kvlistValue": {}}, "kvlist_value")]
)
def test_empty_containers_are_not_null(empty: object, kind: str) -> None:
    assert attribute(empty).WhichOneof("value") == kind


@pytest.mark.parametrize("null", [{}, {"stringValue": None}])
def test_value_without_a_kind_is_null(null: object) -> None:
    assert attribute(null).WhichOneof("value") is None


@pytest.mark.parametrize("text", ["+/8=", "+/8", "-_8=", "-_8"])
def test_bytes_are_base64_of_either_alphabet(text: str) -> None:
    assert attribute({"bytesValue": text}).bytes_value == b"\xfb\xff"


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        (1, 1.0),
        (0.1, 0.1),
        ("2.5", 2.5),
        ("-1e-3", -0.001),
        (-0.0, 0.0),
    ],
)
def test_doubles(sent: object, number: float) -> None:
    assert attribute({"doubleValue": sent}).double_value == number


def test_nan_is_a_double() -> None:
    assert math.isnan(attribute({"doubleValue": "NaN"}).double_value)


@pytest.mark.parametrize(
    ("sent", "read"), [(r"cut \ud83d", "cut �"), (r"\ude00 cut", "� cut"), (r"\ud83d\ude00", "😀")]
)
def test_half_an_emoji_costs_one_character(sent: str, read: str) -> None:
    body = r'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"SENT","traceState":"\\ud83d \ud83d"}]}]}]}'
    body = body.replace("SENT", sent)
    one = request(body.encode()).resource_spans[0].scope_spans[0].spans[0]
    assert (one.name, one.trace_state) == (read, "\\ud83d �")


@pytest.mark.parametrize("body", [b"{}", b'{"resourceSpans":[]}', b'{"resourceSpans":null}', b'{"other":[]}'])
def test_request_without_spans_is_empty(body: bytes) -> None:
    assert to_protobuf(body, Signal.TRACES) == b""


@pytest.mark.parametrize("body", [b"[]", b'[{"resourceSpans":[]}]', b'"x"', b"1", b"null", b"true"])
def test_anything_but_an_object_is_rejected(body: bytes) -> None:
    with pytest.raises(Rejected, match="is an object"):
        to_protobuf(body, Signal.TRACES)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a":}', b"\xff\xfe", b'{"a":"\\x"}', b"[" * 5000, b'{"a":"\xff"}', b"{}{}"]
)
def test_what_is_not_json_is_rejected(body: bytes) -> None:
    with pytest.raises(Rejected, match=r"not JSON: .* at byte"):
        to_protobuf(body, Signal.TRACES)


@pytest.mark.parametrize(
    ("signal", "key"),
    [(Signal.TRACES, "resourceLogs"), (Signal.TRACES, "resourceMetrics"), (Signal.LOGS, "resourceSpans")],
)
def test_request_of_another_signal_is_rejected_not_acknowledged_away(signal: Signal, key: str) -> None:
    with pytest.raises(Rejected, match=f"{key} sent to the endpoint for {signal}"):
        to_protobuf(orjson.dumps({key: [{}]}), signal)


CARD = "4111-1111"
WRONG = [
    ({"name": 5}, "name must be a string"),
    ({"kind": [CARD]}, "kind must be a whole number"),
    ({"startTimeUnixNano": CARD}, "startTimeUnixNano must be a whole number from 0 to 18446744073709551615"),
    ({"startTimeUnixNano": -1}, "startTimeUnixNano must be a whole number"),
    ({"startTimeUnixNano": 1.5}, "startTimeUnixNano must be a whole number"),
    ({"startTimeUnixNano": True}, "startTimeUnixNano must be a whole number"),
    ({"startTimeUnixNano": "1_0"}, "startTimeUnixNano must be a whole number"),
    ({"flags": 2**32}, "flags must be a whole number from 0 to 4294967295"),
    ({"attributes": {}}, "attributes must be an array"),
    ({"attributes": [CARD]}, r"attributes\[0\] must be an object"),
    ({"attributes": [{}, {"value": {"intValue": CARD}}]}, r"attributes\[1\].value.intValue must be a whole number"),
    ({"attributes": [{"value": {"intValue": 2**63}}]}, r"intValue must be a whole number"),
    ({"attributes": [{"value": {"boolValue": "true"}}]}, r"boolValue must be true or false"),
    ({"attributes": [{"value": {"doubleValue": CARD}}]}, r"doubleValue must be a number, NaN, Infinity or -Infinity"),
    ({"attributes": [{"value": {"doubleValue": True}}]}, r"doubleValue must be a number"),
    ({"attributes": [{"value": {"bytesValue": CARD + "!"}}]}, r"bytesValue must be base64"),
    ({"attributes": [{"value": {"bytesValue": 5}}]}, r"bytesValue must be a string"),
    (
        {"attributes": [{"value": {"arrayValue": {"values": [{"stringValue": 5}]}}}]},
        r"arrayValue.values\[0\].stringValue",
    ),
    ({"status": CARD}, "status must be an object"),
]


@pytest.mark.parametrize(("fields", "reason"), WRONG)
def test_wrong_value_is_named_by_its_path_and_not_repeated(fields: dict[str, object], reason: str) -> None:
    path = r"^OTLP/JSON: resourceSpans\[0\].scopeSpans\[0\].spans\[0\]\."
    with pytest.raises(Rejected, match=path + ".*" + reason) as refused:
        span(**fields)
    assert CARD not in str(refused.value)


def nested(levels: int) -> bytes:
    """A request with arrays in arrays; orjson would not write what it reads."""
    opening, closing = b'{"arrayValue":{"values":[' * levels, b"]}}" * levels
    value = opening + b'{"stringValue":"deep"}' + closing
    return b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":' + value + b"}]}]}]}]}"


@pytest.mark.parametrize("levels", [1, 40, 47])
def test_what_protobuf_readers_take_is_read(levels: int) -> None:
    assert b"deep" in request(nested(levels)).SerializeToString()


@pytest.mark.parametrize("levels", [48, 100, 300])
def test_what_is_too_deep_for_them_is_rejected(levels: int) -> None:
    with pytest.raises(Rejected, match=r"^OTLP/JSON: resourceSpans.{1,200} must be nested less than 100 deep$"):
        request(nested(levels))
