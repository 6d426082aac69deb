"""Which conversations are scored again: the newest revisions that closed in a time, page by page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from spanwitness.store.clickhouse import Store

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

# What moved to another conversation has nothing left to be scored.
_NEWEST: Final = """
SELECT TenantId, ConversationId
FROM conversations
WHERE (TenantId = {tenant:String} OR NOT {of_tenant:Bool})
  AND (ConversationId = {conversation:String} OR NOT {one:Bool})
  AND (TenantId > {after_tenant:String}
       OR (TenantId = {after_tenant:String} AND ConversationId > {after_conversation:String}))
GROUP BY TenantId, ConversationId
HAVING argMax(CloseReason, (Revision, ClosedAt)) != 'moved'
   AND toUnixTimestamp64Milli(argMax(ClosedAt, (Revision, ClosedAt))) >= {since:Int64}
   AND toUnixTimestamp64Milli(argMax(ClosedAt, (Revision, ClosedAt))) < {until:Int64}
"""
_PAGE: Final = f"{_NEWEST} ORDER BY TenantId, ConversationId LIMIT {{most:UInt32}}"
_COUNT: Final = f"SELECT count() AS conversations FROM ({_NEWEST})"
_EVALUATORS: Final = "SELECT DISTINCT Evaluator FROM scores"


class Place(NamedTuple):
    """A conversation, in the order in which pages are read."""

    tenant: str
    conversation_id: str


FIRST: Final = Place("", "")
"""The first page comes after this."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which conversations: those whose newest revision closed from `since` until `until` (exclusive); None: any."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    tenant: str | None = None
    conversation: str | None = None


def page(store: Store, wanted: Selection, after: Place, most: int) -> list[Place]:
    """The next conversations, by tenant and id."""
    found = store.rows(_PAGE, {**_parameters(wanted, after), "most": most})
    return [Place(row["TenantId"], row["ConversationId"]) for row in found]


def count(store: Store, wanted: Selection) -> int:
    """How many there are."""
    return int(store.rows(_COUNT, _parameters(wanted, FIRST))[0]["conversations"])


def evaluators_on_record(store: Store) -> set[str]:
    """The names of all evaluators that ever scored."""
    return {row["Evaluator"] for row in store.rows(_EVALUATORS)}


def _parameters(wanted: Selection, after: Place) -> dict[str, Any]:
    return {
        "tenant": wanted.tenant or "",
        "of_tenant": wanted.tenant is not None,
        "conversation": wanted.conversation or "",
        "one": wanted.conversation is not None,
        "since": _milliseconds(wanted.since, 0),
        "until": _milliseconds(wanted.until, 2**62),
        "after_tenant": after.tenant,
        "after_conversation": after.conversation_id,
    }


def _milliseconds(moment: dt.datetime | None, absent: int) -> int:
    return absent if moment is None else (moment - _EPOCH) // dt.timedelta(milliseconds=1)
