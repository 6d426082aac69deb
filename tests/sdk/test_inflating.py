from __future__ import annotations

import gzip
import sys
import zlib
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from backports import zstd

from spanwitness.sdk.inflating import inflater

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = b'{"model":"gpt-4o"}' * 20


def bare_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        (" GZip ", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", bare_deflate),
        ("zstd", zstd.compress),
    ],
)
@pytest.mark.parametrize("size", [7, 1000])
def test_it_undoes_what_a_server_does(encoding: str, compress: Callable[[bytes], bytes], size: int) -> None:
    inflate, packed = inflater(encoding), compress(TEXT)
    assert inflate is not None
    assert b"".join(inflate(packed[at : at + size]) for at in range(0, len(packed), size)) == TEXT


def test_what_is_not_known_is_not_tried() -> None:
    assert inflater("compress") is None
    assert inflater("gzip, br") is None


def test_brotli_is_known_once_the_client_loaded_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "brotli", raising=False)
    monkeypatch.delitem(sys.modules, "brotlicffi", raising=False)
    assert inflater("br") is None
    decompressor = SimpleNamespace(process=lambda data: data.upper())
    monkeypatch.setitem(sys.modules, "brotli", SimpleNamespace(Decompressor=lambda: decompressor))
    inflate = inflater("br")
    assert inflate is not None
    assert inflate(b"a") == b"A"


def test_little_comes_of_a_piece_that_blows_up() -> None:
    inflate = inflater("gzip")
    assert inflate is not None
    bomb = gzip.compress(b"\0" * 10_000_000)
    assert [len(inflate(bomb)), len(inflate(b""))] == [1 << 16, 1 << 16]


def test_what_is_damaged_is_an_error() -> None:
    inflate = inflater("gzip")
    assert inflate is not None
    with pytest.raises(zlib.error):
        inflate(gzip.compress(TEXT)[:-8] + bytes(8))
