"""ConversationResolution: each end state, from results and from statements, and what it rests on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spanwitness.evaluators import ConversationResolution
from spanwitness.model import Conversation, Message, Role, Score, ToolCall

ASK, YES, BYE = ("user", "I would like a table for two."), ("user", "Yes, please."), ("user", "No, that is all.")
CONFIRM = ("assistant", "A table for two at eight. Is that correct?")
MADE, FAILED = ("assistant", "Your table has been reserved."), ("assistant", "I was unable to reserve it.")
ELSE = ("assistant", "Is there anything else?")


def talk(*turns: Any) -> Conversation:
    return Conversation(tuple(turn if isinstance(turn, Message) else Message(*turn) for turn in turns))


def judged(*turns: Any) -> Score:
    return ConversationResolution().evaluate(talk(*turns))


def test_what_was_asked_last_may_be_answered_in_another_trace() -> None:
    one_trace = replace(talk(ASK, CONFIRM), id_source="trace")
    told = ConversationResolution().evaluate(one_trace)
    assert (told.status, told.label, told.score) == ("not_applicable", "record_ends", None)
    assert ConversationResolution().evaluate(replace(one_trace, id_source="session.id")).label == "abandoned"
    done = replace(talk(ASK, CONFIRM, YES, MADE, BYE), id_source="trace")
    assert ConversationResolution().evaluate(done).label == "resolved"


def acts(name: str) -> Message:
    return Message("assistant", "", (ToolCall("1", name, "{}"),))


def back(content: str = "{}") -> Message:
    return Message("tool", content, tool_call_id="1")


@pytest.mark.parametrize(
    ("turns", "label", "score"),
    [
        ((ASK, CONFIRM, YES, MADE, BYE), "resolved", 1.0),
        ((ASK, CONFIRM, YES, FAILED, ASK, CONFIRM, YES, MADE, BYE), "recovered", 0.8),
        ((ASK, CONFIRM, YES, FAILED, ELSE, BYE, ("assistant", "Goodbye.")), "unresolved", 0.0),
        ((ASK, MADE, ASK, FAILED, BYE), "unresolved", 0.0),
        ((ASK, MADE, ("user", "No it has not!")), "unresolved", 0.0),
        ((ASK, MADE, ("user", "It still shows no table."), ("assistant", "I see.")), "unresolved", 0.0),
        ((ASK, MADE, ("user", "No it has not!"), ("assistant", "One moment."), BYE), "resolved", 1.0),
        ((ASK, ELSE, ("user", "No it has not!"), MADE), "resolved", 1.0),
        ((ASK, FAILED, ("assistant", "Shall I try nine?")), "abandoned", 0.0),
        ((ASK, CONFIRM), "abandoned", 0.0),
        ((ASK, ("assistant", "I'm transferring you to a colleague."), BYE), "handed_off", 0.5),
        ((ASK, CONFIRM, YES, ("assistant", "Enjoy your evening!")), "resolved", 1.0),
        ((ASK, CONFIRM, YES, ("assistant", "Sorry, somebody was faster.")), "unresolved", 0.0),
        ((ASK, ("assistant", "I couldn't get eight, but I've booked nine.")), "recovered", 0.8),
    ],
)
def test_end_states_by_statements(turns: tuple[Any, ...], label: str, score: float) -> None:
    got = judged(*turns)
    assert (got.label, got.score, got.status, got.mode) == (label, score, "completed", "statements")
    assert got.evidence


@pytest.mark.parametrize(
    ("turns", "label"),
    [
        ((ASK, acts("book_table"), back(), ("assistant", "There you are.")), "resolved"),
        ((ASK, acts("book_table"), back("Error: full"), acts("book_table"), back(), ("assistant", "So.")), "recovered"),
        ((ASK, acts("book_table"), back("Error: full"), ("assistant", "Hm.")), "unresolved"),
        ((ASK, acts("book_table"), back("Error: full"), MADE), "unresolved"),
        ((ASK, acts("transfer_to_human"), back(), BYE), "handed_off"),
    ],
)
def test_end_states_by_results(turns: tuple[Any, ...], label: str) -> None:
    got = judged(*turns)
    assert (got.label, got.mode) == (label, "tool_results")


def test_a_recovery_rests_on_the_first_failure_and_the_last_success() -> None:
    got = judged(ASK, FAILED, ASK, FAILED, ASK, MADE)
    assert [(each.rule, each.message_index) for each in got.evidence] == [("failure_stated", 1), ("success_stated", 5)]
    assert got.details["events"][0] == [1, "failed", "failure_stated"]


def test_an_unanswered_question_is_the_evidence_where_nothing_else_happened() -> None:
    got = judged(ASK, CONFIRM)
    assert [(each.rule, each.message_index) for each in got.evidence] == [("unanswered_question", 1)]


def test_look_ups_alone_are_informational() -> None:
    got = judged(("user", "When do you open?"), acts("get_hours"), back("9"), ("assistant", "We open at nine."), BYE)
    assert (got.label, got.score, got.status) == ("informational", None, "not_applicable")
    assert got.explanation.startswith("Informational")


def test_a_yes_to_which_the_agent_only_asks_back_or_promises_is_no_success() -> None:
    assert judged(ASK, CONFIRM, YES, ("assistant", "In which name?"), ("user", "Ada.")).score is None
    assert judged(ASK, CONFIRM, YES, ("assistant", "I will see to it."), ("user", "Good.")).score is None


def test_a_change_of_which_nothing_more_is_known_is_not_judged() -> None:
    got = judged(ASK, acts("book_table"), ("assistant", "Well."))
    assert (got.label, got.score) == ("no_result", None)


def test_words_that_are_not_english_are_not_taken_for_informational() -> None:
    got = judged(("user", "Ich möchte einen Tisch."), ("assistant", "Der Tisch wurde leider nicht reserviert."))
    assert (got.label, got.score) == ("not_understood", None)
    by_result = judged(("user", "Einen Tisch, bitte."), acts("book_table"), back(), ("assistant", "Gern."))
    assert by_result.label == "resolved"


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_one_side_alone_is_no_dialogue(role: Role) -> None:
    assert judged((role, "Your table has a view.")).label == "no_dialogue"
