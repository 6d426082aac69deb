"""OpenInference for LangChain: the served model stands in the payload, the attribute lies when streamed."""

from __future__ import annotations

import json
from collections import Counter

from tests.tag.spans import captured, tagged

SCOPE = "openinference.instrumentation.langchain"
CALL = {
    "openinference.span.kind": "LLM",
    "llm.provider": "openai",
    "llm.invocation_parameters": json.dumps({"model": "gpt-4o"}),
}


def answer(**metadata: str) -> dict[str, str]:
    message = {"kwargs": {"response_metadata": metadata}}
    return {"output.value": json.dumps({"generations": [[{"message": message}]]})}


def test_the_payload_tells_who_answered_although_the_attribute_repeats_the_request() -> None:
    told = answer(model_name="gpt-4o-mini-2024-07-18", system_fingerprint="fp_1")
    row = tagged({**CALL, "llm.model_name": "gpt-4o", **told}, scope=SCOPE)
    assert (row["Dialect"], row["RequestedModel"]) == ("openinference_langchain", "gpt-4o")
    assert (row["ServedModel"], row["ServedModelSource"]) == ("gpt-4o-mini-2024-07-18", "payload")
    assert (row["ModelVersion"], row["SystemFingerprint"]) == ("openai/gpt-4o-mini-2024-07-18", "fp_1")


def test_without_a_payload_an_attribute_that_differs_is_believed() -> None:
    row = tagged({**CALL, "llm.model_name": "gpt-4o-2024-08-06", "output.value": "cut off {"}, scope=SCOPE)
    assert (row["ServedModel"], row["ServedModelSource"]) == ("gpt-4o-2024-08-06", "response")


def test_without_a_payload_an_attribute_that_repeats_the_request_is_not_believed() -> None:
    row = tagged({**CALL, "llm.model_name": "gpt-4o"}, scope=SCOPE)
    assert (row["ServedModel"], row["ServedModelSource"], row["ModelVersion"]) == ("", "unknown", "openai/gpt-4o?")


def test_the_agent_is_the_roots_name_unless_the_metadata_has_another() -> None:
    agent = {"openinference.span.kind": "AGENT"}
    named = {**agent, "metadata": json.dumps({"lc_agent_name": "planner"})}
    assert tagged(agent, scope=SCOPE, name="claims_agent")["AgentName"] == "claims_agent"
    assert tagged(named, scope=SCOPE, name="claims_agent")["AgentName"] == "planner"
    assert tagged({"openinference.span.kind": "CHAIN"}, scope=SCOPE, name="tools")["AgentName"] == ""


def test_langgraph_tells_all_of_the_swap_streamed_or_not() -> None:
    calls = [row for row in captured("oi_langgraph") if row["StepKind"] == "llm"]
    told = Counter((row["ModelVersion"], row["ServedModelSource"], row["SystemFingerprint"]) for row in calls)
    assert told == {
        ("openai/gpt-4o-2024-08-06", "payload", "fp_07871e2ad8"): 13,
        ("openai/gpt-4o-mini-2024-07-18", "payload", "fp_560af6e559"): 14,
    }


def test_langgraph_hides_the_tokens_of_what_was_streamed() -> None:
    calls = [row for row in captured("oi_langgraph") if row["StepKind"] == "llm"]
    assert Counter(row["InputTokens"] > 0 for row in calls) == {True: 20, False: 7}


def test_langgraphs_steps_stand_in_their_conversation() -> None:
    rows = captured("oi_langgraph")
    assert Counter(row["StepKind"] for row in rows) == {"": 135, "llm": 27, "tool": 11, "retrieval": 4}
    assert {row["ConversationId"] for row in rows} == {f"conv-acme-{n:04}" for n in (1, 2, 3, 4)}
    assert {row["ConversationIdSource"] for row in rows} == {"session.id"}


def test_the_node_of_a_prebuilt_agent_is_no_agent_of_that_name() -> None:
    told = {"openinference.span.kind": "AGENT"}
    assert tagged(told, scope="openinference.instrumentation.langchain", name="agent")["AgentName"] == ""
    assert (
        tagged(told, scope="openinference.instrumentation.langchain", name="claims_agent")["AgentName"]
        == "claims_agent"
    )
