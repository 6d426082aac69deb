"""Declarations in the store: as they came, one for each id, and what of the record shows that they have come true."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from spanwitness.model import Deployment, Slot, Swap
from spanwitness.store.deployments import (
    changed_at,
    deployments_named,
    deployments_of,
    entries_of,
    insert_deployments,
    versions_seen,
    withdrawn_at,
)
from spanwitness.testing import EPOCH

if TYPE_CHECKING:
    from spanwitness.store import Store

HOUR = dt.timedelta(hours=1)
ONE = Deployment(
    tenant="acme",
    deployment_id="d-1",
    to_version="gpt-4o-mini",
    valid_from=EPOCH + dt.timedelta(milliseconds=7),
    declared_at=EPOCH - HOUR,
    kind="model",
    service="claims",
    agent="claims_agent",
    from_version="gpt-4o",
    valid_until=EPOCH + HOUR,
    declared_by="jane",
    reason="CHG-1: cheaper — « naïve »\nsecond line",
    source="http",
)


def test_it_comes_back_as_it_was_declared(store: Store) -> None:
    open_ended = replace(
        ONE, deployment_id="d-2", valid_until=None, declared_at=EPOCH, source="span", service="", agent=""
    )
    insert_deployments(store, [open_ended, ONE], EPOCH)
    assert deployments_of(store, "acme") == [ONE, open_ended]
    assert deployments_of(store, "globex") == []
    assert deployments_named(store, "acme", ["d-2", "d-3"]) == {"d-2": open_ended}


def test_nothing_is_no_insert(store: Store) -> None:
    insert_deployments(store, [], EPOCH)
    assert changed_at(store) == {}


def test_a_withdrawal_takes_the_place_of_the_record_and_says_when(store: Store) -> None:
    insert_deployments(store, [ONE], EPOCH)
    before = changed_at(store)
    insert_deployments(store, [replace(ONE, withdrawn=True)], EPOCH + HOUR)
    assert deployments_of(store, "acme") == [replace(ONE, withdrawn=True)]
    assert withdrawn_at(store, "acme") == {"d-1": EPOCH + HOUR}
    assert changed_at(store) != before
    assert set(changed_at(store)) == {"acme"}


def use(conversation: str, first: float, last: float, **other: Any) -> dict[str, Any]:
    moments = {
        name: (EPOCH + dt.timedelta(seconds=at)).replace(tzinfo=None)
        for name, at in (("FirstAt", first), ("LastAt", last))
    }
    return {
        "TenantId": "acme",
        "ServiceName": "claims",
        "AgentName": "claims_agent",
        "StepKind": "llm",
        "ConversationId": conversation,
        "ModelVersion": "openai/gpt-4o-mini-2024-07-18",
        "PromptVersion": "",
        "AgentVersion": "2.4",
        **moments,
        "Calls": 1,
        "Revision": 1,
        "Gone": 0,
        **other,
    }


def seen(store: Store, *rows: dict[str, Any], kind: Any = "model") -> list[dict[str, Any]]:
    store.insert("model_uses", pa.Table.from_pylist(list(rows)))
    return versions_seen(store, "acme", kind, EPOCH)


def test_a_version_is_seen_from_its_first_use_since_then(store: Store) -> None:
    found = seen(store, use("a", -100, -50), use("b", 30, 40), use("c", 20, 60))
    expected = {"service": "claims", "agent": "claims_agent", "version": "openai/gpt-4o-mini-2024-07-18"}
    assert found == [{**expected, "at": EPOCH + dt.timedelta(seconds=20)}]


def test_a_conversation_that_began_before_is_seen_where_it_is_known_to_have_gone_on(store: Store) -> None:
    (found,) = seen(store, use("a", -100, 50))
    assert found["at"] == EPOCH + dt.timedelta(seconds=50)


def test_each_kind_has_its_own_versions_and_those_without_a_name_are_none(store: Store) -> None:
    rows = [use("a", 1, 2), use("b", 3, 4, AgentVersion="2.5")]
    assert sorted(row["version"] for row in seen(store, *rows, kind="agent")) == ["2.4", "2.5"]
    assert versions_seen(store, "acme", "prompt", EPOCH) == []


def test_what_an_earlier_revision_used_and_other_tenants_do_not_count(store: Store) -> None:
    assert seen(store, use("a", 1, 2), use("a", 1, 2, Revision=2, Gone=1), use("b", 1, 2, TenantId="globex")) == []


def entry(**other: Any) -> dict[str, Any]:
    return {
        "TenantId": "acme",
        "ServiceName": "claims",
        "AgentName": "claims_agent",
        "StepKind": "llm",
        "Class": "version",
        "FromVersion": "openai/gpt-4o",
        "ToVersion": "openai/gpt-4o-mini",
        "Occurrence": 1,
        "DetectedAt": (EPOCH + HOUR).replace(tzinfo=None),
        "FirstSeenAt": EPOCH.replace(tzinfo=None),
        "DeploymentId": "d-1",
        "Withdrawn": 0,
        **other,
    }


def test_an_entry_of_the_ledger_has_the_name_that_the_ledger_gives_it(store: Store) -> None:
    rows = [entry(), entry(ToVersion="openai/x", Withdrawn=1), entry(Class="absent", ToVersion="x", EndedAt=None)]
    rows[2]["EndedAt"] = (EPOCH + 2 * HOUR).replace(tzinfo=None)
    for row in rows:
        store.insert("model_swaps", pa.Table.from_pylist([row]))
    (found,) = entries_of(store, "acme", absent=False)
    swap = Swap(
        slot=Slot("acme", "claims", "claims_agent", "llm"),
        swap_class="version",
        from_version="openai/gpt-4o",
        to_version="openai/gpt-4o-mini",
        occurrence=1,
        first_seen=EPOCH,
        first_seen_ns=0,
        first_trace="",
        first_conversation="",
        before=0,
        after=0,
        severity="info",
        evidence={},
    )
    assert found.id == swap.id
    assert (found.slot, found.first_seen, found.detected) == (swap.slot, EPOCH, EPOCH + HOUR)
    assert (found.ended_ns, found.deployment_id) == (0, "d-1")
    (absent,) = entries_of(store, "acme", absent=True)
    assert absent.ended_ns == int((EPOCH + 2 * HOUR).timestamp()) * 10**9
