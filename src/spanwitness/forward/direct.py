"""A sender is answered when the next hop took its request. Nothing is kept here: the sender has it until then."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from spanwitness.columns import Problem
from spanwitness.errors import Busy, Rejected
from spanwitness.forward import Tally, Throttled
from spanwitness.forward.replies import without_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from spanwitness.forward import Hop, Parcel

_LONGEST_S: Final = 5.0
log = logging.getLogger(__name__)


class Direct:
    """See forward.Onward.

    While the next hop is away, or has asked for time, requests are refused before they are stored: their senders will
    come back with them in any case, and each time there would be another copy for the store to merge away.

    Args:
        open_hop: makes the way to the next hop, inside the event loop.
        clock: seconds that only go up.
    """

    def __init__(self, open_hop: Callable[[], Hop], clock: Callable[[], float] = time.monotonic) -> None:
        self._open = open_hop
        self._clock = clock
        self._hop: Hop | None = None
        self._failures = 0
        self._shut_until = 0.0
        self.tally = Tally()

    async def start(self) -> None:
        """See forward.Onward."""
        self._hop = self._open()

    async def stop(self) -> None:
        """See forward.Onward."""
        if self._hop is not None:
            await self._hop.close()

    def check(self) -> None:
        """See forward.Onward."""
        left = self._shut_until - self._clock()
        if left > 0:
            raise Busy("the next hop is away or has asked for time", retry_after_s=left)

    async def pass_on(self, parcel: Parcel) -> Problem | None:
        """See forward.Onward. What is refused for good is told as refused: its sender must not try for ever."""
        if self._hop is None:
            raise Busy("not started")
        try:
            told = await self._hop.send(parcel)
        except Busy as busy:
            self._away(busy)
            raise
        except Rejected as error:
            self._back()
            self.tally.failed += parcel.items
            log.error("%s, of %s; they are in the record here", without_words(error), parcel.amount)
            return Problem(parcel.items, f"in the record of SpanWitness, but {error}")
        self._back()
        rejected = min(told.rejected, parcel.items) if told else 0
        self.tally.rejected += rejected
        self.tally.sent += parcel.items - rejected
        return told

    def status(self) -> dict[str, Any]:
        """See forward.Onward."""
        return {"answer": "both", "up": not self._failures, **self.tally.status()}

    def _away(self, busy: Busy) -> None:
        self.tally.retries += 1
        if not self._failures:
            log.warning("%s; senders are told to come back", busy)
        now = self._clock()
        if now >= self._shut_until:  # those that were on their way together fail together, and count once
            self._failures += 1
        asked = busy.retry_after_s if isinstance(busy, Throttled) else 0.0
        wait = max(asked, min(0.5 * 2.0 ** min(self._failures, 10), _LONGEST_S))
        self._shut_until = max(self._shut_until, now + wait)

    def _back(self) -> None:
        if self._failures:
            log.info("the next hop takes data again")
        self._failures = 0
        self._shut_until = 0.0
