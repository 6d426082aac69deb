"""CustomerAgentConversationQuality, judged: how well was the customer served, and what shows it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.judge.asking import Question
from spanwitness.judge.record import speaks
from spanwitness.judge.schema import PROOF, Schema, one_of, table
from spanwitness.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.judge.record import Record
    from spanwitness.model import Conversation, Score

_ASPECTS: Final = ("understanding", "help", "effort", "manner")
_POINTS: Final = {"good": 1.0, "mixed": 0.5, "poor": 0.0}
_LOWEST, _MIDDLE, _RANGE = 1.0, 3.0, 4.0
_FEWEST_TURNS: Final = 2

_TASK: Final = """
Rate how the customer was served, in four aspects. Whether the request could be granted does not matter; how it was \
dealt with does.
- "understanding": did the agent understand what the customer said, at once and to the end, without being corrected?
- "help": did its answers help and hold together, or did they miss the point, contradict each other or lead nowhere?
- "effort": was the customer spared repetition, needless questions, and detours?
- "manner": was the agent polite and clear, and did it take complaints seriously?

For each: "rating" is good, mixed, poor, or not_shown where the conversation does not show it; "proof" is from the \
message of the customer or the agent that shows it best. Most conversations have something that is mixed."""


class ConversationQualityQuestion(Question):
    """1 plus 4 times the mean of the aspects shown: good 1, mixed 0.5, poor 0, and 0 for a rating without proof."""

    evaluator: ClassVar[str] = "CustomerAgentConversationQuality"
    version: ClassVar[str] = "judge-1"
    task: ClassVar[str] = _TASK
    schema: ClassVar[Schema] = table(
        **{name: table(proof=PROOF, rating=one_of("good", "mixed", "poor", "not_shown")) for name in _ASPECTS}
    )

    def lacking(self, conversation: Conversation) -> tuple[str, str] | None:
        """See Question."""
        turns = sum(message.role == "user" and bool(message.content.strip()) for message in conversation.messages)
        if turns < _FEWEST_TURNS:
            return "too_short", "Fewer than 2 turns of the customer: too little to judge."
        if not speaks(conversation, "assistant"):
            return "no_answer", "Nothing that the agent said is on record."
        return None

    def verdict(self, answer: Mapping[str, Any], record: Record) -> Score:
        """See Question."""
        shown = {name: answer[name] for name in _ASPECTS if answer[name]["rating"] != "not_shown"}
        if not shown:
            return self.not_applicable("not_shown", "The judge found nothing that shows how it was.", record)
        places = {name: record.find(each["proof"], "customer", "agent") for name, each in shown.items()}
        ratings = {name: each["rating"] if places[name] else "not_proven" for name, each in shown.items()}
        score = _LOWEST + _RANGE * sum(_POINTS.get(each, 0.0) for each in ratings.values()) / len(ratings)
        told = ", ".join(f"{name} {each.replace('_', ' ')}" for name, each in ratings.items())
        return self.completed(
            score,
            "at_risk" if score < _MIDDLE else "ordinary",
            f"{told.capitalize()}.",
            record,
            evidence=[
                Evidence(f"{name}_{ratings[name]}", place.message_index)
                for name, place in places.items()
                if place is not None
            ],
            details={"ratings": ratings},
        )
