"""A judging lane that always ends, and to which one answer happens once, whatever the store or a budget does."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING

import pytest

from spanwitness.errors import StoreError
from spanwitness.metrics import Meters, names
from spanwitness.pipeline.judge_rules import JudgeRules
from spanwitness.pipeline.judging import Drained, Judging
from spanwitness.store import judging
from spanwitness.store.judging import Task
from spanwitness.testing import chat, trace_request
from tests.pipeline.judges import MODEL, QUESTIONS, Bench, failure
from tests.pipeline.test_review import FailingStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from spanwitness.model import Slot
    from tests.conftest import Lanes

MANY = 30
"""Turns: more than any of these takes."""


def talk(number: int, identity: str) -> bytes:
    return trace_request([chat(number, 1, number * 10.0, identity)])


@pytest.fixture
def bench(lanes: Lanes) -> Bench:
    return Bench(lanes)


def test_what_is_written_only_later_is_counted_and_told_once(lanes: Lanes, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(lanes)
    bench.judge.answers = [failure("unreachable")]
    bench.close(talk(1, "c"))
    meters = Meters()
    failing = FailingStore(lanes.store, 2, applied=False)
    lane = Judging(failing, bench.judge, bench.rules, lanes.clock, bench.touched.update, meters, QUESTIONS)
    with pytest.raises(StoreError):
        lane.turn(5.0)
    lanes.clock.advance(seconds=4)
    lane.turn(5.0)
    assert (bench.calls(), bench.tasks("State, Attempts")) == (["unreachable"], [("waiting", 1)])
    assert meters.values(names.JUDGE_CALLS) == {(MODEL, "unreachable"): 1.0}
    assert [record.levelname for record in caplog.records if "judge of" in record.message] == ["WARNING"]
    lanes.clock.advance(seconds=1)
    lane.turn(5.0)
    assert bench.calls() == ["unreachable", "answered"], "one outage: 5 s from when it was seen"


def test_a_fault_in_what_was_answered_does_not_stand_in_the_way_of_the_rest(lanes: Lanes) -> None:
    def touched(_slots: dict[Slot, int]) -> None:
        raise ValueError("a fault of ours")

    bench = Bench(lanes)
    bench.close(talk(1, "c"), talk(2, "d"))
    lane = Judging(lanes.store, bench.judge, bench.rules, lanes.clock, touched, questions=QUESTIONS)
    for _ in range(2):
        with pytest.raises(ValueError, match="of ours"):
            lane.turn(5.0)
    assert len(bench.judge.asked) == 2
    assert bench.calls() == ["answered"] * 2


def drained(bench: Bench, seconds: float = 30.0, told: Callable[[], None] = lambda: None) -> Drained:
    """What a drain that ends by itself comes to. So many seconds pass each time that the time is asked for."""
    turns = 0

    def progress(_done: int, _all: int) -> None:
        nonlocal turns
        turns += 1
        told()
        if turns >= MANY:
            lane.hurry()

    store, clock = bench.lanes.store, bench.lanes.clock
    lane = Judging(
        store,
        bench.judge,
        bench.rules,
        lambda: clock.advance(seconds=seconds),
        bench.touched.update,
        questions=bench.questions,
    )
    found = lane.drain(progress)
    assert turns < MANY, "no end of turns"
    return found


def test_what_nobody_can_be_asked_is_given_up_whatever_is_spent(lanes: Lanes) -> None:
    bench = Bench(lanes, JudgeRules(concurrency=1, budget=0.001, cache=dt.timedelta()))
    bench.close(talk(1, "c"), talk(2, "d"))
    bench.judging.turn(5.0)
    bench.questions = {}
    bench.restart()
    assert drained(bench) == Drained(judged=0, given_up=1, left=0)


def test_drain_leaves_what_more_has_come_of(bench: Bench) -> None:
    bench.close(talk(1, "c"), talk(2, "d"))
    bench.lanes.ingest([trace_request([chat(1, 2, 12.0, "c")])])
    bench.lanes.ingestion.flush()
    assert drained(bench) == Drained(judged=1, given_up=0, left=1)


def test_drain_leaves_what_is_about_a_revision_that_never_came(bench: Bench) -> None:
    bench.close(talk(1, "c"))
    now = bench.lanes.clock()
    judging.insert_tasks(bench.lanes.store, [Task("acme", "c", 9, "TaskCompletion", MODEL, 1.0, now, now)], now)
    assert drained(bench) == Drained(judged=1, given_up=0, left=1)


def test_drain_waits_for_an_answer_that_takes_long(bench: Bench) -> None:
    gate = bench.judge.gate = threading.Event()
    bench.close(talk(1, "c"))
    assert drained(bench, told=gate.set) == Drained(judged=1, given_up=0, left=0)
