"""Values inside arguments and results: where they stand, and how two of them compare."""

from __future__ import annotations

import datetime as dt
import math
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from spanwitness.evaluators.calls import parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Path: TypeAlias = tuple[str, ...]

EACH: Final = "#"
_MOST: Final = 200  # values that one path may bring; a longer list is read up to here
_LONGEST_NUMBER: Final = 32  # characters
_MILLISECONDS_FROM: Final = 1e11  # a larger number counts milliseconds, a smaller one seconds: the year 5138 in seconds
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?: ?Z\b|[+-]\d\d:?\d\d)?)?", re.IGNORECASE
)


def path_of(text: str) -> Path:
    """`a.0.b`: by key and position; `a.#.b`: of each in a list or table; `a.#`: how many there are.

    Raises:
        ValueError: a part is empty.
    """
    parts = tuple(text.split(".")) if text else ()
    if not all(parts):
        raise ValueError("keys parted by dots, such as flights.0.date, flights.#.date (each) or flights.# (how many)")
    return parts


def values_at(tree: Any, path: Path) -> tuple[Any, ...]:
    """The values that a path leads to, each entry of a list by itself; none where it leads nowhere."""
    return tuple(islice(_walk(tree, path), _MOST))


def _walk(tree: Any, path: Path) -> Iterator[Any]:
    if not path:
        yield from tree if isinstance(tree, list) else (tree,)
        return
    first, rest = path[0], path[1:]
    if isinstance(tree, dict) and first in tree:
        yield from _walk(tree[first], rest)
    elif first == EACH and isinstance(tree, dict | list):
        if not rest:
            yield len(tree)
            return
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from _walk(each, rest)
    elif isinstance(tree, list) and first.isdecimal() and len(first) < _LONGEST_NUMBER and int(first) < len(tree):
        yield from _walk(tree[int(first)], rest)


def content_of(text: str) -> Any:
    """A result as a value: JSON read, also from within a JSON text or MCP's text part; else the text itself."""
    value = parsed(text)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and value[0].get("type") == "text":
        value = value[0].get("text")
    if isinstance(value, str):
        inner = parsed(value)
        return value if inner is None else inner
    return text if value is None else value


class Pool:
    """Values to be found again: texts whatever their case and outer spaces, numbers, and numbers spelled as texts.

    Two texts are never compared as numbers, since a long id is no number. A table equals nothing.
    """

    __slots__ = ("_numbers", "_others", "_spelled", "_texts")

    def __init__(self, wanted: Iterable[Any]) -> None:
        given = list(wanted)
        texts = [value for value in given if isinstance(value, str)]
        self._texts = {text.strip().casefold() for text in texts}
        self._spelled = {number(text) for text in texts} - {None}
        self._numbers = {value for value in given if _is_number(value)}
        self._others = [value for value in given if value is None or isinstance(value, bool)]

    def __contains__(self, value: object) -> bool:
        if isinstance(value, str):
            return value.strip().casefold() in self._texts or (bool(self._numbers) and number(value) in self._numbers)
        if _is_number(value):
            return value in self._numbers or value in self._spelled
        return any(value is other for other in self._others)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: Any) -> int | float | None:
    """A number, or a text that spells one; None for anything else, and for what is not finite."""
    if _is_number(value):
        return value if isinstance(value, int) or math.isfinite(value) else None
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER or "_" in value:
        return None
    try:
        return int(value)
    except ValueError:
        pass
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def order(one: Any, other: Any) -> int | None:
    """-1, 0 or 1 as numbers, or as times; None where they are neither."""
    first, second = number(one), number(other)
    if first is not None and second is not None:
        return (first > second) - (first < second)
    at, then = moment(one), moment(other)
    if at is None or then is None:
        return None
    gap = since(at, then)
    return (gap > dt.timedelta()) - (gap < dt.timedelta())


def moment(value: Any) -> dt.datetime | None:
    """A time: ISO 8601 as a text, or seconds or milliseconds since 1970. None where it is none."""
    if isinstance(value, str):
        return first_time(value, whole=True)
    found = number(value)
    if found is None or found <= 0:
        return None
    try:
        return dt.datetime.fromtimestamp(found / 1000 if found >= _MILLISECONDS_FROM else found, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def first_time(text: str, *, whole: bool = False) -> dt.datetime | None:
    """The first time that stands in a text; `whole`: the text must be nothing else."""
    found = _TIME.fullmatch(text.strip()) if whole else _TIME.search(text)
    if found is None:
        return None
    try:
        return dt.datetime.fromisoformat(found[0].upper().replace(" Z", "Z"))
    except ValueError:
        return None


def since(later: dt.datetime, earlier: dt.datetime) -> dt.timedelta:
    """How much later one time is. Where one of them has no zone, both are read as of the same."""
    if later.tzinfo is None or earlier.tzinfo is None:
        later, earlier = later.replace(tzinfo=None), earlier.replace(tzinfo=None)
    return later - earlier
