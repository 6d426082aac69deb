"""Answered when it is on disk: sent in order, as often as it takes, and never lost."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.columns import Problem
from spanwitness.errors import Busy, TooLarge
from spanwitness.forward import Parcel, Throttled
from spanwitness.forward.disk_queue import DiskQueue
from spanwitness.forward.queued import Backoff, Queued
from tests.forward.conftest import MemoryHop, busy, reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

AT_ONCE = Backoff(0.001, 0.002)
AWAY = Busy("away")


def parcel(text: str, items: int = 1) -> Parcel:
    return Parcel("logs" if text.startswith("log") else "traces", text.encode(), items)


class Bench:
    """A queue that survives its process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "q"
        self.hop = MemoryHop()
        self.max_bytes = 1_000_000

    @asynccontextmanager
    async def up(self, *answers: Problem | Exception | None, backoff: Backoff = AT_ONCE) -> AsyncIterator[Queued]:
        self.hop.answers = list(answers)
        queued = Queued(lambda: self.hop, lambda: DiskQueue(self.path, self.max_bytes), backoff)
        await queued.start()
        try:
            yield queued
        finally:
            await queued.stop()

    async def empty(self, queued: Queued) -> None:
        await reached(lambda: not queued.status()["queued_requests"])

    def sent(self) -> bytes:
        return b"".join(one.body for one in self.hop.taken)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_all_goes_on_in_order(bench: Bench) -> None:
    async with bench.up() as queued:
        for number in range(10):
            assert await queued.pass_on(parcel(f"{number};")) is None
        await bench.empty(queued)
        assert queued.status() == {
            "answer": "store",
            "up": True,
            "sent": 10,
            "rejected": 0,
            "failed": 0,
            "retries": 0,
            "queued_requests": 0,
            "queued": 0,
            "queued_bytes": 0,
        }
    assert bench.sent() == b"0;1;2;3;4;5;6;7;8;9;"
    assert bench.hop.closed


async def test_while_the_hop_is_away_senders_are_answered_and_nothing_is_lost(bench: Bench) -> None:
    async with bench.up(*[AWAY] * 20) as queued:
        await asyncio.gather(*(queued.pass_on(parcel(f"{number};")) for number in range(5)))
        await bench.empty(queued)
        assert queued.tally.retries == 20
    assert bench.sent() == b"0;1;2;3;4;"


async def test_what_waits_at_the_end_goes_first_at_the_next_start(bench: Bench) -> None:
    async with bench.up(AWAY, backoff=Backoff(60, 60)) as queued:
        await queued.pass_on(parcel("a;", 3))
        await queued.pass_on(parcel("log;"))
        assert queued.status()["queued"] == 4
    assert bench.hop.taken == []
    async with bench.up() as queued:
        await queued.pass_on(parcel("b;"))
        await bench.empty(queued)
    assert bench.sent() == b"a;log;b;"
    assert [one.kind for one in bench.hop.taken] == ["traces", "logs", "traces"]


async def test_requests_that_wait_go_together(bench: Bench) -> None:
    """One message written behind another is both: protobuf's own rule for repeated fields."""
    async with bench.up(AWAY, backoff=Backoff(0.2, 0.2)) as queued:
        await asyncio.gather(*(queued.pass_on(parcel(f"{number};", 2)) for number in range(5)))
        await bench.empty(queued)
    assert [(one.body, one.items) for one in bench.hop.taken][-1][0].endswith(b"3;4;")
    assert len(bench.hop.taken) < 3


async def test_one_that_is_refused_for_good_does_not_take_its_neighbours_along(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    refused = TooLarge("the next hop refused the request for good (413): what a customer said")
    async with bench.up(AWAY, refused, None, refused, None, backoff=Backoff(0.2, 0.2)) as queued:
        await asyncio.gather(*(queued.pass_on(parcel(text, 2)) for text in ("a;", "b;", "c;")))
        await bench.empty(queued)
        assert (queued.tally.sent, queued.tally.failed) == (4, 2)
    assert bench.sent() == b"a;c;"
    assert "(413), of 2 spans; they are in the record here" in caplog.text
    assert "customer" not in caplog.text, "the hop's own words may quote what it was sent"


async def test_what_the_hop_rejects_is_counted_and_told_in_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench.up(Problem(2, "the next hop: what a customer said")) as queued:
        await queued.pass_on(parcel("a", 5))
        await bench.empty(queued)
        assert (queued.tally.sent, queued.tally.rejected) == (3, 2)
    assert "the next hop rejected 2 of 5 spans" in caplog.text
    assert "customer" not in caplog.text


async def test_a_warning_of_the_hop_rejects_nothing(bench: Bench) -> None:
    async with bench.up(Problem(0, "deprecated")) as queued:
        await queued.pass_on(parcel("a", 5))
        await bench.empty(queued)
        assert (queued.tally.sent, queued.tally.rejected) == (5, 0)


async def test_a_fault_of_ours_ends_nothing(bench: Bench) -> None:
    async with bench.up(ZeroDivisionError(), None) as queued:
        await queued.pass_on(parcel("a"))
        await bench.empty(queued)
    assert bench.sent() == b"a"


async def test_a_full_queue_sends_senders_away_before_anything_is_stored(bench: Bench) -> None:
    bench.max_bytes = 10
    async with bench.up(AWAY, backoff=Backoff(60, 60)) as queued:
        await queued.pass_on(parcel("x" * 9))
        queued.check()
        await busy(queued.pass_on(parcel("yy")))
        await queued.pass_on(parcel("z"))
        with pytest.raises(Busy, match="full"):
            queued.check()


async def test_the_time_that_the_hop_asks_for_is_kept(bench: Bench) -> None:
    """An hour asked for is an hour waited: stopping does not wait for it."""
    async with bench.up(Throttled("wait", retry_after_s=3600.0)) as queued:
        await queued.pass_on(parcel("a"))
        await reached(lambda: queued.tally.retries > 0)
        assert queued.status()["up"] is False
        await queued.pass_on(parcel("b"))
    assert bench.hop.taken == []


async def test_the_log_tells_when_the_hop_goes_and_when_it_is_back(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with bench.up(*[AWAY] * 4) as queued:
        await queued.pass_on(parcel("a"))
        await bench.empty(queued)
    told = [entry.getMessage() for entry in caplog.records if entry.name.startswith("spanwitness")]
    assert told == ["away; it stays in the queue", "the next hop takes data again; 0 requests wait"]


async def test_after_the_end_nothing_is_taken(bench: Bench) -> None:
    async with bench.up() as queued:
        pass
    await busy(queued.pass_on(parcel("a")))


async def test_a_disk_that_refuses_is_told_to_each_sender(bench: Bench) -> None:
    async with bench.up(AWAY, backoff=Backoff(60, 60)) as queued:
        queue: Any = queued._queue  # noqa: SLF001 - stands for a disk that is full
        await queued.pass_on(parcel("a"))
        queue._db.execute("PRAGMA query_only = 1")  # noqa: SLF001 - the same
        assert [type(await busy(queued.pass_on(parcel("b")))) for _ in range(2)] == [Busy, Busy]
        queue._db.execute("PRAGMA query_only = 0")  # noqa: SLF001 - the same
        assert await queued.pass_on(parcel("c")) is None


def test_waits_double_up_to_the_most() -> None:
    backoff = Backoff(0.5, 30)
    assert [backoff.after(failures) for failures in (1, 2, 3, 7, 8, 5000)] == [0.5, 1, 2, 30, 30, 30]
