"""What the numbers of a conversation are, one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from spanwitness.drift.counting import count, tool_names
from spanwitness.drift.features import COVARIATES, FEATURES, INDEX

Message = dict[str, Any]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def agent(text: str = "", calls: list[tuple[str, Any]] | None = None, usage: Any = None, **more: Any) -> Message:
    message = {"role": "assistant", "content": text, **more}
    message |= {"tool_calls": [{"name": name, "arguments": given} for name, given in calls]} if calls else {}
    return message | ({"usage": usage} if usage else {})


def value(name: str, *messages: Message, tools: tuple[str, ...] = ()) -> float:
    return float(count({"messages": list(messages)}).valued(tools)[INDEX[name]])


def tokens(before: int, output: int, reasoning: int = 0, cached: int = 0) -> Message:
    return {
        "input_tokens": before,
        "output_tokens": output,
        "reasoning_tokens": reasoning,
        "cache_read_tokens": cached,
    }


CASES: list[tuple[str, list[Message], float]] = [
    ("calls", [user("a"), agent(calls=[("f", {}), ("g", {})]), agent("done"), user("b"), agent("well")], 1.0),
    ("parallel", [user("a"), agent(calls=[("f", {}), ("g", {})])], 0.5),
    ("talks_calling", [user("a"), agent("I look.", [("f", {})]), agent(calls=[("f", {"x": 1})])], 0.5),
    ("repeated", [user("a"), agent(calls=[("f", {"x": 1})]), agent(calls=[("f", {"x": 1})])], 0.5),
    ("tools_used", [user("a"), agent(calls=[("f", {}), ("g", {}), ("f", {})])], 2.0),
    ("arguments", [user("a"), agent(calls=[("f", '{"x": 1, "y": 2}'), ("f", {})])], 1.0),
    ("empty_arguments", [user("a"), agent(calls=[("f", {"x": None, "y": "", "z": 0})])], 2.0),
    ("numbers_as_text", [user("a"), agent(calls=[("f", {"x": "12", "y": 12})])], 1.0),
    ("fractions", [user("a"), agent(calls=[("f", {"x": 1.0, "y": 1, "z": 1.5})])], 2.0),
    ("spaced_json", [user("a"), agent(calls=[("f", '{"x": 1}'), ("f", '{"x":1}')])], 0.5),
    ("calls_first", [user("a"), agent("hm"), agent(calls=[("f", {})])], 1.0),
    ("finish_length", [user("a"), agent("x", finish_reason="length"), agent("y", finish_reason="stop")], 0.5),
    ("finish_stop_calling", [user("a"), agent("", [("f", {})], finish_reason="stop")], 1.0),
    ("finish_other", [user("a"), agent("x", finish_reason="content_filter")], 1.0),
    ("text_per_token", [user("a"), agent("x" * 40, usage=tokens(9, 15, 5))], math.log(4)),
    ("argument_per_token", [user("a"), agent(calls=[("f", "x" * 30)], usage=tokens(9, 10))], math.log(3)),
    ("reasoning", [user("a"), agent("x", usage=tokens(9, 30, 15)), agent("y", usage=tokens(9, 10))], 15 / 40),
    ("any_reasoning", [user("a"), agent("x", usage=tokens(9, 30, 15)), agent("y", usage=tokens(9, 10))], 0.5),
    ("output", [user("a"), agent("x", usage=tokens(9, 19))], math.log(20)),
    ("first_input", [user("a" * 40), agent("x", usage=tokens(1010, 5))], 1000.0),
    ("cached", [user("a"), agent("x", usage=tokens(100, 5, 0, 25))], 0.25),
    ("latency", [user("a"), agent("x", latency_ms=99)], math.log(100)),
    ("latency_per_token", [user("a"), agent("x", usage=tokens(9, 5), latency_ms=90)], math.log(10)),
    ("user_questions", [user("a?"), agent("x"), user("????"), agent("y")], 50.0),
    ("messages", [user("a"), agent("x"), agent("y"), agent(calls=[("f", {})])], 2.0),
]


@pytest.mark.parametrize(("name", "messages", "expected"), CASES, ids=[case[0] for case in CASES])
def test_each_number(name: str, messages: list[Message], expected: float) -> None:
    assert value(name, *messages) == pytest.approx(expected)


def test_new_input_is_told_in_characters_per_token_of_growth() -> None:
    """60 characters of the agent's own and 140 of a tool's result came between the calls, which grew by 50 tokens."""
    first = agent("x" * 60, usage=tokens(100, 15))
    result = {"role": "tool", "content": "cut", "length": 140}
    assert value("input_per_token", user("a"), first, result, agent("y", usage=tokens(150, 5))) == pytest.approx(
        math.log(4)
    )


def test_a_quotient_of_nonsense_is_missing() -> None:
    usage = {"input_tokens": 9, "output_tokens": 1e-112, "reasoning_tokens": 1}
    assert np.isnan(value("reasoning", user("a"), agent("x", usage=usage)))


def test_what_is_not_told_is_missing_and_not_nothing() -> None:
    values = count({"messages": [user("a"), agent("b")]}).values
    for name in ("reasoning", "first_input", "cached", "latency", "parallel", "finish_length"):
        assert np.isnan(values[INDEX[name]])


def test_a_greeting_before_the_first_user_message_is_not_counted() -> None:
    greeting = agent("HELLO THERE")
    assert value("upper", greeting, user("a"), agent("fine")) == 0
    counted_as_a_call = agent("HELLO THERE", usage=tokens(9, 3))
    assert value("upper", counted_as_a_call, user("a"), agent("fine")) > 0


def test_the_most_used_tools_get_a_number_of_their_own_and_others_share_one() -> None:
    messages = [user("a"), *[agent(calls=[("often", {})])] * 3, agent(calls=[("rare", {})])]
    names = tool_names([count({"messages": messages})])
    assert names == ("often", "rare")
    assert value("tool:0", *messages, tools=names[:1]) == 0.75
    assert value("other_tools", *messages, tools=names[:1]) == 0.25


@pytest.mark.parametrize("key", ["prompt_hash", "prompt_version"])
def test_a_prompt_is_known_by_hash_version_or_text(key: str) -> None:
    one, other = (count({key: told, "messages": []}).prompt for told in ("v1", "v2"))
    assert one
    assert one != other
    assert count({"messages": []}).prompt == ""
    system = count({"messages": [{"role": "system", "content": "Be kind."}]}).prompt
    assert system
    assert "kind" not in system


def test_shapes_are_those_of_the_catalogue() -> None:
    found = count({"topic": "refund", "messages": [user("Where is it?"), agent("Here.")]})
    assert found.values.shape == (len(FEATURES),)
    assert found.covariates.shape == (len(COVARIATES),)
    assert found.topic == "refund"


@pytest.mark.parametrize("odd", [None, 3, [], {}, {"messages": None}, {"messages": [None, 1, {}]}])
def test_an_odd_shape_counts_as_absent(odd: Any) -> None:
    assert np.isnan(count(odd).values).all()
