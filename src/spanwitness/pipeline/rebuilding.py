"""Closed conversations, read from the record again as their newest revision has them, to be scored once more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spanwitness.close import Due
from spanwitness.pipeline.gathering import by_identity, conversation_of, group, source_of
from spanwitness.settle import digest
from spanwitness.store import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spanwitness.model import Conversation, LogRecord, OpenTrace
    from spanwitness.store import Store


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A conversation as its newest revision has it.

    Attributes:
        conversation: None where that revision is empty, since its spans belong to another conversation.
        revision: its number, 0 where it has never closed.
        open: more has come since, and the review will make a revision of it.
        began: Unix nanoseconds.
    """

    conversation_id: str
    revision: int = 0
    conversation: Conversation | None = None
    open: bool = False
    began: int = 0


def rebuilt(store: Store, tenant: str, conversations: Sequence[str], most_spans: int) -> Iterator[Rebuilt]:
    """Conversations of a tenant, one after the other, about so many spans in memory at once. Raises StoreError."""
    last = record.last_revisions(store, tenant, conversations)
    ids = sorted({trace for revision in last.values() for trace in revision.traces})
    own = by_identity([trace for trace in record.traces_by_id(store, tenant, ids) if trace.conversation_id in last])
    for part in _parts([(identity, own.get(identity, [])) for identity in conversations], most_spans):
        traces = [trace for _, found in part for trace in found]
        spans = group(record.load_spans(store, tenant, traces), traces, lambda one: one.span.trace_id) if traces else {}
        logs = group(record.load_logs(store, tenant, traces), traces, lambda one: one.trace_id) if traces else {}
        for identity, found in part:
            known = last.get(identity, record.LastRevision())
            due = Due(tenant, identity, "requested", tuple(found))
            yield _one(store, due, known, spans.pop(identity, []), logs.pop(identity, []))


def _one(
    store: Store,
    due: Due,
    known: record.LastRevision,
    spans: Sequence[record.StoredSpan],
    logs: Sequence[LogRecord],
) -> Rebuilt:
    conversation = conversation_of(due, spans, logs, source_of(due.traces))
    if not conversation.steps:
        return Rebuilt(due.conversation_id, known.number)
    differs = digest(conversation) != known.digest  # since more has come, or another release read it otherwise
    return Rebuilt(
        due.conversation_id,
        known.number,
        replace(conversation, revision=known.number),
        open=differs and record.any_open(store, due.tenant, [trace.trace_id for trace in due.traces]),
        began=min(step.span.started_ns for step in conversation.steps),
    )


def _parts(
    wanted: Sequence[tuple[str, list[OpenTrace]]], most_spans: int
) -> Iterator[list[tuple[str, list[OpenTrace]]]]:
    part: list[tuple[str, list[OpenTrace]]] = []
    size = 0
    for identity, traces in wanted:
        weight = sum(trace.spans for trace in traces)
        if part and size + weight > most_spans:
            yield part
            part, size = [], 0
        part.append((identity, traces))
        size += weight
    if part:
        yield part
