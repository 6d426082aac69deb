"""Strands: nothing tells which model answered, and the library's version stands where the application's belongs."""

from __future__ import annotations

import pytest

from tests.tag.spans import (
    CONVERSATIONS,
    TOOLS,
    captured,
    conversations,
    counted,
    kinds,
    tagged,
    tokens,
    went_wrong,
)

SCOPE = "strands.telemetry.tracer"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.system": "strands-agents", "gen_ai.request.model": "gpt-4o"}
FORMS = ["strands", "strands_latest"]


@pytest.mark.parametrize("key", ["gen_ai.system", "gen_ai.provider.name"])
def test_the_library_is_not_the_provider(key: str) -> None:
    row = tagged({**CALL, key: "strands-agents"}, scope=SCOPE)
    assert (row["Dialect"], row["Provider"], row["ModelVersion"]) == ("strands", "openai", "openai/gpt-4o?")


def test_the_answering_model_is_never_believed() -> None:
    row = tagged({**CALL, "gen_ai.response.model": "gpt-4o-2024-08-06"}, scope=SCOPE)
    assert (row["ServedModel"], row["ServedModelSource"], row["ModelVersion"]) == ("", "unknown", "openai/gpt-4o?")


def test_the_probe_tells_what_the_library_hides() -> None:
    probed = {"spanwitness.served.model": "gpt-4o-mini-2024-07-18", "spanwitness.served.fingerprint": "fp_1"}
    row = tagged({**CALL, **probed}, scope=SCOPE)
    assert (row["ModelVersion"], row["ServedModelSource"]) == ("openai/gpt-4o-mini-2024-07-18", "probe")
    assert row["SystemFingerprint"] == "fp_1"


def test_the_resources_version_is_the_librarys() -> None:
    assert tagged(CALL, scope=SCOPE, resource={"service.version": "1.62.0"})["AgentVersion"] == ""
    told = {**CALL, "gen_ai.agent.version": "2.1"}
    assert tagged(told, scope=SCOPE, resource={"service.version": "1.62.0"})["AgentVersion"] == "2.1"


@pytest.mark.parametrize(("status", "failed"), [("error", True), ("success", False), ("", False)])
def test_a_tool_tells_how_it_ended(status: str, failed: object) -> None:
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.status": status}
    assert tagged(tool, scope=SCOPE)["StepFailed"] is failed


@pytest.mark.parametrize("name", FORMS)
def test_either_form_tells_the_play_but_for_the_swap(name: str) -> None:
    assert kinds(name) == {("strands", "llm"): 24, ("strands", "tool"): 9, ("strands", ""): 40}
    assert {row["ConversationIdSource"] for row in captured(name)} == {"session.id"}
    assert conversations(name) == CONVERSATIONS
    assert counted(name, "RequestedModel") == {"gpt-4o": 24}
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 24}
    assert counted(name, "ServedModelSource") == {"unknown": 24}
    assert counted(name, "FinishReason") == {"": 24}
    assert counted(name, "ToolName", "tool") == TOOLS
    assert {row["AgentVersion"] for row in captured(name)} == {""}


@pytest.mark.parametrize("name", FORMS)
def test_the_sum_over_an_agents_life_is_not_counted(name: str) -> None:
    agents = [row for row in captured(name) if row["AgentName"] == "claims_assistant"]
    assert len(agents) == 16
    assert all("gen_ai.usage.input_tokens" in dict(row["SpanAttributes"]) for row in agents)
    assert tokens(name) == (8564, 759)


@pytest.mark.parametrize("name", FORMS)
def test_the_one_failed_tool_of_the_play_is_found(name: str) -> None:
    assert went_wrong(name) == {("get_claim_status", "Error", True): 1}
