"""What the drift detector costs, on invented conversations: time to fit and per update, processor time, and its state.

    python -m tests.bench.drift_cost [--reference 200] [--updates 300]

Exit status 1 where an update takes 5 ms or more, or a fit 2 s or more, of one core.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Final

# One core is what is measured; and run as a plain script, Python looks for modules beside this file only.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from spanwitness.drift import DriftDetector
from tests.drift.talk import PLAIN, many

_FIT_S: Final = 2.0
_UPDATE_MS: Final = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=int, default=200)
    parser.add_argument("--updates", type=int, default=300)
    options = parser.parse_args()
    reference, live = many(PLAIN, options.reference, 1), many(PLAIN, options.updates, 2)
    begin = time.process_time()
    detector = DriftDetector.fit(reference)
    fit_s = time.process_time() - begin
    took = []
    for one in live:
        begin = time.process_time()
        detector.update(one)
        took.append(1000 * (time.process_time() - begin))
    # With all windows in use, an update costs most.
    full = took[200:] or took
    begin = time.process_time()
    state = detector.to_bytes()
    DriftDetector.from_bytes(state)
    store_ms = 1000 * (time.process_time() - begin)
    median = statistics.median(full)
    messages = statistics.mean(len(one["messages"]) for one in live)
    sys.stdout.write(
        f"fit of {len(reference)} conversations: {fit_s:.2f} s\n"
        f"update, {messages:.0f} messages: median {median:.2f} ms, 99 % {sorted(full)[int(0.99 * len(full))]:.2f} ms\n"
        f"state: {len(state) / 1e3:.0f} kB, written and read again in {store_ms:.0f} ms\n"
        f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
    )
    return int(median >= _UPDATE_MS or fit_s >= _FIT_S)


if __name__ == "__main__":
    raise SystemExit(main())
