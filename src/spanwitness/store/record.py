"""What the review lane reads from the store: open traces, the spans and logs of conversations."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spanwitness.identity import SOURCE_TRACE, split_candidate
from spanwitness.model import Event, LogRecord, OpenTrace, Slot, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.store.clickhouse import Store

_TRACES = """
SELECT TenantId, TraceId, min(Start) AS start, max(End) AS end, min(FirstIngestedAt) AS first,
       max(LastIngestedAt) AS last, min(Candidate) AS candidate, max(Ended) AS ended, max(Channel) AS channel,
       sum(Spans) AS spans, sum(Batches) AS batches, max(Settled) AS settled, max(SettledAt) AS settled_at
FROM otel_traces_trace_id_ts
WHERE {where}
GROUP BY TenantId, TraceId
{having}
"""

_SPANS = """
SELECT TenantId, TraceId, SpanId, ParentSpanId, SpanName, ServiceName, ScopeName, Dialect, StepKind,
       toUnixTimestamp64Nano(Timestamp) AS started, started + toInt64(Duration) AS ended, StatusCode, StatusMessage,
       StepFailed, Actor, AgentName, AgentVersion, Provider, RequestedModel, ServedModel, ServedModelSource,
       ModelVersion, PromptVersion, ToolName, Channel, Intent, Language, InputTokens, OutputTokens, FinishReason,
       SystemFingerprint, ConversationId, ConversationIdSource, TrajectoryStep, Version,
       if(StepKind = '', map(), SpanAttributes) AS attributes,
       if(StepKind = '', [], `Events.Timestamp`) AS event_times,
       if(StepKind = '', [], `Events.Name`) AS event_names,
       if(StepKind = '', [], `Events.Attributes`) AS event_attributes
FROM otel_traces FINAL
WHERE TenantId = {{tenant:String}} AND TraceId IN {{traces:Array(String)}}
  AND toStartOfHour(Timestamp) >= toStartOfHour({{start:DateTime}}) AND Timestamp <= {{end:DateTime}} + 1
"""

_LOGS = """
SELECT TraceId, SpanId, toUnixTimestamp64Nano(Timestamp) AS time, EventName, Body, LogAttributes AS attributes
FROM otel_logs FINAL
WHERE TenantId = {tenant:String} AND TraceId IN {traces:Array(String)}
  AND toStartOfHour(Timestamp) >= toStartOfHour({start:DateTime}) AND Timestamp <= {end:DateTime} + 1
ORDER BY Timestamp, RecordHash  -- those of one moment would else be read in another order the next time
"""

_LAST = """
SELECT ConversationId, max(Revision) AS revision, argMax(Digest, Revision) AS digest,
       argMax(TraceIds, Revision) AS traces
FROM conversations FINAL
WHERE TenantId = {tenant:String} AND ConversationId IN {conversations:Array(String)}
GROUP BY ConversationId
"""

# The role of a call: a voice agent hears with one model, thinks with another and speaks with a third.
_ROLE = "multiIf(StepKind != 'speech', toString(StepKind), Actor = 'customer', 'stt', 'tts')"

_SLOTS = f"""
SELECT DISTINCT ServiceName, AgentName, {_ROLE} AS Role FROM steps FINAL
WHERE TenantId = {{tenant:String}} AND ConversationId IN {{conversations:Array(String)}} AND ModelVersion != ''
"""


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """A span, and how it is settled so far. `version` 0: not yet."""

    span: SpanRecord
    conversation_id: str
    source: str
    step: int
    version: int


@dataclass(frozen=True, slots=True)
class LastRevision:
    """The newest revision of a conversation; number 0 where there is none."""

    number: int = 0
    digest: str = ""
    traces: tuple[str, ...] = ()


def open_traces(store: Store, since: dt.datetime | None = None) -> list[OpenTrace]:
    """Traces of which something has arrived that no review has seen.

    With `since`, only those of which something arrived since then; else the whole index is looked through.
    """
    if since is None:
        return _traces(store, "1", "HAVING batches > settled", {})
    # The inner condition lets the engine leave out the partitions of all earlier days.
    recent = """(TenantId, TraceId) IN
        (SELECT TenantId, TraceId FROM otel_traces_trace_id_ts WHERE LastIngestedAt >= {since:DateTime})"""
    return _traces(store, recent, "HAVING batches > settled", {"since": since})


def traces_by_id(store: Store, tenant: str, trace_ids: Sequence[str]) -> list[OpenTrace]:
    """Some traces as they are now, reviewed or not."""
    where = "TenantId = {tenant:String} AND TraceId IN {ids:Array(String)}"
    return _traces(store, where, "", {"tenant": tenant, "ids": list(trace_ids)}) if trace_ids else []


def any_open(store: Store, tenant: str, trace_ids: Sequence[str]) -> bool:
    """Whether something has arrived of some traces that no review has seen."""
    where = "TenantId = {tenant:String} AND TraceId IN {ids:Array(String)}"
    found = _traces(store, where, "HAVING batches > settled", {"tenant": tenant, "ids": list(trace_ids)})
    return bool(trace_ids and found)


def _traces(store: Store, where: str, having: str, parameters: dict[str, Any]) -> list[OpenTrace]:
    return [
        _trace(row) for row in store.rows(_TRACES.replace("{where}", where).replace("{having}", having), parameters)
    ]


def _trace(row: dict[str, Any]) -> OpenTrace:
    key, identity = split_candidate(row["candidate"])
    return OpenTrace(
        tenant=row["TenantId"],
        trace_id=row["TraceId"],
        conversation_id=identity or row["TraceId"],
        source=key or SOURCE_TRACE,
        since=max(_utc(row["first"]), _utc(row["settled_at"])),
        last=_utc(row["last"]),
        start=_utc(row["start"]),
        end=_utc(row["end"]),
        ended=bool(row["ended"]),
        channel=row["channel"],
        batches=row["batches"],
        spans=row["spans"],
        candidate=row["candidate"],
    )


def _utc(value: Any) -> dt.datetime:
    if isinstance(value, int):  # Arrow has no DateTime of whole seconds: the engine sends a number
        return dt.datetime.fromtimestamp(value, dt.UTC)
    moment: dt.datetime = value
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _where(tenant: str, traces: Sequence[OpenTrace]) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "traces": [trace.trace_id for trace in traces],
        "start": min(trace.start for trace in traces),
        "end": max(trace.end for trace in traces),
    }


def load_spans(store: Store, tenant: str, traces: Sequence[OpenTrace]) -> list[StoredSpan]:
    """All spans of some traces, each once; content only for steps."""
    table = store.arrow(_SPANS.replace("{{", "{").replace("}}", "}"), _where(tenant, traces))
    return [_span(row) for batch in table.to_batches(max_chunksize=1000) for row in batch.to_pylist()]


def _span(row: dict[str, Any]) -> StoredSpan:
    span = SpanRecord(
        tenant=row["TenantId"],
        trace_id=row["TraceId"],
        span_id=row["SpanId"],
        parent_span_id=row["ParentSpanId"],
        name=row["SpanName"],
        service=row["ServiceName"],
        scope=row["ScopeName"],
        dialect=row["Dialect"],
        step_kind=row["StepKind"],
        started_ns=row["started"],
        ended_ns=row["ended"],
        status="Error" if row["StepFailed"] else row["StatusCode"],
        status_message=row["StatusMessage"],
        actor=row["Actor"],
        agent_name=row["AgentName"],
        agent_version=row["AgentVersion"],
        provider=row["Provider"],
        requested_model=row["RequestedModel"],
        served_model=row["ServedModel"],
        served_source=row["ServedModelSource"],
        model_version=row["ModelVersion"],
        prompt_version=row["PromptVersion"],
        tool_name=row["ToolName"],
        channel=row["Channel"],
        intent=row["Intent"],
        language=row["Language"],
        input_tokens=row["InputTokens"],
        output_tokens=row["OutputTokens"],
        finish_reason=row["FinishReason"],
        system_fingerprint=row["SystemFingerprint"],
        attributes=dict(row["attributes"]),
        events=tuple(
            Event(_nanoseconds(time), name, dict(attributes))
            for time, name, attributes in zip(
                row["event_times"], row["event_names"], row["event_attributes"], strict=True
            )
        ),
    )
    return StoredSpan(
        span,
        row["ConversationId"],
        row["ConversationIdSource"],
        row["TrajectoryStep"],
        row["Version"],
    )


def _nanoseconds(value: Any) -> int:
    return int(value.value) if hasattr(value, "value") else int(value.timestamp() * 1_000_000_000)


def load_logs(store: Store, tenant: str, traces: Sequence[OpenTrace]) -> list[LogRecord]:
    """The log records of some traces, each once."""
    return [
        LogRecord(row["TraceId"], row["SpanId"], row["time"], row["EventName"], row["Body"], dict(row["attributes"]))
        for row in store.rows(_LOGS, _where(tenant, traces))
    ]


def last_revisions(store: Store, tenant: str, conversations: Sequence[str]) -> dict[str, LastRevision]:
    """The newest revision of each of some conversations that has one."""
    rows = store.rows(_LAST, {"tenant": tenant, "conversations": list(conversations)})
    return {row["ConversationId"]: LastRevision(row["revision"], row["digest"], tuple(row["traces"])) for row in rows}


def slots_of(store: Store, tenant: str, conversations: Sequence[str]) -> set[Slot]:
    """The slots that some conversations ever had a part in, in all their revisions."""
    if not conversations:
        return set()
    rows = store.rows(_SLOTS, {"tenant": tenant, "conversations": list(conversations)})
    return {Slot(tenant, row["ServiceName"], row["AgentName"], row["Role"]) for row in rows}
