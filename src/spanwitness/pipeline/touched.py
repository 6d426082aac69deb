"""Slots in which something came that no conversation brought: scores of judges, scores given again, a judge's calls."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from spanwitness.comparison import CLASSES
from spanwitness.identity import is_judge
from spanwitness.store.score_shift import slots_of_shifts
from spanwitness.store.uses import judge_slots

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from spanwitness.model import Slot, Swap
    from spanwitness.pipeline.ledger import Ledger
    from spanwitness.pipeline.score_shift import ScoreShifts
    from spanwitness.store import Store
    from spanwitness.store.uses import Used


def touched_by(written: Iterable[Used], slots: Iterable[Slot], again: bool) -> dict[Slot, int]:
    """By slot, when the first conversation began there that a review has just recorded; 0: nobody can say.

    What is revised may have begun at another time, or in another slot; what is reviewed `again` may have been killed.
    """
    used = list(written)
    if again or any(one.revision > 1 for one in used):
        return dict.fromkeys(slots, 0)
    found: dict[Slot, int] = {}
    for use in (use for one in used for use in one.uses):
        found[use.slot] = min(use.first_ns, found.get(use.slot, use.first_ns))
    return found


class Touched:
    """What the next sweep brings up to date. `add` may be called from any thread, `refresh` from the review's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._slots: dict[Slot, int] = {}
        self._begun = False

    def add(self, slots: Mapping[Slot, int]) -> None:
        """By slot, when the first conversation began, or call came, that has something new; Unix nanoseconds."""
        with self._lock:
            for slot, first in slots.items():
                self._slots[slot] = min(first, self._slots.get(slot, first))

    def refresh(self, ledger: Ledger, shifts: ScoreShifts, now: dt.datetime) -> list[Swap]:
        """Brings the ledger of judges and the score shifts up to date; the swaps that are new. Raises StoreError.

        The first time all judges are looked at, and all swaps whose scores may have changed: an earlier process may
        have died, or been stopped, before it came to that. What `shifts` was too hurried for is left for next time.
        """
        if not self._begun:
            self.add(dict.fromkeys(judge_slots(self._store) | slots_of_shifts(self._store, CLASSES), 0))
            self._begun = True
        with self._lock:
            slots, self._slots = self._slots, {}
        try:
            swaps = self._refresh(slots, ledger, shifts, now)
        except Exception:
            self.add(slots)
            raise
        if shifts.hurried():
            self.add(slots)
        return swaps

    def _refresh(self, slots: Mapping[Slot, int], ledger: Ledger, shifts: ScoreShifts, now: dt.datetime) -> list[Swap]:
        swaps: list[Swap] = []
        by_tenant: dict[str, dict[Slot, int]] = defaultdict(dict)
        for slot, first in slots.items():
            by_tenant[slot.tenant][slot] = first
        for tenant, touched in sorted(by_tenant.items()):
            judges = [slot for slot in touched if is_judge(slot.step_kind)]
            if judges:
                swaps += ledger.update(tenant, judges, now)
            shifts.refresh(tenant, touched, now, touched)
        return swaps
