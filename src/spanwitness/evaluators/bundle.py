"""Evaluators that run together, the thresholds that their scores are held against, and how one is run."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, get_args

import orjson

from spanwitness.errors import ConfigError
from spanwitness.evaluators.registry import BUILT_IN, evaluators_by_name
from spanwitness.model import Evidence, JudgeUse, Score, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spanwitness.evaluators.contract import Evaluator
    from spanwitness.model import Conversation


@dataclass(frozen=True, slots=True)
class Bundle:
    """Evaluators that run together, and the threshold that each score is held against.

    Attributes:
        thresholds: by evaluator name, on that evaluator's scale; None or absent: no verdict is recorded.
        judged: those that a language model scores as well, later and on its own.
        agreed: those whose threshold a contract or the configuration names: it is not ours to change.
        judge_thresholds: what a language model's scores are held against, where that is another threshold.
    """

    evaluators: tuple[Evaluator, ...]
    thresholds: Mapping[str, float | None]
    judged: tuple[str, ...] = ()
    agreed: frozenset[str] = frozenset()
    judge_thresholds: Mapping[str, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [evaluator.name for evaluator in self.evaluators]
        for given in (names, self.judged):
            twice = sorted({name for name in given if list(given).count(name) > 1})
            if twice:
                raise ConfigError(f"bundle holds {', '.join(twice)} more than once; allowed: each evaluator once")
        for name, threshold in self.thresholds.items():
            if name not in names:
                raise ConfigError(f"threshold for {name!r}, which is not in the bundle; allowed: {', '.join(names)}")
            if threshold is not None and not math.isfinite(threshold):
                raise ConfigError(f"threshold of {name} is {threshold!r}; allowed: a finite number, or none")
        for name in self.judged:
            if name not in names:
                raise ConfigError(f"judged holds {name!r}, which is not in the bundle; allowed: {', '.join(names)}")

    @classmethod
    def of(cls, thresholds: Mapping[str, float | None]) -> Bundle:
        """The evaluators of these names with their default parameters. Raises ConfigError as `evaluators_by_name`."""
        return cls(evaluators_by_name(thresholds), dict(thresholds))

    def threshold(self, name: str) -> float | None:
        return self.thresholds.get(name)

    def judge_threshold(self, name: str) -> float | None:
        return self.judge_thresholds.get(name, self.threshold(name))

    def passed(self, score: Score) -> bool | None:
        """The verdict; None where there is no number or no threshold."""
        threshold = self.threshold(score.evaluator)
        if threshold is None or score.score is None or score.status != "completed":
            return None
        return score.score >= threshold


def run(evaluator: Evaluator, conversation: Conversation) -> Score:
    """The evaluator's score; whatever it raises becomes a Score of status "failed". Never raises.

    An answer that could not go on record, or under another's name, does too: one fault must cost one score alone. The
    explanation tells the kind of error and where it arose, never its message, which may hold what a customer said.
    """
    try:
        answer = evaluator.evaluate(conversation)
        if wrong := next(_faults(answer, evaluator.name, len(conversation.messages)), ""):
            return _failed(evaluator, f"answered with {wrong}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an evaluator is foreign code
        return _failed(evaluator, f"{type(error).__name__} {_where(error)}")
    if answer.score is None or type(answer.score) is float:
        return answer
    return replace(answer, score=float(answer.score))


def _faults(answer: Any, name: str, messages: int) -> Iterator[str]:
    """What keeps an answer off the record, without a word of it."""
    if not isinstance(answer, Score):
        yield f"{type(answer).__name__}; allowed: Score"
        return
    texts = {"evaluator_version": answer.evaluator_version, "label": answer.label, "mode": answer.mode}
    for key, value in {**texts, "explanation": answer.explanation}.items():
        if not _is_text(value):
            yield f"no text as its {key}; allowed: str that UTF-8 can write"
    if answer.evaluator != name:
        yield "a score of another evaluator; allowed: its own name"
    if answer.score is not None and not (isinstance(answer.score, Real) and abs(answer.score) <= sys.float_info.max):
        yield "a score that is not a finite number"
    if answer.status not in get_args(Status) or (answer.status == "completed") != (answer.score is not None):
        yield "a score and a status that do not agree; allowed: completed with a number, the others with None"
    if not isinstance(answer.evidence, tuple | list) or not all(_is_evidence(one, messages) for one in answer.evidence):
        yield "evidence of which an entry is none; allowed: Evidence of a message or a span that is there"
    if not isinstance(answer.details, Mapping) or not _is_json(answer.details):
        yield "details that JSON cannot hold"
    if not isinstance(answer.judge, JudgeUse | None):
        yield f"a judge that is {type(answer.judge).__name__}; allowed: JudgeUse, or None"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value == value.encode(errors="ignore").decode()


def _is_evidence(one: object, messages: int) -> bool:
    if not isinstance(one, Evidence) or not (_is_text(one.rule) and _is_text(one.span_id)):
        return False
    return one.message_index is None or (isinstance(one.message_index, int) and 0 <= one.message_index < messages)


def _is_json(details: Mapping[str, Any]) -> bool:
    try:
        orjson.dumps(dict(details), default=str)
    except orjson.JSONEncodeError:
        return False
    return True


def _failed(evaluator: Evaluator, why: str) -> Score:
    name = str(getattr(evaluator, "name", type(evaluator).__name__))
    return Score(name, str(getattr(evaluator, "version", "")), None, "failed", "failed", f"{name}: {why}.")


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"at {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


# TaskCompletion: agreement was measured for "exactly what was expected". ConversationResolution: for unresolved against
# the rest, so that a handoff passes. CustomerAgentHumanEscalation and PII know 0 and 1 alone; of a policy's rules each
# is to be kept. The others rank conversations: where to draw the line is a buyer's and a vendor's to agree.
_THRESHOLDS: Final = {
    "TaskCompletion": 1.0,
    "ConversationResolution": 0.5,
    "CustomerAgentHumanEscalation": 1.0,
    "CustomerAgentPromptConformance": 1.0,
    "PII": 1.0,
}
BUNDLE: Final = Bundle.of({name: _THRESHOLDS.get(name) for name in BUILT_IN})
"""All that is built in: what runs where nobody says otherwise."""
