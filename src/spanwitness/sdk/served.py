"""Finds, in the passing bytes of a model's answer, which model says that it answers.

Only names are kept. Text passes through a scanner that knows where it is in the JSON, so nothing of the content is
stored, however long the answer or a part of it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

MOST_BYTES: Final = 1 << 20
"""How much of an answer is looked at. The model stands in the first kilobyte of nearly all; Gemini's at the end."""
MOST_TOKENS: Final = 20_000
"""How many strings, brackets and commas are looked at: it bounds the time that an answer takes."""

_LONGEST = 256  # of a key or a value, as written
_NAME = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?")
_WITHIN = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'  # a string, but for its quotes
_TOKEN = re.compile(rb'"' + _WITHIN + rb'"|["{}\[\],]', re.DOTALL)
_STRING = re.compile(_WITHIN, re.DOTALL)
_DEEPEST = 3
_TOP = {b"model": "model", b"modelVersion": "model", b"system_fingerprint": "fingerprint"}
# The Responses API's events and Anthropic's first one hold the answer so far under one key.
_WRAPPED = (b"response", b"message")


@dataclass(frozen=True, slots=True)
class Served:
    """What a provider's answer says of itself; `fingerprint` is '' where it says none."""

    model: str
    fingerprint: str = ""


class AnswerReader:
    """Reads an answer piece by piece: a JSON object, an array or a sequence of them, or server-sent events.

    `done` tells that nothing more will be learned. What it found stands in `served`, which is None until an object that
    names the model is complete, or both names have been seen. Bytes that are none of these forms are harmless.
    """

    def __init__(self) -> None:
        self.served: Served | None = None
        self.done = False
        self._left = MOST_BYTES
        self._scanner = _Scanner()
        self._lines: _EventLines | None = None
        self._begun = False

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the body, decompressed."""
        if self.done:
            return
        data = data[: self._left]
        self._left -= len(data)
        self._read(data)
        self.served = self._scanner.served
        if self.served is not None or not self._left or not self._scanner.left:
            self.finish()

    def finish(self) -> None:
        """The answer is over, or as much of it as is looked at."""
        self.done = True
        self.served = self.served or self._scanner.so_far()

    def _read(self, data: bytes) -> None:
        if not self._begun:
            data = data.lstrip(b"\xef\xbb\xbf \t\r\n")
            if not data:
                return
            self._begun = True
            self._lines = None if data[:1] in b"{[" else _EventLines(self._scanner)
        (self._scanner if self._lines is None else self._lines).feed(data)


class _EventLines:
    """Passes what follows `data:` to the scanner. No line is kept, however long."""

    _FIELD = b"data:"

    def __init__(self, scanner: _Scanner) -> None:
        self._scanner = scanner
        self._head = b""  # the beginning of a line, until it is known to be data or not
        self._is_data: bool | None = None

    def feed(self, data: bytes) -> None:
        for piece in re.split(rb"([\r\n])", data):
            if piece in (b"\r", b"\n"):
                if not self._head and self._is_data is None:
                    self._scanner.reset()  # an empty line ends the event
                self._head, self._is_data = b"", None
            elif piece:
                self._within(piece)

    def _within(self, piece: bytes) -> None:
        if self._is_data is None:
            line = self._head + piece
            if len(line) < len(self._FIELD) and self._FIELD.startswith(line):
                self._head = line
                return
            self._is_data = line.startswith(self._FIELD)
            self._head, piece = b"", line[len(self._FIELD) :]
        if self._is_data:
            self._scanner.feed(piece)


class _Scanner:
    """Walks over JSON documents, one after another, and notes the wanted names of each."""

    def __init__(self) -> None:
        self.served: Served | None = None
        self.left = MOST_TOKENS
        self.reset()

    def reset(self) -> None:
        """Forgets a document that was not ended."""
        self._found: dict[str, str] = {}
        self._depth = 0
        self._top = 1  # the depth of an answer: 2 within an array of them
        self._objects: list[bool] = []  # of the containers down to _DEEPEST, whether they are objects
        self._keys: list[bytes] = []  # and the key read last in each
        self._expects_key = False
        self._string: bytearray | None = None  # a string that is not over yet
        self._escaped = False

    def so_far(self) -> Served | None:
        model = self._found.get("model")
        return Served(model, self._found.get("fingerprint", "")) if model else None

    def feed(self, data: bytes) -> None:
        at = 0
        while self.served is None and self.left and at < len(data):
            if self._string is not None:
                at = self._go_on_with_string(self._string, data, at)
                continue
            token = _TOKEN.search(data, at)
            if token is None:
                return
            at = token.end()
            self.left -= 1
            self._take(token[0])

    def _go_on_with_string(self, string: bytearray, data: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            _keep(string, data[at : at + 1])
            return at + 1
        more = _STRING.match(data, at)
        end = more.end() if more else at
        _keep(string, data[at:end])
        if data[end : end + 1] == b"\\":  # the last byte of the piece
            self._escaped = True
            _keep(string, b"\\")
        elif end < len(data):
            self._string = None
            self._take_string(bytes(string))
        return end + 1

    def _take(self, token: bytes) -> None:
        if len(token) > 1:
            self._take_string(token[1:-1])
        elif token == b'"':
            self._string = bytearray()
        elif token in b"{[":
            self._open(token == b"{")
        elif token in b"}]":
            self._close()
        else:
            self._expects_key = self._in_object()

    def _open(self, is_object: bool) -> None:
        self._depth += 1
        if self._depth == 1 and not is_object:
            self._top = 2
        if self._depth <= _DEEPEST:
            self._objects.append(is_object)
            self._keys.append(b"")
        self._expects_key = self._in_object()

    def _close(self) -> None:
        self._depth -= 1
        if self._depth < _DEEPEST:
            del self._objects[max(self._depth, 0) :], self._keys[max(self._depth, 0) :]
        self._expects_key = False
        if self._depth < self._top:
            self.served = self.so_far()
            if self._depth <= 0:
                self.reset()

    def _in_object(self) -> bool:
        return 0 < self._depth <= _DEEPEST and self._objects[-1]

    def _take_string(self, text: bytes) -> None:
        if not self._in_object():
            return
        if self._expects_key:
            self._keys[-1] = text
            self._expects_key = False
            return
        outer, key = self._keys[self._top - 1 : -1], self._keys[-1]
        wanted = _TOP.get(key)
        inside = self._depth == self._top or (self._depth == self._top + 1 and outer[0] in _WRAPPED)
        if wanted is None or not inside:
            return
        name = _name(text)
        if name:
            self._found.setdefault(wanted, name)
            if len(self._found) == len(set(_TOP.values())):
                self.served = self.so_far()


def _keep(string: bytearray, more: bytes) -> None:
    """Appends as much as is needed to see that it is too long."""
    string += more[: max(0, _LONGEST + 1 - len(string))]


def _name(text: bytes) -> str:
    """A JSON string's value where it can be a model's or fingerprint's name; else ''."""
    if not text or len(text) > _LONGEST:
        return ""
    try:
        value = json.loads(b'"' + text + b'"')
    except ValueError:
        return ""
    return value if _NAME.fullmatch(value) else ""
