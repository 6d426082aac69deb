"""Values in memory: counted, set, replaced, spread over buckets."""

from __future__ import annotations

import threading

from spanwitness.metrics import Meters, names
from spanwitness.metrics.meters import LONGEST, cut


def test_counts_add_up_by_labels() -> None:
    meters = Meters()
    meters.add(names.ACCEPTED, "traces", by=3)
    meters.add(names.ACCEPTED, "traces")
    meters.add(names.ACCEPTED, "logs", by=0)
    assert meters.values(names.ACCEPTED) == {("traces",): 4.0, ("logs",): 0.0}


def test_what_is_replaced_is_gone_and_what_is_put_stays() -> None:
    meters = Meters()
    meters.replace(names.SWAP_SHARE, {("acme", "a"): 1.0, ("acme", "b"): 0.5})
    meters.replace(names.SWAP_SHARE, {("acme", "b"): 0.25})
    meters.put(names.SLOTS, 7)
    assert meters.values(names.SWAP_SHARE) == {("acme", "b"): 0.25}
    assert meters.values(names.SLOTS) == {(): 7.0}


def test_a_value_on_a_bound_belongs_to_the_bucket_below_it() -> None:
    meters = Meters()
    for value in (1, 10, 11, 10_001):
        meters.observe(names.BATCH_ITEMS, value, "traces")
    assert meters.spreads(names.BATCH_ITEMS) == {("traces",): [2, 1, 0, 0, 1, 10_023]}


def test_nothing_is_told_of_what_never_was() -> None:
    meters = Meters()
    assert meters.values(names.CLOSED) == {}
    assert meters.spreads(names.SCORE) == {}


def test_no_count_is_lost_between_threads() -> None:
    meters = Meters()

    def count() -> None:
        for _ in range(5_000):
            meters.add(names.REVISED)
            meters.observe(names.SWEEP_SECONDS, 1.0)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meters.values(names.REVISED) == {(): 20_000.0}
    assert sum(meters.spreads(names.SWEEP_SECONDS)[()][:-1]) == 20_000


def test_a_label_is_cut_at_200_characters() -> None:
    assert cut("x" * LONGEST) == "x" * 200
    assert cut("x" * 201) == "x" * 199 + "…"
