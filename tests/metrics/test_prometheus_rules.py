"""The rules of deploy/prometheus ask for metrics that are there. What they answer is for promtool, in make e2e."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from spanwitness.alert.alertmanager import NAMES
from spanwitness.metrics.names import DROPPED, METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/prometheus"
DOCUMENT = (ROOT / "docs/alerts.md").read_text()
METRIC = re.compile(r"\b(?:\w+:)?spanwitness_\w+(?::\w+)?")
QUERY = re.compile(r'printf "(\w+)\{')
PROMETHEUS_OWN = {"job", "instance", "receiver", "le"}


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


RULES = [rule for group in read("spanwitness.rules.yml")["groups"] for rule in group["rules"]]
ALERTS = [rule for group in read("spanwitness.alerts.yml")["groups"] for rule in group["rules"]]
RECORDED = {rule["record"] for rule in RULES}
TESTS = {name: read(f"spanwitness.{name}.test.yml")["tests"] for name in ("rules", "alerts")}


def scraped(metric: Metric) -> Iterator[str]:
    """The names under which Prometheus stores a metric."""
    ends = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}.get(metric.kind, ("",))
    yield from (metric.name + end for end in ends)


SCRAPED = {name: metric for metric in METRICS for name in scraped(metric)}


@pytest.mark.parametrize("rule", [*RULES, *ALERTS], ids=lambda rule: str(rule.get("record") or rule["alert"]))
def test_a_rule_asks_for_what_is_told_or_recorded(rule: dict[str, Any]) -> None:
    expression = re.sub(r'"[^"]*"', '""', rule["expr"])
    asked = set(METRIC.findall(expression)) | set(QUERY.findall(str(rule.get("annotations", {}))))
    assert asked - SCRAPED.keys() - RECORDED == set()
    assert asked or rule["expr"].startswith("up{")


@pytest.mark.parametrize("rule", [*RULES, *ALERTS], ids=lambda rule: str(rule.get("record") or rule["alert"]))
def test_a_rule_names_labels_that_are_there(rule: dict[str, Any]) -> None:
    named = {
        label.strip()
        for group in re.findall(r"(?:by|on|without) \(([^)]*)\)", rule["expr"])
        for label in group.split(",")
    }
    named |= set(re.findall(r'(\w+) ?[!=]~?"', rule["expr"]))
    assert named <= PROMETHEUS_OWN | {label for metric in METRICS for label in metric.labels}


def test_the_metric_whose_bound_is_watched_has_one() -> None:
    (rule,) = (rule for rule in ALERTS if DROPPED.name in rule["expr"])
    assert re.findall(r'metric="(\w+)"', rule["expr"]) == ["spanwitness_swap_standing"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_it_is_what_it_means_and_what_to_do_next(alert: dict[str, Any]) -> None:
    assert {"summary", "description", "next"} <= alert["annotations"].keys()
    assert f"`{alert['alert']}`" in DOCUMENT


def test_no_alert_is_documented_that_does_not_exist() -> None:
    known = {alert["alert"] for alert in ALERTS} | set(NAMES.values()) | {"SpanWitnessChange"}
    assert set(re.findall(r"`(SpanWitness[A-Z]\w+)`", DOCUMENT)) <= known


def test_swaps_have_the_names_of_the_alerts_that_are_pushed() -> None:
    """Else Alertmanager would take one swap for two where both are on."""
    found = {}
    for alert in ALERTS:
        for swap_class in re.findall(r'alerting:last\{class="(\w+)"\}', alert["expr"]):
            found[swap_class] = alert["alert"]
            assert "labels" not in alert
    assert found == NAMES


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_promtool_sees_each_alert_fire_and_not_fire(rule: dict[str, Any]) -> None:
    cases = [case for test in TESTS["alerts"] for case in test["alert_rule_test"] if case["alertname"] == rule["alert"]]
    assert any(case["exp_alerts"] for case in cases)
    assert any(not case["exp_alerts"] for case in cases)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["record"]))
def test_promtool_sees_each_recorded_series(rule: dict[str, Any]) -> None:
    asked = " ".join(case["expr"] for test in TESTS["rules"] for case in test["promql_expr_test"])
    dependants = " ".join(other["expr"] for other in RULES if other["record"] in asked)
    assert rule["record"] in asked + dependants


@pytest.mark.parametrize("name", sorted(TESTS))
def test_promtool_is_given_series_as_they_are_told(name: str) -> None:
    for test in TESTS[name]:
        for series in test["input_series"]:
            metric, _, labels = series["series"].partition("{")
            if metric != "up":
                assert set(re.findall(r"(\w+)=", labels)) <= PROMETHEUS_OWN | set(SCRAPED[metric].labels)


def test_the_configuration_reads_both_files_and_scrapes_under_the_name_that_the_alerts_know() -> None:
    config = read("prometheus.yml")
    assert config["rule_files"] == ["spanwitness.rules.yml", "spanwitness.alerts.yml"]
    assert [job["job_name"] for job in config["scrape_configs"]] == ["spanwitness"]


def test_the_page_shows_the_inhibitions_that_are_deployed() -> None:
    (shown,) = [block for block in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL) if "inhibit_rules" in block]
    deployed = read("alertmanager.yml")["inhibit_rules"]
    swaps = [rule for rule in deployed if rule["source_matchers"][0] == "alertname = SpanWitnessModelSwap"]
    assert yaml.safe_load(shown) == {"inhibit_rules": swaps}
