"""ConversationResolution, judged: what became of the customer's business, in order, and what shows it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.evaluators.conversation_resolution import SCORES
from spanwitness.judge.asking import Question
from spanwitness.judge.record import speaks
from spanwitness.judge.schema import PROOF, TEXT, Schema, listing, one_of, table
from spanwitness.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spanwitness.evaluators.conversation_resolution import State
    from spanwitness.judge.record import Place, Record, Source
    from spanwitness.model import Conversation, Score

_TASK: Final = """
List how the customer's business went: what was to be done for the customer, and each time that it visibly succeeded, \
failed or went to a person.

"matters": what the customer wanted to have done or put right, one item each. Leave out plain questions. "matter" \
describes it, "proof" is from the customer's message that asks for it, or from the agent's that offers what the \
customer then takes.

"events": in order, each visible outcome of a matter, good or bad, those in between too.
- "event": done (carried out, or working again), failed (refused, impossible, an error, still broken) or handed_over \
(to a person).
- "proof": from the tool result or the message of the agent that shows it; for failed a message of the customer will \
do. What the agent promises or only offers is no event.

"unanswered": where the record ends in a question of the agent that the customer never answered, a proof from that \
message; else none."""

_RULES: Final = {"done": "success_shown", "failed": "failure_shown", "handed_over": "handoff_shown"}
_SHOWN_BY: Final[Mapping[str, tuple[Source, ...]]] = {
    "done": ("agent", "tool"),
    "failed": ("agent", "tool", "customer"),
    "handed_over": ("agent", "tool"),
}
_MEANING: Final[Mapping[State, str]] = {
    "resolved": "The last proven outcome was a success and none failed before",
    "recovered": "The last proven outcome was a success, after a failure",
    "handed_off": "The customer was handed to a person",
    "unresolved": "The last proven outcome was a failure, or none was proven",
    "abandoned": "The customer left the agent's question unanswered, with nothing achieved",
}


class ConversationResolutionQuestion(Question):
    """The end state on the evaluator's own scale, from the outcomes that are proven; the last of them decides."""

    evaluator: ClassVar[str] = "ConversationResolution"
    version: ClassVar[str] = "judge-1"
    task: ClassVar[str] = _TASK
    schema: ClassVar[Schema] = table(
        matters=listing(table(matter=TEXT, proof=PROOF)),
        events=listing(table(event=one_of("done", "failed", "handed_over"), proof=PROOF)),
        unanswered=PROOF,
    )

    def lacking(self, conversation: Conversation) -> tuple[str, str] | None:
        """See Question."""
        if not (speaks(conversation, "user") and speaks(conversation, "assistant")):
            return "no_dialogue", "Customer and agent did not both speak."
        return None

    def verdict(self, answer: Mapping[str, Any], record: Record) -> Score:
        """See Question."""
        matters = [record.find(each["proof"], "customer", "agent") for each in answer["matters"]]
        events = _believed(_events(answer["events"], record), record)
        left = _left(record.find(answer["unanswered"], "agent"), record)
        if not any(matters) and not events:
            why = "Informational: the judge proved nothing that was to be done for the customer."
            return self.not_applicable("informational", why, record)
        state = _state([event for event, _ in events], left=left is not None)
        deciding = [each for each in events if each[0] == "failed"][:1] if state == "recovered" else []
        evidence = [Evidence(_RULES[event], place.message_index) for event, place in [*deciding, *events[-1:]]]
        if state == "abandoned" and left is not None:
            evidence.append(Evidence("unanswered_question", left.message_index))
        return self.completed(
            SCORES[state],
            state,
            f"{_MEANING[state]}.",
            record,
            evidence=evidence,
            details={
                "matters": sum(place is not None for place in matters),
                "events": [[place.number, event] for event, place in events],
            },
        )


def _events(listed: Sequence[Mapping[str, Any]], record: Record) -> list[tuple[str, Place]]:
    """Those whose proof stands, in the record's order."""
    found = []
    for each in listed:
        place = record.find(each["proof"], *_SHOWN_BY[each["event"]])
        if place is not None:
            found.append((str(each["event"]), place))
    return sorted(found, key=lambda each: each[1].number)


def _believed(events: Sequence[tuple[str, Place]], record: Record) -> list[tuple[str, Place]]:
    """Without successes that a failed result is to show, or that are only said while the last result has failed."""
    kept, broken = [], False
    for event, place in events:
        if place.source == "tool":
            broken = event == "failed" or record.failed(place)
        if event != "done" or not broken:
            kept.append((event, place))
    return kept


def _left(place: Place | None, record: Record) -> Place | None:
    """The unanswered question, if nothing of the customer follows it."""
    if place is None:
        return None
    later = record.conversation.messages[place.number + 1 :]
    return None if any(message.role == "user" for message in later) else place


def _state(events: Sequence[str], *, left: bool) -> State:
    last = events[-1] if events else ""
    if last == "handed_over":
        return "handed_off"
    if last == "done":
        return "recovered" if "failed" in events else "resolved"
    return "abandoned" if left else "unresolved"
