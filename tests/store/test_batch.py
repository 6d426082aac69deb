"""Requests joined into batches: answered once stored, never before; bounded; one bad request hurts itself alone."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.columns import Problem
from spanwitness.errors import Busy, StoreError
from spanwitness.store.batch import Batcher, BatchLimits, Pending, Work

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

AT_ONCE = BatchLimits(max_wait_s=0.01, early_bytes=1)
PATIENT = BatchLimits(max_wait_s=0.05, early_bytes=1000)


@dataclass
class Lane:
    """Prepares and writes as it is told, and keeps what it saw."""

    prepared: list[list[bytes]] = field(default_factory=list)
    written: list[list[bytes]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    writing: threading.Event = field(default_factory=threading.Event)
    poison: bytes = b""
    fails: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def prepare(self, group: Sequence[Pending]) -> Work[list[bytes]]:
        bodies = [pending.body for pending in group]
        self.prepared.append(bodies)
        if self.poison and self.poison in bodies:
            raise ValueError("poison")
        return Work(bodies, {index: Problem(1, body.decode()) for index, body in enumerate(bodies) if body == b"bad"})

    def write(self, bodies: list[bytes]) -> None:
        self.writing.set()
        assert self.gate.wait(10)
        if self.fails:
            self.fails -= 1
            raise StoreError("away")
        self.written.append(bodies)


def run(lane: Lane, limits: BatchLimits, task: Callable[[Batcher[list[bytes]]], Coroutine[Any, Any, None]]) -> None:
    """Runs a task against a batcher that is started before and stopped after it."""

    async def main() -> None:
        batcher = Batcher(lane.prepare, lane.write, limits)
        batcher.start()
        try:
            await asyncio.wait_for(task(batcher), 20)
        finally:
            lane.gate.set()
            await batcher.stop()

    asyncio.run(main())


async def told(awaitable: Awaitable[Any]) -> Any:
    """The answer, or Busy in its place."""
    try:
        return await awaitable
    except Busy as busy:
        return busy


async def reached(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


def test_the_answer_comes_after_the_write_and_not_before() -> None:
    lane = Lane()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        lane.gate.clear()
        put = asyncio.create_task(batcher.put(b"a", ""))
        await reached(lane.writing)
        assert not put.done()
        lane.gate.set()
        assert await put is None
        assert lane.written == [[b"a"]]

    run(lane, AT_ONCE, task)


def test_each_request_gets_its_own_answer() -> None:
    lane = Lane()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        answers = await asyncio.gather(*(batcher.put(body, "") for body in (b"a", b"bad", b"c")))
        assert answers == [None, Problem(1, "bad"), None]
        assert lane.written == [[b"a", b"bad", b"c"]]

    run(lane, PATIENT, task)


def test_a_full_buffer_is_busy_and_takes_more_once_it_has_room() -> None:
    lane = Lane()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        lane.gate.clear()
        first = asyncio.create_task(batcher.put(b"x" * 60, ""))
        await reached(lane.writing)
        with pytest.raises(Busy, match="the buffer is full"):
            await batcher.put(b"y" * 50, "")
        second = asyncio.create_task(batcher.put(b"y" * 40, ""))
        lane.gate.set()
        assert list(await asyncio.gather(first, second)) == [None, None]
        assert await batcher.put(b"z" * 100, "") is None

    run(lane, BatchLimits(max_wait_s=0.01, early_bytes=1, pending_bytes=100), task)


def test_a_request_larger_than_the_buffer_is_taken_when_nothing_else_waits() -> None:
    lane = Lane()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        assert await batcher.put(b"x" * 500, "") is None

    run(lane, BatchLimits(max_wait_s=0.01, pending_bytes=100), task)


def test_senders_that_gave_up_still_count_until_their_bytes_are_gone() -> None:
    """A sender that retries after its deadline must not fill the memory while the store stands still."""
    lane = Lane()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        lane.gate.clear()
        first = asyncio.create_task(batcher.put(b"x" * 60, ""))
        await reached(lane.writing)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        with pytest.raises(Busy, match="the buffer is full"):
            await batcher.put(b"y" * 60, "")
        lane.gate.set()
        while isinstance(await told(batcher.put(b"z" * 60, "")), Busy):
            await asyncio.to_thread(lane.gate.wait, 1)

    run(lane, BatchLimits(max_wait_s=0.01, early_bytes=1, pending_bytes=100), task)
    assert lane.written[0] == [b"x" * 60], "what a sender gave up on is stored all the same"


def test_a_write_that_fails_is_busy_for_all_of_its_batch_and_for_no_other() -> None:
    lane = Lane(fails=1)

    async def task(batcher: Batcher[list[bytes]]) -> None:
        answers = await asyncio.gather(*(told(batcher.put(body, "")) for body in (b"a", b"bad", b"c")))
        assert [(type(answer), answer.retry_after_s) for answer in answers] == [(Busy, 2.0)] * 3
        assert lane.written == []
        assert await batcher.put(b"d", "") is None
        assert lane.written == [[b"d"]]

    run(lane, PATIENT, task)


def test_a_request_that_cannot_be_prepared_is_told_alone() -> None:
    lane = Lane(poison=b"poison")

    async def task(batcher: Batcher[list[bytes]]) -> None:
        bodies = (b"a", b"poison", b"bad", b"c")
        answers = await asyncio.gather(*(told(batcher.put(body, "")) for body in bodies))
        assert [type(answer) for answer in answers] == [type(None), Busy, Problem, type(None)]
        assert sorted(chain.from_iterable(lane.written)) == [b"a", b"bad", b"c"]
        assert await batcher.put(b"d", "") is None

    run(lane, PATIENT, task)


def test_the_next_batch_is_prepared_while_one_is_written() -> None:
    lane = Lane()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        lane.gate.clear()
        first = asyncio.create_task(batcher.put(b"a", ""))
        await reached(lane.writing)
        ready = threading.Event()
        prepare = lane.prepare

        def watched(group: Sequence[Pending]) -> Work[list[bytes]]:
            work = prepare(group)
            ready.set()
            return work

        batcher._prepare = watched  # noqa: SLF001 - to see that it happens, not how
        second = asyncio.create_task(batcher.put(b"b", ""))
        await reached(ready)
        assert lane.written == []
        assert not first.done()
        lane.gate.set()
        assert list(await asyncio.gather(first, second)) == [None, None]
        assert lane.written == [[b"a"], [b"b"]]

    run(lane, AT_ONCE, task)


def test_no_more_than_one_batch_waits_behind_the_one_that_is_written() -> None:
    lane = Lane()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        lane.gate.clear()
        puts = [asyncio.create_task(batcher.put(b"a", ""))]
        await reached(lane.writing)
        puts += [asyncio.create_task(batcher.put(bytes([65 + number]), "")) for number in range(8)]
        await asyncio.sleep(0)
        lane.gate.set()
        assert await asyncio.gather(*puts) == [None] * 9
        assert len(lane.written) <= 3, "what came while one was written went together"

    run(lane, AT_ONCE, task)


def test_a_batch_is_no_larger_than_its_limits() -> None:
    lane = Lane()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        await asyncio.gather(*(batcher.put(b"x" * 40, "") for _ in range(10)))
        assert all(sum(map(len, bodies)) <= 100 for bodies in lane.prepared)
        await asyncio.gather(*(batcher.put(b"x", "") for _ in range(12)))
        assert max(map(len, lane.prepared)) == 5
        await batcher.put(b"x" * 300, "")
        assert lane.prepared[-1] == [b"x" * 300]

    run(lane, BatchLimits(max_bytes=100, max_items=5, max_wait_s=0.02, early_bytes=1000), task)


def test_stopping_stores_what_waits_and_refuses_what_is_new() -> None:
    lane = Lane()

    async def main() -> None:
        batcher = Batcher(lane.prepare, lane.write, BatchLimits(max_wait_s=30))
        batcher.start()
        puts = [asyncio.create_task(batcher.put(body, "")) for body in (b"a", b"b")]
        await asyncio.sleep(0)
        await asyncio.wait_for(batcher.stop(), 5)
        assert await asyncio.gather(*puts) == [None, None]
        with pytest.raises(Busy, match="shutting down"):
            await batcher.put(b"c", "")

    asyncio.run(main())
    assert lane.written == [[b"a", b"b"]]


def test_stopping_waits_for_the_batch_that_is_being_written() -> None:
    lane = Lane()

    async def main() -> None:
        batcher = Batcher(lane.prepare, lane.write, AT_ONCE)
        batcher.start()
        lane.gate.clear()
        put = asyncio.create_task(batcher.put(b"a", ""))
        await reached(lane.writing)
        stopping = asyncio.create_task(batcher.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        lane.gate.set()
        await asyncio.wait_for(stopping, 5)
        assert await put is None

    asyncio.run(main())


def test_one_that_nobody_uses_stops_at_once() -> None:
    async def main() -> None:
        lane = Lane()
        batcher = Batcher(lane.prepare, lane.write, BatchLimits())
        batcher.start()
        await asyncio.wait_for(batcher.stop(), 5)
        never_started = Batcher(lane.prepare, lane.write, BatchLimits())
        await asyncio.wait_for(never_started.stop(), 5)

    asyncio.run(main())


@dataclass
class NextHop:
    """What is passed on, and what is said of it."""

    taken: list[Any] = field(default_factory=list)
    answers: dict[Any, Problem | Exception] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_on(self, parcel: Any) -> Problem | None:
        await self.gate.wait()
        answer = self.answers.get(parcel)
        if isinstance(answer, Exception):
            raise answer
        self.taken.append(parcel)
        return answer


def run_onward(
    lane: Lane, hop: NextHop, onward: dict[int, Any], task: Callable[[Batcher[list[bytes]]], Coroutine[Any, Any, None]]
) -> None:
    """The same with a next hop, to which a batch sends `onward`."""

    def prepare(group: Sequence[Pending]) -> Work[list[bytes]]:
        work = lane.prepare(group)
        return Work(work.rows, work.problems, onward)

    async def main() -> None:
        batcher = Batcher(prepare, lane.write, PATIENT, hop.pass_on)
        batcher.start()
        try:
            await asyncio.wait_for(task(batcher), 20)
        finally:
            hop.gate.set()
            await batcher.stop()

    asyncio.run(main())


def test_the_answer_comes_after_the_next_hop_took_it() -> None:
    lane, hop = Lane(), NextHop()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        puts = [asyncio.create_task(batcher.put(body, "")) for body in (b"a", b"b")]
        await reached(lane.writing)
        assert await puts[1] is None, "nothing of it is passed on: nothing is waited for"
        assert not puts[0].done()
        hop.gate.set()
        assert await puts[0] is None
        assert hop.taken == ["a onward"]

    run_onward(lane, hop, {0: "a onward"}, task)


def test_what_the_next_hop_says_is_told_with_what_we_say() -> None:
    lane = Lane()
    hop = NextHop(answers={"x": Problem(2, "hop"), "y": Busy("away", retry_after_s=9.0), "z": ZeroDivisionError()})
    hop.gate.set()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        answers = await asyncio.gather(*(told(batcher.put(body, "")) for body in (b"bad", b"b", b"c", b"d")))
        assert answers[0] == Problem(3, "bad; hop")
        assert isinstance(answers[1], Busy)
        assert answers[1].retry_after_s == 9.0
        assert isinstance(answers[2], Busy), "a fault of ours: the sender keeps its data"
        assert answers[3] is None
        assert lane.written == [[b"bad", b"b", b"c", b"d"]]

    run_onward(lane, hop, {0: "x", 1: "y", 2: "z"}, task)


def test_what_could_not_be_stored_is_not_passed_on() -> None:
    lane, hop = Lane(fails=1), NextHop()
    hop.gate.set()

    async def task(batcher: Batcher[list[bytes]]) -> None:
        assert isinstance(await told(batcher.put(b"a", "")), Busy)
        assert hop.taken == []

    run_onward(lane, hop, {0: "a"}, task)


def test_stopping_waits_for_what_is_on_its_way_to_the_next_hop() -> None:
    lane, hop = Lane(), NextHop()
    answers: list[asyncio.Task[Any]] = []

    async def task(batcher: Batcher[list[bytes]]) -> None:
        answers.append(asyncio.create_task(batcher.put(b"a", "")))
        await reached(lane.writing)

    run_onward(lane, hop, {0: "a"}, task)
    assert answers[0].result() is None
    assert hop.taken == ["a"]
