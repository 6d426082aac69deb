"""What is reviewed together: conversations in chunks, and of each its traces, its spans and its logs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from spanwitness.close import by_conversation
from spanwitness.model import Conversation, Transcript
from spanwitness.settle import settle
from spanwitness.transcript import rebuild

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from spanwitness.close import Due
    from spanwitness.model import LogRecord, OpenTrace
    from spanwitness.store.record import StoredSpan


def chunks(wanted: Sequence[Due], spans: int) -> Iterator[list[Due]]:
    """Conversations of one tenant at a time, in order of their beginning, about so many spans together."""
    chunk: list[Due] = []
    size = 0
    for one in sorted(wanted, key=_begin):
        weight = sum(trace.spans for trace in one.traces)
        if chunk and (one.tenant != chunk[0].tenant or size + weight > spans):
            yield chunk
            chunk, size = [], 0
        chunk.append(one)
        size += weight
    if chunk:
        yield chunk


def _begin(one: Due) -> tuple[str, dt.datetime, str]:
    return one.tenant, min(trace.start for trace in one.traces), one.conversation_id


def group(items: Iterable[Any], traces: Sequence[OpenTrace], trace_of: Callable[[Any], str]) -> dict[str, list[Any]]:
    """What belongs to some traces, by conversation."""
    identity = {trace.trace_id: trace.conversation_id for trace in traces}
    groups: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        if trace_of(item) in identity:
            groups[identity[trace_of(item)]].append(item)
    return groups


def by_identity(traces: Sequence[OpenTrace]) -> dict[str, list[OpenTrace]]:
    """Traces of one tenant by conversation."""
    return {identity: group for (_, identity), group in by_conversation(traces).items()}


def source_of(traces: Sequence[OpenTrace]) -> str:
    """The key that named the conversation: that of its first trace, since every trace has one."""
    return traces[0].source if traces else ""


def conversation_of(one: Due, stored: Sequence[StoredSpan], logs: Sequence[LogRecord], source: str) -> Conversation:
    """The conversation as its spans and logs tell it, steps and transcript. `source`: the key that named it."""
    spans = [entry.span for entry in stored]
    transcript = rebuild(spans, logs) if any(span.step_kind for span in spans) else Transcript()
    return Conversation(
        messages=transcript.messages,
        tenant=one.tenant,
        conversation_id=one.conversation_id,
        id_source=source,
        steps=settle(spans, transcript),
        system_prompt=transcript.system_prompt,
        documents=transcript.documents,
        channel=_first(span.channel for span in spans),
        intent=_first(span.intent for span in spans),
        language=_first(span.language for span in spans),
    )


def _first(values: Iterable[str]) -> str:
    return min((value for value in values if value), default="")
