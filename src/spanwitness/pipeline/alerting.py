"""Alerts of swaps on their way to who is to be told. The store is the outbox: whoever found a swap, it is told of."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from spanwitness.alert import Alert, Outcome, Receiver
from spanwitness.errors import SpanWitnessError, fault
from spanwitness.store import alerts as outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spanwitness.store import Store
    from spanwitness.store.alerts import Due, Entry

_EVERY: Final = dt.timedelta(seconds=10)
_LEAST: Final = dt.timedelta(seconds=1)
_FIRST_WAIT: Final = dt.timedelta(seconds=10)
_LONGEST_WAIT: Final = dt.timedelta(hours=1)
_REFUSED_FOR: Final = dt.timedelta(hours=1)
_DOUBLINGS: Final = 16  # beyond any patience
_TICK: Final = dt.timedelta(milliseconds=1)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AlertRules:
    """Which swaps are told of: of these severities, and first seen no longer ago than this."""

    severities: tuple[str, ...] = ("page", "warning", "info")
    max_age: dt.timedelta = dt.timedelta(days=7)


class Alerting:
    """All receivers, each on a lane of its own: one that is away or slow holds up no other."""

    def __init__(
        self, store: Store, receivers: Sequence[Receiver], rules: AlertRules, clock: Callable[[], dt.datetime]
    ) -> None:
        self.lanes = [AlertLane(store, receiver, rules, clock) for receiver in receivers]

    async def run(self) -> int:
        """One pass of every lane; how many messages were taken.

        Raises:
            StoreError: the store is away.
        """
        return sum(await asyncio.gather(*(lane.run() for lane in self.lanes)))

    def look(self) -> None:
        """Has `keep_telling` look at once: the ledger may have changed. To be called in its event loop."""
        for lane in self.lanes:
            lane.look()

    def status(self) -> dict[str, dict[str, Any]]:
        """By receiver, see AlertLane.status."""
        return {lane.name: lane.status() for lane in self.lanes}

    async def close(self) -> None:
        """Lets go of all connections."""
        for lane in self.lanes:
            await lane.close()


class AlertLane:
    """Tells one receiver, of each state at least once. One task at a time.

    That a message goes out is noted before, so that nothing that may have arrived is never resolved; and that it was
    taken, after: killed in between, it goes out again under the same name.
    """

    def __init__(self, store: Store, receiver: Receiver, rules: AlertRules, clock: Callable[[], dt.datetime]) -> None:
        self.name = receiver.name
        self._store = store
        self._receiver = receiver
        self._wanted = outbox.Wanted(
            receiver.name, rules.severities, receiver.repeat is not None, rules.max_age, clock()
        )
        self._clock = clock
        self._not_before = self._wanted.started
        self._failures = 0
        self._refusing = ""
        self._sent = self._failed = self._refused = 0
        self._counts: dict[str, int] = {}
        self._error = ""
        self._news = asyncio.Event()

    def look(self) -> None:
        """See Alerting.look."""
        self._news.set()

    async def keep_telling(self) -> None:
        """Until cancelled: after each `look`, and every few seconds, for others' sweeps, retries and reminders."""
        repeat = self._receiver.repeat or _EVERY
        wait_s = min(_EVERY, max(_LEAST, repeat)).total_seconds()
        while True:
            self._news.clear()
            try:
                await self.run()
            except Exception as error:  # noqa: BLE001 - what was not sent is kept; nothing else stops for it
                why = str(error) if isinstance(error, SpanWitnessError) else fault(error)
                log.error("alerts could not be sent to %s and will be tried again: %s", self.name, why)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()

    async def run(self) -> int:
        """Sends all that is to be sent; how many messages were taken.

        Raises:
            StoreError: the store is away.
        """
        now = max(self._clock(), self._wanted.started)
        if now < self._not_before:
            return 0
        taken = await self._pass(now)
        await self._look_up()
        return taken

    def status(self) -> dict[str, Any]:
        """What the receiver knows (`firing`), what became of messages since the start, and what was wrong last.

        `up`: it took, or at least answered, what was sent last. `waiting`: swaps of which it was told in vain so far.
        """
        return {
            "up": not self._failures,
            "firing": self._counts.get("firing", 0),
            "waiting": self._counts.get("pending", 0),
            "refused": self._counts.get("refused", 0),
            "sent": self._sent,
            "failed": self._failed + self._refused,
            "last_error": self._error,
        }

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._receiver.close()

    async def _pass(self, now: dt.datetime) -> int:
        taken = 0
        while found := await asyncio.to_thread(outbox.due, self._store, self._wanted, now):
            for messages in _requests(await self._begun(found, now), self._receiver.together):
                took, away = await self._tell(messages, now)
                taken += took
                if away:
                    return taken
            await self._look_up()  # a pass over many takes a while, in which somebody may ask
        return taken

    async def _look_up(self) -> None:
        self._counts = await asyncio.to_thread(outbox.counts, self._store, self.name)

    async def _begun(self, found: Sequence[Due], now: dt.datetime) -> list[Due]:
        """The same, once it is noted of those that the receiver does not have yet that it may have them now."""
        new = {due.delivery: due for due in found if due.entry.state not in {"pending", "firing"}}
        noted = await self._note([_pending(due, now) for due in new.values()], now)
        known = dict(zip(new, noted, strict=True))
        return [replace(due, entry=known.get(due.delivery, due.entry)) for due in found]

    async def _tell(self, messages: Sequence[Due], now: dt.datetime) -> tuple[int, bool]:
        """One request, or several where one alone is refused; how many messages were taken, and whether to stop."""
        outcome = await self._outcome([_alert(due) for due in messages], now)
        if outcome.divisible and len(messages) > 1:
            middle = len(messages) // 2
            first, away = await self._tell(messages[:middle], now)
            if away:
                return first, away
            second, away = await self._tell(messages[middle:], now)
            return first + second, away
        self._count(outcome, len(messages))
        await self._note([self._after(due, outcome, now) for due in messages], now)
        if outcome.away:
            self._not_before = now + self._wait(outcome, self._failures)
        return len(messages) if outcome.kind == "taken" else 0, outcome.away

    async def _outcome(self, alerts: Sequence[Alert], now: dt.datetime) -> Outcome:
        try:
            return await self._receiver.send(alerts, now)
        except Exception as error:  # noqa: BLE001 - a row that cannot be told must not keep the others from being told
            return Outcome("refused", fault(error), divisible=True)

    async def _note(self, entries: Sequence[Entry], now: dt.datetime) -> list[Entry]:
        return await asyncio.to_thread(outbox.note, self._store, entries, now)

    def _after(self, due: Due, outcome: Outcome, now: dt.datetime) -> Entry:
        entry = due.entry
        if outcome.kind == "taken":
            return _taken(due, now, self._receiver.repeat)
        wait = self._wait(outcome, entry.attempts + 1) if outcome.kind == "later" else _REFUSED_FOR
        return replace(
            entry,
            state="refused" if outcome.kind == "refused" else entry.state,
            digest=due.delivery,
            attempts=entry.attempts + 1,
            next_at=now + wait,
            error=outcome.why,
        )

    def _wait(self, outcome: Outcome, failures: int) -> dt.timedelta:
        if outcome.retry_after_s is not None:
            return dt.timedelta(seconds=min(max(1.0, outcome.retry_after_s), _LONGEST_WAIT.total_seconds()))
        doubled: int = 2 ** min(failures - 1, _DOUBLINGS)
        return min(self._receiver.patience, _FIRST_WAIT * doubled)

    def _count(self, outcome: Outcome, messages: int) -> None:
        """Counts, and tells the log of what is new: never of each single message that went the same way."""
        if outcome.kind == "taken":
            self._sent += messages
            if self._failures:
                log.info("%s takes alerts again", self.name)
            self._failures, self._refusing = 0, ""
            return
        self._error = outcome.why
        if outcome.kind == "refused":
            self._refused += messages
            self._failures = 0
            if self._refusing != outcome.why:
                log.error("%s refused an alert for good (%s); it is tried again in an hour", self.name, outcome.why)
            self._refusing = outcome.why
            return
        self._failed += messages
        self._failures += 1
        if self._failures == 1:
            log.warning("%s did not take an alert (%s); it will be tried again", self.name, outcome.why)


def _alert(due: Due) -> Alert:
    told_as = "" if due.entry.state == "resolved" else due.entry.severity
    return Alert(due.swap, due.status, due.severity, told_as, due.delivery)


def _pending(due: Due, now: dt.datetime) -> Entry:
    """Before it goes out. What was refused may stand there under another severity still, as it was told before."""
    severity = due.entry.severity if due.entry.state == "refused" else due.severity
    return replace(due.entry, state="pending", severity=severity, next_at=now)


def _taken(due: Due, now: dt.datetime, repeat: dt.timedelta | None) -> Entry:
    entry = due.entry
    again = repeat if repeat is not None and due.status == "firing" else dt.timedelta()
    return replace(
        entry,
        state=due.status,
        severity=due.severity,
        digest=due.delivery,
        attempts=0,
        first_sent=entry.first_sent or now,
        sent=now if entry.sent is None else max(now, entry.sent + _TICK),  # what comes next has another name
        next_at=now + again,
        error="",
    )


def _requests(messages: Sequence[Due], together: int) -> list[Sequence[Due]]:
    return [messages[at : at + together] for at in range(0, len(messages), together)]
