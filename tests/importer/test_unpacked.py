"""The window over a file's bytes: what it shows does not depend on how the file is packed, nor on where pieces end."""

from __future__ import annotations

import gzip
import random
import sys
from typing import TYPE_CHECKING

import pytest

from spanwitness.errors import SpanWitnessError
from spanwitness.importer.unpacked import Window, unzstd

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Pack = Callable[[bytes], bytes]

# More than two pieces, and of a kind that packs badly, so that the packed file has several pieces too.
CONTENT = random.Random(7).randbytes(2_500_000)  # noqa: S311 - content
PACKS = [bytes, gzip.compress, zstd.compress]


def window(path: Path, content: bytes) -> tuple[Window, list[tuple[int, str]]]:
    path.write_bytes(content)
    damage: list[tuple[int, str]] = []
    return Window(path, lambda offset, reason: damage.append((offset, reason))), damage


@pytest.mark.parametrize("pack", PACKS)
class TestWindow:
    def test_all_of_a_file_is_what_it_holds(self, pack: Pack, tmp_path: Path) -> None:
        opened, damage = window(tmp_path / "a", pack(CONTENT))
        assert opened.rest() == CONTENT
        assert (opened.offset, damage) == (len(CONTENT), [])

    def test_peeking_does_not_move_and_dropping_does(self, pack: Pack, tmp_path: Path) -> None:
        opened, _ = window(tmp_path / "a", pack(CONTENT))
        assert opened.peek(2_000_000, 2_000_010) == CONTENT[2_000_000:2_000_010]
        opened.drop(1_500_000)
        assert (opened.offset, opened.peek(0, 5)) == (1_500_000, CONTENT[1_500_000:1_500_005])
        assert opened.peek(999_990, 1_000_010) == CONTENT[2_499_990:]

    def test_reaching_past_the_end_tells_what_there_is(self, pack: Pack, tmp_path: Path) -> None:
        opened, _ = window(tmp_path / "a", pack(b"abc"))
        assert (opened.reach(2), opened.reach(9), opened.peek(1, 9)) == (3, 3, b"bc")

    def test_what_is_sought_is_found_across_the_ends_of_pieces(self, pack: Pack, tmp_path: Path) -> None:
        content = bytearray(b"-" * 3_000_000)
        content[2**20 - 2 : 2**20 + 2] = b"here"
        opened, _ = window(tmp_path / "a", pack(bytes(content)))
        assert opened.seek(b"here", 4)
        assert (opened.offset, opened.peek(0, 8)) == (2**20 - 6, b"----here")
        opened.drop(5)
        assert not opened.seek(b"here", 0)
        assert opened.offset == len(content)

    def test_lines_know_where_they_begin_and_the_last_needs_no_end(self, pack: Pack, tmp_path: Path) -> None:
        long = b"x" * 1_500_000
        opened, _ = window(tmp_path / "a", pack(b"a\n\n" + long + b"\nend"))
        assert list(opened.lines()) == [(0, b"a\n"), (2, b"\n"), (3, long + b"\n"), (1_500_004, b"end")]

    def test_how_much_has_been_read_is_told_in_bytes_of_the_file(self, pack: Pack, tmp_path: Path) -> None:
        packed = pack(CONTENT)
        opened, _ = window(tmp_path / "a", packed)
        opened.peek(0, 10)
        assert 0 < opened.read < len(packed)
        opened.rest()
        assert opened.read == len(packed)


@pytest.mark.parametrize("pack", PACKS[1:])
class TestPacked:
    def test_what_is_packed_in_several_parts_is_one(self, pack: Pack, tmp_path: Path) -> None:
        parts = [CONTENT[at : at + 700_001] for at in range(0, len(CONTENT), 700_001)]
        opened, damage = window(tmp_path / "a", b"".join(pack(part) for part in parts))
        assert (opened.rest() == CONTENT, damage) == (True, [])

    def test_what_inflates_a_thousandfold_comes_in_pieces(self, pack: Pack, tmp_path: Path) -> None:
        opened, _ = window(tmp_path / "a", pack(bytes(64_000_000)))
        assert opened.reach(1) < 2**21

    def test_a_part_cut_short_is_told_where_it_ends(self, pack: Pack, tmp_path: Path) -> None:
        opened, damage = window(tmp_path / "a", pack(CONTENT)[:-2000])
        found = opened.rest()
        assert CONTENT.startswith(found)
        ((offset, reason),) = damage
        assert (offset, "cut short" in reason) == (len(found), True)

    def test_zeros_behind_it_are_nothing_and_anything_else_is_told(self, pack: Pack, tmp_path: Path) -> None:
        assert window(tmp_path / "a", pack(b"abc") + bytes(600))[0].rest() == b"abc"
        opened, damage = window(tmp_path / "b", pack(b"abc") + b"more")
        assert opened.rest() == b"abc"
        assert [(offset, "not packed" in reason) for offset, reason in damage] == [(3, True)]


def test_a_file_that_is_not_there_is_told_when_it_is_read(tmp_path: Path) -> None:
    opened = Window(tmp_path / "nowhere", lambda _offset, _reason: None)
    with pytest.raises(SpanWitnessError, match="nowhere: No such file"):
        opened.reach(1)


class TestUnzstd:
    def test_a_frame_is_unpacked(self) -> None:
        assert unzstd(zstd.compress(b"abc"), 3) == b"abc"

    @pytest.mark.parametrize("body", [zstd.compress(b"abc")[:-1], zstd.compress(b"abc") * 2, b"\x28\xb5\x2f\xfdabc"])
    def test_what_is_no_whole_frame_is_none(self, body: bytes) -> None:
        assert unzstd(body, 100) is None

    def test_what_is_too_large_is_none(self) -> None:
        assert unzstd(zstd.compress(bytes(101)), 100) is None
