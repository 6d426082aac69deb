"""What `make e2e` runs: a real Collector, and Rotel, around SpanWitness. Elsewhere nothing of it is collected.

`make e2e-load-balancing` has a Collector of its own, and test_load_balancing.py is all that it runs.

It cannot pass by leaving something out: without the Collector a test fails, and a test that is skipped fails the run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Serve
    from tests.e2e.record import Rows
    from tests.e2e.stack import Part

_BALANCED = "test_load_balancing.py"
_COLLECTED = ([_BALANCED] if os.environ.get("SPANWITNESS_E2E_LOAD_BALANCING") else []) + (
    ["test_[!l]*.py"] if os.environ.get("SPANWITNESS_E2E") else []
)
collect_ignore_glob = [glob for glob in ("test_[!l]*.py", _BALANCED) if glob not in _COLLECTED]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if _COLLECTED and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def started() -> Iterator[Callable[..., None]]:
    """Starts parts, the last first: whoever is sent to is there before the sender. All are gone when the test is."""
    running: list[Part] = []

    def start(*parts: Part) -> None:
        for part in reversed(parts):
            running.append(part)
            part.start()

    yield start
    for part in running:
        part.kill()


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Serve]) -> dict[str, Rows]:
    """The record of a run in which nothing happens."""
    # Imported late: pytest reads this file in every run, and the captures should be read in this one alone.
    from spanwitness.testing import until
    from tests.e2e.around import ARRIVES_S, REQUESTS, arrived, pipeline
    from tests.e2e.record import record
    from tests.e2e.traffic import Sending

    line = pipeline(tmp_path_factory.mktemp("quiet"), serving, "to-spanwitness.yaml", "6h")
    try:
        for part in reversed(line.parts):
            part.start()
        Sending(REQUESTS, line.before.grpc, line.before.http).through()
        until(lambda: arrived(line), ARRIVES_S, pause_s=1)
        for part in line.parts:
            part.stop()
    finally:
        for part in line.parts:
            part.kill()
    return record(line.middle.store)
