"""Another backend answers under an unchanged model version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spanwitness.swap.entries import Book, Context, Entry
from spanwitness.swap.presence import Presence

if TYPE_CHECKING:
    from spanwitness.model import Use
    from spanwitness.swap.track import Track

ROTATES: Final = 8
"""Fingerprints: a version that has shown so many is known to rotate, and no more of it are told."""


class Fingerprints:
    """Each new fingerprint of a version is told, but for its first one, until the version is known to rotate."""

    def __init__(self) -> None:
        self.book = Book(back=1)
        self._known: dict[str, list[str]] = {}
        self._before: dict[str, str] = {}

    def feed(self, use: Use, track: Track, context: Context, *, new: bool) -> None:
        """The next use whose served model and fingerprint are known.

        Args:
            use: in order of time.
            track: of the uses whose served model is known; it has opened the use's conversation.
            context: what was in use before it.
            new: the first of this version and fingerprint in its conversation.
        """
        known = self._known.setdefault(use.version, [])
        name = named(use.version, use.fingerprint)
        if use.fingerprint in known:
            if new:
                self.book.seen(name, track)
        elif len(known) < ROTATES:
            known.append(use.fingerprint)
            if len(known) > 1:
                self.book.tell(self._entry(use, track, context, len(known)))
        else:
            return
        self._before[use.version] = name
        track.add(use, name, new=new)
        if new:
            self.book.passed(use, name, track)

    def _entry(self, use: Use, track: Track, context: Context, number: int) -> Entry:
        before, name = self._before[use.version], named(use.version, use.fingerprint)
        rotates: dict[str, object] = {"rotates": True} if number == ROTATES else {}
        return Entry(
            swap_class="fingerprint",
            from_version=before,
            to_version=name,
            occurrence=1,
            use=use,
            number=track.number,
            token=name,
            before=track.count(before).talks,
            base=track.count(name),
            presence=Presence(track.number, track.number),
            context=context,
            facts={"fingerprint": use.fingerprint, "fingerprints": number, **rotates},
        )


def named(version: str, fingerprint: str) -> str:
    """A version with its backend."""
    return f"{version} {fingerprint}"
