"""CustomerAgentQueryHandling: which turns were handled, the score over them, and its label."""

from __future__ import annotations

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import CustomerAgentQueryHandling
from spanwitness.model import Conversation, Message, Score

WISH, REPLY = Message("user", "I would like to insure my bicycle."), Message("assistant", "It is 40 pounds a year.")
GOOD, BAD, LESSER = "In May, please.", "No, I meant my car.", "Do you have any other prices?"


def judged(*reactions: str, handled_above: float = 0.5) -> Score:
    talk = [WISH]
    for said in reactions:
        talk += [REPLY, Message("user", said)]
    return CustomerAgentQueryHandling(handled_above=handled_above).evaluate(Conversation(tuple(talk)))


@pytest.mark.parametrize(
    ("reactions", "label", "score"),
    [
        ((GOOD, GOOD), "always", 1.0),
        ((GOOD, LESSER), "always", 0.875),
        ((GOOD, BAD), "frequently", 0.5),
        ((GOOD, BAD, BAD), "occasionally", 1 / 3),
        ((BAD, BAD), "never", 0.0),
    ],
)
def test_labels(reactions: tuple[str, ...], label: str, score: float) -> None:
    got = judged(*reactions)
    assert (got.label, got.status) == (label, "completed")
    assert got.score == pytest.approx(score)


def test_details_hold_the_customers_message_at_which_each_turn_shows() -> None:
    got = judged(GOOD, BAD, LESSER)
    assert got.details == {"turns": [[2, 1.0], [4, 0.0], [6, 0.75]], "handled": 2}


def test_the_score_is_told_apart_from_the_share_of_turns_that_were_handled() -> None:
    got = judged(GOOD, BAD, LESSER)
    assert got.score == pytest.approx(1.75 / 3)
    assert got.explanation.startswith("2 of 3 turns handled")
    assert "the score is their mean" in got.explanation


def test_the_evidence_is_what_went_wrong_in_turns_not_handled() -> None:
    got = judged(GOOD, BAD, LESSER)
    assert [(each.rule, each.message_index) for each in got.evidence] == [("rejected", 4), ("corrected", 4)]


def test_thanks_make_up_for_a_lesser_sign_and_give_nothing_beyond() -> None:
    got = judged(f"Thanks. {LESSER}", "Thanks, that is great.")
    assert [share for _, share in got.details["turns"]] == [1.0, 1.0]


def test_the_limit_of_handled_can_be_moved() -> None:
    assert judged(GOOD, LESSER, handled_above=0.8).label == "frequently"


@pytest.mark.parametrize("limit", [-0.1, 1.0, float("nan")])
def test_a_limit_that_makes_no_sense_is_refused(limit: float) -> None:
    with pytest.raises(ConfigError, match="handled_above"):
        CustomerAgentQueryHandling(handled_above=limit)


def test_one_turn_is_too_little() -> None:
    got = judged()
    assert (got.label, got.score, got.status) == ("too_short", None, "not_applicable")
