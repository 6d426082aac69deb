"""Contracts come back from the store as they went in."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from spanwitness.model import BundleTerms, Contract
from spanwitness.store.contracts import contracts_of, insert_contracts

if TYPE_CHECKING:
    from spanwitness.store import Store

BEGIN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 11, 2, 9, 30, 0, 123_000, tzinfo=dt.UTC)
FULL = Contract(
    tenant="northwind-mutual",
    version=1,
    valid_from=BEGIN,
    valid_until=BEGIN + dt.timedelta(days=365),
    approved=("openai/gpt-4o", "anthropic/claude-sonnet-4*"),
    aliases=(("claims-prod", "gpt-4o"), ("voice-*", "gpt-4.1-mini")),
    min_verified=0.95,
    evaluators=("TaskCompletion",),
    thresholds={"TaskCompletion": 0.8},
    notice=dt.timedelta(days=14, milliseconds=500),
    name="Schedule C",
    source="northwind-mutual.toml",
    text="# as agreed: '{\"ä\\n\u2028\n",
    recorded_at=NOW,
    judged=("TaskCompletion",),
    parameters={"TaskCompletion": {"writes": ["send_ä"], "max_agent_turns": 40, "rules": [{"a": {"b": [1.5, True]}}]}},
    channels={
        "voice": BundleTerms(("TaskCompletion", "PII"), {"PII": 1.0}, ("TaskCompletion",)),
        'süd "1"': BundleTerms(thresholds={"TaskCompletion": 0.25}),
    },
)
EMPTY = Contract("northwind-mutual", 2, BEGIN + dt.timedelta(days=9), source="northwind-mutual.toml", recorded_at=NOW)


def test_what_was_recorded_comes_back_the_oldest_first(store: Store) -> None:
    insert_contracts(store, [EMPTY, FULL, replace(FULL, tenant="other")], NOW)
    assert contracts_of(store, "northwind-mutual") == [FULL, EMPTY]
    assert contracts_of(store, "nobody") == []


def test_what_has_not_been_recorded_yet_is_recorded_now(store: Store) -> None:
    insert_contracts(store, [replace(FULL, recorded_at=None)], NOW)
    assert contracts_of(store, "northwind-mutual") == [FULL]


def test_the_later_row_of_a_version_takes_the_place_of_the_earlier(store: Store) -> None:
    ended = replace(FULL, valid_until=EMPTY.valid_from)
    insert_contracts(store, [FULL], NOW)
    insert_contracts(store, [ended, EMPTY], NOW + dt.timedelta(milliseconds=1))
    insert_contracts(store, [], NOW)
    assert contracts_of(store, "northwind-mutual") == [ended, EMPTY]
