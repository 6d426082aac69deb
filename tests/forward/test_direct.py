"""Answered when the next hop took it: what its answers make of a sender's, and when it is left alone."""

from __future__ import annotations

import pytest

from spanwitness.columns import Problem
from spanwitness.errors import Busy, Rejected
from spanwitness.forward import Parcel, Throttled
from spanwitness.forward.direct import Direct
from tests.forward.conftest import MemoryHop, busy

PARCEL = Parcel("traces", b"body", 5)
AWAY = Busy("away")


class Bench:
    """A `Direct` with a clock that is set by hand."""

    def __init__(self, *answers: Problem | Exception | None) -> None:
        self.hop = MemoryHop(list(answers))
        self.now = 100.0
        self.direct = Direct(lambda: self.hop, lambda: self.now)

    async def fail(self) -> Busy:
        return await busy(self.direct.pass_on(PARCEL))

    def shut_for(self) -> float:
        """Seconds for which requests are refused at the door, 0.0 when they are not."""
        try:
            self.direct.check()
        except Busy as told:
            return told.retry_after_s
        return 0.0


async def started(*answers: Problem | Exception | None) -> Bench:
    bench = Bench(*answers)
    await bench.direct.start()
    return bench


async def test_what_is_taken_is_counted_and_needs_no_words() -> None:
    bench = await started()
    assert await bench.direct.pass_on(PARCEL) is None
    assert bench.hop.taken == [PARCEL]
    assert bench.direct.status() == {
        "answer": "both",
        "up": True,
        "sent": 5,
        "rejected": 0,
        "failed": 0,
        "retries": 0,
    }


async def test_what_the_hop_rejects_is_passed_on_to_the_sender() -> None:
    bench = await started(Problem(2, "the next hop: too old"), Problem(0, "the next hop: deprecated"))
    assert await bench.direct.pass_on(PARCEL) == Problem(2, "the next hop: too old")
    assert await bench.direct.pass_on(PARCEL) == Problem(0, "the next hop: deprecated")
    assert (bench.direct.tally.sent, bench.direct.tally.rejected) == (8, 2)


async def test_a_hop_that_counts_more_than_it_got_is_not_believed() -> None:
    bench = await started(Problem(7, "all"))
    await bench.direct.pass_on(PARCEL)
    assert (bench.direct.tally.sent, bench.direct.tally.rejected) == (0, 5)


async def test_a_refusal_for_good_is_told_and_not_retried(caplog: pytest.LogCaptureFixture) -> None:
    """An error would tell the sender to drop what it had not got rid of, or to come back for ever."""
    bench = await started(Rejected("the next hop refused the request for good (400): bad"))
    told = await bench.direct.pass_on(PARCEL)
    assert told is not None
    assert (told.rejected, told.fatal) == (5, False)
    assert told.reason.startswith("in the record of SpanWitness, but the next hop refused")
    assert bench.direct.tally.failed == 5
    assert bench.shut_for() == 0
    logged = "the next hop refused the request for good (400), of 5 spans; they are in the record here"
    assert [record.getMessage() for record in caplog.records] == [logged], "not what the hop wrote"


async def test_the_time_that_the_hop_asks_for_reaches_the_sender_and_the_door() -> None:
    bench = await started(Throttled("wait", retry_after_s=30.0))
    assert (await bench.fail()).retry_after_s == 30.0
    assert bench.shut_for() == 30.0
    bench.now += 29
    assert bench.shut_for() == 1.0
    bench.now += 1
    assert bench.shut_for() == 0


async def test_a_hop_that_is_away_is_asked_less_and_less_often_but_every_five_seconds() -> None:
    bench = await started(*[AWAY] * 6)
    waits = []
    for _ in range(6):
        await bench.fail()
        waits.append(bench.shut_for())
        bench.now += waits[-1]
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert bench.direct.status()["up"] is False


async def test_requests_that_fail_together_count_as_one_failure() -> None:
    bench = await started(*[AWAY] * 10)
    for _ in range(10):
        await bench.fail()
    assert bench.shut_for() == 1.0
    assert bench.direct.tally.retries == 10


async def test_a_hop_that_is_back_is_used_at_once() -> None:
    bench = await started(AWAY, None)
    await bench.fail()
    assert bench.shut_for() > 0
    assert await bench.direct.pass_on(PARCEL) is None
    assert bench.shut_for() == 0
    assert bench.direct.status()["up"] is True


async def test_before_the_start_nothing_is_taken() -> None:
    bench = Bench()
    await busy(bench.direct.pass_on(PARCEL))


async def test_the_connection_is_closed_at_the_end() -> None:
    bench = await started()
    await bench.direct.stop()
    assert bench.hop.closed


async def test_what_is_no_answer_of_a_hop_is_not_hidden() -> None:
    bench = await started(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await bench.direct.pass_on(PARCEL)
