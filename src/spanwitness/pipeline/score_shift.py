"""What a swap did to scores, worked out again as the conversations after it become more."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

import orjson

from spanwitness.comparison import CLASSES, change_of
from spanwitness.model import Slot, swap_id
from spanwitness.score_shift import told
from spanwitness.store import Store, score_shift
from spanwitness.store.rows import as_json

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping

STAGES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Numbers of conversations after a swap at which it is worked out: nine times at most, however long it stands."""

_KEY: Final = ("TenantId", "ServiceName", "AgentName", "StepKind", "Class", "FromVersion", "ToVersion", "Occurrence")
_REMEMBERED: Final = 100_000
_NEVER: Final = 2**63


class ScoreShifts:
    """Keeps model_swaps.ScoreShift of one store up to date.

    It is worked out from the first conversations since the swap, as many as the stage says, and follows from the record
    alone: what is late or revised among them has it worked out again. What an entry rests on stands in what was
    written. Where no evaluator ran there is nothing to write: that alone is remembered, by this instance.
    """

    def __init__(self, store: Store, hurried: Callable[[], bool] = lambda: False) -> None:
        """`hurried`: whether there is no time for more; what is left is worked out when its slot is touched again."""
        self._store = store
        self.hurried = hurried
        self._empty: dict[str, dict[str, int]] = {}

    def refresh(
        self, tenant: str, slots: Iterable[Slot], now: dt.datetime, touched: Mapping[Slot, int] | None = None
    ) -> int:
        """Works out the entries in some slots where it is time; returns how many were written.

        Called when the ledger of these slots is up to date and their scores are stored.

        Args:
            tenant: whose.
            slots: which.
            now: the time.
            touched: by slot, when the first conversation began there that was just recorded, Unix nanoseconds.

        Raises:
            StoreError: the store is away.
        """
        rows = score_shift.swaps_of(self._store, tenant, slots, CLASSES)
        due = (row for row in rows if self._due(row, touched or {}))
        found = [(row, self._shift(row)) for row in takewhile(lambda _row: not self.hurried(), due)]
        written = [(row, shift) for row, shift in found if shift and as_json(shift) != row["ScoreShift"]]
        score_shift.write(self._store, written, now)
        return len(written)

    def _due(self, row: dict[str, Any], touched: Mapping[Slot, int]) -> bool:
        shifts = orjson.loads(row["ScoreShift"])
        known = next(iter(shifts.values()), self._empty.get(_id(row)))
        if known is None or any(known.get(name) != value for name, value in _basis(row).items()):
            return _stage(row) > 0
        slot = Slot(row["TenantId"], row["ServiceName"], row["AgentName"], row["StepKind"])
        return bool(touched.get(slot, _NEVER) <= known["until"])

    def _shift(self, row: dict[str, Any]) -> dict[str, Any]:
        change = change_of(row, row["FirstSeenAt"], row["EndedAt"])
        found, until = score_shift.shifts_of(self._store, change, _stage(row))
        rests_on = {**_basis(row), "until": until}
        shift = told(found, rests_on)
        if not shift:
            if len(self._empty) >= _REMEMBERED:
                self._empty.clear()
            self._empty[_id(row)] = rests_on
        return shift


def _basis(row: dict[str, Any]) -> dict[str, int]:
    """What decides which conversations are compared, beside what came late or was revised."""
    return {"conversations": _stage(row), "since": row["FirstSeenAt"], "ended": row["EndedAt"]}


def _stage(row: dict[str, Any]) -> int:
    return max((stage for stage in STAGES if stage <= row["ConversationsAfter"]), default=0)


def _id(row: dict[str, Any]) -> str:
    return swap_id([row[name] for name in _KEY])
