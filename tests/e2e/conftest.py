"""What `make e2e` runs: a real Collector, Rotel, Prometheus and Alertmanager around SpanWitness.

Which of it is collected, the programs decide that are named in the environment; without any, nothing is.
`make e2e-load-balancing` has a Collector of its own, and test_load_balancing.py is all that it runs; likewise
`make e2e-prometheus`, which needs no Collector.

It cannot pass by leaving something out: without its program a test fails, and a test that is skipped fails the run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Serve
    from tests.e2e.record import Rows
    from tests.e2e.stack import Part

# By file, the program that it needs; all others need the Collector.
_NEEDS = {
    "test_load_balancing.py": "SPANWITNESS_E2E_LOAD_BALANCING",
    "test_prometheus.py": "SPANWITNESS_E2E_PROMETHEUS",
    "test_alertmanager.py": "SPANWITNESS_E2E_ALERTMANAGER",
}
_FILES = [path.name for path in Path(__file__).parent.glob("test_*.py")]
_COLLECTED = [name for name in _FILES if os.environ.get(_NEEDS.get(name, "SPANWITNESS_E2E"))]
collect_ignore = [name for name in _FILES if name not in _COLLECTED]


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
