"""Prometheus and Alertmanager with what deploy/prometheus holds, and whoever is paged in the end."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import yaml

from tests.e2e.stack import Process, free_address

if TYPE_CHECKING:
    from collections.abc import Sequence

DEPLOYED: Final = Path(__file__).parents[2] / "deploy/prometheus"
PROMETHEUS: Final = "SPANWITNESS_E2E_PROMETHEUS"
PROMTOOL: Final = "SPANWITNESS_E2E_PROMTOOL"
ALERTMANAGER: Final = "SPANWITNESS_E2E_ALERTMANAGER"
# As deployed it looks every 15 seconds, which nobody wants to wait for.
_INTERVAL: Final = "1s"


@dataclass
class Prometheus(Process):
    """Prometheus on the deployed configuration and rules, only that it looks more often."""

    target: str = ""
    alertmanager: str = ""
    address: str = field(default_factory=free_address)

    def line(self) -> Sequence[str]:
        config = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
        config["global"] = dict.fromkeys(config["global"], _INTERVAL)
        config["rule_files"] = [str(DEPLOYED / name) for name in config["rule_files"]]
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [self.target]
        config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [self.alertmanager]
        path = self.folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        return [
            program(PROMETHEUS),
            f"--config.file={path}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}",
        ]

    def is_up(self) -> bool:
        return _is_ready(self.address)

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The answer to an instant query."""
        answer = httpx.get(f"http://{self.address}/api/v1/query", params={"query": query}).json()
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


@dataclass
class Alertmanager(Process):
    """Alertmanager on the deployed routes, only that it waits less and that its receivers are `webhook`."""

    webhook: str = ""
    address: str = field(default_factory=free_address)

    def line(self) -> Sequence[str]:
        config = yaml.safe_load((DEPLOYED / "alertmanager.yml").read_text())
        config["route"] |= {"group_wait": _INTERVAL, "group_interval": _INTERVAL}
        for receiver in config["receivers"]:
            for hook in receiver["webhook_configs"]:
                hook["url"] = f"http://{self.webhook}/{receiver['name']}"
        path = self.folder / "alertmanager.yml"
        path.write_text(yaml.safe_dump(config))
        return [
            program(ALERTMANAGER),
            f"--config.file={path}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]

    def is_up(self) -> bool:
        return _is_ready(self.address)

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """Those with some labels that are firing."""
        asked = {"filter": [f'{name}="{value}"' for name, value in labels.items()]}
        found: list[dict[str, Any]] = httpx.get(f"http://{self.address}/api/v2/alerts", params=asked).json()
        return found


class Paged:
    """Whoever is told by Alertmanager: `told` holds receiver, status and alert of each message, in their order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, dict[str, Any]]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["content-length"])))
                told.extend((self.path[1:], alert["status"], alert) for alert in message["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def of(self, swap_class: str, severity: str) -> list[tuple[str, str]]:
        """Receiver and status of each message about swaps of a class."""
        wanted = {"class": swap_class, "severity": severity}
        return [(receiver, status) for receiver, status, told in self.told if wanted.items() <= told["labels"].items()]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def promtool(*arguments: str, given: bytes = b"") -> str:
    """Runs promtool in the deployed folder; what it says.

    Raises:
        AssertionError: it does not like what it sees.
    """
    line = [program(PROMTOOL), *arguments]
    done = subprocess.run(line, cwd=DEPLOYED, input=given, capture_output=True, check=False)  # noqa: S603 - ours
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def program(variable: str) -> str:
    """The program that a variable names.

    Raises:
        AssertionError: there is none; the tests that need it must fail then.
    """
    assert os.environ.get(variable), f"{variable} names no program; make e2e sees to it"
    path = Path(os.environ[variable]).resolve()
    assert os.access(path, os.X_OK), f"{variable}: {path} is not there or cannot be run; make e2e sees to it"
    return str(path)


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/-/ready", timeout=1).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
