"""How customers take what the agent answers: cues of each of their turns, each with a fixed weight.

The weights were fitted by ridge regression on people's ratings of turns, on the development halves of two sets of
conversations apart, and rounded to whole points where both agreed. docs/evaluators/CustomerAgentQueryHandling.md names
the sets and says how far the rounded weights agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from spanwitness.evaluators import cues, speech
from spanwitness.evaluators.signs import from_customer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spanwitness.evaluators.speech import Clause
    from spanwitness.model import Message

WEIGHTS: Final = {
    "rejected": -3,
    "complained": -2,
    "corrected": -1,
    "asked_for_other": -1,
    "declined": -1,
    "repeated": -1,
    "reply_failed": -1,
    "agreed": 1,
    "thanked": 2,
    "praised": 2,
}
_OBJECTIONS: Final = frozenset({"rejected", "complained"})
FEWEST_TURNS: Final = 2  # of the customer: the first one answers nothing
_ENOUGH_WORDS: Final = 20  # of the customer, to tell whether they speak English
_FEWEST_WORDS: Final = 4
_ALIKE: Final = 0.5  # share of common words from which a turn repeats the one before


@dataclass(frozen=True, slots=True)
class Reaction:
    """A turn of the customer after the first, with the cues met in it and in the agent's words before it.

    Attributes:
        index: of the customer's message.
        cues: those of WEIGHTS that were met, in its order.
        failed: the agent's reply before it told of a failure or apologised.
        succeeded: the agent's reply before it told of something done.
    """

    index: int
    cues: tuple[str, ...]
    failed: bool
    succeeded: bool

    @property
    def points(self) -> int:
        return sum(WEIGHTS[cue] for cue in self.cues)

    @property
    def objected(self) -> bool:
        """Whether the customer did not take what the agent had told."""
        return not _OBJECTIONS.isdisjoint(self.cues)


def reactions(messages: Iterable[Message]) -> tuple[Reaction, ...]:
    """Each turn of the customer to which the agent had spoken, after the first one, in order."""
    return _reactions(tuple(messages))


def too_little(messages: Sequence[Message]) -> tuple[str, str] | None:
    """Why there is nothing to judge, as a label and an explanation; None where there is."""
    turns = sum(map(from_customer, messages))
    if turns < FEWEST_TURNS:
        return "too_short", "Fewer than 2 turns of the customer: no reaction to any reply."
    if not _understood(messages):
        return (
            "not_understood",
            "Too few of the words are common English ones, so the phrases that count cannot be met.",
        )
    if not reactions(messages):
        return "no_reply", "The agent said nothing between the customer's turns."
    return None


def _understood(messages: Sequence[Message]) -> bool:
    """Whether the phrase tables could have met something in what was said, and in what the customer said alone."""
    said = speech.heard(messages)
    own = tuple(clauses for message, clauses in zip(messages, said, strict=True) if from_customer(message))
    few = sum(len(clause.words) for clauses in own for clause in clauses) < _ENOUGH_WORDS
    return speech.is_english(said) and (few or speech.is_english(own))


@lru_cache(maxsize=1)  # two evaluators of a bundle read one conversation after the other
def _reactions(messages: tuple[Message, ...]) -> tuple[Reaction, ...]:
    said = speech.heard(messages)
    turns = [i for i, message in enumerate(messages) if from_customer(message)]
    return tuple(_between(messages, said, turns))


def _between(messages: Sequence[Message], said: speech.Said, turns: Sequence[int]) -> Iterator[Reaction]:
    for before, at in pairwise(turns):
        reply = [clause for i in range(before + 1, at) if messages[i].role == "assistant" for clause in said[i]]
        if reply and said[at]:
            failed = any(cues.says_failure(clause) or cues.apologises(clause) for clause in reply)
            met = {*_words(said[at]), *(("repeated",) if _repeats(said[before], said[at]) else ())}
            if any(map(cues.asks_for_person, said[at])) and not any(map(cues.offers_handoff, reply)):
                met.add("complained")
            if failed or any(map(cues.says_none, reply)):
                met.add("reply_failed")
            succeeded = any(map(cues.says_success, reply))
            yield Reaction(at, tuple(cue for cue in WEIGHTS if cue in met), failed, succeeded)


def _words(said: Sequence[Clause]) -> Iterator[str]:
    closing = any(map(cues.closes, said))
    refused = cues.denies(said[0])
    if refused and not closing and cues.rejects(said[0]):
        yield "rejected"
    insulted = any(map(cues.insults, said))
    complained = insulted or any(map(cues.complains, said))
    if complained:
        yield "complained"
    if any(map(cues.corrects, said)):
        yield "corrected"
    if any(map(cues.asks_for_other, said)):
        yield "asked_for_other"
    if not closing and any(map(cues.declines, said)):
        yield "declined"
    if not complained and cues.affirms(said):
        yield "agreed"
    if insulted:
        return
    if not refused and any(map(cues.thanks, said)):
        yield "thanked"
    if any(map(cues.praises, said)):
        yield "praised"


def _repeats(before: Sequence[Clause], now: Sequence[Clause]) -> bool:
    a, b = ({word for clause in said for word in clause.words} for said in (before, now))
    return len(a) >= _FEWEST_WORDS and len(a & b) >= _ALIKE * len(a | b)
