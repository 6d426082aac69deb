"""What stands in the ledger, as values: the most severe and newest first, no more than a bound, the rest counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spanwitness.metrics import names
from spanwitness.metrics.meters import cut

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from spanwitness.metrics.meters import Labels, Meters
    from spanwitness.metrics.names import Metric
    from spanwitness.model import Slot, Swap


@dataclass(frozen=True, slots=True)
class Standing:
    """A swap that stands, whether somebody declared it, and when it was found."""

    swap: Swap
    declared: bool
    detected: dt.datetime


@dataclass(frozen=True, slots=True)
class SlotNow:
    """A slot as its last conversations were.

    Attributes:
        last: when a model last answered in it.
        shares: by version, the share of these conversations in which it answered.
        verified: the share of their calls that tells which model answered.
    """

    slot: Slot
    last: dt.datetime
    shares: Mapping[str, float]
    verified: float


def tell_swaps(meters: Meters, swaps: Sequence[Standing], standing: int) -> None:
    """Replaces what is told of swaps. `swaps`: those that are told; `standing`: how many stand in all."""
    told: dict[Metric, dict[Labels, float]] = {metric: {} for metric in _SWAP_METRICS}
    for one in swaps:
        swap = one.swap
        key = (cut(swap.slot.tenant), swap.id)
        told[names.STANDING][_standing(one)] = 1.0
        told[names.SWAP_INFO][
            *key,
            swap.first_trace,
            cut(swap.first_conversation),
            swap.traffic,
            cut(swap.deployment_id),
            cut(swap.declared_by),
        ] = 1.0
        told[names.SWAP_FIRST_SEEN][key] = swap.first_seen.timestamp()
        told[names.SWAP_DETECTED][key] = one.detected.timestamp()
        told[names.SWAP_CONVERSATIONS][key] = swap.after
        told[names.SWAP_SHARE][key] = swap.share_now
    for metric, values in told.items():
        meters.replace(metric, values)
    meters.put(names.DROPPED, max(0, standing - len(swaps)), names.STANDING.name)


_SWAP_METRICS = (
    names.STANDING,
    names.SWAP_INFO,
    names.SWAP_FIRST_SEEN,
    names.SWAP_DETECTED,
    names.SWAP_CONVERSATIONS,
    names.SWAP_SHARE,
)


def _standing(one: Standing) -> Labels:
    swap = one.swap
    return (
        *slot_labels(swap.slot),
        swap.swap_class,
        swap.severity,
        "true" if one.declared else "false",
        swap.id,
        cut(swap.from_version),
        cut(swap.to_version),
    )


def tell_slots(meters: Meters, slots: Sequence[SlotNow], known: int, bound: int) -> None:
    """Replaces what is told of slots.

    Args:
        meters: where to.
        slots: the newest first.
        known: how many there are in all.
        bound: how many series one metric may have. A slot is told with all of its versions, or not at all.
    """
    shares: dict[Labels, float] = {}
    verified: dict[Labels, float] = {}
    left_out = 0
    for now in slots:
        labels = slot_labels(now.slot)
        if len(verified) < bound:
            verified[labels] = now.verified
        if left_out or len(shares) + len(now.shares) > bound:
            left_out += len(now.shares)
            continue
        for version, share in now.shares.items():
            key = (*labels, cut(version))
            shares[key] = shares.get(key, 0.0) + share  # versions that are alike once cut
    meters.replace(names.VERSION_SHARE, shares)
    meters.replace(names.VERIFIED_SHARE, verified)
    meters.put(names.SLOTS, known)
    meters.put(names.DROPPED, left_out + known - len(slots), names.VERSION_SHARE.name)
    meters.put(names.DROPPED, known - len(verified), names.VERIFIED_SHARE.name)


def slot_labels(slot: Slot) -> Labels:
    """Tenant, service, agent and role."""
    return cut(slot.tenant), cut(slot.service), cut(slot.agent), slot.step_kind
