"""A sender is answered when its request is in a queue on disk; from there it goes to the next hop in order."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from spanwitness.errors import Busy, Rejected, fault
from spanwitness.forward import Parcel, Tally, Throttled
from spanwitness.forward.replies import without_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spanwitness.columns import Problem
    from spanwitness.forward import Hop
    from spanwitness.forward.disk_queue import DiskQueue
    from spanwitness.forward.disk_queue import Queued as Waiting

Result = TypeVar("Result")
# Requests that wait are joined: a repeated field of a message goes on when another of its kind is written behind it.
_TOGETHER_BYTES: Final = 1_000_000
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between tries while the next hop is away: from the first, doubled, to the most."""

    first_s: float = 0.5
    most_s: float = 30.0

    def after(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""
        return min(self.first_s * 2.0 ** min(failures - 1, 30), self.most_s)


class Queued:
    """See forward.Onward. The queue is opened at the start; what it still holds from before goes first."""

    def __init__(
        self, open_hop: Callable[[], Hop], open_queue: Callable[[], DiskQueue], backoff: Backoff | None = None
    ) -> None:
        self._open_hop = open_hop
        self._open_queue = open_queue
        self._backoff = backoff or Backoff()
        self._disk = ThreadPoolExecutor(1, "spanwitness-queue")
        self._hop: Hop | None = None
        self._queue: DiskQueue | None = None
        self._arriving: list[tuple[Parcel, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._more = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failures = 0
        self.tally = Tally()

    async def start(self) -> None:
        """See forward.Onward."""
        self._queue = await self._on_disk(self._open_queue)
        self._hop = self._open_hop()
        self._more.set()
        self._draining = asyncio.create_task(self._drain(self._queue, self._hop))

    async def stop(self) -> None:
        """See forward.Onward. What still waits stays on disk."""
        self._stopping.set()
        self._more.set()
        for task in (self._writing, self._draining):
            if task is not None:
                await task
        if self._hop is not None:
            await self._hop.close()
        if self._queue is not None:
            await self._on_disk(self._queue.close)
        self._disk.shutdown()

    def check(self) -> None:
        """See forward.Onward."""
        if self._queue is not None:
            self._queue.check()

    async def pass_on(self, parcel: Parcel) -> Problem | None:
        """See forward.Onward. Those that come together are written together: one wait for the disk."""
        if self._queue is None or self._stopping.is_set():
            raise Busy("shutting down")
        written = asyncio.get_running_loop().create_future()
        self._arriving.append((parcel, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(self._queue))
        await asyncio.shield(written)
        return None

    def status(self) -> dict[str, Any]:
        """See forward.Onward."""
        queue = self._queue
        waiting = (queue.requests, queue.items, queue.bytes) if queue else (0, 0, 0)
        names = ("queued_requests", "queued", "queued_bytes")
        up = not self._failures
        return {"answer": "store", "up": up, **self.tally.status(), **dict(zip(names, waiting, strict=True))}

    async def _on_disk(self, task: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._disk, task, *arguments)

    async def _write(self, queue: DiskQueue) -> None:
        while self._arriving:
            group, self._arriving = self._arriving, []
            try:
                answers = await self._on_disk(queue.put, [parcel for parcel, _ in group])
            except Exception as error:  # noqa: BLE001 - whatever the trouble is, each sender must get its answer
                log.error("could not queue %d requests for the next hop: %s", len(group), fault(error))
                answers = [Busy("the queue for the next hop cannot be written")] * len(group)
            for (_, written), busy in zip(group, answers, strict=True):
                _tell(written, busy)
            self._more.set()

    async def _drain(self, queue: DiskQueue, hop: Hop) -> None:
        while not self._stopping.is_set():
            await self._more.wait()
            self._more.clear()
            try:
                while not self._stopping.is_set() and await self._send_head(queue, hop):
                    pass
            except Exception as error:  # noqa: BLE001 - nothing may end this but the end of the server
                log.error("the queue for the next hop will be tried again: %s", fault(error))
                await self._pause(Busy("a fault of ours"))

    async def _send_head(self, queue: DiskQueue, hop: Hop) -> bool:
        """Sends what is next; False when nothing waits."""
        head = await self._on_disk(queue.head, _TOGETHER_BYTES)
        if not head:
            return False
        try:
            await self._send(queue, hop, head)
        except Busy as busy:
            await self._pause(busy)
        else:
            if self._failures:
                log.info("the next hop takes data again; %d requests wait", queue.requests)
            self._failures = 0
        return True

    async def _send(self, queue: DiskQueue, hop: Hop, head: Sequence[Waiting]) -> None:
        parcel = _joined(head)
        try:
            told = await hop.send(parcel)
        except Rejected as error:
            if len(head) > 1:  # one of them may be what the hop does not like, or all together be too large for it
                for one in head:
                    await self._send(queue, hop, [one])
                return
            self.tally.failed += parcel.items
            log.error("%s, of %s; they are in the record here", without_words(error), parcel.amount)
        else:
            rejected = min(told.rejected, parcel.items) if told else 0
            if told:
                log.warning("the next hop rejected %d of %s", rejected, parcel.amount)
            self.tally.rejected += rejected
            self.tally.sent += parcel.items - rejected
        await self._on_disk(queue.remove, head)

    async def _pause(self, busy: Busy) -> None:
        self.tally.retries += 1
        self._failures += 1
        if self._failures == 1:
            log.warning("%s; it stays in the queue", busy)
        self._more.set()
        asked = busy.retry_after_s if isinstance(busy, Throttled) else 0.0
        wait = max(asked, self._backoff.after(self._failures))
        try:
            async with asyncio.timeout(wait):
                await self._stopping.wait()
        except TimeoutError:
            pass


def _joined(head: Sequence[Waiting]) -> Parcel:
    bodies = [one.parcel.body for one in head]
    return Parcel(head[0].parcel.kind, b"".join(bodies), sum(one.parcel.items for one in head))


def _tell(written: asyncio.Future[None], busy: Busy | None) -> None:
    if written.done():
        return
    if busy is None:
        written.set_result(None)
    else:
        written.set_exception(busy)
        written.exception()  # a sender that has gone does not ask for it
