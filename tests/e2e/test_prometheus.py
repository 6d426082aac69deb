"""A real Prometheus on the deployed rules, a real Alertmanager on the deployed routes: who is paged, and let off."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from spanwitness.testing import chat, trace_request, until
from tests.e2e.monitoring import DEPLOYED, Alertmanager, Paged, Prometheus, promtool
from tests.e2e.stack import SpanWitness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Serve

ALERT: Final = "SpanWitnessModelSwap"
BEFORE, AFTER = "openai/gpt-4o-2024-08-06", "openai/gpt-4o-mini-2024-07-18"
SLOT: Final = {"tenant": "northwind-mutual", "service": "claims-assistant", "agent": "claims-assistant", "role": "llm"}
PROTOBUF: Final = {"content-type": "application/x-protobuf"}
PATIENCE_S: Final = 60.0
BATCH, BATCHES = 50, 8


@dataclass(frozen=True)
class Line:
    """SpanWitness, who watches it, and who is told in the end."""

    witness: SpanWitness
    prometheus: Prometheus
    alertmanager: Alertmanager
    paged: Paged

    def send(self, body: bytes) -> None:
        answer = httpx.post(f"http://{self.witness.http}/v1/traces", content=body, headers=PROTOBUF, timeout=30)
        assert answer.status_code == httpx.codes.OK, answer.text

    def metrics(self) -> bytes:
        return httpx.get(f"http://{self.witness.http}/metrics").content

    def firing(self) -> list[dict[str, Any]]:
        return self.alertmanager.alerts(alertname=ALERT, severity="page")

    def told(self, status: str) -> list[str]:
        """Which receivers were told that the swap is firing or resolved."""
        return [receiver for receiver, told in self.paged.of("version", "page") if told == status]


@pytest.fixture
def paged() -> Iterator[Paged]:
    receiver = Paged()
    yield receiver
    receiver.close()


@pytest.fixture
def line(tmp_path: Path, serving: Callable[..., Serve], started: Callable[..., None], paged: Paged) -> Line:
    alertmanager = Alertmanager("alertmanager", tmp_path / "alertmanager", webhook=paged.address)
    # It pushes too: Alertmanager is to take both for one.
    pushing = f'[alerts]\nalertmanager = "http://{alertmanager.address}"\n'
    witness = SpanWitness(tmp_path / "witness", serving, idle="1s", settings=pushing)
    prometheus = Prometheus(
        "prometheus", tmp_path / "prometheus", target=witness.http, alertmanager=alertmanager.address
    )
    started(witness, prometheus, alertmanager)
    return Line(witness, prometheus, alertmanager, paged)


def talk(first: int, version: str, *, ago: dt.timedelta = dt.timedelta(), agent: str = SLOT["agent"]) -> bytes:
    """A batch of conversations with an agent, answered by a version."""
    named = {"gen_ai.agent.name": agent}
    begin, served = dt.datetime.now(dt.UTC) - ago, version.removeprefix("openai/")
    spans = [
        chat(number, 1, number / 100, f"conv-{number}", served=served, attributes=named, begin=begin)
        for number in range(first, first + BATCH)
    ]
    return trace_request(spans, tenant=SLOT["tenant"], service=SLOT["service"])


def test_promtool_finds_the_rules_and_the_configuration_well_formed() -> None:
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "spanwitness.rules.yml", "spanwitness.alerts.yml")


@pytest.mark.parametrize("tests", sorted(path.name for path in DEPLOYED.glob("*.test.yml")))
def test_promtool_sees_the_rules_do_what_they_say(tests: str) -> None:
    assert "SUCCESS" in promtool("test", "rules", tests)


def test_a_silent_swap_pages_through_a_restart_and_resolves_when_the_slot_has_returned(
    line: Line,
) -> None:
    line.send(talk(1, BEFORE, ago=dt.timedelta(hours=2)))
    line.send(talk(1 + BATCH, AFTER, ago=dt.timedelta(hours=1)))

    until(lambda: bool(line.told("firing")), PATIENCE_S, pause_s=0.5)
    (alert,) = line.firing()
    expected = {**SLOT, "class": "version", "severity": "page", "from_version": BEFORE, "to_version": AFTER}
    assert alert["labels"] == {"alertname": ALERT, "swap_id": alert["labels"]["swap_id"], **expected}
    assert alert["labels"]["swap_id"] in alert["annotations"]["next"]
    assert set(line.told("firing")) == {"pager"}
    fired = f'ALERTS{{alertname="{ALERT}",severity="page",alertstate="firing"}}'
    until(lambda: bool(line.prometheus.ask(fired)), PATIENCE_S, pause_s=0.5)
    (series,) = line.prometheus.ask(fired)
    assert {name: told for name, told in series["metric"].items() if name not in {"__name__", "alertstate"}} == alert[
        "labels"
    ]
    assert len(line.firing()) == 1

    line.witness.kill()
    until(lambda: line.prometheus.ask("up")[0]["value"][1] == "0", PATIENCE_S, pause_s=0.2)
    assert line.prometheus.ask("swap:spanwitness_swap_standing:last")
    line.witness.start()
    until(lambda: bool(line.prometheus.ask("spanwitness_swap_standing")), PATIENCE_S, pause_s=0.2)
    assert line.told("resolved") == []
    promtool("check", "metrics", given=line.metrics())

    for number in range(2, 2 + BATCHES):
        line.send(talk(1 + number * BATCH, BEFORE))
    until(lambda: bool(line.told("resolved")), PATIENCE_S, pause_s=0.5)
    until(lambda: not line.firing(), PATIENCE_S, pause_s=0.5)
    assert set(line.told("resolved")) == {"pager"}
    until(lambda: line.prometheus.ask(fired) == [], PATIENCE_S, pause_s=0.5)
    health = json.loads(httpx.get(f"http://{line.witness.http}/health").content)
    assert health["alerts"]["alertmanager"]["refused"] == 0


def test_imported_history_pages_nobody(line: Line) -> None:
    month, hour = dt.timedelta(days=30), dt.timedelta(hours=1)
    line.send(talk(1, BEFORE, ago=month))
    line.send(talk(1 + BATCH, AFTER, ago=month - hour))
    standing = 'swap:spanwitness_swap_standing:last{class="version",severity="page"}'
    until(lambda: bool(line.prometheus.ask(standing)), PATIENCE_S, pause_s=0.5)
    # Once the page of what happened today is there, one of what happened then would have been.
    line.send(talk(1 + 2 * BATCH, BEFORE, ago=2 * hour, agent="today"))
    line.send(talk(1 + 3 * BATCH, AFTER, ago=hour, agent="today"))
    until(lambda: bool(line.told("firing")), PATIENCE_S, pause_s=0.5)
    until(lambda: len(line.prometheus.ask(standing)) == 2, PATIENCE_S, pause_s=0.5)
    fired = f'ALERTS{{alertname="{ALERT}",alertstate="firing"}}'
    until(lambda: bool(line.prometheus.ask(fired)), PATIENCE_S, pause_s=0.5)
    assert [series["metric"]["agent"] for series in line.prometheus.ask(fired)] == ["today"]
    assert [alert["labels"]["agent"] for alert in line.firing()] == ["today"]
