"""All captures in one record: each swap that can be seen is told at its conversation, and nothing else is told."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import pytest

from spanwitness.evaluators import Bundle
from spanwitness.pipeline import ReviewRules
from spanwitness.receive import Signal
from spanwitness.testing import span_by_span
from tests.conftest import Lanes, requests_of
from tests.pipeline.golden import NAMES, Line, known

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spanwitness.store import Store

    Told = tuple[str, str, str, str, int, str]
    Sent = tuple[str, Signal, bytes]

LINES: dict[str, list[Line]] = defaultdict(list)
for _line in known():
    LINES[_line.capture].append(_line)


def told_by(name: str) -> Iterator[Told]:
    """What the ledger must say of a capture, from the table of what its conversations tell.

    All of them played one swap. Where both names of the later model show, it is also not the one that was asked for.
    """
    seen = [(version, line) for line in LINES[name] for version in line.versions.split() if not version.endswith("?")]
    for (before, _), (after, line) in pairwise(seen):
        if before != after:
            yield name, "version", before, after, 1, line.conversation
            asked = line.requested.split()[-1]  # after one that was refused, where there was one
            if asked not in {"-", line.served}:
                yield name, "mismatch", asked.rpartition("/")[2], after, 1, line.conversation


EXPECTED = sorted(entry for name in NAMES for entry in told_by(name))


def ledger(lanes: Lanes) -> list[Told]:
    """What stands in it. Of what was asked for the model alone: LiveKit takes the server's address for the provider."""
    rows = lanes.rows("SELECT * FROM model_swaps FINAL WHERE Withdrawn = 0")
    return sorted(
        (
            row["TenantId"],
            row["Class"],
            row["FromVersion"].rpartition("/")[2] if row["Class"] == "mismatch" else row["FromVersion"],
            row["ToVersion"],
            row["Occurrence"],
            row["FirstConversationId"],
        )
        for row in rows
    )


@pytest.fixture
def unjudged(store: Store) -> Lanes:
    """Lanes that score nothing. Each capture is sent by a tenant of its own, since many have the same conversations."""
    return Lanes(store, review_rules=ReviewRules(bundle=Bundle((), {})))


def sent(lanes: Lanes, requests: Sequence[Sent]) -> None:
    for signal, group in groupby(sorted(requests, key=lambda one: one[1].name), key=lambda one: one[1]):
        tenants, _, bodies = zip(*group, strict=True)
        assert lanes.ingest(bodies, signal, tenants) == {}


def test_the_table_holds_a_swap_of_most_captures() -> None:
    """So that the tests below cannot pass for want of anything to find."""
    changed = [name for name, swap_class, *_ in EXPECTED if swap_class == "version"]
    assert len(changed) == len(set(changed)) > 50
    assert sum(swap_class == "mismatch" for _, swap_class, *_ in EXPECTED) > 45


def test_imported_together(unjudged: Lanes) -> None:
    sent(unjudged, [(name, signal, body) for name in NAMES for signal, body in requests_of(name)])
    unjudged.close_everything()
    assert ledger(unjudged) == EXPECTED


def test_live_span_by_span_in_any_order_and_closed_too_early(unjudged: Lanes) -> None:
    """Most conversations are closed and told of with half of their spans, and then again with all."""
    chance = random.Random(4)  # noqa: S311 - a shuffle
    spans = [
        (name, signal, part)
        for name in NAMES
        for signal, body in requests_of(name)
        for part in (span_by_span(body) if signal is Signal.TRACES else [body])
    ]
    chance.shuffle(spans)
    half = len(spans) // 2
    for part in (spans[:half], [*spans[half:], *chance.sample(spans, 200)]):
        sent(unjudged, part)
        unjudged.close_everything()
    assert ledger(unjudged) == EXPECTED
