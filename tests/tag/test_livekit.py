"""LiveKit: a voice call, in which one kind of span alone is a model call and nothing tells which model answered."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tag.spans import captured, tagged

SCOPE = "livekit-agents"
MODEL = {
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 50,
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("llm_request", "llm"),
        ("function_tool", "tool"),
        ("user_turn", "speech"),
        ("tts_node", "speech"),
        ("llm_node", ""),
        ("llm_request_run", ""),
        ("start_agent_activity", ""),
        ("tts_request", ""),
        ("tts_stream_adapter", ""),
        ("tts_request_run", ""),
        ("agent_turn", ""),
        ("agent_session", ""),
        ("session_close", ""),
        ("", ""),
    ],
)
def test_the_name_tells_the_kind_whatever_attributes_repeat(name: str, kind: str) -> None:
    row = tagged({**MODEL, "gen_ai.operation.name": "chat"}, scope=SCOPE, name=name)
    assert (row["Dialect"], row["StepKind"]) == ("livekit", kind)
    assert (row["InputTokens"] > 0) is (kind in ("llm", "speech"))


def test_the_answering_model_is_never_believed() -> None:
    row = tagged(MODEL, scope=SCOPE, name="llm_request")
    assert (row["RequestedModel"], row["ServedModel"], row["ServedModelSource"]) == ("gpt-4o", "", "unknown")
    assert (row["ModelVersion"], row["SystemFingerprint"]) == ("openai/gpt-4o?", "")


def test_speech_has_its_own_models() -> None:
    speech = Counter(
        (row["SpanName"], row["Actor"], row["ModelVersion"])
        for row in captured("livekit_voice")
        if row["StepKind"] == "speech"
    )
    assert speech == {
        ("user_turn", "customer", "fake-stt/fake-nova-3?"): 16,
        ("tts_node", "ai", "fake-tts/fake-sonic-2?"): 16,
    }


def test_a_silent_swap_leaves_no_trace() -> None:
    calls = [row for row in captured("livekit_voice") if row["StepKind"] == "llm"]
    assert Counter((row["ModelVersion"], row["ServedModelSource"]) for row in calls) == {
        ("127.0.0.1:18080/gpt-4o?", "unknown"): 27
    }


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({"lk.room_sid": "a", "room_id": "b", "gen_ai.conversation.id": "c"}, "lk.room_sid"),
        ({"room_id": "b", "gen_ai.conversation.id": "c", "session.id": "d"}, "room_id"),
        ({"gen_ai.conversation.id": "c", "session.id": "d"}, "gen_ai.conversation.id"),
        ({"session.id": "d", "langfuse.session.id": "e"}, "session.id"),
        ({"langfuse.session.id": "e"}, "langfuse.session.id"),
    ],
)
def test_the_room_is_the_conversation(attributes: dict[str, str], key: str) -> None:
    row = tagged(attributes, scope=SCOPE, name="agent_turn")
    assert (row["ConversationIdSource"], row["ConversationId"]) == (key, attributes[key])


def test_each_call_is_one_room() -> None:
    rooms = {(row["TraceId"], row["ConversationId"]) for row in captured("livekit_voice")}
    assert len({room for _, room in rooms}) == 4
    assert all(room.startswith("SRM_") for _, room in rooms)


def test_the_session_says_when_it_closes() -> None:
    ended = [row for row in captured("livekit_voice") if row["ConversationEnded"]]
    assert {row["SpanName"] for row in ended} == {"session_close"}
    assert len({row["ConversationId"] for row in ended}) == 4


@pytest.mark.parametrize(("told", "failed"), [(True, True), (False, False), ("", False)])
def test_a_tool_fails_although_its_status_does_not_say_so(told: object, failed: object) -> None:
    row = tagged({"lk.function_tool.is_error": told}, scope=SCOPE, name="function_tool")
    assert (row["StepFailed"], row["StatusCode"]) == (failed, "Unset")


def test_the_one_failed_tool_of_the_play_is_found() -> None:
    failed = [row for row in captured("livekit_voice") if row["StepFailed"]]
    assert [(row["ToolName"], row["StatusCode"]) for row in failed] == [("get_claim_status", "Unset")]


def test_tools_and_agents_are_named_in_either_generation() -> None:
    new = {"gen_ai.tool.name": "get_claim", "gen_ai.agent.name": "claims"}
    old = {"lk.function_tool.name": "get_claim", "lk.agent_label": "claims"}
    for told in (new, old):
        row = tagged(told, scope=SCOPE, name="function_tool")
        assert (row["ToolName"], row["AgentName"]) == ("get_claim", "claims")
