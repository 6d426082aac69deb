from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from spanwitness.sdk.steps import StepCounter


def test_it_counts_from_1_by_conversation() -> None:
    counter = StepCounter()
    assert [counter.take("a", 1), counter.take("b", 2), counter.take("a", 3)] == [1, 1, 2]


def test_equal_times_are_counted() -> None:
    counter = StepCounter()
    assert [counter.take("a", 5), counter.take("a", 5)] == [1, 2]


def test_a_step_that_began_before_one_that_is_counted_gets_none() -> None:
    counter = StepCounter()
    assert [counter.take("a", 5), counter.take("a", 4), counter.take("a", 6)] == [1, 0, 2]


def test_the_conversation_that_was_silent_longest_is_forgotten() -> None:
    counter = StepCounter(conversations=2)
    for name in ("a", "b", "a", "c"):
        counter.take(name, 1)
    assert [counter.take("a", 1), counter.take("c", 1), counter.take("b", 1)] == [3, 2, 1]


def test_threads_get_no_number_twice() -> None:
    counter = StepCounter()
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: counter.take("a", 1), range(4000)))
    assert sorted(numbers) == list(range(1, 4001))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_goes_on_though_it_was_forked_while_the_lock_was_held() -> None:
    counter = StepCounter()
    counter.take("a", 1)
    with counter._lock:  # noqa: SLF001 - what another thread would hold
        child = os.fork()
        if not child:
            os._exit(counter.take("a", 2))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
