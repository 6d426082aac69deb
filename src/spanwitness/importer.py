"""Recorded telemetry out of files, as the requests that it once was."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.errors import Rejected, SpanWitnessError
from spanwitness.receive import Signal
from spanwitness.receive.otlp_json import to_protobuf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LENGTH: Final = 4
_FIRST_FIELD: Final = 0x0A  # both export requests hold one repeated message, field 1
_MESSAGES: Final[dict[Signal, Any]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
_JSON_KEYS: Final = {"resourceSpans": Signal.TRACES, "resourceLogs": Signal.LOGS}
FORMS: Final = (
    ".otlp (4-byte big-endian length + ExportTraceServiceRequest, repeated; .logs.otlp for logs), OTLP/JSON, "
    "or the JSON lines of the Collector's file exporter; .gz of each"
)


@dataclass(frozen=True, slots=True)
class Damage:
    """A place in a file that could not be read. `offset`: bytes from the beginning, after decompression."""

    path: Path
    offset: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: offset {self.offset}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One export request out of a file, as protobuf bytes."""

    path: Path
    offset: int
    signal: Signal
    body: bytes


@dataclass(slots=True)
class Recording:
    """A file of recorded telemetry; what could not be read stands in `damage` once `requests` is exhausted."""

    path: Path
    damage: list[Damage] = field(default_factory=list)

    def requests(self) -> Iterator[Recorded]:
        """All requests that can be read.

        Raises:
            SpanWitnessError: the file cannot be opened.
        """
        content = self._content()
        name = self.path.name.removesuffix(".gz")
        if name.endswith(".otlp"):
            yield from self._frames(content, Signal.LOGS if name.endswith(".logs.otlp") else Signal.TRACES)
        else:
            yield from self._json(content)

    def _content(self) -> bytes:
        try:
            raw = self.path.read_bytes()
        except OSError as error:
            raise SpanWitnessError(f"{self.path}: {error.strerror or error}") from None
        return self._unzipped(raw) if raw[:2] == b"\x1f\x8b" else raw

    def _unzipped(self, raw: bytes) -> bytes:
        """As much as can be decompressed: the end of a file that is cut short is lost, its beginning is not."""
        found = bytearray()
        while raw[:2] == b"\x1f\x8b":
            member = zlib.decompressobj(wbits=31)
            try:
                found += member.decompress(raw)
            except zlib.error as error:
                self._damaged(len(found), f"damaged gzip: {error}")
                return bytes(found)
            if not member.eof:
                self._damaged(len(found), "the gzip stream is cut short")
                return bytes(found)
            raw = member.unused_data
        return bytes(found)

    def _frames(self, content: bytes, signal: Signal) -> Iterator[Recorded]:
        at = 0
        while at < len(content):
            body = _frame(content, at)
            if body is not None and _decodes(body, signal):
                yield Recorded(self.path, at, signal, body)
                at += _LENGTH + len(body)
                continue
            following = _resume(content, at, signal)
            lost = following - at
            why = "no whole request" if body is None else "the request cannot be decoded"
            self._damaged(at, f"{why}; {lost} bytes skipped")
            at = following

    def _json(self, content: bytes) -> Iterator[Recorded]:
        """One document, or one a line. A line that does not parse is skipped, unless the whole is one document."""
        if not content.strip():
            self._damaged(0, "the file is empty")
            return
        try:
            whole = orjson.loads(content)
        except orjson.JSONDecodeError:
            yield from self._lines(content)
            return
        for document in whole if isinstance(whole, list) else [whole]:
            yield from self._document(document, 0)

    def _lines(self, content: bytes) -> Iterator[Recorded]:
        at = 0
        for line in content.splitlines(keepends=True):
            if line.strip():
                try:
                    document = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    self._damaged(at + error.pos, f"not JSON: {error.msg}")
                else:
                    yield from self._document(document, at)
            at += len(line)

    def _document(self, document: Any, at: int) -> Iterator[Recorded]:
        signal = next((s for key, s in _JSON_KEYS.items() if isinstance(document, dict) and key in document), None)
        if signal is None:
            if not (isinstance(document, dict) and "resourceMetrics" in document):
                self._damaged(at, f"neither resourceSpans nor resourceLogs in it; allowed: {FORMS}")
            return
        try:
            yield Recorded(self.path, at, signal, to_protobuf(orjson.dumps(document), signal))
        except Rejected as error:
            self._damaged(at, str(error))

    def _damaged(self, offset: int, reason: str) -> None:
        self.damage.append(Damage(self.path, offset, reason))


def _frame(content: bytes, at: int) -> bytes | None:
    length = int.from_bytes(content[at : at + _LENGTH], "big")
    begin = at + _LENGTH
    return content[begin : begin + length] if begin + length <= len(content) and begin <= len(content) else None


def _resume(content: bytes, at: int, signal: Signal) -> int:
    """Where the next whole request begins after damage at `at`; the end of the content where there is none."""
    body = _frame(content, at)
    if body is not None:  # the length may be right and the body wrong: then the next frame follows it
        following = at + _LENGTH + len(body)
        after = _frame(content, following)
        if following == len(content) or (after and _decodes(after, signal)):
            return following
    candidate = content.find(_FIRST_FIELD, at + _LENGTH + 1)
    while candidate != -1:
        begin = candidate - _LENGTH
        body = _frame(content, begin)
        if body and _decodes(body, signal):
            return begin
        candidate = content.find(_FIRST_FIELD, candidate + 1)
    return len(content)


def _decodes(body: bytes, signal: Signal) -> bool:
    try:
        _MESSAGES[signal].FromString(body)
    except DecodeError:
        return False
    return True
