"""CustomerAgentConversationQuality: what moves the score, by how much, and when it is a risk."""

from __future__ import annotations

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import CustomerAgentConversationQuality
from spanwitness.model import Conversation, Message, Score

WISH, REPLY = ("user", "I would like to insure my bicycle."), ("assistant", "It is 40 pounds a year.")
FAILED, DONE = ("assistant", "I was unable to insure it."), ("assistant", "Your policy has been updated.")
PLAIN, BAD, THANKS = ("user", "In May, please."), ("user", "No, I meant my car."), ("user", "Thanks.")


def judged(*turns: tuple[str, str], at_risk_below: float = 3.0) -> Score:
    talk = tuple(Message("user" if role == "user" else "assistant", content) for role, content in turns)
    return CustomerAgentConversationQuality(at_risk_below=at_risk_below).evaluate(Conversation(talk))


@pytest.mark.parametrize(
    ("turns", "label", "score"),
    [
        ((WISH, REPLY, PLAIN), "ordinary", 3.0),
        ((WISH, REPLY, BAD), "at_risk", 1.0),
        ((WISH, REPLY, PLAIN, REPLY, BAD), "at_risk", 1.5),
        ((WISH, REPLY, PLAIN, DONE, THANKS), "ordinary", 3.0 + 2 / 2 + 0.5 + 0.5),
        ((WISH, REPLY, THANKS), "ordinary", 5.0),
        ((WISH, FAILED, PLAIN), "at_risk", 3.0 - 1 - 0.25),
    ],
)
def test_scores(turns: tuple[tuple[str, str], ...], label: str, score: float) -> None:
    got = judged(*turns)
    assert (got.label, got.status) == (label, "completed")
    assert got.score == pytest.approx(score)


def test_scores_stay_between_1_and_5() -> None:
    assert judged(WISH, FAILED, BAD, FAILED, BAD, FAILED, BAD).score == 1.0
    assert judged(WISH, DONE, ("user", "Great, thanks, that is perfect.")).score == 5.0


def test_what_is_long_past_counts_for_the_turns_and_not_for_the_end() -> None:
    early = judged(WISH, FAILED, PLAIN, *(REPLY, PLAIN) * 4)
    late = judged(WISH, *(REPLY, PLAIN) * 4, FAILED, PLAIN)
    assert (early.details["end_points"], late.details["end_points"]) == (0.0, -0.25)
    assert early.details["turn_points"] == late.details["turn_points"] == pytest.approx(-1 / 5)


def test_a_success_that_the_customer_objects_to_adds_nothing() -> None:
    assert judged(WISH, DONE, PLAIN).details["end_points"] == 0.5
    assert judged(WISH, DONE, BAD).details["end_points"] == 0.0


def test_thanks_are_no_good_ending_where_the_last_turn_objects() -> None:
    assert judged(WISH, REPLY, THANKS, REPLY, PLAIN).details["end_points"] == 0.5
    assert judged(WISH, REPLY, THANKS, REPLY, BAD).details["end_points"] == 0.0
    assert judged(WISH, REPLY, THANKS, REPLY, ("user", "This is a scam!")).label == "ordinary"
    assert judged(WISH, REPLY, ("user", "Great. Thanks for nothing.")).label == "at_risk"


def test_failures_near_the_end_count_twice_at_most() -> None:
    assert judged(WISH, *(FAILED, PLAIN) * 4).details["end_points"] == -0.5


def test_the_explanation_and_the_details_name_the_cues_and_no_words() -> None:
    got = judged(WISH, REPLY, BAD, REPLY, THANKS)
    told = "Ordinary: 3 in the middle, -0.50 for the turns, +0.50 for the end."
    assert got.explanation == f"{told} Met: rejected 1x, corrected 1x, thanked 1x."
    assert got.details["cues"] == {"corrected": 1, "rejected": 1, "thanked": 1}
    assert [(each.rule, each.message_index) for each in got.evidence] == [("rejected", 2), ("corrected", 2)]


def test_the_limit_of_risk_can_be_moved() -> None:
    assert judged(WISH, REPLY, PLAIN, at_risk_below=3.5).label == "at_risk"


@pytest.mark.parametrize("limit", [0.9, 5.1, float("nan")])
def test_a_limit_that_makes_no_sense_is_refused(limit: float) -> None:
    with pytest.raises(ConfigError, match="at_risk_below"):
        CustomerAgentConversationQuality(at_risk_below=limit)


def test_words_that_are_not_english_are_not_scored() -> None:
    got = judged(("user", "Ich möchte mein Rad versichern."), ("assistant", "Gern, ab wann?"), ("user", "Ab Mai."))
    assert (got.label, got.score, got.status) == ("not_understood", None, "not_applicable")
