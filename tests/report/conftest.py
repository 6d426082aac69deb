"""A record in a real embedded store, filled row by row, and a console of a known width to read the reports on."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from rich.console import Console

from spanwitness.store import open_store, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from spanwitness.store import Store

    Printed: TypeAlias = Callable[..., str]

BEGIN = dt.datetime(2026, 11, 20, 22, 24, 37, 901000)  # noqa: DTZ001 - as the columns have it: UTC without a zone

_SLOT = {"TenantId": "acme", "ServiceName": "claims", "AgentName": "claims_agent", "StepKind": "llm"}
_CONVERSATION = {
    "TenantId": "acme",
    "ConversationId": "c-1",
    "Revision": 1,
    "StartedAt": BEGIN,
    "EndedAt": BEGIN + dt.timedelta(minutes=2),
    "ClosedAt": BEGIN + dt.timedelta(minutes=17),
    "CloseReason": "idle",
    "ConversationIdSource": "session.id",
    "ServiceNames": ["claims"],
    "Channel": "voice",
    "Intent": "",
    "Language": "en",
    "AgentNames": ["claims_agent"],
    "ModelVersions": ["openai/gpt-4o-2024-08-06"],
    "PromptVersions": [],
    "Turns": 2,
    "Steps": 3,
    "ToolCalls": 1,
    "ToolErrors": 0,
    "Escalations": 0,
    "InputTokens": 1264,
    "OutputTokens": 18,
    "Outcome": "resolved",
    "TraceIds": ["a" * 32],
    "Digest": "d",
}
_STEP = {
    **_SLOT,
    "ConversationId": "c-1",
    "Revision": 1,
    "Step": 1,
    "Turn": 1,
    "Actor": "ai",
    "AgentVersion": "",
    "ToolName": "",
    "Provider": "openai",
    "RequestedModel": "gpt-4o",
    "ServedModel": "gpt-4o-2024-08-06",
    "ServedModelSource": "payload",
    "ModelVersion": "openai/gpt-4o-2024-08-06",
    "PromptVersion": "",
    "StartedAt": BEGIN,
    "DurationMs": 1234.5,
    "Status": "Ok",
    "InputTokens": 264,
    "OutputTokens": 18,
    "TraceId": "a" * 32,
    "SpanId": "b" * 16,
    "RecordedAt": BEGIN,
}
_SCORE = {
    "TenantId": "acme",
    "ConversationId": "c-1",
    "Revision": 1,
    "Evaluator": "TaskCompletion",
    "EvaluatorVersion": "1",
    "Judge": "",
    "JudgeModel": "",
    "JudgePrompt": "",
    "Status": "completed",
    "Mode": "evidence",
    "Score": 0.5,
    "Label": "partial",
    "Threshold": 1.0,
    "Passed": False,
    "Explanation": "One of two refunds was made.",
    "EvidenceSpanIds": ["b" * 16],
    "Details": "{}",
    "ScoredAt": BEGIN,
    "CostUsd": 0.0,
    "Error": "",
    "Scoring": 0,
}
_VERSION = {
    **_SLOT,
    "ModelVersion": "openai/gpt-4o-2024-08-06",
    "FirstSeen": BEGIN,
    "LastSeen": BEGIN,
    "Conversations": 2,
    "Calls": 13,
    "VerifiedShare": 1.0,
    "UpdatedAt": BEGIN,
    "Gone": 0,
}
_SWAP = {
    **_SLOT,
    "Class": "version",
    "FromVersion": "openai/gpt-4o-2024-08-06",
    "ToVersion": "openai/gpt-4o-mini-2024-07-18",
    "Occurrence": 1,
    "DetectedAt": BEGIN,
    "FirstSeenAt": BEGIN,
    "FirstTraceId": "a" * 32,
    "FirstConversationId": "c-3",
    "ConversationsBefore": 2,
    "ConversationsAfter": 1402,
    "SwapId": "",
    "ShareNow": 1.0,
    "Traffic": "all",
    "EndedAt": dt.datetime(1970, 1, 1),  # noqa: DTZ001 - it stands
    "Declared": False,
    "DeclaredBy": "",
    "DeploymentId": "",
    "Evidence": "{}",
    "ScoreShift": "{}",
    "Severity": "page",
    "UpdatedAt": BEGIN,
    "Withdrawn": 0,
}
_USE = {
    **_SLOT,
    "ConversationId": "c-1",
    "ModelVersion": "openai/gpt-4o-2024-08-06",
    "Provider": "openai",
    "RequestedModel": "gpt-4o",
    "ServedModel": "gpt-4o-2024-08-06",
    "SystemFingerprint": "",
    "PromptVersion": "",
    "AgentVersion": "",
    "FirstAt": BEGIN,
    "LastAt": BEGIN,
    "FirstTraceId": "a" * 32,
    "Calls": 1,
    "FailedCalls": 0,
    "CallsAfterFailure": 0,
    "Opening": 1,
    "Revision": 1,
    "Gone": 0,
}
_DEPLOYMENT = {
    "TenantId": "acme",
    "DeploymentId": "d-1",
    "Kind": "model",
    "ServiceName": "claims",
    "AgentName": "claims_agent",
    "FromVersion": "",
    "ToVersion": "gpt-4o-mini",
    "ValidFrom": BEGIN,
    "ValidUntil": None,
    "DeclaredBy": "Ada",
    "Reason": "cheaper",
    "DeclaredAt": BEGIN,
    "Source": "cli",
    "Withdrawn": False,
    "UpdatedAt": BEGIN,
}
_CONTRACT = {
    "TenantId": "acme",
    "Version": 1,
    "Name": "",
    "ValidFrom": BEGIN - dt.timedelta(days=30),
    "ValidUntil": None,
    "ApprovedModels": ["openai/gpt-4o"],
    "MinVerifiedShare": None,
    "NoticeSeconds": 0.0,
    "Source": "acme.toml",
    "Text": "",
    "RecordedAt": BEGIN,
    "UpdatedAt": BEGIN,
}
_TRACE = {
    "TenantId": "acme",
    "TraceId": "a" * 32,
    "Start": BEGIN,
    "End": BEGIN,
    "FirstIngestedAt": BEGIN,
    "LastIngestedAt": BEGIN,
    "Candidate": "~",
    "Ended": 0,
    "Channel": "",
    "Spans": 1,
    "Batches": 1,
    "Settled": 0,
    "SettledAt": BEGIN,
}
_SPAN = {
    "Timestamp": BEGIN,
    "TenantId": "acme",
    "TraceId": "a" * 32,
    "SpanId": "b" * 16,
    "ConversationId": "",
    "StepKind": "llm",
    "Version": 0,
}


class Record:
    """A store, and a way to put a row of each table: the columns that matter, usual values for the others."""

    def __init__(self, store: Store) -> None:
        self.ask = store.ask
        self._store = store

    @staticmethod
    def at(minutes: float) -> dt.datetime:
        """So long after the record's usual time."""
        return BEGIN + dt.timedelta(minutes=minutes)

    def conversation(self, **columns: Any) -> None:
        self._put("conversations", _CONVERSATION, columns)

    def step(self, **columns: Any) -> None:
        self._put("steps", _STEP, columns)

    def score(self, **columns: Any) -> None:
        self._put("scores", _SCORE, columns)

    def version(self, **columns: Any) -> None:
        self._put("model_versions", _VERSION, columns)

    def swap(self, **columns: Any) -> None:
        self._put("model_swaps", _SWAP, columns)

    def use(self, **columns: Any) -> None:
        self._put("model_uses", _USE, columns)

    def deployment(self, **columns: Any) -> None:
        self._put("deployments", _DEPLOYMENT, columns)

    def contract(self, **columns: Any) -> None:
        self._put("contracts", _CONTRACT, columns)

    def trace(self, **columns: Any) -> None:
        self._put("otel_traces_trace_id_ts", _TRACE, columns)

    def span(self, **columns: Any) -> None:
        self._put("otel_traces", _SPAN, columns)

    def _put(self, table: str, usual: dict[str, Any], columns: dict[str, Any]) -> None:
        assert set(columns) <= set(usual), f"{table} has no {set(columns) - set(usual)}"
        row = {name: value for name, value in {**usual, **columns}.items() if value is not None}  # NULL where left out
        self._store.insert(table, rows.table([row]))


@pytest.fixture(scope="module")
def report_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Empty, and a module's own: the engine holds one path a process, and lets go of it when all handles are closed."""
    store = open_store(f"chdb://{tmp_path_factory.mktemp('record')}")
    yield store
    store.close()


@pytest.fixture(scope="module")
def record(report_store: Store) -> Record:
    """Shared by a module's tests: each keeps to a tenant of its own."""
    return Record(report_store)


@pytest.fixture(scope="session")
def printed() -> Printed:
    """What a console of `width` shows, each line without the blanks that fill it up."""

    def show(report: RenderableType, width: int = 100) -> str:
        out = io.StringIO()
        Console(file=out, width=width, color_system=None).print(report)
        lines = out.getvalue().split("\n")
        assert all(len(line) <= width for line in lines), "wider than the console"
        return "\n".join(line.rstrip() for line in lines)

    return show
