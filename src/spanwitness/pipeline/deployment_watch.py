"""What was declared, held against the record over time: what came of it, and told what should have come and did not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from spanwitness.deployment import GRACE, Absence, Sighting, absences, due, first_seen, iso, told
from spanwitness.model import Deployment, Slot, Swap
from spanwitness.store import deployments as declared
from spanwitness.store import rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from spanwitness.store import Store

_LOOK: Final = dt.timedelta(minutes=1)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(slots=True)
class _Watched:
    """The declarations of a tenant, as of some look.

    Attributes:
        pulse: differs once one has come or was withdrawn.
        waiting: those that are not withdrawn and that nobody had seen yet.
        looked: when that was; None: not yet.
    """

    pulse: tuple[int, int]
    all: list[Deployment]
    waiting: list[Deployment]
    looked: dt.datetime | None = None


class DeploymentWatch:
    """The declared changes of a store, over time. `sweep` is for one thread at a time.

    Args:
        store: where they are.
        overdue: how long a declared change without an end is waited for.
    """

    def __init__(self, store: Store, overdue: dt.timedelta) -> None:
        self._store = store
        self._overdue = overdue
        self._watched: dict[str, _Watched] = {}

    def listed(self, tenant: str | None, now: dt.datetime) -> list[dict[str, Any]]:
        """All that was declared, in one tenant or in each, for JSON: what was said, and what came of it.

        `status` is withdrawn; seen (since `seen_at`), or late if that was not before it was `due`; absent (due and not
        seen); or expected. `withdrawn_at`: when that was. `swaps` are the ledger's entries that it covers.
        """
        tenants = sorted(declared.changed_at(self._store)) if tenant is None else [tenant]
        return [row for one in tenants for row in self._listed(one, now)]

    def sweep(self, now: dt.datetime, news: Collection[str] = ()) -> list[Swap]:
        """Tells what should have come and did not. What is on record is judged anew by the ledger's own sweep.

        What it writes follows from the record alone: done again, by this process or another, it writes nothing more.
        Returns the absences that are new. Raises StoreError.

        Args:
            now: the time.
            news: tenants whose ledger has just got new entries: what was missed there may have come.
        """
        found: list[Swap] = []
        for tenant, pulse in declared.changed_at(self._store).items():
            watched = self._watched.get(tenant)
            if watched is None or watched.pulse != pulse:
                everything = declared.deployments_of(self._store, tenant)
                watched = _Watched(pulse, everything, [one for one in everything if not one.withdrawn])
                self._watched[tenant] = watched
            if self._to_look(watched, now) or tenant in news:
                found += self._look(tenant, watched, now)
        return found

    def _to_look(self, watched: _Watched, now: dt.datetime) -> bool:
        """At once where a time has run out, else each minute, and only where something is waited for."""
        looked = watched.looked
        if looked is None:
            return True
        over = [due(one, self._overdue) for one in watched.waiting if due(one, self._overdue) <= now]
        return bool(over) and (now - looked >= _LOOK or max(over) > looked)

    def _look(self, tenant: str, watched: _Watched, now: dt.datetime) -> list[Swap]:
        over = [one for one in watched.waiting if due(one, self._overdue) <= now]
        near = self._near(tenant, over)
        absent = {
            absence.deployment.deployment_id: absence
            for one in over
            for absence in absences([one], self._sightings(one) if one in near else [], now, self._overdue)
        }
        known = {entry.deployment_id: entry for entry in declared.entries_of(self._store, tenant, absent=True)}
        swaps = {
            identity: _absent_swap(absence, _occurrence(absence.deployment, watched.all))
            for identity, absence in absent.items()
        }
        self._write(swaps, known, over, now)
        self._end_withdrawn(tenant, watched.all, known, now)
        # What has come, in time or late, needs no look any more.
        came = {one.deployment_id for one in over if one.deployment_id not in absent or absent[one.deployment_id].seen}
        watched.waiting = [one for one in watched.waiting if one.deployment_id not in came]
        watched.looked = now
        return [swap for identity, swap in swaps.items() if identity not in known and not swap.ended_ns]

    def _write(
        self,
        swaps: Mapping[str, Swap],
        known: Mapping[str, declared.Entry],
        over: Sequence[Deployment],
        now: dt.datetime,
    ) -> None:
        """Brings the ledger to what is so: `swaps` by deployment. What late spans have disproved is taken back."""
        found = []
        for one in over:
            swap, entry = swaps.get(one.deployment_id), known.get(one.deployment_id)
            if swap is not None and (entry is None or entry.ended_ns != swap.ended_ns):
                found.append(rows.swap_row(swap, entry.detected if entry else now, now))
            elif swap is None and entry is not None:
                found.append(rows.swap_row(self._swap_of(entry, one), entry.detected, now, withdrawn=True))
        if found:
            self._store.insert("model_swaps", rows.table(found))

    def _end_withdrawn(
        self, tenant: str, everything: Sequence[Deployment], known: Mapping[str, declared.Entry], now: dt.datetime
    ) -> None:
        """What is not announced any more cannot be missing."""
        gone = {one.deployment_id: one for one in everything if one.withdrawn}
        standing = [entry for entry in known.values() if entry.deployment_id in gone and not entry.ended_ns]
        if standing:
            when = declared.withdrawn_at(self._store, tenant)
            ended = [
                replace(
                    self._swap_of(entry, gone[entry.deployment_id]), ended_ns=_nanoseconds(when[entry.deployment_id])
                )
                for entry in standing
            ]
            entries = zip(standing, ended, strict=True)
            self._store.insert("model_swaps", rows.table([rows.swap_row(swap, e.detected, now) for e, swap in entries]))

    def _swap_of(self, entry: declared.Entry, one: Deployment) -> Swap:
        """What stands in the ledger of a declaration that did not come."""
        return replace(
            _absent_swap(Absence(one, due(one, self._overdue), None), entry.occurrence), ended_ns=entry.ended_ns
        )

    def _listed(self, tenant: str, now: dt.datetime) -> list[dict[str, Any]]:
        swaps: dict[str, list[str]] = {}
        for entry in declared.entries_of(self._store, tenant, absent=False):
            swaps.setdefault(entry.deployment_id, []).append(entry.id)
        gone = declared.withdrawn_at(self._store, tenant)
        found = []
        for one in declared.deployments_of(self._store, tenant):
            seen = first_seen(one, self._sightings(one))
            deadline = due(one, self._overdue)
            came = {
                "status": _status(one, deadline, seen, now),
                "seen_at": iso(seen) if seen else None,
                "due": iso(deadline),
                "withdrawn_at": iso(gone[one.deployment_id]) if one.deployment_id in gone else None,
            }
            found.append({**told(one), **came, "swaps": swaps.get(one.deployment_id, [])})
        return found

    def _near(self, tenant: str, over: Sequence[Deployment]) -> list[Deployment]:
        """Those whose version was in use since the first of them was to begin: one question for each kind."""
        found: list[Deployment] = []
        for kind in sorted({one.kind for one in over}):
            of_kind = [one for one in over if one.kind == kind]
            since = min(one.valid_from for one in of_kind) - GRACE
            seen = declared.versions_seen(self._store, tenant, kind, since)
            for one in of_kind:
                anywhen = (Sighting(kind, row["service"], row["agent"], row["version"], one.valid_from) for row in seen)
                found += [one] if first_seen(one, anywhen) else []
        return found

    def _sightings(self, one: Deployment) -> list[Sighting]:
        seen = declared.versions_seen(self._store, one.tenant, one.kind, one.valid_from - GRACE)
        return [Sighting(one.kind, **row) for row in seen]


def _status(one: Deployment, deadline: dt.datetime, seen: dt.datetime | None, now: dt.datetime) -> str:
    if one.withdrawn:
        return "withdrawn"
    if seen is not None:
        return "seen" if seen < deadline else "late"
    return "absent" if deadline <= now else "expected"


def _absent_swap(absence: Absence, occurrence: int) -> Swap:
    one = absence.deployment
    return Swap(
        slot=Slot(one.tenant, one.service, one.agent, "llm"),
        swap_class="absent",
        from_version=one.from_version,
        to_version=one.to_version,
        occurrence=occurrence,
        first_seen=one.valid_from,
        first_seen_ns=_nanoseconds(one.valid_from),
        first_trace="",
        first_conversation="",
        before=0,
        after=0,
        severity="warning",
        evidence={**told(one), "due": iso(absence.due)},
        share_now=0.0,
        traffic="none",
        ended_ns=_nanoseconds(absence.seen) if absence.seen else 0,
        deployment_id=one.deployment_id,
        declared_by=one.declarer,
    )


def _occurrence(one: Deployment, everything: Iterable[Deployment]) -> int:
    """The same change may be declared again for another time: which time this is."""
    same = [other for other in everything if _change(other) == _change(one)]
    return 1 + [other.deployment_id for other in same].index(one.deployment_id)


def _change(one: Deployment) -> tuple[str, str, str, str]:
    return one.service, one.agent, one.from_version, one.to_version


def _nanoseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1000
