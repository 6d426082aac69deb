"""Small requests, and what became of them in plain values."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spanwitness.testing import frames
from tests.decode import reference

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from spanwitness.columns import Batch
    from tests.decode.reference import Reading, Row

CAPTURES = sorted((Path(__file__).parent.parent / "captures").rglob("*.otlp.gz"))
LOG_CAPTURES = [path for path in CAPTURES if ".logs." in path.name]
TRACE_CAPTURES = [path for path in CAPTURES if ".logs." not in path.name]
START = 1_793_000_000_123_456_789


def requests_of(path: Path) -> list[bytes]:
    """A capture's requests, as they came."""
    return list(frames(gzip.decompress(path.read_bytes())))


def rows(batch: Batch, own: str = "SpanAttributes") -> list[Row]:
    """What was decoded, as the reference writes it."""
    owners = batch.resources.maps().take(pa.array(batch.resource))
    return reference.plain_rows(pa.table({**batch.columns, own: batch.attributes.maps(), "ResourceAttributes": owners}))


def refused(batch: Batch) -> dict[int, int | None]:
    return {request: None if problem.fatal else problem.rejected for request, problem in batch.problems.items()}


def span(**fields: Any) -> Span:
    return Span(
        **{"trace_id": b"\1" * 16, "span_id": b"\2" * 8, "name": "chat", "start_time_unix_nano": START, **fields}
    )


def request(*spans: Span) -> bytes:
    message = ExportTraceServiceRequest()
    message.resource_spans.add().scope_spans.add().spans.extend(spans)
    return message.SerializeToString()


def logs(*records: LogRecord) -> bytes:
    message = ExportLogsServiceRequest()
    message.resource_logs.add().scope_logs.add().log_records.extend(records)
    return message.SerializeToString()


def only(batch: Batch) -> Row:
    assert batch.problems == {}
    (row,) = rows(batch)
    return row


def agree(batch: Batch, told: Reading, own: str = "SpanAttributes") -> None:
    """Both read the same rows and refused the same items."""
    columns = [*batch.columns, own, "ResourceAttributes"]
    assert rows(batch, own) == [{name: row[name] for name in columns} for row in told.rows]
    assert refused(batch) == told.refused


def array(*values: AnyValue) -> AnyValue:
    return AnyValue(array_value=ArrayValue(values=values))


def map_of(**values: AnyValue) -> AnyValue:
    return AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key=key, value=value) for key, value in values.items()]))


# A field on the wire: its number, then bytes with their length before them.


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content if len(content) < 128 else _long(number, content)


def _long(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content) & 127 | 128, len(content) >> 7]) + content


def with_value(value: bytes) -> bytes:
    """A request of one span with one attribute, whose AnyValue is these bytes."""
    attribute = field(1, b"key") + field(2, value)
    one = field(1, b"\1" * 16) + field(2, b"\2" * 8) + field(9, attribute)
    return field(1, field(2, field(2, one)))


def nested(depth: int) -> bytes:
    value = field(1, b"deep")
    for _ in range(depth):
        value = field(5, field(1, value))
    return value
