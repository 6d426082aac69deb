"""Parameters of an evaluator as TOML and JSON have them, turned into the arguments of its class.

What a field takes is read from its annotation: true or false, numbers, texts, `Literal`, `tuple[...]` and other lists,
`Mapping[...]`, dates and times, each `| None`, and `Any` for whatever stands there.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import inspect
import math
import sys
import types
import typing
from typing import Any, Final, Literal

from spanwitness.errors import ConfigError

if typing.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Reader = tuple[str, Callable[[Any], Any]]  # what is allowed, and what makes the value or raises ValueError

# An annotation may name what its module imports for type checkers alone.
_USUAL: Final[dict[str, Any]] = {**vars(typing), **vars(collections.abc), "dt": dt}
_TIMES: Final = (dt.datetime, dt.date, dt.time)
_LISTS: Final[dict[Any, type]] = {
    **dict.fromkeys((tuple, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection), tuple),
    **dict.fromkeys((frozenset, set, collections.abc.Set), frozenset),
    list: list,
}
_MOST_SHOWN: Final = 120
_TABLES: Final = (dict, collections.abc.Mapping)


def arguments(kind: Callable[..., Any], given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """What `kind` is called with.

    Raises:
        ConfigError: `kind` takes no such parameter, or not this value. Names `place.FIELD`, the value, what is allowed.
    """
    known = dict(_parameters(kind)) if given else {}
    for name in given:
        if name not in known:
            allowed = ", ".join(f"{place}.{each}" for each in known) or "none, it has no parameters"
            raise ConfigError(f"unknown key {place}.{name}; allowed: {allowed}")
    return {name: _value(f"{place}.{name}", value, known[name]) for name, value in given.items()}


def _parameters(kind: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            if field.init:
                owner = next(each for each in kind.__mro__ if field.name in vars(each).get("__annotations__", {}))
                yield field.name, _resolved(field.type, owner.__module__)
        return
    takes = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    try:
        signature = inspect.signature(kind)
    except ValueError:  # it is not written in Python and does not say
        return
    for name, parameter in signature.parameters.items():
        if parameter.kind in takes:
            annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
            yield name, _resolved(annotation, kind.__module__)


def _resolved(annotation: Any, module: str) -> Any:
    """The type that an annotation names; the text itself where it names what cannot be found."""
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    known = {**_USUAL, **vars(sys.modules[module])} if module in sys.modules else _USUAL
    try:
        return typing.get_type_hints(holder, known)["it"]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return annotation


def _value(key: str, value: Any, annotation: Any) -> Any:
    allowed, convert = _reader(annotation)
    try:
        return convert(value)
    except ValueError:
        shown = value.isoformat() if isinstance(value, _TIMES) else _shown(value)
        raise ConfigError(f"{key} = {shown}: allowed is {allowed}") from None


def _shown(value: Any) -> str:
    """Rules may be long; the beginning tells which they are."""
    told = repr(value)
    return told if len(told) <= _MOST_SHOWN else f"{told[:_MOST_SHOWN]}..."


def _reader(annotation: Any) -> Reader:
    origin, inner = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if annotation in (Any, object):
        return "anything", lambda value: value
    if origin in (typing.Union, types.UnionType):
        return _any_of([_reader(each) for each in inner if each is not types.NoneType])
    if origin is Literal:
        return " or ".join(map(repr, inner)), _only(lambda value: any(_same(value, each) for each in inner))
    if origin in _LISTS:
        return _list(origin, inner)
    if origin in _TABLES:
        return _table(inner)
    return _plain(annotation)


def _plain(annotation: Any) -> Reader:
    if annotation is bool:
        return "true or false", _only(lambda value: isinstance(value, bool))
    if annotation is int:
        return "a whole number", _only(lambda value: isinstance(value, int) and not isinstance(value, bool))
    if annotation is float:
        return "a number", _float
    if annotation is str:
        return "a text", _only(lambda value: isinstance(value, str))
    if annotation in _TIMES:
        return "a date or time of this kind, without quotes", _only(lambda value: type(value) is annotation)
    shown = getattr(annotation, "__name__", annotation)
    return f"nothing: it takes a {shown}, which a configuration cannot give", _only(lambda _value: False)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > sys.float_info.max:
        raise ValueError
    if not math.isfinite(value):
        raise ValueError
    return float(value)


def _only(fits: Callable[[Any], bool]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if not fits(value):
            raise ValueError
        return value

    return convert


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


def _any_of(readers: list[Reader]) -> Reader:
    def convert(value: Any) -> Any:
        for _, each in readers:
            try:
                return each(value)
            except ValueError:
                continue
        raise ValueError

    return " or ".join(allowed for allowed, _ in readers), convert


def _list(origin: Any, inner: tuple[Any, ...]) -> Reader:
    kind = _LISTS[origin]
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        return _fixed([_reader(each) for each in inner])
    allowed, each = _reader(inner[0] if inner else Any)

    def convert(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError  # noqa: TRY004 - told to the user as a ConfigError
        return kind(each(entry) for entry in value)

    return f"a list, each entry {allowed}", convert


def _fixed(readers: list[Reader]) -> Reader:
    def convert(value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != len(readers):
            raise ValueError
        return tuple(each(entry) for (_, each), entry in zip(readers, value, strict=True))

    return f"a list of {len(readers)}: {', '.join(allowed for allowed, _ in readers)}", convert


def _table(inner: tuple[Any, ...]) -> Reader:
    allowed, each = _reader(inner[1] if inner else Any)

    def convert(value: Any) -> Any:
        if not isinstance(value, collections.abc.Mapping):
            raise ValueError  # noqa: TRY004 - the same
        return {name: each(entry) for name, entry in value.items()}

    return f"a table, each value {allowed}", convert
