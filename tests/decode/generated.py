"""Requests as hypothesis makes them: everything OTLP allows and a good deal that it forbids."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import HealthCheck, settings
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

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
"""For a machine with other work to do: how long an example takes says nothing here."""
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


def _facts(dialect: Dialect) -> Iterator[From]:
    for name in _FIELDS:
        yield from getattr(dialect, name)


def _of_source(source: From) -> Iterator[tuple[str, str]]:
    yield from ((source.key, value) for value in VALUES)
    if source.where:
        yield source.where


def _pairs(dialect: Dialect) -> list[tuple[str, str]]:
    """What a span of this dialect may plausibly say: key and value."""
    kinds = (*dialect.kinds, *dialect.actors, *dialect.end)
    said = {(kind.source.key, value.replace("*", "and more")) for kind in kinds for value in kind.steps}
    said |= {pair for source in _facts(dialect) for pair in _of_source(source)}
    return sorted(said | {(key, "anything") for key in (*dialect.markers, *dialect.requires)})


def _names(dialect: Dialect) -> list[str]:
    told = {value for key, value in _pairs(dialect) if key == SPAN_NAME and value}
    named = {name for source in _facts(dialect) for name in (*source.spans, *source.beside)}
    return sorted(told | named | {"chat gpt-4o"})


MODELS = ("gpt-4o", "gpt-4o-2024-08-06", "openai/gpt-4o-mini")
VALUES = [
    *(*MODELS, "anthropic/claude-sonnet-4-5", "openai", "127.0.0.1:18080", "strands-agents", " "),
    *("conv-1", "conv-2", "resp_0123", "", "true", "false", "12", "12.0", "12.5", "4294967296", "-1", "٣"),
    *("error", "ERROR", "failed", "success", "[Scrubbed due to 'session']", "<redacted>"),
    *(
        '["stop"]',
        '["tool_calls","stop"]',
        "[]",
        "[3]",
        '[ "',
        "stop",
        "{",
        "null",
        '{"model":7}',
        '{"generations":[]}',
    ),
    '{"model":"gpt-4o","system_fingerprint":"fp_2","lc_agent_name":"planner"}',
]
OWN_KEYS = (
    *(f"spanwitness.{name}" for name in ("channel", "intent", "language", "actor", "conversation.ended")),
    *("spanwitness.served.model", "spanwitness.served.fingerprint"),
    *("agent.trajectory.step", "service.name", "service.version", "project_name", *TENANT_KEYS),
)
OWN = [(key, value) for key in OWN_KEYS for value in ("true", "3", "human", "acme")]
KEYS = sorted({key for dialect in DIALECTS for key, _ in _pairs(dialect)} | set(OWN_KEYS))
SCOPES = sorted({scope.replace("*", "unseen") for dialect in DIALECTS for scope in dialect.scopes})
TIMES = [0, 1, 999_999_999, 1_793_000_000_123_456_789, (2**32 - 86_400) * 10**9, 2**63 - 1, 2**64 - 1]
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


def _few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=1, max_size=2) | st.just([])


def _maybe(messages: st.SearchStrategy[Proto]) -> st.SearchStrategy[Proto | None]:
    return st.none() | messages


def _said(pair: tuple[str, str]) -> KeyValue:
    return KeyValue(key=pair[0], value=AnyValue(string_value=pair[1]))


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
_free = st.builds(KeyValue, key=st.sampled_from(KEYS) | st.text(max_size=4), value=_maybe(any_values))
attributes = st.lists(_newer(_free), max_size=3)
times = st.sampled_from(TIMES) | st.integers(0, 2**64 - 1)


def ids(width: int) -> st.SearchStrategy[bytes]:
    """Mostly of the right width, at times of any other or zero."""
    right = [number.to_bytes(width, "big") for number in (1, 2, 3)]
    wrong = [bytes(width), *(b"\x01" * length for length in range(21) if length != width)]
    return st.sampled_from([*right * 50, *wrong, b"\xff" * width])


def _parents() -> st.SearchStrategy[bytes]:
    return st.just(b"") | ids(8)


events = st.builds(Span.Event, time_unix_nano=times, name=texts, attributes=attributes)
links = st.builds(Span.Link, trace_id=ids(16), span_id=ids(8), trace_state=texts, attributes=attributes)
statuses = st.builds(Status, code=st.integers(-1, 4), message=texts)
_whatever = _newer(
    st.builds(
        Span,
        trace_id=ids(16),
        span_id=ids(8),
        parent_span_id=_parents(),
        trace_state=texts,
        name=texts,
        kind=st.sampled_from([0, 1, 2, 3, 4, 5, 6, -1, 2**31 - 1]),
        start_time_unix_nano=st.sampled_from([*TIMES[:4] * 7, *TIMES]),
        end_time_unix_nano=st.sampled_from([*TIMES[:4] * 7, *TIMES]),
        attributes=attributes,
        events=_some(_newer(events), 2),
        links=_some(_newer(links), 2),
        status=_maybe(_newer(statuses)),
    )
)


def spoken(dialect: Dialect, chance: Random, spans: int) -> bytes:
    """A request of spans that say what this dialect's spans say, at times under another's scope."""
    message = ExportTraceServiceRequest()
    part = message.resource_spans.add()
    part.resource.attributes.extend(_said(pair) for pair in chance.sample(OWN, chance.randrange(4)))
    scopes = [scope.replace("*", "unseen") for scope in dialect.scopes] or ["acme.unheard_of"]
    names = _names(dialect)
    for _ in range(spans):
        group = part.scope_spans.add()
        group.scope.name = chance.choice([*scopes * 6, chance.choice(SCOPES)])
        group.spans.append(_spoken_span(dialect, chance, names))
    return message.SerializeToString()


def _spoken_span(dialect: Dialect, chance: Random, names: list[str]) -> Span:
    said = dict(chance.sample(OWN, chance.choice([0, 0, 1, 3])))
    said |= dict.fromkeys(chance.sample(dialect.requires, min(len(dialect.requires), chance.randrange(3))), "anything")
    few = [*chance.sample(VALUES, 2), *chance.sample(MODELS, 2)]  # few, so that one fact often repeats another
    for name in chance.sample(_FIELDS, 8):
        for source in chance.sample(getattr(dialect, name), min(len(getattr(dialect, name)), chance.choice([1, 1, 2]))):
            said |= _told_by(source, chance.choice(few), chance)
    for kind in chance.sample(dialect.kinds, min(len(dialect.kinds), chance.choice([1, 1, 2]))):
        said |= _told_by(kind.source, chance.choice([*kind.steps]).replace("*", "and more"), chance)
    return Span(
        trace_id=chance.choice((1, 2)).to_bytes(16, "big"),
        span_id=chance.randrange(1, 9).to_bytes(8, "big"),
        name=said.pop(SPAN_NAME, "") or chance.choice(names),
        start_time_unix_nano=chance.choice(TIMES[:4]),
        status=Status(code=chance.choice(Status.StatusCode.values())),
        attributes=map(_said, said.items()),
    )


def _told_by(source: From, value: str, chance: Random) -> dict[str, str]:
    """The value where this source reads it, now and then with one of its conditions not kept."""
    said = {source.key: _written(source, value, chance) if source.path or source.quoted else value}
    if source.where and chance.random() < 0.8:
        said |= [source.where]
    if source.without and chance.random() < 0.3:
        said[source.without] = chance.choice(("", "anything"))
    return said


def _written(source: From, value: str, chance: Random) -> str:
    """A value at its path inside JSON; sometimes one that is none there."""
    content: Any = chance.choice([*[value] * 6, 12, True, None, [value]])
    for step in reversed(source.path):
        content = [*[None] * step, content] if isinstance(step, int) else {step: content}
    return chance.choice([*[json.dumps(content)] * 6, value])


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
    groups = st.builds(ScopeSpans, scope=_maybe(_newer(scopes)), spans=_some(_whatever))
    parts = st.builds(ResourceSpans, resource=_maybe(_newer(resources)), scope_spans=_few(_newer(groups)))
    return _newer(st.builds(ExportTraceServiceRequest, resource_spans=_few(_newer(parts))))


def _any_spoken(seed: int) -> bytes:
    chance = Random(seed)  # noqa: S311 - the same spans in every run
    # One request after the other is one request: that is how protobuf merges.
    return b"".join(spoken(chance.choice(DIALECTS), chance, 4) for _ in range(chance.randrange(1, 4)))


def _logs() -> st.SearchStrategy[ExportLogsServiceRequest]:
    groups = st.builds(ScopeLogs, scope=_maybe(_newer(scopes)), log_records=_some(records))
    parts = st.builds(ResourceLogs, resource=_maybe(_newer(resources)), scope_logs=_few(_newer(groups)))
    return _newer(st.builds(ExportLogsServiceRequest, resource_logs=_few(_newer(parts))))


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


trace_bodies = _traces().map(_serialized)
spoken_bodies = st.builds(_any_spoken, st.integers(0, 2**32))
log_bodies = _logs().map(_serialized)


def _damaged(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    cut = st.builds(lambda body, at: body[: at % (len(body) + 1)], bodies, st.integers(0, 400))
    return cut | st.sampled_from([b"\xff", b"\x0a\x05ab", b"\x0a\x03\x0a\xff\xff", b"\x00", b"not OTLP at all"])


def _parted(some: list[tuple[bytes, str]]) -> tuple[list[bytes], list[str]]:
    return [body for body, _ in some], [caller for _, caller in some]


def batches(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[list[bytes], list[str]]]:
    """Requests that are decoded together, some of them damaged, with what each caller is bound to."""
    request = st.tuples(bodies | bodies | bodies | _damaged(bodies), st.sampled_from(["", "", "bound-a", "bound-b"]))
    return st.lists(request, min_size=1, max_size=3).map(_parted)
