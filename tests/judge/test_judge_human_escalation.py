"""What called for a person, against what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.evaluators.chat import conversation_of
from spanwitness.judge import QUESTIONS
from spanwitness.model import Conversation, Evidence, Score, SpanRecord, Step
from tests.judge.model_judge import call, clause, proof, said

if TYPE_CHECKING:
    from tests.judge.model_judge import Json

QUESTION = QUESTIONS["CustomerAgentHumanEscalation"]
PROMPT: Json = {"role": "system", "content": "Hand over to a person when the line is suspended."}
ASKED: Json = {"role": "user", "content": "My line is suspended. I want to speak to a person."}
ANSWERED: Json = {"role": "assistant", "content": "Please restart your phone."}
ANNOUNCED: Json = {"role": "assistant", "content": "I am transferring you to a person."}
LOOKED_UP: Json = {"role": "assistant", "content": "", "tool_calls": call("get_line", "9")}
TRANSFERRED: list[Json] = [
    {"role": "assistant", "content": "", "tool_calls": call("transfer_to_human_agents")},
    {"role": "tool", "content": "Transfer successful", "tool_call_id": "1"},
]
BLOCKED: list[Json] = [TRANSFERRED[0], {"role": "tool", "content": "Error: nobody is free", "tool_call_id": "1"}]
WISH = said(1, "I want to speak to a person")


def reason(kind: str = "customer_asked", place: Json = WISH, policy: Json | None = None) -> Json:
    return {"reason": kind, "proof": place, "policy": policy or proof()}


def talk(*messages: Json) -> Conversation:
    return conversation_of([PROMPT, ASKED, *messages])


def score(conversation: Conversation, *reasons: Json, announced: tuple[Json, ...] = ()) -> Score:
    return QUESTION.read({"reasons": list(reasons), "handoffs": [{"proof": each} for each in announced]}, conversation)


WORDS = (said(2, "transferring you to a person"),)
INVENTED = (said(2, "A colleague will take over now"),)


@pytest.mark.parametrize(
    ("messages", "announced", "label", "number"),
    [
        (TRANSFERRED, (), "handed_over", 1.0),  # read from the record, whatever the judge lists
        ([ANNOUNCED], WORDS, "handed_over", 1.0),
        ([ANSWERED], (), "missed", 0.0),
        ([ANSWERED], INVENTED, "missed", 0.0),
        (BLOCKED, (), "blocked", 0.0),
        ([ANNOUNCED, LOOKED_UP], WORDS, "announced_not_executed", 0.0),
    ],
)
def test_where_a_person_is_called_for(
    messages: list[Json], announced: tuple[Json, ...], label: str, number: float
) -> None:
    given = score(talk(*messages), reason(), announced=announced)
    assert (given.label, given.score) == (label, number)
    assert Evidence("reason_customer_asked", 1) in given.evidence
    assert given.details["reasons"] == ["customer_asked"]


@pytest.mark.parametrize(
    "given",
    [
        reason(place=said(1, "Give me your supervisor")),  # invented
        reason(place=said(2, "Please restart your phone")),  # not asked by the customer
        reason("policy", said(1, "My line is suspended")),  # without the policy's words
        reason("policy", said(1, "My line is suspended"), clause("Hand over whenever asked")),
        reason("beyond_agent", proof()),
    ],
)
def test_a_reason_without_proof_is_none(given: Json) -> None:
    assert score(talk(ANSWERED), given).label == "no_escalation"
    needless = score(talk(ANSWERED, *TRANSFERRED), given)
    assert (needless.label, needless.score) == ("needless", 0.0)


@pytest.mark.parametrize(
    "given",
    [
        reason("policy", said(1, "My line is suspended"), clause("when the line is suspended")),
        reason("beyond_agent", said(2, "Please restart your phone")),
        reason("danger", said(1, "My line is suspended")),
    ],
)
def test_other_reasons_count_where_they_are_proven(given: Json) -> None:
    assert score(talk(ANSWERED), given).label == "missed"


def test_a_step_of_a_person_is_a_handoff() -> None:
    span = SpanRecord("t", "a" * 32, "b" * 16, "", "human", "s", "", "", "human", 1, 2, "ok", actor="human")
    conversation = talk(ANSWERED)
    with_person = Conversation(conversation.messages, steps=(Step(1, 1, span),), system_prompt="")
    given = score(with_person, reason())
    assert given.label == "handed_over"
    assert Evidence("human_step", span_id="b" * 16) in given.evidence


def test_where_nothing_called_for_a_person_and_none_came_there_is_no_score() -> None:
    given = score(talk(ANSWERED))
    assert (given.score, given.status, given.label) == (None, "not_applicable", "no_escalation")
    unasked = QUESTION.ask(conversation_of([ASKED]))
    assert isinstance(unasked, Score)
    assert unasked.label == "no_dialogue"
