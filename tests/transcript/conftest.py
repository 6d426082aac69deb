"""Reads recorded telemetry into the review lane's values: as plainly as can be, so that it can be checked by eye."""

from __future__ import annotations

import gzip
import json
import struct
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.model import Event, LogRecord, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Conversations: TypeAlias = list[tuple[list[SpanRecord], list[LogRecord]]]

CAPTURES = Path(__file__).parent.parent / "captures"
KINDS = {"LLM": "llm", "TOOL": "tool", "RETRIEVER": "retrieval"}
OPERATIONS = {
    "chat": "llm",
    "generate_content": "llm",
    "execute_tool": "tool",
    "ai.generateText.doGenerate": "llm",
    "ai.toolCall": "tool",
}
OPERATION = ("gen_ai.operation.name", "llm.request.type", "ai.operationId")
CONVERSATION = ("session.id", "langfuse.session.id", "gen_ai.conversation.id", "ai.telemetry.metadata.sessionId")
STATUS = ("Unset", "Ok", "Error")


def value_of(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: value_of(each.value) for each in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


def text(value: Any) -> str:
    """As it is stored: text as it is, everything else as JSON."""
    plain = value_of(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain)


def texts(attributes: Iterable[Any]) -> dict[str, str]:
    return {each.key: text(each.value) for each in attributes}


def frames(path: Path) -> Iterator[bytes]:
    data = gzip.decompress(path.read_bytes())
    while data:
        (size,) = struct.unpack(">I", data[:4])
        yield data[4 : 4 + size]
        data = data[4 + size :]


def step_kind(scope: str, name: str, attributes: dict[str, str]) -> str:
    if scope == "livekit-agents":  # there the mapped kinds lie
        return {"llm_request": "llm", "function_tool": "tool"}.get(name, "")
    kind = attributes.get("openinference.span.kind") or attributes.get("gen_ai.span.kind", "")
    operation = next((attributes[key] for key in OPERATION if key in attributes), "")
    return KINDS.get(kind) or OPERATIONS.get(operation, "")


def span_record(scope: str, span: Any) -> SpanRecord:
    attributes = texts(span.attributes)
    kind = step_kind(scope, span.name, attributes)
    return SpanRecord(
        tenant="t",
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        name=span.name,
        service="",
        scope=scope,
        dialect="",
        step_kind=kind,
        started_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        status=STATUS[span.status.code],
        status_message=span.status.message,
        attributes=attributes,
        events=tuple(Event(each.time_unix_nano, each.name, texts(each.attributes)) for each in span.events),
    )


def spans_in(path: Path) -> list[SpanRecord]:
    requests = [ExportTraceServiceRequest.FromString(frame) for frame in frames(path)]
    scopes = [scope for request in requests for resource in request.resource_spans for scope in resource.scope_spans]
    return [span_record(scope.scope.name, span) for scope in scopes for span in scope.spans]


def logs_in(path: Path) -> list[LogRecord]:
    if not path.exists():
        return []
    requests = [ExportLogsServiceRequest.FromString(frame) for frame in frames(path)]
    scopes = [scope for request in requests for resource in request.resource_logs for scope in resource.scope_logs]
    return [
        LogRecord(
            log.trace_id.hex(),
            log.span_id.hex(),
            log.time_unix_nano or log.observed_time_unix_nano,
            log.event_name,
            text(log.body),
            texts(log.attributes),
        )
        for scope in scopes
        for log in scope.log_records
    ]


def read_capture(name: str) -> Conversations:
    """The conversations of a capture in order of time, each with its spans and log records.

    A trace belongs to the conversation that any of its spans names. Containers lose their attributes, as in the store.
    """
    spans = sorted(spans_in(CAPTURES / f"{name}.otlp.gz"), key=lambda span: span.started_ns)
    named: dict[str, str] = {}
    for key in CONVERSATION:
        for span in spans:
            if key in span.attributes:
                named.setdefault(span.trace_id, span.attributes[key])
    found: defaultdict[str, list[SpanRecord]] = defaultdict(list)
    for span in spans:
        if span.trace_id in named:
            found[named[span.trace_id]].append(span if span.step_kind else emptied(span))
    logs = logs_in(CAPTURES / f"{name}.logs.otlp.gz")
    return [
        (mine, [log for log in logs if log.trace_id in {span.trace_id for span in mine}]) for mine in found.values()
    ]


def emptied(span: SpanRecord) -> SpanRecord:
    return replace(span, attributes={}, events=())


def make_span(kind: str, attributes: Mapping[str, str] | None = None, *, at: int = 0, **others: Any) -> SpanRecord:
    """A step that starts at second `at` and takes half of it. Its span id tells the second unless given."""
    known: dict[str, Any] = {
        "tenant": "t",
        "trace_id": "trace",
        "span_id": f"span-{at:04}",
        "parent_span_id": "",
        "name": kind,
        "service": "",
        "scope": "",
        "dialect": "",
        "step_kind": kind,
        "started_ns": at * 10**9,
        "ended_ns": at * 10**9 + 5 * 10**8,
        "status": "Unset",
        "attributes": attributes or {},
    }
    return SpanRecord(**{**known, **others})


@pytest.fixture(scope="session")
def conversations() -> Callable[[str], Conversations]:
    return cache(read_capture)


@pytest.fixture(scope="session")
def span() -> Callable[..., SpanRecord]:
    return make_span
