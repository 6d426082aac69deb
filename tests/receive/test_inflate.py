"""Bodies as they come off the wire: in pieces, in several streams, damaged, or bombs."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from backports import zstd

from spanwitness.errors import Rejected, TooLarge
from spanwitness.receive.inflate import CODINGS, Inflater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Pack = Callable[[bytes], bytes]

BODY = b"the quick brown fox " * 1000
PACKS: list[tuple[str, Pack]] = [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress)]


def inflate(coding: str, pieces: Iterable[bytes], limit: int = 2**20) -> bytes:
    inflater = Inflater(CODINGS.get(coding), limit)
    parts = [part for piece in pieces for part in inflater.feed(piece)]
    inflater.finish()
    return b"".join(parts)


@pytest.mark.parametrize(("coding", "pack"), [*PACKS, ("identity", bytes)])
@pytest.mark.parametrize("size", [1, 7, 2**20])
def test_pieces_of_any_size_give_the_whole(coding: str, pack: Pack, size: int) -> None:
    packed = pack(BODY)
    assert inflate(coding, [packed[at : at + size] for at in range(0, len(packed), size)]) == BODY


@pytest.mark.parametrize(("coding", "pack"), PACKS)
def test_streams_in_a_row_are_one_body(coding: str, pack: Pack) -> None:
    assert inflate(coding, [pack(BODY) + pack(b"") + pack(BODY)]) == BODY * 2
    assert inflate(coding, [pack(BODY), pack(BODY)]) == BODY * 2


@pytest.mark.parametrize(("coding", "pack"), PACKS)
def test_many_empty_streams_are_refused(coding: str, pack: Pack) -> None:
    with pytest.raises(Rejected, match="more than 64 streams"):
        inflate(coding, [pack(b"") * 65])


@pytest.mark.parametrize(("coding", "pack"), PACKS)
def test_body_cut_short_is_refused(coding: str, pack: Pack) -> None:
    for sent in (b"", pack(BODY)[:-1], pack(BODY) + pack(BODY)[:-1]):
        with pytest.raises(Rejected, match="cut short"):
            inflate(coding, [sent])


@pytest.mark.parametrize(("coding", "pack"), PACKS)
def test_garbage_is_refused_wherever_it_stands(coding: str, pack: Pack) -> None:
    for sent in (b"\x01garbage", pack(BODY) + b"\x01garbage"):
        with pytest.raises(Rejected, match="not in its content-encoding"):
            inflate(coding, [sent])


@pytest.mark.parametrize(("coding", "pack"), [*PACKS, ("identity", bytes)])
def test_limit_is_met_exactly(coding: str, pack: Pack) -> None:
    packed = pack(BODY)
    assert inflate(coding, [packed], max(len(BODY), len(packed))) == BODY
    with pytest.raises(TooLarge):
        inflate(coding, [packed], len(BODY) - 1)


def test_zstd_window_beyond_what_a_decoder_offers_is_refused() -> None:
    """Its frame would make the decoder set 64 MiB aside, whatever the size of the body."""
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 26, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=options)
    with pytest.raises(Rejected, match="not in its content-encoding"):
        inflate("zstd", [packer.compress(BODY) + packer.flush()])


def test_announced_size_is_refused_before_anything_is_read() -> None:
    with pytest.raises(TooLarge, match="limit of 10 bytes"):
        Inflater(None, 10).announce(11)
