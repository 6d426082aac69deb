"""Declaring and withdrawing: one record for one content, never edited, never brought back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.deployment import NotAllowed
from spanwitness.pipeline import Register
from spanwitness.pipeline.deployments import OtherDeployment, UnknownDeployment
from spanwitness.store.deployments import deployments_of
from spanwitness.testing import EPOCH

if TYPE_CHECKING:
    from spanwitness.store import Store

HOUR = dt.timedelta(hours=1)
FIELDS = {"tenant": "acme", "to_model": "gpt-4o-mini", "by": "jane", "reason": "CHG-1"}


@pytest.fixture
def register(store: Store) -> Register:
    return Register(store)


def on_record(store: Store) -> list[tuple[str, bool]]:
    return [(one.deployment_id, one.withdrawn) for one in deployments_of(store, "acme")]


def test_the_same_declared_twice_is_one_record_of_when_it_was_declared_first(register: Register, store: Store) -> None:
    first = register.declare(FIELDS, EPOCH, "cli")
    again = register.declare(FIELDS, EPOCH + HOUR, "http")
    assert (first.new, again.new) == (True, False)
    assert again.deployment == first.deployment
    assert deployments_of(store, "acme") == [first.deployment]


def test_other_content_is_another_record(register: Register, store: Store) -> None:
    register.declare(FIELDS, EPOCH, "cli")
    register.declare({**FIELDS, "reason": "CHG-2"}, EPOCH, "cli")
    assert len(on_record(store)) == 2


def test_an_id_of_ones_own_stands_for_one_content(register: Register, store: Store) -> None:
    named = {**FIELDS, "id": "CHG-1"}
    register.declare(named, EPOCH, "cli")
    assert not register.declare(named, EPOCH + HOUR, "cli").new
    with pytest.raises(OtherDeployment, match=r"^id = 'CHG-1': is on record for 'gpt-4o-mini' since 2026-11-20T12:00"):
        register.declare({**named, "to_model": "gpt-4o"}, EPOCH, "cli")
    with pytest.raises(OtherDeployment, match="with another content; what was declared is not edited"):
        register.declare({**named, "from": "2026-11-21T09:00:00Z"}, EPOCH, "cli")
    assert on_record(store) == [("CHG-1", False)]


def test_the_same_id_in_two_tenants_is_two_records(register: Register, store: Store) -> None:
    register.declare({**FIELDS, "id": "CHG-1"}, EPOCH, "cli")
    assert register.declare({**FIELDS, "id": "CHG-1", "tenant": "globex", "to_model": "x"}, EPOCH, "cli").new
    assert on_record(store) == [("CHG-1", False)]


def test_what_is_not_allowed_is_not_recorded(register: Register, store: Store) -> None:
    with pytest.raises(NotAllowed):
        register.declare({**FIELDS, "until": "2026-11-20T11:00:00Z"}, EPOCH, "cli")
    assert on_record(store) == []


def test_a_withdrawal_is_recorded_and_may_be_repeated(register: Register, store: Store) -> None:
    register.declare({**FIELDS, "id": "CHG-1"}, EPOCH, "cli")
    for _ in range(2):
        assert register.withdraw("acme", "CHG-1", EPOCH).withdrawn
    assert on_record(store) == [("CHG-1", True)]


@pytest.mark.parametrize(("tenant", "identity"), [("acme", "CHG-2"), ("globex", "CHG-1")])
def test_only_what_was_declared_can_be_withdrawn(register: Register, tenant: str, identity: str) -> None:
    register.declare({**FIELDS, "id": "CHG-1"}, EPOCH, "cli")
    with pytest.raises(UnknownDeployment, match=f"tenant '{tenant}' has no deployment '{identity}' on record"):
        register.withdraw(tenant, identity, EPOCH)


def test_what_was_withdrawn_can_be_declared_anew_under_another_id(register: Register, store: Store) -> None:
    first = register.declare(FIELDS, EPOCH, "cli").deployment
    register.withdraw("acme", first.deployment_id, EPOCH + HOUR)
    anew = register.declare(FIELDS, EPOCH + 2 * HOUR, "cli")
    assert anew.new
    assert anew.deployment.declared_at == EPOCH + 2 * HOUR
    assert not register.declare(FIELDS, EPOCH + 3 * HOUR, "cli").new
    assert on_record(store) == [(first.deployment_id, True), (anew.deployment.deployment_id, False)]


def test_an_id_that_was_withdrawn_stays_so(register: Register) -> None:
    named = {**FIELDS, "id": "CHG-1"}
    register.declare(named, EPOCH, "cli")
    register.withdraw("acme", "CHG-1", EPOCH)
    with pytest.raises(OtherDeployment, match="id = 'CHG-1': was withdrawn and stays so; allowed is another id"):
        register.declare(named, EPOCH + HOUR, "cli")


@pytest.mark.parametrize("identity", ["", "1208"])
def test_a_process_that_repeats_itself_does_not_undo_a_withdrawal(register: Register, identity: str) -> None:
    fields: dict[str, Any] = {**FIELDS, "id": identity}
    first = register.declare(fields, EPOCH, "span").deployment
    register.withdraw("acme", first.deployment_id, EPOCH)
    again = register.declare(fields, EPOCH + HOUR, "span")
    assert not again.new
    assert again.deployment.withdrawn
