"""Four aspects, each with the message that shows it."""

from __future__ import annotations

import pytest

from spanwitness.evaluators.chat import conversation_of
from spanwitness.judge import QUESTIONS
from spanwitness.model import Evidence, Score
from tests.judge.model_judge import proof, said

QUESTION = QUESTIONS["CustomerAgentConversationQuality"]
TALK = conversation_of(
    [
        {"role": "user", "content": "I want to change my address."},
        {"role": "assistant", "content": "Which flight do you want to book?"},
        {"role": "user", "content": "No, my address, as I said."},
        {"role": "assistant", "content": "I am sorry, I have changed it."},
    ]
)
MISSED = said(1, "Which flight do you want to book?")
SORRY = said(3, "I am sorry, I have changed it.")


def score(**ratings: tuple[str, object]) -> Score:
    aspects = {name: ("not_shown", proof()) for name in ("understanding", "help", "effort", "manner")}
    answer = {name: {"rating": rating, "proof": place} for name, (rating, place) in {**aspects, **ratings}.items()}
    return QUESTION.read(answer, TALK)


@pytest.mark.parametrize(
    ("ratings", "number", "label"),
    [
        ({"manner": ("good", SORRY)}, 5.0, "ordinary"),
        ({"manner": ("good", SORRY), "understanding": ("poor", MISSED)}, 3.0, "ordinary"),
        ({"manner": ("mixed", SORRY), "understanding": ("poor", MISSED)}, 2.0, "at_risk"),
        ({"understanding": ("poor", MISSED)}, 1.0, "at_risk"),
        ({"manner": ("good", said(3, "It was my pleasure to help"))}, 1.0, "at_risk"),  # invented
        ({"manner": ("good", SORRY), "help": ("good", proof())}, 3.0, "ordinary"),  # one of two proven
    ],
)
def test_the_mean_of_what_is_shown_on_a_scale_of_one_to_five(
    ratings: dict[str, tuple[str, object]], number: float, label: str
) -> None:
    given = score(**ratings)
    assert (given.score, given.label) == (number, label)


def test_each_aspect_is_told_with_its_place() -> None:
    given = score(manner=("good", SORRY), understanding=("poor", MISSED), help=("good", said(3, "nothing of it")))
    assert given.evidence == (Evidence("understanding_poor", 1), Evidence("manner_good", 3))
    assert given.details["ratings"] == {"understanding": "poor", "help": "not_proven", "manner": "good"}
    assert given.explanation == "Understanding poor, help not proven, manner good."


def test_where_nothing_is_shown_or_too_little_said_there_is_no_score() -> None:
    assert (score().score, score().label) == (None, "not_shown")
    once = QUESTION.ask(conversation_of([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi"}]))
    assert isinstance(once, Score)
    assert once.label == "too_short"
    alone = QUESTION.ask(conversation_of([{"role": "user", "content": "Hi"}, {"role": "user", "content": "Hello?"}]))
    assert isinstance(alone, Score)
    assert alone.label == "no_answer"
