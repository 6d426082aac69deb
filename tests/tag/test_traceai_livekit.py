"""traceAI over LiveKit: its own additions are wrong, LiveKit's stay right."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tag.spans import captured, tagged

SCOPE = "livekit-agents"


def test_the_mapping_is_known_by_its_kind_on_livekits_scope() -> None:
    assert tagged({"gen_ai.span.kind": "LLM"}, scope=SCOPE)["Dialect"] == "traceai_livekit"
    assert tagged({}, scope=SCOPE)["Dialect"] == "livekit"
    assert tagged({"gen_ai.span.kind": "LLM"}, scope="elsewhere")["Dialect"] == "traceai"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("llm_request", "llm"),
        ("llm_node", ""),
        ("tts_request", ""),
        ("user_turn", "speech"),
        ("start_agent_activity", ""),
    ],
)
def test_its_kind_is_not_believed(name: str, kind: str) -> None:
    assert tagged({"gen_ai.span.kind": "LLM"}, scope=SCOPE, name=name)["StepKind"] == kind


def test_the_room_keeps_the_session_in_its_conversation_although_it_is_renamed() -> None:
    told = {"gen_ai.span.kind": "UNKNOWN", "gen_ai.conversation.id": "the room's name", "lk.room_sid": "SRM_1"}
    row = tagged(told, scope=SCOPE, name="agent_session")
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("SRM_1", "lk.room_sid")


def test_each_call_of_the_play_is_one_room() -> None:
    rows = captured("fi_livekit_voice")
    assert len({row["ConversationId"] for row in rows}) == 4
    assert {row["ConversationId"][:4] for row in rows} == {"SRM_"}


def test_steps_are_those_of_livekit() -> None:
    kinds = Counter(row["StepKind"] for row in captured("fi_livekit_voice"))
    plain = Counter(row["StepKind"] for row in captured("livekit_voice"))
    assert {kind: kinds[kind] for kind in ("llm", "tool", "speech")} == {"llm": 27, "tool": 11, "speech": 32}
    assert {kind: plain[kind] for kind in ("llm", "tool", "speech")} == {"llm": 27, "tool": 11, "speech": 32}


def test_a_failed_tool_has_failed_although_its_status_is_ok() -> None:
    failed = [row for row in captured("fi_livekit_voice") if row["StepFailed"]]
    assert [(row["ToolName"], row["StatusCode"]) for row in failed] == [("get_claim_status", "Ok")]


def test_the_served_model_stays_unknown() -> None:
    calls = [row for row in captured("fi_livekit_voice") if row["StepKind"] == "llm"]
    assert {(row["ServedModelSource"], row["ModelVersion"]) for row in calls} == {
        ("unknown", "127.0.0.1:18080/gpt-4o?")
    }
