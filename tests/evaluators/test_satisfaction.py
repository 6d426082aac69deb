"""Customers' reactions: each cue on what has it and on what nearly does, and which turns are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.evaluators import cues
from spanwitness.evaluators.satisfaction import WEIGHTS, reactions, too_little
from spanwitness.evaluators.speech import clauses
from spanwitness.model import Message, ToolCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from spanwitness.evaluators.speech import Clause

WISH, REPLY = Message("user", "I would like to insure my bicycle."), Message("assistant", "It is 40 pounds a year.")

HAS: dict[Callable[[Clause], bool], tuple[str, ...]] = {
    cues.rejects: ("No, on Tuesday.", "Nope, the blue one.", "Oh no, I want two of them.", "No, it's for my son."),
    cues.closes: ("That's all.", "Goodbye!", "That will be everything.", "I am all set.", "Nothing else."),
    cues.corrects: (
        "Actually, two.",
        "I meant the blue one.",
        "Make it Friday.",
        "It should be 40.",
        "I already paid.",
    ),
    cues.complains: (
        "That's not what I asked for.",
        "Are you sure?",
        "You sent the wrong size.",
        "This is ridiculous.",
        "Why didn't it arrive?",
        "It is too expensive.",
        "It doesn't work.",
        "I'm not at all happy.",
        "That doesn't sound good.",
        "I did not say that.",
    ),
    cues.insults: (
        "Thanks for nothing.",
        "WTF, you suck!",
        "You stupid bot.",
        "This is a scam.",
        "What a joke.",
        "I will sue you.",
        "I hate this.",
        "Your service is absolute rubbish.",
    ),
    cues.asks_for_other: ("Do you have any other times?", "Find me something else.", "What else is there?"),
    cues.declines: ("I don't need a bag.", "Never mind.", "I'm not interested.", "Not right now."),
    cues.thanks: ("Thanks a lot.", "I appreciate it."),
    cues.praises: ("That sounds lovely.", "Perfect!"),
    cues.says_none: ("We do not have one.", "There are no seats left.", "I could not find any parcel."),
}
HAS_NOT: dict[Callable[[Clause], bool], tuple[str, ...]] = {
    cues.rejects: ("No.", "No, thank you.", "No, that's all.", "No preference.", "Yes, no bag.", "Nobody came."),
    cues.closes: ("All bags are blue.", "Is it all in one box?"),
    cues.corrects: ("I want two.", "What does it mean?"),
    cues.complains: ("It is not for me.", "Surely that is right.", "Why, thank you."),
    cues.insults: (
        "No, thanks for nothing.",
        "I am damn bored.",
        "My name is Sue.",
        "The garbage was collected.",
        "A vacuum that sucks dust.",
    ),
    cues.asks_for_other: ("My other bag is blue.", "I have another question."),
    cues.declines: ("I need a bag.", "Do you know it now?"),
    cues.thanks: ("Bank transfer.",),
    cues.praises: ("That is not good.", "Two, please."),
    cues.says_none: ("Do you have none of them?", "We have four."),
}


@pytest.mark.parametrize(("cue", "text"), [(cue, text) for cue, texts in HAS.items() for text in texts])
def test_a_statement_that_has_the_cue(cue: Callable[[Clause], bool], text: str) -> None:
    assert any(map(cue, clauses(text)))


@pytest.mark.parametrize(("cue", "text"), [(cue, text) for cue, texts in HAS_NOT.items() for text in texts])
def test_a_near_statement_that_has_not(cue: Callable[[Clause], bool], text: str) -> None:
    assert not any(map(cue, clauses(text)))


def met(said: str, reply: str = REPLY.content) -> tuple[str, ...]:
    (reaction,) = reactions([WISH, Message("assistant", reply), Message("user", said)])
    return reaction.cues


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("No, for two of them.", ("rejected",)),
        ("No, that's all. Goodbye.", ()),
        ("No, thanks.", ("declined",)),
        ("No, I do not need that. That's all.", ()),
        ("That is wrong. I meant my car.", ("complained", "corrected")),
        ("Can you find another one?", ("asked_for_other",)),
        ("I would like to insure my bicycle now.", ("repeated",)),
        ("Yes, please.", ("agreed",)),
        ("Thank you, that is great.", ("thanked", "praised")),
        ("In which month?", ()),
        ("Great, just great. Thanks for nothing.", ("complained",)),
        ("I want to speak to a manager.", ("complained",)),
    ],
)
def test_cues_of_a_turn(said: str, expected: tuple[str, ...]) -> None:
    assert met(said) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("I was unable to insure it.", ("reply_failed",)),
        ("We do not have that.", ("reply_failed",)),
        ("I'm sorry about that.", ("reply_failed",)),
        ("It has been insured.", ()),
    ],
)
def test_cues_of_the_reply_before(reply: str, expected: tuple[str, ...]) -> None:
    assert met("In May.", reply) == expected


def test_to_take_up_an_offer_of_a_person_is_no_complaint() -> None:
    assert met("Yes, I want to speak to a person.", "Shall I transfer you to a human agent?") == ("agreed",)


def test_a_reply_that_only_lacks_something_is_not_told_of_as_a_failure() -> None:
    (lacking,) = reactions([WISH, Message("assistant", "We have no such thing."), Message("user", "In May.")])
    (failing,) = reactions([WISH, Message("assistant", "I was unable to do it."), Message("user", "In May.")])
    assert (lacking.failed, failing.failed) == (False, True)


def test_points_are_the_sum_of_the_weights() -> None:
    (reaction,) = reactions([WISH, REPLY, Message("user", "No, for two. I meant my cars.")])
    assert reaction.points == WEIGHTS["rejected"] + WEIGHTS["corrected"] == -4


def test_the_first_turn_is_a_wish_and_no_reaction() -> None:
    complaint = Message("user", "This is ridiculous, my phone does not work.")
    found = reactions([Message("assistant", "Hello!"), complaint, REPLY, Message("user", "In May.")])
    assert [(reaction.index, reaction.cues) for reaction in found] == [(3, ())]


def test_a_turn_to_which_nobody_spoke_in_between_is_no_reaction() -> None:
    call = Message("assistant", "", (ToolCall("1", "find", "{}"),))
    assert reactions([WISH, call, Message("tool", "no", tool_call_id="1"), Message("user", "That is wrong.")]) == ()


def test_every_word_of_the_agent_since_the_turn_before_is_its_reply() -> None:
    found = reactions([WISH, Message("assistant", "I was unable to do it."), REPLY, Message("user", "In May.")])
    assert [reaction.failed for reaction in found] == [True]


@pytest.mark.parametrize(
    ("talk", "label"),
    [
        ([], "too_short"),
        ([WISH, REPLY, Message("user", " ")], "too_short"),
        ([WISH, Message("user", "For one year.")], "no_reply"),
        (
            [Message("user", "Ein Rad, bitte."), Message("assistant", "Gern."), Message("user", "Danke.")],
            "not_understood",
        ),
        (
            [Message("user", "ここに"), REPLY, Message("user", "はい" * 3), REPLY, Message("user", "x " * 30)],
            "not_understood",
        ),
    ],
)
def test_why_there_is_nothing_to_judge(talk: list[Message], label: str) -> None:
    found = too_little(talk)
    assert found is not None
    assert found[0] == label


def test_enough_to_judge() -> None:
    assert too_little([WISH, REPLY, Message("user", "Fine.")]) is None
