"""CustomerAgentQueryHandling: how often did what the agent answered settle what the customer had said?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from spanwitness.errors import ConfigError
from spanwitness.evaluators import satisfaction
from spanwitness.evaluators.contract import ChatEvaluator, Inputs
from spanwitness.evaluators.satisfaction import WEIGHTS
from spanwitness.model import Evidence

if TYPE_CHECKING:
    from spanwitness.evaluators.satisfaction import Reaction
    from spanwitness.model import Score

_WORST: Final = -4  # points from which a turn counts as not handled at all
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class CustomerAgentQueryHandling(ChatEvaluator):
    """The mean of how far each turn of the customer was handled, 0..1; never, occasionally, frequently or always.

    A turn is judged at the customer's next one: by what the customer says there, and by whether the agent's reply in
    between told of a failure. No sign of trouble is 1.0; each sign takes off a quarter for every point of its weight.

    Attributes:
        handled_above: a turn counts as handled, for the label, where it has more than this.
    """

    name: ClassVar[str] = "CustomerAgentQueryHandling"
    version: ClassVar[str] = "1"

    handled_above: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.handled_above < 1:
            raise ConfigError(
                f"CustomerAgentQueryHandling.handled_above is {self.handled_above}; allowed: 0 to below 1"
            )

    def judge(self, inputs: Inputs) -> Score:
        unknown = satisfaction.too_little(inputs.conversation.messages)
        if unknown is not None:
            return self.not_applicable(*unknown)
        found = satisfaction.reactions(inputs.conversation.messages)
        shares = [_handled(reaction) for reaction in found]
        good = sum(share > self.handled_above for share in shares)
        return self.completed(
            sum(shares) / len(shares),
            _label(good, len(shares)),
            f"{good} of {len(shares)} turns handled, as the customer's next turns show (the score is their mean).",
            evidence=[
                Evidence(cue, reaction.index)
                for reaction, share in zip(found, shares, strict=True)
                if share <= self.handled_above
                for cue in reaction.cues
                if WEIGHTS[cue] < 0
            ],
            details={
                "turns": [[reaction.index, share] for reaction, share in zip(found, shares, strict=True)],
                "handled": good,
            },
        )


def _handled(reaction: Reaction) -> float:
    """Thanks and praise make up for a sign of trouble in the same turn, and give nothing beyond."""
    return 1 - max(_WORST, min(0, reaction.points)) / _WORST


def _label(handled: int, turns: int) -> str:
    if handled in (0, turns):
        return "always" if handled else "never"
    return "frequently" if handled >= _HALF * turns else "occasionally"
