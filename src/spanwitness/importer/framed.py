"""Requests in a row, each behind its length in 4 bytes, big-endian: `.otlp`, and the file exporter's proto and zstd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.importer.unpacked import ZSTD_MAGIC, unzstd
from spanwitness.receive import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

    from spanwitness.importer.unpacked import Damaged, Window

_LENGTH: Final = 4
_FIRST_FIELD: Final = b"\x0a"  # all export requests hold one repeated message, field 1
_LARGEST: Final = 256 * 2**20  # of a request; a length above it is damage, not a reason to read on
_LARGEST_GUESSED: Final = 64 * 2**20  # the same while the place where a request begins is only guessed
_HOLE: Final = bytes(64)  # not so many empty requests, but what a loss of power leaves in a file
_VARINT_BYTES: Final = 10
_ID_BYTES: Final = (16, 8)


@dataclass(frozen=True, slots=True)
class Frame:
    """A request out of its frame, unpacked. `signal`: None for OTLP/JSON, and for what is neither spans nor logs."""

    offset: int
    body: bytes
    signal: Signal | None

    @property
    def is_json(self) -> bool:
        return _is_json(self.body)


def looks_framed(head: bytes) -> bool:
    """Whether a file that begins like this holds frames, whatever its name."""
    first = head
    while first[:_LENGTH] == bytes(_LENGTH):  # empty requests
        first = first[_LENGTH:]
    begins_as_one = first[_LENGTH:].startswith((_FIRST_FIELD, ZSTD_MAGIC))
    return begins_as_one and int.from_bytes(first[:_LENGTH], "big") <= _LARGEST


def frames(window: Window, expected: Signal, damaged: Damaged) -> Iterator[Frame]:
    """All frames that can be read; what lies between them is told. `expected`: what a request is that does not say."""
    marker = ZSTD_MAGIC if window.peek(_LENGTH, _LENGTH + len(ZSTD_MAGIC)) == ZSTD_MAGIC else _FIRST_FIELD
    while window.reach(1):
        at = window.offset
        framed = None if window.peek(0, len(_HOLE)) == _HOLE else _framed(window, 0)
        found = None if framed is None else _read(framed, expected)
        if framed is None or found is None:
            _resume(window, marker, expected)
            why = "no whole request" if framed is None else "the request cannot be decoded"
            damaged(at, f"{why}; {window.offset - at} bytes skipped")
            continue
        body, signal = found
        expected = signal or expected
        yield Frame(at, body, signal)
        window.drop(_LENGTH + len(framed))


def _framed(window: Window, at: int, largest: int = _LARGEST) -> bytes | None:
    head = window.peek(at, at + _LENGTH)
    end = at + _LENGTH + int.from_bytes(head, "big")
    if len(head) < _LENGTH or end - at - _LENGTH > largest or window.reach(end) < end:
        return None
    return window.peek(at + _LENGTH, end)


def _read(framed: bytes, expected: Signal) -> tuple[bytes, Signal | None] | None:
    """What a frame holds, and of which signal it is; None if it cannot be decoded."""
    body = unzstd(framed, _LARGEST) if framed.startswith(ZSTD_MAGIC) else framed
    if body is None:
        return None
    try:
        if _is_json(body):
            orjson.loads(body)
            return body, None
        return body, _signal(body, expected)
    except (orjson.JSONDecodeError, DecodeError):
        return None


def _is_json(body: bytes) -> bool:
    return body.startswith(b"{")  # in protobuf the end of a group that never began


def _resume(window: Window, marker: bytes, expected: Signal) -> None:
    """Moves to the next whole request behind the damage at the window's beginning, or to the end of the file."""
    body = _framed(window, 0)
    if body is not None:  # the length may be right and the body wrong: then the next frame follows it
        following = _LENGTH + len(body)
        after = _framed(window, following)
        if window.reach(following + 1) == following or (after and _read(after, expected)):
            window.drop(following)
            return
    window.drop(1)
    while window.seek(marker, _LENGTH):
        if _plausible(window, marker) and (body := _framed(window, 0, _LARGEST_GUESSED)) and _read(body, expected):
            return
        window.drop(1)


def _plausible(window: Window, marker: bytes) -> bool:
    """Whether a frame may begin here, told without reading it: the first message in it ends with it, or before one."""
    if marker == ZSTD_MAGIC:
        return True
    length = int.from_bytes(window.peek(0, _LENGTH), "big")
    size, used = _varint(window.peek(_LENGTH + 1, _LENGTH + 1 + _VARINT_BYTES))
    end = 1 + used + size
    if not used or end > length or length > _LARGEST_GUESSED:
        return False
    return end == length or window.peek(_LENGTH + end, _LENGTH + end + 1) == _FIRST_FIELD


def _varint(data: bytes) -> tuple[int, int]:
    """A varint's value and how many bytes it takes; 0 bytes if it does not end."""
    value = 0
    for index, byte in enumerate(data):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - the bit that says more follows
            return value, index + 1
    return 0, 0


def _is_span(span: Any) -> bool:
    return (len(span.trace_id), len(span.span_id)) == _ID_BYTES


def _is_log(record: Any) -> bool:
    return bool(record.time_unix_nano or record.observed_time_unix_nano)


def _is_metric(metric: Any) -> bool:
    return bool(metric.name and metric.WhichOneof("data"))


@dataclass(frozen=True, slots=True)
class _Kind:
    """Requests of one signal share their field numbers with those of all others: only an item tells which it is."""

    message: type[Message]
    fields: tuple[str, str, str]
    is_one: Callable[[Any], bool]

    def parsed(self, body: bytes) -> Message | None:
        try:
            return self.message.FromString(body)
        except DecodeError:
            return None

    def speaks(self, request: Any) -> bool:
        """Whether the first item of a request is of this signal."""
        outer, middle, inner = self.fields
        for resource in getattr(request, outer):
            for scope in getattr(resource, middle):
                for item in getattr(scope, inner):
                    return self.is_one(item)
        return False


_KINDS: Final = {
    Signal.TRACES: _Kind(ExportTraceServiceRequest, ("resource_spans", "scope_spans", "spans"), _is_span),
    Signal.LOGS: _Kind(ExportLogsServiceRequest, ("resource_logs", "scope_logs", "log_records"), _is_log),
}
_METRICS: Final = _Kind(ExportMetricsServiceRequest, ("resource_metrics", "scope_metrics", "metrics"), _is_metric)
_OTHERS: Final[dict[Signal, list[tuple[Signal | None, _Kind]]]] = {
    expected: [*((signal, kind) for signal, kind in _KINDS.items() if signal is not expected), (None, _METRICS)]
    for expected in _KINDS
}


def _signal(body: bytes, expected: Signal) -> Signal | None:
    """Which signal a request is of; None: metrics. What does not say is taken for what is expected.

    Raises:
        DecodeError: it does not say, and cannot be what is expected.
    """
    request = _KINDS[expected].parsed(body)
    if request is not None and _KINDS[expected].speaks(request):
        return expected
    for signal, kind in _OTHERS[expected]:
        other = kind.parsed(body)
        if other is not None and kind.speaks(other):
            return signal
    if request is None:
        raise DecodeError
    return expected
