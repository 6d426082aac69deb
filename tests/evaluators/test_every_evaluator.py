"""What every evaluator promises, checked on each that is built in: a new one is covered by being registered."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spanwitness.evaluators import BUILT_IN, Evaluator
from spanwitness.model import Conversation, Message, ToolCall

if TYPE_CHECKING:
    from spanwitness.model import Score

PAGES = Path(__file__).parents[2] / "docs" / "evaluators"
MIB = 1 << 20

PHRASES = (
    "Your licence has been renewed.",
    "I was unable to renew it.",
    "I am transferring you to a colleague.",
    "Let me speak to your manager!",
    "Is that correct?",
    "Yes, please.",
    "It still does not work.",
    "Ich möchte meine Buchung stornieren.",
    "予約をキャンセルしてください。",
    "أريد إلغاء الحجز",
    "\x00\ud800\u202e\ufffe",
    "",
)
TOOLS = ("get_order", "cancel_order", "transfer_to_human_agents", "escalate", "", "крм.отмена", "__", "x" * 300)
anything = st.text(st.characters(exclude_categories=()), max_size=60)
texts = st.one_of(anything, st.lists(st.sampled_from(PHRASES), max_size=4).map(" ".join))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
arguments = st.one_of(anything, values.map(json.dumps), st.sampled_from(["[" * 100_000, "1" * 5_000, '{"a":' * 3_000]))
calls = st.builds(
    ToolCall, id=st.sampled_from(["", "1", "2"]), name=st.one_of(st.sampled_from(TOOLS), anything), arguments=arguments
)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=st.one_of(texts, arguments),
    tool_calls=st.lists(calls, max_size=3).map(tuple),
    tool_call_id=st.sampled_from(["", "1", "2", "3"]),
    error=st.booleans(),
)
conversations = st.builds(
    Conversation, messages=st.lists(messages, max_size=12).map(tuple), language=st.sampled_from(["", "en", "ja"])
)


def keeps_the_contract(score: Score, evaluator: Evaluator, conversation: Conversation) -> None:
    assert (score.evaluator, score.evaluator_version) == (evaluator.name, evaluator.version)
    assert score.status in ("completed", "not_applicable")
    assert (score.score is not None and math.isfinite(score.score)) == (score.status == "completed")
    assert score.explanation.strip()
    assert score.explanation.encode()
    assert score.label
    for each in score.evidence:
        assert each.rule
        assert each.message_index is None or 0 <= each.message_index < len(conversation.messages)
    json.dumps(score.details)


@pytest.fixture(params=[*BUILT_IN.values()], ids=[*BUILT_IN])
def evaluator(request: pytest.FixtureRequest) -> Evaluator:
    kind: type[Evaluator] = request.param
    return kind()


@given(conversation=conversations)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
def test_answers_any_conversation_and_the_same_again(evaluator: Evaluator, conversation: Conversation) -> None:
    score = evaluator.evaluate(conversation)
    keeps_the_contract(score, evaluator, conversation)
    assert type(evaluator)().evaluate(conversation) == score


def test_is_a_frozen_dataclass_named_as_registered_with_a_page(evaluator: Evaluator) -> None:
    assert isinstance(evaluator, Evaluator)
    assert BUILT_IN[evaluator.name] is type(evaluator)
    assert evaluator.version
    assert dataclasses.is_dataclass(evaluator)
    assert type(evaluator).__dataclass_params__.frozen
    page = (PAGES / f"{evaluator.name}.md").read_text()
    assert page.startswith(f"# {evaluator.name}\n")
    for field in dataclasses.fields(evaluator):
        assert f"`{field.name}`" in page, "every parameter is on the page"


@pytest.mark.parametrize(
    "talk",
    [
        (),
        (Message("system", "You are helpful."),),
        (Message("assistant", "Hello, how can I help?"),),
        (Message("user", " \n"), Message("assistant", "")),
        (Message("tool", "orphan", tool_call_id="9"),),
    ],
)
def test_without_what_it_needs_there_is_no_number(evaluator: Evaluator, talk: tuple[Message, ...]) -> None:
    score = evaluator.evaluate(Conversation(talk))
    assert (score.status, score.score) == ("not_applicable", None)
    keeps_the_contract(score, evaluator, Conversation(talk))


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "\n",
        "?",
        "has been ",
        "now also just already ",
        "i was unable to ",
        "no other other ",
        "i will transfer transfer ",
        "speak to a ",
        "\u4eba",
        "1,000",
        "{",
        '"error',
    ],
)
def test_a_message_of_1_mib_takes_time_that_grows_with_its_length_only(evaluator: Evaluator, unit: str) -> None:
    long = unit * (MIB // len(unit))
    call = ToolCall("1", "do_it", long)
    talk = (
        Message("user", "Please book it."),
        Message("assistant", long, (call,)),
        Message("tool", long, tool_call_id="1"),
        Message("user", long),
        Message("assistant", long),
    )
    started = time.process_time()
    score = evaluator.evaluate(Conversation(talk))
    assert time.process_time() - started < 300  # what backtracks or is quadratic takes minutes
    keeps_the_contract(score, evaluator, Conversation(talk))


def test_ten_thousand_messages_take_time_in_proportion(evaluator: Evaluator) -> None:
    one = (
        Message("user", "Please book it now."),
        Message("assistant", "", (ToolCall("1", "book_it", '{"a": 1}'),)),
        Message("tool", "Error: no", tool_call_id="1"),
        Message("assistant", "I was unable to book it. Shall I try again?"),
    )
    started = time.process_time()
    evaluator.evaluate(Conversation(one * 2_500))
    assert time.process_time() - started < 30
