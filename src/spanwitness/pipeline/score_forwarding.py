"""Scores on their way to the next hop. The store is the outbox: whoever closed a conversation, its scores are found."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from typing import TYPE_CHECKING, Any, Final

from spanwitness.errors import Busy, SpanWitnessError, fault
from spanwitness.forward.evaluation import ScoreRecord, evaluation_events
from spanwitness.store import onward as outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spanwitness.forward import Onward
    from spanwitness.store import Store
    from spanwitness.store.onward import Revision

# What another process began to write before this long ago is taken to be there by now.
_OVERLAP: Final = dt.timedelta(hours=1)
_LOOK_S: Final = 30.0
_MARK_EVERY: Final = dt.timedelta(minutes=10)
log = logging.getLogger(__name__)


class ScoreForwarding:
    """Sends the scores of closed conversations, each at least once. One task at a time.

    Those that were given when a conversation closed go together. What a judge said, and verdicts given again, come
    later and go on their own. A judge's failure goes once, whatever follows it.

    What is sent is noted after it was taken: killed in between, it is sent again with the same `log.record.uid`.

    Args:
        store: where the scores are.
        onward: the way to the next hop.
        clock: what time it is.
        together: so many revisions are looked up at once.
        most_bytes: a request of more than one score is no larger. A gRPC server takes 4 MiB by default, and refuses
            what is larger for good.
    """

    def __init__(
        self,
        store: Store,
        onward: Onward,
        clock: Callable[[], dt.datetime],
        together: int = 100,
        most_bytes: int = 1_000_000,
    ) -> None:
        self._store = store
        self._onward = onward
        self._clock = clock
        self._together = together
        self._most_bytes = most_bytes
        self._since = clock()

    def begin(self) -> None:
        """Finds where an earlier process came to. What closed before scores were ever sent is not sent.

        Raises:
            StoreError: the store is away.
        """
        found = outbox.mark(self._store)
        if found is None:
            outbox.set_mark(self._store, self._since, self._clock())
        else:
            self._since = found

    async def keep_sending(self, scored: asyncio.Event) -> None:
        """Sends whenever `scored` is set; and now and then, since other processes close conversations too."""
        while True:
            wait = _LOOK_S
            try:
                scored.clear()
                await self.run()
            except Busy as busy:
                wait = max(1.0, busy.retry_after_s)
                scored.clear()
            except Exception as error:  # noqa: BLE001 - the scores are kept; ingestion never stops for it
                why = str(error) if isinstance(error, SpanWitnessError) else fault(error)
                log.error("scores could not be passed on and will be tried again: %s", why)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await scored.wait()

    async def run(self) -> int:
        """Sends all that is to be sent; how many scores that were.

        Raises:
            Busy: the next hop, or the queue for it, does not take them now.
            StoreError: the store is away.
        """
        began, count = self._clock(), 0
        while revisions := await asyncio.to_thread(outbox.unsent, self._store, self._since, self._together):
            scores = await asyncio.to_thread(outbox.scores_of, self._store, revisions)
            if scores:
                await self._pass_on([_record(row) for row in scores])
            count += len(scores)
            await asyncio.to_thread(self._sent, revisions)
        while later := await asyncio.to_thread(outbox.later, self._store, self._since, self._together):
            await self._pass_on([_record(row) for row in later])
            count += len(later)
            await asyncio.to_thread(outbox.sent_later, self._store, later, self._clock())
        await asyncio.to_thread(self._move_mark, began - _OVERLAP)
        return count

    async def _pass_on(self, scores: Sequence[ScoreRecord]) -> None:
        parcel = evaluation_events(scores)
        if len(parcel.body) > self._most_bytes and len(scores) > 1:
            middle = len(scores) // 2
            await self._pass_on(scores[:middle])
            await self._pass_on(scores[middle:])
            return
        told = await self._onward.pass_on(parcel)
        if told is not None:
            log.warning("the next hop rejected %d of %d scores", told.rejected, parcel.items)

    def _sent(self, revisions: Sequence[Revision]) -> None:
        outbox.sent(self._store, revisions, self._clock())

    def _move_mark(self, to: dt.datetime) -> None:
        if to - self._since >= _MARK_EVERY:
            outbox.set_mark(self._store, to, self._clock())
            self._since = to


def _record(row: dict[str, Any]) -> ScoreRecord:
    return ScoreRecord(
        tenant=row["TenantId"],
        conversation_id=row["ConversationId"],
        conversation_source=row["ConversationIdSource"],
        revision=row["Revision"],
        evaluator=row["Evaluator"],
        evaluator_version=row["EvaluatorVersion"],
        judge=row["Judge"],
        status=row["Status"],
        mode=row["Mode"],
        score=row["Score"],
        label=row["Label"],
        threshold=row["Threshold"],
        passed=None if row["Passed"] is None else bool(row["Passed"]),
        explanation=row["Explanation"],
        scored_at=row["ScoredAt"],
        trace_id=row["TraceId"],
        span_id=row["SpanId"],
        judge_served=row["JudgeModel"],
        scoring=row["Scoring"],
    )
