"""What a swap did to scores, worked out again as the conversations after it become more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from spanwitness.comparison import CLASSES, change_of
from spanwitness.model import swap_id
from spanwitness.score_shift import told
from spanwitness.store import Store, score_shift

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from spanwitness.model import Slot

STAGES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Numbers of conversations after a swap at which it is worked out: nine times at most, however long it stands."""

_KEY: Final = ("TenantId", "ServiceName", "AgentName", "StepKind", "Class", "FromVersion", "ToVersion", "Occurrence")
_REMEMBERED: Final = 100_000


class ScoreShifts:
    """Keeps model_swaps.ScoreShift of one store up to date.

    When an entry was last worked out stands in what was written. Where no evaluator ran there is nothing to write: that
    alone is remembered, by this instance.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._empty: dict[str, int] = {}

    def refresh(self, tenant: str, slots: Iterable[Slot], now: dt.datetime) -> int:
        """Works out the entries in some slots where it is time; returns how many were written.

        Called when the ledger of these slots is up to date and their scores are stored. Raises StoreError.
        """
        rows = score_shift.swaps_of(self._store, tenant, slots, CLASSES)
        found = [(row, self._shift(row)) for row in rows if self._due(row)]
        written = [(row, shift) for row, shift in found if shift]
        score_shift.write(self._store, written, now)
        return len(written)

    def _due(self, row: dict[str, Any]) -> bool:
        shifts = orjson.loads(row["ScoreShift"]).values()
        done = max((shift["conversations"] for shift in shifts), default=self._empty.get(_id(row), 0))
        return any(done < stage <= row["ConversationsAfter"] for stage in STAGES)

    def _shift(self, row: dict[str, Any]) -> dict[str, Any]:
        change, after = change_of(row, row["FirstSeenAt"], row["EndedAt"]), row["ConversationsAfter"]
        shift = told(score_shift.shifts_of(self._store, change), after)
        if not shift:
            if len(self._empty) >= _REMEMBERED:
                self._empty.clear()
            self._empty[_id(row)] = after
        return shift


def _id(row: dict[str, Any]) -> str:
    return swap_id([row[name] for name in _KEY])
