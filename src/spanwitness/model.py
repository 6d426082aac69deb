"""What passes between the stages of the review lane: frozen values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

Role = Literal["system", "user", "assistant", "tool"]
SwapClass = Literal["version", "mismatch"]
Status = Literal["completed", "not_applicable", "failed"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asked for. `arguments` is JSON text, as sent ('' when the bytes hold none)."""

    id: str
    name: str
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    Attributes:
        error: for role "tool": the call failed.
        span_id: the span it was first seen on ('' when it did not come from a span, or was said before the record
            began and is known from the first call's history alone).
    """

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    error: bool = False
    span_id: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A retrieved document. `metadata` is JSON text."""

    content: str
    metadata: str = ""
    span_id: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A span event; attribute values as stored (strings, JSON for arrays and maps)."""

    time_ns: int
    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A stored span, as the review lane reads it. Ids are lower hex; times are Unix nanoseconds.

    `attributes` and `events` are filled only for the spans whose content is wanted.
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
class Transcript:
    """Who said what, rebuilt from the spans and logs of one conversation."""

    messages: tuple[Message, ...] = ()
    system_prompt: str = ""
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trajectory.

    Attributes:
        number: runs 1..n over the conversation.
        turn: counts customer turns from 1.
        confidence: 0..1, the recogniser's own, where the step heard the customer and its span tells it.
    """

    number: int
    turn: int
    span: SpanRecord
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A closed conversation, ready to be evaluated."""

    messages: tuple[Message, ...]
    tenant: str = ""
    conversation_id: str = ""
    revision: int = 1
    steps: tuple[Step, ...] = ()
    system_prompt: str = ""
    documents: tuple[Document, ...] = ()
    channel: str = ""
    intent: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on: a rule and the message (index into `messages`) or span where it was met."""

    rule: str
    message_index: int | None = None
    span_id: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """An evaluator's answer.

    Attributes:
        score: 0..1 unless the evaluator's page says otherwise; None when there is none. Never 0 for a missing input.
        status: "completed"; "not_applicable" (nothing here to judge, or not enough to know); "failed" (an error).
        mode: how it was reached, where an evaluator has several ways.
    """

    evaluator: str
    evaluator_version: str
    score: float | None
    label: str
    status: Status
    explanation: str
    evidence: tuple[Evidence, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    mode: str = ""


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


@dataclass(frozen=True, slots=True)
class Facts:
    """What is counted of a conversation."""

    turns: int
    tool_calls: int
    tool_errors: int
    escalations: int
    input_tokens: int
    output_tokens: int
    agents: tuple[str, ...]
    versions: tuple[str, ...]
    prompts: tuple[str, ...]
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """Where one model is expected: an agent's calls in one role.

    Attributes:
        step_kind: the role: llm, or of speech stt or tts, which are different models by design.
    """

    tenant: str
    service: str
    agent: str
    step_kind: str


@dataclass(frozen=True, slots=True)
class Use:
    """A model version's calls within one conversation of a slot."""

    slot: Slot
    conversation_id: str
    version: str
    provider: str
    requested: str
    served: str
    first: dt.datetime
    last: dt.datetime
    first_trace: str
    calls: int
    first_ns: int = 0


@dataclass(frozen=True, slots=True)
class Swap:
    """One change. `occurrence` is 1 for the first change from one version to the other, 2 when it happens again."""

    slot: Slot
    swap_class: SwapClass
    from_version: str
    to_version: str
    occurrence: int
    first_seen: dt.datetime
    first_seen_ns: int
    first_trace: str
    first_conversation: str
    before: int
    after: int
    severity: Literal["page", "warning"]
    evidence: dict[str, object]


@dataclass(frozen=True, slots=True)
class VersionUse:
    """A version's record in a slot. `verified`: the share of its calls whose served model was told."""

    slot: Slot
    version: str
    first: dt.datetime
    last: dt.datetime
    conversations: int
    calls: int
    verified: float
