"""The review lane's results as rows of their tables."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from spanwitness.identity import NO_CANDIDATE
from spanwitness.model import Conversation, Facts, JudgeUse, OpenTrace, Score, Slot, Step, Swap, VersionUse

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIME = pa.timestamp("ms")
_TIME_NS = pa.timestamp("ns")
_TEXTS = pa.list_(pa.string())
_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(("StartedAt", "EndedAt", "FirstSeen", "LastSeen", "FirstSeenAt"), _TIME_NS),
    **dict.fromkeys(
        ("ClosedAt", "RecordedAt", "ScoredAt", "DetectedAt", "UpdatedAt", "FirstIngestedAt", "LastIngestedAt"), _TIME
    ),
    **dict.fromkeys(("SettledAt", "ForwardedAt", "AskedAt", "NextAt", "CalledAt"), _TIME),
    **dict.fromkeys(("Start", "End"), pa.timestamp("s")),
    **dict.fromkeys(
        ("ServiceNames", "AgentNames", "ModelVersions", "PromptVersions", "TraceIds", "EvidenceSpanIds"), _TEXTS
    ),
    "Score": pa.float64(),
    "Threshold": pa.float64(),
    "Passed": pa.bool_(),
    "Confidence": pa.float64(),
}


@dataclass(frozen=True, slots=True)
class Closed:
    """A conversation as the record keeps it."""

    conversation: Conversation
    facts: Facts
    source: str
    reason: str
    outcome: str
    digest: str
    traces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a span row becomes."""

    tenant: str
    trace_id: str
    span_id: str
    conversation_id: str
    source: str
    step: int
    version: int


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of one table as Arrow columns of the right types."""
    names = list(rows[0])
    return pa.table({name: pa.array([row[name] for row in rows], _TYPES.get(name)) for name in names})


def conversation_row(closed: Closed, now: dt.datetime) -> dict[str, Any]:
    """A row of conversations."""
    conversation, counted = closed.conversation, closed.facts
    spans = [step.span for step in conversation.steps]
    return {
        **_key(conversation),
        "StartedAt": min(span.started_ns for span in spans),
        "EndedAt": max(span.ended_ns for span in spans),
        "ClosedAt": naive(now),
        "CloseReason": closed.reason,
        "ConversationIdSource": closed.source,
        "ServiceNames": list(counted.services),
        "Channel": conversation.channel,
        "Intent": conversation.intent,
        "Language": conversation.language,
        "AgentNames": list(counted.agents),
        "ModelVersions": list(counted.versions),
        "PromptVersions": list(counted.prompts),
        "Turns": counted.turns,
        "Steps": len(spans),
        "ToolCalls": counted.tool_calls,
        "ToolErrors": counted.tool_errors,
        "Escalations": counted.escalations,
        "InputTokens": counted.input_tokens,
        "OutputTokens": counted.output_tokens,
        "Outcome": closed.outcome,
        "TraceIds": list(closed.traces),
        "Digest": closed.digest,
    }


def emptied_row(tenant: str, identity: str, revision: int, now: dt.datetime, moved_to: str) -> dict[str, Any]:
    """The last revision of a conversation all of whose traces turned out to belong to another one."""
    nothing = Conversation(messages=(), tenant=tenant, conversation_id=identity, revision=revision)
    texts = dict.fromkeys(("Channel", "Intent", "Language", "Digest", "ConversationIdSource"), "")
    lists: dict[str, list[str]] = {
        name: [] for name in ("ServiceNames", "AgentNames", "ModelVersions", "PromptVersions", "TraceIds")
    }
    counts = ("Turns", "Steps", "ToolCalls", "ToolErrors", "Escalations", "InputTokens", "OutputTokens")
    return {
        **_key(nothing),
        "StartedAt": 0,
        "EndedAt": 0,
        "ClosedAt": naive(now),
        "CloseReason": "moved",
        **texts,
        **lists,
        **dict.fromkeys(counts, 0),
        "Outcome": f"moved to {moved_to}",
    }


def step_row(conversation: Conversation, step: Step, now: dt.datetime) -> dict[str, Any]:
    """A row of steps."""
    span = step.span
    return {
        **_key(conversation),
        "Step": step.number,
        "Turn": step.turn,
        "StepKind": span.step_kind,
        "Actor": span.actor,
        "ServiceName": span.service,
        "AgentName": span.agent_name,
        "AgentVersion": span.agent_version,
        "ToolName": span.tool_name,
        "Provider": span.provider,
        "RequestedModel": span.requested_model,
        "ServedModel": span.served_model,
        "ServedModelSource": span.served_source,
        "SystemFingerprint": span.system_fingerprint,
        "ModelVersion": span.model_version,
        "PromptVersion": span.prompt_version,
        "StartedAt": span.started_ns,
        "DurationMs": (span.ended_ns - span.started_ns) / 1e6,
        "Status": span.status,
        "InputTokens": span.input_tokens,
        "OutputTokens": span.output_tokens,
        "Confidence": step.confidence,
        "TraceId": span.trace_id,
        "SpanId": span.span_id,
        "RecordedAt": naive(now),
    }


def score_row(conversation: Conversation, score: Score, threshold: float | None, now: dt.datetime) -> dict[str, Any]:
    """A row of scores for a first verdict, with the threshold in force beside it; `scores.placed` numbers the next."""
    use = score.judge or JudgeUse("")
    messages = conversation.messages
    spans = [
        found.span_id or (messages[found.message_index].span_id if found.message_index is not None else "")
        for found in score.evidence
    ]
    judged = score.score is not None and threshold is not None
    return {
        **_key(conversation),
        "Evaluator": score.evaluator,
        "EvaluatorVersion": score.evaluator_version,
        "Judge": use.judge,
        "JudgeModel": use.served,
        "JudgePrompt": use.prompt,
        "Status": score.status,
        "Mode": score.mode,
        "Score": score.score,
        "Label": score.label,
        "Threshold": threshold,
        "Passed": score.score >= threshold if judged else None,  # type: ignore[operator]
        "Explanation": score.explanation,
        "EvidenceSpanIds": list(dict.fromkeys(span for span in spans if span)),
        "Details": orjson.dumps(dict(score.details), default=str).decode(),
        "ScoredAt": naive(now),
        "CostUsd": use.cost_usd,
        "JudgeInputTokens": use.input_tokens,
        "JudgeOutputTokens": use.output_tokens,
        "JudgeLatencyMs": use.latency_ms,
        "Error": score.explanation if score.status == "failed" else "",
        "Scoring": 0,
    }


def settlement_row(settlement: Settlement, sweep: str) -> dict[str, Any]:
    """A row of span_settlements, dated by the engine."""
    return {
        "Sweep": sweep,
        "TenantId": settlement.tenant,
        "TraceId": settlement.trace_id,
        "SpanId": settlement.span_id,
        "ConversationId": settlement.conversation_id,
        "ConversationIdSource": settlement.source,
        "TrajectoryStep": settlement.step,
        "Version": settlement.version,
    }


def reviewed_row(trace: OpenTrace, now: dt.datetime) -> dict[str, Any]:
    """A row of otel_traces_trace_id_ts: what had arrived of a trace is reviewed. Adds nothing else to it."""
    return {
        "TenantId": trace.tenant,
        "TraceId": trace.trace_id,
        "Start": naive(trace.start),
        "End": naive(trace.end),
        "FirstIngestedAt": naive(trace.last),
        "LastIngestedAt": naive(trace.last),
        "Candidate": NO_CANDIDATE,
        "Ended": 0,
        "Channel": "",
        "Spans": 0,
        "Batches": 0,
        "Settled": trace.batches,
        "SettledAt": naive(now),
    }


def version_row(use: VersionUse, now: dt.datetime) -> dict[str, Any]:
    """A row of model_versions."""
    return {
        **_slot(use),
        "ModelVersion": use.version,
        "FirstSeen": naive(use.first),
        "LastSeen": naive(use.last),
        "Conversations": use.conversations,
        "Calls": use.calls,
        "VerifiedShare": use.verified,
        "UpdatedAt": naive(now),
        "Gone": 0,
    }


def gone_version_row(slot: Slot, version: str, now: dt.datetime) -> dict[str, Any]:
    """A row of model_versions that takes one back: no conversation has it any more, as its last revision stands."""
    moment = naive(now)
    return {
        **_slot_columns(slot),
        "ModelVersion": version,
        "FirstSeen": moment,
        "LastSeen": moment,
        "Conversations": 0,
        "Calls": 0,
        "VerifiedShare": 0.0,
        "UpdatedAt": moment,
        "Gone": 1,
    }


def swap_row(swap: Swap, detected: dt.datetime, now: dt.datetime, *, withdrawn: bool = False) -> dict[str, Any]:
    """A row of model_swaps. `detected`: when it was first told."""
    return {
        **_slot(swap),
        "Class": swap.swap_class,
        "FromVersion": swap.from_version,
        "ToVersion": swap.to_version,
        "Occurrence": swap.occurrence,
        "SwapId": swap.id,
        "DetectedAt": naive(detected),
        "FirstSeenAt": swap.first_seen_ns,
        "FirstTraceId": swap.first_trace,
        "FirstConversationId": swap.first_conversation,
        "ConversationsBefore": swap.before,
        "ConversationsAfter": swap.after,
        "ShareNow": float(swap.share_now),
        "Traffic": swap.traffic,
        "EndedAt": swap.ended_ns,
        "Declared": bool(swap.deployment_id),
        "DeclaredBy": swap.declared_by,
        "DeploymentId": swap.deployment_id,
        "Evidence": as_json(swap.evidence),
        "ScoreShift": "{}",
        "Severity": swap.severity,
        "UpdatedAt": naive(now),
        "Withdrawn": int(withdrawn),
    }


def as_json(value: object) -> str:
    """A value as the text of a JSON column; equal values give equal texts."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def naive(moment: dt.datetime) -> dt.datetime:
    """UTC without a zone, which is how the columns are declared."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def _key(conversation: Conversation) -> dict[str, Any]:
    return {
        "TenantId": conversation.tenant,
        "ConversationId": conversation.conversation_id,
        "Revision": conversation.revision,
    }


def _slot(of: VersionUse | Swap) -> dict[str, Any]:
    return _slot_columns(of.slot)


def _slot_columns(slot: Slot) -> dict[str, Any]:
    return {
        "TenantId": slot.tenant,
        "ServiceName": slot.service,
        "AgentName": slot.agent,
        "StepKind": slot.step_kind,
    }
