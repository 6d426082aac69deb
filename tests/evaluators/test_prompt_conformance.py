"""CustomerAgentPromptConformance: the score, what it rests on, where it declines, and that nothing makes it raise."""

from __future__ import annotations

import json
import pickle
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.errors import ConfigError
from spanwitness.evaluators import CustomerAgentPromptConformance, evaluators_by_name
from spanwitness.model import Conversation, Message, Score, ToolCall

if TYPE_CHECKING:
    from pathlib import Path

RULES: tuple[dict[str, Any], ...] = (
    {"name": "soft", "severity": "minor", "forbid_phrase": "sorry"},
    {"name": "look", "severity": "critical", "require_call": "look", "before_call": "close", "where": {"id": "id"}},
    {"name": "bye", "require_phrase": "goodbye", "at": "last_turn"},
    {"name": "big", "forbid_call": "pay", "when": [{"argument": "sum", "above": 9}]},
)
CLOSE = Message("assistant", "I am sorry.", (ToolCall("1", "close", '{"id": "secret-7"}'),))
BYE = Message("assistant", "Goodbye!")
# Every kind of rule and condition, for what hypothesis thinks of.
EVERYTHING: tuple[dict[str, Any], ...] = (
    *RULES,
    {"name": "yes", "confirm_call": "*"},
    {"name": "ja", "confirm_call": "*", "yes": "ja*", "when": [{"argument": "a", "missing": False}]},
    {"name": "never", "forbid_call": "escalate"},
    {"name": "first", "require_phrase": ["a", "人"], "at": "first_turn", "when": [{"called": "get_order"}]},
    {"name": "said", "require_phrase": "a*", "by": "customer", "before_call": "*"},
    {"name": "after", "require_call": "*", "before_phrase": "a*", "returned": "ok"},
    {
        "name": "deep",
        "forbid_call": "*",
        "when": [
            {
                "any": [
                    {"argument": "#", "above": 1},
                    {"argument": "a.#.b", "older_than": "1h"},
                    {"result": "*", "where": {"a": "a"}, "field": "a", "not_in": {"argument": "#.a"}},
                    {"not": {"lookup": "l", "contains": "a"}},
                    {"all": [{"customer_said": "a"}, {"agent_said": "b"}, {"conversation": "language", "is": "en"}]},
                ]
            }
        ],
    },
)


def judged(*messages: Message, rules: tuple[dict[str, Any], ...] = RULES) -> Score:
    return CustomerAgentPromptConformance(rules=rules).evaluate(Conversation(messages))


def test_rules_kept_among_those_triggered_the_worst_first() -> None:
    score = judged(Message("user", "Close it."), CLOSE, BYE)
    assert score.score == pytest.approx(1 / 3)
    assert (score.status, score.label, score.mode) == ("completed", "broken_critical", "rules")
    assert score.explanation == "Kept: 1 of 3 triggered rules. Broken: look (critical, 1x), soft (minor, 1x)."
    assert [(each.rule, each.message_index) for each in score.evidence] == [("look", 1), ("soft", 1)]
    assert [(rule["name"], rule["state"]) for rule in score.details["rules"]] == [
        ("look", "broken"),
        ("bye", "kept"),
        ("big", "not_triggered"),
        ("soft", "broken"),
    ]
    assert score.details["rules"][0] == {
        "name": "look",
        "severity": "critical",
        "state": "broken",
        "kept": 0,
        "broken": 1,
        "undecided": 0,
    }
    assert "secret-7" not in json.dumps(score.details) + score.explanation


def test_all_kept() -> None:
    score = judged(Message("user", "Hello."), BYE)
    assert (score.score, score.label, score.evidence) == (1.0, "kept", ())
    assert score.explanation == "Kept: 2 of 2 triggered rules."


def test_one_rule_is_no_rules() -> None:
    score = judged(Message("user", "Hello."), BYE, rules=RULES[2:3])
    assert score.explanation == "Kept: 1 of 1 triggered rule."


def test_many_places_of_one_rule_are_counted_and_twenty_told() -> None:
    score = judged(*[Message("assistant", "Sorry!")] * 30)
    assert sum(each.rule == "soft" for each in score.evidence) == 20
    assert next(rule for rule in score.details["rules"] if rule["name"] == "soft")["broken"] == 30


def test_two_calls_in_one_message_are_one_place() -> None:
    both = Message("assistant", "", (ToolCall("1", "pay", '{"sum": 10}'), ToolCall("2", "pay", '{"sum": 11}')))
    score = judged(both, BYE)
    assert [(each.rule, each.message_index) for each in score.evidence] == [("big", 0)]
    assert "big (major, 2x)" in score.explanation


@pytest.mark.parametrize(
    ("rules", "messages", "label"),
    [
        ((), (CLOSE,), "no_rules"),
        (RULES, (Message("user", "Hello?"),), "not_triggered"),
        (RULES[3:], (Message("assistant", "", (ToolCall("1", "pay", "unreadable"),)),), "undecided"),
    ],
)
def test_where_it_declines(rules: tuple[dict[str, Any], ...], messages: tuple[Message, ...], label: str) -> None:
    score = judged(*messages, rules=rules)
    assert (score.status, score.score, score.label) == ("not_applicable", None, label)


def test_the_system_prompt_that_is_given_tells_the_time() -> None:
    rule = {"name": "old", "forbid_call": "close", "when": [{"argument": "at", "older_than": "1d"}]}
    evaluator = CustomerAgentPromptConformance(rules=(rule,), now_after="Now:")
    talk = [{"role": "assistant", "tool_calls": [{"name": "close", "arguments": {"at": "2026-11-19"}}]}]
    assert evaluator.evaluate(talk, system_prompt="Now: 2026-11-21 09:00").label == "broken_major"
    assert evaluator.evaluate(talk, system_prompt="Now: 2026-11-19 09:00").label == "kept"
    assert evaluator.evaluate(talk).label == "undecided"


def test_another_set_of_rules_is_told_from_this_one() -> None:
    one, other = judged(BYE), judged(BYE, rules=RULES[:3])
    assert one.details["rules_version"] != other.details["rules_version"]


def test_a_file_of_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[[rules]]\nname = 'soft'\nforbid_phrase = 'sorry'\n")
    evaluator = CustomerAgentPromptConformance.from_file(path)
    path.unlink()
    assert evaluator.evaluate(Conversation((CLOSE,))).score == 0.0
    assert pickle.loads(pickle.dumps(evaluator)) == evaluator  # noqa: S301 - our own
    assert hash(CustomerAgentPromptConformance(rules=RULES)) == hash(CustomerAgentPromptConformance(rules=RULES))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rules": ({"name": "r"},)}, "CustomerAgentPromptConformance: rule 'r' has name; allowed is exactly one of: "),
        ({"now": "soon"}, "CustomerAgentPromptConformance: now = 'soon': allowed is a time such as "),
        ({"rules_file": "no.toml"}, "CustomerAgentPromptConformance: rules file 'no.toml': No such file"),
        (
            {"rules_file": "no.toml", "now": "2026-11-21"},
            "CustomerAgentPromptConformance.rules_file = 'no.toml': allowed is none beside now, which the file gives",
        ),
    ],
)
def test_what_is_wrong_is_told_at_start(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CustomerAgentPromptConformance(**fields)
    assert str(caught.value).startswith(message)


def test_the_configuration_gives_it_its_rules() -> None:
    name = CustomerAgentPromptConformance.name
    given = {name: {"rules": [dict(RULES[0])], "lookups": {"a": {"result": "get_a"}}, "now": "2026-11-21"}}
    (evaluator,) = evaluators_by_name([name], given)
    assert evaluator.evaluate(Conversation((CLOSE,))).label == "broken_minor"
    with pytest.raises(ConfigError, match="rule 'soft': severity = 'x': allowed is critical, major, minor"):
        evaluators_by_name([name], {name: {"rules": [{**RULES[0], "severity": "x"}]}})


anything = st.text(st.characters(exclude_categories=()), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "2026-11-20", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abid"), inner, max_size=3),
    max_leaves=8,
)
jsons = st.one_of(
    anything, values.map(json.dumps), st.sampled_from(["[" * 50_000, "1" * 5_000, '{"a":' * 3_000, '"1"'])
)
names = st.one_of(st.sampled_from(["look", "close", "pay", "get_order", "x" * 300, ""]), anything)
calls = st.builds(ToolCall, id=st.sampled_from(["", "1", "2"]), name=names, arguments=jsons)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=st.one_of(anything, jsons, st.sampled_from(["Yes, please.", "I am sorry to say a fee is due.", "人"])),
    tool_calls=st.lists(calls, max_size=3).map(tuple),
    tool_call_id=st.sampled_from(["", "1", "2"]),
    error=st.booleans(),
)
EVERY = CustomerAgentPromptConformance(
    rules=EVERYTHING, lookups={"l": {"result": "*", "where": {"a": {"argument": "a"}}}}, now_after="a"
)


@given(
    conversation=st.builds(Conversation, messages=st.lists(messages, max_size=12).map(tuple), system_prompt=anything)
)
@settings(deadline=None, max_examples=150)
def test_no_conversation_makes_it_raise(conversation: Conversation) -> None:
    score = EVERY.evaluate(conversation)
    assert (score.score is not None) == (score.status == "completed")
    json.dumps(score.details)
    assert score.explanation.encode()
    assert all(0 <= (each.message_index or 0) < len(conversation.messages) for each in score.evidence)
    assert EVERY.evaluate(conversation) == score


@pytest.mark.parametrize("unit", ["a", "a ", "\n", "人", "{", '"', "a.", "2026-"])
def test_a_message_of_1_mib_takes_time_that_grows_with_its_length_only(unit: str) -> None:
    long = unit * ((1 << 20) // len(unit.encode()))
    talk = (
        Message("user", long),
        Message("assistant", long, (ToolCall("1", "close", long),)),
        Message("tool", long, tool_call_id="1"),
        Message("assistant", long, (ToolCall("2", "close", json.dumps({"a": [long] * 2})),)),
    )
    started = time.process_time()
    EVERY.evaluate(Conversation(talk, system_prompt=long))
    assert time.process_time() - started < 60


def test_ten_thousand_messages_take_time_in_proportion() -> None:
    listed = json.dumps({"a": [{"b": i} for i in range(20)], "id": 7})
    one = (
        Message("user", "Please close it now."),
        Message("assistant", "", (ToolCall("1", "close", listed),)),
        Message("tool", listed, tool_call_id="1"),
        Message("assistant", "Shall I close another one?"),
    )
    started = time.process_time()
    EVERY.evaluate(Conversation(one * 2_500))
    assert time.process_time() - started < 60
