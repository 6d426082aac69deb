"""A swap pages over a real Alertmanager, goes on to stand over a kill, and is resolved when the slot has returned."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx

from spanwitness.testing import chat, trace_request, until
from tests.alert.swaps import A, B, Listener, listening
from tests.e2e.stack import binary, free_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.conftest import Serve

ALERTMANAGER: Final = "SPANWITNESS_E2E_ALERTMANAGER"
WITHIN_S: Final = 60.0
OLD, NEW = (name.removeprefix("openai/") for name in (A, B))


class Pager:
    """An Alertmanager, and who it notifies."""

    def __init__(self, address: str, notified: Listener) -> None:
        self.url = f"http://{address}"
        self._notified = notified

    def alerts(self) -> list[dict[str, Any]]:
        """What stands, as its API tells it."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v2/alerts", timeout=5).json()
        return found

    def notified(self, severity: str) -> list[str]:
        """The states in which it told of alerts of a severity."""
        return [
            alert["status"]
            for post in self._notified.posts
            for alert in post.json["alerts"]
            if alert["labels"]["severity"] == severity
        ]


@contextmanager
def alertmanager(folder: Path) -> Iterator[Pager]:
    """Started, and gone afterwards."""
    address = free_address()
    with listening() as notified, (folder / "alertmanager.log").open("ab") as log:
        settings = folder / "alertmanager.yml"
        settings.write_text(
            "route: {receiver: pager, group_by: ['...'], group_wait: 100ms, group_interval: 1s}\n"
            f"receivers: [{{name: pager, webhook_configs: [{{url: '{notified.url}', send_resolved: true}}]}}]\n"
        )
        line = [
            binary(ALERTMANAGER),
            f"--config.file={settings}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ]
        process = subprocess.Popen(line, stdout=log, stderr=log)  # noqa: S603 - ours
        try:
            until(lambda: process.poll() is not None or is_ready(address), WITHIN_S)
            assert process.poll() is None, (folder / "alertmanager.log").read_text()
            yield Pager(address, notified)
        finally:
            process.terminate()
            process.wait(WITHIN_S)


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/-/ready", timeout=1).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def talk(server: Serve, numbers: Sequence[int], served: str) -> None:
    """A conversation of one call for each number, in this order, all over when it returns."""
    spans = [chat(number, 1, number, f"c{number}", served=served) for number in numbers]
    answer = httpx.post(
        f"http://{server.addresses['http']}/v1/traces",
        content=trace_request(spans),
        headers={"content-type": "application/x-protobuf"},
        timeout=30,
    )
    assert answer.status_code == httpx.codes.OK


def test_a_silent_swap_pages_stands_over_a_kill_and_is_resolved_when_the_slot_returns(
    tmp_path: Path, serving: Callable[..., Serve]
) -> None:
    with alertmanager(tmp_path) as pager:
        config = tmp_path / "spanwitness.toml"
        config.write_text(
            '[close]\nidle = "500ms"\nmax_age = "36500d"\n'
            f'[alerts]\nalertmanager = "{pager.url}"\nresend = "15s"\nmax_age = "36500d"\nseverities = ["page"]\n'
        )
        server = serving(tmp_path, "--config", str(config))
        try:
            talk(server, range(1, 31), OLD)
            talk(server, range(31, 36), NEW)
            until(lambda: bool(pager.alerts()), WITHIN_S)
            (first,) = pager.alerts()
            labels = first["labels"]
            assert (labels["alertname"], labels["severity"]) == ("SpanWitnessModelSwap", "page")
            assert (labels["from_version"], labels["to_version"]) == (A, B)
            assert labels["swap_id"] in first["annotations"]["next"]
            until(lambda: pager.notified("page") == ["firing"], WITHIN_S)

            server.kill()
            server = serving(tmp_path, "--config", str(config))
            until(lambda: [one["endsAt"] for one in pager.alerts()] > [first["endsAt"]], WITHIN_S)
            (again,) = pager.alerts()
            assert (again["fingerprint"], again["startsAt"]) == (first["fingerprint"], first["startsAt"])

            talk(server, range(36, 101), OLD)
            until(lambda: pager.alerts() == [], WITHIN_S)
            until(lambda: pager.notified("page") == ["firing", "resolved"], WITHIN_S)
            assert server.terminate() == 0
            assert "Traceback" not in server.log.read_text()
        finally:
            server.kill()
