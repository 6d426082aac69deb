"""Another model answers than was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spanwitness.swap.entries import Book, Context, Entry, Left
from spanwitness.swap.presence import Presence

if TYPE_CHECKING:
    from spanwitness.model import Use
    from spanwitness.swap.track import Track


class Mismatches:
    """Each pair of a requested and a served model is told once; it has ended while it is not met, or is agreed."""

    def __init__(self) -> None:
        self.book = Book(back=1)

    def feed(self, use: Use, track: Track, context: Context, *, wrong: bool, new: frozenset[str]) -> None:
        """The next use whose served model is known.

        Args:
            use: in order of time.
            track: of the uses whose served model is known; it has opened the use's conversation.
            context: what was in use before it.
            wrong: it is a mismatch by the contract then in force.
            new: `requested` where its conversation asks for this model the first time, `pair` where it is answered so.
        """
        pair = ("pair", use.requested, use.version)
        entry = self.book.newest(pair)
        if wrong and entry is None:
            self.book.tell(self._entry(use, pair, track, context))
        elif wrong and "pair" in new:
            self.book.seen(pair, track)
        elif entry is not None and not wrong and entry.ended is None:
            self.book.end(entry, Left(use.first_ns, use.version), track.count(pair))
        track.add(use, ("requested", use.requested), new="requested" in new)
        track.add(use, pair, new="pair" in new)
        if "pair" in new:
            self.book.passed(use, use.version, track)

    def _entry(self, use: Use, pair: tuple[str, ...], track: Track, context: Context) -> Entry:
        return Entry(
            swap_class="mismatch",
            from_version=asked(use),
            to_version=use.version,
            occurrence=1,
            use=use,
            number=track.number,
            token=pair,
            before=track.count(("requested", use.requested)).talks,
            base=track.count(pair),
            presence=Presence(track.number, track.number),
            context=context,
        )


def asked(use: Use) -> str:
    """What was asked for, with its provider once."""
    provider = use.provider or "unknown"
    return f"{provider}/{use.requested.removeprefix(f'{provider}/')}"
