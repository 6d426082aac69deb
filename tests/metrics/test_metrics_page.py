"""The page in both formats; and that docs/metrics.md lists every metric, as it is, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from spanwitness.metrics import Meters, names
from spanwitness.metrics.names import METRICS, Metric
from spanwitness.metrics.page import render

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
ODD = 'a "quoted"\\\nname'


@pytest.fixture
def everything() -> Meters:
    """A value of every metric, each label with a name that must be escaped."""
    meters = Meters()
    for metric in METRICS:
        labels = [f"{label} {ODD}" for label in metric.labels]
        if metric.kind in {"counter", "gauge"}:
            meters.put(metric, 2.5, *labels)
        else:
            meters.observe(metric, 2.5, *labels)
    return meters


def documented() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    for name, kind, labels, text, _bound in ROW.findall(DOCUMENT):
        yield name, kind, tuple(re.findall(r"`(\w+)`", labels)), text


def told(metric: Metric) -> set[str]:
    ends = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}.get(metric.kind, ("",))
    return {metric.name + end for end in ends}


def test_every_metric_is_documented_as_it_is_and_no_other() -> None:
    rows = sorted(documented())
    assert rows == sorted((metric.name, metric.kind, metric.labels, metric.text) for metric in METRICS)


def test_the_page_has_every_metric_of_the_list_and_those_of_the_process(everything: Meters) -> None:
    page, _ = render(everything)
    samples = {sample.name for family in text_string_to_metric_families(page.decode()) for sample in family.samples}
    ours = {name for name in samples if not name.startswith("process_")}
    assert ours == set().union(*(told(metric) for metric in METRICS))
    assert all(f"`{name}`" in DOCUMENT for name in samples - ours)


def test_names_follow_the_conventions() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"spanwitness_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert not {"le", "quantile", "job", "instance"} & set(metric.labels)
        assert list(metric.buckets) == sorted(metric.buckets)


def test_odd_names_are_escaped(everything: Meters) -> None:
    page, _ = render(everything)
    families = text_string_to_metric_families(page.decode())
    (sample,) = next(family for family in families if family.name == "spanwitness_swap_share").samples
    assert sample.labels == {"tenant": f"tenant {ODD}", "swap_id": f"swap_id {ODD}"}


def test_openmetrics_is_told_to_whoever_asks_for_it(everything: Meters) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    page, content_type = render(everything, accept)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    told = openmetrics.text_string_to_metric_families(page.decode())  # type: ignore[no-untyped-call]
    families = {family.name: family for family in told}
    assert families["spanwitness_requests"].type == "counter"
    assert page.endswith(b"# EOF\n")


def test_text_is_told_to_everybody_else(everything: Meters) -> None:
    page, content_type = render(everything, "*/*")
    assert content_type.startswith("text/plain; version=")
    assert b"# EOF" not in page


def test_a_histogram_counts_up_to_its_end() -> None:
    meters = Meters()
    for value in (0.02, 0.2, 20):
        meters.observe(names.BATCH_SECONDS, value, "traces")
    page, _ = render(meters)
    (family,) = (f for f in text_string_to_metric_families(page.decode()) if f.name == names.BATCH_SECONDS.name)
    buckets = {sample.labels["le"]: sample.value for sample in family.samples if sample.name.endswith("_bucket")}
    assert buckets == {"0.01": 0, "0.03": 1, "0.1": 1, "0.3": 2, "1.0": 2, "3.0": 2, "10.0": 2, "+Inf": 3}
    assert {s.name: s.value for s in family.samples if not s.labels.get("le")} == {
        "spanwitness_batch_store_seconds_count": 3,
        "spanwitness_batch_store_seconds_sum": 20.22,
    }


def test_pages_share_nothing() -> None:
    first, second = Meters(), Meters()
    first.put(names.SLOTS, 1)
    second.put(names.SLOTS, 2)
    assert b"spanwitness_slots 1.0" in render(first)[0]
    assert b"spanwitness_slots 2.0" in render(second)[0]
