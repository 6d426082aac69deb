"""Reading attribute texts that may hold anything: every function here answers "nothing" instead of raising."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_DIGITS: Final = 9
"""An index beyond this is no message's number, and int() refuses texts of thousands of digits."""


def parse(text: str) -> object:
    """The JSON value in `text`, or None when it holds none."""
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def compact(value: object) -> str:
    """`value` as JSON text; '' when it is nested too deeply to be written."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return ""


def canonical(text: str) -> str:
    """One text for all spellings of a JSON value, of a JSON string its text; `text` itself when it is no JSON."""
    value = parse(text)
    if value is None or isinstance(value, str):
        return (value or text).strip()
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return text.strip()


def text_of(value: object) -> str:
    """A string as it is, None as '', anything else as JSON text."""
    if isinstance(value, str):
        return value
    return "" if value is None else compact(value)


def string(value: object) -> str:
    return value if isinstance(value, str) else ""


def fields(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def entries(value: object) -> list[Mapping[str, object]]:
    """The objects in `value`: of a list those that are objects, of an object itself."""
    if isinstance(value, list):
        return [entry for entry in value if isinstance(entry, dict)]
    return [value] if isinstance(value, dict) else []


def first(holder: Mapping[str, object], *keys: str) -> object:
    """The first value under `keys` that is neither null nor ''."""
    for key in keys:
        value = holder.get(key)
        if value is not None and value != "":
            return value
    return None


def first_text(holder: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((holder[key] for key in keys if holder.get(key)), "")


def numbered(holder: Mapping[str, str], prefix: str) -> list[dict[str, str]]:
    """The groups `prefix.N.rest`, each as {rest: value}, ordered by N.

    N may start anywhere and have gaps: SDKs drop the oldest attributes beyond 128, and openai-agents numbers the
    tool calls of a history through.
    """
    groups: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for number, rest, value in _split(holder, f"{prefix}."):
        groups[number][rest] = value
    return [groups[number] for number in sorted(groups)]


def _split(holder: Mapping[str, str], start: str) -> Iterator[tuple[int, str, str]]:
    for key, value in holder.items():
        if not key.startswith(start):
            continue
        number, _, rest = key[len(start) :].partition(".")
        if number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS:
            yield int(number), rest, value
