"""Alerts of swaps: what they say, and how Alertmanager and a webhook are told.

What is due, and what was told already, is the store's to know; nothing is kept here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import datetime as dt

Row = Mapping[str, Any]
"""A swap: the columns of model_swaps. Times are aware; EndedAt is None while it stands."""
Status = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Alert:
    """What a receiver is to be told of a swap.

    Attributes:
        severity: of a swap that stands, its own; of one that is resolved, under which the receiver has it.
        told_as: the severity under which the receiver may have it already; '' where it has nothing.
        delivery: names this message: the same however often it is sent, another one for the next.
    """

    row: Row
    status: Status
    severity: str
    told_as: str
    delivery: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    Attributes:
        kind: "taken"; "refused", for good as it is; "later", it may be taken another time.
        why: of the last two, in a few words that a log may show.
        retry_after_s: the receiver's own wish.
        away: nothing else would have been taken either.
        divisible: a request of several alerts was refused for what may be the fault of one.
    """

    kind: Literal["taken", "refused", "later"]
    why: str = ""
    retry_after_s: float | None = None
    away: bool = False
    divisible: bool = False


class Receiver(Protocol):
    """Somebody who is told of alerts.

    Attributes:
        name: as in the table `alerts`.
        together: how many alerts one request tells of, at most.
        repeat: how often it wants to hear of what still stands; None: once.
        patience: the longest wait between two attempts.
    """

    @property
    def name(self) -> str: ...
    @property
    def together(self) -> int: ...
    @property
    def repeat(self) -> dt.timedelta | None: ...
    @property
    def patience(self) -> dt.timedelta: ...

    async def send(self, alerts: Sequence[Alert], now: dt.datetime) -> Outcome:
        """Tells of some, in one request. Never raises for what the receiver or the network does."""

    async def close(self) -> None:
        """Lets go of the connections."""
