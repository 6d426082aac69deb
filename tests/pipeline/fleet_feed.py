"""Feeds a simulated fleet to the ledger, sweep by sweep, and reads what it says."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spanwitness.model import Slot
from spanwitness.pipeline.ledger import Ledger
from spanwitness.store.contracts import insert_contracts
from spanwitness.store.deployments import insert_deployments
from spanwitness.store.uses import Used, replace_uses
from tests.pipeline.fleet import BEGIN, CALM, Entry, arrivals, by_tenant, sweeps, uses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.store import Store
    from tests.pipeline.fleet import Arrival, Fleet, Weather

_LEDGER = """
SELECT * EXCEPT (UpdatedAt), toUnixTimestamp64Nano(EndedAt) AS ended FROM model_swaps FINAL WHERE Withdrawn = 0
ORDER BY TenantId, ServiceName, AgentName, StepKind, Class, FromVersion, ToVersion, Occurrence
"""


@dataclass
class Feed:
    """A store that a fleet's conversations come into, and the ledger over it."""

    store: Store
    fleet: Fleet
    now: dt.datetime = BEGIN
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.restart()
        insert_deployments(self.store, self.fleet.deployments, BEGIN)
        insert_contracts(self.store, self.fleet.contracts, BEGIN)

    def restart(self) -> None:
        """Another process takes over."""
        self.ledger = Ledger(self.store)

    def come(self, seed: int, weather: Weather = CALM) -> None:
        """All conversations of the fleet close, in some order."""
        chance = random.Random(seed)  # noqa: S311 - the same weather in every run
        found = arrivals(self.fleet.talks, chance, weather)
        for sweep in sweeps(found, chance, weather):
            if chance.randrange(100) < weather.restarts:
                self.restart()
            self.close(sweep)

    def close(self, sweep: Sequence[Arrival]) -> None:
        """One sweep: what closed is recorded, and the ledger brought up to date with it."""
        self.now = max(self.now, *(one.talk.begin for one in sweep)) + dt.timedelta(seconds=1)
        for tenant, group in by_tenant(sweep).items():
            self.record(tenant, group)
            self.update(tenant, group)

    def update(self, tenant: str, group: Sequence[Arrival]) -> None:
        """The ledger of the slots that some conversations had a part in."""
        self.ledger.update(tenant, {one.talk.slot for one in group}, self.now)

    def record(self, tenant: str, group: Sequence[Arrival]) -> None:
        """What some conversations used, as the review writes it: of each its last revision."""
        last = {one.talk.id: Used(one.talk.id, one.revision, uses(one.talk)) for one in group}
        replace_uses(self.store, tenant, list(last.values()))

    def rows(self) -> list[dict[str, Any]]:
        """The ledger, row by row, without when it was written."""
        return self.store.rows(_LEDGER)


def told(store: Store) -> list[Entry]:
    """The ledger as a script states it."""
    return sorted(map(_entry, store.rows(_LEDGER)))


def wrong(found: Sequence[Entry], fleet: Fleet) -> list[str]:
    """What the ledger says and should not, and what it should and does not, each with the script that was played."""
    played = {story.slot: story.script for story in fleet.stories}
    expected = set(fleet.ledger)
    marks = [(entry, "invented") for entry in set(found) - expected]
    marks += [(entry, "missing") for entry in expected - set(found)]
    return [f"{played.get(entry.slot)}: {mark} {entry}" for entry, mark in sorted(marks)]


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(
        slot=Slot(row["TenantId"], row["ServiceName"], row["AgentName"], row["StepKind"]),
        swap_class=row["Class"],
        from_version=row["FromVersion"],
        to_version=row["ToVersion"],
        occurrence=row["Occurrence"],
        talk=row["FirstConversationId"],
        severity=row["Severity"],
        declared=row["DeploymentId"],
        standing=row["ended"] == 0,
        traffic=row["Traffic"] if row["Class"] == "version" else "",
    )
