"""What follows what in a slot: newcomers, and known ones that take the place of one that has gone.

The same rule reads model versions, prompt versions and agent versions. It goes through the uses once, in order, and
keeps of the past only what the versions of the present mix say of each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from spanwitness.swap.entries import Book, Context, Entry, Left
from spanwitness.swap.presence import LEAST, Presence
from spanwitness.swap.track import Count, Track
from spanwitness.swap.uses import order

if TYPE_CHECKING:
    import datetime as dt

    from spanwitness.model import SwapClass, Use

_BACK: Final = 20
"""Conversations with a version that had gone, and nothing new to tell of it: its change stands again."""


@dataclass(slots=True)
class _Sighting:
    """The first time a version is seen after another one's last, and how often since.

    Attributes:
        prior: the conversation in which it was seen before; None: never.
        seldom: it was seen too seldom in the present mix to be a part of it.
        left: when the slot had left it, as its last entry has it.
        base: what was counted of it before.
    """

    use: Use
    presence: Presence
    prior: int | None
    seldom: bool
    left: Left | None
    base: Count
    context: Context


class Succession:
    """Reads the uses of one slot that tell a version."""

    def __init__(self, swap_class: SwapClass) -> None:
        self.track = Track()
        self.book = Book(_BACK)
        self._class = swap_class
        self._last: dict[str, int] = {}
        self._before = ""
        self._first: tuple[str, dt.datetime] | None = None
        self._mixed = 0  # the conversation since which the versions answer as they do
        self._present: dict[str, Presence] = {}
        self._since: dict[str, dict[str, _Sighting]] = {}  # by version: what was seen since its last conversation
        self._told: dict[str, tuple[object, ...]] = {}
        self._times: dict[tuple[str, str], int] = {}

    def feed(self, use: Use, version: str, context: Context, *, opens: bool, new: bool) -> None:
        """The next use.

        Args:
            use: in order of time.
            version: what it tells.
            context: what was in use before it.
            opens: the first of its conversation that tells any version.
            new: the first of its conversation that tells this one.
        """
        if opens:
            self.track.open(use.conversation_id)
        prior = self._last.get(version)
        newcomer = prior is None and self._first is not None and not self._by_design(use)
        self._first = self._first or (use.conversation_id, use.last)
        if new:
            self._sight(use, version, context, prior, newcomer=newcomer)
        self.track.add(use, version, new=new)
        if new:
            self.book.passed(use, version, self.track)
        self._before = version

    def _by_design(self, use: Use) -> bool:
        """In the slot's first conversation, a second one that answers between calls of the first is there by design."""
        return self._first is not None and use.conversation_id == self._first[0] and use.first < self._first[1]

    def _sight(self, use: Use, version: str, context: Context, prior: int | None, *, newcomer: bool) -> None:
        at = self.track.number
        entry = self.book.newest(version)
        sighting = _Sighting(
            use=use,
            presence=Presence(at, at),
            prior=prior,
            seldom=version not in self._present or self._present[version].seldom,
            left=entry.left if entry else None,
            base=self.track.count(version),
            context=context,
        )
        self.book.seen(version, self.track)
        if newcomer:  # the shares before it say nothing of the shares since
            self._tell(sighting, self._before, version)
            self._present = {other: Presence(at, at) for other, last in self._last.items() if last == at}
            self._since = {other: {} for other in self._present}
            self._mixed = at
        self._note(version, sighting)
        self._last[version] = at
        gone = next((other for other, presence in self._present.items() if presence.gone_by(at)), None)
        if gone is not None:
            self._replace(gone)

    def _note(self, version: str, sighting: _Sighting) -> None:
        at = sighting.presence.last
        for other, since in self._since.items():
            if other != version and self._last[other] < at:
                if version in since:
                    since[version].presence.seen(at)
                else:
                    since[version] = _copy(sighting)
        self._since[version] = {}
        if version in self._present:
            self._present[version].seen(at)
        else:
            self._present[version] = Presence(at, at)

    def _replace(self, gone: str) -> None:
        """Known versions in the place of one that has gone: told once its absence is sure, dated when they came."""
        since = self._since[gone]
        for version, sighting in since.items():
            if self._was_away(sighting) and self._told.get(version) != order(sighting.use):
                self._tell(sighting, gone, version)
        entry = self.book.standing(gone)
        if entry is not None and entry.left is not None:
            self.book.end(entry, entry.left, self.track.count(gone))
        self._mixed = self._last[gone] + 1
        self._present = {version: sighting.presence for version, sighting in since.items()}
        self._since = {version: self._since[version] for version in since}

    def _was_away(self, sighting: _Sighting) -> bool:
        """Those that answered beside the one that has gone, while the mix was what it is, only carry on."""
        prior = sighting.prior
        if prior is None:
            return False
        return prior < self._mixed or (sighting.seldom and sighting.presence.first - prior > LEAST)

    def _tell(self, sighting: _Sighting, before: str, version: str) -> None:
        use = sighting.use
        former = self.book.standing(version)
        if former is not None:
            self.book.end(former, sighting.left or Left(use.first_ns, before), sighting.base)
        times = self._times[before, version] = self._times.get((before, version), 0) + 1
        self._told[version] = order(use)
        entry = Entry(
            swap_class=self._class,
            from_version=before,
            to_version=version,
            occurrence=times,
            use=use,
            number=sighting.presence.first,
            token=version,
            before=self.track.count(before).talks,
            base=sighting.base,
            presence=_copy(sighting).presence,
            context=sighting.context,
        )
        self.book.tell(entry)


def _copy(sighting: _Sighting) -> _Sighting:
    presence = sighting.presence
    return replace(sighting, presence=Presence(presence.first, presence.last, presence.count))
