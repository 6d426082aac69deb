"""MLflow: every value is JSON, plain texts too, and the conversation does not travel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.tag.spans import (
    FULL,
    MINI,
    SHORT_SWAP,
    SHORT_TOKENS,
    SHORT_TOOLS,
    captured,
    conversations,
    counted,
    kinds,
    tagged,
    tokens,
    went_wrong,
)

SCOPE = "mlflow.tracing.provider"
CAPTURES = ["mlflow", "mlflow_otel145"]


def written(**attributes: Any) -> dict[str, str]:
    """Attributes as MLflow writes them: each value as JSON."""
    return {key.replace("__", "."): json.dumps(value) for key, value in attributes.items()}


CALL = written(mlflow__spanType="CHAT_MODEL", model="gpt-4o")
CONVENTIONS = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-2024-08-06", **written(model="gpt-4o")}


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        (written(mlflow__spanType="CHAT_MODEL"), "llm"),
        (written(mlflow__spanType="LLM"), "llm"),
        (written(mlflow__spanType="TOOL"), "tool"),
        (written(mlflow__spanType="RETRIEVER"), "retrieval"),
        (written(mlflow__spanType="AGENT"), ""),
        (written(mlflow__spanType="EMBEDDING"), ""),
        ({"mlflow.spanType": "TOOL"}, ""),
        ({"gen_ai.operation.name": "chat"}, "llm"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"gen_ai.operation.name": "RETRIEVER"}, "retrieval"),
        ({"gen_ai.operation.name": "invoke_agent"}, ""),
        ({}, ""),
    ],
)
def test_either_form_tells_the_kind(attributes: dict[str, str], kind: str) -> None:
    row = tagged(attributes, scope=SCOPE)
    assert (row["Dialect"], row["StepKind"]) == ("mlflow", kind)


def test_its_own_form_is_known_by_what_it_says() -> None:
    assert tagged(CALL, scope="a wrapper's own")["Dialect"] == "mlflow"


@pytest.mark.parametrize(
    ("attributes", "version", "source"),
    [
        ({**CALL, **written(mlflow__llm__model="gpt-4o-2024-08-06")}, FULL, "response"),
        ({**CALL, **written(mlflow__llm__model="gpt-4o")}, "openai/gpt-4o?", "unknown"),
        ({**CONVENTIONS, "gen_ai.response.model": "gpt-4o-2024-08-06"}, FULL, "response"),
        (CONVENTIONS, "openai/gpt-4o?", "unknown"),
    ],
)
def test_either_form_tells_who_was_asked_under_the_bare_key(
    attributes: dict[str, str], version: str, source: str
) -> None:
    row = tagged(attributes, scope=SCOPE)
    assert (row["RequestedModel"], row["ModelVersion"], row["ServedModelSource"]) == ("gpt-4o", version, source)


def test_a_call_tells_its_facts_inside_json() -> None:
    reply = {"system_fingerprint": "fp_1", "choices": [{"finish_reason": "tool_calls"}]}
    usage = {"input_tokens": 7, "output_tokens": 8, "total_tokens": 15}
    told = written(mlflow__spanOutputs=reply, mlflow__chat__tokenUsage=usage, mlflow__llm__provider="openai")
    row = tagged({**CALL, **told}, scope=SCOPE)
    assert (row["SystemFingerprint"], row["FinishReason"], row["Provider"]) == ("fp_1", "tool_calls", "openai")
    assert (row["InputTokens"], row["OutputTokens"]) == (7, 8)


def test_agents_and_tools_are_named_by_their_spans() -> None:
    assert tagged(written(mlflow__spanType="AGENT"), scope=SCOPE, name="claims-agent")["AgentName"] == "claims-agent"
    assert tagged(written(mlflow__spanType="TOOL"), scope=SCOPE, name="get_claim")["ToolName"] == "get_claim"


@pytest.mark.parametrize(("name", "containers"), [("mlflow", 20), ("mlflow_otel145", 4)])
def test_the_steps_are_told_although_roots_may_be_lost(name: str, containers: int) -> None:
    assert kinds(name) == {
        ("mlflow", "llm"): 28,
        ("mlflow", "tool"): 7,
        ("mlflow", "retrieval"): 4,
        ("mlflow", ""): containers,
    }


@pytest.mark.parametrize("name", CAPTURES)
def test_the_swap_is_told_and_no_conversation(name: str) -> None:
    assert conversations(name) == set()
    assert counted(name, "RequestedModel") == {"gpt-4o": 27, "gpt-missing-5": 1}
    assert counted(name, "ModelVersion") == {FULL: 13, MINI: 14, "unknown/gpt-missing-5?": 1}
    assert counted(name, "ServedModelSource") == {"response": 27, "unknown": 1}
    assert counted(name, "SystemFingerprint") == {"fp_07871e2ad8": 13, "fp_560af6e559": 14, "": 1}
    assert counted(name, "ToolName", "tool") == {"get_claim_status": 5, "transfer_to_human": 2}
    assert tokens(name) == (10893, 554)


@pytest.mark.parametrize("name", CAPTURES)
def test_streamed_tool_calls_say_stop(name: str) -> None:
    assert counted(name, "FinishReason") == {"tool_calls": 5, "stop": 22, "": 1}


@pytest.mark.parametrize("name", CAPTURES)
def test_the_failed_tool_and_the_failed_call_are_errors(name: str) -> None:
    assert went_wrong(name) == {("get_claim_status", "Error", False): 1, ("llm", "Error", False): 1}


def test_agents_name_themselves_where_their_spans_arrive() -> None:
    assert [row["AgentName"] for row in captured("mlflow")].count("claims-agent") == 16


def test_with_the_conventions_the_play_is_told_too() -> None:
    name = "mlflow_genai"
    assert kinds(name) == {("mlflow", "llm"): 16, ("mlflow", "tool"): 7, ("mlflow", ""): 10}
    assert conversations(name) == set()
    assert counted(name, "RequestedModel") == {"gpt-4o": 16}
    assert counted(name, "ModelVersion") == SHORT_SWAP
    assert counted(name, "ToolName", "tool") == SHORT_TOOLS
    assert counted(name, "AgentName", "") == {"claims_agent": 10}
    assert tokens(name) == SHORT_TOKENS
    assert went_wrong(name) == {("get_claim_status", "Error", False): 1}


def test_with_the_conventions_a_failed_call_repeats_the_request_and_is_not_believed() -> None:
    assert counted("mlflow_genai_error", "ModelVersion") == {"openai/gpt-4o?": 1}
