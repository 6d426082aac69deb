"""What values the keys of a configuration take: each function turns one into a setting, or says what is allowed.

All raise ValueError with what is allowed; the caller knows the key and the value.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from spanwitness.errors import ConfigError

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>ms|s|m|h|d)")
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(r"(?P<number>[0-9]+)\s*(?P<unit>[KMG]i?B|B|)")


def duration(text: Any) -> dt.timedelta:
    """`250ms`, `30s`, `15m`, `2h`, `1d`. Raises ValueError with what is allowed."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    try:
        if found is not None:
            return dt.timedelta(seconds=float(found["number"]) * _UNITS[found["unit"]])
    except OverflowError:  # more days than Python counts
        pass
    raise ValueError("a duration such as '250ms', '30s', '15m', '2h' or '1d'")


def positive_duration(text: Any) -> dt.timedelta:
    value = duration(text)
    if not value:
        raise ValueError("a duration above zero")
    return value


def size(value: Any) -> int:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    number = int(found["number"]) * _SIZES[found["unit"]] if found else value
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        raise ValueError("a number of bytes above zero, or a size such as '20MiB' or '16MB'")
    return number


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")  # noqa: TRY004 - told to the user as a ConfigError
    return value


def name(value: Any) -> str:
    if not text(value):
        raise ValueError("a text that is not empty")
    return str(value)


def header(value: Any) -> str:
    return text(value).lower()


def address(value: Any) -> str:
    host, _, port = text(value).rpartition(":")
    if value and not (host and port.isdecimal() and int(port) <= 65535):  # noqa: PLR2004 - the last port
        raise ValueError("HOST:PORT, such as '127.0.0.1:4317' (port 0 takes a free one), or '' for off")
    return str(value)


def endpoint(value: Any) -> str:
    told = text(value)
    try:
        url = urlsplit(told)
        complete = bool(url.hostname and url.port) and not any(map(str.isspace, told))
    except ValueError:  # a port that is no number, a bracket too few
        url, complete = urlsplit(""), False
    known = url.scheme in {"http", "https"} or (url.scheme in {"grpc", "grpcs"} and url.path in {"", "/"})
    if told and not (complete and known and not (url.query or url.fragment or "@" in url.netloc)):
        allowed = "'http://HOST:PORT', 'https://HOST:PORT', 'grpc://HOST:PORT', 'grpcs://HOST:PORT', or '' for off"
        if "@" in told:  # what stands before it may be a password, and is not told
            shown = f"forward.endpoint = '...@{told.rpartition('@')[2]}'"
            raise ConfigError(f"{shown} (credentials go into headers_file or headers_env): allowed is {allowed}")
        raise ValueError(allowed)
    return told


def one_of(*allowed: str) -> Callable[[Any], str]:
    def apply(value: Any) -> str:
        if value not in allowed:
            raise ValueError(" or ".join(repr(name) for name in allowed))
        return str(value)

    return apply


def switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - told to the user as a ConfigError
    return value


def texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError("a list of texts")
    return tuple(value)


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ValueError("a number")
    return float(value)


def amount(value: Any) -> float:
    if number(value) < 0:
        raise ValueError("a number of USD, zero or more")
    return float(value)


def count(least: int, most: int) -> Callable[[Any], int]:
    def apply(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return apply


def rate(value: Any) -> float:
    rate = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    if not 0 < rate <= 100:  # noqa: PLR2004 - one in ten is no alarm any more
        raise ValueError("a number above 0 and at most 100")
    return float(rate)


def some_of(*allowed: str) -> Callable[[Any], tuple[str, ...]]:
    def apply(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not set(value) <= set(allowed):
            raise ValueError("a list of " + ", ".join(repr(name) for name in allowed))
        return tuple(value)

    return apply


def url(name: str) -> Callable[[Any], str]:
    """Of a URL that is not allowed nothing is told: its path may be a secret, as chat services have it."""

    def apply(value: Any) -> str:
        told = text(value)
        try:
            url = urlsplit(told)
            complete = bool(url.hostname) and (url.port or 1) > 0 and not any(map(str.isspace, told))
        except ValueError:  # a port that is no number, a bracket too few
            url, complete = urlsplit(""), False
        if told and not (complete and url.scheme in {"http", "https"} and "@" not in url.netloc):
            allowed = "'http://HOST[:PORT][/PATH]' or 'https://...' without a password in it, or ''"
            raise ConfigError(f"{name} = '...': allowed is {allowed}")
        return told

    return apply


def table_of(convert: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    def apply(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError("a table of NAME = VALUE")  # noqa: TRY004 - the same
        return {name: convert(entry) for name, entry in value.items()}

    return apply


def tables(
    prefix: str, keys: Mapping[str, Callable[[Any], Any]], make: Callable[[dict[str, Any]], Any]
) -> Callable[[Any], dict[str, Any]]:
    """Of tables [PREFIX.NAME] that all have the same keys. Raises ConfigError with the key in question."""

    def apply(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"a table [{prefix}.NAME]")  # noqa: TRY004 - the same
        return {name: make(section(f"{prefix}.{name}", keys, entry)) for name, entry in value.items()}

    return apply


def section(name: str, keys: Mapping[str, Callable[[Any], Any]], tree: Any) -> dict[str, Any]:
    """The settings of a table [NAME]. Raises ConfigError with the key in question."""
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{name} = {tree!r}: allowed is a table [{name}]")
    known(f"{name}.", tree, keys)
    return {key: setting(f"{name}.{key}", value, keys[key]) for key, value in tree.items()}


def setting(key: str, value: Any, convert: Callable[[Any], Any]) -> Any:
    """What a value means. Raises ConfigError where it is not allowed."""
    try:
        return convert(value)
    except ValueError as error:
        raise ConfigError(f"{key} = {value!r}: allowed is {error}") from None


def known(prefix: str, tree: Mapping[str, Any], allowed: Mapping[str, Any]) -> None:
    """Raises ConfigError for a key that is not allowed."""
    for key in tree:
        if key not in allowed:
            raise ConfigError(f"unknown key {prefix}{key}; allowed: {', '.join(prefix + name for name in allowed)}")
