"""Conditions and lookups as TOML has them, read into the language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from spanwitness.config import duration
from spanwitness.evaluators.policy import values
from spanwitness.evaluators.policy.fields import Fields, choice, phrases, refusal, text, tools
from spanwitness.evaluators.policy.language import (
    ATTRIBUTES,
    OPERATORS,
    AllOf,
    AnyOf,
    Called,
    Compared,
    Condition,
    HasSaid,
    Literals,
    Lookup,
    Not,
    OfArgument,
    OfConversation,
    OfResult,
    Operator,
    Scalar,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_DEEPEST: Final = 8  # tables within tables
_SOURCES: Final = ("argument", "result", "lookup", "conversation")
_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {
    "argument": (),
    "result": ("where", "returned", "field"),
    "lookup": ("field",),
    "conversation": (),
}
_KINDS: Final = (*_SOURCES, "called", "customer_said", "agent_said", "not", "any", "all")
_LISTS: Final[frozenset[Operator]] = frozenset({"in", "not_in"})
_AGES: Final[frozenset[Operator]] = frozenset({"older_than", "newer_than"})


@dataclass(frozen=True, slots=True)
class ConditionReader:
    """Reads conditions; knows the lookups that have a name."""

    named: Mapping[str, Lookup]

    @classmethod
    def of(cls, lookups: object) -> ConditionReader:
        """Raises ConfigError."""
        if not isinstance(lookups, Mapping):
            raise refusal("lookups", lookups, "tables by name, such as [lookups.order]")
        named: dict[str, Lookup] = {}
        for name, table in lookups.items():
            fields = Fields.of(f"lookups.{name}", table)
            fields.know(("result", "where", "returned"))
            # One may rest on those before it, and so on no circle.
            named[name] = replace(cls(dict(named)).lookup(fields, "result"), name=name)
        return cls(named)

    def lookup(self, fields: Fields, key: str, deep: int = 0) -> Lookup:
        return Lookup(
            fields.required(key, tools),
            fields.optional("where", lambda place, value: self._where(place, value, deep), ()),
            fields.optional("returned", _scalar, None),
        )

    def conditions(self, key: str, value: object, deep: int = 0) -> tuple[Condition, ...]:
        if not isinstance(value, list | tuple) or not value:
            raise refusal(key, value, "a list of conditions, at least one")
        return tuple(self.condition(f"{key}[{number}]", each, deep) for number, each in enumerate(value, 1))

    def condition(self, key: str, value: object, deep: int = 0) -> Condition:
        fields = _nested(key, value, deep)
        kind = fields.only_one_of(_KINDS)
        if kind in _SOURCES:
            return self._compared(fields, kind, deep)
        fields.know((kind, "where", "returned") if kind == "called" else (kind,))
        return _READ[kind](self, fields, kind, deep)

    def _compared(self, fields: Fields, kind: str, deep: int) -> Compared:
        operator = cast("Operator", fields.only_one_of(OPERATORS))
        fields.know((kind, *_BESIDE[kind], operator))
        read = self._operand(operator, deep)
        return Compared(self._source(fields, kind, deep), operator, fields.required(operator, read))

    def _source(self, fields: Fields, kind: str, deep: int) -> Source:
        if kind == "argument":
            return OfArgument(fields.required(kind, _path))
        if kind == "conversation":
            return OfConversation(fields.required(kind, lambda key, value: choice(key, value, ATTRIBUTES)))
        lookup = fields.required(kind, self._by_name) if kind == "lookup" else self.lookup(fields, kind, deep)
        return OfResult(lookup, fields.optional("field", _path, ()))

    def _operand(self, operator: Operator, deep: int) -> Callable[[str, Any], Source | dt.timedelta | bool]:
        if operator == "missing":
            return _flag
        if operator in _AGES:
            return _age

        def read(key: str, value: Any) -> Source:
            if isinstance(value, Mapping):
                return self._reference(key, value, deep)
            return Literals(_scalars(key, value) if operator in _LISTS else (_scalar(key, value),))

        return read

    def _reference(self, key: str, value: object, deep: int) -> Source:
        """What stands where a value could: {value}, {argument}, {result, where, field}, {lookup, field}."""
        fields = _nested(key, value, deep)
        kind = fields.only_one_of((*_SOURCES, "value"))
        if kind == "value":
            fields.know(("value",))
            return Literals((fields.required("value", _scalar),))
        fields.know((kind, *_BESIDE[kind]))
        return self._source(fields, kind, deep)

    def _where(self, key: str, value: object, deep: int) -> tuple[tuple[values.Path, Source], ...]:
        fields = _nested(key, value, deep)
        return tuple(
            (_path(key, name), self._wanted(fields.key(name), each, deep + 1)) for name, each in _items(fields)
        )

    def _wanted(self, key: str, value: object, deep: int) -> Source:
        """A text is the path of an argument of the call that is being judged."""
        return OfArgument(_path(key, value)) if isinstance(value, str) else self._reference(key, value, deep)

    def _by_name(self, key: str, value: object) -> Lookup:
        if not isinstance(value, str) or value not in self.named:
            raise refusal(key, value, f"one of [lookups]: {', '.join(self.named) or 'there are none'}")
        return self.named[value]


def _called(reader: ConditionReader, fields: Fields, kind: str, deep: int) -> Condition:
    return Called(reader.lookup(fields, kind, deep))


def _said(_: ConditionReader, fields: Fields, kind: str, _deep: int) -> Condition:
    return HasSaid("customer" if kind == "customer_said" else "agent", fields.required(kind, phrases))


def _not(reader: ConditionReader, fields: Fields, kind: str, deep: int) -> Condition:
    return Not(fields.required(kind, lambda key, value: reader.condition(key, value, deep + 1)))


def _any(reader: ConditionReader, fields: Fields, kind: str, deep: int) -> Condition:
    return AnyOf(fields.required(kind, lambda key, value: reader.conditions(key, value, deep + 1)))


def _all(reader: ConditionReader, fields: Fields, kind: str, deep: int) -> Condition:
    return AllOf(fields.required(kind, lambda key, value: reader.conditions(key, value, deep + 1)))


_READ: Final[Mapping[str, Callable[[ConditionReader, Fields, str, int], Condition]]] = {
    "called": _called,
    "customer_said": _said,
    "agent_said": _said,
    "not": _not,
    "any": _any,
    "all": _all,
}


def _nested(key: str, value: object, deep: int) -> Fields:
    if deep > _DEEPEST:
        raise refusal(key, "...", f"tables within tables {_DEEPEST} deep at most")
    return Fields.of(key, value)


def _items(fields: Fields) -> tuple[tuple[str, Any], ...]:
    if not fields.table:
        raise refusal(fields.place.rstrip("."), {}, "at least one path")
    return tuple(fields.table.items())


def _path(key: str, value: object) -> values.Path:
    try:
        path = values.path_of(text(key, value))
    except ValueError as error:
        raise refusal(key, value, str(error)) from None
    return path


def _age(key: str, value: object) -> dt.timedelta:
    try:
        return duration(value)
    except ValueError as error:
        raise refusal(key, value, str(error)) from None


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise refusal(key, value, "true or false")
    return value


def _scalar(key: str, value: object) -> Scalar:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if not isinstance(value, str | int | float):
        raise refusal(key, value, "a text, number, date, true or false")
    return value


def _scalars(key: str, value: object) -> tuple[Scalar, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise refusal(key, value, "a list of values, at least one")
    return tuple(_scalar(f"{key}[{number}]", each) for number, each in enumerate(value, 1))
