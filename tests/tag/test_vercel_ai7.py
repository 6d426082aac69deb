"""The Vercel AI SDK 7: the conventions, without a conversation unless the application switches its context on."""

from __future__ import annotations

import pytest

from tests.tag.spans import (
    CONVERSATIONS,
    FULL,
    SWAP,
    TOOLS,
    conversations,
    counted,
    kinds,
    sources,
    tagged,
    tokens,
    went_wrong,
)

SCOPE = "gen_ai"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
FORMS = ["vercel_ai7", "vercel_ai7_ctx"]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [("chat", "llm"), ("execute_tool", "tool"), ("agent_step", ""), ("invoke_agent", ""), ("embeddings", "")],
)
def test_a_step_of_the_loop_is_a_container(operation: str, kind: str) -> None:
    row = tagged({**CALL, "gen_ai.operation.name": operation}, scope=SCOPE, name="step 1")
    assert (row["Dialect"], row["StepKind"]) == ("vercel_ai7", kind)


@pytest.mark.parametrize(
    ("said", "version", "source"),
    [("gpt-4o", "openai/gpt-4o?", "unknown"), ("gpt-4o-2024-08-06", FULL, "response")],
)
def test_a_name_that_stands_in_for_a_missing_one_proves_nothing(said: str, version: str, source: str) -> None:
    row = tagged({**CALL, "gen_ai.response.model": said}, scope=SCOPE)
    assert (row["ModelVersion"], row["ServedModelSource"]) == (version, source)


@pytest.mark.parametrize("name", FORMS)
def test_the_play_is_told_with_its_swap(name: str) -> None:
    assert kinds(name) == {("vercel_ai7", "llm"): 24, ("vercel_ai7", "tool"): 9, ("vercel_ai7", ""): 40}
    assert counted(name, "RequestedModel") == {"gpt-4o": 24}
    assert counted(name, "ModelVersion") == SWAP
    assert counted(name, "ServedModelSource") == {"response": 24}
    assert counted(name, "FinishReason") == {"tool-calls": 8, "stop": 16}
    assert counted(name, "ToolName", "tool") == TOOLS
    assert counted(name, "AgentName", "") == {"claims-chat": 16, "": 24}
    assert tokens(name) == (7316, 534)
    assert went_wrong(name) == {("get_claim_status", "Error", False): 1}


def test_by_default_nothing_names_the_conversation() -> None:
    assert conversations("vercel_ai7") == set()


def test_with_its_context_switched_on_agents_and_their_steps_name_it() -> None:
    name = "vercel_ai7_ctx"
    assert conversations(name) == CONVERSATIONS
    assert sources(name, "") == {"ai.settings.context.sessionId": 40}
    assert (sources(name), sources(name, "tool")) == ({"": 24}, {"": 9})


def test_a_failed_call_is_a_step_without_an_answer() -> None:
    name = "vercel_ai7_error"
    assert went_wrong(name) == {("llm", "Error", False): 1}
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 1}
