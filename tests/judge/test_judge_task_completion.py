"""Required outcomes, each with its proof."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from spanwitness.evaluators.chat import conversation_of
from spanwitness.judge import QUESTIONS
from spanwitness.model import Evidence, Score
from tests.judge.model_judge import call, clause, proof, said

if TYPE_CHECKING:
    from tests.judge.model_judge import Json

QUESTION = QUESTIONS["TaskCompletion"]
TALK = conversation_of(
    [
        {"role": "system", "content": "Tickets of basic economy cannot be changed. Else do what is asked for."},
        {"role": "user", "content": "Please cancel booking Q7 and tell me what comes back."},
        {"role": "assistant", "content": "", "tool_calls": call("get_booking", "1", id="Q7")},
        {"role": "tool", "content": '{"id": "Q7", "state": "confirmed"}', "tool_call_id": "1"},
        {"role": "assistant", "content": "", "tool_calls": call("cancel_booking", "2", id="Q7")},
        {"role": "tool", "content": '{"id": "Q7", "state": "cancelled"}', "tool_call_id": "2"},
        {"role": "assistant", "content": "", "tool_calls": call("cancel_booking", "3", id="Q8")},
        {"role": "tool", "content": "Error: booking Q8 not found", "tool_call_id": "3"},
        {"role": "assistant", "content": "Booking Q7 is cancelled and 120 EUR will come back to you."},
        {"role": "user", "content": "Great, it shows as cancelled here too."},
    ]
)
NONE = proof()
CANCELLED = said(5, '"state": "cancelled"')
TOLD = said(8, "120 EUR will come back to you")
CLAUSE = clause("basic economy cannot be changed")


def outcome(kind: str, *proofs: Json, status: str = "done") -> Json:
    return {"outcome": "what was required", "kind": kind, "proofs": list(proofs), "status": status}


def wrong(why: str, place: Json, policy: Json = NONE) -> Json:
    return {"change": "what was done", "why": why, "call": place, "policy": policy}


def score(*outcomes: Json, wrongs: tuple[Json, ...] = (), talk: object = TALK) -> Score:
    return QUESTION.read({"outcomes": list(outcomes), "wrong_changes": list(wrongs)}, talk)  # type: ignore[arg-type]


def test_all_that_was_required_is_proven() -> None:
    given = score(outcome("change", CANCELLED), outcome("information", TOLD))
    assert (given.score, given.label, given.status, given.mode) == (1.0, "completed", "completed", "judge")
    assert given.evidence == (Evidence("outcome_proven", 5), Evidence("outcome_proven", 8))
    assert given.explanation == "2 of 2 required outcomes proven, 0 changes that were wrong."
    assert given.details == {
        "required": 2,
        "proven": 2,
        "not_on_record": 0,
        "wrong_changes": 0,
        "quotes": 2,
        "quotes_not_found": 0,
    }


@pytest.mark.parametrize(
    "given",
    [
        outcome("change"),
        outcome("change", NONE),
        outcome("change", CANCELLED, status="not_done"),
        outcome("change", CANCELLED, status="unclear"),
        outcome("change", said(5, '"state": "refunded"')),  # invented
        outcome("change", said(8, "Booking Q7 is cancelled")),  # only said
        outcome("change", said(7, "booking Q8 not found")),  # failed
        outcome("information", said(9, "it shows as cancelled here too")),  # said by the customer
        outcome("refusal", said(8, "Booking Q7 is cancelled")),  # without the policy's words
        outcome("refusal", CLAUSE),  # not told
        outcome("handoff", said(8, "Booking Q7 is cancelled")),
        outcome("customer_side", said(8, "Booking Q7 is cancelled")),
    ],
)
def test_what_is_not_proven_counts_as_not_done(given: Json) -> None:
    assert (score(given).score, score(given).label) == (0.0, "failed")
    half = score(given, outcome("information", TOLD))
    assert half.score == pytest.approx(2 / 3)
    assert half.label == "partial"


@pytest.mark.parametrize(
    "given",
    [
        outcome("change", NONE, CANCELLED),
        outcome("change", said(3, '"state": "confirmed"')),  # a look-up, in a record where a change went through
        outcome("refusal", CLAUSE, TOLD),
        outcome("customer_side", said(9, "it shows as cancelled")),
        outcome("customer_side", CANCELLED),
    ],
)
def test_what_proves_an_outcome(given: Json) -> None:
    assert score(given).score == 1.0


def test_a_look_up_proves_no_change_where_none_went_through() -> None:
    """As when an agent claims a success that it never brought about, and the booking's state is quoted for it."""
    nothing_done = replace(TALK, messages=(*TALK.messages[:4], *TALK.messages[6:]))
    given = score(outcome("change", said(3, '"state": "confirmed"')), talk=nothing_done)
    assert given.score == 0.0


def test_a_wrong_change_counts_as_one_too_many() -> None:
    given = score(outcome("change", CANCELLED), wrongs=(wrong("not_requested", CANCELLED),))
    assert given.score == pytest.approx(2 / 3)
    assert Evidence("wrong_change", 5) in given.evidence
    assert score(outcome("change", CANCELLED), wrongs=(wrong("wrong_details", said(4, "cancel_booking")),)).score != 1.0
    assert score(wrongs=(wrong("against_policy", CANCELLED, CLAUSE),)).score == 0.0


@pytest.mark.parametrize(
    "accusation",
    [
        wrong("not_requested", NONE),
        wrong("not_requested", said(5, '"state": "deleted"')),
        wrong("not_requested", said(7, "booking Q8 not found")),  # nothing changed
        wrong("not_requested", TOLD),  # words are no change
        wrong("against_policy", CANCELLED),
        wrong("against_policy", CANCELLED, clause("Never cancel anything at all")),
    ],
)
def test_an_accusation_without_proof_does_not_count(accusation: Json) -> None:
    assert score(outcome("change", CANCELLED), wrongs=(accusation,)).score == 1.0


def test_the_same_wrong_change_named_twice_counts_once() -> None:
    twice = (wrong("not_requested", CANCELLED), wrong("wrong_details", CANCELLED))
    assert score(outcome("change", CANCELLED), wrongs=twice).details["wrong_changes"] == 1


def test_a_handoff_is_proven_by_its_call_and_by_words_where_no_tools_are_on_record() -> None:
    words = conversation_of(
        [
            {"role": "user", "content": "Give me a person."},
            {"role": "assistant", "content": "I am transferring you to a colleague now."},
        ]
    )
    told = said(1, "transferring you to a colleague")
    assert score(outcome("handoff", told), talk=words).score == 1.0
    called = conversation_of(
        [
            {"role": "user", "content": "Give me a person."},
            {"role": "assistant", "content": "", "tool_calls": call("transfer_to_human_agents")},
            {"role": "tool", "content": "Transfer successful", "tool_call_id": "1"},
        ]
    )
    assert score(outcome("handoff", said(2, "Transfer successful")), talk=called).score == 1.0
    failed = replace(called, messages=(*called.messages[:2], replace(called.messages[2], error=True)))
    assert score(outcome("handoff", said(2, "Transfer successful")), talk=failed).score == 0.0


def test_what_is_not_on_record_is_no_failure() -> None:
    chat_only = replace(TALK, messages=tuple(m for m in TALK.messages if m.role != "tool" and not m.tool_calls))
    given = score(outcome("change"), talk=chat_only)
    assert (given.score, given.status, given.label) == (None, "not_applicable", "not_on_record")
    assert score(outcome("change", status="not_done"), talk=chat_only).score == 0.0
    told = said(2, "120 EUR will come back to you")
    assert score(outcome("change"), outcome("information", told), talk=chat_only).score is None
    assert score(outcome("change"), outcome("information"), talk=chat_only).score == 0.0
    no_policy = replace(TALK, system_prompt="")
    assert score(outcome("refusal", TOLD), talk=no_policy).label == "not_on_record"


def test_a_look_up_is_neither_a_handoff_nor_a_wrong_change() -> None:
    looked_up = conversation_of(
        [
            {"role": "user", "content": "Give me a person."},
            {"role": "assistant", "content": "", "tool_calls": call("get_order", order_id=7)},
            {"role": "tool", "content": "status: delivered on Monday", "tool_call_id": "1"},
        ]
    )
    result, asked = said(2, "delivered on Monday"), said(1, "get_order")
    assert score(outcome("handoff", result), talk=looked_up).score == 0.0
    for proven in (result, asked):
        given = score(wrongs=(wrong("not_requested", proven),), talk=looked_up)
        assert (given.status, given.label) == ("not_applicable", "no_request")


def test_an_answer_of_thousands_of_items_is_read_in_a_moment() -> None:
    turns = [
        {"role": "assistant", "content": "Wait.", "tool_calls": call("cancel_order", str(i), order_id=i)}
        if not result
        else {"role": "tool", "content": f"cancelled order {i}", "tool_call_id": str(i)}
        for i in range(1000)
        for result in (False, True)
    ]
    talk = conversation_of([{"role": "user", "content": "Cancel them all."}, *turns])
    items = [outcome("handoff", said(2, "cancelled order 0"))] * 4000
    began = time.process_time()
    assert score(*items, talk=talk).details["proven"] == 4000
    assert time.process_time() - began < 60  # what is quadratic takes minutes


def test_nothing_asked_for_is_not_applicable() -> None:
    given = score()
    assert (given.score, given.status, given.label) == (None, "not_applicable", "no_request")
    silent = conversation_of([{"role": "assistant", "content": "Hello?"}])
    unasked = QUESTION.ask(silent)
    assert isinstance(unasked, Score)
    assert unasked.label == "no_request"
    unanswered = QUESTION.ask(conversation_of([{"role": "user", "content": "Hello?"}]))
    assert isinstance(unanswered, Score)
    assert unanswered.label == "no_answer"


def test_the_question_asks_for_facts_and_not_whether_the_customer_was_satisfied() -> None:
    """Asked about satisfaction, judges do worse than chance on completion."""
    assert "satisf" not in QUESTION.system.casefold()
