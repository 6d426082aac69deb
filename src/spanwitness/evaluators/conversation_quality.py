"""CustomerAgentConversationQuality: is this a conversation that people would rate lower than others?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from spanwitness.errors import ConfigError
from spanwitness.evaluators import satisfaction
from spanwitness.evaluators.contract import ChatEvaluator, Inputs
from spanwitness.evaluators.satisfaction import WEIGHTS
from spanwitness.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.evaluators.satisfaction import Reaction
    from spanwitness.model import Score

_LOWEST, _MIDDLE, _HIGHEST = 1.0, 3.0, 5.0
_LIMIT: Final = 3  # points either way that one turn can count for
_NEAR_END: Final = 4  # turns
_THANKED: Final = 0.5
_SUCCEEDED: Final = 0.5
_FAILED: Final = -0.25
_MOST_FAILURES: Final = 2


@dataclass(frozen=True, slots=True)
class CustomerAgentConversationQuality(ChatEvaluator):
    """Score 1..5, to rank conversations by: 3 plus the mean points of the customer's turns, plus how it ended.

    Near the end (the last 4 turns of the customer) thanks add 0.5 unless the last turn objects, a success that the
    agent tells of adds as much unless the customer objects to it, and each reply that failed takes off 0.25, twice at
    most. Label: at_risk or ordinary.

    Attributes:
        at_risk_below: a score lower than this is at risk.
    """

    name: ClassVar[str] = "CustomerAgentConversationQuality"
    version: ClassVar[str] = "1"

    at_risk_below: float = _MIDDLE

    def __post_init__(self) -> None:
        if not _LOWEST <= self.at_risk_below <= _HIGHEST:
            raise ConfigError(
                f"CustomerAgentConversationQuality.at_risk_below is {self.at_risk_below}; allowed: 1 to 5"
            )

    def judge(self, inputs: Inputs) -> Score:
        unknown = satisfaction.too_little(inputs.conversation.messages)
        if unknown is not None:
            return self.not_applicable(*unknown)
        found = satisfaction.reactions(inputs.conversation.messages)
        points, ending = _mean_points(found), _ending(found[-_NEAR_END:])
        score = max(_LOWEST, min(_HIGHEST, _MIDDLE + points + ending))
        label = "at_risk" if score < self.at_risk_below else "ordinary"
        met = Counter(cue for reaction in found for cue in reaction.cues)
        parts = f"{_MIDDLE:.0f} in the middle, {points:+.2f} for the turns, {ending:+.2f} for the end"
        return self.completed(
            score,
            label,
            f"{label.replace('_', ' ').capitalize()}: {parts}. {_told(met)}",
            evidence=[Evidence(cue, reaction.index) for reaction in found for cue in reaction.cues if WEIGHTS[cue] < 0],
            details={
                "turns": len(found),
                "turn_points": points,
                "end_points": ending,
                "cues": dict(sorted(met.items())),
            },
        )


def _mean_points(found: Sequence[Reaction]) -> float:
    return sum(max(-_LIMIT, min(_LIMIT, reaction.points)) for reaction in found) / len(found)


def _ending(last: Sequence[Reaction]) -> float:
    failed = min(_MOST_FAILURES, sum(reaction.failed for reaction in last))
    thanked = not last[-1].objected and any("thanked" in reaction.cues for reaction in last)
    succeeded = any(reaction.succeeded and not reaction.objected for reaction in last)
    return _THANKED * thanked + _SUCCEEDED * succeeded + _FAILED * failed


def _told(met: Counter[str]) -> str:
    shown = ", ".join(f"{cue.replace('_', ' ')} {met[cue]}x" for cue in WEIGHTS if met[cue])
    return f"Met: {shown}." if shown else "No cue was met."
