"""Each kind of rule: when it is triggered, kept, broken and undecided, and where."""

from __future__ import annotations

from typing import Any

import pytest

from spanwitness.evaluators.policy import Outcome, policy_of, run, worst_first
from spanwitness.model import Conversation, Message, ToolCall

HI = Message("user", "Please close my account, it is the old one.")
ASKS = Message("assistant", "Shall I close it for you now?")
YES, NO = Message("user", "Yes, please do that."), Message("user", "No, wait with that.")
FEE = Message("assistant", "There is a fee of ten for you to pay.")


def acts(name: str, arguments: str = "{}") -> Message:
    return Message("assistant", "", (ToolCall("1", name, arguments),))


def back(content: str = "done", *, error: bool = False) -> Message:
    return Message("tool", content, tool_call_id="1", error=error)


def outcome(rule: dict[str, Any], *messages: Message, language: str = "") -> Outcome:
    (found,) = run(policy_of([{"name": "r", **rule}]), Conversation(messages, language=language))
    return found


def state(rule: dict[str, Any], *messages: Message, language: str = "") -> str:
    return outcome(rule, *messages, language=language).state


FORBID_CALL = {"forbid_call": "close", "when": [{"argument": "id", "is": 7}]}


@pytest.mark.parametrize(
    ("rule", "messages", "expected"),
    [
        (FORBID_CALL, (HI, acts("close", '{"id": 7}')), "broken"),
        (FORBID_CALL, (HI, acts("close", '{"id": 7}'), back("Error: no", error=True)), "broken"),
        (FORBID_CALL, (HI, acts("close", '{"id": 8}')), "kept"),
        (FORBID_CALL, (HI, acts("close", '"{\\"id\\": 7}"')), "broken"),
        (FORBID_CALL, (HI, acts("close", "no json")), "undecided"),
        (FORBID_CALL, (HI, acts("close", '"no json"')), "undecided"),
        (FORBID_CALL, (HI, acts("open"), ASKS), "not_triggered"),
        ({"forbid_call": "close"}, (HI, acts("close")), "broken"),
        ({"forbid_call": "*", "except": ["look", "get_*"]}, (HI, acts("crm.Get-Order"), acts("look")), "kept"),
        ({"forbid_call": "*", "except": ["look", "get_*"]}, (HI, acts("look"), acts("x" * 300)), "broken"),
        ({"forbid_call": "close"}, (HI, ASKS), "kept"),
        ({"forbid_call": "close"}, (HI, acts("open")), "kept"),
        ({"forbid_call": "close"}, (HI,), "not_triggered"),
    ],
)
def test_forbidden_calls(rule: dict[str, Any], messages: tuple[Message, ...], expected: str) -> None:
    assert state(rule, *messages) == expected


UNASKED = {"forbid_phrase": "fee", "when": [{"not": {"customer_said": "old one"}}]}


@pytest.mark.parametrize(
    ("rule", "messages", "expected"),
    [
        ({"forbid_phrase": "fee"}, (HI, FEE), "broken"),
        ({"forbid_phrase": "fee"}, (Message("user", "A fee?"), ASKS), "kept"),
        ({"forbid_phrase": "fee"}, (HI,), "not_triggered"),
        ({"forbid_phrase": "fee"}, (HI, acts("look")), "undecided"),
        (UNASKED, (FEE,), "undecided"),
        (UNASKED, (FEE, HI), "broken"),
        (UNASKED, (HI, FEE), "kept"),
        (UNASKED, (HI, ASKS), "not_triggered"),
    ],
)
def test_forbidden_phrases(rule: dict[str, Any], messages: tuple[Message, ...], expected: str) -> None:
    assert state(rule, *messages) == expected


@pytest.mark.parametrize(
    ("keys", "messages", "expected"),
    [
        ({"before_call": "close"}, (HI, acts("look"), back(), acts("close")), "kept"),
        ({"before_call": "close"}, (HI, acts("look"), back("Error", error=True), acts("close")), "broken"),
        ({"before_call": "close"}, (HI, acts("close"), back(), acts("look")), "broken"),
        ({"before_call": "close"}, (HI, acts("look")), "not_triggered"),
        (
            {"before_call": "close", "where": {"id": "id"}},
            (HI, acts("look", '{"id": 1}'), back(), acts("close", '{"id": "1"}')),
            "kept",
        ),
        (
            {"before_call": "close", "where": {"id": "id"}},
            (HI, acts("look", '{"id": 1}'), back(), acts("close", '{"id": 2}')),
            "broken",
        ),
        ({"before_call": "close", "where": {"id": "id"}}, (HI, acts("look"), back(), acts("close", "?")), "undecided"),
        ({"before_call": "close", "returned": "fine"}, (HI, acts("look"), back("fine"), acts("close")), "kept"),
        ({"before_call": "close", "returned": "fine"}, (HI, acts("look"), back("bad"), acts("close")), "broken"),
        ({"before_call": "close", "returned": "fine"}, (HI, acts("look"), acts("close")), "undecided"),
        (
            {"before_call": "close", "where": {"id": "id"}},
            (HI, acts("look", ""), acts("close", '{"id": 1}')),
            "undecided",
        ),
        ({"before_phrase": "fee"}, (HI, acts("look"), back(), FEE), "kept"),
        ({"before_phrase": "fee"}, (HI, FEE, acts("look")), "broken"),
        ({}, (HI, acts("look")), "kept"),
        ({"at": "end"}, (HI, ASKS), "broken"),
        ({}, (HI,), "not_triggered"),
        ({"when": [{"customer_said": "new one"}]}, (HI, ASKS), "not_triggered"),
        ({"when": [{"conversation": "language", "is": "en"}]}, (HI, ASKS), "undecided"),
    ],
)
def test_required_calls(keys: dict[str, Any], messages: tuple[Message, ...], expected: str) -> None:
    assert state({"require_call": "look", **keys}, *messages) == expected


@pytest.mark.parametrize(
    ("keys", "messages", "expected"),
    [
        ({"before_call": "close"}, (HI, FEE, acts("close")), "kept"),
        ({"before_call": "close"}, (HI, acts("close"), back(), FEE), "broken"),
        ({"before_call": "close"}, (HI, Message("assistant", "A fee.", acts("close").tool_calls)), "kept"),
        ({"before_phrase": "close it"}, (HI, FEE, ASKS), "kept"),
        ({"before_phrase": "close it"}, (HI, ASKS, FEE), "broken"),
        ({}, (HI, ASKS, FEE), "kept"),
        ({}, (HI, ASKS), "broken"),
        ({"at": "first_turn"}, (HI, FEE, YES, ASKS), "kept"),
        ({"at": "first_turn"}, (HI, acts("x"), ASKS, YES, FEE), "broken"),
        ({"at": "last_turn"}, (HI, ASKS, YES, FEE, acts("x")), "kept"),
        ({"at": "last_turn"}, (HI, FEE, YES, ASKS), "broken"),
        ({"at": "last_turn"}, (HI, acts("x")), "not_triggered"),
        ({"at": "last_turn", "when": [{"called": "x"}]}, (HI, acts("x"), back(), ASKS), "broken"),
        ({"at": "last_turn", "when": [{"called": "x"}]}, (HI, ASKS), "not_triggered"),
        ({"by": "customer", "before_call": "close"}, (Message("user", "I pay the fee."), acts("close")), "kept"),
        ({"by": "customer", "before_call": "close"}, (HI, FEE, acts("close")), "broken"),
        ({"by": "customer", "before_call": "close"}, (FEE, acts("close")), "undecided"),
        ({"before_call": "close"}, (HI, acts("close")), "undecided"),
        ({}, (acts("close"),), "undecided"),
    ],
)
def test_required_phrases(keys: dict[str, Any], messages: tuple[Message, ...], expected: str) -> None:
    assert state({"require_phrase": "fee", **keys}, *messages) == expected


@pytest.mark.parametrize(
    ("keys", "messages", "expected"),
    [
        ({}, (HI, ASKS, YES, acts("close")), "kept"),
        ({}, (HI, ASKS, YES, acts("look"), back(), Message("assistant", "One moment."), acts("close")), "kept"),
        ({}, (HI, ASKS, YES, Message("user", "And the other one is for you too."), acts("close")), "kept"),
        ({}, (HI, ASKS, NO, acts("close")), "broken"),
        ({}, (HI, ASKS, YES, ASKS, NO, acts("close")), "broken"),
        ({}, (YES, acts("close"), back(), ASKS), "broken"),
        ({}, (ASKS, acts("close")), "undecided"),
        ({}, (NO, acts("close")), "broken"),
        ({}, (HI, YES, acts("close")), "undecided"),
        ({}, (acts("close"),), "undecided"),
        ({"yes": ["aye"]}, (acts("close"),), "undecided"),
        ({}, (HI, ASKS, Message("user", "\U0001f44e"), acts("close")), "broken"),
        ({}, (HI, ASKS, *[YES] * 30, acts("close")), "kept"),
        ({}, (HI, ASKS, YES, acts("open")), "not_triggered"),
        ({"when": [{"argument": "id", "is": 7}]}, (HI, ASKS, NO, acts("close", '{"id": 8}')), "not_triggered"),
        (
            {},
            (Message("user", "閉じて"), Message("assistant", "閉じますか"), Message("user", "はい"), acts("close")),
            "undecided",
        ),
        (
            {"yes": ["はい"]},
            (Message("user", "閉じて"), Message("assistant", "閉じますか"), Message("user", "はい"), acts("close")),
            "kept",
        ),
        ({"yes": ["aye"]}, (HI, ASKS, YES, acts("close")), "broken"),
    ],
)
def test_confirmations(keys: dict[str, Any], messages: tuple[Message, ...], expected: str) -> None:
    assert state({"confirm_call": "close", **keys}, *messages) == expected


def test_each_occasion_counts_and_is_told_where_it_was() -> None:
    ok, bad, odd = acts("close", '{"id": 8}'), acts("close", '{"id": 7}'), acts("close", "[")
    found = outcome(FORBID_CALL, HI, ok, bad, ok, odd, bad)
    assert (found.kept, found.broken, found.undecided, found.state) == (2, (2, 5), 1, "broken")


def test_what_was_never_done_is_placed_at_the_agents_last_message() -> None:
    assert outcome({"require_call": "look"}, HI, ASKS, FEE, HI).broken == (2,)
    assert outcome({"require_phrase": "bye", "at": "last_turn"}, HI, ASKS, FEE, HI).broken == (2,)
    assert outcome({"require_phrase": "bye", "at": "first_turn"}, HI, ASKS, FEE, HI).broken == (1,)


def test_the_customers_own_calls_are_not_the_agents() -> None:
    mine = Message("user", "I did it.", (ToolCall("1", "close", "{}"),))
    assert state({"forbid_call": "close", "when": [{"argument": "x", "missing": True}]}, mine) == "not_triggered"


def test_the_worst_comes_first_and_else_the_order_stays() -> None:
    rules = [
        {"name": name, "severity": name[:-1], "forbid_call": "t"}
        for name in ("minor1", "critical1", "major1", "critical2")
    ]
    found = worst_first(run(policy_of(rules), Conversation((acts("t"),))))
    assert [each.rule.name for each in found] == ["critical1", "critical2", "major1", "minor1"]
