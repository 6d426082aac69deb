"""A file's bytes as a window that moves over them: decompressed while they are read, never the whole of a file held."""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Final, Protocol

from spanwitness.errors import SpanWitnessError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    Damaged = Callable[[int, str], None]

ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_PIECE: Final = 1 << 20  # bytes read at a time, and at most inflated at a time


class _Stream(Protocol):
    """One gzip member or zstd frame."""

    @property
    def name(self) -> str: ...
    @property
    def errors(self) -> type[Exception]: ...

    def inflate(self, data: bytes) -> Iterator[bytes]:
        """What `data` inflates to, in pieces of bounded size."""
        ...

    def ended(self) -> bytes | None:
        """What stands behind the end of the stream; None while it has not ended."""
        ...


class _Gzip:
    name = "gzip"
    errors = zlib.error

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    def inflate(self, data: bytes) -> Iterator[bytes]:
        while data and not self._stream.eof:
            yield self._stream.decompress(data, _PIECE)
            data = self._stream.unconsumed_tail
        if not self._stream.eof:
            yield self._stream.decompress(b"")  # what a full piece has held back: less than a window

    def ended(self) -> bytes | None:
        return self._stream.unused_data if self._stream.eof else None


class _Zstd:
    name = "zstd"
    errors = zstd.ZstdError

    def __init__(self) -> None:
        self._stream = zstd.ZstdDecompressor()

    def inflate(self, data: bytes) -> Iterator[bytes]:
        yield self._stream.decompress(data, _PIECE)
        while not self._stream.eof and not self._stream.needs_input:
            yield self._stream.decompress(b"", _PIECE)

    def ended(self) -> bytes | None:
        return self._stream.unused_data if self._stream.eof else None


_PACKINGS: Final[dict[bytes, type[_Gzip | _Zstd]]] = {b"\x1f\x8b": _Gzip, ZSTD_MAGIC: _Zstd}
_LONGEST_MAGIC: Final = max(map(len, _PACKINGS))


def unzstd(body: bytes, limit: int) -> bytes | None:
    """What one zstd frame holds; None if it is damaged, cut short, not alone, or of more than `limit` bytes."""
    stream = zstd.ZstdDecompressor()
    try:
        found = stream.decompress(body, limit)
    except zstd.ZstdError:
        return None
    return found if stream.eof and not stream.unused_data else None


class Window:
    """What of a file is being looked at. Holds what `reach` was asked for and `drop` has not let go.

    `damaged` is told of packed bytes that cannot be unpacked, once the window comes there; the file ends there then.
    The methods that read on raise SpanWitnessError when the file cannot be opened or read.
    """

    def __init__(self, path: Path, damaged: Damaged) -> None:
        self.offset = 0  # of the first byte held, from the beginning, after decompression
        self.read = 0  # bytes of the file so far, as they stand on the disk
        self._held = bytearray()
        self._path = path
        self._damaged = damaged
        self._pieces = self._unpacked()

    def reach(self, size: int) -> int:
        """How many bytes are held once at least `size` are, or the file has ended."""
        while len(self._held) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held += piece
        return len(self._held)

    def peek(self, begin: int, end: int) -> bytes:
        """Bytes of the window, counted from its beginning; fewer where the file ends before."""
        self.reach(end)
        return bytes(self._held[begin:end])

    def drop(self, size: int) -> None:
        """Moves on by `size` bytes, which are held."""
        del self._held[:size]
        self.offset += size

    def seek(self, wanted: bytes, before: int) -> bool:
        """Moves to `before` bytes ahead of the next `wanted`; to the end of the file, and False, if there is none."""
        while (found := self._held.find(wanted, before)) == -1:
            self.drop(max(0, len(self._held) - before - len(wanted) + 1))
            held = len(self._held)
            if self.reach(held + 1) == held:
                self.drop(held)
                return False
        self.drop(found - before)
        return True

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The rest, line by line: offset, and the line with its end."""
        while self.reach(1):
            line = self._line()
            yield self.offset, line
            self.drop(len(line))

    def _line(self) -> bytes:
        begin = 0
        while (end := self._held.find(b"\n", begin) + 1) == 0:
            begin = len(self._held)
            if self.reach(begin + 1) == begin:
                end = begin
                break
        return bytes(self._held[:end])

    def rest(self) -> bytes:
        """All that is left, as one."""
        for piece in self._pieces:
            self._held += piece
        found = bytes(self._held)
        self.drop(len(found))
        return found

    def _unpacked(self) -> Iterator[bytes]:
        raw = self._raw()
        head = _at_least(_LONGEST_MAGIC, b"", raw)
        if packing := _packing(head):
            yield from self._inflated(packing(), head, raw)
        else:
            yield head
            yield from raw

    def _inflated(self, stream: _Stream, data: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
        """As much as can be decompressed: the end of a file that is cut short is lost, its beginning is not."""
        while data:
            try:
                yield from stream.inflate(data)
            except stream.errors as error:
                self._tell(f"damaged {stream.name}: {error}")
                return
            behind = stream.ended()
            if behind is None:
                data = next(raw, b"")
                if not data:
                    self._tell(f"the {stream.name} stream is cut short")
                continue
            data = _at_least(_LONGEST_MAGIC, behind, raw)
            following = _packing(data)
            if following is None:
                if data.strip(b"\0"):  # some tools fill up with zeros
                    self._tell(f"bytes that are not packed stand behind the {stream.name} stream")
                return
            stream = following()

    def _tell(self, reason: str) -> None:
        self._damaged(self.offset + len(self._held), reason)

    def _raw(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                yield from self._read(file)
        except OSError as error:
            raise SpanWitnessError(f"{self._path}: {error.strerror or error}") from None

    def _read(self, file: BinaryIO) -> Iterator[bytes]:
        while piece := file.read(_PIECE):
            self.read += len(piece)
            yield piece


def _packing(head: bytes) -> type[_Gzip | _Zstd] | None:
    return next((packing for magic, packing in _PACKINGS.items() if head.startswith(magic)), None)


def _at_least(size: int, data: bytes, more: Iterator[bytes]) -> bytes:
    while len(data) < size and (piece := next(more, b"")):
        data += piece
    return data
