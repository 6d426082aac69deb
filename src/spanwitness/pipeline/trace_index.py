"""The trace index: what has arrived of each trace. Written a little behind the spans, and caught up after a crash.

It is what the review lane asks, not what a sender waits for: an insert of its own for every batch would cost a small
batch as much as its spans. What was not written when a process was killed is found again in the spans themselves.
"""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING

import pyarrow as pa

from spanwitness.identity import CONVERSATION_TRUST, NO_CANDIDATE

if TYPE_CHECKING:
    from spanwitness.store import Store

TABLE = "otel_traces_trace_id_ts"
_HELD_FOR = dt.timedelta(seconds=1)
_HELD_ROWS = 50_000
_HELD_MOST = 500_000
_OVERLAP = dt.timedelta(minutes=2)  # more than a process holds rows back, and than the clocks of two differ
_LOOK_BACK = dt.timedelta(hours=1)

_MISSED = """
INSERT INTO otel_traces_trace_id_ts
    (TenantId, TraceId, Start, End, FirstIngestedAt, LastIngestedAt, Candidate, Ended, Channel, Spans, Batches)
SELECT TenantId, TraceId, min(Timestamp), max(Timestamp), min(IngestedAt), max(IngestedAt),
       min(if(ConversationId = '' OR Version > 0, {none:String}, concat(
           leftPad(toString(if(indexOf({trust:Array(String)}, ConversationIdSource) = 0,
                               length({trust:Array(String)}),
                               indexOf({trust:Array(String)}, ConversationIdSource) - 1)), 3, '0'), '|',
           leftPad(toString(toUnixTimestamp64Nano(Timestamp)), 20, '0'), '|',
           ConversationIdSource, '|', ConversationId))),
       0, max(Channel), count(), 1
FROM otel_traces
WHERE IngestedAt >= fromUnixTimestamp64Milli({since:Int64})
GROUP BY TenantId, TraceId
"""

_MISSED_LOGS = """
INSERT INTO otel_traces_trace_id_ts
    (TenantId, TraceId, Start, End, FirstIngestedAt, LastIngestedAt, Candidate, Ended, Channel, Spans, Batches)
SELECT TenantId, TraceId, min(Timestamp), max(Timestamp), min(IngestedAt), max(IngestedAt), {none:String}, 0, '',
       count(), 1
FROM otel_logs
WHERE TraceId != '' AND IngestedAt >= fromUnixTimestamp64Milli({since:Int64})
GROUP BY TenantId, TraceId
"""


class TraceIndex:
    """Rows on their way into the index. Methods may be called from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: list[pa.Table] = []
        self._rows = 0
        self._since: dt.datetime | None = None
        self._lock = threading.Lock()
        self._dropped: dt.datetime | None = None

    def add(self, rows: pa.Table, now: dt.datetime) -> None:
        """Takes rows whose spans are stored; writes all that is held once it has been held for long enough."""
        with self._lock:
            if self._rows > _HELD_MOST and self._since:  # the index refuses while spans are taken: read again later
                self._dropped = min(self._since, self._dropped or self._since)
                self._held, self._rows, self._since = [], 0, now
            self._held.append(rows)
            self._rows += len(rows)
            self._since = self._since or now
            late = now - self._since >= _HELD_FOR or self._rows >= _HELD_ROWS
        if late:
            self.flush()

    def flush(self) -> None:
        """Writes what is held. Raises StoreError; what could not be written stays held."""
        with self._lock:
            if self._dropped:
                self._add_since(int(self._dropped.timestamp() * 1000) - _milliseconds(_OVERLAP))
                self._dropped = None
            if not self._held:
                return
            # Two batches may hold the same rows (a retry); as one insert they would count as one all the same.
            self._store.insert(TABLE, pa.concat_tables(self._held))
            self._held, self._rows, self._since = [], 0, None

    def catch_up(self, now: dt.datetime) -> None:
        """Adds what a process that was killed had stored and not indexed. Adding twice does no harm.

        Looks at what came since the index was last written to, and at the last hour in any case: other processes that
        write to the same store go on with the index when one of them is killed.
        """
        (newest,) = self._store.rows("SELECT toUnixTimestamp64Milli(max(LastIngestedAt)) AS at FROM " + TABLE)
        since = min(newest["at"] - _milliseconds(_OVERLAP), int(now.timestamp() * 1000) - _milliseconds(_LOOK_BACK))
        self._add_since(max(since, 0))

    def _add_since(self, since: int) -> None:
        known: dict[str, object] = {"none": NO_CANDIDATE, "since": since}
        self._store.command(_MISSED_LOGS, known)
        self._store.command(_MISSED, {**known, "trust": list(CONVERSATION_TRUST)})


def _milliseconds(span: dt.timedelta) -> int:
    return int(span.total_seconds() * 1000)
