"""Which evaluators there are, and how one is made from its name and parameters.

Other packages add theirs under the entry point group `spanwitness.evaluators`, or are named in the configuration with
`class`; one is imported when it is named, never before.
"""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from spanwitness.errors import ConfigError
from spanwitness.evaluators.asr_accuracy import ASRAccuracy
from spanwitness.evaluators.conversation_quality import CustomerAgentConversationQuality
from spanwitness.evaluators.conversation_resolution import ConversationResolution
from spanwitness.evaluators.fields import arguments
from spanwitness.evaluators.groundedness import Groundedness
from spanwitness.evaluators.human_escalation import CustomerAgentHumanEscalation
from spanwitness.evaluators.pii import PII
from spanwitness.evaluators.prompt_conformance import CustomerAgentPromptConformance
from spanwitness.evaluators.query_handling import CustomerAgentQueryHandling
from spanwitness.evaluators.task_completion import TaskCompletion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import EntryPoint

    from spanwitness.evaluators.contract import ChatEvaluator, Evaluator

GROUP: Final = "spanwitness.evaluators"
CLASS: Final = "class"
"""The key that says where a user's own evaluator stands; no field of a dataclass can have this name."""
BUILT_IN: Final[Mapping[str, type[ChatEvaluator]]] = {
    kind.name: kind
    for kind in (
        TaskCompletion,
        ConversationResolution,
        CustomerAgentConversationQuality,
        CustomerAgentPromptConformance,
        CustomerAgentHumanEscalation,
        CustomerAgentQueryHandling,
        Groundedness,
        ASRAccuracy,
        PII,
    )
}
NO_PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType({})


def evaluator_names(parameters: Mapping[str, Mapping[str, Any]] = NO_PARAMETERS) -> tuple[str, ...]:
    """All names that `evaluators_by_name` knows: built-in ones, those of installed packages and those configured."""
    configured = {name for name, given in parameters.items() if CLASS in given}
    return tuple(sorted({*BUILT_IN, *_declared(), *configured}))


def evaluators_by_name(
    names: Iterable[str], parameters: Mapping[str, Mapping[str, Any]] = NO_PARAMETERS, *, place: str = "evaluators"
) -> tuple[Evaluator, ...]:
    """The evaluators of these names, in this order.

    Args:
        names: which.
        parameters: of evaluators, by name: the fields that are not to have their defaults, as TOML or JSON has them;
            `class = "package.module:Class"` for one that is neither built in nor declared by an installed package.
        place: where these parameters were written down, for errors.

    Raises:
        ConfigError: a name is unknown (the message lists those allowed), an evaluator cannot be used, or a parameter is
            not one of its fields or has a value that is not allowed.
    """
    return tuple(_evaluator(name, parameters, place) for name in names)


def _declared() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _evaluator(name: str, parameters: Mapping[str, Mapping[str, Any]], place: str) -> Evaluator:
    given = dict(parameters.get(name, {}))
    target = given.pop(CLASS, None)
    if name in BUILT_IN:  # nothing takes the place of a built-in one
        if target is not None:
            raise ConfigError(f"{place}.{name}.{CLASS} = {target!r}: {name} is built in; allowed is another name")
        return _checked(name, BUILT_IN[name], "built in", given, place)
    if target is not None:
        return _checked(name, _found(f"{place}.{name}.{CLASS}", target), str(target), given, place)
    point = _declared().get(name)
    if point is None:
        raise ConfigError(f"evaluator {name!r} is unknown; allowed: {', '.join(evaluator_names(parameters))}")
    try:
        found = point.load()
    except (Exception, SystemExit) as error:
        told = f"{type(error).__name__}: {error}"
        raise ConfigError(f"evaluator {name!r} ({point.value}) cannot be loaded: {told}") from error
    return _checked(name, found, point.value, given, place)


def _found(key: str, target: Any) -> Any:
    module, _, names = target.partition(":") if isinstance(target, str) else ("", "", "")
    if not module or not names:
        raise ConfigError(f"{key} = {target!r}: allowed is 'package.module:Class'")
    try:
        found = importlib.import_module(module)
        for each in names.split("."):
            found = getattr(found, each)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{key} = {target!r} cannot be loaded: {type(error).__name__}: {error}") from error
    return found


def _checked(name: str, found: Any, where: str, given: Mapping[str, Any], place: str) -> Evaluator:
    if not isinstance(found, type) and given:
        raise ConfigError(
            f"{place}.{name}.{next(iter(given))}: evaluator {name!r} ({where}) is an object, which takes no parameters"
        )
    evaluator = _made(found, name, given, place, where) if isinstance(found, type) else found
    if lack := _lack(evaluator, name):
        raise ConfigError(
            f"evaluator {name!r} ({where}) is not one, {lack}; allowed: a class, or an object, with evaluate(), "
            f"version (a text), and name = {name!r}"
        )
    return cast("Evaluator", evaluator)


def _lack(found: Any, name: str) -> str:
    """What keeps it from being an evaluator of this name; '' if nothing does."""
    missing = [each for each in ("name", "version", "evaluate") if not hasattr(found, each)]
    if missing:
        return f"it has no {' and no '.join(missing)}"
    if found.name != name:
        return f"its name is {found.name!r}"
    if not isinstance(found.version, str):
        return f"its version is {found.version!r}"
    return "" if callable(found.evaluate) else "its evaluate cannot be called"


def _made(kind: type, name: str, given: Mapping[str, Any], place: str, where: str) -> Any:
    taken = arguments(kind, given, f"{place}.{name}")
    try:
        return kind(**taken)
    except ConfigError as error:  # what the class says of its own fields begins with its name
        told = str(error)
        own = told.startswith((f"{name}.", f"{name}: "))
        raise ConfigError(f"{place}.{told}" if own else f"{place}.{name}: {told}") from None
    except (Exception, SystemExit) as error:
        raise ConfigError(f"evaluator {name!r} ({where}) cannot be made: {type(error).__name__}: {error}") from error
