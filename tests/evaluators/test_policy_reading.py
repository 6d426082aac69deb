"""Rules as they are written: what is accepted, and how what is wrong is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators.policy import parse, policy_of, read

if TYPE_CHECKING:
    from pathlib import Path

OK = {"name": "r", "forbid_call": "t"}


def told(*rules: object, **others: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        policy_of(rules, **others)  # type: ignore[arg-type]
    return str(caught.value)


def when(*conditions: object) -> str:
    return told({**OK, "when": list(conditions)})


def nested(depth: int) -> dict[str, Any]:
    return {"not": nested(depth - 1)} if depth else {"called": "t"}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("text", "rules[1] = 'text': allowed is a table"),
        ({"forbid_call": "t"}, "rules[1].name is missing; it must be there"),
        ({"name": "a b"}, "rules[1].name = 'a b': allowed is up to 64 letters, digits, '_', '-' and '.'"),
        (
            {"name": "r"},
            (
                "rule 'r' has name; allowed is exactly one of: forbid_call, forbid_phrase, require_call, "
                "require_phrase, confirm_call, language"
            ),
        ),
        ({**OK, "language": "en"}, "rule 'r' has forbid_call and language; allowed is exactly one of: forbid_call, "),
        ({**OK, "severity": "bad"}, "rule 'r': severity = 'bad': allowed is critical, major, minor"),
        ({**OK, "wen": []}, "unknown key rule 'r': wen; allowed: name, severity, why, when, forbid_call, except"),
        ({**OK, "except": []}, "rule 'r': except = []: allowed is a tool's name, with * and ? as in a shell"),
        ({**OK, "forbid_call": []}, "rule 'r': forbid_call = []: allowed is a tool's name, with * and ? as in a shell"),
        ({**OK, "why": 1}, "rule 'r': why = 1: allowed is a text that is not empty"),
        ({**OK, "when": []}, "rule 'r': when = []: allowed is a list of conditions, at least one"),
        ({"name": "r", "forbid_phrase": "..."}, "rule 'r': forbid_phrase = '...': allowed is a phrase with letters"),
        (
            {"name": "r", "require_phrase": "a", "at": "middle"},
            "rule 'r': at = 'middle': allowed is end, first_turn, last_turn",
        ),
        (
            {"name": "r", "require_phrase": "a", "at": "end", "before_call": "t"},
            "rule 'r': at = 'end': allowed is none beside before_call",
        ),
        (
            {"name": "r", "require_phrase": "a", "by": "customer", "at": "last_turn"},
            "rule 'r': by = 'customer': allowed is agent: first_turn and last_turn are the agent's",
        ),
        ({"name": "r", "require_phrase": "a", "by": "me"}, "rule 'r': by = 'me': allowed is agent, customer"),
        (
            {"name": "r", "require_call": "a", "at": "first_turn"},
            "rule 'r': at = 'first_turn': allowed is end: a call is not said in a turn",
        ),
    ],
)
def test_what_is_wrong_with_a_rule(rule: object, message: str) -> None:
    assert told(rule).startswith(message)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (1, "when[1] = 1: allowed is a table"),
        ({}, "when[1] has nothing; allowed is exactly one of: argument, result, lookup, conversation, called, "),
        ({"argument": "a"}, "when[1] has argument; allowed is exactly one of: is, is_not, above, "),
        ({"argument": "a", "is": 1, "above": 2}, "when[1] has is and above; allowed is exactly one of: is, "),
        ({"argument": "a..b", "is": 1}, "when[1].argument = 'a..b': allowed is keys parted by dots"),
        ({"argument": "a", "is": []}, "when[1].is = []: allowed is a text, number, date, true or false"),
        ({"argument": "a", "in": "x"}, "when[1].in = 'x': allowed is a list of values, at least one"),
        ({"argument": "a", "missing": 1}, "when[1].missing = 1: allowed is true or false"),
        ({"argument": "a", "older_than": "1y"}, "when[1].older_than = '1y': allowed is a duration such as"),
        ({"argument": "a", "is": {"value": 1, "x": 2}}, "unknown key rule 'r': when[1].is.x; allowed: value"),
        ({"argument": "a", "field": "b", "is": 1}, "unknown key rule 'r': when[1].field; allowed: argument, is"),
        ({"lookup": "order", "is": 1}, "when[1].lookup = 'order': allowed is one of [lookups]: there are none"),
        ({"conversation": "tone", "is": 1}, "when[1].conversation = 'tone': allowed is channel, intent, language"),
        ({"called": "t", "where": {}}, "when[1].where = {}: allowed is at least one path"),
        ({"called": "t", "where": {"a": 1}}, "when[1].where.a = 1: allowed is a table"),
        ({"called": "t", "field": "a"}, "unknown key rule 'r': when[1].field; allowed: called, where, returned"),
        ({"any": [{"not": 1}]}, "when[1].any[1].not = 1: allowed is a table"),
        (nested(20), "when[1].not.not.not.not.not.not.not.not.not = '...': allowed is tables within tables 8 deep"),
    ],
)
def test_what_is_wrong_with_a_condition(condition: object, message: str) -> None:
    assert (
        when(condition)
        .removeprefix("unknown key ")
        .removeprefix("rule 'r': ")
        .startswith(message.removeprefix("unknown key ").removeprefix("rule 'r': "))
    )


def test_a_long_value_is_cut() -> None:
    assert len(told({**OK, "severity": "x" * 1_000})) < 200


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"now": "soon"}, "now = 'soon': allowed is a time such as 2026-11-21T09:00:00Z"),
        ({"now": "2026-11-21", "now_after": "it is"}, "now = '2026-11-21': allowed is none beside now_after"),
        ({"now_after": 1}, "now_after = 1: allowed is a text that is not empty"),
        ({"lookups": [1]}, "lookups = [1]: allowed is tables by name, such as [lookups.order]"),
        ({"lookups": {"a": {"result": "t", "field": "x"}}}, "unknown key lookups.a.field; allowed: result, where, "),
        (
            {"lookups": {"a": {"result": "t", "where": {"x": {"lookup": "b"}}}, "b": {"result": "t"}}},
            "lookups.a.where.x.lookup = 'b': allowed is one of [lookups]: there are none",
        ),
    ],
)
def test_what_is_wrong_with_the_head(others: dict[str, Any], message: str) -> None:
    assert told(OK, **others).startswith(message)


def test_a_name_is_there_once_and_rules_are_not_endless() -> None:
    assert told(OK, OK) == "rule 'r' is there more than once; allowed is each name once"
    assert told(*[OK] * 501) == "rules: there are 501; allowed is 500 at most"


def test_another_text_gives_another_digest() -> None:
    one, same, other = policy_of([OK]), policy_of([dict(OK)]), policy_of([{**OK, "severity": "minor"}])
    assert one.digest == same.digest != other.digest
    assert policy_of([OK], now="2026-11-21").digest != one.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules = 1", "rules = 1: allowed is tables, each under [[rules]]"),
        ("rule = 1", "unknown key rule; allowed: now, now_after, lookups, rules, tests"),
        ("[[rules", "is not TOML: "),
        ("a = " + "[" * 50_000, "is not TOML: "),
        ("[[tests]]\nname = 't'\nmessages = [1]\nexpect = {}", "tests[1].messages[1] = 1: allowed is a table"),
        (
            "[[tests]]\nname = 't'\nmessages = [{ customer = 'x' }]\nexpect = { r = 'kept' }",
            "tests[1].expect = 'r': allowed is the name of a rule: there are none",
        ),
        (
            "[[tests]]\nname = 't'\nmessages = [{ agent = 'x', by = 'y' }]\nexpect = {}",
            "unknown key tests[1].messages[1].by; allowed: agent",
        ),
        (
            "[[tests]]\nname = 't'\nmessages = [{ role = 'boss', content = 'x' }]\nexpect = {}",
            "tests[1].messages: conversation[0].role is 'boss'; allowed: system, user, assistant, tool",
        ),
        (
            "[[rules]]\nname = 'r'\nforbid_call = 't'\n[[tests]]\nname = 't'\nmessages = []\nexpect = { r = 'fine' }",
            "tests[1].expect.r = 'fine': allowed is kept, broken, not_triggered, undecided",
        ),
    ],
)
def test_what_is_wrong_with_a_file(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)


def test_what_is_wrong_with_a_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    with pytest.raises(ConfigError, match=r"rules.toml': No such file"):
        read(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"rules.toml' is not UTF-8"):
        read(path)
    path.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(ConfigError, match=r"rules.toml' is too large; allowed are 1,048,576 bytes"):
        read(path)
    path.write_text("now = 'x'")
    with pytest.raises(ConfigError, match=r"rules.toml': now = 'x': allowed is a time"):
        read(path)


def test_times_of_toml_are_read() -> None:
    assert parse("now = 2026-11-21T09:00:00Z").policy.clock.now is not None
    assert parse("now = '2026-11-21'").policy.clock.now is not None
