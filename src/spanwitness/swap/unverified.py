"""Fewer calls than the contract wants tell which model answered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spanwitness.swap.entries import Book, Context, Entry, Left
from spanwitness.swap.presence import Presence
from spanwitness.swap.track import Track

if TYPE_CHECKING:
    from spanwitness.model import Contract, Use

_ENOUGH: Final = 20
_TOLD, _UNTOLD = "told", "untold"


class Unverified:
    """Watches the share of calls, over the slot's last fifty conversations, that tell which model answered.

    A call that failed and names no model was answered by none: an outage is no gap in the proof.
    """

    def __init__(self) -> None:
        self.book = Book(back=0)
        self.track = Track()
        self._times: dict[str, int] = {}
        self._open: Entry | None = None
        self._version = ""

    def feed(self, use: Use, context: Context, *, contract: Contract | None, opens: bool, new: bool) -> None:
        """The next use, whether its served model is known or not.

        Args:
            use: in order of time.
            context: what was in use before it.
            contract: in force when it began.
            opens: the first of its conversation.
            new: the first of its conversation whose served model is known, or the first where it is not, or the first
                of which all calls failed without an answer.
        """
        if opens:
            self.track.open(use.conversation_id)
        if use.served:
            self.track.add(use, _TOLD, new=new)
        elif use.failed < use.calls:
            self.track.add(replace(use, calls=use.calls - use.failed), _UNTOLD, new=new)
            self._version = use.version
        least = contract.min_verified if contract else None
        if self._open is not None:
            if least is None or self._back(least, self._open):
                self.book.end(self._open, Left(use.first_ns, use.version), self.track.count(_UNTOLD))
                self._open = None
        elif least is not None and self.track.recent() >= _ENOUGH and self.share() < least:
            self._tell(use, context, least)

    def share(self) -> float:
        """The share of the last calls that tell which model answered; all where none was answered."""
        told = self.track.calls(_TOLD)
        answered = told + self.track.calls(_UNTOLD)
        return told / answered if answered else 1.0

    def _back(self, least: float, entry: Entry) -> bool:
        """A share that hovers about the least one is told once in a while, not at each crossing."""
        return self.share() >= least and self.track.number - entry.number >= _ENOUGH

    def _tell(self, use: Use, context: Context, least: float) -> None:
        times = self._times[self._version] = self._times.get(self._version, 0) + 1
        at = self.track.number
        self._open = Entry(
            swap_class="unverified",
            from_version="",
            to_version=self._version,
            occurrence=times,
            use=use,
            number=at,
            token=_UNTOLD,
            before=at - 1,
            base=self.track.count(_UNTOLD),
            presence=Presence(at, at),
            context=context,
            facts={"verified_share": round(self.share(), 4), "min_verified": least},
        )
        self.book.tell(self._open)
