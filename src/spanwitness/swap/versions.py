"""The versions in use in a slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spanwitness.model import Slot, VersionUse

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from spanwitness.model import Use


@dataclass(slots=True)
class _Tally:
    first: dt.datetime
    last: dt.datetime
    conversations: int = 0
    calls: int = 0
    verified: int = 0


class Versions:
    """Counts each version of one slot."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}

    def feed(self, use: Use, *, new: bool) -> None:
        """Counts a use. `new`: the first of its version in its conversation."""
        tally = self._tallies.setdefault(use.version, _Tally(use.first, use.last))
        tally.first, tally.last = min(tally.first, use.first), max(tally.last, use.last)
        tally.conversations += new
        tally.calls += use.calls
        tally.verified += use.calls if use.served else 0

    def uses(self, slot: Slot) -> list[VersionUse]:
        """What was counted, in order of first appearance."""
        return [
            VersionUse(
                slot, version, tally.first, tally.last, tally.conversations, tally.calls, tally.verified / tally.calls
            )
            for version, tally in self._tallies.items()
        ]


def version_uses(uses: Iterable[Use]) -> list[VersionUse]:
    """The versions of each slot, with when and how much they were used. `uses` may come in any order."""
    slots: dict[Slot, Versions] = {}
    met: set[tuple[Slot, str, str]] = set()
    for use in uses:
        talk = (use.slot, use.version, use.conversation_id)
        slots.setdefault(use.slot, Versions()).feed(use, new=talk not in met)
        met.add(talk)
    return [version for slot, versions in slots.items() for version in versions.uses(slot)]
