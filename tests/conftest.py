"""The real path on a real embedded store: recorded telemetry or built requests in, rows out."""

from __future__ import annotations

import contextlib
import gzip
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import HealthCheck, settings

from spanwitness.pipeline import Ingestion, IngestRules, Review, ReviewRules
from spanwitness.receive import Signal
from spanwitness.store import open_store
from spanwitness.testing import EPOCH, ManualClock, frames

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from spanwitness.columns import Problem
    from spanwitness.pipeline import Sweep
    from spanwitness.store import Store

    Row: TypeAlias = dict[str, Any]
    Requests: TypeAlias = list[tuple[Signal, bytes]]

# How long an example takes tells how busy the machine is, and nothing of the code.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

CAPTURES = Path(__file__).parent / "captures"
_SUFFIX = {Signal.TRACES: ".otlp.gz", Signal.LOGS: ".logs.otlp.gz"}

RECORD: Mapping[str, tuple[str, str]] = {  # what counts of each table, and in which order
    "otel_traces": ("* EXCEPT (IngestedAt, Version)", "TenantId, TraceId, SpanId"),
    "otel_logs": ("* EXCEPT (IngestedAt)", "TenantId, TraceId, SpanId, Timestamp, EventName, Body"),
    "conversations": ("* EXCEPT (ClosedAt)", "TenantId, ConversationId, Revision"),
    "steps": ("* EXCEPT (RecordedAt)", "TenantId, ConversationId, Revision, Step"),
    "scores": ("* EXCEPT (ScoredAt)", "TenantId, ConversationId, Revision, Evaluator"),
    "model_versions": ("* EXCEPT (UpdatedAt)", "TenantId, ServiceName, AgentName, StepKind, ModelVersion"),
    "model_swaps": (
        "* EXCEPT (DetectedAt, UpdatedAt)",
        "TenantId, ServiceName, AgentName, StepKind, Class, FromVersion, ToVersion, Occurrence",
    ),
}
_HERE = {"model_versions": "Gone = 0", "model_swaps": "Withdrawn = 0"}


def requests_of(name: str) -> Requests:
    """A capture's requests as they came, its logs after its spans."""
    found: Requests = []
    for kind, suffix in _SUFFIX.items():
        path = CAPTURES / f"{name}{suffix}"
        if path.exists():
            found += [(kind, body) for body in frames(gzip.decompress(path.read_bytes()))]
    return found


@dataclass
class Lanes:
    """Both lanes over one store, driven by hand."""

    store: Store
    clock: ManualClock = field(default_factory=ManualClock)
    review_rules: ReviewRules = field(default_factory=ReviewRules)
    ingestion: Ingestion = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Another process takes over: what the last one held in memory is gone."""
        self.ingestion = Ingestion(self.store, IngestRules(), self.clock)

    def ingest(
        self, bodies: Sequence[bytes], signal: Signal = Signal.TRACES, tenants: Sequence[str] = ()
    ) -> dict[int, Problem]:
        """Takes requests in as one batch; by request what was wrong with it."""
        work = self.ingestion.prepare(bodies, tenants or [""] * len(bodies), signal)
        self.ingestion.write(work.rows)
        return work.problems

    def ingest_all(self, requests: Requests) -> None:
        """Takes requests in, as one batch a signal."""
        for wanted in Signal:
            bodies = [body for kind, body in requests if kind is wanted]
            if bodies:
                assert self.ingest(bodies, wanted) == {}

    def review(self, now: dt.datetime | None = None) -> Sweep:
        """One pass of the review lane."""
        self.ingestion.flush()
        return Review(self.store, self.review_rules).sweep(now or self.clock())

    def close_everything(self) -> Sweep:
        """One pass an hour later, when everything has been silent for long enough."""
        return self.review(self.clock.advance(hours=1))

    def clear(self) -> None:
        """Back to an empty store, and to the beginning."""
        empty(self.store)
        self.clock.now = EPOCH
        self.restart()

    def rows(self, sql: str) -> list[Row]:
        return self.store.rows(sql)

    def record(self, *tables: str) -> dict[str, list[Row]]:
        """What the record says, without when it was written."""
        return {table: self._table(table, *RECORD[table]) for table in tables or RECORD}

    def _table(self, table: str, columns: str, order: str) -> list[Row]:
        return self.rows(f"SELECT {columns} FROM {table} FINAL WHERE {_HERE.get(table, '1')} ORDER BY {order}")


@dataclass
class Serve:
    """A running `spanwitness serve` over an embedded store, on free ports."""

    process: subprocess.Popen[str]
    store: str
    ready: str
    log: Path

    @property
    def addresses(self) -> dict[str, str]:
        return dict(part.split("=") for part in self.ready.split()[1:])

    def terminate(self) -> int:
        """SIGTERM; the exit status once it has drained."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """SIGKILL: nothing of it gets a word in."""
        self.process.kill()
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()


def command(*arguments: str) -> list[str]:
    """The command line that runs SpanWitness."""
    return [sys.executable, "-m", "spanwitness", *arguments]


def environment() -> dict[str, str]:
    """The environment in which it finds the code under test."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def start_serving(folder: Path, *options: str) -> Serve:
    """Starts a server and waits for its ready line.

    Raises:
        AssertionError: it says nothing within a minute; with what stands in its log.
    """
    store, log = f"chdb://{folder / 'store'}", folder / "serve.log"
    line = command("serve", "--store", store, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", *options)
    with log.open("a") as errors:
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment())  # noqa: S603 - ours
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=lambda: lines.put(process.stdout.readline() if process.stdout else ""), daemon=True).start()
    with contextlib.suppress(queue.Empty):
        ready = lines.get(timeout=60).strip()
        if ready:
            return Serve(process, store, ready, log)
    process.kill()
    raise AssertionError(log.read_text())


@pytest.fixture(scope="session")
def serving() -> Callable[..., Serve]:
    """Starts a server in a folder; whoever starts it ends it."""
    return start_serving


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Serve]]:
    """Starts servers over one store; all are gone when the test is."""
    started: list[Serve] = []

    def start(*options: str) -> Serve:
        started.append(start_serving(tmp_path, *options))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def empty(store: Store) -> None:
    """Takes all rows out of a store, and with them the memory of which inserts it has seen."""
    tables = store.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' "
        "AND name != 'schema_versions' AND total_rows > 0"
    )
    for row in tables:
        store.command(f"TRUNCATE TABLE {row['name']}")


@pytest.fixture(scope="module")
def opened_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A module's own: the engine holds one path a process, and lets go of it once the store is closed."""
    store = open_store(f"chdb://{tmp_path_factory.mktemp('store')}")
    yield store
    store.close()


@pytest.fixture
def store(opened_store: Store) -> Store:
    """Empty."""
    empty(opened_store)
    return opened_store


@pytest.fixture
def lanes(store: Store) -> Lanes:
    return Lanes(store)


@pytest.fixture(scope="session")
def lanes_over() -> Callable[[Store], Lanes]:
    """Both lanes over a store that a test opened itself; it is emptied."""

    def made(store: Store) -> Lanes:
        empty(store)
        return Lanes(store)

    return made


@pytest.fixture(scope="session")
def capture() -> Any:
    return requests_of
