"""A recording made into a play of its own: its names, ids and times are replaced, all else stays as it was recorded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.demo.cast import TENANT, Agent
from spanwitness.errors import SpanWitnessError
from spanwitness.importer import Recording
from spanwitness.receive import Signal

if TYPE_CHECKING:
    import datetime as dt

    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

Request = ExportTraceServiceRequest | ExportLogsServiceRequest
REQUESTS: Final[Mapping[Signal, type[Request]]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
_IDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_TIME: Final = "_unix_nano"
_SERVICE: Final = frozenset({"service.name", "project_name", "openinference.project.name"})
_RECORDED_TENANT: Final = "acme-insurance"


@dataclass(frozen=True, slots=True)
class Part:
    """A request to be sent."""

    signal: Signal
    request: Request


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of a recording's strings, of its trace and span ids, and of its times."""

    text: Callable[[str], str]
    salt: bytes
    shift_ns: int


def run_name(now: dt.datetime) -> str:
    """What tells the conversations of one run from those of every other."""
    return f"{int(now.timestamp()):x}"


def play(agent: Agent, run: str, now: dt.datetime) -> list[Part]:
    """An agent's recording as if it had just ended. The same arguments give the same play.

    Raises:
        SpanWitnessError: the recording is not whole.
    """
    parts = [Part(recorded[0], REQUESTS[recorded[0]].FromString(recorded[1])) for recorded in _recorded(agent)]
    ended = max(max(_times(part.request), default=0) for part in parts)
    change = _Change(
        text=_replacer({old: f"{agent.service}-{run}-{new}" for old, new in agent.ids.items()}),
        # One salt for all agents of a run, so that a reference from one recording to another would still hold.
        salt=hashlib.sha256(run.encode()).digest()[:16],
        shift_ns=int(now.timestamp() * 1_000_000) * 1_000 - ended,
    )
    for part in parts:
        _apply(change, part.request)
        for resource in _resources(part.request):
            _own(resource, agent)
    return parts


def trace_ids(parts: Sequence[Part]) -> set[str]:
    """The traces that have spans among the requests."""
    return {
        span.trace_id.hex()
        for part in parts
        if isinstance(part.request, ExportTraceServiceRequest)
        for group in part.request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    }


def items(request: Request) -> int:
    """The spans or log records of a request."""
    if isinstance(request, ExportTraceServiceRequest):
        return sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)
    return sum(len(scope.log_records) for group in request.resource_logs for scope in group.scope_logs)


def _recorded(agent: Agent) -> Iterator[tuple[Signal, bytes]]:
    for path in agent.files():
        recording = Recording(path)
        for recorded in recording.requests():
            yield recorded.signal, recorded.body
        if recording.damage:
            raise SpanWitnessError(f"the demo's recording is damaged: {recording.damage[0]}")


def _replacer(names: Mapping[str, str]) -> Callable[[str], str]:
    wanted = {_RECORDED_TENANT: TENANT, **names}
    pattern = re.compile("|".join(map(re.escape, wanted)))
    return lambda text: pattern.sub(lambda found: wanted[found.group()], text)


def _resources(request: Request) -> Iterator[Resource]:
    groups = request.resource_spans if isinstance(request, ExportTraceServiceRequest) else request.resource_logs
    return (group.resource for group in groups)


def _own(resource: Resource, agent: Agent) -> None:
    """Names the service and the tenant, wherever the instrumentation puts the one and whether it tells the other."""
    for attribute in resource.attributes:
        if attribute.key in _SERVICE:
            attribute.value.string_value = agent.service
    if not any(attribute.key == "tenant.id" for attribute in resource.attributes):
        resource.attributes.add(key="tenant.id").value.string_value = TENANT


def _apply(change: _Change, message: Message) -> None:
    """Changes every string, id and time below a message: links, events, log records and nested values included.

    An absent id (no parent) and an absent time are not listed, and so stay absent.
    """
    for field, value in message.ListFields():
        if isinstance(value, str):
            setattr(message, field.name, change.text(value))
        elif field.name in _IDS:
            setattr(message, field.name, bytes(a ^ b for a, b in zip(value, change.salt, strict=False)))
        elif field.name.endswith(_TIME):
            setattr(message, field.name, value + change.shift_ns)
        else:
            for below in _messages(value):
                _apply(change, below)


def _times(message: Message) -> Iterator[int]:
    for field, value in message.ListFields():
        if field.name.endswith(_TIME):
            yield value
        else:
            for below in _messages(value):
                yield from _times(below)


def _messages(value: object) -> Iterator[Message]:
    """The messages that a field holds: one, many, or none where it is a plain value."""
    if isinstance(value, Message):
        yield value
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from (item for item in value if isinstance(item, Message))
