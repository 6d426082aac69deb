"""Evaluators: which there are, which run by default, and how one is run.

An evaluator reads a closed conversation and answers with a Score, or says that it cannot know. Adding one is a file
here, a line in BUILT_IN, a test of the same name and a page under docs/evaluators. Other packages add theirs under the
entry point group `spanwitness.evaluators`; one is imported when it is named, never before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from spanwitness.errors import ConfigError
from spanwitness.evaluators.contract import ChatEvaluator, Evaluator, Inputs
from spanwitness.evaluators.conversation_resolution import ConversationResolution
from spanwitness.evaluators.human_escalation import CustomerAgentHumanEscalation
from spanwitness.evaluators.task_completion import TaskCompletion
from spanwitness.model import Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import EntryPoint

    from spanwitness.model import Conversation

__all__ = [
    "BUILT_IN",
    "BUNDLE",
    "GROUP",
    "Bundle",
    "ChatEvaluator",
    "ConversationResolution",
    "CustomerAgentHumanEscalation",
    "Evaluator",
    "Inputs",
    "TaskCompletion",
    "evaluator_names",
    "evaluators_by_name",
    "run",
]

GROUP: Final = "spanwitness.evaluators"
BUILT_IN: Final[Mapping[str, type[ChatEvaluator]]] = {
    kind.name: kind for kind in (TaskCompletion, ConversationResolution, CustomerAgentHumanEscalation)
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """Evaluators that run together, and the threshold that each score is held against.

    Attributes:
        thresholds: by evaluator name, on that evaluator's scale; None or absent: no verdict is recorded.
    """

    evaluators: tuple[Evaluator, ...]
    thresholds: Mapping[str, float | None]

    def __post_init__(self) -> None:
        names = [evaluator.name for evaluator in self.evaluators]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"bundle holds {', '.join(twice)} more than once; allowed: each evaluator once")
        for name, threshold in self.thresholds.items():
            if name not in names:
                raise ConfigError(f"threshold for {name!r}, which is not in the bundle; allowed: {', '.join(names)}")
            if threshold is not None and not math.isfinite(threshold):
                raise ConfigError(f"threshold of {name} is {threshold!r}; allowed: a finite number, or none")

    @classmethod
    def of(cls, thresholds: Mapping[str, float | None]) -> Bundle:
        """The evaluators of these names with their default parameters. Raises ConfigError as `evaluators_by_name`."""
        return cls(evaluators_by_name(thresholds), dict(thresholds))

    def threshold(self, name: str) -> float | None:
        return self.thresholds.get(name)

    def passed(self, score: Score) -> bool | None:
        """The verdict; None where there is no number or no threshold."""
        threshold = self.threshold(score.evaluator)
        if threshold is None or score.score is None or score.status != "completed":
            return None
        return score.score >= threshold


def evaluator_names() -> tuple[str, ...]:
    """All names that `evaluators_by_name` knows: the built-in ones and those that installed packages declare."""
    return tuple(sorted({*BUILT_IN, *_declared()}))


def evaluators_by_name(names: Iterable[str]) -> tuple[Evaluator, ...]:
    """The evaluators of these names, in this order, with their default parameters.

    Raises:
        ConfigError: a name is unknown (the message lists those allowed), or a declared evaluator cannot be used.
    """
    return tuple(_evaluator(name) for name in names)


def run(evaluator: Evaluator, conversation: Conversation) -> Score:
    """The evaluator's score; whatever it raises becomes a Score of status "failed". Never raises.

    The explanation tells the kind of error and where it arose, never its message, which may hold what a customer said.
    """
    try:
        score = evaluator.evaluate(conversation)
    except Exception as error:  # noqa: BLE001 - an evaluator is foreign code; one fault must not stop the others
        return _failed(evaluator, f"{type(error).__name__} {_where(error)}")
    if not isinstance(score, Score):
        return _failed(evaluator, f"answered with {type(score).__name__}; allowed: Score")
    if score.score is not None and not math.isfinite(score.score):
        return _failed(evaluator, "answered with a score that is not a finite number")
    return score


def _failed(evaluator: Evaluator, why: str) -> Score:
    name = str(getattr(evaluator, "name", type(evaluator).__name__))
    return Score(name, str(getattr(evaluator, "version", "")), None, "failed", "failed", f"{name}: {why}.")


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"at {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


def _declared() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _evaluator(name: str) -> Evaluator:
    if name in BUILT_IN:  # an installed package cannot take the place of a built-in one
        return BUILT_IN[name]()
    point = _declared().get(name)
    if point is None:
        raise ConfigError(f"evaluator {name!r} is unknown; allowed: {', '.join(evaluator_names())}")
    return _loaded(point)


def _loaded(point: EntryPoint) -> Evaluator:
    try:
        made = point.load()
        evaluator = made() if isinstance(made, type) else made
    except Exception as error:
        raise ConfigError(f"evaluator {point.name!r} ({point.value}) cannot be loaded: {error}") from error
    if not isinstance(evaluator, Evaluator) or evaluator.name != point.name:
        raise ConfigError(
            f"evaluator {point.name!r} ({point.value}) is not one; allowed: a class, or an object, with evaluate(), "
            f"version, and name = {point.name!r}"
        )
    return evaluator


# TaskCompletion: agreement was measured for "exactly what was expected". ConversationResolution: for unresolved against
# the rest, so that a handoff passes. CustomerAgentHumanEscalation knows 0 and 1 alone.
BUNDLE: Final = Bundle.of({"TaskCompletion": 1.0, "ConversationResolution": 0.5, "CustomerAgentHumanEscalation": 1.0})
