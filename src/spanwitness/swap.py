"""Changes of the model behind a slot, found in the settled record: the same record gives the same ledger."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from spanwitness.model import Slot, Swap, Use, VersionUse

_ABSENCE_CHANCE = 0.001
_LEAST_ABSENCE = 5
_SMOOTHING = 2


Relation = Callable[[str, str, str], str]


def find_swaps(uses: Iterable[Use], relation: Relation) -> list[Swap]:
    """All changes in the slots of `uses`.

    `version`: a served version that the slot did not know, or that comes back after it had gone. Calls whose served
    model nobody told take no part: their name proves nothing. Versions that answer in turn (a router, a canary) are
    told once, when they first appear, and not at all when they did so from the slot's first conversation on.
    `mismatch`: the served model is not of the requested family.

    Args:
        uses: all uses of the slots that are asked about.
        relation: `model_names.relation`.
    """
    found: list[Swap] = []
    for history in _by_slot(uses):
        verified = [use for use in history if use.served]
        found += _versions(verified) + _mismatches(verified, relation)
    return found


def version_uses(uses: Iterable[Use]) -> list[VersionUse]:
    """The versions of each slot, with when and how much they were used."""
    grouped: dict[tuple[Slot, str], list[Use]] = {}
    for use in uses:
        grouped.setdefault((use.slot, use.version), []).append(use)
    return [_version_use(slot, version, group) for (slot, version), group in grouped.items()]


def _version_use(slot: Slot, version: str, group: Sequence[Use]) -> VersionUse:
    calls = sum(use.calls for use in group)
    return VersionUse(
        slot=slot,
        version=version,
        first=min(use.first for use in group),
        last=max(use.last for use in group),
        conversations=len({use.conversation_id for use in group}),
        calls=calls,
        verified=sum(use.calls for use in group if use.served) / calls,
    )


def _by_slot(uses: Iterable[Use]) -> list[list[Use]]:
    slots: dict[Slot, list[Use]] = {}
    for use in sorted(uses, key=lambda use: (use.slot, use.first_ns, use.first, use.version)):
        slots.setdefault(use.slot, []).append(use)
    return list(slots.values())


class _Presence:
    """How steadily a version has answered since it appeared, counted in conversations of the slot."""

    def __init__(self, at: int) -> None:
        self.first = self.last = at
        self.count = 1

    def gone_by(self, at: int) -> bool:
        """Whether its silence until conversation number `at` is too long to be chance at the share it had.

        With share p, n conversations without it have the chance (1 - p)^n. p is smoothed, so that a version seen once
        or twice must stay away for long before its return counts as another change.
        """
        silence = at - self.last - 1
        share = self.count / (self.last - self.first + 1 + _SMOOTHING)
        return silence >= max(_LEAST_ABSENCE, math.log(_ABSENCE_CHANCE) / math.log(1 - share))

    def seen(self, at: int) -> None:
        if at > self.last:
            self.count += 1
            self.last = at

    def back(self, at: int) -> None:
        self.first = self.last = at
        self.count = 1


def _versions(history: Sequence[Use]) -> list[Swap]:
    if not history:
        return []
    number = _conversation_numbers(history)
    present: dict[str, _Presence] = {}
    found: list[Swap] = []
    current = history[0].version
    for use in history:
        at = number[use.conversation_id]
        known = present.get(use.version)
        if known is None:
            present[use.version] = _Presence(at)
            if use.version != current and not _baseline(use, history):
                found.append(_version_swap(use, current, history, found))
        elif known.gone_by(at):
            known.back(at)
            found.append(_version_swap(use, current, history, found))
        else:
            known.seen(at)
        current = use.version
    return found


def _conversation_numbers(history: Sequence[Use]) -> dict[str, int]:
    return {identity: at for at, identity in enumerate(dict.fromkeys(use.conversation_id for use in history))}


def _baseline(use: Use, history: Sequence[Use]) -> bool:
    """In the slot's first conversation, a second model that answers between calls of the first is there by design."""
    first = history[0]
    return use.conversation_id == first.conversation_id and use.first < first.last


def _version_swap(use: Use, before: str, history: Sequence[Use], found: Sequence[Swap]) -> Swap:
    again = sum(swap.from_version == before and swap.to_version == use.version for swap in found)
    return Swap(
        slot=use.slot,
        swap_class="version",
        from_version=before,
        to_version=use.version,
        occurrence=again + 1,
        first_seen=use.first,
        first_trace=use.first_trace,
        first_conversation=use.conversation_id,
        before=_conversations(history, before, lambda other: other.first < use.first),
        after=_conversations(history, use.version, lambda other: other.first >= use.first),
        severity="page",
        evidence={"requested": use.requested, "served": use.served, "calls_in_first_conversation": use.calls},
    )


def _conversations(history: Sequence[Use], version: str, when: Callable[[Use], bool]) -> int:
    return len({use.conversation_id for use in history if use.version == version and when(use)})


def _mismatches(history: Sequence[Use], relation: Relation) -> list[Swap]:
    found: dict[tuple[str, str], Swap] = {}
    for use in history:
        asked = f"{use.provider or 'unknown'}/{use.requested}"
        if (asked, use.version) in found or relation(use.requested, use.served, use.provider) != "different":
            continue
        right = {
            other.conversation_id for other in history if other.requested == use.requested and other.first < use.first
        }
        wrong = {o.conversation_id for o in history if o.requested == use.requested and o.version == use.version}
        found[asked, use.version] = Swap(
            slot=use.slot,
            swap_class="mismatch",
            from_version=asked,
            to_version=use.version,
            occurrence=1,
            first_seen=use.first,
            first_trace=use.first_trace,
            first_conversation=use.conversation_id,
            before=len(right),
            after=len(wrong),
            severity="warning",
            evidence={"requested": use.requested, "served": use.served},
        )
    return list(found.values())
