"""What the watch tells the ledger: changes behind an unchanged name, whether they stand, who had declared them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from spanwitness.deployment import covering, kind_of
from spanwitness.drift.course import Standing
from spanwitness.model import Swap
from spanwitness.store import Store, drift, rows
from spanwitness.store.deployments import deployments_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spanwitness.drift import Verdict
    from spanwitness.model import Deployment, Severity, Slot
    from spanwitness.store.drift import Taken

SOURCE: Final = "watch"
"""Stands in the evidence of each entry: the ledger's other rules neither find such entries nor take them back."""

_OF_LATE: Final = 50
_UNDECLARED: Final[dict[str, Severity]] = {"disguised": "page", "prompt": "warning"}


@dataclass(frozen=True, slots=True)
class Change:
    """A change that the watch has seen.

    Attributes:
        since: the conversations since then, oldest first; the first is where it began.
        before: how many conversations of the version there were before it.
        quiet: how many were held against the reference before it without any alarm.
        rate: false alarms to be had per 1,000 conversations.
    """

    slot: Slot
    swap_class: Literal["disguised", "prompt"]
    from_version: str
    to_version: str
    verdict: Verdict
    since: Sequence[Taken]
    before: int
    quiet: int
    rate: float


def tell(store: Store, change: Change, now: dt.datetime) -> tuple[Standing, Swap | None]:
    """Enters a change: its key, and the swap where it is new. What was entered before a crash is found again."""
    names = (change.swap_class, change.from_version, change.to_version)
    told = drift.entries(store, change.slot.tenant)
    same = [row for row in told if drift.slot_of(row) == change.slot and _names(row) == names]
    first = change.since[0]
    for row in same:
        elsewhere = _version(row) != first.version and not row["EndedAt"]  # the same change in another model's calls
        if elsewhere or row["FirstSeenAt"] == first.started_ns:
            return _standing(row), None
    occurrence = 1 + max((row["Occurrence"] for row in same), default=0)
    swap = _judged(_swap(store, change, occurrence), deployments_of(store, change.slot.tenant))
    store.insert("model_swaps", rows.table([rows.swap_row(swap, now, now)]))
    return Standing(change.swap_class, change.from_version, change.to_version, occurrence), swap


def _swap(store: Store, change: Change, occurrence: int) -> Swap:
    first = change.since[0]
    versions = drift.latest_versions(store, change.slot, change.since[-1].number, _OF_LATE)
    return Swap(
        slot=change.slot,
        swap_class=change.swap_class,
        from_version=change.from_version,
        to_version=change.to_version,
        occurrence=occurrence,
        first_seen=_moment(first.started_ns),
        first_seen_ns=first.started_ns,
        first_trace=first.trace,
        first_conversation=first.conversation_id,
        before=change.before,
        after=len(change.since),
        severity=_UNDECLARED[change.swap_class],
        evidence=_evidence(change),
        share_now=versions.count(first.version) / max(1, len(versions)),
    )


def end(
    store: Store, slot: Slot, standing: Standing, ended_ns: int, now: dt.datetime, *, returned: bool = False
) -> None:
    """Ends an entry: another change has come since, the slot's name has changed, or its behaviour has `returned`."""
    ended = []
    for row in _found(store, slot, standing):
        ends = {"EndedAt": max(ended_ns, row["FirstSeenAt"] + 1)}
        ended.append({**row, **ends, **({"Traffic": "none", "ShareNow": 0.0} if returned else {})})
    _write(store, ended, now)


def follow(
    store: Store, slot: Slot, standing: Standing, last: Taken, conversations: int, *, learnt: bool, now: dt.datetime
) -> bool:
    """Brings an entry that stands up to date; whether it still stands.

    It ends once somebody has declared the change and a reference is learnt from what came after it.

    Args:
        store: where the ledger is.
        slot: where it was seen.
        standing: its key.
        last: the last conversation of its version.
        conversations: how many of its version there have been in all.
        learnt: there is a reference from what came after it.
        now: the time.
    """
    versions = drift.latest_versions(store, slot, last.number, _OF_LATE)
    share = versions.count(last.version) / max(1, len(versions))
    changed, stands = [], False
    for row in _found(store, slot, standing):
        since = max(0, conversations - row["ConversationsBefore"])
        found = {**row, "ConversationsAfter": since, "ShareNow": share}
        if found["Declared"] and learnt:
            found["EndedAt"] = last.started_ns
        stands = stands or not found["EndedAt"]
        if found != row:
            changed.append(found)
    _write(store, changed, now)
    return stands


def rejudge(store: Store, tenant: str, now: dt.datetime) -> None:
    """Judges the watch's entries of a tenant by what is declared now."""
    entries = drift.entries(store, tenant)
    deployments = deployments_of(store, tenant) if entries else []
    changed = []
    for row in entries:
        judged = _judged_row(row, deployments)
        if judged != row:
            changed.append(judged)
    _write(store, changed, now)


def _judged(swap: Swap, deployments: Sequence[Deployment]) -> Swap:
    cover = _cover(swap.slot, swap.swap_class, swap.from_version, swap.to_version, swap.first_seen, deployments)
    if cover is None:
        return swap
    return replace(
        swap,
        severity=_severity(swap.swap_class, cover, swap.first_seen),
        deployment_id=cover.deployment_id,
        declared_by=cover.declarer,
    )


def _judged_row(row: Mapping[str, Any], deployments: Sequence[Deployment]) -> dict[str, Any]:
    seen = _moment(row["FirstSeenAt"])
    cover = _cover(drift.slot_of(row), row["Class"], row["FromVersion"], row["ToVersion"], seen, deployments)
    return {
        **row,
        "Declared": cover is not None,
        "DeclaredBy": cover.declarer if cover else "",
        "DeploymentId": cover.deployment_id if cover else "",
        "Severity": _severity(row["Class"], cover, seen),
    }


def _cover(
    slot: Slot, swap_class: Any, from_version: str, to_version: str, at: dt.datetime, deployments: Sequence[Deployment]
) -> Deployment | None:
    kind = kind_of(swap_class)
    return covering(deployments, slot, kind, from_version, to_version, at) if kind else None


def _severity(swap_class: str, cover: Deployment | None, seen: dt.datetime) -> Severity:
    if cover is None:
        return _UNDECLARED[swap_class]
    return "info" if cover.declared_at <= seen else "warning"


def _evidence(change: Change) -> dict[str, object]:
    verdict, first = change.verdict, change.since[0]
    begin = {"conversation": first.conversation_id, "trace": first.trace, "number": first.number}
    features = [
        {
            "name": shift.name,
            "says": str(shift),
            "before": _short(shift.before),
            "after": _short(shift.after),
            "strength": _short(shift.strength),
            "certainty": _short(shift.certainty),
        }
        for shift in verdict.features
    ]
    # Odds as powers of ten: as a number they may have hundreds of digits.
    wanted = {
        "odds": verdict.cause,
        "odds_needed": f"{verdict.cause} needed",
        "smallest_shift": "smallest shift",
        "reference": "reference",
    }
    return {
        "source": SOURCE,
        "cause": verdict.cause,
        "version": first.version,
        "since": {**begin, "at": _moment(first.started_ns).isoformat(timespec="milliseconds")},
        "features": features,
        "false_alarms_per_1000": change.rate,
        "quiet_before": change.quiet,
        **{name: _short(verdict.evidence[key]) for name, key in wanted.items() if key in verdict.evidence},
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _moment(nanoseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(nanoseconds / 1e9, dt.UTC)


def _found(store: Store, slot: Slot, standing: Standing) -> list[dict[str, Any]]:
    """Its entry, as long as it stands."""
    return [
        row
        for row in drift.entries(store, slot.tenant)
        if drift.slot_of(row) == slot and _standing(row) == standing and not row["EndedAt"]
    ]


def _standing(row: Mapping[str, Any]) -> Standing:
    return Standing(*_names(row), row["Occurrence"])


def _names(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["Class"], row["FromVersion"], row["ToVersion"]


def _version(row: Mapping[str, Any]) -> str:
    return str(orjson.loads(row["Evidence"]).get("version", ""))


def _write(store: Store, entries: Sequence[dict[str, Any]], now: dt.datetime) -> None:
    if entries:
        moment = int(now.timestamp() * 1000)  # never older than the row that it replaces
        written = [{**row, "UpdatedAt": max(moment, row["UpdatedAt"])} for row in entries]
        store.insert("model_swaps", rows.table(written))
