"""Declared or not, in time or late: how grave a change is, and what it rests on."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from spanwitness.model import Contract, Deployment, Swap
from spanwitness.model_names import relation
from spanwitness.swap import Terms, find_swaps
from tests.swap.built import BEGIN, MINI, of_class, talks

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
