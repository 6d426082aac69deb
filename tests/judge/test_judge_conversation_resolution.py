"""The end state, from outcomes that are proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.evaluators.chat import conversation_of
from spanwitness.judge import QUESTIONS
from spanwitness.model import Conversation, Evidence, Score
from tests.judge.model_judge import call, proof, said

if TYPE_CHECKING:
    from tests.judge.model_judge import Json

QUESTION = QUESTIONS["ConversationResolution"]
TALK = conversation_of(
    [
        {"role": "user", "content": "Book a table for two, please."},
        {"role": "assistant", "content": "", "tool_calls": call("book_table", "1", at="19:00")},
        {"role": "tool", "content": "Error: no table is free at 19:00", "tool_call_id": "1"},
        {"role": "assistant", "content": "There is no table at 19:00. Shall I try 20:00?"},
        {"role": "user", "content": "Yes, do."},
        {"role": "assistant", "content": "", "tool_calls": call("book_table", "2", at="20:00")},
        {"role": "tool", "content": '{"booked": true, "at": "20:00"}', "tool_call_id": "2"},
        {"role": "assistant", "content": "Your table is booked for 20:00. Anything else today?"},
    ]
)
WANTED = said(0, "Book a table for two")
FAILED = {"event": "failed", "proof": said(2, "no table is free at 19:00")}
DONE = {"event": "done", "proof": said(6, '"booked": true')}
CLAIMED = {"event": "done", "proof": said(7, "Your table is booked for 20:00")}
UNANSWERED = said(7, "Anything else today?")


def score(*events: Json, matter: Json = WANTED, unanswered: Json | None = None, talk: Conversation = TALK) -> Score:
    matters = [{"matter": "a table", "proof": matter}]
    return QUESTION.read({"matters": matters, "events": list(events), "unanswered": unanswered or proof()}, talk)


@pytest.mark.parametrize(
    ("events", "label", "number"),
    [
        ([DONE], "resolved", 1.0),
        ([CLAIMED], "resolved", 1.0),
        ([FAILED, DONE], "recovered", 0.8),
        ([DONE, FAILED], "recovered", 0.8),  # the record's order counts, not the list's
        ([FAILED], "unresolved", 0.0),
        ([], "unresolved", 0.0),
        ([{"event": "handed_over", "proof": said(7, "Your table is booked")}], "handed_off", 0.5),
        ([{"event": "done", "proof": said(6, '"booked": "tomorrow"')}], "unresolved", 0.0),  # invented
        ([{"event": "done", "proof": said(2, "no table is free")}], "unresolved", 0.0),  # a failed result
        ([{"event": "done", "proof": said(4, "Yes, do.")}], "unresolved", 0.0),  # the customer's words
        ([FAILED, CLAIMED], "unresolved", 0.0),  # said, while the last result that was named has failed
    ],
)
def test_the_last_proven_outcome_decides(events: list[Json], label: str, number: float) -> None:
    given = score(*events)
    assert (given.label, given.score, given.status) == (label, number, "completed")


def test_evidence_is_what_decided() -> None:
    given = score(FAILED, DONE)
    assert given.evidence == (Evidence("failure_shown", 2), Evidence("success_shown", 6))
    assert given.details["events"] == [[2, "failed"], [6, "done"]]


def test_a_question_left_standing_is_abandoned_only_where_nothing_was_achieved() -> None:
    given = score(unanswered=UNANSWERED)
    assert (given.label, given.score) == ("abandoned", 0.0)
    assert given.evidence == (Evidence("unanswered_question", 7),)
    assert score(DONE, unanswered=UNANSWERED).label == "resolved"
    assert score(unanswered=said(3, "Shall I try 20:00?")).label == "unresolved"  # the customer answered


def test_the_customer_may_report_that_it_failed() -> None:
    talk = conversation_of(
        [
            {"role": "user", "content": "My phone has no signal."},
            {"role": "assistant", "content": "Please restart it."},
            {"role": "user", "content": "It still has no signal."},
        ]
    )
    event = {"event": "failed", "proof": said(2, "It still has no signal")}
    given = score(event, matter=said(0, "My phone has no signal"), talk=talk)
    assert (given.label, given.score) == ("unresolved", 0.0)


def test_without_a_proven_matter_or_outcome_it_is_informational() -> None:
    given = score(matter=said(0, "Cancel my flight"))
    assert (given.score, given.status, given.label) == (None, "not_applicable", "informational")
    unasked = QUESTION.ask(conversation_of([{"role": "user", "content": "Hello?"}]))
    assert isinstance(unasked, Score)
    assert unasked.label == "no_dialogue"
