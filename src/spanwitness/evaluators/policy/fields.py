"""Tables of a rule file, key by key: what is unknown, missing or not allowed is refused by its name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from spanwitness.errors import ConfigError
from spanwitness.evaluators.policy.language import Tools
from spanwitness.evaluators.policy.phrases import Phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")
_MOST_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Fields:
    """One table, and what its keys are called in an error."""

    place: str
    table: Mapping[str, Any]

    @classmethod
    def of(cls, place: str, given: object) -> Fields:
        if not isinstance(given, Mapping):
            raise refusal(place, given, "a table")
        return cls(f"{place}.", given)

    def at(self, place: str) -> Fields:
        """The same table under another name."""
        return Fields(place, self.table)

    def key(self, key: str) -> str:
        return f"{self.place}{key}"

    def has(self, key: str) -> bool:
        return key in self.table

    def given(self, key: str) -> Any:
        return self.table[key]

    def know(self, keys: Iterable[str]) -> None:
        """Refuses a key that is not one of these."""
        allowed = tuple(keys)
        for key in self.table:
            if key not in allowed:
                raise ConfigError(f"unknown key {self.key(key)}; allowed: {', '.join(allowed)}")

    def only_one_of(self, keys: Sequence[str]) -> str:
        """The one of these keys that is there."""
        found = [key for key in keys if key in self.table]
        if len(found) == 1:
            return found[0]
        given = " and ".join(found) if found else ", ".join(self.table) or "nothing"
        raise ConfigError(f"{self.place.rstrip(': .')} has {given}; allowed is exactly one of: {', '.join(keys)}")

    def required(self, key: str, read: Callable[[str, Any], T]) -> T:
        if key not in self.table:
            raise ConfigError(f"{self.key(key)} is missing; it must be there")
        return read(self.key(key), self.table[key])

    def optional(self, key: str, read: Callable[[str, Any], T], default: T) -> T:
        return read(self.key(key), self.table[key]) if key in self.table else default


def refusal(key: str, value: object, allowed: str) -> ConfigError:
    told = value.isoformat() if isinstance(value, dt.date | dt.time) else repr(value)
    shown = told if len(told) <= _MOST_SHOWN else f"{told[:_MOST_SHOWN]}..."
    return ConfigError(f"{key} = {shown}: allowed is {allowed}")


def text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise refusal(key, value, "a text that is not empty")
    return value


def texts(key: str, value: object, allowed: str) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not given:
        raise refusal(key, value, allowed)
    if not all(isinstance(each, str) and each.strip() for each in given):
        raise refusal(key, value, allowed)
    return tuple(given)


def tools(key: str, value: object) -> Tools:
    return Tools(texts(key, value, "a tool's name, with * and ? as in a shell, or a list of them"))


def phrases(key: str, value: object) -> Phrases:
    allowed = "a phrase with letters or digits, or a list of them"
    try:
        return Phrases(texts(key, value, allowed))
    except ValueError:
        raise refusal(key, value, allowed) from None


def choice(key: str, value: object, allowed: Sequence[T]) -> T:
    for each in allowed:
        if value == each:
            return each
    raise refusal(key, value, ", ".join(map(str, allowed)))
