"""What a pattern of a contract covers, which answers it approves, and which version of it holds when."""

from __future__ import annotations

import datetime as dt

import pytest

from spanwitness.contract import aliased, approves, in_force, matches
from spanwitness.model import Contract

DAY = dt.timedelta(days=1)
BEGIN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def contract(version: int = 1, begin: int = 0, end: int | None = None) -> Contract:
    until = None if end is None else BEGIN + end * DAY
    return Contract("acme", version, BEGIN + begin * DAY, until)


def approving(*patterns: str) -> Contract:
    return Contract("acme", 1, BEGIN, approved=patterns)


@pytest.mark.parametrize(
    ("pattern", "provider", "served"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o"),
        ("openai/gpt-4o", "openai", "gpt-4o-2024-08-06"),
        ("gpt-4o", "openai", "gpt-4o-2024-11-20"),
        ("gpt-4o", "azure.ai.openai", "gpt-4o-2024-08-06"),
        ("azure/gpt-4o", "azure.ai.openai", "gpt-4o-2024-08-06"),
        ("azure/gpt-4o", "azure.ai.inference", "gpt-4o-2024-08-06"),
        ("OpenAI/GPT-4o", "openai", "gpt-4o-2024-08-06"),
        (" openai/gpt-4o ", "openai", "gpt-4o"),
        ("gpt-4.1-mini-2025-04-14", "openai", "gpt-4.1-mini-2025-04-14"),
        ("gpt-4o-2024-08-06", "openai", "gpt-4o-20240806"),
        ("bedrock/claude-3-5-sonnet-20240620", "aws.bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("vertex_ai/claude-sonnet-4@20250514", "gcp.vertex_ai", "claude-sonnet-4@20250514"),
        ("google/gemini-2.0-flash", "gcp.vertex_ai", "gemini-2.0-flash-001"),
        ("vertex_ai/gemini-2.0-flash", "gcp.gen_ai", "gemini-2.0-flash-001"),
        ("groq/llama-3.3-70b-instruct", "groq", "meta-llama/Llama-3.3-70B-Instruct"),
        ("meta-llama/Llama-3.3-70B-Instruct", "groq", "meta-llama/Llama-3.3-70B-Instruct"),
        ("house-models.example/claims-7", "house-models.example", "claims-7"),
        ("house-models.example/gpt-4o", "house-models.example", "gpt-4o-2024-08-06"),
        ("azure/claims-prod", "azure.ai.openai", "Claims-Prod"),
        # Nobody, or a router, says who answered: the model alone decides.
        ("openai/gpt-4o", "", "gpt-4o-2024-08-06"),
        ("openai/gpt-4o", "litellm", "gpt-4o-2024-08-06"),
        ("openai/gpt-4o", "unknown", "gpt-4o-2024-08-06"),
    ],
)
def test_a_pattern_covers(pattern: str, provider: str, served: str) -> None:
    assert matches(pattern, provider, served)


@pytest.mark.parametrize(
    ("pattern", "provider", "served"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o-mini-2024-07-18"),
        ("openai/gpt-4o", "openai", "gpt-4o-mini"),
        ("gpt-4o-mini", "openai", "gpt-4o-2024-08-06"),
        ("openai/gpt-4o-2024-08-06", "openai", "gpt-4o-2024-11-20"),
        ("openai/gpt-4o-2024-08-06", "openai", "gpt-4o"),  # that it is the agreed one is what nobody said
        ("openai/gpt-4o", "azure.ai.openai", "gpt-4o-2024-08-06"),
        ("anthropic/claude-sonnet-4", "aws.bedrock", "anthropic.claude-sonnet-4-20250514-v1:0"),
        ("vertex_ai/gemini-2.0-flash", "gcp.gemini", "gemini-2.0-flash-001"),
        ("openai/gpt-4o", "house-models.example", "gpt-4o"),
        ("azure/gpt-4o", "azure.ai.openai", "claims-prod"),  # a deployment's name says nothing about the model
    ],
)
def test_a_pattern_covers_not(pattern: str, provider: str, served: str) -> None:
    assert not matches(pattern, provider, served)


@pytest.mark.parametrize(
    ("pattern", "provider", "served", "covered"),
    [
        ("anthropic/claude-sonnet-4*", "anthropic", "claude-sonnet-4-20250514", True),
        ("anthropic/claude-sonnet-4*", "anthropic", "claude-sonnet-4-5-20250929", True),
        ("anthropic/claude-sonnet-4*", "anthropic", "claude-3-5-sonnet-20241022", False),
        ("anthropic/claude-sonnet-4*", "aws.bedrock", "anthropic.claude-sonnet-4-20250514-v1:0", False),
        ("bedrock/claude-sonnet-4*", "aws.bedrock", "anthropic.claude-sonnet-4-20250514-v1:0", True),
        ("gpt-4o-2024-*", "openai", "gpt-4o-2024-08-06", True),
        ("gpt-4o-2024-*", "openai", "gpt-4o-mini-2024-07-18", False),
        ("gpt-4o*", "openai", "gpt-4o-mini-2024-07-18", True),  # a star is a star
        ("gpt-4o-2024-0[58]-*", "openai", "gpt-4o-2024-05-13", True),
        ("gpt-4o-2024-0[58]-*", "openai", "gpt-4o-2024-11-20", False),
        ("openai/*", "openai", "o3", True),
        ("openai/*", "azure.ai.openai", "o3", False),
        ("house-models.example/*", "house-models.example", "claims-7", True),
        ("*", "anthropic", "claude-sonnet-4-20250514", True),
    ],
)
def test_signs_of_a_shell_are_compared_letter_by_letter(
    pattern: str, provider: str, served: str, *, covered: bool
) -> None:
    assert matches(pattern, provider, served) is covered


def test_any_entry_of_the_list_approves() -> None:
    agreed = approving("openai/gpt-4o", "anthropic/claude-sonnet-4*")
    assert approves(agreed, "openai", "gpt-4o-2024-08-06")
    assert approves(agreed, "anthropic", "claude-sonnet-4-20250514")
    assert not approves(agreed, "openai", "gpt-4o-mini-2024-07-18")


def test_without_a_list_any_model_may_answer() -> None:
    assert approves(approving(), "openai", "gpt-4o-mini")


def test_an_answer_that_names_no_model_is_not_refused() -> None:
    assert approves(approving("openai/gpt-4o"), "openai", "")


def test_an_alias_says_which_model_a_name_stands_for() -> None:
    agreed = Contract("acme", 1, BEGIN, aliases=(("claims-prod", "gpt-4o"), ("voice-*", "gpt-4.1-mini-2025-04-14")))
    assert aliased(agreed, "claims-prod", "gpt-4o-2024-08-06")
    assert aliased(agreed, "Claims-Prod", "gpt-4o-2024-08-06")
    assert aliased(agreed, "azure/claims-prod", "gpt-4o-2024-08-06")
    assert aliased(agreed, "voice-eu", "gpt-4.1-mini-2025-04-14")
    assert not aliased(agreed, "claims-prod", "gpt-4o-mini-2024-07-18")
    assert not aliased(agreed, "voice-eu", "gpt-4o-2024-08-06")
    assert not aliased(agreed, "claims-test", "gpt-4o-2024-08-06")
    assert not aliased(contract(), "claims-prod", "gpt-4o-2024-08-06")


def test_a_contract_holds_from_its_beginning_to_just_before_its_end() -> None:
    one = contract(begin=0, end=2)
    assert in_force([one], BEGIN - dt.timedelta(microseconds=1)) is None
    assert in_force([one], BEGIN) is one
    assert in_force([one], BEGIN + 2 * DAY - dt.timedelta(microseconds=1)) is one
    assert in_force([one], BEGIN + 2 * DAY) is None


def test_until_further_notice_has_no_end() -> None:
    one = contract()
    assert in_force([one], BEGIN + 3650 * DAY) is one


def test_the_newest_of_those_that_hold_counts_in_whatever_order_they_come() -> None:
    first, second, third = contract(1, 0, 5), contract(2, 5, None), contract(3, 9, 10)
    history = [second, third, first]
    assert in_force(history, BEGIN + 4 * DAY) is first
    assert in_force(history, BEGIN + 5 * DAY) is second
    assert in_force(history, BEGIN + 9 * DAY) is third
    assert in_force(history, BEGIN + 10 * DAY) is second


def test_a_version_that_was_replaced_as_of_its_own_beginning_never_held() -> None:
    first, second = contract(1, 0, 0), contract(2, 0)
    assert in_force([first, second], BEGIN) is second
    assert in_force([first], BEGIN) is None


def test_where_nothing_was_agreed_nothing_is_in_force() -> None:
    assert in_force([], BEGIN) is None
