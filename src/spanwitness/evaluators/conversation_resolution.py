"""ConversationResolution: how did the customer's business end, as far as results and statements show?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, NamedTuple

from spanwitness.evaluators import cues, speech
from spanwitness.evaluators.calls import agent_actions
from spanwitness.evaluators.contract import ChatEvaluator, Inputs
from spanwitness.model import Evidence
from spanwitness.tool_names import is_handoff, is_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spanwitness.evaluators.calls import Action
    from spanwitness.evaluators.speech import Clause, Said
    from spanwitness.model import Message, Score

State = Literal["resolved", "recovered", "handed_off", "unresolved", "abandoned"]

SCORES: Final[dict[State, float]] = {
    "resolved": 1.0,
    "recovered": 0.8,
    "handed_off": 0.5,
    "unresolved": 0.0,
    "abandoned": 0.0,
}
_MEANING: Final[dict[State, str]] = {
    "resolved": "The last outcome was a success and none failed before",
    "recovered": "The last outcome was a success, after a failure",
    "handed_off": "The customer was handed to a person",
    "unresolved": "The last outcome was a failure",
    "abandoned": "The customer left the agent's question unanswered, with nothing achieved",
}


class _Event(NamedTuple):
    at: int
    outcome: Literal["done", "failed", "handed"]
    rule: str


@dataclass(frozen=True, slots=True)
class ConversationResolution(ChatEvaluator):
    """The end state, graded: resolved 1.0, recovered 0.8, handed_off 0.5, unresolved 0.0, abandoned 0.0.

    Read from the results of calls that change something and from what the agent says of success and failure, in order;
    the last outcome decides. A claimed success does not outweigh the failed call before it.
    """

    name: ClassVar[str] = "ConversationResolution"
    version: ClassVar[str] = "1"

    def judge(self, inputs: Inputs) -> Score:
        messages = inputs.conversation.messages
        actions = [action for action in agent_actions(messages) if not is_read(action.call.name)]
        results = [event for action in actions for event in _result(action)]
        mode = "tool_results" if results else "statements"
        said = speech.heard(messages)
        events = _believed(sorted([*_statements(messages, said), *results], key=lambda event: event.at))
        state = _end_state(events, messages, said)
        if state is None:
            return self._nothing(messages, said, unrecorded=bool(actions))
        if state == "abandoned" and inputs.conversation.id_source == "trace":
            why = "The agent asked last. No key names the conversation, so the answer may be in another trace."
            return self.not_applicable("record_ends", why, mode=mode)
        deciding = [event for event in events if event.outcome == "failed"][:1] if state == "recovered" else []
        deciding += events[-1:]
        return self.completed(
            SCORES[state],
            state,
            f"{_MEANING[state]}; read from {mode.replace('_', ' ')}.",
            evidence=[Evidence(event.rule, event.at) for event in deciding]
            or [Evidence("unanswered_question", len(messages) - 1)],
            details={"events": [[event.at, event.outcome, event.rule] for event in events]},
            mode=mode,
        )

    def _nothing(self, messages: Sequence[Message], said: Said, *, unrecorded: bool) -> Score:
        """Why there is no end state: nothing on record, nothing understood, or nothing transactional."""
        roles = {message.role for message, clauses in zip(messages, said, strict=True) if clauses}
        if not roles >= {"user", "assistant"}:
            return self.not_applicable("no_dialogue", "Customer and agent did not both speak.")
        if unrecorded:
            why = "A change was asked for, but neither its result nor a statement about it is on record."
            return self.not_applicable("no_result", why)
        if not speech.is_english(said):
            return self.not_applicable("not_understood", "No call changed anything, and the words are not English.")
        why = "Informational: no change was made, refused or announced."
        return self.not_applicable("informational", why)


def _result(action: Action) -> Iterator[_Event]:
    if action.result is None:
        return
    if action.failed:
        yield _Event(action.index, "failed", "call_failed")
    elif is_handoff(action.call.name):
        yield _Event(action.index, "handed", "handoff_call")
    else:
        yield _Event(action.index, "done", "call_succeeded")


def _statements(messages: Sequence[Message], said: Said) -> Iterator[_Event]:
    """What the agent says of outcomes; its reply to a customer's yes counts although it may not name one.

    A success that the customer disputes in the last words counts as a failure: whoever it was done for would know.
    """
    last = max((i for i, message in enumerate(messages) if message.role == "user"), default=-1)
    asked = agreed = told = False
    for i, (message, clauses) in enumerate(zip(messages, said, strict=True)):
        if message.role == "user":
            agreed = asked and cues.affirms(clauses)
            if told and i == last and any(map(cues.disputes, clauses)):
                yield _Event(i, "failed", "success_disputed")
        elif clauses:
            found = _spoken(i, clauses) or _reply(i, clauses, agreed=agreed)
            yield from found
            told = any(event.outcome == "done" for event in found)
            asked, agreed = any(map(cues.asks_to_confirm, clauses)), False


def _spoken(index: int, said: Iterable[Clause]) -> list[_Event]:
    events = []
    for clause in said:
        if cues.announces_handoff(clause):
            events.append(_Event(index, "handed", "handoff_announced"))
        elif cues.says_failure(clause):
            events.append(_Event(index, "failed", "failure_stated"))
        elif cues.says_success(clause):
            events.append(_Event(index, "done", "success_stated"))
    return events


def _reply(index: int, said: Sequence[Clause], *, agreed: bool) -> list[_Event]:
    """The customer confirmed, and the agent names no outcome: an apology is a failure, a plain reply a success."""
    if agreed and any(map(cues.apologises, said)):
        return [_Event(index, "failed", "apology_after_yes")]
    if agreed and said and not any(cues.promises(clause) or cues.asks_to_confirm(clause) for clause in said):
        return [_Event(index, "done", "reply_after_yes")]
    return []


def _believed(events: Iterable[_Event]) -> list[_Event]:
    """Without the successes that are only said, while the last call that changes something stands as failed."""
    kept, broken = [], False
    for event in events:
        if event.rule in ("call_failed", "call_succeeded"):
            broken = event.outcome == "failed"
        if not (broken and event.outcome == "done"):
            kept.append(event)
    return kept


def _end_state(events: Sequence[_Event], messages: Sequence[Message], said: Said) -> State | None:
    last = events[-1].outcome if events else None
    if last == "handed":
        return "handed_off"
    if last == "done":
        return "recovered" if any(event.outcome == "failed" for event in events) else "resolved"
    if _left_standing(messages, said, failed=last == "failed"):
        return "abandoned"
    return "unresolved" if last == "failed" else None


def _left_standing(messages: Sequence[Message], said: Said, *, failed: bool) -> bool:
    """The agent's last message asks the customer: for a go-ahead, or, after a failure, for anything."""
    if not messages or messages[-1].role != "assistant" or not any(message.role == "user" for message in messages):
        return False
    return any((clause.asked and failed) or cues.asks_to_confirm(clause) for clause in said[-1])
