"""Content codings of HTTP bodies, inflated piece by piece and never past a limit."""

from __future__ import annotations

import importlib
import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from spanwitness.errors import Rejected, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Streams in a row within one body. Each may be empty, so their number is work that no size limit bounds.
_MAX_STREAMS: Final = 64


class _Stream(Protocol):
    """What zlib and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Coding:
    """A content coding: how to begin a stream, and what a damaged one raises."""

    begin: Callable[[], _Stream]
    error: type[Exception]


def _codings() -> dict[str, Coding]:
    inflate = Coding(zlib.decompressobj, zlib.error)
    codings = {"gzip": Coding(partial(zlib.decompressobj, 31), zlib.error), "deflate": inflate, "zlib": inflate}
    for name in ("backports.zstd", "compression.zstd"):
        with suppress(ImportError):
            zstd = importlib.import_module(name)
            # RFC 8878: a window of 8 MiB is what a decoder should offer; the format could ask for far more.
            options = {zstd.DecompressionParameter.window_log_max: 23}
            codings["zstd"] = Coding(partial(zstd.ZstdDecompressor, options=options), zstd.ZstdError)
    return codings


CODINGS: Final = _codings()


class Inflater:
    """Takes one body as it arrives, compressed or not, and keeps it within a limit before and after inflating."""

    def __init__(self, coding: Coding | None, limit: int) -> None:
        self._coding = coding
        self._stream = coding.begin() if coding else None
        self._limit = limit
        self._taken = 0
        self._given = 0
        self._streams = 1

    def announce(self, size: int) -> None:
        """Raises TooLarge for a body of `size` bytes, before any of it is read."""
        if size > self._limit:
            raise TooLarge(f"the body is over the size limit of {self._limit} bytes")

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` inflates to.

        Raises:
            TooLarge: the body is over the limit.
            Rejected: the body is damaged, or not in this coding at all.
        """
        self._taken += len(data)
        self.announce(self._taken)
        if self._coding is None:
            yield data
        else:
            yield from self._inflated(data, self._coding)

    def finish(self) -> None:
        """Raises Rejected unless the body has come to its end."""
        if self._stream is not None and not self._stream.eof:
            raise Rejected("the compressed body is cut short")

    def _inflated(self, data: bytes, coding: Coding) -> Iterator[bytes]:
        stream = self._stream
        while data and stream is not None:
            if stream.eof:
                stream = self._next(coding)
            try:
                part = stream.decompress(data, self._limit - self._given + 1)
            except coding.error as error:
                raise Rejected("the body is not in its content-encoding") from error
            self._give(len(part))
            yield part
            data = stream.unused_data

    def _give(self, size: int) -> None:
        self._given += size
        if self._given > self._limit:
            raise TooLarge(f"the body is over the size limit of {self._limit} bytes after decompression")

    def _next(self, coding: Coding) -> _Stream:
        self._streams += 1
        if self._streams > _MAX_STREAMS:
            raise Rejected(f"the compressed body is of more than {_MAX_STREAMS} streams")
        self._stream = coding.begin()
        return self._stream
