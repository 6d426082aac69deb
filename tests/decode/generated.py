"""Requests as hypothesis makes them: everything OTLP allows and a good deal that it forbids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from spanwitness.tag.dialect import SPAN_NAME, Dialect, From
from spanwitness.tag.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    Proto = TypeVar("Proto", bound=Message)

TENANT_KEYS = ("tenant.id", "customer")
_FIELDS = (
    "conversation",
    "provider",
    "requested",
    "served",
    "fingerprint",
    "agent",
    "agent_version",
    "prompt_version",
    "tool",
    "input_tokens",
    "output_tokens",
    "finish_reason",
    "error",
)


def _sources(dialect: Dialect) -> Iterator[From]:
    for name in _FIELDS:
        yield from getattr(dialect, name)
    yield from (kind.source for kind in (*dialect.kinds, *dialect.actors, *dialect.end))


def _words(dialect: Dialect) -> Iterator[str]:
    for kind in (*dialect.kinds, *dialect.actors, *dialect.end):
        yield from (value.replace("*", "and more") for value in kind.steps)
    for source in _sources(dialect):
        yield from source.spans
        yield from source.where[1:] if source.where else ()


def _in_order(words: Iterator[str]) -> list[str]:
    return sorted(set(words))


KEYS = _in_order(
    key
    for dialect in DIALECTS
    for key in (
        *dialect.markers,
        *dialect.requires,
        *(source.key for source in _sources(dialect)),
        *(source.where[0] for source in _sources(dialect) if source.where),
        *(f"spanwitness.{name}" for name in ("channel", "intent", "language", "actor", "conversation.ended")),
        "agent.trajectory.step",
        "service.name",
        "service.version",
        "project_name",
        *TENANT_KEYS,
    )
    if key != SPAN_NAME
)
SCOPES = _in_order(scope.replace("*", "unseen") for dialect in DIALECTS for scope in dialect.scopes)
WORDS = _in_order(word for dialect in DIALECTS for word in _words(dialect))
NAMES = _in_order(word for word in (*WORDS, "chat gpt-4o", "execute_tool transfer_to_human"))
_ANSWERED = (
    '{"generations":[[{"message":{"kwargs":{"response_metadata":'
    '{"model_name":"gpt-4o-2024-08-06","system_fingerprint":"fp_1"}}}}]]}'
)
VALUES = [
    *WORDS,
    *("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-mini", "anthropic/claude-sonnet-4-5", "openai", "127.0.0.1:18080"),
    *("conv-1", "conv-2", "resp_0123", "", "true", "false", "12", "12.0", "12.5", "4294967296", "-1", "٣"),
    *('["stop"]', '["tool_calls","stop"]', "[]", "[3]", '[ "', "stop", "{", "null", '{"model":7}', '{"generations":[]}'),
    *('{"model":"gpt-4o","system_fingerprint":"fp_2","lc_agent_name":"planner"}', _ANSWERED),
]
TIMES = [0, 1, 999_999_999, 1_793_000_000_123_456_789, 2**63 - 1, 2**63, 2**64 - 1]
# Field 5000, which nobody has defined: a text, and a number.
UNKNOWN_FIELDS = b"\xc2\xb8\x02\x03abc", b"\xc0\xb8\x02\x07"


def _newer(messages: st.SearchStrategy[Proto]) -> st.SearchStrategy[Proto]:
    """Some of the messages with a field of a later version of OTLP."""

    def add(message: Proto, raw: bytes) -> Proto:
        message.MergeFromString(raw)
        return message

    return st.builds(add, messages, st.sampled_from((b"", b"", b"", *UNKNOWN_FIELDS)))


def _some(values: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, max_size=most)


def _maybe(messages: st.SearchStrategy[Proto]) -> st.SearchStrategy[Proto | None]:
    return st.none() | messages


texts = st.sampled_from(VALUES) | st.text(max_size=8)
_leaves = st.one_of(
    st.builds(AnyValue),
    st.builds(AnyValue, string_value=texts),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats() | st.integers(-3, 10**6).map(float)),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, bytes_value=st.binary(max_size=6)),
)
any_values = _newer(
    st.recursive(
        _leaves,
        lambda inner: st.one_of(
            st.builds(AnyValue, array_value=st.builds(ArrayValue, values=_some(inner))),
            st.builds(
                AnyValue,
                kvlist_value=st.builds(
                    KeyValueList, values=_some(st.builds(KeyValue, key=st.sampled_from("abc"), value=inner))
                ),
            ),
        ),
        max_leaves=6,
    )
)
_told = st.builds(KeyValue, key=st.sampled_from(KEYS), value=st.builds(AnyValue, string_value=st.sampled_from(VALUES)))
_free = st.builds(KeyValue, key=st.sampled_from(KEYS) | st.text(max_size=4), value=_maybe(any_values))
attributes = st.lists(_newer(_told | _told | _free), max_size=8)
times = st.sampled_from(TIMES) | st.integers(0, 2**64 - 1)


def ids(width: int) -> st.SearchStrategy[bytes]:
    """Mostly of the right width, at times of any other or zero."""
    right = st.integers(1, 3).map(lambda number: number.to_bytes(width, "big"))
    return st.one_of(right, right, right, st.binary(min_size=width, max_size=width), st.binary(max_size=20))


def _parents() -> st.SearchStrategy[bytes]:
    return st.just(b"") | ids(8)


events = st.builds(Span.Event, time_unix_nano=times, name=texts, attributes=attributes)
links = st.builds(Span.Link, trace_id=ids(16), span_id=ids(8), trace_state=texts, attributes=attributes)
statuses = st.builds(Status, code=st.integers(-1, 4), message=texts)
spans = _newer(
    st.builds(
        Span,
        trace_id=ids(16),
        span_id=ids(8),
        parent_span_id=_parents(),
        trace_state=texts,
        name=st.sampled_from(NAMES) | texts,
        kind=st.sampled_from([0, 1, 2, 3, 4, 5, 6, -1, 2**31 - 1]),
        start_time_unix_nano=st.sampled_from(TIMES[:4]) | times,
        end_time_unix_nano=st.sampled_from(TIMES[:4]) | times,
        attributes=attributes,
        events=_some(_newer(events), 2),
        links=_some(_newer(links), 2),
        status=_maybe(_newer(statuses)),
    )
)
scopes = st.builds(InstrumentationScope, name=st.sampled_from(SCOPES) | texts, version=texts)
resources = st.builds(Resource, attributes=attributes)
records = _newer(
    st.builds(
        LogRecord,
        time_unix_nano=st.just(0) | times,
        observed_time_unix_nano=times,
        severity_number=st.sampled_from([0, 9, 24, -1, 300]),
        severity_text=texts,
        body=_maybe(any_values),
        attributes=attributes,
        flags=st.integers(0, 2**32 - 1),
        trace_id=_parents() | ids(16),
        span_id=_parents(),
        event_name=texts,
    )
)


def _traces() -> st.SearchStrategy[ExportTraceServiceRequest]:
    groups = st.builds(ScopeSpans, scope=_maybe(_newer(scopes)), spans=_some(spans))
    parts = st.builds(ResourceSpans, resource=_maybe(_newer(resources)), scope_spans=_some(_newer(groups), 2))
    return _newer(st.builds(ExportTraceServiceRequest, resource_spans=_some(_newer(parts), 2)))


def _logs() -> st.SearchStrategy[ExportLogsServiceRequest]:
    groups = st.builds(ScopeLogs, scope=_maybe(_newer(scopes)), log_records=_some(records))
    parts = st.builds(ResourceLogs, resource=_maybe(_newer(resources)), scope_logs=_some(_newer(groups), 2))
    return _newer(st.builds(ExportLogsServiceRequest, resource_logs=_some(_newer(parts), 2)))


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


trace_bodies = _traces().map(_serialized)
log_bodies = _logs().map(_serialized)


def _damaged(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    cut = st.builds(lambda body, at: body[: at % (len(body) + 1)], bodies, st.integers(0, 400))
    return cut | st.sampled_from([b"\xff", b"\x0a\x05ab", b"\x0a\x03\x0a\xff\xff", b"\x00", b"not OTLP at all"])


def batches(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[list[bytes], list[str]]]:
    """Requests that are decoded together, some of them damaged, with what each caller is bound to."""
    request = st.tuples(bodies | bodies | bodies | _damaged(bodies), st.sampled_from(["", "", "bound-a", "bound-b"]))
    return st.lists(request, max_size=4).map(lambda some: ([body for body, _ in some], [caller for _, caller in some]))
