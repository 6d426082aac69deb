"""The values, in memory: counted where things happen, replaced as a whole where the ledger is read."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.metrics.names import Metric

Labels = tuple[str, ...]
LONGEST: Final = 200
"""Characters of a label's value; what is longer is cut. It may come from a span."""


class Meters:
    """Values by metric and labels. Methods may be called from several threads, and never wait for more than another.

    A histogram's or a summary's value is a list: how many fell into each bucket, the last of them infinite, and their
    sum.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: dict[Metric, dict[Labels, float]] = defaultdict(dict)
        self._spreads: dict[Metric, dict[Labels, list[float]]] = defaultdict(dict)

    def add(self, metric: Metric, *labels: str, by: float = 1.0) -> None:
        """Counts."""
        with self._lock:
            values = self._values[metric]
            values[labels] = values.get(labels, 0.0) + by

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """Sets one value."""
        with self._lock:
            self._values[metric][labels] = value

    def replace(self, metric: Metric, values: Mapping[Labels, float]) -> None:
        """Sets all values of a metric: what is not among them is gone."""
        with self._lock:
            self._values[metric] = dict(values)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Counts a value of a histogram or a summary."""
        with self._lock:
            spread = self._spreads[metric].setdefault(labels, [0.0] * (len(metric.buckets) + 2))
            spread[bisect_left(metric.buckets, value)] += 1
            spread[-1] += value

    def values(self, metric: Metric) -> dict[Labels, float]:
        """What stands there now."""
        with self._lock:
            return dict(self._values.get(metric, {}))

    def spreads(self, metric: Metric) -> dict[Labels, list[float]]:
        """The same, of a histogram or a summary."""
        with self._lock:
            return {labels: list(spread) for labels, spread in self._spreads.get(metric, {}).items()}


def cut(text: str) -> str:
    """A label's value, at most 200 characters; one that was cut ends in an ellipsis."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
