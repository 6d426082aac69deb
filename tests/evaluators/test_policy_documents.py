"""The rule files and the reference page that are shipped: they hold what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from spanwitness.evaluators.policy import SEVERITIES, STATES, RuleFile, meaning, parse, read, run
from spanwitness.evaluators.policy.language import ATTRIBUTES, OPERATORS, Demand

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "policy.md").read_text()
SHIPPED = sorted((DOCS / "policies").glob("*.toml"))
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def unmet(file: RuleFile) -> list[str]:
    found = []
    for test in file.tests:
        states = {outcome.rule.name: outcome.state for outcome in run(file.policy, test.conversation)}
        found += [
            f"{test.name}: {name} {states[name]}" for name, wanted in test.expect.items() if states[name] != wanted
        ]
    return found


def test_there_is_something_to_check() -> None:
    assert len(SHIPPED) == 2
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_shipped_rule_is_kept_in_one_of_its_tests_and_broken_in_another(path: Path) -> None:
    file = read(path)
    assert unmet(file) == []
    seen = {(name, state) for test in file.tests for name, state in test.expect.items()}
    wanted = {(rule.name, state) for rule in file.policy.rules for state in ("kept", "broken")}
    assert wanted - seen == set()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_shipped_rule_says_why_and_names_its_source(path: Path) -> None:
    assert all(rule.why for rule in read(path).policy.rules)
    assert "sierra-research/tau-bench, MIT licence" in path.read_text()


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_of_the_page_holds_its_tests(example: str) -> None:
    file = parse(example)
    assert file.tests
    assert {name for test in file.tests for name in test.expect} == {rule.name for rule in file.policy.rules}
    assert unmet(file) == []


@pytest.mark.parametrize("name", [*OPERATORS, *ATTRIBUTES, *SEVERITIES, *STATES])
def test_each_word_of_the_language_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_each_kind_of_rule_is_among_the_examples() -> None:
    demands = {type(rule.demand) for example in EXAMPLES for rule in parse(example).policy.rules}
    assert demands == set(get_args(Demand))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "late_cancellation",
            (
                "The agent must not call cancel_booking when all of this holds:\n"
                "the booking's fare is 'basic'\n"
                "the booking's created_at is longer ago than 1 d\n"
                "the booking's insured is False"
            ),
        ),
        ("yes_before_cancelling", "The customer's last turn before each call of cancel_booking must say yes."),
        (
            "identify_first",
            (
                "There must have been a call of find_customer_* or verify_pin before each call of get_account or "
                "close_account."
            ),
        ),
        (
            "approve_big_refunds",
            (
                "There must have been a call of approve_refund with order_id = the call's order_id that brought back "
                "'approved' before each call of refund, where the call's amount is above 500."
            ),
        ),
        (
            "recording_announced",
            (
                "The agent must have said 'this call is recorded' or 'dieses Gespräch wird aufgezeichnet' in its first "
                "turn, where the conversation's channel is 'voice'."
            ),
        ),
        ("no_promises", "The agent must not say 'I guarantee' or 'guaranteed returns' or '100 % safe'."),
        ("customers_language", "The agent must write in the customer's language or 'en'."),
    ],
)
def test_the_meaning_of_a_rule_in_plain_words(name: str, words: str) -> None:
    told = {rule.name: meaning(rule) for example in EXAMPLES for rule in parse(example).policy.rules}
    assert "\n".join(told[name]) == words
