"""Pydantic AI: the conventions, with the conversation on every span, in the names of versions 2 to 6."""

from __future__ import annotations

import pytest

from tests.tag.spans import (
    CONVERSATIONS,
    SWAP,
    TOOLS,
    captured,
    conversations,
    counted,
    kinds,
    tagged,
    tokens,
    went_wrong,
)

SCOPE = "pydantic-ai"
FORMS = ["pydantic_ai_v2", "pydantic_ai_v6"]


@pytest.mark.parametrize("key", ["gen_ai.agent.name", "agent_name"])
def test_an_agent_is_named_in_either_generation(key: str) -> None:
    row = tagged({"gen_ai.operation.name": "invoke_agent", key: "claims"}, scope=SCOPE)
    assert (row["Dialect"], row["StepKind"], row["AgentName"]) == ("pydantic_ai", "", "claims")


def test_the_sums_on_the_agents_span_are_not_counted() -> None:
    told = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 500, "gen_ai.request.model": "gpt-4o"}
    row = tagged({**told, "gen_ai.aggregated_usage.input_tokens": 500}, scope=SCOPE)
    assert (row["InputTokens"], row["ModelVersion"]) == (0, "")


def test_it_tells_no_fingerprint() -> None:
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    assert tagged({**call, "openai.response.system_fingerprint": "fp"}, scope=SCOPE)["SystemFingerprint"] == ""


@pytest.mark.parametrize("name", FORMS)
def test_every_version_tells_the_play_in_full(name: str) -> None:
    assert kinds(name) == {("pydantic_ai", "llm"): 24, ("pydantic_ai", "tool"): 9, ("pydantic_ai", ""): 16}
    assert {row["ConversationIdSource"] for row in captured(name)} == {"gen_ai.conversation.id"}
    assert conversations(name) == CONVERSATIONS
    assert counted(name, "RequestedModel") == {"gpt-4o": 24}
    assert counted(name, "ModelVersion") == SWAP
    assert counted(name, "ServedModelSource") == {"response": 24}
    assert counted(name, "FinishReason") == {"tool_call": 8, "stop": 16}
    assert counted(name, "ToolName", "tool") == TOOLS
    assert {row["AgentName"] for row in captured(name)} == {"claims_assistant"}
    assert {row["AgentVersion"] for row in captured(name)} == {"3.2.1"}
    assert tokens(name) == (8477, 759)


@pytest.mark.parametrize("name", FORMS)
def test_a_tool_that_asks_for_a_retry_has_failed(name: str) -> None:
    assert went_wrong(name) == {("get_claim_status", "Error", False): 1}
