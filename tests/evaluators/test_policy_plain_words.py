"""What rules mean, in plain English: every condition and moment that the examples of the page leave out."""

from __future__ import annotations

from typing import Any

import pytest

from spanwitness.evaluators.policy import lookup_meaning, meaning, policy_of

LOOKUPS = {"order": {"result": "get_order", "where": {"id": "order", "state": {"value": "open"}}}}


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"argument": "a.#", "in": [1, "x"]}, "the call's a.# is one of 1 or 'x'"),
        ({"argument": "a", "missing": True}, "the call's a is missing"),
        ({"argument": "a", "missing": False}, "the call's a is there"),
        ({"argument": "a", "newer_than": "90m"}, "the call's a is not longer ago than 90 m"),
        ({"argument": "a", "older_than": "0s"}, "the call's a is longer ago than 0 s"),
        ({"lookup": "order", "is": "x"}, "the order is 'x'"),
        ({"result": "t", "is": "x"}, "what a call of t brought back is 'x'"),
        (
            {"result": "t", "field": "a", "at_least": {"argument": "b"}},
            "a in what a call of t brought back is at least the call's b",
        ),
        ({"agent_said": "fee"}, "the agent said 'fee' before"),
        ({"not": {"called": "t"}}, "it is not so that there was a call of t before"),
        (
            {"any": [{"called": "t"}, {"customer_said": "x"}]},
            "(there was a call of t before or the customer said 'x' before)",
        ),
        (
            {"all": [{"called": "t"}, {"called": "u"}]},
            "(there was a call of t before and there was a call of u before)",
        ),
    ],
)
def test_conditions(condition: dict[str, Any], words: str) -> None:
    (rule,) = policy_of([{"name": "r", "forbid_call": "c", "when": [condition]}], lookups=LOOKUPS).rules
    assert meaning(rule) == (f"The agent must not call c when {words}.",)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"forbid_call": ["a", "b_*"]}, "The agent must not call a or b_*."),
        ({"forbid_call": "*", "except": ["a", "b_*"]}, "The agent must not call * other than a or b_*."),
        ({"require_call": "a"}, "There must have been a call of a by the end."),
        ({"require_call": "a", "before_phrase": "x"}, "There must have been a call of a before the agent says 'x'."),
        ({"require_phrase": "x", "at": "last_turn"}, "The agent must have said 'x' in its last turn."),
        (
            {"require_phrase": "x", "by": "customer", "before_call": "a"},
            "The customer must have said 'x' before each call of a.",
        ),
        ({"confirm_call": "a", "yes": "ja"}, "The customer's last turn before each call of a must say 'ja'."),
    ],
)
def test_demands(rule: dict[str, Any], words: str) -> None:
    assert meaning(policy_of([{"name": "r", **rule}]).rules[0]) == (words,)


def test_a_lookup() -> None:
    (lookup,) = policy_of([], lookups=LOOKUPS).lookups
    assert lookup_meaning(lookup) == (
        "order: what a call of get_order with id = the call's order and state = 'open' brought back, the newest before."
    )
