"""Microsoft's Agent Framework: its conversation id is a response's, and its agents name the library as provider."""

from __future__ import annotations

import pytest

from tests.tag.spans import (
    ENDS,
    SHORT_SWAP,
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

SCOPE = "agent_framework"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
NAME = "agent_framework"


@pytest.mark.parametrize("scope", [SCOPE, "agent_framework.openai"])
def test_its_packages_speak_it(scope: str) -> None:
    assert tagged(CALL, scope=scope)["Dialect"] == NAME


def test_the_previous_responses_id_is_no_conversation() -> None:
    told = {**CALL, "gen_ai.conversation.id": "resp_68af"}
    assert tagged(told, scope=SCOPE)["ConversationId"] == ""
    row = tagged({**told, "session.id": "conv-1"}, scope=SCOPE)
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("conv-1", "session.id")


def test_a_finish_reason_that_is_one_text_is_read_as_a_list() -> None:
    assert tagged({**CALL, "gen_ai.response.finish_reasons": '["stop"]'}, scope=SCOPE)["FinishReason"] == "stop"


def test_the_library_is_not_the_provider() -> None:
    row = tagged({**CALL, "gen_ai.provider.name": "microsoft.agent_framework"}, scope=SCOPE)
    assert (row["Provider"], row["ModelVersion"]) == ("openai", "openai/gpt-4o?")


def test_the_play_is_told_but_for_its_conversations() -> None:
    assert kinds(NAME) == {(NAME, "llm"): 24, (NAME, "tool"): 9, (NAME, ""): 16}
    assert conversations(NAME) == set()
    assert counted(NAME, "RequestedModel") == {"gpt-4o": 24}
    assert counted(NAME, "ModelVersion") == SWAP
    assert counted(NAME, "ServedModelSource") == {"response": 24}
    assert counted(NAME, "FinishReason") == ENDS
    assert counted(NAME, "ToolName", "tool") == TOOLS
    assert counted(NAME, "AgentName", "") == {"claims_assistant": 16}


def test_the_agents_sums_are_not_counted() -> None:
    summed = [row for row in captured(NAME) if "gen_ai.usage.input_tokens" in dict(row["SpanAttributes"])]
    assert len(summed) == 24 + 16
    assert tokens(NAME) == (8513, 759)


def test_the_one_failed_tool_of_the_play_is_an_error() -> None:
    assert went_wrong(NAME) == {("get_claim_status", "Error", False): 1}


def test_a_failed_call_is_a_step_without_an_answer() -> None:
    name = "agent_framework_error"
    assert went_wrong(name) == {("llm", "Error", False): 1}
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 1}


def test_under_the_responses_api_the_swap_is_told_and_no_response_is_a_conversation() -> None:
    name = "agent_framework_responses"
    told = [dict(row["SpanAttributes"]).get("gen_ai.conversation.id", "") for row in captured(name)]
    assert {text[:5] for text in told} == {"", "resp_"}
    assert conversations(name) == set()
    assert counted(name, "ModelVersion") == SHORT_SWAP
