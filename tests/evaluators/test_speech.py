"""Text into clauses."""

from __future__ import annotations

import pytest

from spanwitness.evaluators.speech import LONGEST, clauses, heard, holds, is_english
from spanwitness.model import Message


def said(text: str) -> list[str]:
    return [clause.text for clause in clauses(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I can't. It's DONE!", ["i can not", "it's done"]),
        ("I don\u2019t, won't & cannot; no", ["i do not will not can not", "no"]),
        ("It is booked, but they have no wine.", ["it is booked", "they have no wine"]),
        ("**Order:** #4\n- sent", ["order 4", "sent"]),
        ("Termin\u2026 st\u00f6rt \u4eba\u5de5", ["termin st\u00f6rt \u4eba\u5de5"]),
        (" ?! \n", []),
    ],
)
def test_clauses(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_a_question_is_known_by_its_mark() -> None:
    assert [clause.asked for clause in clauses("Shall I? Fine. Or not?")] == [True, False, True]


def test_of_a_long_text_the_beginning_and_the_end_are_heard() -> None:
    words = said("first. " + "middle. " * LONGEST + "last.")
    assert (words[0], words[-1]) == ("first", "last")
    assert sum(map(len, words)) <= LONGEST


def test_only_customer_and_agent_are_heard() -> None:
    talk = [Message("system", "Be kind."), Message("user", "Hi."), Message("tool", "{}"), Message("assistant", "Yes?")]
    assert [len(each) for each in heard(talk)] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("text", "phrase", "held"),
    [
        ("I will SUE you!", "sue", True),
        ("One more issue", "sue", False),
        ("Close my  account.\nNow", "my account now", True),
        ("\u8bf7\u8f6c\u4eba\u5de5\u5ba2\u670d\u5427", "\u4eba\u5de5\u5ba2\u670d", True),
        ("I don't agree", "do not agree", True),
        ("a (b", "a (b", True),
        ("anything", "?!", False),
    ],
)
def test_a_phrase_is_held_as_whole_words(text: str, phrase: str, held: bool) -> None:
    assert holds(text, phrase) is held


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("I would like to change the date of my flight.", True),
        ("Ich m\u00f6chte das Datum meines Fluges \u00e4ndern.", False),
        ("Quisiera cambiar la fecha de mi vuelo, por favor.", False),
        ("\u4e88\u7d04\u3092\u5909\u66f4\u3057\u305f\u3044\u3067\u3059", False),
        ("", False),
    ],
)
def test_english_is_known_by_its_commonest_words(text: str, english: bool) -> None:
    assert is_english((clauses(text),)) is english
