"""traceAI for LangChain: who answered stands in the payload and nowhere else."""

from __future__ import annotations

import json
from collections import Counter

from tests.tag.spans import captured, tagged

SCOPE = "traceai_langchain"
CALL = {"gen_ai.span.kind": "LLM", "gen_ai.request.model": "gpt-4o", "ls_provider": "openai"}
ANSWER = {"model_name": "gpt-4o-mini-2024-07-18", "system_fingerprint": "fp_1"}


def test_the_payload_tells_who_answered() -> None:
    payload = {"generations": [[{"message": {"kwargs": {"response_metadata": ANSWER}}}]]}
    row = tagged({**CALL, "output.value": json.dumps(payload)}, scope=SCOPE)
    assert (row["Dialect"], row["Provider"], row["RequestedModel"]) == ("traceai_langchain", "openai", "gpt-4o")
    assert (row["ServedModel"], row["ServedModelSource"]) == ("gpt-4o-mini-2024-07-18", "payload")
    assert (row["ModelVersion"], row["SystemFingerprint"]) == ("openai/gpt-4o-mini-2024-07-18", "fp_1")


def test_an_attribute_alone_is_not_believed() -> None:
    row = tagged({**CALL, "gen_ai.response.model": "gpt-4o"}, scope=SCOPE)
    assert (row["ServedModel"], row["ServedModelSource"], row["ModelVersion"]) == ("", "unknown", "openai/gpt-4o?")


def test_the_conversation_goes_before_a_session_that_differs() -> None:
    row = tagged({**CALL, "session.id": "USING", "gen_ai.conversation.id": "THREAD"}, scope=SCOPE)
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("THREAD", "gen_ai.conversation.id")


def test_the_agent_is_the_agent_spans_name() -> None:
    agent = {"gen_ai.span.kind": "AGENT"}
    named = {**agent, "metadata": json.dumps({"lc_agent_name": "planner"})}
    assert tagged(agent, scope=SCOPE, name="claims_agent")["AgentName"] == "claims_agent"
    assert tagged(named, scope=SCOPE, name="claims_agent")["AgentName"] == "planner"
    assert tagged({"gen_ai.span.kind": "CHAIN"}, scope=SCOPE, name="tools")["AgentName"] == ""


def test_langgraph_tells_all_of_the_swap() -> None:
    rows = captured("fi_langgraph")
    assert Counter(row["StepKind"] for row in rows) == {"": 135, "llm": 27, "tool": 11, "retrieval": 4}
    assert Counter(
        (row["ModelVersion"], row["ServedModelSource"], row["SystemFingerprint"])
        for row in rows
        if row["StepKind"] == "llm"
    ) == {
        ("openai/gpt-4o-2024-08-06", "payload", "fp_07871e2ad8"): 13,
        ("openai/gpt-4o-mini-2024-07-18", "payload", "fp_560af6e559"): 14,
    }


def test_langgraph_loses_the_tenant_and_tells_the_service() -> None:
    rows = captured("fi_langgraph")
    assert {(row["TenantId"], row["ServiceName"]) for row in rows} == {("default", "claims-agent")}


def test_the_node_of_a_prebuilt_agent_is_no_agent_of_that_name() -> None:
    told = {"gen_ai.span.kind": "AGENT"}
    assert tagged(told, scope="traceai_langchain", name="agent")["AgentName"] == ""
    assert tagged(told, scope="traceai_langchain", name="claims_agent")["AgentName"] == "claims_agent"
