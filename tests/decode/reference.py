"""A slow and obvious reading of OTLP: one dict a span or log record, with the columns that the store is to get.

It shares with the product what the dialects declare and how model names are read, and no other code: bytes are decoded
by protobuf's own library, and every declaration is evaluated for one span at a time.
"""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.identity import CONVERSATION_TRUST
from spanwitness.model_names import normalise_provider, parse
from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, Kind
from spanwitness.tag.dialects import DIALECTS

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
MODEL_CALLS = ("llm", "speech")


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
    tags = _tags(Seen(around.scope.name, span.name, dict(attributes)))
    tags["AgentVersion"] = tags["AgentVersion"] or dict(resource).get("service.version", "")
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
        "StatusCode": _name(STATUSES, span.status.code),
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
        **_log_conversation(dict(attributes)),
    }


def _log_conversation(attributes: dict[str, str]) -> Row:
    keys = ("gen_ai.conversation.id", "session.id", "langfuse.session.id")
    found = ((key, attributes.get(key, "")) for key in keys)
    key, identity = next(((key, value) for key, value in found if value and not value.startswith("resp_")), ("", ""))
    return {
        "ConversationId": identity,
        "ConversationIdSource": key,
        "ConversationTrust": CONVERSATION_TRUST.index(key) if key else len(CONVERSATION_TRUST),
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


@dataclass
class Seen:
    """What of a span a dialect reads."""

    scope: str
    name: str
    attributes: dict[str, str]

    def value(self, key: str) -> str | None:
        return self.name if key == SPAN_NAME else self.attributes.get(key)


def _tags(span: Seen) -> Row:
    dialect = _dialect(span)
    kind = _kind(span, dialect.kinds)
    source, identity = _first(span, dialect.conversation, believed=lambda found: not found.startswith("resp_"))
    key = source.key if source else ""
    return {
        "Dialect": dialect.name,
        "StepKind": kind,
        "ConversationId": identity,
        "ConversationIdSource": key,
        "ConversationTrust": CONVERSATION_TRUST.index(key) if key in CONVERSATION_TRUST else len(CONVERSATION_TRUST),
        "ConversationEnded": span.attributes.get("spanwitness.conversation.ended") == "true"
        or _kind(span, dialect.end) == "end",
        "TrajectoryStep": _whole(span.attributes.get("agent.trajectory.step", "")),
        "Actor": span.attributes.get("spanwitness.actor") or _kind(span, dialect.actors) or ("ai" if kind else ""),
        "AgentName": _told(span, dialect.agent),
        "AgentVersion": _told(span, dialect.agent_version),
        "PromptVersion": _told(span, dialect.prompt_version),
        "ToolName": (_told(span, dialect.tool) or span.name) if kind == "tool" else "",
        "Channel": span.attributes.get("spanwitness.channel", ""),
        "Intent": span.attributes.get("spanwitness.intent", ""),
        "Language": span.attributes.get("spanwitness.language", ""),
        "StepFailed": _told(span, dialect.error) == "true",
        **_model(span, dialect, call=kind in MODEL_CALLS),
    }


def _model(span: Seen, dialect: Dialect, *, call: bool) -> Row:
    requested = _told(span, dialect.requested)
    source, served = _first(span, dialect.served, requested)
    provider = _told(span, dialect.provider)
    provider = normalise_provider(provider) if provider else parse(served or requested).provider
    maker = provider or "unknown"
    finish = _told(span, dialect.finish_reason)
    listed = re.match(r'\[[ \t\n\f\r]*"([^"]*)"', finish)
    row = {
        "Provider": provider,
        "RequestedModel": requested,
        "ServedModel": served,
        "ServedModelSource": "unknown" if source is None else "payload" if source.path else "response",
        "SystemFingerprint": _told(span, dialect.fingerprint),
        "ModelVersion": f"{maker}/{served}" if served else f"{maker}/{requested}?" if requested else "",
        "InputTokens": _whole(_told(span, dialect.input_tokens)),
        "OutputTokens": _whole(_told(span, dialect.output_tokens)),
        "FinishReason": (listed[1] if listed else "") if finish.startswith("[") else finish,
    }
    return row if call else {name: type(value)() for name, value in row.items()}


def _dialect(span: Seen) -> Dialect:
    def spoken_by(dialect: Dialect) -> bool:
        return any(_matches(name, span.scope) for name in dialect.scopes)

    def bears(names: Sequence[str]) -> bool:
        return any(name in span.attributes for name in names)

    for dialect in DIALECTS:
        if spoken_by(dialect) and (not dialect.requires or bears(dialect.requires)):
            return dialect
    if any(spoken_by(dialect) for dialect in DIALECTS):
        return DIALECTS[-1]
    return next((dialect for dialect in DIALECTS if bears(dialect.markers)), DIALECTS[-1])


def _matches(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _kind(span: Seen, kinds: Sequence[Kind]) -> str:
    for kind in kinds:
        value = _believed(span, kind.source, None)
        if value in kind.steps:
            return kind.steps[value]
        for pattern, step in kind.steps.items():
            if value and pattern.endswith("*") and _matches(pattern, value):
                return step
    return ""


def _told(span: Seen, sources: Sequence[From]) -> str:
    return _first(span, sources)[1]


def _first(
    span: Seen,
    sources: Sequence[From],
    requested: str | None = None,
    believed: Callable[[str], bool] = bool,
) -> tuple[From | None, str]:
    for source in sources:
        value = _believed(span, source, requested)
        if value and believed(value):
            return source, value
    return None, ""


def _believed(span: Seen, source: From, requested: str | None) -> str:
    """What the source says, '' where its conditions do not hold."""
    value = span.value(source.key)
    if value is None or (source.spans and span.name not in source.spans):
        return ""
    if source.where and span.value(source.where[0]) != source.where[1]:
        return ""
    if source.path:
        value = _inside(value, source.path)
    if source.unless_requested and requested is not None and requested in ("", value):
        return ""
    return value


def _inside(document: str, path: Sequence[str | int]) -> str:
    try:
        value: Any = orjson.loads(document)
        for part in path:
            fits = isinstance(value, list) if isinstance(part, int) else isinstance(value, dict)
            value = value[part] if fits else None
    except (orjson.JSONDecodeError, KeyError, IndexError):
        return ""
    return value if isinstance(value, str) else ""


def _whole(digits: str) -> int:
    return int(digits.split(".", maxsplit=1)[0]) if re.fullmatch(r"[0-9]{1,9}(\.0*)?", digits) else 0


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
