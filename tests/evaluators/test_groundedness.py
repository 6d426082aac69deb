"""Groundedness: documents, figures, the worst turn, and where it declines."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.errors import ConfigError
from spanwitness.evaluators import Groundedness
from spanwitness.model import Conversation, Document, Message, Score, SpanRecord, Step, ToolCall

TERMS = "The notice period is three months. Customers who move house may leave after one month."
ASKS = ("user", "How long is the notice period?")
THREE_MONTHS, PIGEON = "The notice period is three months.", "Refunds arrive by carrier pigeon."
RIGHT, WRONG = ("assistant", THREE_MONTHS), ("assistant", PIGEON)
CHAT = ("assistant", "Hello! How can I help you?")
LOOKS = Message("assistant", "", (ToolCall("1", "get_order", "{}"),))
ORDER = '{"order_id": "W2806889", "price": 128.5, "items": 12}'


def judged(*turns: Any, documents: Any = (), steps: tuple[Step, ...] = (), **fields: Any) -> Score:
    messages = tuple(turn if isinstance(turn, Message) else Message(*turn) for turn in turns)
    docs = tuple(each if isinstance(each, Document) else Document(each) for each in documents)
    return Groundedness(**fields).evaluate(Conversation(messages, steps=steps, documents=docs))


def result(content: str = ORDER) -> Message:
    return Message("tool", content, tool_call_id="1")


def step(number: int, turn: int, span_id: str) -> Step:
    span = SpanRecord(
        tenant="",
        trace_id="",
        span_id=span_id,
        parent_span_id="",
        name="",
        service="",
        scope="",
        dialect="",
        step_kind="retrieval",
        started_ns=0,
        ended_ns=0,
        status="",
    )
    return Step(number, turn, span)


def rules(score: Score) -> list[tuple[str, int | None]]:
    return [(each.rule, each.message_index) for each in score.evidence]


def test_an_answer_from_the_document_is_grounded() -> None:
    score = judged(ASKS, RIGHT, documents=[TERMS])
    assert (score.score, score.label, score.mode) == (1.0, "grounded", "documents")
    assert score.details["turns"] == [[1, 1.0]]
    assert rules(score) == [("worst_turn", 1)]


def test_an_answer_from_nowhere_is_not() -> None:
    score = judged(ASKS, WRONG, documents=[TERMS])
    assert (score.score, score.label) == (0.0, "not_grounded")
    assert rules(score) == [("worst_turn", 1), ("weakly_supported", 1)]
    assert score.details["worst_support"] == {"words": 0.0, "pairs": 0.0, "sentence": 0.0}


def test_an_opinion_takes_off_a_share() -> None:
    score = judged(ASKS, ("assistant", "I love that notice period, three months."), documents=[TERMS])
    plain = judged(ASKS, ("assistant", "We love that notice period, three months."), documents=[TERMS])
    assert plain.score is not None
    assert score.score == pytest.approx(0.7 * plain.score)
    assert "an opinion told" in score.explanation


def test_one_wrong_turn_of_twenty_is_the_score() -> None:
    turns = [ASKS, RIGHT] * 19 + [ASKS, WRONG]
    score = judged(*turns, documents=[TERMS])
    assert score.score == 0.0
    assert len(score.details["turns"]) == 20
    assert ("worst_turn", 39) in rules(score)


def test_one_invented_figure_of_many_turns_is_the_score() -> None:
    told = ("assistant", "Order W2806889 is $128.50.")
    clean = judged(*[ASKS, LOOKS, result(), told] * 10)
    assert (clean.score, clean.label, clean.mode) == (1.0, "grounded", "tool_results")
    assert clean.details["figures"] == 20
    score = judged(*[ASKS, LOOKS, result(), told] * 10, ("assistant", "W2806889 comes with $77.10 for delivery."))
    assert (score.score, score.label) == (0.25, "figure_not_traced")
    assert score.details["figures_not_traced"] == [[40, 21, 26, "amount"]]
    assert rules(score) == [("worst_turn", 40), ("figure_not_traced", 40)]


def test_neither_explanation_nor_details_repeat_a_value() -> None:
    score = judged(ASKS, LOOKS, result(), ("assistant", "Card 4929123412341234 was charged $913.37."))
    assert score.label == "figure_not_traced"
    assert "4929" not in f"{score.explanation}{score.details}"
    assert "913" not in f"{score.explanation}{score.details}"


def test_an_invented_figure_spoils_an_answer_from_the_document() -> None:
    score = judged(ASKS, ("assistant", "The notice period is three months, fee $49.90."), documents=[TERMS])
    assert score.score == 0.0
    assert score.label == "figure_not_traced"


def test_both_sources_and_a_turn_of_each() -> None:
    score = judged(ASKS, RIGHT, ASKS, LOOKS, result(), ("assistant", "Your order costs $128.50."), documents=[TERMS])
    assert (score.mode, score.score) == ("both", 1.0)
    assert [place for place, _ in score.details["turns"]] == [1, 5]


def test_after_a_tool_was_used_words_are_compared_only_where_a_step_shows_a_retrieval() -> None:
    document = Document(TERMS, span_id="r")
    turns = (ASKS, LOOKS, result(), ("assistant", "Order W2806889."), ASKS, Message("assistant", PIGEON, span_id="a"))
    assert judged(*turns, documents=[TERMS]).score == 1.0
    same_turn = (step(1, 2, "r"), step(2, 2, "a"))
    assert judged(*turns, documents=[document], steps=same_turn).score == 0.0
    other_turn = (step(1, 1, "r"), step(2, 2, "a"))
    assert judged(*turns, documents=[document], steps=other_turn).score == 1.0


def test_a_tool_whose_result_holds_a_document_is_a_retrieval() -> None:
    found = result(f'[{{"text": "{TERMS}"}}]')
    assert judged(ASKS, LOOKS, found, WRONG, documents=[TERMS]).score == 0.0


def test_what_was_said_before_the_first_retrieval_is_not_held_against_it() -> None:
    early, late = Message("assistant", PIGEON, span_id="a"), Message("assistant", THREE_MONTHS, span_id="b")
    steps = (step(1, 1, "a"), step(2, 2, "r"), step(3, 2, "b"))
    score = judged(ASKS, early, ASKS, late, documents=[Document(TERMS, span_id="r")], steps=steps)
    assert score.details["turns"] == [[3, 1.0]]


@pytest.mark.parametrize(
    ("turns", "documents", "label"),
    [
        ((ASKS, RIGHT), (), "no_sources"),
        ((ASKS, RIGHT), (" \n",), "no_sources"),
        ((ASKS, CHAT), (TERMS,), "generic"),
        ((ASKS,), (TERMS,), "generic"),
        ((ASKS, LOOKS, result(), ("assistant", "Your order is on its way.")), (), "no_figures"),
        ((ASKS, ("assistant", "ระยะเวลาแจ้งล่วงหน้าสามเดือน")), (TERMS,), "not_understood"),
        ((ASKS, RIGHT), ("ระยะเวลาแจ้งล่วงหน้าสามเดือน",), "not_understood"),
        ((ASKS, ("assistant", "Die Kündigungsfrist beträgt drei Monate zum Ende.")), (TERMS,), "not_understood"),
        ((ASKS, RIGHT), (TERMS * 20_000,), "too_large"),
    ],
)
def test_where_it_declines(turns: tuple[Any, ...], documents: tuple[str, ...], label: str) -> None:
    score = judged(*turns, documents=documents)
    assert (score.score, score.status, score.label) == (None, "not_applicable", label)


def test_a_turn_that_cannot_be_read_is_counted_beside_those_that_can() -> None:
    score = judged(ASKS, RIGHT, ASKS, ("assistant", "契約は満了の三か月前に解約できます。"), CHAT, documents=[TERMS])
    assert score.details["turns"] == [[1, 1.0]]
    assert (score.details["not_understood_turns"], score.details["generic_turns"]) == (1, 1)


def test_what_was_said_before_the_record_began_is_not_held_against_the_agent() -> None:
    known = ("assistant", "Your estimate is $6,420.50.")
    asks, again = Message("user", "And the wall?", span_id="a"), Message("assistant", "Of the $6,420.50.", span_id="a")
    looks, found = Message("assistant", "", (ToolCall("1", "find", "{}"),), span_id="a"), result('{"days": 14}')
    steps = (step(1, 1, "a"),)
    score = judged(ASKS, known, asks, looks, found, again, steps=steps)
    assert (score.label, score.details["turns"], score.details["earlier_turns"]) == ("grounded", [[5, 1.0]], 1)
    invented = Message("assistant", "It takes 15 days.", span_id="a")
    assert judged(ASKS, known, asks, looks, found, invented, steps=steps).label == "figure_not_traced"
    assert judged(ASKS, known, asks, looks, found, steps=steps).label == "said_before"
    # With a tool's result in that history its sources are on record; without steps nothing tells what is history.
    assert judged(ASKS, LOOKS, found, known, asks, steps=steps).label == "figure_not_traced"
    assert judged(ASKS, known, asks, looks, found).label == "figure_not_traced"


def test_japanese_and_chinese_are_judged() -> None:
    terms = "契約は満了の三か月前に解約できます。引っ越しの場合は一か月前です。"
    assert judged(ASKS, ("assistant", "契約は満了の三か月前に解約できます。"), documents=[terms]).score == 1.0
    wrong = judged(ASKS, ("assistant", "返金は十四営業日以内に口座へ振り込まれます。"), documents=[terms]).score
    assert wrong is not None
    assert wrong < 0.2


def test_the_label_is_held_against_the_parameter() -> None:
    said = ("assistant", "The notice period for customers who move house is three months.")
    score = judged(ASKS, said, documents=[TERMS])
    assert score.score is not None
    assert judged(ASKS, said, documents=[TERMS], supported=score.score).label == "grounded"
    stricter = score.score + 0.01
    assert judged(ASKS, said, documents=[TERMS], supported=stricter).label == "weakly_supported"
    none = judged(ASKS, said, documents=[TERMS], supported=stricter, unsupported=stricter)
    assert (none.label, none.score) == ("not_grounded", score.score)


def test_a_share_is_a_share() -> None:
    with pytest.raises(ConfigError, match=r"Groundedness\.supported is 1\.5; allowed: 0 to 1"):
        Groundedness(supported=1.5)
    with pytest.raises(ConfigError, match=r"unsupported is 0\.7; allowed: 0 to supported, which is 0\.6"):
        Groundedness(unsupported=0.7)


def test_documents_given_go_before_those_on_record() -> None:
    talk = Conversation(
        (Message("user", "How long?"), Message("assistant", THREE_MONTHS)),
        documents=(Document("About something else entirely."),),
    )
    assert Groundedness().evaluate(talk, documents=[TERMS]).score == 1.0


ANY = st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from(
    (
        TERMS,
        PIGEON,
        ORDER,
        "a\x01b",
        "''' '' '",
        "契約は満了の三か月前",
        "ระยะเวลา",
        "1,2.3-4/5:6 7pm $٣٤ x9y8_7",
        "\ud800",
        "\u0903",
    )
)
SPOKEN = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=st.lists(ANY, max_size=3).map(" ".join),
)


@given(messages=st.lists(SPOKEN, max_size=8).map(tuple), documents=st.lists(ANY, max_size=3))
@settings(max_examples=150, deadline=None)
def test_any_words_against_any_documents_give_a_share_or_none(messages: Any, documents: list[str]) -> None:
    score = judged(*messages, documents=documents)
    assert score.status in ("completed", "not_applicable")
    assert (score.score is None) == (score.status == "not_applicable")
    assert score.score is None or 0 <= score.score <= 1
    for place, start, end, _ in score.details.get("figures_not_traced", ()):
        assert messages[place].content[start:end]


@pytest.mark.parametrize(
    "unit", ["a ", "the fee. ", "it's ", "\u4eba", "é ", "1-", "A1 b2 ", "$1.99 ", "1\n", "'", "\u0903"]
)
def test_long_documents_and_answers_take_time_in_proportion(unit: str) -> None:
    long = unit * ((1 << 18) // len(unit))
    started = time.process_time()
    score = judged(ASKS, ("assistant", long), ("user", long), ("assistant", long), documents=[long])
    assert time.process_time() - started < 20  # what backtracks or is quadratic takes minutes
    assert score.status in ("completed", "not_applicable")
