"""Forward: the next OTLP hop gets what came, as it came, with the tags added; and the scores, as events.

`splice` adds to a request's own bytes. A `Hop` is the way to the next one, over gRPC or HTTP. An `Onward` decides when
a sender is answered: `Direct` once the hop took its request, `Queued` once it is in a queue on disk.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from spanwitness.errors import Busy

if TYPE_CHECKING:
    from spanwitness.columns import Problem

Kind = Literal["traces", "logs"]


class Throttled(Busy):
    """The next hop itself said how long it wants to be left alone: `retry_after_s`."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One request for the next hop.

    Attributes:
        body: a serialised Export{Trace,Logs}ServiceRequest.
        items: how many spans or log records are in it.
    """

    kind: Kind
    body: bytes
    items: int

    @property
    def amount(self) -> str:
        """How much it is, for the log."""
        return f"{self.items} {'spans' if self.kind == 'traces' else 'log records'}"


@dataclass(slots=True)
class Tally:
    """What became of spans and log records, since the start; `retries` counts requests. For the status and the log."""

    sent: int = 0
    rejected: int = 0
    failed: int = 0
    retries: int = 0

    def status(self) -> dict[str, Any]:
        """By name."""
        return asdict(self)


class Hop(Protocol):
    """The next hop. Many calls may be in flight at once."""

    async def send(self, parcel: Parcel) -> Problem | None:
        """Returns once the hop took the request; what it said was wrong with it, if anything was.

        Raises:
            Busy: it may take the same request later. Throttled, where it said when.
            Rejected: it never will.
        """

    async def close(self) -> None:
        """Lets go of all connections."""


class Onward(Protocol):
    """How requests get to the next hop, and when their senders are answered."""

    tally: Tally

    async def start(self) -> None:
        """Begins; call inside the event loop. Raises ConfigError if it cannot; never needs the next hop to be up."""

    async def stop(self) -> None:
        """Finishes what is being sent and lets go of everything."""

    def check(self) -> None:
        """Raises Busy while there is no use in storing a request, since it could not be passed on."""

    async def pass_on(self, parcel: Parcel) -> Problem | None:
        """Returns when the sender may be answered; what the next hop said was wrong, as far as that is known by then.

        Raises:
            Busy: it was not passed on; the sender keeps its data.
        """

    def status(self) -> dict[str, Any]:
        """Counts, by name."""
