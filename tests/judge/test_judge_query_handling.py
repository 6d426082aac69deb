"""Every turn that wants something, with the reply that deals with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.evaluators.chat import conversation_of
from spanwitness.judge import QUESTIONS
from spanwitness.model import Evidence, Score
from tests.judge.model_judge import proof, said

if TYPE_CHECKING:
    from tests.judge.model_judge import Json

QUESTION = QUESTIONS["CustomerAgentQueryHandling"]
TALK = conversation_of(
    [
        {"role": "user", "content": "When do you open?"},
        {"role": "assistant", "content": "We open at nine."},
        {"role": "user", "content": "And where are you?"},
        {"role": "assistant", "content": "We sell shoes."},
        {"role": "user", "content": "Thanks anyway."},
    ]
)
OPEN, SHOES = said(1, "We open at nine"), said(3, "We sell shoes")


def turn(message: int, reply: Json, handling: str = "handled", wants: str = "question") -> Json:
    return {"message": message, "wants": wants, "reply": reply, "handling": handling}


def score(*turns: Json) -> Score:
    return QUESTION.read({"turns": list(turns)}, TALK)


THANKS = turn(4, proof(), wants="nothing")


@pytest.mark.parametrize(
    ("turns", "number", "label"),
    [
        ([turn(0, OPEN), turn(2, SHOES), THANKS], 1.0, "always"),
        ([turn(0, OPEN), turn(2, SHOES, "not_handled"), THANKS], 0.5, "frequently"),
        ([turn(0, OPEN, "partly"), turn(2, proof(), "not_handled")], 0.25, "never"),
        ([turn(0, OPEN), turn(2, said(3, "We are in Hill Street"))], 0.5, "frequently"),  # invented
        ([turn(0, OPEN), turn(2, OPEN)], 0.5, "frequently"),  # said before it was asked
        ([turn(0, said(2, "And where are you?")), turn(2, SHOES)], 0.5, "frequently"),  # the customer's own words
        ([turn(0, OPEN), turn(0, proof(), "not_handled")], 1.0, "always"),  # listed twice: the first counts
    ],
)
def test_the_mean_over_the_turns_that_want_something(turns: list[Json], number: float, label: str) -> None:
    given = score(*turns)
    assert (given.score, given.label) == (number, label)


def test_what_was_not_handled_is_told_by_its_turn() -> None:
    given = score(turn(0, OPEN), turn(2, SHOES, "not_handled"))
    assert given.evidence == (Evidence("not_handled", 2),)
    assert given.details["turns"] == [[0, 1.0], [2, 0.0]]
    assert (given.details["handled"], given.details["turns_left_out"]) == (1, 1)
    assert given.explanation == "1 of 2 turns that want something were handled."


@pytest.mark.parametrize("turns", [[], [THANKS], [turn(1, SHOES)], [turn(99, SHOES)], [turn(-1, SHOES)]])
def test_where_no_turn_of_the_customer_wants_anything_there_is_no_score(turns: list[Json]) -> None:
    given = score(*turns)
    assert (given.score, given.status, given.label) == (None, "not_applicable", "no_query")


def test_without_customer_or_agent_nothing_is_asked() -> None:
    for messages, label in (
        ([{"role": "assistant", "content": "Hello?"}], "no_query"),
        ([{"role": "user", "content": "Hello?"}], "no_answer"),
    ):
        given = QUESTION.ask(conversation_of(messages))
        assert isinstance(given, Score)
        assert given.label == label
