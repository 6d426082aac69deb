"""Declarations that several dialects share."""

from __future__ import annotations

from typing import Final

from spanwitness.identity import APPLICATION_IDS
from spanwitness.tag.dialect import From, Kind, Sources, keys

CONVERSATION = keys("gen_ai.conversation.id", "session.id", "langfuse.session.id")

ANY_CONVERSATION = (*CONVERSATION, *keys(*APPLICATION_IDS))
"""And the keys that applications choose themselves, where a library lets them hang what they like on a span."""

_OPERATIONS: Final = {
    "chat": "llm",
    "generate_content": "llm",
    "text_completion": "llm",
    "completion": "llm",
    "responses": "llm",
    "execute_tool": "tool",
    "retrieval": "retrieval",
    "search_memory": "retrieval",
    **dict.fromkeys(
        ("count_tokens", "embed", "embedding", "embeddings", "image_generation", "moderation", "rerank"), ""
    ),
    "speech_to_text": "speech",
    "text_to_speech": "speech",
    "transcription": "speech",
    "stt": "speech",
    "tts": "speech",
}

OPERATIONS = Kind(From("gen_ai.operation.name"), {**_OPERATIONS, "*": ""})
"""gen_ai.operation.name of the GenAI conventions. Embeddings are no step: they serve one."""

_ROLES: Final = {
    "LLM": "llm",
    "TOOL": "tool",
    "RETRIEVER": "retrieval",
    "GUARDRAIL": "guardrail",
}

OPENINFERENCE_KINDS = {**_ROLES, **{name.lower(): kind for name, kind in _ROLES.items()}, "*": ""}
"""openinference.span.kind, and gen_ai.span.kind of traceAI, which took over its values."""

TRACELOOP = Kind(From("traceloop.span.kind"), {"tool": "tool", "*": ""})
"""OpenLLMetry's decorators and frameworks; a model call has llm.request.type instead."""

REQUEST_TYPE = Kind(From("llm.request.type"), {"chat": "llm", "completion": "llm", "*": ""})
"""OpenLLMetry's model calls up to 0.5x."""

AI_SDK = Kind(
    From("ai.operationId"),
    {
        "ai.generateText.doGenerate": "llm",
        "ai.streamText.doStream": "llm",
        "ai.generateObject.doGenerate": "llm",
        "ai.streamObject.doStream": "llm",
        "ai.toolCall": "tool",
        "*": "",
    },
)

MLFLOW = Kind(
    From("mlflow.spanType", quoted=True),
    {"CHAT_MODEL": "llm", "LLM": "llm", "TOOL": "tool", "RETRIEVER": "retrieval", "*": ""},
)

LANGFUSE = Kind(
    From("langfuse.observation.type"),
    {"generation": "llm", "tool": "tool", "retriever": "retrieval", "guardrail": "guardrail", "*": ""},
)

LANGSMITH = Kind(From("langsmith.span.kind"), {"llm": "llm", "tool": "tool", "retriever": "retrieval", "*": ""})

_WRAPPERS: Final = dict.fromkeys(
    (
        "agent_step",
        "create_agent",
        "execute_task",
        "fetch_response",
        "invoke_agent",
        "invoke_workflow",
        "plan",
        "workflow",
    ),
    "",
)


def _answers(*marks: str) -> tuple[Kind, ...]:
    """Only a model call has these; which value they hold does not matter."""
    return tuple(Kind(From(mark), {"*": "llm"}) for mark in marks)


ANY_KIND = (
    Kind(From("gen_ai.operation.name"), {**_OPERATIONS, **_WRAPPERS}),
    Kind(From("openinference.span.kind"), OPENINFERENCE_KINDS),
    Kind(From("gen_ai.span.kind"), OPENINFERENCE_KINDS),
    TRACELOOP,
    REQUEST_TYPE,
    AI_SDK,
    MLFLOW,
    LANGFUSE,
    LANGSMITH,
    Kind(From("lmnr.span.type"), {"LLM": "llm", "TOOL": "tool", "*": ""}),
    # OpenLIT names the tool on the model call that asks for it.
    *_answers("gen_ai.response.model", "gen_ai.response.id", "gen_ai.response.finish_reasons"),
    # The conventions know no other operation that has a tool's name.
    Kind(From("gen_ai.tool.name"), {"*": "tool"}),
    Kind(From("tool.name"), {"*": "tool"}),
    *_answers(
        "gen_ai.output.messages",
        "gen_ai.completion.0.content",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.output_messages.0.message.role",
    ),
)
"""What kind of step a span is, whoever wrote it: every known way to say it, then what only one kind has."""

FINGERPRINTS = keys(
    "gen_ai.response.system_fingerprint",
    "openai.response.system_fingerprint",
    "gen_ai.openai.response.system_fingerprint",
    "gen_ai.openai.system_fingerprint",
)

_LANGCHAIN_REPLY: Final = ("generations", 0, 0, "message", "kwargs", "response_metadata")


def langchain_reply(key: str, fact: str) -> From:
    """A fact of the provider's response inside LangChain's own dump of a model's result."""
    return From(key, path=(*_LANGCHAIN_REPLY, fact))


INPUT_TOKENS: Sources = keys(
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
)
OUTPUT_TOKENS: Sources = keys(
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
)
