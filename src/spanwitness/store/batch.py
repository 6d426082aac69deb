"""Requests joined into batches: bounded memory, each answered once its rows are stored.

Two things go on at once: while the engine stores one batch (it lets go of the interpreter's lock), the next one is
decoded. Nothing is given up to get there: a request waits for its own rows.

Where requests are passed on to a next hop, that comes after the write, each on its own: a slow one keeps no other from
being answered, and none from being stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from spanwitness.columns import Problem
from spanwitness.errors import Busy, StoreError, fault

log = logging.getLogger(__name__)
Prepared = TypeVar("Prepared")


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When a batch is full, and how much may wait.

    Attributes:
        max_bytes: a batch is closed at this size (16 MB is about 5,000 spans of a chat with content).
        max_items: or at this many requests.
        max_wait_s: or this long after its first request, in seconds.
        early_bytes: a batch of this size waits no longer once
        quiet_s: seconds have brought no other request: senders that were answered together send again together.
        enough_bytes: a batch of this size waits for nothing but the engine.
        pending_bytes: requests beyond this are refused as Busy.
    """

    max_bytes: int = 16_000_000
    max_items: int = 2_000
    max_wait_s: float = 0.2
    early_bytes: int = 65_536
    quiet_s: float = 0.01
    enough_bytes: int = 8_000_000
    pending_bytes: int = 128_000_000


@dataclass(slots=True)
class Pending:
    """A request that waits to be stored."""

    body: bytes
    tenant: str
    answer: asyncio.Future[Problem | None]


@dataclass(frozen=True, slots=True)
class Work(Generic[Prepared]):
    """A batch made ready.

    Attributes:
        rows: what is to be stored.
        problems: by request, what was wrong with it.
        onward: by request, what is passed on of it once it is stored.
    """

    rows: Prepared
    problems: dict[int, Problem]
    onward: Mapping[int, Any] = field(default_factory=dict)


Pass = Callable[[Any], Awaitable[Problem | None]]
Prepare = Callable[[Sequence[Pending]], Work[Prepared]]


class Batcher(Generic[Prepared]):
    """Joins requests of one signal into batches.

    Args:
        prepare: wire bytes to rows; runs in a thread, one batch at a time.
        write: stores rows; runs in another thread, one batch at a time; returns when they are durable.
        pass_on: sends on what `Work.onward` holds of a request; many at once; raises Busy where the sender is to retry.
    """

    def __init__(
        self,
        prepare: Prepare[Prepared],
        write: Callable[[Prepared], None],
        limits: BatchLimits,
        pass_on: Pass | None = None,
    ) -> None:
        self._prepare = prepare
        self._write = write
        self._limits = limits
        self._pass_on = pass_on
        self._waiting: list[Pending] = []
        self._waiting_bytes = 0
        self._pending_bytes = 0
        self._first = asyncio.Event()
        self._arrived = asyncio.Event()
        # One batch in the engine, one decoded and next in line.
        self._slots = asyncio.Semaphore(2)
        self._decoder = ThreadPoolExecutor(1, "spanwitness-decode")
        self._writer = ThreadPoolExecutor(1, "spanwitness-store")
        self._stores: set[asyncio.Task[None]] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Starts to batch; call inside the event loop."""
        self._loop = asyncio.create_task(self._run())

    async def put(self, body: bytes, tenant: str) -> Problem | None:
        """Returns when the rows of `body` are stored and passed on; what was wrong with it, if anything was.

        Raises:
            Busy: the buffer is full, the store or the next hop is away, or this is stopping.
        """
        if self._stopping:
            raise Busy("shutting down")
        if self._pending_bytes + len(body) > self._limits.pending_bytes and self._pending_bytes:
            raise Busy("the buffer is full: the store does not keep up")
        pending = Pending(body, tenant, asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        self._waiting_bytes += len(body)
        self._pending_bytes += len(body)
        self._first.set()
        self._arrived.set()
        # Counted until it is answered, not until its sender gives up: till then it is held.
        pending.answer.add_done_callback(lambda _answered: self._forget(len(body)))
        return await asyncio.shield(pending.answer)

    def _forget(self, size: int) -> None:
        self._pending_bytes -= size

    async def stop(self) -> None:
        """Refuses new requests, stores those that wait, returns when all are answered."""
        self._stopping = True
        self._first.set()
        self._arrived.set()
        if self._loop is not None:
            await self._loop
        self._decoder.shutdown()
        self._writer.shutdown()

    def _full(self) -> bool:
        return (
            self._waiting_bytes >= self._limits.enough_bytes
            or len(self._waiting) >= self._limits.max_items
            or self._stopping
        )

    async def _run(self) -> None:
        while not (self._stopping and not self._waiting):
            await self._first.wait()
            await self._linger()
            await self._slots.acquire()
            group = self._take()
            if not group:
                self._slots.release()
                continue
            await self._ready(group)
        if self._stores:
            await asyncio.gather(*self._stores)
        if self._passing:
            await asyncio.gather(*self._passing)

    async def _linger(self) -> None:
        """Waits for more, as long as it comes and as the limits allow."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limits.max_wait_s
        while not self._full():
            enough = self._waiting_bytes >= self._limits.early_bytes
            patience = min(self._limits.quiet_s, end - loop.time()) if enough else end - loop.time()
            if patience <= 0 or not await self._another(patience):
                return

    async def _another(self, patience_s: float) -> bool:
        """Whether another request arrives within so many seconds."""
        self._arrived.clear()
        try:
            async with asyncio.timeout(patience_s):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True

    def _take(self) -> list[Pending]:
        size, count = 0, 0
        for pending in self._waiting[: self._limits.max_items]:
            size += len(pending.body)
            if count and size > self._limits.max_bytes:
                size -= len(pending.body)
                break
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_bytes -= size
        if not self._waiting and not self._stopping:
            self._first.clear()
        return group

    async def _ready(self, group: list[Pending]) -> None:
        loop = asyncio.get_running_loop()
        try:
            work = await loop.run_in_executor(self._decoder, self._prepare, group)
        except Exception as error:  # noqa: BLE001 - whatever one request does to us must not hit its neighbours
            self._slots.release()
            await self._one_by_one(group, error)
            return
        task = asyncio.create_task(self._store(group, work))
        self._stores.add(task)
        task.add_done_callback(self._stores.discard)

    async def _one_by_one(self, group: list[Pending], error: Exception) -> None:
        if len(group) == 1:
            log.error("a request could not be prepared: %s", fault(error))
            _answer(group[0], Busy("the request could not be processed; this is a fault of SpanWitness"))
            return
        for pending in group:
            await self._slots.acquire()
            await self._ready([pending])

    async def _store(self, group: list[Pending], work: Work[Prepared]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._write, work.rows)
        except Exception as error:  # noqa: BLE001 - the sender keeps its data, whatever the store's trouble is
            why = str(error) if isinstance(error, StoreError) else fault(error)
            log.error("could not store a batch of %d requests: %s", len(group), why)
            for pending in group:
                _answer(pending, Busy("the store did not take the data", retry_after_s=2.0))
        else:
            for index, pending in enumerate(group):
                self._stored(pending, work.problems.get(index), work.onward.get(index))
        finally:
            self._slots.release()

    def _stored(self, pending: Pending, problem: Problem | None, parcel: Any) -> None:
        if self._pass_on is None or parcel is None:
            _answer(pending, problem)
            return
        pending.body = b""  # what is passed on is held in its place
        task = asyncio.create_task(_passed(self._pass_on(parcel), pending, problem))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)


async def _passed(passing: Awaitable[Problem | None], pending: Pending, problem: Problem | None) -> None:
    try:
        told = await passing
    except Busy as busy:
        _answer(pending, busy)
    except Exception as error:  # noqa: BLE001 - the sender keeps its data, whatever the trouble of the next hop is
        log.error("could not pass on a request: %s", fault(error))
        _answer(pending, Busy("the request could not be passed on"))
    else:
        _answer(pending, both(problem, told))


def both(first: Problem | None, second: Problem | None) -> Problem | None:
    """Two things that were wrong with one request, as one."""
    if first is None or second is None:
        return first or second
    return Problem(first.rejected + second.rejected, f"{first.reason}; {second.reason}", first.fatal)


def _answer(pending: Pending, answer: Problem | Busy | None) -> None:
    if pending.answer.done():
        return
    if isinstance(answer, Busy):
        pending.answer.set_exception(answer)
        pending.answer.exception()  # a sender that has gone does not ask for it
    else:
        pending.answer.set_result(answer)
