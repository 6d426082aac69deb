from __future__ import annotations

import pytest

from spanwitness.sdk.kinds import Kind, kind_of


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("gen_ai.operation.name", "chat", Kind.MODEL),
        ("gen_ai.operation.name", "generate_content", Kind.MODEL),
        ("gen_ai.operation.name", "text_completion", Kind.MODEL),
        ("gen_ai.operation.name", "execute_tool", Kind.STEP),
        ("gen_ai.operation.name", "retrieval", Kind.STEP),
        ("gen_ai.operation.name", "embeddings", Kind.OTHER),
        ("gen_ai.operation.name", "invoke_agent", Kind.OTHER),
        ("gen_ai.operation.name", "never heard of", Kind.OTHER),
        ("openinference.span.kind", "LLM", Kind.MODEL),
        ("openinference.span.kind", "RETRIEVER", Kind.STEP),
        ("openinference.span.kind", "GUARDRAIL", Kind.STEP),
        ("openinference.span.kind", "CHAIN", Kind.OTHER),
        ("gen_ai.span.kind", "TOOL", Kind.STEP),
        ("gen_ai.span.kind", "AGENT", Kind.OTHER),
        ("traceloop.span.kind", "tool", Kind.STEP),
        ("traceloop.span.kind", "workflow", Kind.OTHER),
        ("llm.request.type", "chat", Kind.MODEL),
        ("llm.request.type", "embedding", Kind.OTHER),
        ("ai.operationId", "ai.streamText.doStream", Kind.MODEL),
        ("ai.operationId", "ai.streamText", Kind.OTHER),
        ("ai.operationId", "ai.toolCall", Kind.STEP),
        ("mlflow.spanType", '"CHAT_MODEL"', Kind.MODEL),
        ("mlflow.spanType", '"RETRIEVER"', Kind.STEP),
        ("mlflow.spanType", '"CHAIN"', Kind.OTHER),
        ("db.system", "postgresql", Kind.OTHER),
        ("rpc.system", "grpc", Kind.OTHER),
        ("http.request.method", "POST", Kind.PART),
        ("http.method", "POST", Kind.PART),
        ("customer.tier", "gold", Kind.UNKNOWN),
    ],
)
def test_an_attribute_tells(key: str, value: str, kind: Kind) -> None:
    assert kind_of("span", "", {key: value}) is kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("chat gpt-4o", Kind.MODEL),
        ("chat", Kind.MODEL),
        ("generate_content openai/gpt-4o", Kind.MODEL),
        ("call_llm", Kind.MODEL),
        ("execute_tool get_claim_status", Kind.STEP),
        ("execute_tool (merged)", Kind.OTHER),
        ("running tool", Kind.STEP),
        ("handoff to Claims", Kind.STEP),
        ("pinecone query", Kind.STEP),
        ("pinecone upsert", Kind.UNKNOWN),
        ("lookup.tool", Kind.STEP),
        ("claims.workflow", Kind.OTHER),
        ("invoke_agent claims", Kind.OTHER),
        ("invoke_agent", Kind.OTHER),
        ("execute_event_loop_cycle", Kind.OTHER),
        ("ChatOpenAI", Kind.UNKNOWN),
        ("chatter", Kind.UNKNOWN),
        ("running late", Kind.UNKNOWN),
        (".tool", Kind.UNKNOWN),
        ("", Kind.UNKNOWN),
    ],
)
def test_a_name_tells_where_no_attribute_does(name: str, kind: Kind) -> None:
    assert kind_of(name, "", {}) is kind


def test_an_attribute_counts_more_than_a_name() -> None:
    assert kind_of("chat gpt-4o", "", {"gen_ai.operation.name": "invoke_agent"}) is Kind.OTHER


def test_the_operation_counts_more_than_the_request_that_carries_it() -> None:
    assert kind_of("POST", "", {"http.request.method": "POST", "gen_ai.operation.name": "chat"}) is Kind.MODEL


def test_the_retrieval_counts_more_than_its_database() -> None:
    assert kind_of("pgvector query", "", {"db.system": "postgresql"}) is Kind.STEP


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("llm_request", Kind.MODEL),
        ("llm_request_run", Kind.PART),
        ("function_tool", Kind.STEP),
        ("user_turn", Kind.STEP),
        ("tts_node", Kind.STEP),
        ("llm_node", Kind.OTHER),
        ("agent_turn", Kind.OTHER),
    ],
)
def test_livekit_is_told_by_its_names_alone(name: str, kind: Kind) -> None:
    assert kind_of(name, "livekit-agents", {"gen_ai.operation.name": "chat"}) is kind
    assert kind_of(name, "somebody", {}) is Kind.UNKNOWN
