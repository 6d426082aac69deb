"""OpenLLMetry: two generations of one library, and conversations under a key that the application chooses."""

from __future__ import annotations

import pytest

from tests.tag.spans import (
    CONVERSATIONS,
    ENDS,
    SWAP,
    TOOLS,
    captured,
    conversations,
    counted,
    kinds,
    sources,
    tagged,
    tokens,
    went_wrong,
)

SCOPE = "opentelemetry.instrumentation.openai.v1"
DECORATED = "traceloop.tracer"
SESSION = "traceloop.association.properties.session_id"
OLD = {"gen_ai.system": "openai", "llm.request.type": "chat", "gen_ai.request.model": "gpt-4o"}
NEW = {"gen_ai.provider.name": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"traceloop.span.kind": "tool"}, "tool"),
        ({"traceloop.span.kind": "workflow"}, ""),
        ({"traceloop.span.kind": "agent"}, ""),
        ({"traceloop.span.kind": "task"}, ""),
        ({"traceloop.span.kind": "a kind of next year"}, ""),
        ({"llm.request.type": "chat"}, "llm"),
        ({"llm.request.type": "completion"}, "llm"),
        ({"llm.request.type": "embedding"}, ""),
        ({"llm.request.type": "rerank"}, ""),
        ({"gen_ai.operation.name": "chat"}, "llm"),
        ({"gen_ai.operation.name": "embeddings"}, ""),
        ({}, ""),
    ],
)
def test_either_generations_keys_tell_the_kind(attributes: dict[str, str], kind: str) -> None:
    row = tagged(attributes, scope=SCOPE)
    assert (row["Dialect"], row["StepKind"]) == ("openllmetry", kind)


@pytest.mark.parametrize(
    "scope", [DECORATED, "opentelemetry.instrumentation.bedrock", "opentelemetry.instrumentation.llamaindex"]
)
def test_its_siblings_speak_it_too(scope: str) -> None:
    assert tagged(NEW, scope=scope)["Dialect"] == "openllmetry"


def test_otels_own_openai_instrumentation_is_not_mistaken_for_it() -> None:
    assert tagged(NEW, scope="opentelemetry.instrumentation.openai_v2")["Dialect"] == "otel_genai"


@pytest.mark.parametrize("call", [OLD, NEW])
def test_either_generation_tells_who_answered(call: dict[str, str]) -> None:
    row = tagged({**call, "gen_ai.response.model": "gpt-4o-2024-08-06"}, scope=SCOPE)
    assert (row["RequestedModel"], row["ModelVersion"]) == ("gpt-4o", "openai/gpt-4o-2024-08-06")
    assert row["ServedModelSource"] == "response"


@pytest.mark.parametrize(
    ("attributes", "column", "value"),
    [
        ({"gen_ai.openai.response.system_fingerprint": "fp_2"}, "SystemFingerprint", "fp_2"),
        ({"gen_ai.openai.system_fingerprint": "fp_1"}, "SystemFingerprint", "fp_1"),
        ({"gen_ai.usage.prompt_tokens": 5}, "InputTokens", 5),
        ({"gen_ai.usage.completion_tokens": 6}, "OutputTokens", 6),
        ({"gen_ai.completion.0.finish_reason": "stop"}, "FinishReason", "stop"),
        ({"gen_ai.response.finish_reasons": ["tool_call"]}, "FinishReason", "tool_call"),
        ({"traceloop.prompt.version": "v4"}, "PromptVersion", "v4"),
    ],
)
def test_a_call_tells_its_facts_under_the_keys_of_its_time(
    attributes: dict[str, object], column: str, value: object
) -> None:
    assert tagged({**OLD, **attributes}, scope=SCOPE)[column] == value


@pytest.mark.parametrize("name", ["session_id", "sessionId", "conversation_id", "chat_id", "thread_id"])
def test_the_conversation_stands_under_a_key_of_the_applications_choice(name: str) -> None:
    key = f"traceloop.association.properties.{name}"
    row = tagged({**NEW, key: "conv-1"}, scope=SCOPE)
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("conv-1", key)


def test_a_session_goes_before_the_thread_that_runs_in_it() -> None:
    told = {"traceloop.association.properties.thread_id": "t", SESSION: "s", **NEW}
    assert tagged(told, scope=SCOPE)["ConversationId"] == "s"
    assert tagged({**told, "gen_ai.conversation.id": "c"}, scope=SCOPE)["ConversationId"] == "c"


@pytest.mark.parametrize(
    ("attributes", "agent"),
    [
        ({"gen_ai.agent.name": "claims", "traceloop.workflow.name": "chat"}, "claims"),
        ({"traceloop.span.kind": "agent", "traceloop.entity.name": "claims"}, "claims"),
        ({"traceloop.span.kind": "task", "traceloop.entity.name": "fetch", "traceloop.workflow.name": "chat"}, "chat"),
    ],
)
def test_an_agent_is_named_by_itself_else_by_its_workflow(attributes: dict[str, str], agent: str) -> None:
    assert tagged(attributes, scope=DECORATED)["AgentName"] == agent


def test_a_tool_is_named_by_its_decorator() -> None:
    tool = {"traceloop.span.kind": "tool", "traceloop.entity.name": "get_claim"}
    assert tagged(tool, scope=DECORATED, name="get_claim.tool")["ToolName"] == "get_claim"


def test_the_play_is_told_in_full_by_the_new_generation() -> None:
    name = "openllmetry_openai"
    assert kinds(name) == {("openllmetry", "llm"): 24, ("openllmetry", "tool"): 9, ("openllmetry", ""): 32}
    assert {row["ConversationIdSource"] for row in captured(name)} == {SESSION}
    assert conversations(name) == CONVERSATIONS
    assert counted(name, "ModelVersion") == SWAP
    assert counted(name, "RequestedModel") == {"gpt-4o": 24}
    assert counted(name, "ServedModelSource") == {"response": 24}
    assert counted(name, "FinishReason") == {"tool_call": 8, "stop": 16}
    assert counted(name, "ToolName", "tool") == TOOLS
    assert counted(name, "AgentName") == {"claims_assistant": 24}
    assert tokens(name) == (8572, 759)


def test_the_old_generation_has_calls_alone_below_the_applications_span() -> None:
    name = "openllmetry_old_openai"
    assert kinds(name) == {("openllmetry", "llm"): 24, ("", ""): 16}
    assert (sources(name), sources(name, "")) == ({"": 24}, {"session.id": 16})
    assert conversations(name) == CONVERSATIONS
    assert counted(name, "ModelVersion") == SWAP
    assert counted(name, "FinishReason") == ENDS
    assert tokens(name) == (8572, 759)


@pytest.mark.parametrize("name", ["openllmetry_openai", "openllmetry_old_openai"])
def test_the_fingerprint_is_missing_where_the_answer_was_streamed(name: str) -> None:
    assert counted(name, "SystemFingerprint") == {"fp_831e067d82": 10, "fp_0aa8d3e20b": 12, "": 2}


def test_the_failed_tool_is_an_error() -> None:
    assert went_wrong("openllmetry_openai") == {("get_claim_status", "Error", False): 1}


@pytest.mark.parametrize("name", ["openllmetry_openai_error", "openllmetry_old_openai_error"])
def test_a_failed_call_is_a_step_without_an_answer(name: str) -> None:
    assert went_wrong(name) == {("llm", "Error", False): 1}
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 1}
    assert counted(name, "ServedModelSource") == {"unknown": 1}
    assert tokens(name) == (0, 0)


def test_a_call_of_the_responses_api_is_told_by_its_name_alone() -> None:
    row = tagged(
        {"gen_ai.request.model": "gpt-4o"}, scope="opentelemetry.instrumentation.openai.v1", name="openai.response"
    )
    assert (row["StepKind"], row["RequestedModel"]) == ("llm", "gpt-4o")


def test_a_vector_stores_query_is_a_retrieval_and_its_upsert_is_not() -> None:
    for name, kind in (("chroma.query", "retrieval"), ("chroma.add", ""), ("qdrant.search_batch", "retrieval")):
        assert tagged({"db.system": "x"}, scope="opentelemetry.instrumentation.chromadb", name=name)["StepKind"] == kind
