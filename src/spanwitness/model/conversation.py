"""Who said what in a conversation, and the steps that it took: frozen values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from spanwitness.model.spans import SpanRecord

Role = Literal["system", "user", "assistant", "tool"]


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
    """A closed conversation, ready to be evaluated.

    Attributes:
        id_source: the key that named it; "trace": none did, so it is one trace, and more may belong to it.
    """

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
    id_source: str = ""


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
