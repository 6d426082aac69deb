"""OpenLLMetry for LangChain: the response's model is the request's when streamed, and a failed tool says success."""

from __future__ import annotations

import json

import pytest

from tests.tag.spans import (
    CONVERSATIONS,
    FULL,
    MINI,
    TOOLS,
    conversations,
    counted,
    kinds,
    sources,
    tagged,
    tokens,
    went_wrong,
)

SCOPE = "opentelemetry.instrumentation.langchain"
SESSION = "traceloop.association.properties.session_id"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
DIALECT = "openllmetry_langchain"


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.operation.name": "invoke_agent"}, ""),
        ({"gen_ai.operation.name": "execute_task"}, ""),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        (CALL, "llm"),
        ({"llm.request.type": "chat"}, "llm"),
        ({"traceloop.span.kind": "tool"}, "tool"),
        ({"traceloop.span.kind": "workflow"}, ""),
    ],
)
def test_either_generations_keys_tell_the_kind(attributes: dict[str, str], kind: str) -> None:
    row = tagged(attributes, scope=SCOPE)
    assert (row["Dialect"], row["StepKind"]) == (DIALECT, kind)


@pytest.mark.parametrize(
    ("said", "version", "source"),
    [
        ("gpt-4o", "openai/gpt-4o?", "unknown"),
        ("gpt-4o-2024-08-06", FULL, "response"),
        ("gpt-4o-mini-2024-07-18", MINI, "response"),
    ],
)
def test_an_answer_that_repeats_the_request_proves_nothing(said: str, version: str, source: str) -> None:
    row = tagged({**CALL, "gen_ai.response.model": said}, scope=SCOPE)
    assert (row["ModelVersion"], row["ServedModelSource"]) == (version, source)


def _dumped(status: str) -> str:
    return json.dumps({"output": {"lc": 1, "kwargs": {"content": "no such claim", "status": status}}})


@pytest.mark.parametrize(
    ("attributes", "failed"),
    [
        ({"gen_ai.tool.call.result": _dumped("error"), "gen_ai.task.status": "success"}, True),
        ({"gen_ai.tool.call.result": _dumped("success"), "gen_ai.task.status": "success"}, False),
        ({"gen_ai.task.status": "failure"}, True),
        ({"traceloop.span.kind": "tool", "traceloop.entity.output": _dumped("error")}, True),
        ({"traceloop.span.kind": "task", "traceloop.entity.output": _dumped("error")}, False),
        ({"gen_ai.tool.call.result": "no JSON"}, False),
        ({}, False),
    ],
)
def test_a_tool_failed_where_its_dumped_result_says_so(attributes: dict[str, str], failed: object) -> None:
    assert tagged(attributes, scope=SCOPE)["StepFailed"] is failed


@pytest.mark.parametrize(
    ("attributes", "agent"),
    [
        ({"gen_ai.agent.name": "a", "traceloop.association.properties.lc_agent_name": "b"}, "a"),
        ({"traceloop.association.properties.lc_agent_name": "b", "traceloop.workflow.name": "c"}, "b"),
        ({"traceloop.workflow.name": "c"}, "c"),
    ],
)
def test_an_agent_is_named_by_itself_else_by_its_graph(attributes: dict[str, str], agent: str) -> None:
    assert tagged(attributes, scope=SCOPE)["AgentName"] == agent


def test_the_new_generation_tells_the_play_but_for_two_streamed_answers() -> None:
    name = "langgraph_bare"
    assert kinds(name) == {(DIALECT, "llm"): 24, (DIALECT, "tool"): 9, (DIALECT, ""): 66}
    assert counted(name, "ModelVersion") == {FULL: 10, "openai/gpt-4o?": 2, MINI: 12}
    assert counted(name, "ServedModelSource") == {"response": 22, "unknown": 2}
    assert counted(name, "FinishReason") == {"tool_call": 8, "stop": 16}
    assert counted(name, "ToolName", "tool") == TOOLS
    assert counted(name, "AgentName") == {"claims_assistant": 24}


def test_the_conversation_is_the_roots_own_and_the_sessions_below_it() -> None:
    name = "langgraph_bare"
    assert conversations(name) == CONVERSATIONS
    assert (sources(name), sources(name, "tool")) == ({SESSION: 24}, {SESSION: 9})
    assert sources(name, "") == {SESSION: 49, "gen_ai.conversation.id": 16, "": 1}


def test_the_old_generation_tells_the_same_play_with_tools_outside_the_session() -> None:
    name = "langgraph_old"
    assert kinds(name) == {(DIALECT, "llm"): 24, (DIALECT, "tool"): 9, (DIALECT, ""): 49}
    assert conversations(name) == CONVERSATIONS
    assert (sources(name), sources(name, "tool")) == ({SESSION: 24}, {"": 9})
    assert counted(name, "ModelVersion") == {FULL: 10, "openai/gpt-4o?": 2, MINI: 12}
    assert counted(name, "FinishReason") == {"tool_calls": 8, "": 16}
    assert counted(name, "ToolName", "tool") == TOOLS


@pytest.mark.parametrize("name", ["langgraph_bare", "langgraph_old"])
def test_streamed_calls_count_no_tokens(name: str) -> None:
    assert tokens(name) == (7617, 733)
    assert counted(name, "InputTokens")[0] == 2


@pytest.mark.parametrize("name", ["langgraph_bare", "langgraph_old"])
def test_the_one_failed_tool_of_the_play_is_found_behind_its_success(name: str) -> None:
    assert went_wrong(name) == {("get_claim_status", "Unset", True): 1}


def test_a_failed_call_repeats_the_request_and_is_not_believed() -> None:
    name = "langgraph_bare_error"
    assert went_wrong(name) == {("llm", "Error", True): 1}
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 1}
    assert conversations(name) == {"conv-7d1f0a52-0099"}
