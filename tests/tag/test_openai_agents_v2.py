"""OpenTelemetry's first instrumentation of openai-agents: no conversation, and the answer under the request's key."""

from __future__ import annotations

import pytest

from tests.tag.spans import SHORT_TOOLS, SWAP, TOOLS, conversations, counted, kinds, tagged, tokens, went_wrong

SCOPE = "opentelemetry.instrumentation.openai_agents"
PLACE = {"server.address": "api.openai.com"}
CALL = {
    **PLACE,
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.agent.name": "OpenAI Agent",
}
NAME = "openai_agents_v2"


def test_under_the_responses_api_the_request_key_holds_the_answer() -> None:
    model = "gpt-4o-mini-2024-07-18"
    row = tagged({**CALL, "gen_ai.request.model": model, "gen_ai.response.model": model}, scope=SCOPE)
    assert (row["Dialect"], row["RequestedModel"], row["ServedModel"]) == (NAME, "", model)
    assert (row["ServedModelSource"], row["ModelVersion"]) == ("response", f"openai/{model}")


def test_under_chat_completions_it_holds_the_request_and_the_answer_is_lost() -> None:
    row = tagged({**CALL, "gen_ai.request.model": "gpt-4o"}, scope=SCOPE)
    assert (row["RequestedModel"], row["ServedModel"]) == ("gpt-4o", "")
    assert (row["ServedModelSource"], row["ModelVersion"]) == ("unknown", "openai/gpt-4o?")


@pytest.mark.parametrize(
    ("operation", "kind"), [("chat", "llm"), ("execute_tool", "tool"), ("invoke_agent", ""), ("unknown", "")]
)
def test_the_sdks_own_turns_are_containers(operation: str, kind: str) -> None:
    assert tagged({**CALL, "gen_ai.operation.name": operation}, scope=SCOPE)["StepKind"] == kind


def test_only_an_agents_own_span_knows_its_name() -> None:
    agent = {**PLACE, "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Claims assistant"}
    assert tagged(agent, scope=SCOPE)["AgentName"] == "Claims assistant"
    assert tagged(CALL, scope=SCOPE)["AgentName"] == ""


def test_spans_of_openllmetrys_library_under_the_same_scope_are_another_matter() -> None:
    told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-mini"}
    row = tagged(told, scope=SCOPE)
    assert (row["Dialect"] == NAME, row["RequestedModel"]) == (False, "gpt-4o")


def test_the_play_is_told_but_for_its_conversations_and_requests() -> None:
    assert kinds(NAME) == {(NAME, "llm"): 24, (NAME, "tool"): 9, (NAME, ""): 72}
    assert conversations(NAME) == set()
    assert counted(NAME, "RequestedModel") == {"": 24}
    assert counted(NAME, "ModelVersion") == SWAP
    assert counted(NAME, "ServedModelSource") == {"response": 24}
    assert counted(NAME, "FinishReason") == {"": 24}
    assert counted(NAME, "ToolName", "tool") == TOOLS
    assert counted(NAME, "AgentName", "") == {"Claims assistant": 16, "": 56}
    assert tokens(NAME) == (7426, 534)
    assert went_wrong(NAME) == {("get_claim_status", "Error", False): 1}


def test_a_failed_call_has_no_model_at_all() -> None:
    name = "openai_agents_v2_error"
    assert went_wrong(name) == {("llm", "Error", False): 1}
    assert counted(name, "ModelVersion") == {"": 1}
    assert counted(name, "ServedModelSource") == {"unknown": 1}


def test_over_chat_completions_the_request_is_told_and_the_answer_hidden() -> None:
    name = "openai_agents_v2_chat"
    assert kinds(name) == {(NAME, "llm"): 16, (NAME, "tool"): 7, (NAME, ""): 46}
    assert counted(name, "RequestedModel") == {"gpt-4o": 16}
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 16}
    assert counted(name, "ServedModelSource") == {"unknown": 16}
    assert counted(name, "ToolName", "tool") == SHORT_TOOLS
    assert went_wrong(name) == {("get_claim_status", "Error", False): 1}
