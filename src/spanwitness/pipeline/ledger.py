"""The ledger of versions and swaps, brought up to date from the record when conversations of a slot have closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spanwitness.model_names import relation
from spanwitness.store import Store, record, rows
from spanwitness.swap import find_swaps, version_uses

if TYPE_CHECKING:
    import datetime as dt

    from spanwitness.model import Slot, Swap


def update_ledger(store: Store, tenant: str, slots: set[Slot], now: dt.datetime) -> list[Swap]:
    """Versions and swaps of the slots that were touched, from all of their record; returns what swaps are new."""
    uses = record.uses_of(store, tenant, slots)
    used = version_uses(uses)
    versions = [rows.version_row(use, now) for use in used]
    gone_by = record.known_versions(store, tenant, slots) - {(use.slot, use.version) for use in used}
    versions += [rows.gone_version_row(slot, version, now) for slot, version in sorted(gone_by)]
    if versions:
        store.insert("model_versions", rows.table(versions))
    known = record.known_swaps(store, tenant, slots)
    found = {_swap_key(swap): swap for swap in find_swaps(uses, relation)}
    changed = [
        rows.swap_row(swap, known[key].detected if key in known else now, now)
        for key, swap in found.items()
        if key not in known or known[key].facts != _swap_facts(swap)
    ]
    gone = [entry.withdrawn_row(now) for key, entry in known.items() if key not in found]
    for entries in (changed, gone):
        if entries:
            store.insert("model_swaps", rows.table(entries))
    return [swap for key, swap in found.items() if key not in known]


def _swap_key(swap: Swap) -> record.SwapKey:
    return record.SwapKey(swap.slot, swap.swap_class, swap.from_version, swap.to_version, swap.occurrence)


def _swap_facts(swap: Swap) -> tuple[Any, ...]:
    told = (swap.first_trace, swap.first_conversation, swap.before, swap.after, rows.as_json(swap.evidence))
    return (record.milliseconds(swap.first_seen), *told)
