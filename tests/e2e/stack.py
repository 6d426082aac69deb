"""The parts of a pipeline as real processes on loopback: each can be stopped, killed and started again in its place."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import httpx

from spanwitness.testing import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.conftest import Serve

# Which program is under test: the Collector of builder.yaml, or that of builder-load-balancing.yaml.
COLLECTOR: Final = "SPANWITNESS_E2E"
BALANCER: Final = "SPANWITNESS_E2E_LOAD_BALANCING"
CONFIGURATIONS: Final = Path(__file__).parents[2] / "deploy/collector"
# Two Collectors on one machine would meet on the port of their own metrics.
_UNMEASURED: Final = "service: {telemetry: {metrics: {level: none}}}"
_START_S: Final = 60.0
_STOP_S: Final = 60.0


def free_address() -> str:
    """An address of ours that nobody listens on. Parts come back where they were, so it is chosen once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


class Part(Protocol):
    """A process of the pipeline."""

    name: str

    def start(self) -> None:
        """Returns once it accepts data."""

    def stop(self) -> None:
        """SIGTERM; returns once it is gone, having ended well."""

    def kill(self) -> None:
        """SIGKILL: nothing of it gets a word in."""


@dataclass
class Process:
    """A process started from a command line, its output in a log."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def line(self) -> Sequence[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return {}

    def is_up(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - ours
                self.line(), stdout=log, stderr=log, env={**os.environ, **self.environment()}
            )
        until(self._is_up_or_gone, _START_S)
        assert self.process.poll() is None, self.log.read_text()

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(_STOP_S) == 0, self.log.read_text()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(_STOP_S)

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def _is_up_or_gone(self) -> bool:
        return self.is_up() or (self.process is not None and self.process.poll() is not None)


@dataclass
class Collector(Process):
    """An OpenTelemetry Collector on configurations of deploy/collector, later ones over earlier ones."""

    configurations: Sequence[Path] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    gates: str = ""
    built: str = COLLECTOR
    grpc: str = field(default_factory=free_address)
    http: str = field(default_factory=free_address)
    health: str = field(default_factory=free_address)

    def line(self) -> Sequence[str]:
        unmeasured = self.folder / "unmeasured.yaml"
        unmeasured.write_text(_UNMEASURED)
        chosen = [f"--config={path}" for path in (*self.configurations, unmeasured)]
        return [binary(self.built), *chosen, f"--feature-gates={self.gates}"]

    def environment(self) -> Mapping[str, str]:
        return {
            "COLLECTOR_GRPC": self.grpc,
            "COLLECTOR_HTTP": self.http,
            "COLLECTOR_HEALTH": self.health,
            "COLLECTOR_QUEUE": str(self.folder / "queue"),
            **self.settings,
        }

    def is_up(self) -> bool:
        try:
            return httpx.get(f"http://{self.health}", timeout=1).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@dataclass
class Rotel(Process):
    """Rotel, whose wheel carries its binary, passing on over OTLP."""

    protocol: str = "grpc"
    target: str = ""
    grpc: str = field(default_factory=free_address)
    http: str = field(default_factory=free_address)

    def line(self) -> Sequence[str]:
        return [
            rotel(),
            "start",
            f"--otlp-grpc-endpoint={self.grpc}",
            f"--otlp-http-endpoint={self.http}",
            f"--otlp-exporter-endpoint=http://{self.target}",
            f"--otlp-exporter-protocol={self.protocol}",
            "--otlp-exporter-retry-max-elapsed-time=10m",
        ]

    def is_up(self) -> bool:
        return all(_listens(address) for address in (self.grpc, self.http))


@dataclass
class SpanWitness:
    """`spanwitness serve` over an embedded store of its own."""

    folder: Path
    serving: Callable[..., Serve]
    forward: str = ""
    idle: str = "6h"
    settings: str = ""  # further ones, as TOML
    grpc: str = field(default_factory=free_address)
    http: str = field(default_factory=free_address)
    name: str = "spanwitness"
    serve: Serve | None = None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "spanwitness.toml"
        forward = f'[forward]\nendpoint = "{self.forward}"\n' if self.forward else ""
        config.write_text(f'[close]\nidle = "{self.idle}"\nsweep = "1s"\nmax_age = "36500d"\n{forward}{self.settings}')
        options = ("--config", str(config), "--grpc", self.grpc, "--http", self.http)
        self.serve = self.serving(self.folder, *options)

    def stop(self) -> None:
        assert self.serve is not None
        assert self.serve.terminate() == 0, self.serve.log.read_text()
        self.kill()

    def kill(self) -> None:
        if self.serve is not None:
            self.serve.kill()

    @property
    def store(self) -> str:
        """Where the record is."""
        return f"chdb://{self.folder / 'store'}"


def binary(built: str = COLLECTOR) -> str:
    """The Collector under test, of the two that are built.

    Raises:
        AssertionError: there is none; the tests that need it must fail then.
    """
    path = Path(os.environ[built]).resolve()
    assert os.access(path, os.X_OK), f"{built}: {path} is not there or cannot be run; make e2e builds it"
    return str(path)


def rotel() -> str:
    """Rotel's binary.

    Raises:
        AssertionError: its wheel is not installed.
    """
    found = importlib.util.find_spec("rotel")
    assert found is not None, "rotel is not installed; pip install --group e2e"
    assert found.origin is not None
    return str(Path(found.origin).with_name("rotel-agent"))


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False
