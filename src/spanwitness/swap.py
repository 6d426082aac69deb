"""Changes of the model behind a slot, found in the settled record: the same record gives the same ledger."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from spanwitness.model import Slot, Swap, Use, VersionUse

if TYPE_CHECKING:
    import datetime as dt

_ABSENCE_CHANCE = math.log(0.0001)
_LEAST_ABSENCE = 5


Relation = Callable[[str, str, str], str]


def find_swaps(uses: Iterable[Use], relation: Relation) -> list[Swap]:
    """All changes in the slots of `uses`.

    `version`: a served version that the slot did not know, or a known one that takes the place of one that has gone.
    Calls whose served model nobody told take no part: their name proves nothing. Versions that answer in turn (a
    router, a canary) are told once, when they first appear, and not at all when they did so from the slot's first
    conversation on.
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
    for use in sorted(uses, key=_order):
        slots.setdefault(use.slot, []).append(use)
    return list(slots.values())


def _order(use: Use) -> tuple[Slot, int, dt.datetime, str, str, str, str]:
    """Total, so that the order in which the uses came decides nothing."""
    return use.slot, use.first_ns, use.first, use.conversation_id, use.version, use.requested, use.provider


class _Presence:
    """How steadily a version has answered, counted in conversations, since the mix of versions last changed."""

    def __init__(self, at: int) -> None:
        self.first = self.last = at
        self.count = 1

    def seen(self, at: int) -> None:
        self.last = at
        self.count += 1

    def gone_by(self, at: int) -> bool:
        """Whether its silence up to conversation number `at` is too long to be chance.

        It was seen in s and missing from m of the conversations after its first. When nothing else is known of its
        share, n more without it have the chance B(m + n + 1, s + 1) / B(m + 1, s + 1). So what was seen once or twice
        must stay away for very long, and two that take turns are not mistaken for two that replace each other.
        """
        silence = at - self.last
        if silence < _LEAST_ABSENCE:
            return False
        seen, after_first = self.count - 1, self.last - self.first
        missing = after_first - seen
        longer, before = _log_beta(missing + silence, seen), _log_beta(missing, seen)
        return longer - before < _ABSENCE_CHANCE


def _log_beta(missing: int, seen: int) -> float:
    return math.lgamma(missing + 1) + math.lgamma(seen + 1) - math.lgamma(missing + seen + 2)


_Change = tuple[Use, str]
"""A use, and the version in whose place it came."""
_Talks = Sequence[Mapping[str, Use]]
"""By conversation, in order of time: the first use of each version."""


def _versions(history: Sequence[Use]) -> list[Swap]:
    talks: dict[str, dict[str, Use]] = {}
    for use in history:
        talks.setdefault(use.conversation_id, {}).setdefault(use.version, use)
    new = _newcomers(history)
    changes = new + _takeovers(list(talks.values()), {use for use, _ in new})
    found: list[Swap] = []
    for use, before in sorted(changes, key=lambda change: (_order(change[0]), change[1])):
        found.append(_version_swap(use, before, history, found))
    return found


def _newcomers(history: Sequence[Use]) -> list[_Change]:
    known: set[str] = set()
    changes = []
    for before, use in pairwise(history):
        known.add(before.version)
        if use.version not in known and not _baseline(use, history):
            changes.append((use, before.version))
    return changes


def _takeovers(talks: _Talks, newcomers: set[Use]) -> list[_Change]:
    """Known versions in the place of one that has gone: told once its absence is sure, dated when they came."""
    changes: dict[Use, str] = {}
    present: dict[str, _Presence] = {}
    mixed = 0  # the conversation since which the versions answer as they do
    for at, talk in enumerate(talks):
        if not newcomers.isdisjoint(talk.values()):
            present, mixed = {}, at  # the shares before it say nothing of the shares since
        _count(present, talk, at)
        gone = next((version for version, presence in present.items() if presence.gone_by(at)), None)
        if gone is not None:
            since = present[gone].last + 1
            for use in _back(talks[: at + 1], since, mixed):
                changes.setdefault(use, gone)
            present, mixed = {}, since
            for later in range(since, at + 1):
                _count(present, talks[later], later)
    return list(changes.items())


def _count(present: dict[str, _Presence], talk: Mapping[str, Use], at: int) -> None:
    for version in talk:
        if version in present:
            present[version].seen(at)
        else:
            present[version] = _Presence(at)


def _back(talks: _Talks, since: int, mixed: int) -> list[Use]:
    """First uses from conversation `since` on of the known versions that had been away.

    Those that answered beside the one that has gone, from conversation `mixed` on, only carry on.
    """
    firsts = {version: at for at in range(len(talks) - 1, since - 1, -1) for version in talks[at]}
    return [talks[at][version] for version, at in firsts.items() if _was_away(talks[:at], version, mixed)]


def _was_away(earlier: _Talks, version: str, mixed: int) -> bool:
    last = max((at for at, talk in enumerate(earlier) if version in talk), default=None)
    return last is not None and (last < mixed or len(earlier) - last > _LEAST_ABSENCE)


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
        first_seen_ns=use.first_ns,
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
        provider = use.provider or "unknown"
        asked = f"{provider}/{use.requested.removeprefix(f'{provider}/')}"
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
            first_seen_ns=use.first_ns,
            first_trace=use.first_trace,
            first_conversation=use.conversation_id,
            before=len(right),
            after=len(wrong),
            severity="warning",
            evidence={"requested": use.requested, "served": use.served},
        )
    return list(found.values())
