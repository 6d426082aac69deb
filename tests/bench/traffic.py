"""Requests to load a receiver with: spans of agents by OTel's GenAI conventions.

A request is serialised once, as a template; each one sent is a copy of it in which the ids are overwritten in place. So
the generator costs little beside what it measures, and no two requests hold the same span.
"""

from __future__ import annotations

import itertools
import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

PAYLOADS: Final = {"small": 0, "genai": 3_000, "large": 30_000}
"""Bytes of prompt and answer in a span."""

# Where an id is to be overwritten. They stand in a request nowhere else.
_TRACE_MARK: Final = bytes.fromhex("f7a3d1e98c5b")
_SPAN_MARK: Final = bytes.fromhex("9ec4f2b6")
_NAME_MARK: Final = b"QxJvZkWq"

_SPANS_A_TRACE: Final = 20
_TENANTS: Final = 8
_TEMPLATE_BYTES: Final = 32_000_000
_CORPUS_BYTES: Final = 4_000_000
_ODD: Final = 2_654_435_761  # times an odd number: different numbers stay different, and lie as random ones do

_AGENTS: Final = ("refunds", "bookings", "triage", "onboarding", "claims")
_TOOLS: Final = ("find_order", "read_policy", "open_ticket", "quote_price", "look_up_customer")
_MODELS: Final = (
    ("openai", "gpt-4o", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ("gcp.vertex_ai", "gemini-2.5-pro", "gemini-2.5-pro"),
)


@dataclass(frozen=True, slots=True)
class Template:
    """A serialised request, and where its ids stand: one row of byte positions for each."""

    body: bytes
    spans: int
    traces: NDArray[np.int64]
    span_ids: NDArray[np.int64]
    names: NDArray[np.int64]


def templates(payload: str, spans: int, seed: int = 1) -> list[Template]:
    """Different requests of so many spans each; the same arguments give the same ones."""
    rng = random.Random(seed)  # noqa: S311 - content, no secret
    corpus = _corpus(rng)
    size = (PAYLOADS[payload] + 700) * spans
    count = max(2, min(32, _TEMPLATE_BYTES // size))
    return [_template(_request(rng, corpus, payload, spans, number)) for number in range(count)]


def _corpus(rng: random.Random) -> str:
    """Made-up words, few of them often and many seldom: it compresses about as prose does."""
    syllables = ("ka", "lo", "mer", "tis", "un", "dra", "ve", "so", "pin", "el", "gar", "ith", "mo", "ra", "es", "tan")
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(5_000)]
    weights = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(words))))
    text: list[str] = []
    size = 0
    while size < _CORPUS_BYTES:
        more = " ".join(rng.choices(words, cum_weights=weights, k=1_000))
        text.append(more)
        size += len(more) + 1
    return " ".join(text)


def _request(rng: random.Random, corpus: str, payload: str, spans: int, number: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    agent = _AGENTS[number % len(_AGENTS)]
    for key, value in (
        ("service.name", f"{agent}-service"),
        ("service.version", "2.4.0"),
        ("deployment.environment.name", "production"),
        ("tenant.id", f"tenant-{number % _TENANTS}"),
        ("telemetry.sdk.language", "python"),
    ):
        _put(group.resource, key, value)
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.util.genai.handler"
    scope.scope.version = "1.3b0"
    for first in range(0, spans, _SPANS_A_TRACE):
        _trace(rng, corpus, PAYLOADS[payload], scope, agent, min(_SPANS_A_TRACE, spans - first))
    return request


def _trace(rng: random.Random, corpus: str, content: int, scope: ScopeSpans, agent: str, count: int) -> None:
    """A turn: the agent's span, and under it calls of the model and of tools."""
    trace_id = _TRACE_MARK + rng.randbytes(10)
    conversation = f"conv-{_NAME_MARK.decode()}-{rng.getrandbits(32):08x}"
    model = rng.choice(_MODELS)
    start = time.time_ns() - 60 * 10**9
    first = len(scope.spans) + 1  # an id of zeros alone is none
    for number in range(count):
        span = scope.spans.add()
        span.trace_id = trace_id
        span.span_id = _SPAN_MARK + _spread(first + number)
        if number:
            span.parent_span_id = _SPAN_MARK + _spread(first)
        span.start_time_unix_nano = start + number * 350_000_000 + rng.randrange(10**8)
        span.end_time_unix_nano = span.start_time_unix_nano + rng.randrange(10**7, 3 * 10**9)
        _describe(rng, span, agent, model, "invoke_agent" if not number else "chat" if number % 2 else "execute_tool")
        _put(span, "gen_ai.conversation.id", conversation)
        if content:
            _converse(rng, corpus, content, span)


def _describe(rng: random.Random, span: Span, agent: str, model: tuple[str, str, str], operation: str) -> None:
    provider, requested, served = model
    tool = rng.choice(_TOOLS)
    subject = {"invoke_agent": agent, "chat": requested, "execute_tool": tool}[operation]
    span.name = f"{operation} {subject}"
    span.kind = Span.SPAN_KIND_CLIENT if operation == "chat" else Span.SPAN_KIND_INTERNAL
    told: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.agent.name": agent,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": requested,
        "gen_ai.response.model": served,
        "gen_ai.usage.input_tokens": rng.randrange(200, 20_000),
        "gen_ai.usage.output_tokens": rng.randrange(5, 2_000),
        "gen_ai.request.temperature": rng.random(),
        "gen_ai.tool.name" if operation == "execute_tool" else "gen_ai.response.id": (
            tool if operation == "execute_tool" else f"resp-{_NAME_MARK.decode()}-{rng.getrandbits(32):08x}"
        ),
    }
    for key, value in told.items():
        _put(span, key, value)


def _converse(rng: random.Random, corpus: str, content: int, span: Span) -> None:
    def said(size: int) -> str:
        begin = rng.randrange(len(corpus) - size)
        return corpus[begin : begin + size]

    def message(role: str, size: int) -> dict[str, Any]:
        return {"role": role, "parts": [{"type": "text", "content": said(size)}]}

    asked = [message("system", content // 6), message("user", content // 2)]
    _put(span, "gen_ai.input.messages", orjson.dumps(asked).decode())
    _put(span, "gen_ai.output.messages", orjson.dumps([message("assistant", content // 3)]).decode())
    _put(span, "gen_ai.output.type", "text")
    _put(span, "gen_ai.request.max_tokens", 4_096)
    _put(span, "server.address", "models.example.internal")
    _put(span, "server.port", 443)


def _put(holder: Any, key: str, value: str | float) -> None:
    kind = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
    setattr(holder.attributes.add(key=key).value, kind, value)


def _template(request: ExportTraceServiceRequest) -> Template:
    body = request.SerializeToString()
    spans = sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)
    return Template(body, spans, _places(body, _TRACE_MARK), _places(body, _SPAN_MARK), _places(body, _NAME_MARK))


def _places(body: bytes, mark: bytes) -> NDArray[np.int64]:
    starts = np.array([found.start() for found in re.finditer(re.escape(mark), body)], dtype=np.int64)
    return starts[:, None] + np.arange(len(mark))


def _spread(number: int) -> bytes:
    return (number * _ODD & 0xFFFFFFFF).to_bytes(4, "big")


class Stream:
    """An endless row of requests, no id twice.

    Args:
        patterns: sent in turn.
        number: 0 to 255; streams of different numbers share no id, and do not begin with the same template.
        run: 0 to 65535; nor do those of different runs.
    """

    def __init__(self, patterns: Sequence[Template], number: int = 0, run: int = 0) -> None:
        self._patterns = patterns
        self._number = number
        self._run = run

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """Requests, each with the number of its spans."""
        copies = [np.frombuffer(pattern.body, np.uint8).copy() for pattern in self._patterns]
        for sent in itertools.count():
            at = (self._number + sent) % len(copies)
            pattern, body = self._patterns[at], copies[at]
            own = self._number << 24 | sent
            _write(body, pattern.traces, self._run.to_bytes(2, "big") + own.to_bytes(4, "big"))
            _write(body, pattern.span_ids, _spread(own))
            _write(body, pattern.names, f"{own:08x}".encode())
            yield body.tobytes(), pattern.spans


def _write(body: NDArray[np.uint8], places: NDArray[np.int64], value: bytes) -> None:
    body[places] = np.frombuffer(value, np.uint8)
