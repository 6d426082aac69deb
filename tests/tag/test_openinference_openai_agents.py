"""OpenInference for openai-agents: one key holds the served model under one API, the requested one under the other."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tag.spans import captured, tagged

SCOPE = "openinference.instrumentation.openai_agents"
CALL = {"openinference.span.kind": "LLM", "llm.system": "openai", "llm.model_name": "gpt-4o-2024-08-06"}


def test_under_the_responses_api_the_name_is_the_served_one_and_the_request_is_lost() -> None:
    row = tagged(CALL, scope=SCOPE, name="response")
    assert (row["RequestedModel"], row["ServedModel"]) == ("", "gpt-4o-2024-08-06")
    assert (row["ServedModelSource"], row["ModelVersion"]) == ("response", "openai/gpt-4o-2024-08-06")


def test_under_chat_completions_the_name_is_the_requested_one_and_the_answer_is_lost() -> None:
    row = tagged(CALL, scope=SCOPE, name="generation")
    assert (row["RequestedModel"], row["ServedModel"]) == ("gpt-4o-2024-08-06", "")
    assert (row["ServedModelSource"], row["ModelVersion"]) == ("unknown", "openai/gpt-4o-2024-08-06?")


def test_a_call_of_another_name_tells_nothing() -> None:
    row = tagged(CALL, scope=SCOPE, name="custom")
    assert (row["StepKind"], row["ServedModelSource"], row["ModelVersion"]) == ("llm", "unknown", "")


def test_a_hand_off_is_a_tool_span_by_its_name() -> None:
    tool = {"openinference.span.kind": "TOOL"}
    assert tagged(tool, scope=SCOPE, name="handoff to Claims Assistant")["StepKind"] == "handoff"
    assert tagged(tool, scope=SCOPE, name="get_claim_status")["StepKind"] == "tool"


def test_a_finish_reason_that_is_always_stop_is_not_taken() -> None:
    assert tagged({**CALL, "llm.finish_reason": "stop"}, scope=SCOPE, name="response")["FinishReason"] == ""


def test_the_agent_is_named_on_its_own_span() -> None:
    agent = {"openinference.span.kind": "AGENT", "agent.name": "Claims Assistant"}
    assert tagged(agent, scope=SCOPE)["AgentName"] == "Claims Assistant"
    assert Counter(row["AgentName"] for row in captured("oi_openai_agents")) == {"": 97, "Claims Assistant": 16}


def test_the_responses_api_tells_the_swap() -> None:
    calls = [row for row in captured("oi_openai_agents") if row["StepKind"] == "llm"]
    assert Counter(row["ModelVersion"] for row in calls) == {
        "openai/gpt-4o-2024-08-06": 13,
        "openai/gpt-4o-mini-2024-07-18": 14,
    }


def test_chat_completions_hide_the_swap() -> None:
    calls = [row for row in captured("oi_openai_agents_chat") if row["StepKind"] == "llm"]
    assert Counter((row["ModelVersion"], row["ServedModelSource"]) for row in calls) == {
        ("openai/gpt-4o?", "unknown"): 27
    }


@pytest.mark.parametrize("capture", ["oi_openai_agents", "oi_openai_agents_chat"])
def test_every_span_stands_in_its_session(capture: str) -> None:
    rows = captured(capture)
    assert {row["ConversationIdSource"] for row in rows} == {"session.id"}
    assert Counter(row["StepKind"] for row in rows) == {"llm": 27, "tool": 11, "": 75}
    assert {row["PromptVersion"] for row in rows} == {"v3.2.0"}
