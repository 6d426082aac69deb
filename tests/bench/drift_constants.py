"""How much two constants of the drift detector matter: the sizes of shift averaged over, the bound on a conversation.

    python tests/bench/drift_constants.py FOLDER [--source tau-retail] [--rounds 2] [--hide-usage]

Each run of the folder against each of another model, as `drift_pairs` draws them, under each choice: the delay until
the first accusation, and the greatest odds for another model in quiet time. Meant for sources whose licence lets what
is learnt from them be used.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from spanwitness.drift import DriftDetector, evidence, reference
from tests.bench.drift_pairs import Conversation, read

_CHOICES: Final[tuple[tuple[str, tuple[float, ...], float], ...]] = (
    ("as it is", (0.05, 0.15, 0.4, 1.0), 0.9),
    ("powers of e", (0.0498, 0.1353, 0.3679, 1.0), 0.9),
    ("large shifts alone", (0.4, 1.0), 0.9),
    ("small shifts alone", (0.05, 0.15), 0.9),
    ("bound at three quarters", (0.05, 0.15, 0.4, 1.0), 0.75),
    ("bound at the oddest of all", (0.05, 0.15, 0.4, 1.0), 1.0),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", default="tau-retail")
    parser.add_argument("--rounds", type=int, default=2, help="draws for each pair")
    parser.add_argument("--reference", type=int, default=80)
    parser.add_argument("--hide-usage", action="store_true")
    options = parser.parse_args()
    runs = read(options.folder, options.source, hide_usage=options.hide_usage)
    sys.stdout.write(" ".join(["python", *sys.argv]) + "\n")
    for name, shifts, bound in _CHOICES:
        setattr(evidence, "SHIFTS", shifts)  # noqa: B010 - constants, but for this script
        setattr(reference, "_CAP_AT", bound)  # noqa: B010 - the same
        dice = random.Random(0)  # noqa: S311 - a draw that can be repeated
        delays: list[int] = []
        odds: list[float] = []
        for before, mine in runs.items():
            for after in (other for run, other in runs.items() if run[0].rstrip("?") != before[0].rstrip("?")):
                for _ in range(options.rounds):
                    drawn = dice.sample(mine, len(mine))
                    detector = DriftDetector.fit(drawn[: options.reference])
                    odds.append(greatest(detector, drawn[options.reference :]))
                    delays.append(delay(detector, dice.sample(after, min(60, len(after)))))
        sys.stdout.write(
            f"{name} {shifts}, {bound}: delay median {statistics.median(delays)}, greatest {max(delays)}; "
            f"greatest odds in quiet time 10^{max(odds):.1f}, of {len(odds)} draws\n"
        )
    return 0


def greatest(detector: DriftDetector, quiet: list[Conversation]) -> float:
    """The greatest odds for another model, as a power of ten, while nothing changes."""
    return max(detector.update(one).evidence.get("model", 0.0) for one in quiet)


def delay(detector: DriftDetector, after: list[Conversation]) -> int:
    """Conversations until another model is told; one more than there are where it is not."""
    for number, one in enumerate(after, 1):
        if detector.update(one).cause == "model":
            return number
    return len(after) + 1


if __name__ == "__main__":
    raise SystemExit(main())
