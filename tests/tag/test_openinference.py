"""OpenInference from a library that nobody has looked at: nothing is believed that another library gets wrong."""

from __future__ import annotations

import json

import pytest

from tests.tag.spans import tagged

SCOPE = "openinference.instrumentation.acme"
CALL = {"openinference.span.kind": "LLM", "llm.system": "openai"}


def asked(model: str) -> dict[str, str]:
    return {"llm.invocation_parameters": json.dumps({"model": model, "temperature": 0})}


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("LLM", "llm"),
        ("TOOL", "tool"),
        ("RETRIEVER", "retrieval"),
        ("GUARDRAIL", "guardrail"),
        ("AGENT", ""),
        ("CHAIN", ""),
        ("PROMPT", ""),
        ("EMBEDDING", ""),
        ("RERANKER", ""),
        ("EVALUATOR", ""),
    ],
)
def test_the_span_kind_tells_the_step(kind: str, step: str) -> None:
    assert tagged({"openinference.span.kind": kind}, scope=SCOPE)["StepKind"] == step


@pytest.mark.parametrize("scope", [SCOPE, "com.acme.agents", ""])
def test_an_unseen_library_is_known_by_scope_or_by_what_it_says(scope: str) -> None:
    assert tagged(CALL, scope=scope)["Dialect"] == "openinference"


def test_a_model_name_alone_is_taken_for_the_requested_one() -> None:
    row = tagged({**CALL, "llm.model_name": "gpt-4o"}, scope=SCOPE)
    assert (row["RequestedModel"], row["ServedModel"], row["ServedModelSource"]) == ("gpt-4o", "", "unknown")
    assert row["ModelVersion"] == "openai/gpt-4o?"


def test_a_model_name_that_repeats_the_request_proves_nothing() -> None:
    row = tagged({**CALL, **asked("gpt-4o"), "llm.model_name": "gpt-4o"}, scope=SCOPE)
    assert (row["ServedModel"], row["ModelVersion"]) == ("", "openai/gpt-4o?")


def test_a_model_name_other_than_the_request_is_the_served_one() -> None:
    row = tagged({**CALL, **asked("gpt-4o"), "llm.model_name": "gpt-4o-2024-08-06"}, scope=SCOPE)
    assert (row["RequestedModel"], row["ServedModel"]) == ("gpt-4o", "gpt-4o-2024-08-06")
    assert (row["ServedModelSource"], row["ModelVersion"]) == ("response", "openai/gpt-4o-2024-08-06")


@pytest.mark.parametrize("parameters", ["{", "[]", "null", '{"model": true}', '{"model": ""}', '{"model": null}', ""])
def test_parameters_that_name_no_model_are_passed_over(parameters: str) -> None:
    row = tagged({**CALL, "llm.invocation_parameters": parameters, "llm.model_name": "gpt-4o"}, scope=SCOPE)
    assert row["RequestedModel"] == "gpt-4o"


def test_the_provider_goes_before_the_system() -> None:
    assert tagged({**CALL, "llm.provider": "azure"}, scope=SCOPE)["Provider"] == "azure.ai.openai"
    assert tagged(CALL, scope=SCOPE)["Provider"] == "openai"


def test_a_call_tells_its_tokens_its_end_and_its_prompt() -> None:
    told = {
        "llm.token_count.prompt": 7,
        "llm.token_count.completion": 8,
        "llm.finish_reason": "tool_calls",
        "llm.prompt_template.version": "v3",
        "session.id": "conv-1",
    }
    row = tagged({**CALL, **told}, scope=SCOPE)
    assert (row["InputTokens"], row["OutputTokens"], row["FinishReason"]) == (7, 8, "tool_calls")
    assert (row["PromptVersion"], row["ConversationId"], row["ConversationIdSource"]) == ("v3", "conv-1", "session.id")


@pytest.mark.parametrize("kind", ["CHAIN", "AGENT", "TOOL", "RETRIEVER"])
def test_what_a_wrapper_repeats_of_a_call_is_not_counted(kind: str) -> None:
    told = {"openinference.span.kind": kind, "llm.token_count.prompt": 7, "llm.model_name": "gpt-4o"}
    row = tagged(told, scope=SCOPE)
    assert (row["InputTokens"], row["RequestedModel"], row["ModelVersion"]) == (0, "", "")


def test_a_tool_without_a_name_is_named_by_its_span() -> None:
    tool = {"openinference.span.kind": "TOOL"}
    assert tagged({**tool, "tool.name": "get_claim"}, scope=SCOPE, name="run")["ToolName"] == "get_claim"
    assert tagged(tool, scope=SCOPE, name="get_claim")["ToolName"] == "get_claim"


def test_the_conversation_that_the_sdk_sets_is_read_too() -> None:
    row = tagged({**CALL, "gen_ai.conversation.id": "other"}, scope=SCOPE)
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("other", "gen_ai.conversation.id")
