"""What the store knows of scores that go to a next hop: which have not gone yet, and which have."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spanwitness.store.rows import naive, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spanwitness.store.clickhouse import Store

# What an import closed never went to the next hop, so its scores would speak of spans that nobody there has.
_UNSENT: Final = """
SELECT TenantId, ConversationId, Revision, toUnixTimestamp64Milli(max(ClosedAt)) AS closed,
       any(ConversationIdSource) AS source
FROM conversations
WHERE ClosedAt >= fromUnixTimestamp64Milli({since:Int64}) AND CloseReason NOT IN ('import', 'moved')
  AND (TenantId, ConversationId, Revision) NOT IN (
      SELECT TenantId, ConversationId, Revision FROM forwarded_scores
      WHERE ClosedAt >= fromUnixTimestamp64Milli({since:Int64}) AND Evaluator = '')
GROUP BY TenantId, ConversationId, Revision
ORDER BY closed, TenantId, ConversationId, Revision
LIMIT {limit:UInt32}
"""

_COLUMNS: Final = """TenantId, ConversationId, Revision, Evaluator, EvaluatorVersion, Judge, JudgeModel, Scoring,
       Status, Mode, Score, Label, Threshold, Passed, Explanation, toUnixTimestamp64Milli(ScoredAt) AS scored"""

_SCORES: Final = f"""
SELECT {_COLUMNS}
FROM scores FINAL
WHERE (TenantId, ConversationId, Revision) IN {{revisions:Array(Tuple(String, String, UInt32))}}
  AND Judge = '' AND Scoring = 0
ORDER BY TenantId, ConversationId, Revision, Evaluator, EvaluatorVersion
"""

# Those of a judge, and those given again: later than their revision closed.
_IS_LATER: Final = "ScoredAt >= fromUnixTimestamp64Milli({since:Int64}) AND (Judge != '' OR Scoring > 0)"
_OF_LATER: Final = f"""(TenantId, ConversationId, Revision) IN
      (SELECT TenantId, ConversationId, Revision FROM scores WHERE {_IS_LATER})"""
_LATER: Final = f"""
SELECT {_COLUMNS}
FROM scores FINAL
WHERE {_IS_LATER} AND {_OF_LATER}
  AND (TenantId, ConversationId, Revision, Evaluator, Judge, Scoring, toUInt8(Status = 'failed')) NOT IN (
      SELECT TenantId, ConversationId, Revision, Evaluator, Judge, Scoring, Failed FROM forwarded_scores
      WHERE ClosedAt >= fromUnixTimestamp64Milli({{since:Int64}}) AND Evaluator != '')
  AND (TenantId, ConversationId, Revision) NOT IN (
      SELECT TenantId, ConversationId, Revision FROM conversations
      WHERE {_OF_LATER} AND CloseReason IN ('import', 'moved'))
ORDER BY scored, TenantId, ConversationId, Revision, Evaluator, Judge, Scoring
LIMIT {{limit:UInt32}}
"""

_SOURCES: Final = """
SELECT TenantId, ConversationId, Revision, any(ConversationIdSource) AS source FROM conversations
WHERE (TenantId, ConversationId, Revision) IN {revisions:Array(Tuple(String, String, UInt32))}
GROUP BY TenantId, ConversationId, Revision
"""

_STEPS: Final = """
SELECT TenantId, ConversationId, Revision, TraceId, SpanId, toUnixTimestamp64Nano(StartedAt) AS started
FROM steps FINAL
WHERE (TenantId, ConversationId, Revision) IN {revisions:Array(Tuple(String, String, UInt32))} AND Step = 1
"""

# A root may have begun well before the first step in it; a day bounds what has to be looked through.
_ROOTS: Final = """
SELECT TenantId, TraceId, argMin(SpanId, (Timestamp, SpanId)) AS root
FROM otel_traces
WHERE (TenantId, TraceId) IN {traces:Array(Tuple(String, String))} AND ParentSpanId = ''
  AND toStartOfHour(Timestamp) >= toStartOfHour({start:DateTime}) AND Timestamp <= {end:DateTime} + 1
GROUP BY TenantId, TraceId
"""

_MARK: Final = """
SELECT toUnixTimestamp64Milli(max(ClosedAt)) AS at, toUInt32(count()) AS n
FROM forwarded_scores WHERE TenantId = '' AND ConversationId = ''
"""


@dataclass(frozen=True, slots=True, order=True)
class Revision:
    """A revision of a conversation, whose scores are sent together. `closed`: Unix milliseconds."""

    closed: int
    tenant: str
    conversation_id: str
    number: int
    source: str

    @property
    def key(self) -> tuple[str, str, int]:
        """As it is found in the tables."""
        return self.tenant, self.conversation_id, self.number


def mark(store: Store) -> dt.datetime | None:
    """What closed before this is sent, or need not be; None where no scores were ever sent."""
    (row,) = store.rows(_MARK)
    return _moment(row["at"]) if row["n"] else None


def set_mark(store: Store, at: dt.datetime, now: dt.datetime) -> None:
    """Moves the mark."""
    _insert(store, [("", "", 0, at)], now)


def unsent(store: Store, since: dt.datetime, limit: int) -> list[Revision]:
    """The oldest revisions, closed since then, whose scores have not been sent."""
    found = store.rows(_UNSENT, {"since": _milliseconds(since), "limit": limit})
    return [Revision(row["closed"], *_key(row), row["source"]) for row in found]


def sent(store: Store, revisions: Sequence[Revision], now: dt.datetime) -> None:
    """Notes that the scores of these were sent: those that they had when they closed."""
    _insert(store, [(*revision.key, _moment(revision.closed)) for revision in revisions], now)


def later(store: Store, since: dt.datetime, limit: int) -> list[dict[str, Any]]:
    """The oldest scores, given since then, that came after their revision had closed and have not been sent.

    As `scores_of` has them.
    """
    found = store.rows(_LATER, {"since": _milliseconds(since), "limit": limit})
    keys = {"revisions": sorted({_key(row) for row in found})}
    sources = {_key(row): row["source"] for row in store.rows(_SOURCES, keys)} if found else {}
    return _linked(store, found, sources)


_LATER_KEY: Final = ("TenantId", "ConversationId", "Revision", "Evaluator", "Judge", "Scoring")


def sent_later(store: Store, scores: Sequence[dict[str, Any]], now: dt.datetime) -> None:
    """Notes that these were sent, as `later` told them."""
    rows = [
        {
            **{name: score[name] for name in _LATER_KEY},
            "Failed": int(score["Status"] == "failed"),
            "ClosedAt": naive(score["ScoredAt"]),
            "ForwardedAt": naive(now),
        }
        for score in scores
    ]
    if rows:
        store.insert("forwarded_scores", table(rows))


def scores_of(store: Store, revisions: Sequence[Revision]) -> list[dict[str, Any]]:
    """The scores that some revisions had when they closed.

    Each with what named its conversation, and the span that it is linked to: the root of the first step's trace, else
    the first step; TraceId and SpanId are '' where there is none.
    """
    found = store.rows(_SCORES, {"revisions": [revision.key for revision in revisions]})
    return _linked(store, found, {revision.key: revision.source for revision in revisions})


def _linked(
    store: Store, found: list[dict[str, Any]], sources: Mapping[tuple[str, str, int], str]
) -> list[dict[str, Any]]:
    keys = {"revisions": sorted({_key(row) for row in found})}
    steps = {_key(row): row for row in store.rows(_STEPS, keys)} if found else {}
    roots = _roots(store, list(steps.values()))
    for row in found:
        step = steps.get(_key(row), {"TraceId": "", "SpanId": ""})
        root = roots.get((row["TenantId"], step["TraceId"]), step["SpanId"])
        row |= {"TraceId": step["TraceId"], "SpanId": root, "ScoredAt": _moment(row.pop("scored"))}
        row["ConversationIdSource"] = sources.get(_key(row), "")
    return found


def _roots(store: Store, steps: Sequence[dict[str, Any]]) -> dict[tuple[str, str], str]:
    if not steps:
        return {}
    times = [_moment(row["started"] // 10**6) for row in steps]
    traces = sorted({(row["TenantId"], row["TraceId"]) for row in steps})
    start = max(min(times) - dt.timedelta(days=1), _EPOCH)
    found = store.rows(_ROOTS, {"traces": traces, "start": start, "end": max(times)})
    return {(row["TenantId"], row["TraceId"]): row["root"] for row in found}


def _insert(store: Store, entries: Sequence[tuple[str, str, int, dt.datetime]], now: dt.datetime) -> None:
    rows = [
        {
            "TenantId": tenant,
            "ConversationId": conversation,
            "Revision": revision,
            "ClosedAt": naive(closed),
            "ForwardedAt": naive(now),
        }
        for tenant, conversation, revision, closed in entries
    ]
    store.insert("forwarded_scores", table(rows))


def _key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["TenantId"], row["ConversationId"], row["Revision"]


_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _moment(milliseconds: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(milliseconds=milliseconds)


def _milliseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(milliseconds=1)
