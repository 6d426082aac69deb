"""Each condition at a call, in three values: true, false, and what the record does not tell."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from spanwitness.evaluators import chat
from spanwitness.evaluators.policy import policy_of
from spanwitness.evaluators.policy.conditions import Truth, holds, some
from spanwitness.evaluators.policy.scene import Point, Scene
from spanwitness.model import Conversation, Message, SpanRecord, Step, ToolCall

ORDER = {"id": 1, "status": "Delivered", "items": [{"sku": "a", "price": 5}, {"sku": "b", "price": 50}], "note": None}


def call(number: int, name: str, arguments: dict[str, Any], result: Any = None, *, error: bool = False) -> list[Any]:
    asked = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": str(number), "name": name, "arguments": arguments}],
    }
    if result is None:
        return [asked]
    told = result if isinstance(result, str) else json.dumps(result)
    return [asked, {"role": "tool", "content": told, "tool_call_id": str(number), "error": error}]


TALK = chat.conversation_of(
    [
        {"role": "system", "content": "It is now 2026-11-21 09:00 EST."},
        {"role": "user", "content": "Refund order 1, I am angry."},
        *call(1, "find_customer", {"mail": "x"}, "c9"),
        *call(2, "get_order", {"id": 1}, ORDER),
        *call(3, "get_order", {"id": 2}, "Error: none", error=True),
        *call(4, "check_status", {"id": 1}, "ok"),
        *call(5, "ship", {"id": 1}),
        {"role": "assistant", "content": "There is a fee."},
        *call(6, "refund", {"order": "1", "amount": 20, "skus": ["a", "z"], "since": "2026-11-20T10:00:00"}),
    ]
)
AT = {"order": "order"}
GET = {"result": "get_order", "where": {"id": "order"}}


def truth(condition: dict[str, Any], talk: Conversation = TALK, **clock: Any) -> Truth:
    policy = policy_of(
        [{"name": "r", "forbid_call": "refund", "when": [condition]}],
        lookups={"order": {"result": "get_order", "where": {"id": "order"}}},
        **clock,
    )
    scene = Scene(talk, policy.clock)
    return holds(policy.rules[0].when, scene, scene.calls(policy.rules[0].demand.tools)[0])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"argument": "amount", "is": 20}, True),
        ({"argument": "amount", "is": "20"}, True),
        ({"argument": "amount", "is_not": 20}, False),
        ({"argument": "amount", "above": 20}, False),
        ({"argument": "amount", "at_least": 20}, True),
        ({"argument": "amount", "at_most": 19}, False),
        ({"argument": "amount", "below": 21}, True),
        ({"argument": "amount", "above": "much"}, None),
        ({"argument": "amount", "in": [10, 20]}, True),
        ({"argument": "amount", "not_in": [10, 20]}, False),
        ({"argument": "since", "contains": "11-20T"}, True),
        ({"argument": "amount", "contains": "2"}, False),
        ({"argument": "gone", "missing": True}, True),
        ({"argument": "gone", "missing": False}, False),
        ({"argument": "gone", "is_not": 1}, False),
        ({"argument": "skus", "is": "z"}, True),
        ({"argument": "skus", "is_not": "a"}, True),
        ({"argument": "skus.#", "is": 2}, True),
        ({"argument": "skus", "not_in": {**GET, "field": "items.#.sku"}}, True),
        ({"argument": "skus.0", "not_in": {"lookup": "order", "field": "items.#.sku"}}, False),
        ({"argument": "amount", "below": {**GET, "field": "items.#.price"}}, True),
        ({"argument": "amount", "is": {"argument": "gone"}}, False),
    ],
)
def test_arguments(condition: dict[str, Any], expected: Truth) -> None:
    assert truth(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({**GET, "field": "status", "is": "delivered"}, True),
        ({"lookup": "order", "field": "status", "is_not": "delivered"}, False),
        ({**GET, "field": "note", "missing": True}, True),
        ({**GET, "field": "status", "missing": True}, False),
        ({**GET, "field": "nothing", "is": "x"}, False),
        ({"result": "get_order", "where": {"id": {"value": 2}}, "field": "status", "is": "x"}, None),
        ({"result": "get_order", "where": {"id": "gone"}, "field": "status", "is": "x"}, None),
        ({"result": "get_order", "where": {"status": {"value": "delivered"}}, "field": "id", "is": 1}, True),
        ({"result": "find_customer", "is": "C9"}, True),
        ({"result": "find_customer", "field": "id", "is": "c9"}, None),
        ({"result": ["get_order", "check_status"], "field": "status", "is": "delivered"}, True),
        ({"result": "check_status", "returned": "bad", "is": "ok"}, None),
        ({"result": "ship", "is": "done"}, None),
        ({"result": "never", "field": "a", "missing": True}, None),
        ({"result": "find_customer", "is": {"result": "never"}}, None),
    ],
)
def test_results_of_earlier_calls(condition: dict[str, Any], expected: Truth) -> None:
    assert truth(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"called": "get_order"}, True),
        ({"called": "get_order", "where": {"id": "order"}}, True),
        ({"called": "get_order", "where": {"id": {"value": 2}}}, False),
        ({"called": "get_order", "where": {"id": {"argument": "gone"}}}, False),
        ({"called": "get_order", "where": {"id": {"result": "never"}}}, None),
        ({"called": "check_status", "returned": "OK"}, True),
        ({"called": "check_status", "returned": "no"}, False),
        ({"called": "ship"}, True),
        ({"called": "refund"}, False),
        ({"customer_said": "angry"}, True),
        ({"customer_said": "fee"}, False),
        ({"agent_said": ["fee", "charge"]}, True),
        ({"not": {"called": "ship"}}, False),
        ({"not": {"result": "never", "is": 1}}, None),
        ({"any": [{"result": "never", "is": 1}, {"called": "ship"}]}, True),
        ({"any": [{"result": "never", "is": 1}, {"called": "x"}]}, None),
        ({"all": [{"result": "never", "is": 1}, {"called": "ship"}]}, None),
        ({"all": [{"result": "never", "is": 1}, {"called": "x"}]}, False),
    ],
)
def test_what_happened_before(condition: dict[str, Any], expected: Truth) -> None:
    assert truth(condition) is expected


@pytest.mark.parametrize(
    ("clock", "condition", "expected"),
    [
        ({"now_after": "It is now"}, {"argument": "since", "older_than": "22h"}, True),
        ({"now_after": "It is now"}, {"argument": "since", "older_than": "23h"}, False),
        ({"now_after": "It is now"}, {"argument": "since", "newer_than": "23h"}, True),
        ({"now_after": "The time"}, {"argument": "since", "older_than": "1h"}, None),
        ({"now": "2026-11-25"}, {"argument": "since", "older_than": "4d"}, True),
        ({"now": dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)}, {"argument": "since", "older_than": "0s"}, False),
        ({"now": "2026-11-25"}, {"argument": "amount", "older_than": "1h"}, True),  # 20 s since 1970
        ({"now": "2026-11-25"}, {"argument": "skus", "older_than": "1h"}, None),
        ({}, {"argument": "since", "older_than": "1h"}, None),
    ],
)
def test_ages(clock: dict[str, Any], condition: dict[str, Any], expected: Truth) -> None:
    assert truth(condition, **clock) is expected


@pytest.mark.parametrize(("name", "expected"), [("channel", True), ("language", None)])
def test_what_is_known_of_the_conversation(name: str, expected: Truth) -> None:
    talk = Conversation(TALK.messages, channel="voice")
    assert truth({"conversation": name, "is": "voice"}, talk) is expected


@pytest.mark.parametrize(("hours", "expected"), [(23, True), (24, False)])
def test_the_time_of_a_call_is_when_its_span_ended(hours: int, expected: bool) -> None:
    asked = Message("assistant", "", (ToolCall("1", "refund", '{"since": "2026-11-20T09:00:00Z"}'),), span_id="s2")
    ended = int(dt.datetime(2026, 11, 21, 8, 30, tzinfo=dt.UTC).timestamp() * 1e9)
    talk = Conversation((Message("user", "hi", span_id="s1"), asked), steps=(step("s2", ended),))
    assert truth({"argument": "since", "older_than": f"{hours}h"}, talk) is expected


def step(span_id: str, ended_ns: int) -> Step:
    record = SpanRecord(
        tenant="",
        trace_id="",
        span_id=span_id,
        parent_span_id="",
        name="",
        service="",
        scope="",
        dialect="",
        step_kind="",
        started_ns=0,
        ended_ns=ended_ns,
        status="",
    )
    return Step(1, 1, record)


def test_without_a_call_there_is_no_argument() -> None:
    policy = policy_of([{"name": "r", "forbid_phrase": "fee", "when": [{"argument": "a", "missing": True}]}])
    scene = Scene(TALK, policy.clock)
    assert holds(policy.rules[0].when, scene, Point(9)) is None


def test_calls_of_one_message_are_not_before_each_other() -> None:
    two = Message("assistant", "", (ToolCall("1", "get_order", '{"id": 1}'), ToolCall("2", "refund", '{"order": 1}')))
    talk = Conversation((two, Message("tool", '{"status": "x"}', tool_call_id="1")))
    assert truth({"called": "get_order"}, talk) is False


def test_some_is_true_where_one_is_and_unknown_where_one_may_be() -> None:
    assert some([None, True]) is True
    assert some([False, None]) is None
    assert some([False]) is False
    assert some([]) is False
