"""OpenLLMetry / Traceloop (opentelemetry-instrumentation-openai and its siblings 0.47 to 0.62, traceloop-sdk 0.62.4).

| what | where |
|---|---|
| conversation | traceloop.association.properties.session_id, or whatever key the application sets there, on every span; tool spans of 0.47 lack it |
| kind of step | traceloop.span.kind of workflows, agents, tasks and tools; model calls have gen_ai.operation.name or, up to 0.5x, llm.request.type |
| retrieval | the vector stores' spans by name (chroma.query, pinecone.query, ..); documents in events db.query.result |
| requested model | gen_ai.request.model |
| served model | gen_ai.response.model; absent on an error |
| fingerprint | gen_ai.openai.response.system_fingerprint; up to 0.5x gen_ai.openai.system_fingerprint; not when streamed |
| provider | gen_ai.provider.name; before gen_ai.system |
| agent | gen_ai.agent.name on children too; else traceloop.entity.name of the agent's span, else traceloop.workflow.name |
| tool | gen_ai.tool.name, traceloop.entity.name; arguments and result in traceloop.entity.input / output |
| tokens | gen_ai.usage.input_tokens / output_tokens; before prompt_tokens / completion_tokens |
| content | 0.6x: gen_ai.input.messages JSON; before: gen_ai.prompt.N.* and gen_ai.completion.N.* |
| hides | the call id of a tool; tool outputs of the Responses API (0.47) |
| gets wrong | an output's tool call has the item's id (fc_), its result the call's (call_) |
| ends | nothing tells |
"""

from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, Kind, keys
from spanwitness.tag.dialects.common import (
    ANY_CONVERSATION,
    FINGERPRINTS,
    INPUT_TOKENS,
    OPERATIONS,
    OUTPUT_TOKENS,
    REQUEST_TYPE,
    TRACELOOP,
)

# Calls of the Responses API, which had neither an operation nor a request type up to 0.4x.
_RESPONSES = Kind(From(SPAN_NAME), {"openai.response": "llm"})

_VECTOR_STORES = Kind(
    From(SPAN_NAME),
    {
        "chroma.query": "retrieval",
        "lancedb.search": "retrieval",
        "marqo.search": "retrieval",
        "milvus.hybrid_search": "retrieval",
        "milvus.query": "retrieval",
        "milvus.search": "retrieval",
        "pinecone.query": "retrieval",
        "qdrant.query*": "retrieval",
        "qdrant.search*": "retrieval",
        "db.weaviate.collections.query.*": "retrieval",
        "db.weaviate.gql.get.do": "retrieval",
        "db.weaviate.gql.query.get.do": "retrieval",
    },
)

DIALECT = Dialect(
    name="openllmetry",
    scopes=(
        "traceloop.*",
        "opentelemetry.instrumentation.openai.v0",
        "opentelemetry.instrumentation.openai.v1",
        *(
            f"opentelemetry.instrumentation.{library}"
            for library in (
                "agno",
                "alephalpha",
                "bedrock",
                "chromadb",
                "cohere",
                "crewai",
                "google_generativeai",
                "groq",
                "haystack",
                "lancedb",
                "llamaindex",
                "marqo",
                "mcp",
                "milvus",
                "mistralai",
                "ollama",
                "pinecone",
                "qdrant",
                "replicate",
                "sagemaker",
                "together",
                "transformers",
                "voyageai",
                "watsonx",
                "weaviate",
                "writer",
            )
        ),
    ),
    kinds=(TRACELOOP, REQUEST_TYPE, OPERATIONS, _RESPONSES, _VECTOR_STORES),
    conversation=ANY_CONVERSATION,
    provider=keys("gen_ai.provider.name", "gen_ai.system"),
    requested=keys("gen_ai.request.model"),
    served=keys("gen_ai.response.model"),
    fingerprint=FINGERPRINTS,
    agent=(
        *keys("gen_ai.agent.name", "traceloop.association.properties.lc_agent_name"),
        From("traceloop.entity.name", where=("traceloop.span.kind", "agent")),
        From("traceloop.workflow.name"),
    ),
    prompt_version=keys("traceloop.prompt.version", "gen_ai.prompt.version"),
    tool=keys("gen_ai.tool.name", "traceloop.entity.name"),
    input_tokens=INPUT_TOKENS,
    output_tokens=OUTPUT_TOKENS,
    finish_reason=keys("gen_ai.response.finish_reasons", "gen_ai.completion.0.finish_reason"),
    error=keys("gen_ai.task.status"),
)
