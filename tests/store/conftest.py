"""A server to talk to: ClickHouse's HTTP interface in a process of its own, with faults on request."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("http_endpoint.py")


@dataclass
class Endpoint:
    """A server of the HTTP interface."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"clickhouse://writer:hunter2@127.0.0.1:{self.port}/default"

    def fault(self, kind: str, match: str = "", times: int = 1) -> None:
        """The next statements that contain `match` meet a fault."""
        self._tell("fault", {"kind": kind, "match": match, "times": times})

    def release(self) -> None:
        """Lets a slow answer go."""
        self._tell("release", {})

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _tell(self, path: str, message: dict[str, Any]) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", json.dumps(message).encode()) as answer:
            assert answer.status == 200


def start_endpoint(folder: Path) -> Endpoint:
    line = [sys.executable, str(SCRIPT), str(folder)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    assert process.stdout is not None
    return Endpoint(process, int(process.stdout.readline()))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    started = start_endpoint(tmp_path_factory.mktemp("server"))
    yield started
    started.kill()


@pytest.fixture
def own_endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    """A server that a test may kill."""
    started = start_endpoint(tmp_path)
    yield started
    started.kill()
