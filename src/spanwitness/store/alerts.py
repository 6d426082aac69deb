"""The outbox of alerts: swaps that stand, against what was sent of them, for one receiver at a time.

A row of `alerts` says what a receiver knows. Its states: `pending`, it was sent, and nobody knows whether it arrived;
`firing` and `resolved`, it was taken as that; `refused`, what was sent last was refused for good. `Severity` is that
under which the receiver has it, or may have it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa

from spanwitness.store.rows import naive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.store.clickhouse import Store

State = Literal["", "pending", "firing", "resolved", "refused"]
Status = Literal["firing", "resolved"]

_TICK: Final = dt.timedelta(milliseconds=1)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TIME: Final = pa.timestamp("ms")
_SCHEMA: Final = pa.schema(
    [
        ("TenantId", pa.string()),
        ("SwapId", pa.string()),
        ("Receiver", pa.string()),
        ("State", pa.string()),
        ("Severity", pa.string()),
        ("Digest", pa.string()),
        ("Attempts", pa.uint32()),
        ("FirstSentAt", _TIME),
        ("SentAt", _TIME),
        ("NextAt", _TIME),
        ("Error", pa.string()),
        ("UpdatedAt", _TIME),
    ]
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a receiver knows of a swap. `state` '': nothing.

    Attributes:
        digest: names the message that was sent last.
        attempts: how often a message was sent since one was last taken.
        first_sent: when it was first taken.
        sent: when it was last taken.
        next_at: not sent again before this, as long as nothing changes.
        error: why it was not taken.
    """

    tenant: str
    swap_id: str
    receiver: str
    state: State
    severity: str
    digest: str
    attempts: int
    first_sent: dt.datetime | None
    sent: dt.datetime | None
    next_at: dt.datetime
    error: str
    updated: dt.datetime


@dataclass(frozen=True, slots=True)
class Due:
    """What a receiver is to be told now.

    Attributes:
        swap: columns of model_swaps; times are aware, EndedAt None while it stands.
        severity: of a swap that stands, its own; of one that is resolved, that of the entry.
        delivery: names this message: the same until it is taken.
        entry: what the receiver knows so far.
    """

    swap: dict[str, Any]
    status: Status
    severity: str
    delivery: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one receiver is told of.

    Attributes:
        repeats: whether it hears again of what still stands.
        max_age: what was first seen longer ago than this is not begun with any more.
        started: when this process began; what was refused before then is tried again, since settings may have changed.
    """

    receiver: str
    severities: tuple[str, ...]
    repeats: bool
    max_age: dt.timedelta
    started: dt.datetime
    limit: int = 100


def _facts() -> str:
    columns = (
        "TenantId SwapId ServiceName AgentName StepKind Class FromVersion ToVersion Occurrence FirstTraceId"
        " FirstConversationId ConversationsBefore ConversationsAfter ShareNow Traffic Declared DeclaredBy DeploymentId"
        " Evidence ScoreShift Severity Withdrawn"
    )
    return ", ".join(f"s.{name} AS {name}" for name in columns.split())


_SELECT: Final = f"""
SELECT {_facts()}, toUnixTimestamp64Milli(s.DetectedAt) AS detected, toUnixTimestamp64Nano(s.FirstSeenAt) AS first_seen,
       toUnixTimestamp64Nano(s.EndedAt) AS ended,
       a.State AS state, a.Severity AS told_as, a.Digest AS digest, a.Attempts AS attempts, a.Error AS error,
       toUnixTimestamp64Milli(a.FirstSentAt) AS first_sent, toUnixTimestamp64Milli(a.SentAt) AS sent,
       toUnixTimestamp64Milli(a.NextAt) AS next_at, toUnixTimestamp64Milli(a.UpdatedAt) AS updated,
       substring(lower(hex(SHA256(arrayStringConcat([s.TenantId, s.SwapId, {{receiver:String}}, STATUS, SEVERITY,
           toString(ifNull(toUnixTimestamp64Milli(a.SentAt), 0))], '\\n')))), 1, 32) AS delivery
"""

_IS_DUE: Final = """
  AND (a.NextAt <= fromUnixTimestamp64Milli({now:Int64})
       OR a.State = 'refused' AND (a.Digest != delivery OR a.UpdatedAt < fromUnixTimestamp64Milli({started:Int64}))
       OR a.State IN ('pending', 'firing') AND a.Attempts = 0 AND CHANGED)
"""

_STAND: Final = "model_swaps FINAL WHERE EndedAt = 0 AND SwapId != '' AND Severity IN {severities:Array(String)}"

_STANDING: Final = f"""
{_SELECT.replace("STATUS", "'firing'").replace("SEVERITY", "s.Severity")}
FROM (SELECT * FROM {_STAND}) AS s
LEFT JOIN (SELECT * FROM alerts FINAL WHERE Receiver = {{receiver:String}}) AS a USING (TenantId, SwapId)
WHERE (a.State IN ('pending', 'firing') OR a.State = 'refused' AND a.SentAt IS NOT NULL
       OR s.FirstSeenAt >= fromUnixTimestamp64Milli({{oldest:Int64}}))
  AND ({{repeats:UInt8}} OR a.State != 'firing' OR a.Severity != s.Severity)
  {_IS_DUE.replace("CHANGED", "a.Severity != s.Severity")}
ORDER BY attempts, s.Severity != 'page', first_seen, TenantId, SwapId
LIMIT {{limit:UInt32}}
"""

# What was withdrawn is read without FINAL, which hides it.
_OVER: Final = f"""
{_SELECT.replace("STATUS", "'resolved'").replace("SEVERITY", "a.Severity")}
FROM (
    SELECT * FROM alerts FINAL
    WHERE Receiver = {{receiver:String}}
      AND (State IN ('pending', 'firing') OR State = 'refused' AND SentAt IS NOT NULL)
      AND (TenantId, SwapId) NOT IN (SELECT TenantId, SwapId FROM {_STAND})
) AS a
INNER JOIN (
    SELECT * FROM model_swaps
    WHERE (TenantId, SwapId) IN (
        SELECT TenantId, SwapId FROM alerts WHERE Receiver = {{receiver:String}} AND State != 'resolved')
    ORDER BY UpdatedAt DESC, Withdrawn DESC
    LIMIT 1 BY TenantId, SwapId
) AS s USING (TenantId, SwapId)
WHERE 1 {_IS_DUE.replace("CHANGED", "1")}
ORDER BY attempts, first_seen, TenantId, SwapId
LIMIT {{limit:UInt32}}
"""

_COUNTS: Final = """
SELECT State AS state, toInt64(count()) AS n FROM alerts FINAL WHERE Receiver = {receiver:String} GROUP BY state
"""


def due(store: Store, wanted: Wanted, now: dt.datetime) -> list[Due]:
    """What is to be sent now, of what stands and of what is over at most `wanted.limit` each.

    Pages come first, but for those that were sent in vain: one that a receiver fails on holds up no other.
    """
    parameters = {
        "receiver": wanted.receiver,
        "severities": list(wanted.severities),
        "oldest": max(0, _milliseconds(now) - wanted.max_age // _TICK),
        "started": _milliseconds(wanted.started),
        "repeats": int(wanted.repeats),
        "limit": wanted.limit,
        "now": _milliseconds(now),
    }
    over = {name: value for name, value in parameters.items() if name not in {"oldest", "repeats"}}
    standing = [_due(row, wanted.receiver, "firing") for row in store.rows(_STANDING, parameters)]
    return standing + [_due(row, wanted.receiver, "resolved") for row in store.rows(_OVER, over)]


def note(store: Store, entries: Sequence[Entry], now: dt.datetime) -> list[Entry]:
    """Writes what receivers know; the entries as they are then.

    A later note always replaces an earlier one, even of the same millisecond or by a clock that was set back.
    """
    noted = [replace(entry, updated=max(now, entry.updated + _TICK)) for entry in entries]
    if noted:
        store.insert("alerts", pa.Table.from_pylist([_row(entry) for entry in noted], _SCHEMA))
    return noted


def counts(store: Store, receiver: str) -> dict[str, int]:
    """How many swaps a receiver has in each state."""
    return {row["state"]: row["n"] for row in store.rows(_COUNTS, {"receiver": receiver})}


def _due(row: dict[str, Any], receiver: str, status: Status) -> Due:
    entry = Entry(
        tenant=row["TenantId"],
        swap_id=row["SwapId"],
        receiver=receiver,
        state=row.pop("state"),
        severity=row.pop("told_as"),
        digest=row.pop("digest"),
        attempts=row.pop("attempts"),
        first_sent=_moment(row.pop("first_sent")),
        sent=_moment(row.pop("sent")),
        next_at=_at(row.pop("next_at")),
        error=row.pop("error"),
        updated=_at(row.pop("updated")),
    )
    severity = row["Severity"] if status == "firing" else entry.severity
    delivery, ended = row.pop("delivery"), row.pop("ended")
    row["DetectedAt"] = _at(row.pop("detected"))
    row["FirstSeenAt"] = _at(row.pop("first_seen") // 10**6)
    row["EndedAt"] = _at(ended // 10**6) if ended else None
    return Due(row, status, severity, delivery, entry)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "TenantId": entry.tenant,
        "SwapId": entry.swap_id,
        "Receiver": entry.receiver,
        "State": entry.state,
        "Severity": entry.severity,
        "Digest": entry.digest,
        "Attempts": entry.attempts,
        "FirstSentAt": None if entry.first_sent is None else naive(entry.first_sent),
        "SentAt": None if entry.sent is None else naive(entry.sent),
        "NextAt": naive(entry.next_at),
        "Error": entry.error,
        "UpdatedAt": naive(entry.updated),
    }


def _moment(milliseconds: int | None) -> dt.datetime | None:
    return None if milliseconds is None else _at(milliseconds)


def _at(milliseconds: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(milliseconds=milliseconds)


def _milliseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(milliseconds=1)
