"""Rules as TOML has them, read into the language. Every error names rule, key, value and what is allowed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from spanwitness.errors import ConfigError
from spanwitness.evaluators.policy import spoken_language, values
from spanwitness.evaluators.policy.conditions_reading import ConditionReader
from spanwitness.evaluators.policy.fields import Fields, choice, phrases, refusal, text, tools
from spanwitness.evaluators.policy.language import (
    SEVERITIES,
    SPEAKERS,
    TURNS,
    AllOf,
    AtEnd,
    BeforeCall,
    BeforePhrase,
    Clock,
    ConfirmCall,
    Demand,
    ForbidCall,
    ForbidPhrase,
    InTurn,
    Policy,
    RequireCall,
    RequirePhrase,
    Rule,
    Speaker,
    SpeakLanguage,
    Tools,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST_RULES: Final = 500
_COMMON: Final = ("name", "severity", "why", "when")
_END: Final = "end"


def policy_of(
    rules: Iterable[Mapping[str, Any]],
    *,
    lookups: Mapping[str, Any] | None = None,
    now: object = "",
    now_after: object = "",
) -> Policy:
    """The policy that tables of rules make, as TOML or JSON has them.

    Args:
        rules: in the order in which outcomes are told.
        lookups: by name, what conditions call "lookup".
        now: a fixed time, '' for none; see `Clock`.
        now_after: the words behind which the time stands, '' for none.

    Raises:
        ConfigError: a key or value is not allowed, or a name is given twice.
    """
    given = list(rules)
    if len(given) > _MOST_RULES:
        raise ConfigError(f"rules: there are {len(given)}; allowed is {_MOST_RULES} at most")
    reader = ConditionReader.of({} if lookups is None else lookups)
    read = tuple(_rule(number, table, reader) for number, table in enumerate(given, 1))
    names = [rule.name for rule in read]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"rule {name!r} is there more than once; allowed is each name once")
    return Policy(
        read, _clock(now, now_after), tuple(reader.named.values()), _digest([given, lookups or {}, now, now_after])
    )


def _digest(written: Sequence[object]) -> str:
    told = json.dumps(written, sort_keys=True, default=str)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _clock(now: object, now_after: object) -> Clock:
    after = text("now_after", now_after) if now_after != "" else ""
    if now == "":
        return Clock(after=after)
    if after:
        raise refusal("now", now, "none beside now_after")
    if isinstance(now, dt.datetime):
        return Clock(now)
    at = values.first_time(now, whole=True) if isinstance(now, str) else None
    if at is None:
        raise refusal("now", now, "a time such as 2026-11-21T09:00:00Z")
    return Clock(at)


def _rule(number: int, given: object, reader: ConditionReader) -> Rule:
    place = f"rules[{number}]"
    fields = Fields.of(place, given)
    name = fields.required("name", text)
    if not _NAME.fullmatch(name):
        raise refusal(f"{place}.name", name, "up to 64 letters, digits, '_', '-' and '.'")
    fields = fields.at(f"rule {name!r}: ")
    kind = fields.only_one_of(tuple(_KINDS))
    allowed, demand = _KINDS[kind]
    fields.know((*_COMMON, kind, *allowed))
    when = fields.optional("when", lambda key, value: AllOf(reader.conditions(key, value)), AllOf(()))
    return Rule(
        name=name,
        severity=fields.optional("severity", lambda key, value: choice(key, value, SEVERITIES), "major"),
        demand=demand(fields, reader),
        when=when,
        why=fields.optional("why", text, ""),
    )


def _forbid_call(fields: Fields, _: ConditionReader) -> Demand:
    forbidden = fields.required("forbid_call", tools)
    return ForbidCall(replace(forbidden, spared=fields.optional("except", tools, Tools(())).names))


def _forbid_phrase(fields: Fields, _: ConditionReader) -> Demand:
    return ForbidPhrase(fields.required("forbid_phrase", phrases))


def _require_call(fields: Fields, reader: ConditionReader) -> Demand:
    moment = _moment(fields)
    lookup = reader.lookup(fields, "require_call")
    if isinstance(moment, InTurn):
        raise refusal(fields.key("at"), moment.turn, f"{_END}: a call is not said in a turn")
    return RequireCall(lookup, moment)


def _require_phrase(fields: Fields, _: ConditionReader) -> Demand:
    by: Speaker = fields.optional("by", lambda key, value: choice(key, value, SPEAKERS), "agent")
    moment = _moment(fields)
    if by == "customer" and isinstance(moment, InTurn):
        raise refusal(fields.key("by"), by, "agent: first_turn and last_turn are the agent's")
    return RequirePhrase(fields.required("require_phrase", phrases), by, moment)


def _confirm_call(fields: Fields, _: ConditionReader) -> Demand:
    return ConfirmCall(fields.required("confirm_call", tools), fields.optional("yes", phrases, None))


def _language(fields: Fields, _: ConditionReader) -> Demand:
    return SpeakLanguage(fields.required("language", _codes))


def _codes(key: str, value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    known = spoken_language.codes() | {spoken_language.CUSTOMERS}
    if not isinstance(given, list | tuple) or not given or not all(isinstance(code, str) for code in given):
        raise refusal(key, value, "a language code such as 'en', 'customer', or a list of them")
    for code in given:
        if code not in known:
            raise refusal(key, code, f"{spoken_language.CUSTOMERS}, {', '.join(sorted(known - {'customer'}))}")
    return tuple(given)


def _moment(fields: Fields) -> BeforeCall | BeforePhrase | AtEnd | InTurn:
    found = [key for key in ("before_call", "before_phrase", "at") if fields.has(key)]
    if len(found) > 1:
        raise refusal(fields.key(found[1]), fields.given(found[1]), f"none beside {found[0]}")
    if fields.has("before_call"):
        return BeforeCall(fields.required("before_call", tools))
    if fields.has("before_phrase"):
        return BeforePhrase(fields.required("before_phrase", phrases))
    at = fields.optional("at", lambda key, value: choice(key, value, (_END, *TURNS)), _END)
    return AtEnd() if at == _END else InTurn(cast("Any", at))


_KINDS: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Fields, ConditionReader], Demand]]]] = {
    "forbid_call": (("except",), _forbid_call),
    "forbid_phrase": ((), _forbid_phrase),
    "require_call": (("where", "returned", "before_call", "before_phrase", "at"), _require_call),
    "require_phrase": (("by", "before_call", "before_phrase", "at"), _require_phrase),
    "confirm_call": (("yes",), _confirm_call),
    "language": ((), _language),
}
