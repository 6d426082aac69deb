"""Parameters of evaluators as TOML has them, and what a user is told of a wrong one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators.fields import arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal


@dataclass(frozen=True)
class Base:
    strict: bool = False


@dataclass(frozen=True)
class Every(Base):
    """Every kind of field that a configuration can give, and some that it cannot."""

    name: ClassVar[str] = "Every"

    whole: int = 1
    share: float = 0.5
    word: str = ""
    words: tuple[str, ...] = ()
    pair: tuple[str, float] = ("", 0.0)
    level: Literal["low", "high"] = "low"
    maybe: int | None = None
    either: int | tuple[int, ...] = 0
    limits: Mapping[str, float] = field(default_factory=dict)
    rules: tuple[Mapping[str, Any], ...] = ()
    kinds: frozenset[str] = frozenset()
    several: Sequence[int] = ()
    more: Iterable[str] = ()
    notes: list[str] = field(default_factory=list)
    since: dt.date = dt.date(2026, 1, 1)
    at: dt.datetime | None = None
    anything: Any = None
    late: Decimal | None = None
    made: dict[str, int] = field(default_factory=dict, init=False)
    other: Base = field(default_factory=Base)


class Plain:
    """Not a dataclass: what it is called with counts."""

    def __init__(self, word: str, /, limit: int = 3, *others: str, untyped=None, **rest: str) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
        self.taken = (word, limit, others, untyped, rest)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"strict": True, "whole": 3, "word": "x"}, {"strict": True, "whole": 3, "word": "x"}),
        ({"share": 1}, {"share": 1.0}),
        ({"words": ["a", "b"]}, {"words": ("a", "b")}),
        ({"pair": ["a", 2]}, {"pair": ("a", 2.0)}),
        ({"level": "high"}, {"level": "high"}),
        ({"maybe": 2}, {"maybe": 2}),
        ({"either": [1, 2]}, {"either": (1, 2)}),
        ({"limits": {"a": 1}}, {"limits": {"a": 1.0}}),
        ({"rules": [{"a": [1], "b": {"c": 2}}]}, {"rules": ({"a": [1], "b": {"c": 2}},)}),
        ({"kinds": ["a", "a"]}, {"kinds": frozenset({"a"})}),
        ({"several": [1]}, {"several": (1,)}),
        ({"more": ["a"]}, {"more": ("a",)}),
        ({"notes": ["a"]}, {"notes": ["a"]}),
        ({"since": dt.date(2026, 11, 1)}, {"since": dt.date(2026, 11, 1)}),
        ({"anything": [{"a": 1}]}, {"anything": [{"a": 1}]}),
        ({}, {}),
    ],
)
def test_a_value_becomes_what_the_field_takes(given: dict[str, Any], taken: dict[str, Any]) -> None:
    found = arguments(Every, given, "evaluators.Every")
    assert found == taken
    assert [type(value) for value in found.values()] == [type(value) for value in taken.values()]
    Every(**found)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"strict": 1}, "strict = 1: allowed is true or false"),
        ({"whole": True}, "whole = True: allowed is a whole number"),
        ({"whole": 1.0}, "whole = 1.0: allowed is a whole number"),
        ({"share": "half"}, "share = 'half': allowed is a number"),
        ({"share": float("nan")}, "share = nan: allowed is a number"),
        ({"share": 10**400}, f"share = {str(10**400)[:120]}...: allowed is a number"),
        ({"word": 1}, "word = 1: allowed is a text"),
        ({"words": "a"}, "words = 'a': allowed is a list, each entry a text"),
        ({"words": ["a", 1]}, "words = ['a', 1]: allowed is a list, each entry a text"),
        ({"pair": ["a"]}, "pair = ['a']: allowed is a list of 2: a text, a number"),
        ({"level": "middle"}, "level = 'middle': allowed is 'low' or 'high'"),
        ({"maybe": "2"}, "maybe = '2': allowed is a whole number"),
        ({"either": "2"}, "either = '2': allowed is a whole number or a list, each entry a whole number"),
        ({"limits": [1]}, "limits = [1]: allowed is a table, each value a number"),
        ({"limits": {"a": "b"}}, "limits = {'a': 'b'}: allowed is a table, each value a number"),
        ({"rules": ["a"]}, "rules = ['a']: allowed is a list, each entry a table, each value anything"),
        ({"since": "2026-11-01"}, "since = '2026-11-01': allowed is a date or time of this kind, without quotes"),
        ({"since": dt.datetime(2026, 11, 1)}, "since = 2026-11-01T00:00:00: allowed is a date or time of this kind"),  # noqa: DTZ001 - as TOML has it
        ({"at": dt.date(2026, 11, 1)}, "at = 2026-11-01: allowed is a date or time of this kind, without quotes"),
        ({"other": {"strict": True}}, "other = {'strict': True}: allowed is nothing: it takes a Base, which"),
        ({"late": 1}, "late = 1: allowed is nothing: it takes a Decimal | None, which a configuration cannot give"),
    ],
)
def test_a_value_that_is_not_allowed_is_told_with_its_key(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        arguments(Every, given, "evaluators.Every")
    assert str(caught.value).startswith(f"evaluators.Every.{told}")


@pytest.mark.parametrize("name", ["nothing", "made", "name"])
def test_what_is_no_field_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        arguments(Every, {name: 1}, "evaluators.Every")
    begin = f"unknown key evaluators.Every.{name}; allowed: evaluators.Every.strict, evaluators.Every.whole, "
    assert str(caught.value).startswith(begin)


def test_a_class_that_is_no_dataclass_takes_what_it_is_called_with() -> None:
    assert arguments(Plain, {"limit": 4, "untyped": [1]}, "x") == {"limit": 4, "untyped": [1]}
    with pytest.raises(ConfigError, match=r"x\.limit = 'a': allowed is a whole number"):
        arguments(Plain, {"limit": "a"}, "x")
    with pytest.raises(ConfigError, match=r"unknown key x\.word; allowed: x\.limit, x\.untyped$"):
        arguments(Plain, {"word": "a"}, "x")
    for kind in (object, str):  # one takes nothing, the other does not say what
        with pytest.raises(ConfigError, match=r"unknown key x\.word; allowed: none, it has no parameters"):
            arguments(kind, {"word": "a"}, "x")
