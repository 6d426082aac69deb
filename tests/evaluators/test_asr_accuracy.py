"""ASRAccuracy: against a reference, among hypotheses, by the recogniser's confidence, and never from the text alone."""

from __future__ import annotations

from typing import Any

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.errors import ConfigError
from spanwitness.evaluators import ASRAccuracy
from spanwitness.evaluators.asr_accuracy import normalised
from spanwitness.model import Conversation, Message, Score, SpanRecord, Step


def heard(*texts: str, reference: str) -> Score:
    messages = [Message("assistant", "Say it, please."), *(Message("user", text) for text in texts)]
    return ASRAccuracy().evaluate(Conversation(tuple(messages)), reference=reference)


def among(*nbest: tuple[str, float], **fields: Any) -> Score:
    return ASRAccuracy(**fields).evaluate(Conversation((Message("user", nbest[0][0] if nbest else ""),)), nbest=nbest)


def step(number: int, confidence: float | None, *, actor: str = "customer") -> Step:
    span = SpanRecord(
        tenant="",
        trace_id="",
        span_id=f"s{number}",
        parent_span_id="",
        name="",
        service="",
        scope="",
        dialect="",
        step_kind="speech",
        started_ns=0,
        ended_ns=0,
        status="",
        actor=actor,
    )
    return Step(number, number, span, confidence)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Twenty-first,\tof MAY! ", "twenty first of may"),
        ("It\u2019s the dogs' 'house'", "it's the dogs house"),
        ("\uff21\uff22\uff23 \ufb01ne Straße", "abc fine strasse"),
        ("<unk> b&b", "unk b b"),
        ("12/14/2023", "12 14 2023"),
        ("हिन्दी", "हिन्दी"),
        ("\ud800 ?! \x00", ""),
    ],
)
def test_the_one_normaliser(text: str, plain: str) -> None:
    assert normalised(text) == plain


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


words = st.lists(st.sampled_from(["add", "the", "song", "Song,", "to", "my", "list", "it's"]), min_size=1, max_size=9)


@given(said=words, seen=words)
@settings(max_examples=60, deadline=None)
def test_equals_jiwer_after_the_normaliser(said: list[str], seen: list[str]) -> None:
    score = heard(" ".join(seen), reference=" ".join(said))
    expected = max(0.0, 1 - jiwer.wer(normalised(" ".join(said)), normalised(" ".join(seen))))
    assert score.score == pytest.approx(expected, abs=1e-9)


def test_what_went_wrong_is_counted() -> None:
    score = heard("at the song to to my", reference="add the song to my list")
    assert (score.label, score.mode) == ("errors", "reference")
    assert score.details == {
        "unit": "word",
        "error_rate": 0.5,
        "reference_units": 6,
        "substitutions": 1,
        "deletions": 1,
        "insertions": 1,
    }
    assert score.score == 0.5


def test_case_and_marks_are_no_errors() -> None:
    score = heard("Add the SONG to my list.", reference="add the song - to my list")
    assert (score.score, score.label) == (1.0, "exact")


def test_the_customers_turns_are_joined_in_order() -> None:
    assert heard("add the song", "to my list", reference="add the song to my list").score == 1.0
    assert heard("to my list", "add the song", reference="add the song to my list").score == 0.0


def test_many_insertions_are_not_below_zero() -> None:
    score = heard("a b c d e", reference="x")
    assert (score.score, score.details["error_rate"]) == (0.0, 5.0)


@pytest.mark.parametrize(("reference", "seen"), [("予約を取り消す", "予約 を取り出す"), ("ขอยกเลิกการ", "ขอยกเลิกกาน")])
def test_without_spaces_between_words_characters_are_compared(reference: str, seen: str) -> None:
    score = heard(seen, reference=reference)
    assert score.details["unit"] == "character"
    assert score.score == pytest.approx(1 - 1 / len(reference))


def test_korean_is_compared_by_words() -> None:
    score = heard("예약을 취소해 주세요", reference="예약을 취소해 주세여")
    assert score.details["unit"] == "word"
    assert score.score == pytest.approx(2 / 3)


def test_hypotheses_that_agree_are_sure_and_others_less_so() -> None:
    same = among(("add the song", 0.6), ("add the song!", 0.4))
    near = among(("add the song", 0.6), ("at the song", 0.4))
    far = among(("add the song", 0.6), ("a terse long", 0.4))
    assert (same.score, same.label, same.mode) == (1.0, "sure", "nbest")
    assert near.score == pytest.approx(1 - 2 * 0.6 * 0.4 / 3)
    assert far.score == pytest.approx(1 - 2 * 0.6 * 0.4)
    assert among(("add the song", 0.6), ("a terse long", 0.4), sure=0.5).label == "sure"
    assert far.label == "unsure"


def test_an_unknown_word_agrees_with_nothing() -> None:
    score = among(("play <unk>", 0.5), ("play <unk>", 0.5))
    assert score.score == pytest.approx(0.5)


def test_posteriors_count_by_their_shares_and_the_ten_best_alone() -> None:
    assert among(("a b", 6.0), ("a c", 4.0)).score == pytest.approx(1 - 2 * 0.6 * 0.4 / 2)
    score = among(*[("a b", 1.0)] * 10, ("x y", 0.5))
    assert (score.score, score.details) == (1.0, {"hypotheses": 11, "compared": 10})


def test_hypotheses_without_spaces_are_compared_by_characters() -> None:
    assert among(("予約する", 0.5), ("予約した", 0.5)).score == pytest.approx(1 - 2 * 0.25 * 0.5)


def test_a_hypothesis_of_silence_agrees_with_none_of_the_words() -> None:
    assert among(("add it", 0.5), ("", 0.5)).score == pytest.approx(0.5)


def test_a_live_conversation_is_judged_by_the_recognisers_confidence() -> None:
    messages = (
        Message("user", "book it", span_id="s1"),
        Message("assistant", "What?"),
        Message("user", "x", span_id="s3"),
    )
    steps = (step(1, 0.9), step(2, 0.2), step(3, 0.4), step(4, None), step(5, None, actor="agent"))
    score = ASRAccuracy().evaluate(Conversation(messages, steps=steps))
    assert score.score == pytest.approx(0.5)
    assert (score.mode, score.label) == ("confidence", "unsure")
    assert [(each.rule, each.message_index, each.span_id) for each in score.evidence] == [
        ("low_confidence", None, "s2"),
        ("low_confidence", 2, "s3"),
    ]
    assert score.details == {
        "recognitions": 4,
        "with_confidence": 3,
        "low": 2,
        "lowest": 0.2,
        "low_turns": [[2, 0.2], [3, 0.4]],
    }


def test_a_confidence_that_is_none_is_left_out() -> None:
    steps = (step(1, float("nan")), step(2, 7.0))
    assert ASRAccuracy().evaluate(Conversation((), steps=steps)).score is None


@pytest.mark.parametrize(
    ("inputs", "label"),
    [
        ({}, "no_reference"),
        ({"reference": " ?! "}, "empty_reference"),
        ({"reference": "word " * 20_001}, "too_large"),
        ({"nbest": []}, "too_few_hypotheses"),
        ({"nbest": [["add it", 1.0]]}, "too_few_hypotheses"),
        ({"nbest": [["add it", 0.9], ["at it", 0.0]]}, "too_few_hypotheses"),
        ({"nbest": [["", 0.9], ["?", 0.1]]}, "too_few_hypotheses"),
        ({"nbest": [["add it", -1.2], ["at it", -3.4]]}, "not_posteriors"),
        ({"nbest": [["word " * 3_000, 0.5], ["words " * 3_000, 0.5]]}, "too_large"),
    ],
)
def test_where_it_declines(inputs: dict[str, Any], label: str) -> None:
    score = ASRAccuracy().evaluate([{"role": "user", "content": "xq zzt the of of"}], **inputs)
    assert (score.score, score.status, score.label) == (None, "not_applicable", label)


def test_no_word_of_the_customer_is_not_a_wrong_one() -> None:
    for messages in ((), (Message("user", " "),), (Message("assistant", "add the song"),)):
        score = ASRAccuracy().evaluate(Conversation(messages), reference="add the song")
        assert (score.score, score.label) == (None, "no_transcript")


def test_a_share_is_a_share() -> None:
    with pytest.raises(ConfigError, match=r"ASRAccuracy\.sure is -0\.1; allowed: 0 to 1"):
        ASRAccuracy(sure=-0.1)


TEXT = st.text(st.characters(exclude_categories=()), max_size=30)


@given(said=TEXT, seen=TEXT, nbest=st.lists(st.tuples(TEXT, st.floats(-1, 9)), max_size=12))
@settings(max_examples=150, deadline=None)
def test_any_texts_give_a_share_or_none(said: str, seen: str, nbest: list[tuple[str, float]]) -> None:
    for score in (heard(seen, reference=said), among(*nbest)):
        assert (score.score is None) == (score.status == "not_applicable")
        assert score.score is None or 0 <= score.score <= 1
