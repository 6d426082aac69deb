"""Entries of the ledger as they are found, and when each comes to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from spanwitness.swap.presence import Presence
from spanwitness.swap.track import Count

if TYPE_CHECKING:
    from spanwitness.model import SwapClass, Use
    from spanwitness.swap.track import Token, Track


class Left(NamedTuple):
    """When a slot had left a version, and what it went to."""

    ns: int
    by: str


class Context(NamedTuple):
    """What was known of prompt and agent before a use; '' where nothing was."""

    prompt: str = ""
    agent: str = ""


@dataclass(slots=True)
class Entry:
    """A change.

    Attributes:
        use: where it was seen first.
        number: in which conversation of its track.
        token: what is counted of it.
        before: conversations on `from_version` before it.
        base: what was counted of `token` before it.
        presence: how `token` was seen since.
        context: what was in use before.
        facts: more evidence, by the names it is told under.
        left: when the slot left it, while it may come back.
        ended: when that had become sure.
        after: what was counted of it until it ended.
        back: conversations with it since it ended.
    """

    swap_class: SwapClass
    from_version: str
    to_version: str
    occurrence: int
    use: Use
    number: int
    token: Token
    before: int
    base: Count
    presence: Presence
    context: Context
    facts: dict[str, object] = field(default_factory=dict)
    left: Left | None = None
    ended: Left | None = None
    after: Count = field(default_factory=Count)
    back: int = 0


class Book:
    """The entries of one class in a slot, the newest of each token at hand.

    Args:
        back: after how many conversations an entry that had ended stands again; 0: it never does.
    """

    def __init__(self, back: int) -> None:
        self.entries: list[Entry] = []
        self._back = back
        self._newest: dict[Token, Entry] = {}
        self._standing: dict[Token, Entry] = {}

    def newest(self, token: Token) -> Entry | None:
        """The last entry that tells of a token."""
        return self._newest.get(token)

    def standing(self, token: Token) -> Entry | None:
        """The entry that stands for a token."""
        return self._standing.get(token)

    def tell(self, entry: Entry) -> None:
        """Takes in an entry. The one before it that told of the same has ended, if it had not."""
        self.entries.append(entry)
        self._newest[entry.token] = self._standing[entry.token] = entry

    def seen(self, token: Token, track: Track) -> None:
        """A conversation has a token that may have an entry. To be called before the track counts it."""
        entry = self._newest.get(token)
        if entry is None:
            return
        if entry.ended is None:
            entry.presence.seen(track.number)
            entry.left = None
            return
        entry.back += 1
        if self._back and entry.back >= self._back:
            entry.ended, entry.left, entry.back = None, None, 0
            entry.presence = Presence(track.number, track.number)
            self._standing[token] = entry

    def passed(self, use: Use, by: str, track: Track) -> None:
        """A use went by: entries that were not seen in its conversation may have come to their end."""
        for entry in list(self._standing.values()):
            if entry.presence.last < track.number:
                if entry.left is None:
                    entry.left = Left(use.first_ns, by)
                if entry.presence.over_by(track.number):
                    self.end(entry, entry.left, track.count(entry.token))

    def end(self, entry: Entry, left: Left, count: Count) -> None:
        """An entry stands no more. `count`: what was counted of its token until then."""
        entry.ended = entry.left = left
        entry.after = count.since(entry.base)
        entry.back = 0
        if self._standing.get(entry.token) is entry:
            del self._standing[entry.token]
