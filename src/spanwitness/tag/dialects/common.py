"""Declarations that several dialects share."""

from __future__ import annotations

from spanwitness.tag.dialect import From, Kind, keys

CONVERSATION = keys("gen_ai.conversation.id", "session.id", "langfuse.session.id")

OPERATIONS = Kind(
    From("gen_ai.operation.name"),
    {
        "chat": "llm",
        "generate_content": "llm",
        "text_completion": "llm",
        "execute_tool": "tool",
        "retrieval": "retrieval",
        "search_memory": "retrieval",
        "*": "",
    },
)
"""gen_ai.operation.name of the GenAI conventions. Embeddings are no step: they serve one."""

OPENINFERENCE_KINDS = {
    "LLM": "llm",
    "TOOL": "tool",
    "RETRIEVER": "retrieval",
    "GUARDRAIL": "guardrail",
    "*": "",
}
"""openinference.span.kind, and gen_ai.span.kind of traceAI, which took over its values."""
