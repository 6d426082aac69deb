"""TaskCompletion, judged: which outcomes did the request require, and what proves each of them?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from spanwitness.judge.asking import Question
from spanwitness.judge.record import speaks
from spanwitness.judge.schema import PROOF, TEXT, Schema, listing, one_of, table
from spanwitness.model import Evidence
from spanwitness.tool_names import is_handoff, is_read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spanwitness.judge.record import Place, Record
    from spanwitness.model import Conversation, Score

Finding = Literal["proven", "not_proven", "not_on_record"]

_TASK: Final = """
List the outcomes that this customer's request required in the end, after all changes of mind: what a flawless agent, \
who follows the policy, would have brought about. Take the policy literally: where it forbids what was asked for, the \
required outcome is a refusal. Then look for the proof of each outcome. Judge facts only; whether the customer was \
pleased does not matter.

"outcomes", one item each:
- "outcome": what was required.
- "kind": change (something in the company's systems), information (something the customer had to be told), refusal \
(the policy forbids the request, and the customer had to be told so), handoff (to a person), or customer_side (\
something that had to work in the end on the customer's own side).
- "proofs": of a change the result of the call that made it, with the right details; of information the agent's words, \
and they must be right; of a refusal the sentence of the policy and the agent's words; of a handoff the result of its \
call; of customer_side the customer's report or a tool's result.
- "status": done, not_done or unclear. What the agent only says it did is not done. What was done with wrong details \
is not done.
Leave out steps on the way, such as checking who the customer is.

"wrong_changes": changes that the agent made in the company's systems and should not have made. "why" is \
not_requested, against_policy or wrong_details; "call" is a proof from the agent's call or its result; "policy" is a \
proof from the policy where that is why, else none."""


class TaskCompletionQuestion(Question):
    """F1 of the required outcomes that are proven against those required, each wrong change counting as one too many.

    The scale is that of the reference mode: 1.0 is what was required and nothing else. What is not on record at all
    (no tool results, no policy) is neither proven nor failed; where only that is missing there is no score.
    """

    evaluator: ClassVar[str] = "TaskCompletion"
    version: ClassVar[str] = "judge-1"
    task: ClassVar[str] = _TASK
    schema: ClassVar[Schema] = table(
        outcomes=listing(
            table(
                outcome=TEXT,
                kind=one_of("change", "information", "refusal", "handoff", "customer_side"),
                proofs=listing(PROOF),
                status=one_of("done", "not_done", "unclear"),
            )
        ),
        wrong_changes=listing(
            table(
                change=TEXT,
                why=one_of("not_requested", "against_policy", "wrong_details"),
                call=PROOF,
                policy=PROOF,
            )
        ),
    )

    def lacking(self, conversation: Conversation) -> tuple[str, str] | None:
        """See Question."""
        if not speaks(conversation, "user"):
            return "no_request", "The customer asked for nothing."
        if not speaks(conversation, "assistant"):
            return "no_answer", "Nothing that the agent said is on record."
        return None

    def verdict(self, answer: Mapping[str, Any], record: Record) -> Score:
        """See Question."""
        found = [_finding(outcome, record) for outcome in answer["outcomes"]]
        wrong = list(dict.fromkeys(place for each in answer["wrong_changes"] if (place := _wrong(each, record))))
        proven = [place for finding, place in found if finding == "proven"]
        missing = [finding for finding, _ in found if finding == "not_proven"]
        if not found and not wrong:
            return self.not_applicable("no_request", "The judge found nothing that was asked for.", record)
        if not missing and not wrong and len(proven) < len(found):
            why = "What would prove the outcome (tool results, a policy) is not on record."
            return self.not_applicable("not_on_record", why, record)
        known = len(proven) + len(missing)
        score = 2 * len(proven) / (known + len(proven) + len(wrong))
        evidence = [Evidence("outcome_proven", place.message_index) for place in proven if place is not None]
        return self.completed(
            score,
            "completed" if score == 1 else "partial" if score else "failed",
            _told(proven, known, wrong),
            record,
            evidence=[*evidence, *(Evidence("wrong_change", place.message_index) for place in wrong)],
            details={
                "required": len(found),
                "proven": len(proven),
                "not_on_record": len(found) - known,
                "wrong_changes": len(wrong),
            },
        )


def _told(proven: Sequence[object], known: int, wrong: Sequence[object]) -> str:
    return f"{len(proven)} of {known} required outcomes proven, {len(wrong)} changes that were wrong."


def _finding(outcome: Mapping[str, Any], record: Record) -> tuple[Finding, Place | None]:
    kind, proofs = outcome["kind"], outcome["proofs"]
    place: Place | None
    if kind == "change":
        place = _proof_of_change(proofs, record)
        known = record.has("tool")
    elif kind == "handoff":
        place = _proof_of_handoff(proofs, record)
        known = True
    elif kind == "refusal":
        clause, place = record.first(proofs, "policy"), record.first(proofs, "agent")
        place = place if clause else None
        known = bool(record.conversation.system_prompt)
    elif kind == "information":
        place, known = record.first(proofs, "agent"), True
    else:
        place, known = record.first(proofs, "customer", "tool"), True
    if place is not None and outcome["status"] == "done":
        return "proven", place
    # What the judge itself found undone has failed, whatever is on record.
    return ("not_proven" if known or outcome["status"] == "not_done" else "not_on_record"), None


def _proof_of_change(proofs: Sequence[Mapping[str, Any]], record: Record) -> Place | None:
    """The result of a call that went through. A look-up proves a change only where some change went through at all."""
    found = [place for proof in proofs if (place := record.find(proof, "tool")) and not record.failed(place)]
    changed = any(not action.failed and not is_read(action.call.name) for action in record.actions)
    return next((place for place in found if changed or not _looks_up(place, record)), None)


def _proof_of_handoff(proofs: Sequence[Mapping[str, Any]], record: Record) -> Place | None:
    """A handoff's call that went through. Where no tools are on record, the agent's words."""
    if not record.actions:
        return record.first(proofs, "agent")
    found = record.first(proofs, "tool", "agent")
    if found is None or record.failed(found) or (found.source == "tool" and _looks_up(found, record)):
        return None
    made = found.source == "tool" or any(is_handoff(each.call.name) and not each.failed for each in record.actions)
    return found if made else None


def _wrong(change: Mapping[str, Any], record: Record) -> Place | None:
    """Where a wrong change was made; None where its proof does not stand, since an accusation needs one too."""
    place = record.find(change["call"], "agent", "tool")
    clause = record.find(change["policy"], "policy")
    if place is None or record.failed(place) or (change["why"] == "against_policy" and clause is None):
        return None
    asked = place.source == "tool" or bool(record.conversation.messages[place.number].tool_calls)
    return place if asked and not _looks_up(place, record) else None


def _looks_up(place: Place, record: Record) -> bool:
    """Whether the place is the result of a look-up, or a message that asks for nothing else."""
    message = record.conversation.messages[place.number]
    made = [each.call for each in record.actions if each.result is message] or message.tool_calls
    return bool(made) and all(is_read(call.name) for call in made)
