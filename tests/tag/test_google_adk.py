"""Google ADK: three forms of one library. In the legacy one a call is told twice, and it alone knows who answered."""

from __future__ import annotations

import json

import pytest

from tests.tag.spans import (
    CONVERSATIONS,
    SHORT_CONVERSATIONS,
    SHORT_TOKENS,
    SHORT_TOOLS,
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

SCOPE = "gcp.vertex.agent"
CALL = {
    "gen_ai.operation.name": "generate_content",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "openai/gpt-4o",
}
LEGACY = {
    "gen_ai.system": "gcp.vertex.agent",
    "gen_ai.request.model": "openai/gpt-4o",
    "gcp.vertex.agent.llm_response": json.dumps({"model_version": "gpt-4o-2024-08-06"}),
}


@pytest.mark.parametrize(
    ("name", "attributes", "kind"),
    [
        ("generate_content openai/gpt-4o", CALL, "llm"),
        ("generate_content openai/gpt-4o", {**CALL, "gen_ai.system": "openai"}, ""),
        ("call_llm", LEGACY, "llm"),
        ("execute_tool get_claim", {"gen_ai.operation.name": "execute_tool"}, "tool"),
        ("execute_tool (merged)", {"gen_ai.operation.name": "execute_tool"}, ""),
        ("invoke_agent claims", {"gen_ai.operation.name": "invoke_agent"}, ""),
        ("invocation", {}, ""),
    ],
)
def test_a_call_is_counted_once_in_every_form(name: str, attributes: dict[str, str], kind: str) -> None:
    row = tagged(attributes, scope=SCOPE, name=name)
    assert (row["Dialect"], row["StepKind"]) == ("google_adk", kind)


def test_the_legacy_form_tells_who_answered_inside_the_recorded_response() -> None:
    row = tagged(LEGACY, scope=SCOPE, name="call_llm")
    assert (row["RequestedModel"], row["ServedModel"]) == ("openai/gpt-4o", "gpt-4o-2024-08-06")
    assert (row["Provider"], row["ModelVersion"]) == ("openai", "openai/gpt-4o-2024-08-06")
    assert row["ServedModelSource"] == "payload"


def test_the_gateways_prefix_is_not_doubled() -> None:
    assert tagged(CALL, scope=SCOPE)["ModelVersion"] == "openai/gpt-4o?"


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({"gen_ai.conversation.id": "a", "gcp.vertex.agent.session_id": "b"}, "gen_ai.conversation.id"),
        ({"gcp.vertex.agent.session_id": "b"}, "gcp.vertex.agent.session_id"),
    ],
)
def test_the_session_is_the_conversation(attributes: dict[str, str], key: str) -> None:
    row = tagged(attributes, scope=SCOPE)
    assert (row["ConversationIdSource"], row["ConversationId"]) == (key, attributes[key])


def test_the_default_form_tells_the_play_but_for_the_swap() -> None:
    name = "google_adk"
    assert kinds(name) == {("google_adk", "llm"): 24, ("google_adk", "tool"): 9, ("google_adk", ""): 33}
    assert (sources(name), sources(name, "tool")) == ({"gen_ai.conversation.id": 24}, {"": 9})
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 24}
    assert counted(name, "ServedModelSource") == {"unknown": 24}
    assert counted(name, "AgentName") == {"claims_assistant": 24}


def test_the_legacy_form_tells_the_swap() -> None:
    name = "google_adk_legacy"
    assert kinds(name) == {("google_adk", "llm"): 24, ("google_adk", "tool"): 9, ("google_adk", ""): 57}
    assert (sources(name), sources(name, "tool")) == ({"gcp.vertex.agent.session_id": 24}, {"": 9})
    assert counted(name, "ModelVersion") == SWAP
    assert counted(name, "ServedModelSource") == {"payload": 24}


@pytest.mark.parametrize("name", ["google_adk", "google_adk_legacy"])
def test_both_forms_tell_the_same_conversations_tools_and_tokens(name: str) -> None:
    assert conversations(name) == CONVERSATIONS
    assert counted(name, "RequestedModel") == {"openai/gpt-4o": 24}
    assert counted(name, "ToolName", "tool") == TOOLS
    assert tokens(name) == (9327, 759)
    assert [row["SpanName"] for row in captured(name)].count("execute_tool (merged)") == 1


@pytest.mark.parametrize("name", ["google_adk", "google_adk_legacy"])
def test_the_finish_reason_is_stop_for_everything_and_is_not_read(name: str) -> None:
    assert counted(name, "FinishReason") == {"": 24}


@pytest.mark.parametrize("name", ["google_adk", "google_adk_legacy"])
def test_a_tool_that_returns_its_error_leaves_no_mark_on_its_span(name: str) -> None:
    assert went_wrong(name) == {}


def test_a_failed_call_is_a_step_without_an_answer() -> None:
    name = "google_adk_error"
    assert went_wrong(name) == {("llm", "Error", False): 1}
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 1}


def test_the_form_with_content_on_spans_tells_the_same_and_a_tool_that_raised() -> None:
    name = "google_adk_latest"
    assert kinds(name) == {("google_adk", "llm"): 16, ("google_adk", "tool"): 7, ("google_adk", ""): 21}
    assert conversations(name) == SHORT_CONVERSATIONS
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 16}
    assert counted(name, "ToolName", "tool") == SHORT_TOOLS
    assert tokens(name) == SHORT_TOKENS
    assert went_wrong(name) == {("get_claim_status", "Error", False): 1}
