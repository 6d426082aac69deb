"""Langfuse's own SDK: one key for the model, which holds the request or, behind its openai wrapper, the answer."""

from __future__ import annotations

import json

import pytest

from tests.tag.spans import (
    FULL,
    SHORT_CONVERSATIONS,
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

SCOPE = "langfuse-sdk"
MODEL = "langfuse.observation.model.name"
WRAPPED = "OpenAI-generation"
CALL = {"langfuse.observation.type": "generation"}


def used(**tokens: int) -> dict[str, str]:
    return {"langfuse.observation.usage_details": json.dumps(tokens)}


@pytest.mark.parametrize(
    ("observation", "kind"),
    [
        ("generation", "llm"),
        ("tool", "tool"),
        ("retriever", "retrieval"),
        ("guardrail", "guardrail"),
        ("agent", ""),
        ("chain", ""),
        ("span", ""),
        ("event", ""),
        ("embedding", ""),
        ("evaluator", ""),
    ],
)
@pytest.mark.parametrize("scope", [SCOPE, "a wrapper's own"])
def test_the_observations_type_tells_the_step(observation: str, kind: str, scope: str) -> None:
    row = tagged({"langfuse.observation.type": observation}, scope=scope)
    assert (row["Dialect"], row["StepKind"]) == ("langfuse", kind)


def test_the_openai_wrapper_tells_who_answered() -> None:
    row = tagged({**CALL, MODEL: "gpt-4o-2024-08-06", **used(input=7, output=8)}, scope=SCOPE, name=WRAPPED)
    assert (row["RequestedModel"], row["ModelVersion"]) == ("", FULL)
    assert (row["ServedModelSource"], row["InputTokens"], row["OutputTokens"]) == ("response", 7, 8)


def test_behind_a_failed_call_the_same_key_holds_the_request() -> None:
    told = {**CALL, MODEL: "gpt-4o", "langfuse.observation.level": "ERROR"}
    row = tagged(told, scope=SCOPE, name=WRAPPED, failed=True)
    assert (row["StepFailed"], row["RequestedModel"]) == (True, "gpt-4o")
    assert (row["ModelVersion"], row["ServedModelSource"]) == ("openai/gpt-4o?", "unknown")


def test_an_applications_own_generation_names_the_request() -> None:
    row = tagged({**CALL, MODEL: "gpt-4o", **used(input=7)}, scope=SCOPE, name="answer")
    assert (row["RequestedModel"], row["ModelVersion"], row["InputTokens"]) == ("gpt-4o", "openai/gpt-4o?", 7)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input": 7, "output": 8, "prompt_tokens": 1}, (7, 8)),
        ({"prompt_tokens": 7, "completion_tokens": 8}, (7, 8)),
        ({"input_tokens": 7, "output_tokens": 8}, (7, 8)),
        ({}, (0, 0)),
    ],
)
def test_tokens_stand_under_the_providers_own_keys(usage: dict[str, int], tokens: tuple[int, int]) -> None:
    row = tagged({**CALL, **used(**usage)}, scope=SCOPE)
    assert (row["InputTokens"], row["OutputTokens"]) == tokens


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({"session.id": "a", "langfuse.session.id": "b"}, "session.id"),
        ({"langfuse.session.id": "b", "gen_ai.conversation.id": "c"}, "langfuse.session.id"),
    ],
)
def test_the_session_is_the_conversation(attributes: dict[str, str], key: str) -> None:
    row = tagged({**CALL, **attributes}, scope=SCOPE)
    assert (row["ConversationIdSource"], row["ConversationId"]) == (key, attributes[key])


def test_agents_and_tools_are_named_by_their_spans() -> None:
    agent, tool = {"langfuse.observation.type": "agent"}, {"langfuse.observation.type": "tool"}
    assert tagged(agent, scope=SCOPE, name="claims")["AgentName"] == "claims"
    assert tagged(tool, scope=SCOPE, name="get_claim")["ToolName"] == "get_claim"


def test_a_prompt_managed_by_langfuse_tells_its_version() -> None:
    assert tagged({**CALL, "langfuse.observation.prompt.version": 4}, scope=SCOPE)["PromptVersion"] == "4"


def test_the_end_of_a_call_stands_in_its_metadata_as_json() -> None:
    told = {**CALL, "langfuse.observation.metadata.finish_reason": '"tool_calls"'}
    assert tagged(told, scope=SCOPE)["FinishReason"] == "tool_calls"


def test_the_play_is_told_behind_the_openai_wrapper() -> None:
    name = "langfuse_openai"
    assert kinds(name) == {("langfuse", "llm"): 16, ("langfuse", "tool"): 7, ("langfuse", ""): 10}
    assert {row["ConversationIdSource"] for row in captured(name)} == {"session.id"}
    assert conversations(name) == SHORT_CONVERSATIONS
    assert counted(name, "RequestedModel") == {"": 16}
    assert counted(name, "ModelVersion") == SHORT_SWAP
    assert counted(name, "ServedModelSource") == {"response": 16}
    assert counted(name, "FinishReason") == {"": 13, "stop": 3}
    assert counted(name, "ToolName", "tool") == SHORT_TOOLS
    assert counted(name, "AgentName", "") == {"claims_agent": 10}
    assert tokens(name) == SHORT_TOKENS
    assert went_wrong(name) == {("get_claim_status", "Error", True): 1}
