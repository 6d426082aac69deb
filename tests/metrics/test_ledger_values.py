"""What stands in the ledger as series: the worst and newest first, never more than the bound, the rest counted."""

from __future__ import annotations

import datetime as dt

from spanwitness.metrics import Meters, names
from spanwitness.metrics.ledger import SlotNow, Standing, tell_slots, tell_swaps
from spanwitness.model import Slot, Swap
from spanwitness.testing import EPOCH

BEFORE, AFTER = "openai/gpt-4o-2024-08-06", "openai/gpt-4o-mini-2024-07-18"
FOUND = EPOCH + dt.timedelta(minutes=16)


def swap(agent: str = "triage", *, to_version: str = AFTER) -> Swap:
    return Swap(
        slot=Slot("acme", "claims", agent, "llm"),
        swap_class="version",
        from_version=BEFORE,
        to_version=to_version,
        occurrence=1,
        first_seen=EPOCH,
        first_seen_ns=int(EPOCH.timestamp()) * 10**9,
        first_trace="ace",
        first_conversation="conv-3",
        before=2,
        after=5,
        severity="page",
        evidence={},
        share_now=0.75,
        traffic="part",
    )


def slots(count: int, versions: int) -> list[SlotNow]:
    shares = {f"openai/{number}": 1 / versions for number in range(versions)}
    return [
        SlotNow(Slot("acme", f"service-{number}", "triage", "llm"), EPOCH - dt.timedelta(number), shares, 0.5)
        for number in range(count)
    ]


def test_a_standing_swap_tells_who_from_to_since_when_and_how_much() -> None:
    meters, told = Meters(), swap()
    tell_swaps(meters, [Standing(told, declared=False, detected=FOUND)], 1)
    standing = ("acme", "claims", "triage", "llm", "version", "page", "false", told.id, BEFORE, AFTER)
    assert meters.values(names.STANDING) == {standing: 1.0}
    assert meters.values(names.SWAP_INFO) == {("acme", told.id, "ace", "conv-3", "part", "", ""): 1.0}
    assert meters.values(names.SWAP_FIRST_SEEN) == {("acme", told.id): EPOCH.timestamp()}
    assert meters.values(names.SWAP_DETECTED) == {("acme", told.id): FOUND.timestamp()}
    assert meters.values(names.SWAP_CONVERSATIONS) == {("acme", told.id): 5.0}
    assert meters.values(names.SWAP_SHARE) == {("acme", told.id): 0.75}
    assert meters.values(names.DROPPED) == {("spanwitness_swap_standing",): 0.0}


def test_a_swap_that_ended_vanishes() -> None:
    meters = Meters()
    tell_swaps(
        meters,
        [Standing(swap("a"), declared=False, detected=FOUND), Standing(swap("b"), declared=True, detected=FOUND)],
        2,
    )
    tell_swaps(meters, [Standing(swap("b"), declared=True, detected=FOUND)], 1)
    for metric in (names.STANDING, names.SWAP_INFO, names.SWAP_FIRST_SEEN, names.SWAP_CONVERSATIONS, names.SWAP_SHARE):
        assert len(meters.values(metric)) == 1
    assert next(iter(meters.values(names.STANDING)))[6] == "true"


def test_what_the_bound_leaves_out_is_counted() -> None:
    meters = Meters()
    tell_swaps(meters, [Standing(swap(), declared=False, detected=FOUND)], 1_201)
    assert meters.values(names.DROPPED) == {("spanwitness_swap_standing",): 1_200.0}


def test_ten_thousand_slots_make_no_more_series_than_the_bound() -> None:
    meters = Meters()
    tell_slots(meters, slots(2_000, 3), 10_000, 2_000)
    shares, verified = meters.values(names.VERSION_SHARE), meters.values(names.VERIFIED_SHARE)
    assert len(shares) == 666 * 3  # slots are told whole
    assert len(verified) == 2_000
    assert meters.values(names.SLOTS) == {(): 10_000.0}
    dropped = meters.values(names.DROPPED)
    assert dropped["spanwitness_version_share",] == (2_000 - 666) * 3 + 8_000
    assert dropped["spanwitness_slot_verified_share",] == 8_000
    assert ("acme", "service-0", "triage", "llm", "openai/0") in shares  # the newest


def test_long_names_are_cut_and_versions_that_are_alike_then_are_told_together() -> None:
    meters = Meters()
    long = "m" * 300
    now = SlotNow(Slot("acme", "s" * 300, "triage", "llm"), EPOCH, {f"{long}1": 0.5, f"{long}2": 0.25}, 1.0)
    tell_slots(meters, [now], 1, 10)
    tell_swaps(meters, [Standing(swap(to_version=long), declared=False, detected=FOUND)], 1)
    assert meters.values(names.VERSION_SHARE) == {
        ("acme", "s" * 199 + "…", "triage", "llm", "m" * 199 + "…"): 0.75,
    }
    assert next(iter(meters.values(names.STANDING)))[9] == "m" * 199 + "…"
