"""The dialects that are known, one file each. Order matters where two would take a span: the first one does."""

from spanwitness.tag.dialect import Dialect
from spanwitness.tag.dialects import (
    livekit,
    openinference,
    openinference_langchain,
    openinference_openai,
    openinference_openai_agents,
    otel_genai,
    plain,
    traceai,
    traceai_langchain,
    traceai_livekit,
    traceai_openai_agents,
    traceai_pgvector,
    traceai_pinecone,
)

DIALECTS: tuple[Dialect, ...] = (
    traceai_livekit.DIALECT,
    livekit.DIALECT,
    openinference_openai_agents.DIALECT,
    openinference_langchain.DIALECT,
    openinference_openai.DIALECT,
    openinference.DIALECT,
    traceai_openai_agents.DIALECT,
    traceai_langchain.DIALECT,
    traceai_pinecone.DIALECT,
    traceai_pgvector.DIALECT,
    traceai.DIALECT,
    otel_genai.DIALECT,
    plain.DIALECT,
)
