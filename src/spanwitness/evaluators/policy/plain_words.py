"""What rules mean, in plain English: for those who have to agree to them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from spanwitness.evaluators.policy.language import (
    AllOf,
    AnyOf,
    AtEnd,
    BeforeCall,
    BeforePhrase,
    Called,
    Compared,
    Condition,
    ConfirmCall,
    Demand,
    ForbidCall,
    ForbidPhrase,
    HasSaid,
    InTurn,
    Literals,
    Not,
    OfArgument,
    OfConversation,
    OfResult,
    RequireCall,
    RequirePhrase,
    SpeakLanguage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spanwitness.evaluators.policy.language import Lookup, Operator, Rule, Source, Tools
    from spanwitness.evaluators.policy.phrases import Phrases

_WORDS: Final[Mapping[Operator, str]] = {
    "is": "is",
    "is_not": "is not",
    "above": "is above",
    "below": "is below",
    "at_least": "is at least",
    "at_most": "is at most",
    "in": "is one of",
    "not_in": "is none of",
    "contains": "contains",
    "older_than": "is longer ago than",
    "newer_than": "is not longer ago than",
    "missing": "is missing",
}


def meaning(rule: Rule) -> tuple[str, ...]:
    """A sentence; where there are several conditions, its beginning and then each of them."""
    conditions = tuple(map(_condition, rule.when.conditions))
    demand = _demand(rule.demand)
    if not conditions:
        return (f"{demand}.",)
    link = " when" if isinstance(rule.demand, ForbidCall | ForbidPhrase) else ", where"
    if len(conditions) == 1:
        return (f"{demand}{link} {conditions[0]}.",)
    return (f"{demand}{link} all of this holds:", *conditions)


def lookup_meaning(lookup: Lookup) -> str:
    """What a lookup that has a name stands for."""
    return f"{lookup.name}: what {_call(lookup)} brought back, the newest before."


def _demand(demand: Demand) -> str:
    match demand:
        case ForbidCall():
            return f"The agent must not call {_tools(demand.tools)}"
        case ForbidPhrase():
            return f"The agent must not say {_phrases(demand.phrases)}"
        case RequireCall():
            return f"There must have been {_call(demand.lookup)} {_moment(demand.moment)}"
        case RequirePhrase():
            return f"The {demand.by} must have said {_phrases(demand.phrases)} {_moment(demand.moment)}"
        case ConfirmCall():
            yes = "yes" if demand.yes is None else _phrases(demand.yes)
            return f"The customer's last turn before each call of {_tools(demand.tools)} must say {yes}"
        case SpeakLanguage():
            return f"The agent must write in {_or(demand.codes)}".replace("'customer'", "the customer's language")


def _moment(moment: BeforeCall | BeforePhrase | AtEnd | InTurn) -> str:
    match moment:
        case BeforeCall():
            return f"before each call of {_tools(moment.tools)}"
        case BeforePhrase():
            return f"before the agent says {_phrases(moment.phrases)}"
        case InTurn():
            return f"in its {moment.turn.replace('_', ' ')}"
        case AtEnd():
            return "by the end"


def _condition(condition: Condition) -> str:
    match condition:
        case Compared():
            return _compared(condition)
        case Called():
            return f"there was {_call(condition.lookup)} before"
        case HasSaid():
            return f"the {condition.by} said {_phrases(condition.phrases)} before"
        case Not():
            return f"it is not so that {_condition(condition.condition)}"
        case AllOf():
            return f"({' and '.join(map(_condition, condition.conditions))})"
        case AnyOf():
            return f"({' or '.join(map(_condition, condition.conditions))})"


def _compared(condition: Compared) -> str:
    source, against = _source(condition.source), condition.against
    if isinstance(against, bool):
        return f"{source} {'is missing' if against else 'is there'}"
    told = _age(against) if isinstance(against, dt.timedelta) else _source(against)
    return f"{source} {_WORDS[condition.operator]} {told}"


def _source(source: Source) -> str:
    match source:
        case Literals():
            return _or(source.values)
        case OfArgument():
            return f"the call's {'.'.join(source.path)}"
        case OfConversation():
            return f"the conversation's {source.attribute}"
        case OfResult():
            if source.lookup.name:
                return (
                    f"the {source.lookup.name}'s {'.'.join(source.path)}"
                    if source.path
                    else f"the {source.lookup.name}"
                )
            field = f"{'.'.join(source.path)} in what" if source.path else "what"
            return f"{field} {_call(source.lookup)} brought back"


def _call(lookup: Lookup) -> str:
    where = " and ".join(f"{'.'.join(path)} = {_source(source)}" for path, source in lookup.where)
    returned = "" if lookup.returned is None else f" that brought back {lookup.returned!r}"
    return f"a call of {_tools(lookup.tools)}{f' with {where}' if where else ''}{returned}"


def _age(age: dt.timedelta) -> str:
    seconds = age.total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and not seconds % length:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _tools(tools: Tools) -> str:
    spared = f" other than {' or '.join(tools.spared)}" if tools.spared else ""
    return f"{' or '.join(tools.names)}{spared}"


def _phrases(phrases: Phrases) -> str:
    return _or(phrases.texts)


def _or(given: Iterable[object]) -> str:
    return " or ".join(repr(each) if isinstance(each, str) else str(each) for each in given)
