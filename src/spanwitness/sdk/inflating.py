"""Decompresses the beginning of a body, piece by piece."""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_AT_ONCE: Final = 1 << 16


def inflater(encoding: str) -> Callable[[bytes], bytes] | None:
    """What turns the next compressed bytes into plain ones.

    Of gzip at most 64 KiB come of one piece, and the rest with the next ones.

    Args:
        encoding: the value of Content-Encoding; '' where there is none.

    Returns:
        None where the encoding is unknown here. Brotli and Zstandard are known if the HTTP client loaded their library.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return bytes
    if name in ("gzip", "x-gzip", "deflate"):
        return _Zlib()
    if name == "br":
        return _brotli()
    if name == "zstd":
        return _zstandard()
    return None


class _Zlib:
    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip and zlib, by their first bytes
        self._begun = False

    def __call__(self, data: bytes) -> bytes:
        data = self._inflate.unconsumed_tail + data
        try:
            plain = self._inflate.decompress(data, _MOST_AT_ONCE)
        except zlib.error:
            if self._begun:
                raise
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers call bare deflate so
            plain = self._inflate.decompress(data, _MOST_AT_ONCE)
        self._begun = True
        return plain


def _brotli() -> Callable[[bytes], bytes] | None:
    library: Any = sys.modules.get("brotli") or sys.modules.get("brotlicffi")
    if library is None:
        return None
    decompressor = library.Decompressor()
    inflate: Callable[[bytes], bytes] = getattr(decompressor, "decompress", None) or decompressor.process
    return inflate


def _zstandard() -> Callable[[bytes], bytes] | None:
    if library := sys.modules.get("zstandard"):
        inflate: Callable[[bytes], bytes] = library.ZstdDecompressor().decompressobj().decompress
        return inflate
    library = sys.modules.get("compression.zstd") or sys.modules.get("backports.zstd")
    if library is None:
        return None
    decompressor = library.ZstdDecompressor()
    return lambda data: bytes(decompressor.decompress(data, max_length=_MOST_AT_ONCE))
