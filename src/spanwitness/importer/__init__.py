"""Recorded telemetry out of files, as the requests that it once was. A file is read piece by piece and never held."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from spanwitness.errors import Rejected
from spanwitness.importer.framed import frames, looks_framed
from spanwitness.importer.unpacked import Window
from spanwitness.receive import Signal
from spanwitness.receive.otlp_json import to_protobuf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEAD: Final = 1 << 16  # bytes by which the form of a file is told
_JSON_HEAD: Final = re.compile(rb"\s*(\[\s*)?\{\s*\"")
_JSON_KEYS: Final = {"resourceSpans": Signal.TRACES, "resourceLogs": Signal.LOGS}
_NOT_OURS: Final = ("resourceMetrics", "resourceProfiles")
# Where a document begins in a line of several. It cannot stand inside a string: there its quotes would be escaped.
_DOCUMENT: Final = re.compile(rb"\{\s*\"resource(?:Spans|Logs|Metrics|Profiles)\"")
FORMS: Final = (
    ".otlp (4-byte big-endian length + ExportTraceServiceRequest, repeated; .logs.otlp for logs), OTLP/JSON, "
    "or what the Collector's file exporter wrote (JSON lines or proto, with or without zstd); .gz and .zst of each"
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
    """A file of recorded telemetry; what could not be read stands in `damage` once `requests` is exhausted.

    The form is told by the content. Only whether requests hold spans or logs is told by the name, where they hold
    neither. Memory: a request or a line at a time; the whole of a file that is one indented document or one array.
    """

    path: Path
    damage: list[Damage] = field(default_factory=list)
    _window: Window = field(init=False)

    def __post_init__(self) -> None:
        self._window = Window(self.path, self._damaged)

    @property
    def read(self) -> int:
        """How many bytes of the file have been read, as it stands on the disk."""
        return self._window.read

    def requests(self) -> Iterator[Recorded]:
        """All requests that can be read. They can be had once.

        Raises:
            SpanWitnessError: the file cannot be opened or read.
        """
        head = self._window.peek(0, _HEAD)
        named = self.path.name.removesuffix(".gz").removesuffix(".zst").endswith(".otlp")
        if _JSON_HEAD.match(head):
            yield from self._json(is_array=head.lstrip().startswith(b"["))
        elif named or looks_framed(head):
            yield from self._frames()
        elif _DOCUMENT.search(head):
            yield from self._json(is_array=False)
        else:
            self._damaged(0, f"not a form that is known; allowed: {FORMS}" if head.strip() else "the file is empty")

    def _frames(self) -> Iterator[Recorded]:
        expected = Signal.LOGS if ".logs." in self.path.name else Signal.TRACES
        for frame in frames(self._window, expected, self._damaged):
            if frame.is_json:
                yield from self._text(frame.body, frame.offset)
            elif frame.signal is not None:
                yield Recorded(self.path, frame.offset, frame.signal, frame.body)

    def _json(self, *, is_array: bool) -> Iterator[Recorded]:
        """One document a line, or one over all lines: what begins with no whole line may be the latter."""
        if is_array:
            yield from self._text(self._window.rest(), 0)
            return
        begun, begun_at = bytearray(), 0
        in_lines = False
        for at, line in self._window.lines():
            if in_lines:
                yield from self._text(line, at)
            elif _is_json(line) and (_DOCUMENT.match(line.lstrip()) or not begun):
                in_lines = True
                yield from self._text(bytes(begun), begun_at)
                yield from self._text(line, at)
            elif begun or line.strip():
                begun_at = begun_at if begun else at
                begun += line
        if not in_lines:
            yield from self._text(bytes(begun), begun_at)

    def _text(self, text: bytes, at: int) -> Iterator[Recorded]:
        """A document or an array of them; several in a row, where the writer was killed before it ended its line."""
        if not text.strip():
            return
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            yield from self._torn(text, at, error)
            return
        if isinstance(found, list):
            for document in found:
                yield from self._document(document, orjson.dumps(document), at)
        else:
            yield from self._document(found, text, at)

    def _torn(self, text: bytes, at: int, error: orjson.JSONDecodeError) -> Iterator[Recorded]:
        begins = [found.start() for found in _DOCUMENT.finditer(text)]
        before = text[: begins[0]] if begins else text
        if before.strip(b" \t\r\n["):
            self._damaged(at + error.pos, f"not JSON: {error.msg}")
        for begin, end in zip(begins, [*begins[1:], len(text)], strict=False):
            yield from self._piece(text[begin:end].rstrip(b" \t\r\n,]"), at + begin)

    def _piece(self, text: bytes, at: int) -> Iterator[Recorded]:
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            self._damaged(at + error.pos, f"not JSON: {error.msg}")
        else:
            yield from self._document(document, text, at)

    def _document(self, document: Any, text: bytes, at: int) -> Iterator[Recorded]:
        signal = next((s for key, s in _JSON_KEYS.items() if isinstance(document, dict) and key in document), None)
        if signal is None:
            if not (isinstance(document, dict) and any(key in document for key in _NOT_OURS)):
                self._damaged(at, f"neither resourceSpans nor resourceLogs in it; allowed: {FORMS}")
            return
        try:
            yield Recorded(self.path, at, signal, to_protobuf(text, signal))
        except Rejected as error:
            self._damaged(at, str(error))

    def _damaged(self, offset: int, reason: str) -> None:
        self.damage.append(Damage(self.path, offset, reason))


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
