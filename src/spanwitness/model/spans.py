"""Spans, log records and traces as the review lane reads them: frozen values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Event:
    """A span event; attribute values as stored (strings, JSON for arrays and maps)."""

    time_ns: int
    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A stored span, as the review lane reads it. Ids are lower hex; times are Unix nanoseconds.

    `attributes` and `events` are filled only for the spans whose content is wanted. The representation is what a
    conversation's digest is made of (settle.py): a field that a later release adds stays out of it.
    """

    tenant: str
    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    service: str
    scope: str
    dialect: str
    step_kind: str
    started_ns: int
    ended_ns: int
    status: str
    status_message: str = ""
    actor: str = ""
    agent_name: str = ""
    agent_version: str = ""
    provider: str = ""
    requested_model: str = ""
    served_model: str = ""
    served_source: str = ""
    model_version: str = ""
    prompt_version: str = ""
    tool_name: str = ""
    channel: str = ""
    intent: str = ""
    language: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    finish_reason: str = ""
    system_fingerprint: str = field(default="", repr=False)
    attributes: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    @property
    def role(self) -> str:
        """What the call is for: its kind, and of speech whether it hears (`stt`) or speaks (`tts`)."""
        if self.step_kind != "speech":
            return self.step_kind
        return "stt" if self.actor == "customer" else "tts"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A stored log record. `body` and attribute values are text; JSON for arrays and maps."""

    trace_id: str
    span_id: str
    time_ns: int
    event_name: str
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenTrace:
    """A trace of which not everything has been reviewed.

    Attributes:
        conversation_id: the trace's best candidate, else its own id.
        source: the key that named it, "trace" where none did.
        since: when its oldest unreviewed part may have arrived.
        last: when its newest part arrived.
        ended: a span said that nothing more will come.
        batches: how much of it had arrived when it was looked at.
        spans: how many spans of it arrived, re-sent ones counted again.
        start: when it began, in whole seconds.
        candidate: as stored, `identity.split_candidate`.
    """

    tenant: str
    trace_id: str
    conversation_id: str
    source: str
    since: dt.datetime
    last: dt.datetime
    start: dt.datetime
    end: dt.datetime
    ended: bool = False
    channel: str = ""
    batches: int = 0
    spans: int = 0
    candidate: str = ""
