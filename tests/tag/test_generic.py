"""Instrumentations that nobody has looked at: what they tell is read, and what they only repeat is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.tag.spans import (
    FULL,
    MINI,
    SHORT_CONVERSATIONS,
    SHORT_SWAP,
    SHORT_TOKENS,
    SHORT_TOOLS,
    conversations,
    counted,
    kinds,
    tagged,
    tokens,
)

SCOPE = "com.acme.agents"


def told(attributes: dict[str, Any], **others: Any) -> dict[str, Any]:
    row = tagged(attributes, scope=SCOPE, **others)
    assert row["Dialect"] == "generic"
    return row


# The conventions, by generation.

LATEST = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.conversation.id": "conv-1",
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.usage.output_tokens": 8,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.agent.name": "claims",
}
EARLIER = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "session.id": "conv-1",
    "gen_ai.usage.prompt_tokens": 7,
    "gen_ai.usage.completion_tokens": 8,
    "gen_ai.completion.0.finish_reason": "stop",
    "agent.name": "claims",
}
TRACELOOP = {
    "llm.request.type": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "traceloop.association.properties.session_id": "conv-1",
    "gen_ai.usage.prompt_tokens": 7,
    "gen_ai.usage.completion_tokens": 8,
    "gen_ai.completion.0.finish_reason": "stop",
    "gen_ai.agent.name": "claims",
}
LANGSMITH = {
    "langsmith.span.kind": "llm",
    "gen_ai.system": "openai",
    "langsmith.metadata.ls_model_name": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "langsmith.metadata.session_id": "conv-1",
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.usage.output_tokens": 8,
    "gen_ai.response.finish_reasons": ["stop"],
    "langsmith.metadata.lc_agent_name": "claims",
}


@pytest.mark.parametrize("call", [LATEST, EARLIER, TRACELOOP, LANGSMITH])
def test_a_call_is_told_in_full_in_any_generations_words(call: dict[str, Any]) -> None:
    row = told(call)
    assert (row["StepKind"], row["Actor"], row["ConversationId"]) == ("llm", "ai", "conv-1")
    assert (row["RequestedModel"], row["ModelVersion"], row["ServedModelSource"]) == ("gpt-4o", FULL, "response")
    assert (row["InputTokens"], row["OutputTokens"], row["FinishReason"]) == (7, 8, "stop")
    assert row["AgentName"] == "claims"


# What kind of step.


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("chat", "llm"),
        ("generate_content", "llm"),
        ("text_completion", "llm"),
        ("completion", "llm"),
        ("responses", "llm"),
        ("execute_tool", "tool"),
        ("retrieval", "retrieval"),
        ("search_memory", "retrieval"),
        ("stt", "speech"),
        ("text_to_speech", "speech"),
        ("embeddings", ""),
        ("rerank", ""),
        ("embedding", ""),
        ("moderation", ""),
    ],
)
def test_the_operation_tells_the_kind(operation: str, kind: str) -> None:
    assert told({"gen_ai.operation.name": operation})["StepKind"] == kind


@pytest.mark.parametrize(
    "operation",
    [
        "invoke_agent",
        "invoke_workflow",
        "create_agent",
        "execute_task",
        "agent_step",
        "plan",
    ],
)
def test_a_wrapper_is_no_call_whatever_it_repeats(operation: str) -> None:
    row = told({**LATEST, "gen_ai.operation.name": operation})
    assert (row["StepKind"], row["ModelVersion"], row["InputTokens"]) == ("", "", 0)
    assert row["ConversationId"] == "conv-1"


def test_a_model_call_that_names_the_tool_it_asks_for_is_no_tool() -> None:
    row = told({"gen_ai.tool.name": "get_claim", "gen_ai.response.id": "chatcmpl-1", "gen_ai.request.model": "gpt-4o"})
    assert (row["StepKind"], row["RequestedModel"], row["ToolName"]) == ("llm", "gpt-4o", "")


def test_an_operation_that_nobody_knows_on_a_tool_is_a_tool() -> None:
    row = told({"gen_ai.operation.name": "call_function", "gen_ai.tool.name": "get_claim"})
    assert (row["StepKind"], row["ToolName"]) == ("tool", "get_claim")


def test_a_wrapper_that_names_its_tool_stays_a_wrapper() -> None:
    assert told({"gen_ai.operation.name": "execute_task", "gen_ai.tool.name": "get_claim"})["StepKind"] == ""


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.response.model": "gpt-4o"}, "llm"),
        ({"gen_ai.response.id": "chatcmpl-1"}, "llm"),
        ({"gen_ai.response.finish_reasons": ["stop"]}, "llm"),
        ({"gen_ai.output.messages": "[]"}, "llm"),
        ({"gen_ai.completion.0.content": "Good day."}, "llm"),
        ({"gen_ai.usage.output_tokens": 8}, "llm"),
        ({"gen_ai.usage.completion_tokens": 8}, "llm"),
        ({"gen_ai.tool.name": "get_claim"}, "tool"),
        ({"gen_ai.tool.name": "get_claim", "gen_ai.usage.output_tokens": 8}, "tool"),
        ({}, ""),
    ],
)
def test_without_an_operation_what_only_one_kind_has_tells_it(attributes: dict[str, Any], kind: str) -> None:
    assert told({"gen_ai.request.model": "gpt-4o", **attributes})["StepKind"] == kind


@pytest.mark.parametrize("key", ["gen_ai.span.kind", "openinference.span.kind"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("LLM", "llm"),
        ("llm", "llm"),
        ("TOOL", "tool"),
        ("tool", "tool"),
        ("retriever", "retrieval"),
        ("guardrail", "guardrail"),
        ("AGENT", ""),
        ("chain", ""),
        ("a kind of next year", ""),
    ],
)
def test_a_kind_is_read_in_either_case(key: str, value: str, kind: str) -> None:
    row = tagged({"gen_ai.system": "openai", key: value, "gen_ai.usage.output_tokens": 8}, scope="langsmith")
    assert (row["Dialect"], row["StepKind"]) == ("generic", kind)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"traceloop.span.kind": "tool", "traceloop.entity.name": "get_claim"}, "tool"),
        ({"traceloop.span.kind": "workflow", "gen_ai.usage.output_tokens": 8}, ""),
        ({"llm.request.type": "completion"}, "llm"),
        ({"llm.request.type": "embedding", "gen_ai.usage.output_tokens": 8}, ""),
        ({"langsmith.span.kind": "tool"}, "tool"),
        ({"langsmith.span.kind": "chain", "gen_ai.usage.output_tokens": 8}, ""),
        ({"gen_ai.system": "openai", "mlflow.nothing": "1", "gen_ai.response.id": "r"}, "llm"),
    ],
)
def test_other_libraries_words_are_known_too(attributes: dict[str, Any], kind: str) -> None:
    assert told(attributes)["StepKind"] == kind


def test_openinference_under_an_unknown_scope_is_openinference() -> None:
    call = {
        "openinference.span.kind": "LLM",
        "llm.invocation_parameters": json.dumps({"model": "gpt-4o"}),
        "llm.model_name": "gpt-4o-mini-2024-07-18",
        "session.id": "conv-1",
    }
    row = tagged(call, scope=SCOPE)
    assert (row["Dialect"], row["StepKind"], row["ModelVersion"]) == ("openinference", "llm", MINI)
    assert (row["ConversationId"], row["ServedModelSource"]) == ("conv-1", "response")


def test_openinferences_facts_without_its_kind_are_a_call_all_the_same() -> None:
    call = {
        "llm.invocation_parameters": json.dumps({"model": "gpt-4o"}),
        "llm.model_name": "gpt-4o-2024-08-06",
        "llm.token_count.prompt": 7,
        "llm.token_count.completion": 8,
        "llm.system": "openai",
    }
    row = told(call)
    assert (row["StepKind"], row["RequestedModel"], row["ModelVersion"]) == ("llm", "gpt-4o", FULL)
    assert (row["InputTokens"], row["OutputTokens"]) == (7, 8)


# Which model answered.


@pytest.mark.parametrize(
    ("requested", "said", "version", "source"),
    [
        ("gpt-4o", "gpt-4o", "openai/gpt-4o?", "unknown"),
        ("gpt-4o", "gpt-4o-2024-08-06", FULL, "response"),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", MINI, "response"),
        ("gpt-4o", "", "openai/gpt-4o?", "unknown"),
        ("", "gpt-4o-2024-08-06", "", "unknown"),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06", "openai/gpt-4o-2024-08-06?", "unknown"),
    ],
)
def test_only_another_name_than_the_requests_is_an_answer(requested: str, said: str, version: str, source: str) -> None:
    row = told({**LATEST, "gen_ai.request.model": requested, "gen_ai.response.model": said})
    assert (row["ModelVersion"], row["ServedModelSource"]) == (version, source)


@pytest.mark.parametrize("key", ["gen_ai.response.model", "llm.response.model", "ai.response.model"])
def test_an_answer_is_found_under_any_librarys_key(key: str) -> None:
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", key: "gpt-4o-2024-08-06"}
    assert told(call)["ModelVersion"] == FULL


@pytest.mark.parametrize("key", ["gen_ai.completion", "output.value"])
def test_langchains_own_dump_tells_who_answered_and_that_it_is_a_payload(key: str) -> None:
    reply = {"model_name": "gpt-4o-2024-08-06", "system_fingerprint": "fp_1"}
    dump = {"generations": [[{"message": {"kwargs": {"response_metadata": reply}}}]]}
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o"}
    row = told({**call, key: json.dumps(dump)})
    assert (row["ModelVersion"], row["ServedModelSource"], row["SystemFingerprint"]) == (FULL, "payload", "fp_1")


def test_a_failed_call_has_no_answer_but_keeps_its_request() -> None:
    row = told({**LATEST, "gen_ai.response.model": "gpt-4o"}, failed=True)
    assert (row["StatusCode"], row["ModelVersion"], row["RequestedModel"]) == ("Error", "openai/gpt-4o?", "gpt-4o")


# Which conversation.


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.conversation.id",
        "session.id",
        "langfuse.session.id",
        "traceloop.association.properties.conversation_id",
        "ai.telemetry.metadata.chatId",
        "langsmith.metadata.thread_id",
        "metadata.session_id",
        "conversation_id",
        "thread_id",
    ],
)
def test_the_conversation_is_found_under_the_keys_that_applications_choose(key: str) -> None:
    row = told({"gen_ai.operation.name": "chat", key: "conv-1"})
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("conv-1", key)


@pytest.mark.parametrize("key", ["call_id", "callId"])
def test_a_bare_call_id_may_be_a_tools_and_names_no_conversation(key: str) -> None:
    assert told({"gen_ai.operation.name": "execute_tool", key: "call_1"})["ConversationId"] == ""


def test_keys_of_no_convention_do_not_make_an_ordinary_span_a_conversation() -> None:
    row = tagged({"session_id": "s", "thread_id": "t", "http.route": "/"}, scope=SCOPE)
    assert (row["Dialect"], row["ConversationId"]) == ("", "")


# Real libraries without a dialect of their own.


@pytest.mark.parametrize("name", ["langsmith_otel", "laminar", "openlit_latest"])
def test_the_play_of_a_library_without_a_dialect_is_told_with_its_swap(name: str) -> None:
    assert kinds(name)[("generic", "llm")] == 16
    assert conversations(name) == SHORT_CONVERSATIONS
    assert counted(name, "RequestedModel") == {"gpt-4o": 16}
    assert counted(name, "ModelVersion") == SHORT_SWAP


@pytest.mark.parametrize("name", ["langsmith_otel", "laminar"])
def test_its_tools_are_told(name: str) -> None:
    assert counted(name, "ToolName", "tool") == SHORT_TOOLS


@pytest.mark.parametrize("name", ["laminar", "openlit_latest", "semantic_kernel"])
def test_its_tokens_are_told_once(name: str) -> None:
    assert tokens(name) == SHORT_TOKENS


def test_semantic_kernel_repeats_the_request_and_is_not_believed() -> None:
    name = "semantic_kernel"
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 16}
    assert counted(name, "ToolName", "tool") == {f"P-{tool}": count for tool, count in SHORT_TOOLS.items()}


def test_an_operation_that_nobody_knows_is_a_call_if_it_has_what_only_calls_have() -> None:
    row = told({**LATEST, "gen_ai.operation.name": "an operation of next year"})
    assert (row["StepKind"], row["ServedModel"]) == ("llm", "gpt-4o-2024-08-06")
    bare = told({"gen_ai.operation.name": "an operation of next year", "gen_ai.request.model": "gpt-4o"})
    assert bare["StepKind"] == ""
