"""Groundedness: does what the agent says stand in the documents and tool results that it had?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from spanwitness.errors import ConfigError
from spanwitness.evaluators.contract import ChatEvaluator, Inputs
from spanwitness.evaluators.figures import Record
from spanwitness.evaluators.support import texts_of, unparted
from spanwitness.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spanwitness.evaluators.figures import Figure
    from spanwitness.evaluators.support import Support, Texts
    from spanwitness.model import Conversation, Document, Message, Score

_OPINION: Final = 0.7  # what remains of the support of a turn that tells an opinion
_FIGURE: Final = 0.5  # and of one with a figure that cannot be traced, before the share of those that can
_MOST_SHOWN: Final = 20
_MOST_TEXT: Final = 1 << 20  # characters of documents; reading only a part would call the rest invented
_COMPARED: Final = 20  # documents, and characters of each, looked for in a tool's result
_HEAD: Final = 40


class _Turn(NamedTuple):
    """A message of the agent that was judged."""

    place: int
    score: float
    support: Support | None
    opinion: bool
    lost: tuple[Figure, ...]


@dataclass(slots=True)
class _Count:
    """What was met on the way."""

    figures: int = 0
    untried: int = 0
    generic: int = 0
    unread: int = 0
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Groundedness(ChatEvaluator):
    """The score of the worst turn of the agent, so that one invented figure shows in a conversation of any length.

    A turn that answers from documents: the mean of three shares of its words that stand in them, less where it tells an
    opinion. A turn that rests on tool results, which hold no sentences to compare with: 1.0. In both, a figure that
    nothing on record explains brings the turn below 0.5. Once tools were used, a turn answers from documents where its
    step tells so. Mode: the sources there were, "documents", "tool_results" or "both".

    Attributes:
        supported: a turn below this is listed as evidence, and a conversation below it is not labelled grounded.
        unsupported: below this a conversation is labelled not_grounded, and weakly_supported in between: what an agent
            says in words of its own is not therefore untrue.
    """

    name: ClassVar[str] = "Groundedness"
    version: ClassVar[str] = "1"

    supported: float = 0.6
    unsupported: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.supported <= 1:
            raise ConfigError(f"Groundedness.supported is {self.supported}; allowed: 0 to 1")
        if not 0 <= self.unsupported <= self.supported:
            raise ConfigError(
                f"Groundedness.unsupported is {self.unsupported}; allowed: 0 to supported, which is {self.supported}"
            )

    def judge(self, inputs: Inputs) -> Score:
        talk = inputs.conversation
        documents = [document for document in talk.documents if document.content.strip()]
        results = any(message.role == "tool" and message.content.strip() for message in talk.messages)
        if not documents and not results:
            return self.not_applicable("no_sources", "Neither documents nor tool results are on record.")
        mode = "both" if documents and results else "documents" if documents else "tool_results"
        if sum(len(document.content) for document in documents) > _MOST_TEXT:
            why = f"The documents are longer than the {_MOST_TEXT} characters that are compared."
            return self.not_applicable("too_large", why, mode=mode)
        count = _Count()
        turns = list(_judged(talk, documents, count))
        return self._verdict(turns, count, mode) if turns else self._unjudged(count, mode)

    def _verdict(self, turns: Sequence[_Turn], count: _Count, mode: str) -> Score:
        worst = min(turns, key=lambda turn: turn.score)
        lost = [(turn.place, figure) for turn in turns for figure in turn.lost]
        return self.completed(
            worst.score,
            self._label(worst),
            f"The worst of {len(turns)} turns judged, message {worst.place}, has {worst.score:.2f}: {_why(worst)}. "
            f"{count.figures - len(lost)} of {count.figures} figures in all were traced.",
            evidence=[Evidence("worst_turn", worst.place), *self._signs(turns)][:_MOST_SHOWN],
            details={
                "turns": [[turn.place, round(turn.score, 4)] for turn in turns],
                "figures": count.figures,
                "figures_not_traced": [[i, f.start, f.end, f.kind] for i, f in lost[:_MOST_SHOWN]],
                "figures_not_tried": count.untried,
                "generic_turns": count.generic,
                "not_understood_turns": count.unread,
                "earlier_turns": count.earlier,
                "worst_support": None if worst.support is None else worst.support._asdict(),
            },
            mode=mode,
        )

    def _label(self, worst: _Turn) -> str:
        if worst.lost:
            return "figure_not_traced"
        if worst.score >= self.supported:
            return "grounded"
        return "weakly_supported" if worst.score >= self.unsupported else "not_grounded"

    def _signs(self, turns: Iterable[_Turn]) -> Iterator[Evidence]:
        for turn in turns:
            if turn.lost:
                yield Evidence("figure_not_traced", turn.place)
            elif turn.score < self.supported:
                yield Evidence("opinion" if turn.opinion else "weakly_supported", turn.place)

    def _unjudged(self, count: _Count, mode: str) -> Score:
        if count.unread:
            why = "The agent's words and the documents are in languages or scripts that cannot be compared."
            return self.not_applicable("not_understood", why, mode=mode)
        if count.earlier:
            why = "What the agent claimed was said before the record began; what it rested on is not on record."
            return self.not_applicable("said_before", why, mode=mode)
        if mode == "documents" or count.generic:
            why = "The agent claimed nothing that documents could bear out, as in greeting, thanking or asking."
            return self.not_applicable("generic", why, mode=mode)
        return self.not_applicable("no_figures", "The agent told no figure to trace in the tool results.", mode=mode)


def _judged(talk: Conversation, documents: Sequence[Document], count: _Count) -> Iterator[_Turn]:
    said = (message.content for message in talk.messages if message.role == "assistant")
    texts = texts_of((document.content for document in documents), said) if documents else None
    readable = not any(unparted(document.content) for document in documents)
    record = Record()
    for text in (talk.system_prompt, *(document.content for document in documents)):
        record.learn(text)
    retrieved = _Retrieved(talk, documents)
    looked_up, by_tool, asked, earlier = False, False, "", retrieved.later_than_history()
    for index, message in enumerate(talk.messages):
        earlier = earlier and not message.span_id and message.role != "tool"
        if message.role == "assistant" and earlier:
            # What it rested on is on the record of another conversation, if on any.
            count.earlier += bool(message.content.strip())
            record.learn(message.content)
        elif message.role == "assistant":
            compared = retrieved.in_turn(message) if looked_up else retrieved.before(message)
            from_texts = texts if compared and not by_tool else None
            turn = _turn(index, message.content, asked, from_texts, record, count, readable=readable)
            if turn is not None:
                yield turn
        elif message.role == "tool":
            record.looked_up(message.content)
            by_tool = by_tool or not retrieved.within(message.content)
            looked_up = looked_up or by_tool
        elif message.role == "user":
            record.customer_spoke(message.content)
            by_tool, asked = False, message.content
        else:
            record.learn(message.content)
    count.untried = record.untried


def _turn(
    index: int, said: str, asked: str, texts: Texts | None, record: Record, count: _Count, *, readable: bool
) -> _Turn | None:
    """A message judged; None where it claims nothing that could be checked."""
    if not said.strip():
        return None
    figures, lost = record.told(said)
    count.figures += figures
    support, opinion = None, False
    if texts is not None:
        claims = texts.claims(said, asked)
        support, opinion = texts.support(claims), claims.opinion
        if not readable or unparted(said) or texts.foreign(said, support):
            count.unread += 1
            support = None
        elif claims.generic:
            count.generic += 1
            support = None
    if support is None and not figures:
        return None
    score = 1.0 if support is None else sum(support) / len(support) * (_OPINION if opinion else 1.0)
    if lost:
        score *= _FIGURE * (1 - len(lost) / figures)
    return _Turn(index, score, support, opinion and support is not None, lost)


class _Retrieved:
    """When the documents were retrieved, where the steps and messages tell it."""

    def __init__(self, talk: Conversation, documents: Sequence[Document]) -> None:
        self._steps = {step.span.span_id: step for step in talk.steps if step.span.span_id}
        places = [self._steps.get(document.span_id) for document in documents]
        found = [step for step in places if step is not None]
        # A document without a place may have been there from the start.
        self._first = min((step.number for step in found), default=0) if len(found) == len(places) else 0
        self._turns = {step.turn for step in found}
        self._heads = [document.content.strip()[:_HEAD] for document in documents[:_COMPARED]]

    def later_than_history(self) -> bool:
        """Whether a message without a span was said before the record began, and so before any retrieval in it."""
        return bool(self._steps) and (not self._heads or self._first > 0)

    def before(self, message: Message) -> bool:
        """Whether documents could have been read for this message."""
        step = self._steps.get(message.span_id)
        return step is None or step.number >= self._first

    def in_turn(self, message: Message) -> bool:
        """Whether documents are known to have been retrieved in the turn of this message."""
        step = self._steps.get(message.span_id)
        return step is not None and step.turn in self._turns

    def within(self, result: str) -> bool:
        """Whether a tool's result is itself the retrieval, with a document in it."""
        return any(head in result for head in self._heads)


def _why(turn: _Turn) -> str:
    reasons = []
    if turn.lost:
        reasons.append(f"{len(turn.lost)} of its figures not traced")
    if turn.support is not None:
        reasons.append(
            f"{turn.support.words:.0%} of its words, {turn.support.pairs:.0%} of its pairs of words supported"
        )
    if turn.opinion:
        reasons.append("an opinion told")
    return ", ".join(reasons) or "all its figures traced"
