"""What the ledger of swaps costs, and whether it is right: 200 slots, 100,000 conversations.

    python -m tests.bench.fleet [--weather rough]

The fleet is that of tests/pipeline/test_fleet.py: canaries, routers, fallbacks, outages, silent and declared swaps.
What each conversation used is inserted into a store on disk as the review inserts it, 1,000 conversations a sweep; then
the ledger of the slots that were touched is brought up to date, and that alone is timed. In rough weather conversations
come shuffled, late, in parts, twice and over restarts. Exit status 1 where the ledger is not exactly the expected one.

On a busy machine with two cores: 0.6 ms of processor time a conversation; an update of about 50 slots takes 101 ms of
processor time in the first tenth and 129 ms in the last, when each slot has 500 conversations; 180 MB beside the fleet
itself; the ledger is exactly the expected one, 221 lines.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

# Run as a plain script, Python looks for modules beside this file only.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from spanwitness.store import open_store
from tests.bench.process import memory_bytes
from tests.pipeline.fleet import CALM, ROUGH
from tests.pipeline.fleet_cast import fleet
from tests.pipeline.fleet_feed import Feed, told, wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.store import Store
    from tests.pipeline.fleet import Arrival, Fleet

_WEATHER: Final = {"calm": CALM, "rough": ROUGH}


class Timed(Feed):
    """A feed that tells how long the ledger's updates took."""

    def __init__(self, store: Store, played: Fleet) -> None:
        super().__init__(store, played)
        self.took: list[Took] = []

    def update(self, tenant: str, group: Sequence[Arrival]) -> None:
        passed, used = time.perf_counter(), time.process_time()
        super().update(tenant, group)
        self.took.append(Took(len(group), time.perf_counter() - passed, time.process_time() - used))


class Took(NamedTuple):
    """An update: of how many conversations, and in how many seconds passed and of processor time."""

    conversations: int
    passed: float
    used: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, default=200)
    parser.add_argument("--talks", type=int, default=500, help="conversations of each slot (default: %(default)s)")
    parser.add_argument(
        "--sweep", type=int, default=1000, help="conversations that close together (default: %(default)s)"
    )
    parser.add_argument("--weather", choices=_WEATHER, default="calm", help="how they arrive (default: %(default)s)")
    options = parser.parse_args()
    played = fleet(1, options.slots, options.talks)
    with tempfile.TemporaryDirectory(prefix="spanwitness-fleet-") as folder:
        store = open_store(f"chdb://{folder}/store")
        feed = Timed(store, played)
        before = memory_bytes(os.getpid())[0]
        feed.come(1, replace(_WEATHER[options.weather], sweep=options.sweep, least=options.sweep))
        memory, meaning = memory_bytes(os.getpid())
        lines = told(store)
        store.close()
    found = wrong(lines, played)
    tenth = max(1, len(feed.took) // 10)
    first, last = (_per(feed.took[part]) for part in (slice(tenth), slice(-tenth, None)))
    total = Took(*map(sum, zip(*feed.took, strict=True)))
    sys.stdout.write(
        f"{len(played.stories)} slots, {len(played.talks):,} conversations in {len(feed.took):,} updates, "
        f"{options.weather} weather\n"
        f"a conversation: {1e6 * total.passed / total.conversations:.0f} us, "
        f"{1e6 * total.used / total.conversations:.0f} us of processor time\n"
        f"an update: {first:.0f} ms of processor time in the first tenth, {last:.0f} ms in the last, "
        f"{last / first:.2f} times as much\n"
        f"memory: {memory / 1e6:.0f} MB ({meaning}), {before / 1e6:.0f} MB with the fleet alone\n"
        f"ledger: {len(lines)} lines, {'NOT the expected ones:' if found else 'exactly the expected ones'}\n"
    )
    sys.stdout.writelines(f"{line}\n" for line in found)
    return int(bool(found))


def _per(took: Sequence[Took]) -> float:
    """Milliseconds of processor time, the median: what else the machine does is no part of it."""
    return 1000 * statistics.median(one.used for one in took)


if __name__ == "__main__":
    sys.exit(main())
