"""What scoring costs: one conversation with all evaluators, and thousands that close at once, through the real path.

    python -m tests.bench.scoring [--conversations 10000] [--each 40]

Part one takes conversations of 40 steps through both lanes into an embedded store, and asks every evaluator for each of
them as the review lane sees it: processor time of one core, the median over the conversations. Part two has them close
in one sweep, in processes of their own: a tenth of them, then all, then all without any evaluator. What memory grows by
with their number is the engine's (parts, merges, caches), as the last shows. Exit status 1 where a conversation takes
20 ms or more, where the store does not hold exactly the scores that were given, where ten times as many conversations
take more than twice the memory, or where evaluators add more than a fifth to it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

# One core is what is measured; and run as a plain script, Python looks for modules beside this file only.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from spanwitness.config import Config, parse
from spanwitness.evaluators import BUNDLE, Bundle
from spanwitness.model import Conversation, Score
from spanwitness.pipeline import Ingestion, IngestRules, Review, ReviewRules
from spanwitness.pipeline.bundles import configured_by
from spanwitness.receive import Signal
from spanwitness.store import open_store
from spanwitness.testing import ManualClock, trace_request
from tests.bench.desk import RULES, STEPS_A_TURN, conversation
from tests.bench.process import memory_bytes

if TYPE_CHECKING:
    from spanwitness.store import Store

_ROOT: Final = Path(__file__).resolve().parents[2]
_GOAL_MS: Final = 20.0
_GROWTH: Final = 2.0
_ADDED: Final = 1.2
_ROUNDS: Final = 3
_A_REQUEST: Final = 25
_MANY_TURNS: Final = 2


@dataclass(frozen=True)
class Keeps:
    """An evaluator that keeps what it is given, to ask the others for it later."""

    name: ClassVar[str] = "Keeps"
    version: ClassVar[str] = "1"
    kept: list[Conversation] = field(default_factory=list)

    def evaluate(self, conversation: Conversation) -> Score:
        self.kept.append(conversation)
        return Score(self.name, self.version, None, "kept", "not_applicable", "Kept.")


def ingest(store: Store, number: int, turns: int) -> None:
    """So many conversations, as requests of 25 each."""
    ingestion = Ingestion(store, IngestRules(), ManualClock())
    for first in range(0, number, _A_REQUEST):
        spans = [span for one in range(first, min(first + _A_REQUEST, number)) for span in conversation(one, turns)]
        work = ingestion.prepare([trace_request(spans)], [""], Signal.TRACES)
        ingestion.write(work.rows)
        if work.problems:
            raise SystemExit(f"scoring: a request was refused: {work.problems}")
    ingestion.flush()


def closed(store: Store, rules: ReviewRules) -> tuple[Any, float]:
    """One sweep over all; what it did, and in how many seconds."""
    now = ManualClock().advance(hours=1)
    begin = time.perf_counter()
    swept = Review(store, rules).sweep(now)
    return swept, time.perf_counter() - begin


def conversations(number: int) -> list[Conversation]:
    """Conversations of 40 steps as the review lane hands them to evaluators."""
    keeps = Keeps()
    with tempfile.TemporaryDirectory(prefix="spanwitness-scoring-") as folder:
        store = open_store(f"chdb://{folder}/store")
        ingest(store, number, 40 // STEPS_A_TURN)
        closed(store, ReviewRules(bundle=Bundle((keeps,), {}), watch=None))
        store.close()
    return keeps.kept


def each(bundle: Bundle, found: list[Conversation]) -> tuple[dict[str, float], dict[str, Counter[str]]]:
    """By evaluator the milliseconds of a conversation (the median), and how often it said what."""
    took: dict[str, list[float]] = {}
    said: dict[str, Counter[str]] = {}
    for turn in range(_ROUNDS + 1):  # the first warms up: patterns, tables of a library
        for one in found:
            for evaluator in bundle.evaluators:
                begin = time.thread_time()
                score = evaluator.evaluate(one)
                spent = 1000 * (time.thread_time() - begin)
                if turn:
                    took.setdefault(evaluator.name, []).append(spent)
                    said.setdefault(evaluator.name, Counter())[score.label] += 1
    return {name: statistics.median(times) for name, times in took.items()}, said


def part_one(config: Config, number: int) -> bool:
    """Tells what an evaluator takes; whether all together stay below the goal."""
    bundle = configured_by(config).bundle
    found = conversations(number)
    steps = Counter(len(one.steps) for one in found)
    size = statistics.median(sum(len(message.content) for message in one.messages) for one in found)
    took, said = each(bundle, found)
    sys.stdout.write(
        f"{len(found)} conversations of {'/'.join(map(str, steps))} steps, {len(found[0].messages)} messages, "
        f"{size / 1000:.0f} kB of text: ms of one core for each, the median\n"
    )
    for name, spent in sorted(took.items(), key=lambda item: -item[1]):
        labels = ", ".join(f"{label} {100 * n / said[name].total():.0f} %" for label, n in said[name].most_common(3))
        sys.stdout.write(f"  {name:<34}{spent:7.2f}   {labels}\n")
    total = sum(took.values())
    sys.stdout.write(f"  {'all':<34}{total:7.2f}   goal: below {_GOAL_MS:g}\n")
    return total < _GOAL_MS


def part_two(number: int) -> bool:
    """Tells what it takes to have them close at once; whether all were scored and memory is not that of scoring."""
    few, many, bare = _swept(max(1, number // 10), "all"), _swept(number, "all"), _swept(number, "none")
    for one, what in ((few, "all evaluators"), (many, "all evaluators"), (bare, "no evaluator")):
        sys.stdout.write(
            f"{one['closed']:,} conversations of {one['steps']} steps close at once, {what}: {one['seconds']:.0f} s, "
            f"{1000 * one['cpu'] / one['closed']:.1f} ms of processor time each; {one['scores']:,} scores; "
            f"memory {one['memory'] / 1e6:.0f} MB ({one['memory_is']}), {one['before'] / 1e6:.0f} MB before\n"
        )
    exact = all(one["scores"] == one["stored"] == one["closed"] * len(BUNDLE.evaluators) for one in (few, many))
    exact = exact and many["closed"] == bare["closed"] == number
    growth, added = many["memory"] / few["memory"], many["memory"] / bare["memory"]
    sys.stdout.write(
        f"memory with {many['closed']:,} against {few['closed']:,}: {growth:.2f} times as much, "
        f"goal: at most {_GROWTH:g}; with all evaluators against none: {added:.2f} times, goal: at most {_ADDED:g}\n"
        f"the store holds {'exactly' if exact else 'NOT exactly'} the scores given\n"
        f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
    )
    return exact and growth <= _GROWTH and added <= _ADDED


def _swept(number: int, evaluators: str) -> dict[str, Any]:
    """The store is filled by one process and swept by another, whose memory is then that of the review alone."""
    with tempfile.TemporaryDirectory(prefix="spanwitness-scoring-") as folder:
        told = b""
        for what in ("--fill", "--close"):
            command = [sys.executable, "-m", "tests.bench.scoring", what, folder, "--conversations", str(number)]
            command += ["--evaluators", evaluators]
            told = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=_ROOT).stdout  # noqa: S603 - ours
    found: dict[str, Any] = json.loads(told)
    return found


def fill(folder: str, number: int) -> None:
    store = open_store(f"chdb://{folder}/store")
    ingest(store, number, _MANY_TURNS)
    store.close()


def close(folder: str, evaluators: str) -> dict[str, Any]:
    store = open_store(f"chdb://{folder}/store")
    before, _ = memory_bytes(os.getpid())
    swept, took = closed(store, ReviewRules(bundle=BUNDLE if evaluators == "all" else Bundle((), {})))
    memory, meaning = memory_bytes(os.getpid())
    (row,) = store.rows("SELECT count() AS n FROM scores FINAL")
    store.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "closed": swept.closed,
        "steps": _MANY_TURNS * STEPS_A_TURN,
        "scores": swept.scores,
        "stored": row["n"],
        "seconds": took,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": memory,
        "memory_is": meaning,
        "before": before,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=10_000, help="that close at once (default: %(default)s)")
    parser.add_argument("--each", type=int, default=40, help="that evaluators are timed on (default: %(default)s)")
    parser.add_argument("--fill", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--evaluators", choices=("all", "none"), default="all", help=argparse.SUPPRESS)
    parser.add_argument("--close", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(options.fill, options.conversations)
        return 0
    if options.close:
        sys.stdout.write(json.dumps(close(options.close, options.evaluators)))
        return 0
    quick = part_one(parse(tomllib.loads(RULES)), options.each)
    bounded = part_two(options.conversations) if options.conversations else True
    return int(not (quick and bounded))


if __name__ == "__main__":
    raise SystemExit(main())
