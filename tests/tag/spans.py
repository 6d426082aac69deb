"""One span in, its row out, by the real path."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from spanwitness.decode import decode_spans
from spanwitness.tag import TenantRule, index_traces, tag_spans
from tests.decode.built import TRACE_CAPTURES, requests_of
from tests.decode.reference import plain_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.decode.reference import Row

AT = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
FULL, MINI = "openai/gpt-4o-2024-08-06", "openai/gpt-4o-mini-2024-07-18"
# What the play behind most captures truly was, whatever a library makes of it.
SWAP = {FULL: 12, MINI: 12}
CONVERSATIONS = {f"conv-7d1f0a52-000{number}" for number in (1, 2, 3, 4)}
TOOLS = {"get_claim_status": 5, "search_policy_documents": 3, "transfer_to_human": 1}
ENDS = {"tool_calls": 8, "stop": 16}
# The same of the smaller play behind the captures of others/.
SHORT_SWAP = {FULL: 7, MINI: 9}
SHORT_CONVERSATIONS = {f"conv-5e2f-000{number}" for number in (1, 2, 3, 4)}
SHORT_TOOLS = {"get_claim_status": 6, "transfer_to_human": 1}
SHORT_TOKENS = (4968, 456)


def request(
    attributes: Mapping[str, Any] | None = None,
    *,
    scope: str = "",
    name: str = "",
    resource: Mapping[str, Any] | None = None,
    start: int = 0,
    failed: bool = False,
) -> bytes:
    """A request of one span."""
    message = ExportTraceServiceRequest()
    part = message.resource_spans.add()
    part.resource.attributes.extend(_told(resource or {}))
    group = part.scope_spans.add()
    group.scope.name = scope
    span = group.spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, name=name, start_time_unix_nano=start)
    span.status.code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET
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
    failed: bool = False,
) -> Row:
    """The row of one span; `failed`: its status is Error."""
    body = request(attributes, scope=scope, name=name, resource=resource, failed=failed)
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


def steps(name: str, kind: str = "llm") -> list[Row]:
    """A capture's steps of one kind."""
    return [row for row in captured(name) if row["StepKind"] == kind]


def counted(name: str, column: str, kind: str = "llm") -> Counter[Any]:
    """How often a capture's steps of one kind hold each value of a column."""
    return Counter(row[column] for row in steps(name, kind))


def kinds(name: str) -> Counter[tuple[str, str]]:
    """How many spans of each dialect and kind a capture has."""
    return Counter((row["Dialect"], row["StepKind"]) for row in captured(name))


def tokens(name: str) -> tuple[int, int]:
    """What a capture's model calls used in all: input, output."""
    return sum(counted(name, "InputTokens").elements()), sum(counted(name, "OutputTokens").elements())


def sources(name: str, kind: str = "llm") -> dict[str, int]:
    """Which keys named the conversation of a capture's steps of one kind, and how often ('' where none did)."""
    return dict(counted(name, "ConversationIdSource", kind))


def conversations(name: str) -> set[str]:
    """The ids that a capture's spans name, but for ''."""
    return {row["ConversationId"] for row in captured(name)} - {""}


def went_wrong(name: str) -> Counter[tuple[str, str, bool]]:
    """The steps of a capture that failed: by the status, or by what the library says beside it."""
    failed = [row for row in captured(name) if row["StepKind"] and (row["StepFailed"] or row["StatusCode"] == "Error")]
    return Counter((row["ToolName"] or row["StepKind"], row["StatusCode"], row["StepFailed"]) for row in failed)


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
