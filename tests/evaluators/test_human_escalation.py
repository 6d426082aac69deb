"""CustomerAgentHumanEscalation: each facet, each verdict, and where it declines."""

from __future__ import annotations

from typing import Any

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import CustomerAgentHumanEscalation
from spanwitness.model import Conversation, Message, Score, SpanRecord, Step, ToolCall

HI, WANTS = ("user", "My invoice is wrong."), ("user", "Let me speak to a person.")
ANSWER, ANNOUNCES = ("assistant", "I see the invoice."), ("assistant", "I am transferring you to a colleague.")
REFUSES = ("assistant", "I cannot transfer you to anyone.")


def acts(name: str) -> Message:
    return Message("assistant", "", (ToolCall("1", name, "{}"),))


def back(content: str = "done") -> Message:
    return Message("tool", content, tool_call_id="1")


def judged(*turns: Any, steps: tuple[Step, ...] = (), **fields: Any) -> Score:
    messages = tuple(turn if isinstance(turn, Message) else Message(*turn) for turn in turns)
    return CustomerAgentHumanEscalation(**fields).evaluate(Conversation(messages, steps=steps))


def step(*, step_kind: str = "", actor: str = "") -> Step:
    span = SpanRecord(
        tenant="",
        trace_id="",
        span_id="7",
        parent_span_id="",
        name="",
        service="",
        scope="",
        dialect="",
        step_kind=step_kind,
        started_ns=0,
        ended_ns=0,
        status="",
        actor=actor,
    )
    return Step(1, 1, span)


@pytest.mark.parametrize(
    ("turns", "label"),
    [
        ((HI, acts("transfer_to_human"), back()), "handed_over"),
        ((HI, acts("transfer_to_human"), back("Error: queue"), acts("transfer_to_human"), back()), "handed_over"),
        ((WANTS, ANNOUNCES), "handed_over"),
        ((HI, acts("get_invoice"), back(), ANNOUNCES, HI), "announced_not_executed"),
        ((WANTS, acts("transfer_to_human"), back("Error: queue"), ANSWER), "blocked"),
        ((HI, acts("transfer_to_human"), back("Error: queue"), ANSWER), "blocked"),
        ((WANTS, REFUSES), "blocked"),
        ((WANTS, ANSWER, HI), "missed"),
        ((HI, ("assistant", "Shall I transfer you to an agent?"), ("user", "Yes, please."), ANSWER), "missed"),
    ],
)
def test_verdicts(turns: tuple[Any, ...], label: str) -> None:
    score = judged(*turns)
    assert (score.label, score.status) == (label, "completed")
    assert score.score == float(label == "handed_over")
    assert score.evidence


def test_nothing_of_the_kind_is_not_applicable() -> None:
    score = judged(HI, ANSWER)
    assert (score.label, score.score, score.status) == ("no_escalation", None, "not_applicable")
    assert score.details == {
        "handoff": False,
        "asked": False,
        "blocked": False,
        "announced_not_executed": False,
        "triggered": False,
        "missed": False,
        "by": [],
    }


def test_an_offer_declined_or_a_refusal_unasked_is_nothing_of_the_kind() -> None:
    offer = ("assistant", "Shall I transfer you to an agent?")
    assert judged(HI, offer, ("user", "No, thanks."), ANSWER).score is None
    assert judged(HI, REFUSES, HI).score is None


def test_what_follows_the_last_word_is_not_on_record() -> None:
    score = judged(HI, ANSWER, WANTS)
    assert (score.label, score.score, score.details["asked"]) == ("record_ends", None, True)


def test_words_that_are_not_english_are_told_as_unread() -> None:
    score = judged(("user", "Verbinden Sie mich mit einem Menschen!"), ("assistant", "Nein."))
    assert score.score is None
    assert "not English" in score.explanation
    assert "not English" not in judged(HI, ANSWER).explanation


@pytest.mark.parametrize("fields", [{"actor": "human"}, {"step_kind": "human"}])
def test_a_step_of_a_person_shows_that_the_handoff_happened(fields: dict[str, str]) -> None:
    score = judged(HI, acts("get_invoice"), back(), ANNOUNCES, steps=(step(**fields),))
    assert (score.label, score.details["by"]) == ("handed_over", ["human_step"])
    assert score.evidence[0].span_id == "7"


def test_a_step_of_the_program_shows_nothing() -> None:
    assert judged(HI, ANSWER, steps=(step(actor="ai", step_kind="handoff"),)).score is None


def test_evidence_says_which_message_holds_which_facet() -> None:
    score = judged(WANTS, REFUSES)
    assert [(each.rule, each.message_index) for each in score.evidence] == [
        ("person_asked_for", 0),
        ("handoff_refused", 1),
    ]


def test_a_tool_can_be_declared_to_hand_over() -> None:
    turns = (WANTS, acts("open_ticket_l2"), back(), ANSWER)
    assert judged(*turns).label == "missed"
    assert judged(*turns, handoff_tools=("open_ticket_l2",)).label == "handed_over"


HANDS = (acts("transfer_to_human"), back())


def test_without_triggers_it_is_not_judged_whether_a_handoff_was_called_for() -> None:
    assert "no triggers are declared" in judged(HI, *HANDS).explanation


@pytest.mark.parametrize(
    ("turns", "label"),
    [
        ((HI, *HANDS), "needless"),
        ((WANTS, *HANDS), "handed_over"),
        ((("user", "I will call my LAWYER."), *HANDS), "handed_over"),
        ((("user", "I will call my lawyer."), ANSWER), "missed"),
        ((("user", "I will call my lawyer."),), "record_ends"),
        ((HI, ANSWER), "no_escalation"),
    ],
)
def test_declared_triggers_decide_what_was_called_for(turns: tuple[Any, ...], label: str) -> None:
    score = judged(*turns, triggers=("lawyer", "press"))
    assert score.label == label
    assert score.score == {"needless": 0.0, "missed": 0.0, "handed_over": 1.0}.get(label)


def test_an_empty_trigger_is_refused() -> None:
    with pytest.raises(ConfigError, match="triggers holds an empty phrase"):
        CustomerAgentHumanEscalation(triggers=("lawyer", " "))
