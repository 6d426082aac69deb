"""CustomerAgentHumanEscalation, judged: did something call for a person, and was the customer handed to one?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.judge.asking import Question
from spanwitness.judge.record import speaks
from spanwitness.judge.schema import PROOF, Schema, listing, one_of, table
from spanwitness.model import Evidence
from spanwitness.tool_names import is_handoff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.judge.record import Place, Record
    from spanwitness.model import Conversation, Score

_TASK: Final = """
List what called for a person in this conversation, and where the agent handed the customer to one.

"reasons": what made a handoff to a person necessary, one item each; none where the agent could and should have dealt \
with it alone.
- "reason": customer_asked (the customer asked for a person and held to it), policy (the policy demands a handoff in \
the situation that came up), beyond_agent (all that the agent can and may do has been tried or is ruled out, and the \
matter still stands) or danger (harm, threats, an emergency).
- "proof": from the message that shows it.
- "policy": a proof from the policy where that is the reason, else none.
That the customer is annoyed, or that the agent gave up with steps of its policy left to take, is no reason.

"handoffs": each time that the agent said, or a call or its result shows, that the customer is now handed to a person; \
"proof" is from that message. What is only offered does not count."""

_MEANING: Final = {
    "handed_over": "A handoff was called for and made.",
    "missed": "A handoff was called for and not made.",
    "blocked": "A handoff was called for, and its call failed.",
    "announced_not_executed": "A handoff was called for and announced, but not made by the tools at hand.",
    "needless": "A handoff was made although nothing was proven to call for it.",
}


class HumanEscalationQuestion(Question):
    """1.0 where a handoff was called for and made; 0.0 where it was missed, blocked, only announced, or needless.

    Handoffs by calls and steps are read from the record itself; the judge's list adds those that are only told.
    """

    evaluator: ClassVar[str] = "CustomerAgentHumanEscalation"
    version: ClassVar[str] = "judge-1"
    task: ClassVar[str] = _TASK
    schema: ClassVar[Schema] = table(
        reasons=listing(
            table(reason=one_of("customer_asked", "policy", "beyond_agent", "danger"), proof=PROOF, policy=PROOF)
        ),
        handoffs=listing(table(proof=PROOF)),
    )

    def lacking(self, conversation: Conversation) -> tuple[str, str] | None:
        """See Question."""
        if not (speaks(conversation, "user") and speaks(conversation, "assistant")):
            return "no_dialogue", "Customer and agent did not both speak."
        return None

    def verdict(self, answer: Mapping[str, Any], record: Record) -> Score:
        """See Question."""
        reasons = [(each["reason"], place) for each in answer["reasons"] if (place := _called_for(each, record))]
        told = [place for each in answer["handoffs"] if (place := record.find(each["proof"], "agent", "tool"))]
        made, tried = _on_record(record)
        if not record.actions and not made:
            made = [Evidence("handoff_announced", place.message_index) for place in told]
        label = _label(called_for=bool(reasons), made=bool(made), tried=bool(tried), told=bool(told))
        if label is None:
            return self.not_applicable(
                "no_escalation", "Nothing was proven to call for a person, and none came.", record
            )
        evidence = [Evidence(f"reason_{reason}", place.message_index) for reason, place in reasons]
        announced = [Evidence("handoff_announced", place.message_index) for place in told]
        return self.completed(
            float(label == "handed_over"),
            label,
            _MEANING[label],
            record,
            evidence=[*evidence, *(made or tried or announced)],
            details={"reasons": sorted({reason for reason, _ in reasons}), "handoff": bool(made)},
        )


def _called_for(reason: Mapping[str, Any], record: Record) -> Place | None:
    clause = record.find(reason["policy"], "policy")
    if reason["reason"] == "customer_asked":
        return record.find(reason["proof"], "customer")
    place = record.find(reason["proof"], "customer", "agent", "tool")
    return None if reason["reason"] == "policy" and clause is None else place


def _on_record(record: Record) -> tuple[list[Evidence], list[Evidence]]:
    """Handoffs that calls or steps show to be made, and the calls that failed."""
    calls = [action for action in record.actions if is_handoff(action.call.name)]
    steps = [step for step in record.conversation.steps if "human" in (step.span.actor, step.span.step_kind)]
    made = [Evidence("handoff_call", action.index) for action in calls if not action.failed]
    made += [Evidence("human_step", span_id=step.span.span_id) for step in steps]
    return made, [Evidence("handoff_failed", action.index) for action in calls if action.failed]


def _label(*, called_for: bool, made: bool, tried: bool, told: bool) -> str | None:
    if made:
        return "handed_over" if called_for else "needless"
    if not called_for:
        return None
    if tried:
        return "blocked"
    return "announced_not_executed" if told else "missed"
