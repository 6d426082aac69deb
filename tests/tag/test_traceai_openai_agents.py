"""traceAI for openai-agents: under the Responses API the request's key holds the answer."""

from __future__ import annotations

from collections import Counter

from tests.tag.spans import captured, tagged

SCOPE = "traceai_openai_agents"
CALL = {
    "gen_ai.span.kind": "LLM",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 100,
}


def test_under_the_responses_api_the_request_key_holds_the_answer() -> None:
    row = tagged(CALL, scope=SCOPE, name="response")
    assert (row["RequestedModel"], row["ServedModel"]) == ("", "gpt-4o-2024-08-06")
    assert (row["ServedModelSource"], row["ModelVersion"]) == ("response", "openai/gpt-4o-2024-08-06")


def test_under_chat_completions_it_holds_the_request_and_the_answer_is_lost() -> None:
    row = tagged({**CALL, "gen_ai.response.model": "gpt-4o-2024-08-06"}, scope=SCOPE, name="generation")
    assert (row["RequestedModel"], row["ServedModel"]) == ("gpt-4o-2024-08-06", "")
    assert (row["ServedModelSource"], row["ModelVersion"]) == ("unknown", "openai/gpt-4o-2024-08-06?")


def test_a_call_is_counted_once_although_its_turn_and_its_root_repeat_it() -> None:
    rows = captured("fi_openai_agents")
    assert sum("gen_ai.usage.input_tokens" in dict(row["SpanAttributes"]) for row in rows) == 27 + 27 + 16
    assert sum(row["InputTokens"] > 0 for row in rows) == 27


def test_a_hand_off_is_a_tool_span_by_its_name() -> None:
    tool = {"gen_ai.span.kind": "TOOL"}
    assert tagged(tool, scope=SCOPE, name="handoff to Claims Assistant")["StepKind"] == "handoff"
    assert tagged(tool, scope=SCOPE, name="get_claim_status")["ToolName"] == "get_claim_status"


def test_the_agent_is_its_graphs_node() -> None:
    assert tagged({"gen_ai.span.kind": "AGENT", "graph.node.id": "Claims"}, scope=SCOPE)["AgentName"] == "Claims"


def test_the_responses_api_tells_the_swap_and_nothing_else() -> None:
    rows = captured("fi_openai_agents")
    assert Counter(row["StepKind"] for row in rows) == {"llm": 27, "tool": 11, "": 75}
    assert {row["ConversationIdSource"] for row in rows} == {"gen_ai.conversation.id"}
    assert Counter(
        (row["ModelVersion"], row["SystemFingerprint"], row["FinishReason"]) for row in rows if row["StepKind"] == "llm"
    ) == {("openai/gpt-4o-2024-08-06", "", ""): 13, ("openai/gpt-4o-mini-2024-07-18", "", ""): 14}


def test_a_turn_that_lost_its_beginning_stands_in_for_the_call_that_lost_everything() -> None:
    """Beyond 128 attributes the SDK drops the oldest; the copy of the model and the tokens comes last on the turn."""
    copied = {"gen_ai.request.model": "gpt-4o-2024-08-06", "gen_ai.usage.input_tokens": 9}
    cut = tagged(copied, scope="traceai_openai_agents", name="turn")
    assert (cut["StepKind"], cut["ServedModel"], cut["InputTokens"]) == ("llm", "gpt-4o-2024-08-06", 9)
    whole = {**copied, "gen_ai.provider.name": "openai", "gen_ai.span.kind": "CHAIN"}
    assert tagged(whole, scope="traceai_openai_agents", name="turn")["StepKind"] == ""
