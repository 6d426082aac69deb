"""What a span stands for, told by what is known of it: enough to number steps and to find the model call."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(Enum):
    """MODEL: a call of a model. PART: of such a call, its HTTP request or one try of several. STEP: any other step.

    OTHER: a wrapper, or no part of a trajectory. UNKNOWN: no sign.
    """

    MODEL = "model"
    PART = "part"
    STEP = "step"
    OTHER = "other"
    UNKNOWN = "unknown"


STEPS = (Kind.MODEL, Kind.STEP)

_REST = "*"
_OPENINFERENCE = {
    "LLM": Kind.MODEL,
    "TOOL": Kind.STEP,
    "RETRIEVER": Kind.STEP,
    "GUARDRAIL": Kind.STEP,
    _REST: Kind.OTHER,
}

# The attribute that says it, in the order of trust, and what its values mean.
_OPERATION = "gen_ai.operation.name"
_MARKERS: tuple[tuple[str, Mapping[str, Kind]], ...] = (
    (
        _OPERATION,
        {
            "chat": Kind.MODEL,
            "text_completion": Kind.MODEL,
            "generate_content": Kind.MODEL,
            "execute_tool": Kind.STEP,
            "retrieval": Kind.STEP,
            "search_memory": Kind.STEP,
            _REST: Kind.OTHER,
        },
    ),
    ("openinference.span.kind", _OPENINFERENCE),
    ("gen_ai.span.kind", _OPENINFERENCE),  # traceAI
    ("traceloop.span.kind", {"tool": Kind.STEP, _REST: Kind.OTHER}),
    ("llm.request.type", {"chat": Kind.MODEL, "completion": Kind.MODEL, _REST: Kind.OTHER}),  # OpenLLMetry, older
    (
        "ai.operationId",
        {
            "ai.generateText.doGenerate": Kind.MODEL,
            "ai.streamText.doStream": Kind.MODEL,
            "ai.generateObject.doGenerate": Kind.MODEL,
            "ai.streamObject.doStream": Kind.MODEL,
            "ai.toolCall": Kind.STEP,
            _REST: Kind.OTHER,
        },
    ),
    (
        "mlflow.spanType",  # its values are JSON
        {
            '"CHAT_MODEL"': Kind.MODEL,
            '"LLM"': Kind.MODEL,
            '"TOOL"': Kind.STEP,
            '"RETRIEVER"': Kind.STEP,
            _REST: Kind.OTHER,
        },
    ),
    ("db.system", {_REST: Kind.OTHER}),
    ("db.system.name", {_REST: Kind.OTHER}),
    ("http.request.method", {_REST: Kind.PART}),
    ("http.method", {_REST: Kind.PART}),
    ("rpc.system", {_REST: Kind.OTHER}),
    ("messaging.system", {_REST: Kind.OTHER}),
)

_KEYS = frozenset(key for key, _ in _MARKERS)

# LiveKit sets its attributes after the start, and the model's name on wrappers too: its names alone tell.
_LIVEKIT = "livekit-agents"
_LIVEKIT_NAMES = {
    "llm_request": Kind.MODEL,
    "llm_request_run": Kind.PART,
    "function_tool": Kind.STEP,
    "user_turn": Kind.STEP,
    "tts_node": Kind.STEP,
}

_NAMES = {
    "call_llm": Kind.MODEL,  # Google ADK
    "execute_tool (merged)": Kind.OTHER,  # Google ADK: stands for tools that have spans of their own
    "pinecone query": Kind.STEP,
    "pgvector query": Kind.STEP,
    "agent run": Kind.OTHER,  # pydantic-ai v2
    "agent_run": Kind.OTHER,
    "execute_event_loop_cycle": Kind.OTHER,  # strands
    "invocation": Kind.OTHER,  # Google ADK
}
_FIRST_WORDS = {
    "chat": Kind.MODEL,
    "text_completion": Kind.MODEL,
    "generate_content": Kind.MODEL,
    "execute_tool": Kind.STEP,
    "retrieval": Kind.STEP,
    "invoke_agent": Kind.OTHER,
    "invoke_workflow": Kind.OTHER,
    "create_agent": Kind.OTHER,
}
_FIRST_TWO_WORDS = {"running tool": Kind.STEP, "handoff to": Kind.STEP}
_LAST_WORDS = {"tool": Kind.STEP, "workflow": Kind.OTHER, "agent": Kind.OTHER, "task": Kind.OTHER}  # OpenLLMetry


def kind_of(name: str, scope: str, held: Mapping[str, Any]) -> Kind:
    """What a span of this name, instrumentation scope and attributes stands for, as far as they tell now."""
    if scope == _LIVEKIT:
        return _LIVEKIT_NAMES.get(name, Kind.OTHER)
    known = _NAMES.get(name)
    if known is not None:
        return known
    if _OPERATION not in held and _KEYS.isdisjoint(held):
        return _by_words(name)
    for key, meanings in _MARKERS:
        if key in held:
            return meanings.get(str(held[key]), meanings[_REST])
    return Kind.UNKNOWN


@lru_cache(maxsize=1024)
def _by_words(name: str) -> Kind:
    first, space, rest = name.partition(" ")
    if space:
        return _FIRST_WORDS.get(first) or _FIRST_TWO_WORDS.get(f"{first} {rest.partition(' ')[0]}", Kind.UNKNOWN)
    word, dot, last = name.rpartition(".")
    if dot and word:
        return _LAST_WORDS.get(last, Kind.UNKNOWN)
    # A bare `chat` is strands' model call; a bare `retrieval` may be anybody's.
    return Kind.MODEL if name == "chat" else _FIRST_WORDS.get(name, Kind.UNKNOWN)
