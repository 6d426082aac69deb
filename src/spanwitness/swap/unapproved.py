"""A model answers that is not on the contract's list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spanwitness.swap.entries import Book, Context, Entry, Left
from spanwitness.swap.presence import Presence
from spanwitness.swap.track import Count

if TYPE_CHECKING:
    from spanwitness.model import Contract, Use
    from spanwitness.swap.track import Track


class Unapproved:
    """Each version is told once; again only after a contract approved it, or after it had gone and came back."""

    def __init__(self) -> None:
        self.book = Book(back=0)
        self._times: dict[str, int] = {}

    def feed(
        self, use: Use, track: Track, context: Context, *, contract: Contract | None, approved: bool, new: bool
    ) -> None:
        """The next use whose served model is known.

        Args:
            use: in order of time.
            track: of the uses whose served model is known; it has counted this one.
            context: what was in use before it.
            contract: in force when it began.
            approved: the contract has its model on the list, or has no list.
            new: the first of this version in its conversation.
        """
        standing = self.book.standing(use.version)
        if standing is not None and approved:
            # Its own conversation counts no more to what was not approved.
            self.book.end(standing, Left(use.first_ns, use.version), _without(use, track, new=new))
        elif standing is not None and new:
            self.book.seen(use.version, track)
        elif standing is None and not approved:
            self._tell(use, track, context, contract, new=new)
        if new:
            self.book.passed(use, use.version, track)

    def _tell(self, use: Use, track: Track, context: Context, contract: Contract | None, *, new: bool) -> None:
        times = self._times[use.version] = self._times.get(use.version, 0) + 1
        self.book.tell(
            Entry(
                swap_class="unapproved",
                from_version="",
                to_version=use.version,
                occurrence=times,
                use=use,
                number=track.number,
                token=use.version,
                before=track.number - 1,
                base=_without(use, track, new=new),
                presence=Presence(track.number, track.number),
                context=context,
                facts={"approved": list(contract.approved)} if contract else {},
            )
        )


def _without(use: Use, track: Track, *, new: bool) -> Count:
    """What the track had counted of a version before this use."""
    count = track.count(use.version)
    return Count(count.talks - new, count.calls - use.calls, count.after_failure - use.after_failure)
