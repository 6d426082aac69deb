"""Who used which model, conversation by conversation: `model_uses`, written with each conversation and read by slot."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from spanwitness.identity import JUDGE_AGENT, JUDGE_ROLE, JUDGE_SERVICE
from spanwitness.model import Slot, Use

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spanwitness.store.clickhouse import Store

END: Final = 2**63 - 1
"""Later than any use, in Unix nanoseconds."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_READ_AT_ONCE: Final = 1000
_TYPES: Final[dict[str, pa.DataType]] = {
    **dict.fromkeys(("FirstAt", "LastAt"), pa.timestamp("ns")),
    **dict.fromkeys(("Calls", "FailedCalls", "CallsAfterFailure", "Opening", "Revision"), pa.uint32()),
    "Gone": pa.uint8(),
}
_ALIKE: Final = "ModelVersion, RequestedModel, Provider, ServedModel, SystemFingerprint, PromptVersion, AgentVersion"
_SLOT: Final = "ServiceName, AgentName, StepKind"
_FIRST: Final = "toUnixTimestamp64Nano(FirstAt)"
_LAST: Final = "toUnixTimestamp64Nano(LastAt)"
_COUNTED: Final = f"{_FIRST}, {_LAST}, FirstTraceId, Calls, FailedCalls, CallsAfterFailure"
# Sums of this over a slot's uses are equal only when the uses are.
_HASH: Final = f"cityHash64(ConversationId, {_ALIKE}, {_COUNTED})"
_OURS: Final = f"TenantId = {{tenant:String}} AND ({_SLOT}) IN {{slots:Array(Tuple(String, String, String))}}"
# Which of the slots asked for a row is of, from 1; by a table of hashes, since there may be many.
_NUMBER: Final = (
    "transform(concat(ServiceName, '\\0', AgentName, '\\0', StepKind), "
    "{names:Array(String)}, {numbers:Array(UInt32)}, 0)"
)

_SUMS = f"""
SELECT {_NUMBER} AS number, arrayFirstIndex(high -> {_FIRST} <= high, {{highs:Array(Array(Int64))}}[number]) AS part,
       count() AS uses, sum({_HASH}) AS sum
FROM model_uses FINAL
WHERE {_OURS}
GROUP BY number, part
"""

# All of the conversations that have a use in the time asked for, so that it is known what is their first of a kind.
_USES = f"""
SELECT {_NUMBER} AS number, ConversationId, {_ALIKE}, {_FIRST} AS first, {_LAST} AS last, FirstTraceId, Calls,
       FailedCalls, CallsAfterFailure, Opening, {_HASH} AS hash
FROM model_uses FINAL
WHERE {_OURS} AND ({_SLOT}, ConversationId) IN (
    SELECT {_SLOT}, ConversationId FROM model_uses
    WHERE {_OURS} AND {_FIRST} > {{lows:Array(Int64)}}[{_NUMBER}] AND {_FIRST} <= {{highs:Array(Int64)}}[{_NUMBER}]
)
ORDER BY number, first, ConversationId, {_ALIKE}
"""

# The engine numbers inserts as they become visible. A part that ends before the mark holds nothing new.
_NEWS = f"""
SELECT {_NUMBER} AS number, ConversationId, {_ALIKE}, {_FIRST} AS first, {_LAST} AS last, FirstTraceId, Calls,
       FailedCalls, CallsAfterFailure, Opening, {_HASH} AS hash, Revision, Gone, _block_number AS block
FROM model_uses
WHERE {_OURS} AND toInt64(splitByChar('_', _part)[3]) > {{oldest:Int64}}
      AND _block_number > {{blocks:Array(Int64)}}[{_NUMBER}]
ORDER BY number, first, ConversationId, {_ALIKE}
LIMIT {{most:UInt64}}
"""

_NEWEST = """
SELECT max(max_block_number) AS block FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'model_uses'
"""

_PAGE = f"""
SELECT {_FIRST} AS first FROM model_uses FINAL
WHERE {_OURS} AND {_FIRST} > {{low:Int64}}
ORDER BY first LIMIT 1 OFFSET {{uses:UInt64}}
"""

_OLD = f"""
SELECT {_SLOT}, ConversationId, {_ALIKE}, max(Revision) AS revision,
       argMax(tuple({_COUNTED}, Opening, Gone), Revision) AS told
FROM model_uses
WHERE TenantId = {{tenant:String}} AND ConversationId IN {{conversations:Array(String)}}
  AND (StepKind = '{JUDGE_ROLE}') = {{judges:Bool}}
GROUP BY {_SLOT}, ConversationId, {_ALIKE}
"""

_JUDGED_TENANTS = f"SELECT DISTINCT TenantId FROM model_uses WHERE StepKind = '{JUDGE_ROLE}'"

_SLOTS = f"SELECT DISTINCT {_SLOT} FROM model_uses FINAL WHERE TenantId = {{tenant:String}}"

_Key = tuple[str, ...]


class Span(NamedTuple):
    """A part of a slot's time: after `low` up to and with `high`, in Unix nanoseconds."""

    slot: Slot
    low: int = -1
    high: int = END


class Sum(NamedTuple):
    """What some uses are known by."""

    uses: int = 0
    hash: int = 0

    def __add__(self, other: object) -> Sum:
        """Both together."""
        if not isinstance(other, Sum):
            return NotImplemented
        return Sum(self.uses + other.uses, (self.hash + other.hash) % 2**64)


@dataclass(frozen=True, slots=True)
class StoredUse:
    """A use, and what it adds to a sum."""

    use: Use
    hash: int


class Mark(NamedTuple):
    """How far a slot is known: what came with inserts up to number `block`, all of it no later than `high`."""

    block: int
    high: int


@dataclass(frozen=True, slots=True)
class News:
    """What was written of a slot since a mark.

    Attributes:
        block: the insert up to which that is.
        plain: it only adds conversations of which nothing was known, later than the mark. So nothing before it changed.
        uses: what is new, in order of time; none where it is not plain.
    """

    block: int
    plain: bool = True
    uses: Sequence[StoredUse] = ()


@dataclass(frozen=True, slots=True)
class Used:
    """All uses of a conversation in one of its revisions."""

    conversation_id: str
    revision: int
    uses: Sequence[Use]


def replace_uses(store: Store, tenant: str, used: Sequence[Used], *, judges: bool = False) -> None:
    """Writes the uses of some conversations of a tenant in place of those on record; what is there already stays.

    The agents' uses and those of the judge of these conversations (`judges`) are replaced apart: neither knows of the
    other.
    """
    if not used:
        return
    conversations = [one.conversation_id for one in used]
    old = {
        _key_of(row): (row["revision"], tuple(row["told"].values() if isinstance(row["told"], dict) else row["told"]))
        for row in store.rows(_OLD, {"tenant": tenant, "conversations": conversations, "judges": judges})
    }
    # Revision 1 is of a conversation's first uses alone, also where it is written again after a death in between.
    revisions = {one.conversation_id: one.revision for one in used}
    for key, (revision, _) in old.items():
        revisions[key[3]] = max(revisions[key[3]], revision + 1)
    rows = {}
    for one in used:
        for use in one.uses:
            row = _row(use, revisions[one.conversation_id])
            rows[_key_of(row)] = row
    changed = [row for key, row in rows.items() if key not in old or old[key][1] != _told(row)]
    gone = [
        _gone_row(tenant, key, revisions[key[3]], told)
        for key, (_, told) in old.items()
        if key not in rows and not told[-1]
    ]
    _insert(store, changed + gone)


def sums(store: Store, tenant: str, highs: Mapping[Slot, Sequence[int]]) -> dict[Slot, list[Sum]]:
    """What the uses of slots add up to until some times, and in all.

    Args:
        store: where they are.
        tenant: of the slots.
        highs: by slot times in Unix nanoseconds, the earliest first.

    Returns:
        by slot a sum for each of its times, and one of everything.
    """
    found = [[Sum()] * (len(times) + 1) for times in highs.values()]
    if not found:
        return {}
    parameters = {**_parameters(tenant, list(highs)), "highs": [[*times, END] for times in highs.values()]}
    for row in store.rows(_SUMS, parameters):
        found[row["number"] - 1][row["part"] - 1] = Sum(row["uses"], row["sum"])
    return {slot: list(accumulate(parts)) for slot, parts in zip(highs, found, strict=True)}


def read_uses(store: Store, tenant: str, spans: Sequence[Span]) -> Iterator[StoredUse]:
    """All uses, in a slot, of the conversations that have one in its span; one slot after the other, in order of time.

    One span a slot. Some uses may be older than its `low` or newer than its `high`.
    """
    if not spans:
        return
    parameters = _parameters(tenant, [span.slot for span in spans])
    times = {"lows": [span.low for span in spans], "highs": [span.high for span in spans]}
    table = store.arrow(_USES, {**parameters, **times})
    for batch in table.to_batches(max_chunksize=_READ_AT_ONCE):
        for row in batch.to_pylist():
            yield StoredUse(_use(spans[row["number"] - 1].slot, row), row["hash"])


def newest_block(store: Store) -> int:
    """The number of the last insert; whoever reads after this reads all that came up to it."""
    return int(store.rows(_NEWEST)[0]["block"])


def news(store: Store, tenant: str, marks: Mapping[Slot, Mark], most: int) -> dict[Slot, News]:
    """What was written of some slots since their marks, whoever wrote it. What it costs does not grow with the past.

    Replaced rows are not left out: one that replaces another has a revision above 1, and is not plain.

    Args:
        store: where it is.
        tenant: of the slots.
        marks: by slot from where on.
        most: where more uses than this are new, none are read, and no slot's news are plain.
    """
    if not marks:
        return {}
    slots = list(marks)
    blocks = [mark.block for mark in marks.values()]
    parameters = {**_parameters(tenant, slots), "blocks": blocks, "oldest": min(blocks), "most": most + 1}
    table = store.arrow(_NEWS, parameters)
    if len(table) > most:
        return {slot: News(mark.block, plain=False) for slot, mark in marks.items()}
    rows: dict[Slot, list[dict[str, Any]]] = {slot: [] for slot in slots}
    for row in table.to_pylist():
        rows[slots[row["number"] - 1]].append(row)
    # All of the answer is of one moment, so all slots are known up to its last insert.
    last = max((row["block"] for of_slot in rows.values() for row in of_slot), default=-1)
    return {slot: _news(slot, of_slot, marks[slot], last) for slot, of_slot in rows.items()}


def _news(slot: Slot, rows: Sequence[Mapping[str, Any]], mark: Mark, last: int) -> News:
    block = max(mark.block, last)
    told = {tuple(row[name] for name in _WITHIN) for row in rows}
    added = all(row["Revision"] == 1 and not row["Gone"] and row["first"] > mark.high for row in rows)
    if not added or len(told) < len(rows):
        return News(block, plain=False)
    return News(block, uses=tuple(StoredUse(_use(slot, row), row["hash"]) for row in rows))


def page_end(store: Store, span: Span, uses: int) -> int:
    """Up to when a span has about so many uses; its own end where it has fewer."""
    parameters = {**_parameters(span.slot.tenant, [span.slot]), "low": span.low, "uses": uses}
    found = store.rows(_PAGE, parameters)
    return int(found[0]["first"]) if found else span.high


def slots_with_uses(store: Store, tenant: str) -> set[Slot]:
    """All slots of a tenant."""
    return {_slot(tenant, row) for row in store.rows(_SLOTS, {"tenant": tenant})}


def judge_slot(tenant: str) -> Slot:
    """Where the judge of a tenant's conversations stands in its ledger: one, whatever it is asked."""
    return Slot(tenant, JUDGE_SERVICE, JUDGE_AGENT, JUDGE_ROLE)


def judge_slots(store: Store) -> set[Slot]:
    """Those of all tenants that have one."""
    return {judge_slot(row["TenantId"]) for row in store.rows(_JUDGED_TENANTS)}


def _parameters(tenant: str, slots: Sequence[Slot]) -> dict[str, Any]:
    names = [(slot.service, slot.agent, slot.step_kind) for slot in slots]
    return {
        "tenant": tenant,
        "slots": names,
        "names": ["\0".join(name) for name in names],
        "numbers": list(range(1, len(names) + 1)),
    }


def _slot(tenant: str, row: Mapping[str, Any]) -> Slot:
    return Slot(tenant, row["ServiceName"], row["AgentName"], row["StepKind"])


def _use(slot: Slot, row: Mapping[str, Any]) -> Use:
    return Use(
        slot=slot,
        conversation_id=row["ConversationId"],
        version=row["ModelVersion"],
        provider=row["Provider"],
        requested=row["RequestedModel"],
        served=row["ServedModel"],
        first=_moment(row["first"]),
        last=_moment(row["last"]),
        first_trace=row["FirstTraceId"],
        calls=row["Calls"],
        first_ns=row["first"],
        fingerprint=row["SystemFingerprint"],
        prompt_version=row["PromptVersion"],
        agent_version=row["AgentVersion"],
        failed=row["FailedCalls"],
        after_failure=row["CallsAfterFailure"],
        opening=row["Opening"],
    )


def _moment(ns: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=ns // 1000)


def _nanoseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1000


def _row(use: Use, revision: int) -> dict[str, Any]:
    return {
        "TenantId": use.slot.tenant,
        "ServiceName": use.slot.service,
        "AgentName": use.slot.agent,
        "StepKind": use.slot.step_kind,
        "ConversationId": use.conversation_id,
        "ModelVersion": use.version,
        "RequestedModel": use.requested,
        "Provider": use.provider,
        "ServedModel": use.served,
        "SystemFingerprint": use.fingerprint,
        "PromptVersion": use.prompt_version,
        "AgentVersion": use.agent_version,
        "FirstAt": use.first_ns or _nanoseconds(use.first),
        "LastAt": _nanoseconds(use.last),
        "FirstTraceId": use.first_trace,
        "Calls": use.calls,
        "FailedCalls": use.failed,
        "CallsAfterFailure": use.after_failure,
        "Opening": use.opening,
        "Revision": revision,
        "Gone": 0,
    }


_KEY: Final = (*_SLOT.split(", "), "ConversationId", *_ALIKE.split(", "))
_WITHIN: Final = ("ConversationId", *_ALIKE.split(", "))
_FACTS: Final = ("FirstAt", "LastAt", "FirstTraceId", "Calls", "FailedCalls", "CallsAfterFailure", "Opening", "Gone")


def _key_of(row: Mapping[str, Any]) -> _Key:
    return tuple(row[name] for name in _KEY)


def _told(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _FACTS)


def _gone_row(tenant: str, key: _Key, revision: int, told: tuple[Any, ...]) -> dict[str, Any]:
    names, facts = dict(zip(_KEY, key, strict=True)), dict(zip(_FACTS, told, strict=True))
    return {"TenantId": tenant, **names, **facts, "Revision": revision, "Gone": 1}


def _insert(store: Store, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        store.insert(
            "model_uses", pa.table({name: pa.array([row[name] for row in rows], _TYPES.get(name)) for name in rows[0]})
        )
