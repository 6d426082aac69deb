"""For tests, ours and those of whoever builds on SpanWitness: a clock set by hand, and requests built from a few words.

Nothing here imitates a part of SpanWitness. Tests run the real path on the real embedded engine.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

EPOCH = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
"""Where a test's time begins."""

Value = str | int | bool
_LENGTH = 4
_HANDLER = "opentelemetry.util.genai.handler"


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: dt.datetime = EPOCH) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        """The time it is."""
        return self.now

    def advance(self, **by: float) -> dt.datetime:
        """Moves on, by what timedelta takes; the time it is then."""
        self.now += dt.timedelta(**by)
        return self.now


@dataclass(frozen=True, slots=True)
class FakeSpan:
    """A span in the words of the GenAI conventions. `chat` makes a model call, `tool` a tool call, neither a container.

    Attributes:
        trace: number of its trace.
        span: number of the span, unique within its trace.
        at: when it starts, in seconds after the beginning.
        conversation: its conversation id, '' for none.
    """

    trace: int
    span: int
    at: float = 0.0
    conversation: str = ""
    operation: str = "invoke_agent"
    name: str = "invoke_agent claims"
    parent: int = 0
    lasts: float = 0.5
    attributes: Mapping[str, Value] = field(default_factory=dict)
    failed: bool = False
    begin: dt.datetime = EPOCH

    @property
    def trace_id(self) -> str:
        """As it is stored."""
        return trace_id(self.trace).hex()

    @property
    def span_id(self) -> str:
        """As it is stored."""
        return span_id(self.span).hex()

    def proto(self) -> Span:
        """As it goes over the wire."""
        start = int(self.begin.timestamp()) * 10**9 + round(self.at * 10**9)
        told: dict[str, Value] = {"gen_ai.operation.name": self.operation, **self.attributes}
        if self.conversation:
            told["gen_ai.conversation.id"] = self.conversation
        return Span(
            trace_id=trace_id(self.trace),
            span_id=span_id(self.span),
            parent_span_id=span_id(self.parent) if self.parent else b"",
            name=self.name,
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=start,
            end_time_unix_nano=start + round(self.lasts * 10**9),
            attributes=_key_values(told),
            status=Status(code=Status.STATUS_CODE_ERROR if self.failed else Status.STATUS_CODE_UNSET),
        )


def chat(
    trace: int,
    span: int,
    at: float = 0.0,
    conversation: str = "",
    *,
    served: str = "gpt-4o-2024-08-06",
    parent: int = 0,
    attributes: Mapping[str, Value] | None = None,
    begin: dt.datetime = EPOCH,
) -> FakeSpan:
    """A model call that asks for gpt-4o and is answered by `served`."""
    told: dict[str, Value] = {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": served,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        **(attributes or {}),
    }
    return FakeSpan(trace, span, at, conversation, "chat", "chat gpt-4o", parent, attributes=told, begin=begin)


def tool(
    trace: int, span: int, at: float = 0.0, conversation: str = "", *, name: str = "get_claim_status", parent: int = 0
) -> FakeSpan:
    """A tool call."""
    told: dict[str, Value] = {"gen_ai.tool.name": name}
    return FakeSpan(trace, span, at, conversation, "execute_tool", f"execute_tool {name}", parent, attributes=told)


def trace_request(spans: Iterable[FakeSpan], *, tenant: str = "acme", service: str = "claims") -> bytes:
    """An ExportTraceServiceRequest of one service."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(_key_values({"service.name": service, "tenant.id": tenant}))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = _HANDLER
    scope_spans.spans.extend(span.proto() for span in spans)
    return request.SerializeToString()


def log_request(text: str, *, trace: int, span: int, tenant: str = "acme", service: str = "claims") -> bytes:
    """An ExportLogsServiceRequest of one record, which belongs to a span."""
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add()
    resource_logs.resource.attributes.extend(_key_values({"service.name": service, "tenant.id": tenant}))
    record = resource_logs.scope_logs.add().log_records.add()
    record.time_unix_nano = int(EPOCH.timestamp()) * 10**9
    record.trace_id, record.span_id = trace_id(trace), span_id(span)
    record.body.string_value = text
    return request.SerializeToString()


def trace_id(number: int) -> bytes:
    """A trace id."""
    return (0xACE << 64 | number).to_bytes(16, "big")


def span_id(number: int) -> bytes:
    """A span id."""
    return number.to_bytes(8, "big")


def framed(bodies: Iterable[bytes]) -> bytes:
    """Requests as an `.otlp` file holds them."""
    return b"".join(len(body).to_bytes(_LENGTH, "big") + body for body in bodies)


def frames(content: bytes) -> Iterator[bytes]:
    """The requests of an `.otlp` file."""
    at = 0
    while at < len(content):
        begin = at + _LENGTH
        at = begin + int.from_bytes(content[at:begin], "big")
        yield content[begin:at]


def span_by_span(body: bytes) -> list[bytes]:
    """The same trace request as one request a span."""
    parts = []
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                request = ExportTraceServiceRequest()
                one = request.resource_spans.add(resource=resource.resource, schema_url=resource.schema_url)
                one.scope_spans.add(scope=scope.scope, schema_url=scope.schema_url).spans.add().CopyFrom(span)
                parts.append(request.SerializeToString())
    return parts


def until(condition: Callable[[], bool], within_s: float = 20.0, *, pause_s: float = 0.05) -> None:
    """Returns once `condition` holds.

    Raises:
        TimeoutError: it still does not after `within_s` seconds.
    """
    never = threading.Event()
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s} s")
        never.wait(pause_s)


def _key_values(attributes: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items()]


def _any_value(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
