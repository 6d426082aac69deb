"""A slow and obvious reading of OTLP: one dict a span or log record, with the columns that the store is to get.

It shares no code with the product: bytes are decoded by protobuf's own library. What a span is tagged with is in
`reference_tags`.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.tag.dialects import DIALECTS
from tests.decode.reference_tags import Seen, conversation_of, tags_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from spanwitness.tag import TenantRule

Row = dict[str, Any]
LATEST = (2**32 - 86_400) * 10**9
SPAN_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUSES = ("Unset", "Ok", "Error")


@dataclass
class Reading:
    """Rows in the order of the wire, and by request how many items were refused: None for the request as a whole."""

    rows: list[Row] = field(default_factory=list)
    refused: dict[int, int | None] = field(default_factory=dict)


@dataclass
class Around:
    """What a span or log record stands in."""

    scope: InstrumentationScope
    resource: Iterable[KeyValue]
    caller: str
    rule: TenantRule
    at: dt.datetime


def read_spans(bodies: Sequence[bytes], callers: Sequence[str], rule: TenantRule, at: dt.datetime) -> Reading:
    """The rows of otel_traces, with what the trace index wants besides."""

    def rows(body: bytes, caller: str) -> list[Row | None]:
        return [
            _span_row(span, Around(group.scope, part.resource.attributes, caller, rule, at))
            for part in ExportTraceServiceRequest.FromString(body).resource_spans
            for group in part.scope_spans
            for span in group.spans
        ]

    return _read(bodies, callers, rows)


def read_logs(bodies: Sequence[bytes], callers: Sequence[str], rule: TenantRule, at: dt.datetime) -> Reading:
    """The rows of otel_logs."""

    def rows(body: bytes, caller: str) -> list[Row | None]:
        return [
            _log_row(record, Around(group.scope, part.resource.attributes, caller, rule, at))
            for part in ExportLogsServiceRequest.FromString(body).resource_logs
            for group in part.scope_logs
            for record in group.log_records
        ]

    return _read(bodies, callers, rows)


def _read(bodies: Sequence[bytes], callers: Sequence[str], rows: Callable[[bytes, str], list[Row | None]]) -> Reading:
    reading = Reading()
    for index, (body, caller) in enumerate(zip(bodies, callers, strict=True)):
        try:
            found = rows(body, caller)
        except DecodeError:
            reading.refused[index] = None
            continue
        good = [row for row in found if row is not None]
        reading.rows += good
        if len(good) < len(found):
            reading.refused[index] = len(found) - len(good) if good else None
    return reading


def plain_rows(table: pa.Table) -> list[Row]:
    """A table in the same plain values: times are whole numbers of the column's unit, maps are lists of pairs."""
    columns = {name: table[name].cast(_plain_type(table[name].type)).to_pylist() for name in table.column_names}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.int64()
    return pa.list_(_plain_type(kind.value_type)) if pa.types.is_list(kind) else kind


def text(value: AnyValue) -> str:
    """An attribute's value as it is stored."""
    kind = value.WhichOneof("value")
    if kind in ("array_value", "kvlist_value"):
        return orjson.dumps(_plain(value)).decode()
    if kind == "double_value":
        return number(value.double_value)
    plain = _plain(value)
    return "" if plain is None else plain if isinstance(plain, str) else json.dumps(plain)


def number(value: float) -> str:
    """A double as text: whole ones without a fraction as long as every digit is exact."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value == int(value) and abs(value) < 10**15 else repr(value)


def _plain(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return {item.key: _plain(item.value) for item in value.kvlist_value.values}
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "double_value" if not math.isfinite(value.double_value):
            return number(value.double_value)
        case kind:
            return getattr(value, kind)


def _pairs(attributes: Iterable[KeyValue]) -> list[tuple[str, str]]:
    return [(item.key, text(item.value)) for item in attributes]


def _id(raw: bytes, width: int) -> str:
    return raw.hex() if len(raw) == width else ""


def _name(names: Sequence[str], code: int) -> str:
    return names[code] if 0 <= code < len(names) else names[0]


def _span_row(span: Span, around: Around) -> Row | None:
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    ids = (span.trace_id, 16), (span.span_id, 8)
    if any(len(raw) != width or not any(raw) for raw, width in ids) or max(start, end) > LATEST:
        return None
    resource, attributes = _pairs(around.resource), _pairs(span.attributes)
    status = _name(STATUSES, span.status.code)
    tags = tags_of(Seen(around.scope.name, span.name, status, dict(attributes), dict(resource)))
    return {
        "Timestamp": start,
        "TraceId": span.trace_id.hex(),
        "SpanId": span.span_id.hex(),
        "ParentSpanId": _id(span.parent_span_id, 8) if any(span.parent_span_id) else "",
        "TraceState": span.trace_state,
        "SpanName": span.name,
        "SpanKind": _name(SPAN_KINDS, span.kind),
        "ScopeName": around.scope.name,
        "ScopeVersion": around.scope.version,
        "Duration": max(end - start, 0),
        "StatusCode": status,
        "StatusMessage": span.status.message,
        "Events.Timestamp": [min(event.time_unix_nano, LATEST) for event in span.events],
        "Events.Name": [event.name for event in span.events],
        "Events.Attributes": [_pairs(event.attributes) for event in span.events],
        "Links.TraceId": [_id(link.trace_id, 16) for link in span.links],
        "Links.SpanId": [_id(link.span_id, 8) for link in span.links],
        "Links.TraceState": [link.trace_state for link in span.links],
        "Links.Attributes": [_pairs(link.attributes) for link in span.links],
        **_owner(resource, attributes, around),
        "SpanAttributes": attributes,
        **tags,
    }


def _log_row(record: LogRecord, around: Around) -> Row | None:
    time = record.time_unix_nano or record.observed_time_unix_nano
    if time > LATEST:
        return None
    attributes = _pairs(record.attributes)
    return {
        "Timestamp": time,
        "TraceId": _id(record.trace_id, 16),
        "SpanId": _id(record.span_id, 8),
        "TraceFlags": record.flags % 256,
        "SeverityText": record.severity_text,
        "SeverityNumber": min(max(record.severity_number, 0), 255),
        "Body": text(record.body),
        "ScopeName": around.scope.name,
        "ScopeVersion": around.scope.version,
        "EventName": record.event_name,
        **_owner(_pairs(around.resource), attributes, around),
        "LogAttributes": attributes,
        **_log_conversation(record.event_name, dict(attributes)),
    }


def _log_conversation(event: str, attributes: dict[str, str]) -> Row:
    found = conversation_of(Seen("", "", "", attributes, {}), DIALECTS[-1])
    if event == "gen_ai.evaluation.result":
        found = {**found, "ConversationId": "", "ConversationIdSource": ""}
    return {
        **found,
        "ConversationEnded": False,
        "Channel": "",
    }


def _owner(resource: list[tuple[str, str]], attributes: list[tuple[str, str]], around: Around) -> Row:
    told = [dict(place).get(name, "") for place in (resource, attributes) for name in around.rule.attributes]
    held = dict(resource)
    return {
        "ServiceName": held.get("service.name") or held.get("project_name", ""),
        "ResourceAttributes": resource,
        "TenantId": around.caller or next(filter(None, told), around.rule.default),
        "IngestedAt": int(around.at.timestamp() * 1000),
    }


def read_index(rows: Sequence[Row]) -> list[Row]:
    """The rows of otel_traces_trace_id_ts that these rows of otel_traces or otel_logs add, in no order."""
    traces: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["TraceId"]:
            traces.setdefault((row["TenantId"], row["TraceId"]), []).append(row)
    return [
        {
            "TenantId": tenant,
            "TraceId": trace,
            "Start": min(row["Timestamp"] for row in group) // 10**9,
            "End": max(row["Timestamp"] for row in group) // 10**9,
            "FirstIngestedAt": group[0]["IngestedAt"],
            "LastIngestedAt": group[0]["IngestedAt"],
            "Candidate": min(_candidate(row) for row in group),
            "Ended": int(any(row.get("ConversationEnded") for row in group)),
            "Channel": max(row.get("Channel", "") for row in group),
            "Batches": 1,
            "Spans": len(group),
        }
        for (tenant, trace), group in traces.items()
    ]


def _candidate(row: Row) -> str:
    if not row["ConversationId"]:
        return "~"
    trust, start = row["ConversationTrust"], row["Timestamp"]
    return f"{trust:03}|{start:020}|{row['ConversationIdSource']}|{row['ConversationId']}"
