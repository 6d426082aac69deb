"""Phrases and names of tools: what is meant by them, and what is not."""

from __future__ import annotations

import time

import pytest

from spanwitness.evaluators.policy.language import Tools
from spanwitness.evaluators.policy.phrases import Phrases, plain
from spanwitness.evaluators.policy.tools import names_tool


@pytest.mark.parametrize(
    ("phrase", "spoken", "said"),
    [
        ("I guarantee", "Well, I  GUARANTEE it!", True),
        ("I guarantee", "I guaranteed it.", False),
        ("cancel*", "It was cancelled.", True),
        ("cancel*", "You may cancel.", True),
        ("cancel*", "uncancelled", False),
        ("gift certificate*", "Two gift-certificates", True),
        ("100 % safe", "It is 100% safe", True),
        ("can't", "You can\u2019t do that", True),
        ("caf\u00e9", "CAFE\u0301 noir", True),
        ("caf", "caf\u00e9", False),
        ("risk free", "It is **risk**-free", True),
        ("risk free", "It is _risk_free_", True),
        ("risk free", "It is 'risk' \u2018free\u2019", True),
        ("risk free", "It is ri\u200bsk fr\u00adee", True),
        ("risk free", "brisk freedom", False),
        ("customers' money", "the customers' money", True),
        ("it'*", "it's", True),
        ("キャンセル", "予約をキャンセルしました", True),
        ("취소", "취소했습니다", True),
        ("отмена", "Отмена заказа", True),
        ("отмена", "отменах", False),
        ("إلغاء", "تم إلغاء الحجز", True),
        ("* fee", "a fee", True),
    ],
)
def test_what_counts_as_said(phrase: str, spoken: str, said: bool) -> None:
    assert Phrases((phrase,)).said_in(plain(spoken)) is said


def test_any_of_several_counts() -> None:
    assert Phrases(("one", "two")).said_in(plain("number two"))
    assert not Phrases(("one", "two")).said_in(plain("number three"))


@pytest.mark.parametrize("texts", [(), ("",), ("fine", "!?"), ("***",)])
def test_a_phrase_needs_a_letter_or_digit(texts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="phrases with letters or digits"):
        Phrases(texts)


def test_a_hostile_text_takes_time_that_grows_with_its_length_only() -> None:
    phrases = Phrases(("a* a* a* b", "aa aa aa aa c", "x*"))
    started = time.process_time()
    for unit in ("a", "a ", "aa ", "\ud800"):
        phrases.said_in(plain(unit * (2**20 // len(unit))))
    assert time.process_time() - started < 60


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("cancel_order", "cancel_order", True),
        ("cancel_order", "cancel_orders", False),
        ("cancel_*", "orders.cancel_all", True),
        ("cancel_order", "crm__cancel_order", True),
        ("crm__*", "crm__cancel_order", True),
        ("get_?", "get_a", True),
        ("cancel_order", "Cancel-Order ", True),
        ("cancel-*", "CRM.CANCEL_ORDER", True),
        ("cancel_order", "cancel_order_2", False),
        ("*", "x" * 300, True),
        ("*", "", True),
    ],
)
def test_which_tool_is_meant(pattern: str, name: str, meant: bool) -> None:
    assert names_tool(Tools((pattern,)), name) is meant
