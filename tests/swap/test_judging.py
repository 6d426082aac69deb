"""Declared or not, in time or late: how grave a change is, and what it rests on."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from spanwitness.model import Contract, Deployment, Swap
from spanwitness.model_names import relation
from spanwitness.swap import Terms, find_swaps
from tests.swap.built import BEGIN, FULL, MINI, of_class, talks, use

SWAP = BEGIN + dt.timedelta(minutes=20)
HISTORY = talks("A" * 20 + "B" * 20)


def declared(hours: float, **fields: Any) -> Deployment:
    """A declaration of the mini model, so many hours before it came."""
    ahead = SWAP - dt.timedelta(hours=hours)
    return Deployment("acme", "d-1", MINI, fields.pop("since", SWAP), ahead, declared_by="ann", **fields)


def judged(*deployments: Deployment, contracts: tuple[Contract, ...] = (), history: str = "") -> Swap:
    uses = talks(history) if history else HISTORY
    return of_class(find_swaps(uses, relation, Terms(contracts, deployments)), "version")[-1]


def test_a_silent_swap_pages() -> None:
    swap = judged()
    assert (swap.severity, swap.deployment_id, swap.declared_by) == ("page", "", "")


def test_a_swap_that_was_declared_before_it_came_is_information() -> None:
    swap = judged(declared(48))
    assert (swap.severity, swap.deployment_id, swap.declared_by) == ("info", "d-1", "ann")
    assert swap.evidence["deployment"] == {
        "declared_at": "2026-11-18T12:20:00.000Z",
        "declared_late": False,
        "notice_hours": 48.0,
    }


def test_a_swap_that_was_declared_after_the_fact_is_a_warning() -> None:
    swap = judged(declared(-1))
    assert (swap.severity, swap.deployment_id) == ("warning", "d-1")
    assert swap.evidence["deployment"]["declared_late"] is True  # type: ignore[index]


@pytest.mark.parametrize(
    "other",
    [
        declared(48, withdrawn=True),
        declared(48, since=SWAP + dt.timedelta(hours=1)),
        declared(48, agent="triage"),
        declared(48, from_version="gpt-4.1"),
    ],
)
def test_a_declaration_of_something_else_excuses_nothing(other: Deployment) -> None:
    assert judged(other).severity == "page"


def test_a_span_may_name_anybody_so_the_swap_says_that_a_span_did() -> None:
    swap = judged(declared(48, source="span"))
    assert (swap.severity, swap.declared_by) == ("info", "a span (ann)")


@pytest.mark.parametrize("hours", [48, -1])
def test_no_notice_is_held_against_a_declaration_where_none_was_agreed(hours: float) -> None:
    swap = judged(declared(hours), contracts=(Contract("acme", 3, BEGIN - dt.timedelta(days=9)),))
    assert "notice_kept" not in swap.evidence["deployment"]  # type: ignore[operator]


@pytest.mark.parametrize(("hours", "kept"), [(48, True), (12, False)])
def test_the_notice_of_the_contract_in_force_is_held_against_it(hours: float, kept: bool) -> None:
    contract = Contract("acme", 3, BEGIN - dt.timedelta(days=9), notice=dt.timedelta(hours=24))
    swap = judged(declared(hours), contracts=(contract,))
    assert swap.evidence["deployment"]["notice_kept"] is kept  # type: ignore[index]
    assert swap.evidence["contract_version"] == 3


def test_to_take_back_what_nobody_declared_is_information_and_to_do_it_again_pages() -> None:
    once = "A" * 20 + "B" * 20
    assert judged(history=once + "A" * 20).severity == "info"
    assert judged(history=once * 2).severity == "page"


def test_to_take_back_what_was_declared_pages() -> None:
    assert judged(declared(48), history="A" * 20 + "B" * 20 + "A" * 20).severity == "page"


def test_a_declaration_does_not_approve() -> None:
    contract = Contract("acme", 1, BEGIN - dt.timedelta(days=9), approved=("gpt-4o",))
    found = find_swaps(HISTORY, relation, Terms((contract,), (declared(48),)))
    assert [swap.severity for swap in of_class(found, "unapproved")] == ["page"]


BEDROCK = "anthropic.claude-3-5-sonnet-20241022-v2:0"


@pytest.mark.parametrize(
    ("before", "after", "severity"),
    [
        (f"openai/{FULL}", f"azure.ai.openai/{FULL}", "warning"),
        (f"openai/{FULL}", f"openrouter/openai/{FULL}", "warning"),
        (f"openai/{FULL}", "openai/GPT-4o-2024-08-06", "warning"),
        (f"aws.bedrock/{BEDROCK}", f"aws.bedrock/us.{BEDROCK}", "warning"),
        ("unknown/tuned", "openai/tuned", "warning"),
        (f"openai/{FULL}", f"azure.ai.openai/{MINI}", "page"),
        (f"openai/{FULL}", "azure.ai.openai/gpt-4o-2024-11-20", "page"),
        ("openai/gpt-4o", f"openai/{FULL}", "page"),
        ("azure.ai.openai/chat-east", "azure.ai.openai/chat-west", "page"),
    ],
)
def test_the_same_model_by_its_name_is_no_page(before: str, after: str, severity: str) -> None:
    names = [before] * 20 + [after] * 20
    uses = [use(talk, name.partition("/")[2], version=name) for talk, name in enumerate(names)]
    (swap,) = of_class(find_swaps(uses, relation), "version")
    assert (swap.from_version, swap.to_version, swap.severity) == (before, after, severity)
    assert swap.evidence.get("same_model", False) is (severity == "warning")
