"""Where one sequence goes on from another: numbers in, positions out."""

from __future__ import annotations

from bisect import bisect_right
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def overlap(known: Sequence[int], stop: int, told: Sequence[int]) -> tuple[int, int]:
    """The longest run that ends at `known[:stop]` and stands anywhere in `told`: (its length, where it ends there).

    Of equally long ones the last. Knuth-Morris-Pratt from the end, so that the cost is linear in `told` alone.
    """
    if 0 < stop <= len(told) and list(told[:stop]) == list(known[:stop]):
        return stop, stop
    tail = list(reversed(known[max(0, stop - len(told)) : stop]))
    borders = _borders(tail)
    best = end = matched = 0
    for distance, key in enumerate(reversed(told)):
        while matched and (matched == len(tail) or tail[matched] != key):
            matched = borders[matched - 1]
        matched += bool(tail) and tail[matched] == key
        if matched > best:
            best, end = matched, len(told) - distance - 1 + matched
    return best, end


def retold(places: Mapping[int, Sequence[int]], told: Sequence[int]) -> tuple[int, int, int]:
    """How far `told` repeats, in order but with gaps on both sides, a sequence whose keys stand at `places`.

    Returns: how many keys it repeats, where the last of them ends in `told`, and where in the sequence.
    """
    count = end = stop = 0
    for at, key in enumerate(told):
        found = places.get(key, ())
        nearest = bisect_right(found, stop - 1)
        if nearest < len(found):
            count, end, stop = count + 1, at + 1, found[nearest] + 1
    return count, end, stop


def shared(left: Sequence[int], right: Sequence[int]) -> int:
    """How many the two have in common from their start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))


def _borders(pattern: Sequence[int]) -> list[int]:
    """For each prefix of `pattern` the length of its longest border."""
    borders = [0] * len(pattern)
    width = 0
    for at in range(1, len(pattern)):
        while width and pattern[at] != pattern[width]:
            width = borders[width - 1]
        width += pattern[at] == pattern[width]
        borders[at] = width
    return borders
