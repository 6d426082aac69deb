"""One span in, its row out, by the real path."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from spanwitness.decode import decode_spans
from spanwitness.tag import TenantRule, index_traces, tag_spans
from tests.decode.built import TRACE_CAPTURES, requests_of
from tests.decode.reference import plain_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.decode.reference import Row

AT = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


def request(
    attributes: Mapping[str, Any] | None = None,
    *,
    scope: str = "",
    name: str = "",
    resource: Mapping[str, Any] | None = None,
    start: int = 0,
) -> bytes:
    """A request of one span."""
    message = ExportTraceServiceRequest()
    part = message.resource_spans.add()
    part.resource.attributes.extend(_told(resource or {}))
    group = part.scope_spans.add()
    group.scope.name = scope
    span = group.spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, name=name, start_time_unix_nano=start)
    span.attributes.extend(_told(attributes or {}))
    return message.SerializeToString()


def tagged(
    attributes: Mapping[str, Any],
    *,
    scope: str = "",
    name: str = "",
    resource: Mapping[str, Any] | None = None,
    caller: str = "",
    rule: TenantRule | None = None,
) -> Row:
    """The row of one span."""
    body = request(attributes, scope=scope, name=name, resource=resource)
    (row,) = plain_rows(tag_spans(decode_spans([body]), [caller], rule or TenantRule(), AT))
    return row


def indexed(*bodies: bytes) -> list[Row]:
    """The rows of the trace index, by tenant and trace."""
    table = tag_spans(decode_spans(bodies), [""] * len(bodies), TenantRule(), AT)
    return sorted(plain_rows(index_traces(table)), key=lambda row: (row["TenantId"], row["TraceId"]))


@cache
def captured(name: str) -> tuple[Row, ...]:
    """The rows of a capture."""
    (path,) = (path for path in TRACE_CAPTURES if path.name == f"{name}.otlp.gz")
    bodies = requests_of(path)
    return tuple(plain_rows(tag_spans(decode_spans(bodies), [""] * len(bodies), TenantRule(), AT)))


def _told(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in attributes.items()]


def _value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case _:
            return AnyValue(array_value=ArrayValue(values=[_value(item) for item in value]))
