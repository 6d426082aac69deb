"""Whether a condition holds at a point of a conversation: True, False, or None where the record does not tell."""

from __future__ import annotations

import datetime as dt
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from spanwitness.evaluators.policy import values
from spanwitness.evaluators.policy.language import (
    AllOf,
    AnyOf,
    Called,
    Compared,
    HasSaid,
    Literals,
    Not,
    OfArgument,
    OfConversation,
    OfResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from spanwitness.evaluators.calls import Action
    from spanwitness.evaluators.policy.language import Condition, Lookup, Operator, Source
    from spanwitness.evaluators.policy.scene import Point, Scene

Truth = bool | None


def holds(condition: Condition, scene: Scene, point: Point) -> Truth:
    """Total: every condition has an answer at every point, and none raises."""
    match condition:
        case Compared():
            return _compared(condition, scene, point)
        case Called():
            return was_called(condition.lookup, scene, point)
        case HasSaid():
            return scene.has_said(condition.by, condition.phrases, point)
        case Not():
            return _opposite(holds(condition.condition, scene, point))
        case AllOf():
            return _every(holds(each, scene, point) for each in condition.conditions)
        case AnyOf():
            return some(holds(each, scene, point) for each in condition.conditions)


def was_called(lookup: Lookup, scene: Scene, point: Point) -> Truth:
    """Whether there is an earlier call that a lookup means; None where the record does not tell what to look for."""
    found = _earlier(lookup, scene, point)
    return None if found is None else some(meant for _, meant in found)


def values_of(source: Source, scene: Scene, point: Point) -> Sequence[Any] | None:
    """The values of a source; none where the record is there and holds none, None where there is no record of it."""
    match source:
        case Literals():
            return source.values
        case OfArgument():
            given = None if point.action is None else scene.arguments(point.action)
            return None if given is None else values.values_at(given, source.path)
        case OfConversation():
            told = getattr(scene.conversation, source.attribute)
            return (told,) if told else None
        case OfResult():
            return _brought(source, scene, point)


def _brought(source: OfResult, scene: Scene, point: Point) -> Sequence[Any] | None:
    """From the newest call that brought something back: a table or list, where a field of it is asked for."""
    for action, meant in _earlier(source.lookup, scene, point) or ():
        result = scene.result(action) if meant else None
        if result is not None and (not source.path or isinstance(result, dict | list)):
            return values.values_at(result, source.path)
    return None


def _earlier(lookup: Lookup, scene: Scene, point: Point) -> Iterator[tuple[Action, Truth]] | None:
    """The calls of a lookup's tools, the newest first, and whether each is meant.

    None where the record does not tell what to look for.
    """
    wanted: list[tuple[values.Path, values.Pool]] = []
    for path, source in lookup.where:
        found = values_of(source, scene, point)
        if found is None:
            return None
        wanted.append((path, values.Pool(found)))
    return ((action, _meant(action, lookup, wanted, scene)) for action in scene.went_through(lookup.tools, point))


def _compared(condition: Compared, scene: Scene, point: Point) -> Truth:
    found = values_of(condition.source, scene, point)
    if found is None:
        return None
    if isinstance(condition.against, bool):
        return all(value is None for value in found) is condition.against
    if isinstance(condition.against, dt.timedelta):
        return some(_aged(condition.operator, value, condition.against, scene.now(point)) for value in found)
    against = values_of(condition.against, scene, point)
    if against is None:
        return None
    return _COMPARE[condition.operator](found, against)


def some(truths: Iterable[Truth]) -> Truth:
    """Kleene's "or": True where one is, else None where one is unknown, else False."""
    unknown = False
    for truth in truths:
        if truth:
            return True
        unknown = unknown or truth is None
    return None if unknown else False


def _every(truths: Iterable[Truth]) -> Truth:
    """Kleene's "and"."""
    return _opposite(some(_opposite(truth) for truth in truths))


def _opposite(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _meant(action: Action, lookup: Lookup, wanted: Iterable[tuple[values.Path, values.Pool]], scene: Scene) -> Truth:
    fits = (_fits(action, path, pool, scene) for path, pool in wanted)
    return _every(chain(fits, (_returned(action, lookup, scene),)))


def _fits(action: Action, path: values.Path, wanted: values.Pool, scene: Scene) -> Truth:
    given, result = scene.arguments(action), scene.result(action)
    found = values.values_at(given, path) or values.values_at(result, path)
    if not found and (given is None or result is None):
        return None  # it may stand in what was not recorded
    return any(value in wanted for value in found)


def _returned(action: Action, lookup: Lookup, scene: Scene) -> Truth:
    if lookup.returned is None:
        return True
    result = scene.result(action)
    return None if result is None else result in values.Pool((lookup.returned,))


def _aged(operator: Operator, value: Any, age: dt.timedelta, now: dt.datetime | None) -> Truth:
    at = values.moment(value)
    if at is None or now is None:
        return None
    older = values.since(now, at) > age
    return older if operator == "older_than" else not older


def _ordered(meets: Callable[[int], bool]) -> Callable[[Sequence[Any], Sequence[Any]], Truth]:
    def compare(found: Sequence[Any], against: Sequence[Any]) -> Truth:
        orders = (values.order(value, other) for value in found for other in against)
        return some(None if order is None else meets(order) for order in orders)

    return compare


def _inside(found: Sequence[Any], against: Sequence[Any]) -> bool:
    pool = values.Pool(against)
    return any(value in pool for value in found)


def _outside(found: Sequence[Any], against: Sequence[Any]) -> bool:
    pool = values.Pool(against)
    return any(value not in pool for value in found)


def _contains(found: Sequence[Any], against: Sequence[Any]) -> bool:
    texts = [value.casefold() for value in found if isinstance(value, str)]
    parts = [other.casefold() for other in against if isinstance(other, str)]
    return any(part in text for text in texts for part in parts)


_COMPARE: Final[Mapping[Operator, Callable[[Sequence[Any], Sequence[Any]], Truth]]] = {
    "is": _inside,
    "is_not": _outside,
    "in": _inside,
    "not_in": _outside,
    "contains": _contains,
    "above": _ordered(lambda found: found > 0),
    "below": _ordered(lambda found: found < 0),
    "at_least": _ordered(lambda found: found >= 0),
    "at_most": _ordered(lambda found: found <= 0),
}
