"""The page that Prometheus reads, in whichever of its two text formats it asks for."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from spanwitness.metrics.names import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spanwitness.metrics.meters import Labels, Meters
    from spanwitness.metrics.names import Metric


def render(meters: Meters, accept: str = "") -> tuple[bytes, str]:
    """The page and its content type, by the request's Accept header.

    It has a registry of its own: nothing is shared with whoever uses the library too.
    """
    registry = CollectorRegistry()
    registry.register(_Values(meters))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Values(Collector):
    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def describe(self) -> list[Family]:
        """Nothing: names are taken as they come, and are told apart by a test."""
        return []

    def collect(self) -> Iterator[Family]:
        """Metrics that have a value."""
        for metric in METRICS:
            if metric.kind in {"counter", "gauge"}:
                values = self._meters.values(metric)
                if values:
                    yield _plain(metric, values)
            else:
                spreads = self._meters.spreads(metric)
                if spreads:
                    yield _spread(metric, spreads)


def _plain(metric: Metric, values: dict[Labels, float]) -> Family:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.text, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _spread(metric: Metric, spreads: dict[Labels, list[float]]) -> Family:
    if metric.kind == "summary":
        summary = SummaryMetricFamily(metric.name, metric.text, labels=metric.labels)
        for labels, spread in spreads.items():
            summary.add_metric(labels, int(sum(spread[:-1])), spread[-1])
        return summary
    histogram = HistogramMetricFamily(metric.name, metric.text, labels=metric.labels)
    bounds = [*(str(float(bound)) for bound in metric.buckets), "+Inf"]
    for labels, spread in spreads.items():
        histogram.add_metric(labels, list(zip(bounds, accumulate(spread[:-1]), strict=True)), spread[-1])
    return histogram
