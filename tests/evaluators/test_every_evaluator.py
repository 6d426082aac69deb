"""What every evaluator promises, checked on each that is built in: a new one is covered by being registered."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spanwitness.evaluators import BUILT_IN, ChatEvaluator, Evaluator
from spanwitness.model import Conversation, Document, Message, SpanRecord, Step, ToolCall

if TYPE_CHECKING:
    from spanwitness.model import Score

PAGES: Final = Path(__file__).parents[2] / "docs" / "evaluators"
MIB: Final = 1 << 20
RANGES: Final = {"CustomerAgentConversationQuality": (1.0, 5.0)}  # all others: 0 to 1
TOO_LONG_S: Final = 60  # of the processor: far beyond what anything needs, and far below what is quadratic would take

PHRASES = (
    "Your licence has been renewed.",
    "I was unable to renew it.",
    "I am transferring you to a colleague.",
    "Let me speak to your manager!",
    "Is that correct?",
    "Yes, please.",
    "It still does not work.",
    "The fare is $1,200.50, due on 3 May 2026 at 14:30.",
    "My card is 4111 1111 1111 1111, IBAN DE89 3704 0044 0532 0130 00.",
    "Mail jane.doe@example.org or call +44 20 7946 0958, from 203.0.113.7.",
    "Ich möchte meine Buchung stornieren.",
    "予約をキャンセルしてください。",
    "أريد إلغاء الحجز",
    "٤٥٣٩ ٥٧٨٧ ٦٣٦٢ ٤٨٦٣",
    "\x00\ud800\u202e\ufffe",
    "",
)
ODD = ("[" * 100_000, "1" * 5_000, '{"a":' * 3_000, "1e999999", "NaN", "-Infinity", '"\\ud800"', "1_000", "²", "½ ¾")
TOOLS = ("get_order", "cancel_order", "transfer_to_human_agents", "escalate", "", "крм.отмена", "__", "x" * 300)
anything = st.text(st.characters(exclude_categories=()), max_size=60)
halves = st.sampled_from(["\ud800", "Yes \udfff\ud800, please.", "Error: \ud83d", "4111\udc0041111111"])
texts = st.one_of(anything, halves, st.lists(st.sampled_from(PHRASES), max_size=4).map(" ".join))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
arguments = st.one_of(anything, values.map(json.dumps), st.sampled_from(ODD))
ids = st.sampled_from(["", "1", "2", "3"])
names = st.one_of(st.sampled_from(TOOLS), anything)
calls = st.builds(ToolCall, id=ids, name=names, arguments=arguments)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=st.one_of(texts, arguments),
    tool_calls=st.lists(calls, max_size=3).map(tuple),
    tool_call_id=ids,
    name=names,
    error=st.booleans(),
)
confidences = st.one_of(st.none(), st.floats())


def step(number: int, kind: str, confidence: float | None) -> Step:
    span = SpanRecord(
        *("acme", f"{number:032x}", f"{number:016x}", "", "step", "desk", "scope", "", kind, number, number + 1, ""),
        actor="customer",
    )
    return Step(number, number, span, confidence)


steps = st.lists(
    st.builds(step, st.integers(1, 99), st.sampled_from(["llm", "tool", "speech"]), confidences), max_size=3
)
conversations = st.builds(
    Conversation,
    messages=st.one_of(st.lists(messages, max_size=4), st.lists(messages, min_size=6, max_size=12)).map(tuple),
    steps=steps.map(tuple),
    system_prompt=st.one_of(st.just(""), texts),
    documents=st.lists(st.builds(Document, content=st.one_of(texts, arguments)), max_size=2).map(tuple),
    channel=st.sampled_from(["", "voice", "chat"]),
    language=st.sampled_from(["", "en", "ja", "xx-invalid"]),
)
further = st.fixed_dictionaries(
    {},
    optional={
        "system_prompt": texts,
        "documents": st.lists(texts, max_size=2),
        "expected_actions": st.lists(calls, max_size=2),
        "required_outputs": st.lists(texts, max_size=2),
        "reference": texts,
        "nbest": st.lists(st.tuples(texts, st.floats(-1, 2)), max_size=3),
    },
)
ANY = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=150
)
EVERY: Final = tuple(
    kind() for kind in BUILT_IN.values()
)  # of one conversation each is asked: to make it takes longest


def keeps_the_contract(score: Score, evaluator: Evaluator, conversation: Conversation) -> None:
    assert (score.evaluator, score.evaluator_version) == (evaluator.name, evaluator.version)
    assert score.status in ("completed", "not_applicable")
    assert (score.score is not None) == (score.status == "completed")
    low, high = RANGES.get(evaluator.name, (0.0, 1.0))
    assert score.score is None or (math.isfinite(score.score) and low <= score.score <= high)
    assert score.explanation.strip()
    assert score.label.strip()
    for each in score.evidence:
        assert each.rule
        assert each.message_index is None or 0 <= each.message_index < len(conversation.messages)
    # As the store and the next hop take it: UTF-8 and JSON without NaN.
    told = [score.explanation, score.label, score.mode, *(each.rule for each in score.evidence)]
    assert "".join([*told, json.dumps(score.details, ensure_ascii=False, allow_nan=False)]).encode()


@pytest.fixture(params=[*BUILT_IN.values()], ids=[*BUILT_IN])
def evaluator(request: pytest.FixtureRequest) -> ChatEvaluator:
    kind: type[ChatEvaluator] = request.param
    return kind()


@given(conversation=conversations)
@ANY
def test_each_answers_any_conversation_and_the_same_again(conversation: Conversation) -> None:
    for evaluator in EVERY:
        score = evaluator.evaluate(conversation)
        keeps_the_contract(score, evaluator, conversation)
        assert type(evaluator)().evaluate(conversation) == score


@given(conversation=conversations, inputs=further)
@ANY
def test_each_answers_whatever_else_a_caller_knows(conversation: Conversation, inputs: dict[str, Any]) -> None:
    for evaluator in EVERY:
        score = evaluator.evaluate(conversation, **inputs)
        keeps_the_contract(score, evaluator, conversation)
        assert evaluator.evaluate(conversation, **inputs) == score


PLANTED: Final = "q7zxvk"
PERSONAL: Final = (
    "5555 5555 5555 4444",
    "5555555555554444",
    f"{PLANTED}@mail.example",
    "+44 20 7946 0018",
    "GB82 WEST 1234",
)
SAID: Final = (
    f"My password is {PLANTED}, please cancel order {PLANTED}.",
    f"I have cancelled {PLANTED}: the total is 73519 dollars, {PLANTED}.",
    f"I was unable to cancel {PLANTED}. Error: {PLANTED} 73519.",
    f"No, I said {PLANTED}! That is wrong, I want a manager called {PLANTED}.",
    f"Reach me at {PERSONAL[2]} or {PERSONAL[3]}, card {PERSONAL[0]}, account {PERSONAL[4]} 5698 7654 32.",
    f"Your card {PERSONAL[1]} and {PERSONAL[2]} are on file.",
    f"I am transferring you to {PLANTED}. Thanks, {PLANTED}.",
)
said = st.lists(st.sampled_from(SAID), min_size=1, max_size=3).map(" ".join)
spoken = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "tool"]),
    content=said,
    tool_calls=st.lists(
        st.builds(
            ToolCall,
            id=ids,
            name=st.sampled_from(TOOLS[:4]),
            arguments=said.map(lambda text: json.dumps({"note": text, PLANTED: 73519})),
        ),
        max_size=2,
    ).map(tuple),
    tool_call_id=ids,
    error=st.booleans(),
)


@given(
    talk=st.lists(spoken, min_size=2, max_size=12).map(tuple),
    prompt=said,
    read=said,
    inputs=st.fixed_dictionaries({}, optional={"reference": said, "required_outputs": st.lists(said, max_size=1)}),
)
@ANY
def test_none_tells_what_was_said(talk: tuple[Message, ...], prompt: str, read: str, inputs: dict[str, Any]) -> None:
    """Explanations go on to other systems, and a score is kept longer than what it was made of."""
    conversation = Conversation(talk, system_prompt=prompt, documents=(Document(read),))
    for evaluator in EVERY:
        told = repr(evaluator.evaluate(conversation, **inputs))
        assert not [text for text in (PLANTED, "73519", *PERSONAL) if text in told]


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


def long_talk(text: str) -> Conversation:
    """One in which everything is that text."""
    call = ToolCall("1", "do_it", text)
    return Conversation(
        (
            Message("user", "Please book it."),
            Message("assistant", text, (call,)),
            Message("tool", text, tool_call_id="1"),
            Message("user", text),
            Message("assistant", text),
        ),
        system_prompt=text,
        documents=(Document(text),),
    )


def seconds(evaluator: Evaluator, conversation: Conversation) -> float:
    started = time.process_time()
    score = evaluator.evaluate(conversation)
    took = time.process_time() - started
    keeps_the_contract(score, evaluator, conversation)
    return took


UNITS: Final = (
    *("a", "Aa ", " ", "\n", "?", "-", "\u4eba", "\U0001f600", "\u0301"),
    *("1", "1,000", "1-", "4111 ", "+1 ", "(", "[", "{", '"error', "{}", "key=", "http://"),
    *("@", "a@", "a.", "a@b.", "DE89 ", "1.", "::", "GB82WEST"),
    *("has been ", "now also just already ", "i was unable to ", "no other other ", "i will transfer transfer "),
    *("speak to a ", "don't ", "yes, ", "i have cancelled 1 "),
)


@pytest.mark.parametrize("unit", UNITS)
def test_messages_of_one_thing_are_answered_in_the_end(evaluator: Evaluator, unit: str) -> None:
    """1 MiB in four messages, and 256 KiB each as prompt and document."""
    assert seconds(evaluator, long_talk(unit * (MIB // 4 // len(unit)))) < TOO_LONG_S


@pytest.mark.parametrize("role", ["user", "assistant", "tool"])
def test_a_message_of_1_mib_is_answered_in_the_end(
    evaluator: Evaluator, role: Literal["user", "assistant", "tool"]
) -> None:
    mixed = "".join(unit * 20 for unit in UNITS)

    said = Message(role, mixed * (MIB // len(mixed)), tool_call_id="1")
    calls = (ToolCall("1", "get_order", "{}"),)
    talk = Conversation((Message("user", "Hi"), Message("assistant", "", calls), said, Message("user", "Well?")))
    assert seconds(evaluator, talk) < TOO_LONG_S


@pytest.mark.parametrize(
    "one",
    [
        (
            Message("user", "Please book it now."),
            Message("assistant", "", (ToolCall("1", "book_it", '{"a": 1}'),)),
            Message("tool", "Error: no", tool_call_id="1"),
            Message("assistant", "I was unable to book it. Shall I try again?"),
        ),
        (
            Message("user", "My number is 4111 1111 1111 1111, what is the fare to Graz?"),
            Message("assistant", "", (ToolCall("2", "get_fare", '{"to": "Graz"}'),)),
            Message("tool", '{"fare": 120, "to": "Graz", "mail": "desk@example.org"}', tool_call_id="2"),
            Message("assistant", "The fare to Graz is 120 dollars. Write to desk@example.org."),
        ),
    ],
    ids=["writes", "reads"],
)
def test_ten_thousand_messages_are_answered_in_the_end(evaluator: Evaluator, one: tuple[Message, ...]) -> None:
    assert seconds(evaluator, Conversation(one * 2_500)) < TOO_LONG_S
