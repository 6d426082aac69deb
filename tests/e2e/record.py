"""What came of a run: the record in a store, and what a Collector wrote to files."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import orjson

from spanwitness.importer import Recording
from spanwitness.pipeline import Review, ReviewRules
from spanwitness.store import open_store
from tests.e2e.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    Rows = list[dict[str, Any]]

# What counts of each table, and in which order: not when it was written, nor how often it was revised on the way.
TABLES: Final = {
    "otel_traces": ("* EXCEPT (IngestedAt, Version)", "TenantId, TraceId, SpanId"),
    "otel_logs": ("* EXCEPT (IngestedAt)", "TenantId, TraceId, SpanId, Timestamp, EventName, Body"),
    "conversations_latest": ("* EXCEPT (ClosedAt, CloseReason, Revision)", "TenantId, ConversationId"),
    "steps_latest": ("* EXCEPT (RecordedAt, Revision)", "TenantId, ConversationId, Step"),
    "scores_latest": ("* EXCEPT (ScoredAt, Revision)", "TenantId, ConversationId, Evaluator"),
    "model_versions": ("* EXCEPT (UpdatedAt)", "TenantId, ServiceName, AgentName, StepKind, ModelVersion"),
    "model_swaps": ("* EXCEPT (DetectedAt, UpdatedAt)", "ALL"),
}
_HERE: Final = {"model_versions": "Gone = 0", "model_swaps": "Withdrawn = 0"}
SPANS: Final = "otel_traces"
_COUNTS: Final = """
    SELECT (SELECT count() FROM otel_traces FINAL) AS spans, (SELECT count() FROM otel_logs FINAL) AS logs
"""
_LATER: Final = dt.timedelta(days=60)  # everything has been silent for long enough


def record(store: str) -> dict[str, Rows]:
    """All tables of a store that no process holds, once every conversation in it is closed and scored."""
    opened = open_store(store)
    try:
        Review(opened, ReviewRules()).sweep(dt.datetime.now(dt.UTC) + _LATER)
        return {name: opened.rows(_select(name, *asked)) for name, asked in TABLES.items()}
    finally:
        opened.close()


def _select(name: str, columns: str, order: str) -> str:
    once = "" if name.endswith("_latest") else "FINAL"  # the views see to it themselves
    return f"SELECT {columns} FROM {name} {once} WHERE {_HERE.get(name, '1')} ORDER BY {order}"


def exported(files: Iterable[Path]) -> list[Request]:
    """The requests in files that a Collector wrote, damaged places left out."""
    return [Request(found.signal, found.body) for path in files for found in Recording(path).requests()]


def counts(store: str) -> tuple[int, int]:
    """How many spans and log records a store has, asked while it is served."""
    line = [sys.executable, "-m", "spanwitness", "query", _COUNTS, "--store", store, "--format", "json"]
    found = orjson.loads(subprocess.run(line, capture_output=True, check=True).stdout)  # noqa: S603 - ours
    return int(found["spans"]), int(found["logs"])
