"""How writing becomes rates."""

from __future__ import annotations

import math

import pytest

from spanwitness.drift.writing import asking, writing

CASES = [
    ("commas", "a, b, c, d", 300.0),
    ("curly_quotes", "it\u2019s", 250.0),
    ("em_dashes", "so \u2014 no", 1000 / 7),
    ("blank_lines", "one\n\ntwo\n\nthree", 2000 / 15),
    ("numbered", "1. one\n2) two\nthree", 2000 / 19),
    ("bulleted", "- one\n* two\n• three", 3000 / 19),
    ("headings", "# Title\ntext", 1000 / 12),
    ("bold", "**yes** and **no**", 2000 / 18),
    ("not_ascii", "naïve", 200.0),
    ("upper", "ABcd", 500.0),
    ("word:the", "the cat and the dog", 40.0),
    ("contractions", "I\u2019m sure you're right", 2000 / 21),
    ("sorry", "Sorry, unfortunately not", 2000 / 24),
    ("word_length", "four five", 4.0),
    ("sentence_length", "One two three. Four five six!", 3.0),
    ("variety", "one one two two", 0.5),
    ("ends_asking", "Is it so?", 1.0),
    ("ends_full_stop", "很好。", 1.0),
    ("starts_mark", "1. first", 1.0),
    ("opens:sure", "Sure, I will.", 1.0),
    ("message_length", "x" * 99, math.log(100)),
]


@pytest.mark.parametrize(("name", "text", "expected"), CASES, ids=[case[0] for case in CASES])
def test_each_rate(name: str, text: str, expected: float) -> None:
    assert writing([text])[name] == pytest.approx(expected)


def test_messages_are_looked_at_one_by_one_where_it_matters() -> None:
    found = writing(["Sure. What?", "Here it is."])
    assert found["opens:sure"] == found["ends_asking"] == 0.5
    assert found["length_spread"] == 0
    assert found["first_length"] == found["last_length"] == math.log(12)


def test_a_text_without_words_has_no_length_of_words() -> None:
    found = writing(["!!! ???"])
    assert math.isnan(found["word_length"])
    assert found["exclamations"] > 0


def test_what_users_ask_is_counted_apart() -> None:
    found = asking("Hello! Where is MY order, please?", 33)
    assert found["user_questions"] == found["user_exclaims"] == pytest.approx(100 / 33)
    assert found["user_polite"] == pytest.approx(2 / 6)
    assert found["user_first_person"] == pytest.approx(1 / 6)
    assert found["user_length"] == math.log(34)
