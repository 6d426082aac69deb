"""What passes between the stages of the review lane: frozen values, no I/O."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Role = Literal["system", "user", "assistant", "tool"]
SwapClass = Literal[
    "version", "mismatch", "unapproved", "unverified", "fingerprint", "disguised", "prompt", "agent", "absent"
]
Severity = Literal["page", "warning", "info"]
Traffic = Literal["all", "part", "fallback", "none"]
ChangeKind = Literal["model", "prompt", "agent"]
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
    """The calls of one conversation in a slot that are alike in all that is told of model, prompt and agent.

    Attributes:
        version: `<provider>/<served>`, `<provider>/<requested>?` where nobody tells what answered.
        served: '' where nobody tells.
        failed: how many of its calls failed.
        after_failure: how many of its calls came next after a failed call of another model in the same conversation, or
            went on from there with the same model.
        opening: 1 for the first use of its conversation in the slot, 2 for the next, and so on, in order of time.
    """

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
    fingerprint: str = ""
    prompt_version: str = ""
    agent_version: str = ""
    failed: int = 0
    after_failure: int = 0
    opening: int = 1


@dataclass(frozen=True, slots=True)
class Swap:
    """One change, as the ledger tells it.

    Attributes:
        swap_class: `version`: another model answers; `mismatch`: not the one asked for; `unapproved`: not on the
            contract's list; `unverified`: too few calls tell which model answered; `fingerprint`: another backend;
            `disguised`: the same name, other behaviour; `prompt`, `agent`: another version of the prompt or the agent;
            `absent`: declared, and never seen.
        from_version: what answered before; '' where nothing did.
        occurrence: 1 for the first change from the one to the other, 2 when it happens again.
        before: conversations on `from_version` before it.
        after: conversations on `to_version` since.
        share_now: of the slot's last 50 conversations, the share in which `to_version` answered.
        traffic: what it took over: `all` of the slot's conversations of late; a `part` (canary, router); as a
            `fallback`, most of its calls after a failed one; `none`: the slot has returned.
        ended_ns: when the slot had returned, Unix nanoseconds; 0 while the change stands.
        deployment_id: the declared change that covers it; '' where none does.
    """

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
    severity: Severity
    evidence: dict[str, object]
    share_now: float = 1.0
    traffic: Traffic = "all"
    ended_ns: int = 0
    deployment_id: str = ""
    declared_by: str = ""

    @property
    def id(self) -> str:
        """Names it as long as the record exists."""
        key = (*_key_of(self.slot), self.swap_class, self.from_version, self.to_version, self.occurrence)
        return swap_id(key)


def _key_of(slot: Slot) -> tuple[str, str, str, str]:
    return slot.tenant, slot.service, slot.agent, slot.step_kind


def swap_id(key: Sequence[str | int]) -> str:
    """What makes a swap the same one (tenant, service, agent, role, class, from, to, occurrence) as a short digest."""
    return hashlib.sha256(json.dumps(list(key), ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Contract:
    """What a buyer and a vendor agreed, from `valid_from` until `valid_until` (exclusive; None: until further notice).

    Attributes:
        version: 1 for the first that was recorded of this tenant, 2 for the next.
        approved: patterns of the models that may answer; none: any may.
        aliases: (requested, served) patterns that are no mismatch, such as names of Azure deployments.
        min_verified: the least share of calls, 0..1, that must tell which model answered; None: nothing agreed.
        evaluators: which run; none: the configured ones.
        thresholds: by evaluator.
        notice: how long before it takes effect a change is to be declared.
    """

    tenant: str
    version: int
    valid_from: dt.datetime
    valid_until: dt.datetime | None = None
    approved: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    min_verified: float | None = None
    evaluators: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    notice: dt.timedelta = dt.timedelta()
    name: str = ""
    source: str = ""
    text: str = ""
    recorded_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A change that somebody declared: in these slots, in this time, this version may come into use.

    Attributes:
        service: '' for every service of the tenant; likewise `agent`.
        from_version: '' for any.
        to_version: a model name, a prompt version or an agent version, by `kind`.
        valid_until: None: from then on.
        declared_at: when we were told, which may be after the fact.
        source: who told us: `cli`, `http` or `span`.
    """

    tenant: str
    deployment_id: str
    to_version: str
    valid_from: dt.datetime
    declared_at: dt.datetime
    kind: ChangeKind = "model"
    service: str = ""
    agent: str = ""
    from_version: str = ""
    valid_until: dt.datetime | None = None
    declared_by: str = ""
    reason: str = ""
    source: Literal["cli", "http", "span"] = "cli"
    withdrawn: bool = False

    @property
    def declarer(self) -> str:
        """Who declared it, as a swap names them. A span may name anybody, so it is told that one did."""
        return f"a span ({self.declared_by})" if self.source == "span" else self.declared_by


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
