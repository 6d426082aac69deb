"""What is counted of both lanes, and what is read from the ledger for Prometheus: after a sweep, never in a scrape."""

from __future__ import annotations

import datetime as dt
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from spanwitness import __version__
from spanwitness.errors import StoreError, fault
from spanwitness.metrics import Meters, names
from spanwitness.metrics.ledger import SlotNow, Standing, tell_slots, tell_swaps
from spanwitness.metrics.page import render
from spanwitness.metrics.statuses import tell_alerts, tell_forward
from spanwitness.model import Slot, Swap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spanwitness.pipeline.review import Sweep
    from spanwitness.store import Store

log = logging.getLogger(__name__)
_AGAIN: Final = dt.timedelta(seconds=30)
"""Others write to the ledger too: it is read again after this long, even if no sweep of ours has changed it."""
_SLOTS_AT_ONCE: Final = 500
_PHASES: Final = ("learning", "watching", "alarmed")
_ANSWERS: Final = {"OK": "accepted", "200": "accepted", "UNAVAILABLE": "busy", "503": "busy"}

_SWAPS = """
SELECT *, toUnixTimestamp64Nano(FirstSeenAt) AS first_ns, count() OVER () AS standing
FROM model_swaps FINAL
WHERE toUnixTimestamp64Nano(EndedAt) = 0 AND Withdrawn = 0
ORDER BY indexOf(['page', 'warning', 'info'], toString(Severity)), FirstSeenAt DESC, SwapId
LIMIT {most:UInt32}
"""

_SLOTS = """
SELECT TenantId, ServiceName, AgentName, StepKind, max(LastSeen) AS last, max(UpdatedAt) AS updated,
       count() OVER () AS known
FROM model_versions FINAL
WHERE Gone = 0
GROUP BY TenantId, ServiceName, AgentName, StepKind
ORDER BY last DESC, TenantId, ServiceName, AgentName, StepKind
LIMIT {most:UInt32}
"""

# Of some slots, the last 50 conversations: by version, in how many it answered; and how many calls told what answered.
_SHARES = """
WITH uses AS (
    SELECT TenantId, ServiceName, AgentName, StepKind, ConversationId, ModelVersion, FirstAt, Calls, ServedModel
    FROM model_uses FINAL
    WHERE TenantId IN {tenants:Array(String)}
      AND (TenantId, ServiceName, AgentName, StepKind) IN {slots:Array(Tuple(String, String, String, String))}
)
SELECT TenantId, ServiceName, AgentName, StepKind, ModelVersion,
       groupUniqArray(cityHash64(ConversationId)) AS conversations,
       sum(Calls) AS calls, sumIf(Calls, ServedModel != '') AS told
FROM uses
WHERE (TenantId, ServiceName, AgentName, StepKind, ConversationId) IN (
    SELECT TenantId, ServiceName, AgentName, StepKind, ConversationId FROM uses
    GROUP BY TenantId, ServiceName, AgentName, StepKind, ConversationId
    ORDER BY min(FirstAt) DESC, ConversationId LIMIT 50 BY TenantId, ServiceName, AgentName, StepKind
)
GROUP BY TenantId, ServiceName, AgentName, StepKind, ModelVersion
ORDER BY length(conversations) DESC, ModelVersion
"""
_DRIFT = "SELECT Phase, count() AS versions FROM drift_states FINAL GROUP BY Phase"


class Measures:
    """Keeps `meters` true. `sweep` and `refresh` belong to the review's thread, the rest to any.

    Args:
        store: where the ledger is.
        meters: where to.
        most: how many series one metric may have; 0 where nobody asks: then the ledger is not read.
        clock: seconds that only ever grow, to see how long something takes.
    """

    def __init__(self, store: Store, meters: Meters, most: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._store = store
        self._meters = meters
        self._most = most
        self._clock = clock
        self._read_at: dt.datetime | None = None
        self._slots_due: dt.datetime | None = None
        self._slots: dict[Slot, tuple[dt.datetime, SlotNow]] = {}

    def begin(self, now: dt.datetime) -> None:
        """What has not happened yet is told as 0: the first time is an increase too."""
        self._meters.put(names.BUILD, 1, __version__)
        self._meters.put(names.SWEEP_SUCCESS, now.timestamp())
        for metric in (names.REVISED, names.UNCHANGED, names.FAILED, names.SWEEP_FAILURES):
            self._meters.add(metric, by=0)
        for operation in ("insert", "query"):
            self._meters.add(names.STORE_ERRORS, operation, by=0)
        for signal in names.SIGNALS:
            self._meters.add(names.ACCEPTED, signal, by=0)
            self._meters.add(names.REJECTED, signal, names.INVALID, by=0)

    def answered(self, transport: str, signal: str, code: str) -> None:
        """See receive.Answered."""
        self._meters.add(names.REQUESTS, transport, signal, _ANSWERS.get(code, "refused"), code)

    def page(
        self, accept: str, forward: Mapping[str, object], alerts: Mapping[str, Mapping[str, object]]
    ) -> tuple[bytes, str]:
        """What a scrape is answered, and its content type. Nothing is read for it but what is in memory.

        Args:
            accept: the request's Accept header.
            forward: `Onward.status()`, empty where there is no next hop.
            alerts: `Alerting.status()`.
        """
        tell_forward(self._meters, forward)
        tell_alerts(self._meters, alerts)
        return render(self._meters, accept)

    def sweep(self, task: Callable[[], Sweep], clock: Callable[[], dt.datetime]) -> Sweep:
        """Does a sweep, and counts what came of it."""
        begin = self._clock()
        try:
            swept = task()
        except Exception:
            self._meters.add(names.SWEEP_FAILURES)
            raise
        self._swept(swept, self._clock() - begin, clock())
        return swept

    def _swept(self, swept: Sweep, took_s: float, now: dt.datetime) -> None:
        meters = self._meters
        meters.put(names.SWEEP_SUCCESS, now.timestamp())
        meters.observe(names.SWEEP_SECONDS, took_s)
        if swept.waiting is not None:
            meters.put(names.OPEN, swept.waiting)
        meters.add(names.UNCHANGED, by=swept.unchanged)
        meters.add(names.FAILED, by=swept.failed)
        for swap in swept.swaps:
            meters.add(names.DETECTED, swap.swap_class, swap.severity)
        self.refresh(now, changed=bool(swept.closed or swept.revised or swept.unchanged))

    def refresh(self, now: dt.datetime, *, changed: bool = True) -> None:
        """Reads the ledger again if it has changed or was read long ago. What cannot be read is told as it was."""
        if not self._most or (not changed and self._read_at is not None and now - self._read_at < _AGAIN):
            return
        try:
            swaps = self._store.rows(_SWAPS, {"most": self._most})
            tell_swaps(self._meters, [_standing(row) for row in swaps], swaps[0]["standing"] if swaps else 0)
            watched = {row["Phase"]: row["versions"] for row in self._store.rows(_DRIFT)}
            self._meters.replace(names.DRIFT, {(phase,): watched.get(phase, 0) for phase in _PHASES})
            if self._slots_due is None or now >= self._slots_due:
                self._read_slots(now)
        except Exception as error:  # noqa: BLE001 - whatever it is, the review goes on
            why = str(error) if isinstance(error, StoreError) else fault(error)
            log.warning("the ledger could not be read for the metrics: %s", why)
            return
        self._read_at = now
        self._meters.put(names.LEDGER_READ, now.timestamp())

    def _read_slots(self, now: dt.datetime) -> None:
        begin = self._clock()
        rows = self._store.rows(_SLOTS, {"most": self._most})
        newest = {_slot(row): row for row in rows}
        changed = [slot for slot, row in newest.items() if self._updated(slot) != row["updated"]]
        for at in range(0, len(changed), _SLOTS_AT_ONCE):
            self._read_shares(changed[at : at + _SLOTS_AT_ONCE], newest)
        self._slots = {slot: self._slots[slot] for slot in newest if slot in self._slots}
        known = rows[0]["known"] if rows else 0
        tell_slots(self._meters, [told for _, told in self._slots.values()], known, self._most)
        # However large the store is, this takes no more than a twentieth of the time.
        self._slots_due = now + 20 * dt.timedelta(seconds=self._clock() - begin)

    def _updated(self, slot: Slot) -> dt.datetime | None:
        return self._slots[slot][0] if slot in self._slots else None

    def _read_shares(self, slots: Sequence[Slot], newest: Mapping[Slot, Mapping[str, Any]]) -> None:
        keys = [(slot.tenant, slot.service, slot.agent, slot.step_kind) for slot in slots]
        tenants = sorted({slot.tenant for slot in slots})
        found: dict[Slot, list[dict[str, Any]]] = {}
        for row in self._store.rows(_SHARES, {"tenants": tenants, "slots": keys}):
            found.setdefault(_slot(row), []).append(row)
        for slot, rows in found.items():
            calls = sum(row["calls"] for row in rows)
            window = len({conversation for row in rows for conversation in row["conversations"]})
            shares = {row["ModelVersion"]: len(row["conversations"]) / window for row in rows}
            verified = sum(row["told"] for row in rows) / calls if calls else 0.0
            self._slots[slot] = (newest[slot]["updated"], SlotNow(slot, newest[slot]["last"], shares, verified))


def _slot(row: Mapping[str, Any]) -> Slot:
    return Slot(row["TenantId"], row["ServiceName"], row["AgentName"], row["StepKind"])


def _standing(row: Mapping[str, Any]) -> Standing:
    swap = Swap(
        slot=_slot(row),
        swap_class=row["Class"],
        from_version=row["FromVersion"],
        to_version=row["ToVersion"],
        occurrence=row["Occurrence"],
        first_seen=row["FirstSeenAt"].replace(tzinfo=dt.UTC),
        first_seen_ns=row["first_ns"],
        first_trace=row["FirstTraceId"],
        first_conversation=row["FirstConversationId"],
        before=row["ConversationsBefore"],
        after=row["ConversationsAfter"],
        severity=row["Severity"],
        evidence={},
        share_now=row["ShareNow"],
        traffic=row["Traffic"],
        deployment_id=row["DeploymentId"],
        declared_by=row["DeclaredBy"],
    )
    return Standing(swap, bool(row["Declared"]), row["DetectedAt"].replace(tzinfo=dt.UTC))
