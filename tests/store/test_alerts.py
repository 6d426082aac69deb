"""What is due to a receiver, from swaps that stand and from what it was told: asked of the real engine."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.store import alerts
from spanwitness.testing import EPOCH
from tests.alert.swaps import SEEN, A, a_swap, write

if TYPE_CHECKING:
    from spanwitness.store import Store
    from spanwitness.store.alerts import Due, Entry

NOW = EPOCH
MINUTE = dt.timedelta(minutes=1)
WANTED = alerts.Wanted(
    receiver="webhook",
    severities=("page", "warning", "info"),
    repeats=False,
    max_age=dt.timedelta(days=7),
    started=NOW - MINUTE,
)


def due(store: Store, now: dt.datetime = NOW, **changes: Any) -> list[Due]:
    return alerts.due(store, replace(WANTED, **changes), now)


def noted(store: Store, one: Due, **changes: Any) -> Entry:
    """What the receiver knows after it was told."""
    state = {"state": one.status, "severity": one.severity, "digest": one.delivery, "sent": NOW, "next_at": NOW}
    (entry,) = alerts.note(store, [replace(one.entry, **{**state, **changes})], NOW)
    return entry


def only(found: list[Due]) -> Due:
    (one,) = found
    return one


def test_a_swap_that_stands_is_due_with_all_of_its_row(store: Store) -> None:
    write(store, a_swap())
    found = only(due(store))
    wanted = a_swap()
    del wanted["UpdatedAt"]
    assert found.swap == wanted
    assert (found.status, found.severity, found.entry.state, found.entry.attempts) == ("firing", "page", "", 0)
    assert len(found.delivery) == 32


def test_nothing_is_due_of_an_empty_ledger(store: Store) -> None:
    assert due(store) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"EndedAt": NOW},
        {"Withdrawn": 1},
        {"SwapId": ""},
        {"FirstSeenAt": NOW - dt.timedelta(days=7, seconds=1)},
    ],
)
def test_what_does_not_stand_or_is_old_is_not_begun_with(store: Store, changes: dict[str, Any]) -> None:
    write(store, a_swap(**changes))
    assert due(store) == []


def test_no_age_is_too_great_to_be_allowed(store: Store) -> None:
    write(store, a_swap(FirstSeenAt=NOW - dt.timedelta(days=20_000)))
    assert len(due(store, max_age=dt.timedelta.max)) == 1


def test_a_severity_that_is_not_wanted_is_not_begun_with(store: Store) -> None:
    write(store, a_swap(Severity="info"))
    assert due(store, severities=("page", "warning")) == []
    assert len(due(store, severities=("info",))) == 1


def test_each_receiver_knows_what_it_was_told_alone(store: Store) -> None:
    write(store, a_swap())
    noted(store, only(due(store)))
    assert due(store) == []
    other = only(due(store, receiver="alertmanager"))
    assert other.entry.state == ""


def test_a_message_keeps_its_name_until_it_is_taken(store: Store) -> None:
    write(store, a_swap())
    first = only(due(store))
    noted(store, first, state="pending", sent=None, attempts=3)
    write(store, a_swap(ConversationsAfter=99, UpdatedAt=NOW + MINUTE))
    again = only(due(store))
    assert again.delivery == first.delivery
    assert again.entry.attempts == 3
    assert only(due(store, receiver="alertmanager")).delivery != first.delivery


def test_every_change_of_state_has_a_name_of_its_own(store: Store) -> None:
    names, at = [], NOW
    for changes in ({}, {"Severity": "warning"}, {"EndedAt": NOW}, {}, {"EndedAt": NOW}):
        at += MINUTE
        write(store, a_swap(**changes, UpdatedAt=at))
        found = only(due(store, at))
        names.append(found.delivery)
        noted(store, found, sent=at)
        assert due(store, at) == []
    assert len(set(names)) == 5


def test_what_was_told_is_due_again_where_it_repeats_and_not_before_its_time(store: Store) -> None:
    write(store, a_swap())
    noted(store, only(due(store)), next_at=NOW + MINUTE)
    assert due(store, NOW + MINUTE, repeats=False) == []
    assert due(store, NOW + MINUTE - dt.timedelta(milliseconds=1), repeats=True) == []
    assert only(due(store, NOW + MINUTE, repeats=True)).status == "firing"


def test_a_change_of_severity_is_due_at_once(store: Store) -> None:
    write(store, a_swap())
    noted(store, only(due(store)), next_at=NOW + MINUTE)
    write(store, a_swap(Severity="info", Declared=True, UpdatedAt=NOW + MINUTE))
    found = only(due(store, repeats=True))
    assert (found.status, found.severity, found.entry.severity) == ("firing", "info", "page")


@pytest.mark.parametrize("changes", [{"EndedAt": NOW}, {"Withdrawn": 1}, {"Severity": "info"}])
@pytest.mark.parametrize("state", ["firing", "pending"])
def test_what_may_stand_at_a_receiver_and_is_over_is_due_at_once(
    store: Store, changes: dict[str, Any], state: str
) -> None:
    write(store, a_swap())
    noted(store, only(due(store, severities=("page",))), state=state, next_at=NOW + MINUTE)
    write(store, a_swap(**changes, UpdatedAt=NOW + MINUTE))
    found = only(due(store, severities=("page",)))
    assert (found.status, found.severity) == ("resolved", "page")
    assert found.swap["Withdrawn"] == changes.get("Withdrawn", 0)
    assert found.swap["EndedAt"] == changes.get("EndedAt")
    noted(store, found)
    assert due(store, severities=("page",)) == []


def test_what_failed_waits_for_its_time_whatever_becomes_of_it(store: Store) -> None:
    write(store, a_swap())
    noted(store, only(due(store)), attempts=1, next_at=NOW + MINUTE)
    write(store, a_swap(EndedAt=NOW, UpdatedAt=NOW + MINUTE))
    assert due(store) == []
    assert only(due(store, NOW + MINUTE)).status == "resolved"


def test_what_was_told_of_is_resolved_however_old_it_is(store: Store) -> None:
    write(store, a_swap())
    noted(store, only(due(store)), next_at=NOW)
    later = NOW + dt.timedelta(days=30)
    assert only(due(store, later, repeats=True)).status == "firing", "it still stands"
    write(store, a_swap(EndedAt=NOW, UpdatedAt=later))
    assert only(due(store, later)).status == "resolved"


def test_what_was_refused_is_due_after_its_time_or_when_it_changes_or_after_a_restart(store: Store) -> None:
    write(store, a_swap())
    noted(store, only(due(store)), state="refused", sent=None, attempts=1, next_at=NOW + 60 * MINUTE)
    assert due(store) == []
    assert len(due(store, NOW + 60 * MINUTE)) == 1
    assert len(due(store, started=NOW + MINUTE)) == 1
    write(store, a_swap(Severity="warning", UpdatedAt=NOW + MINUTE))
    assert only(due(store)).severity == "warning"


def test_what_was_refused_and_never_taken_needs_no_end(store: Store) -> None:
    write(store, a_swap())
    noted(store, only(due(store)), state="refused", sent=None)
    write(store, a_swap(EndedAt=NOW, UpdatedAt=NOW + MINUTE))
    assert due(store) == []


def test_a_refused_end_of_what_was_taken_is_tried_again(store: Store) -> None:
    write(store, a_swap())
    noted(store, only(due(store)))
    write(store, a_swap(EndedAt=NOW, UpdatedAt=NOW + MINUTE))
    noted(store, only(due(store)), state="refused", attempts=1, next_at=NOW + 60 * MINUTE)
    assert due(store) == []
    assert only(due(store, NOW + 60 * MINUTE)).status == "resolved"


def test_what_comes_back_is_told_again(store: Store) -> None:
    write(store, a_swap())
    noted(store, only(due(store)))
    write(store, a_swap(EndedAt=NOW, UpdatedAt=NOW + MINUTE))
    noted(store, only(due(store)))
    write(store, a_swap(UpdatedAt=NOW + 2 * MINUTE))
    assert only(due(store)).status == "firing"


def test_pages_come_first_and_those_sent_in_vain_last(store: Store) -> None:
    for minutes, (name, severity) in enumerate((("a", "info"), ("b", "page"), ("c", "page"))):
        write(store, a_swap(AgentName=name, Severity=severity, FirstSeenAt=SEEN + minutes * MINUTE))
    noted(store, due(store)[0], state="pending", attempts=1)
    assert [one.swap["AgentName"] for one in due(store)] == ["c", "a", "b"]
    assert [one.swap["AgentName"] for one in due(store, limit=1)] == ["c"]


def test_a_later_note_wins_even_when_the_clock_stood_or_was_set_back(store: Store) -> None:
    write(store, a_swap())
    entry = noted(store, only(due(store)), error="first")
    for number, now in enumerate((NOW, NOW, NOW - 60 * MINUTE)):
        (entry,) = alerts.note(store, [replace(entry, error=f"note {number}")], now)
    (row,) = store.rows("SELECT Error FROM alerts FINAL")
    assert row == {"Error": "note 2"}


def test_how_many_a_receiver_has_in_each_state(store: Store) -> None:
    write(store, *(a_swap(AgentName=name) for name in "abc"))
    found = due(store)
    noted(store, found[0])
    noted(store, found[1])
    noted(store, found[2], state="refused")
    assert alerts.counts(store, "webhook") == {"firing": 2, "refused": 1}
    assert alerts.counts(store, "alertmanager") == {}


def test_the_same_names_of_two_tenants_are_two_swaps(store: Store) -> None:
    write(store, a_swap(), a_swap(TenantId="globex"), a_swap(ToVersion=A))
    assert len({one.delivery for one in due(store)}) == 3
