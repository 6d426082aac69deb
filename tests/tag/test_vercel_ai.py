"""The Vercel AI SDK up to 6: outer spans repeat the inner ones, and the conversation's key is the application's."""

from __future__ import annotations

import pytest

from tests.tag.spans import (
    CONVERSATIONS,
    FULL,
    SWAP,
    TOOLS,
    captured,
    conversations,
    counted,
    kinds,
    tagged,
    tokens,
    went_wrong,
)

CALL = {
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.model.id": "gpt-4o",
    "gen_ai.system": "openai.chat",
    "gen_ai.request.model": "gpt-4o",
}
FORMS = {"vercel_ai": "ai.telemetry.metadata.sessionId", "vercel_ai7_legacy": "ai.settings.context.sessionId"}


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("ai.generateText.doGenerate", "llm"),
        ("ai.streamText.doStream", "llm"),
        ("ai.generateObject.doGenerate", "llm"),
        ("ai.streamObject.doStream", "llm"),
        ("ai.toolCall", "tool"),
        ("ai.generateText", ""),
        ("ai.streamText", ""),
        ("ai.embed.doEmbed", ""),
        ("ai.somethingNew", ""),
    ],
)
@pytest.mark.parametrize("scope", ["ai", "a wrapper's own"])
def test_the_inner_operations_alone_are_steps(operation: str, kind: str, scope: str) -> None:
    row = tagged({**CALL, "ai.operationId": operation, "ai.usage.promptTokens": 9}, scope=scope)
    assert (row["Dialect"], row["StepKind"]) == ("vercel_ai", kind)
    assert (row["InputTokens"] == 9) is (kind == "llm")


@pytest.mark.parametrize("key", ["gen_ai.response.model", "ai.response.model"])
@pytest.mark.parametrize(
    ("said", "version", "source"),
    [("gpt-4o", "openai/gpt-4o?", "unknown"), ("gpt-4o-2024-08-06", FULL, "response")],
)
def test_a_name_that_stands_in_for_a_missing_one_proves_nothing(key: str, said: str, version: str, source: str) -> None:
    row = tagged({**CALL, key: said}, scope="ai")
    assert (row["ModelVersion"], row["ServedModelSource"]) == (version, source)


@pytest.mark.parametrize("system", ["openai.chat", "openai.responses"])
def test_the_provider_is_told_without_its_api(system: str) -> None:
    assert tagged({**CALL, "gen_ai.system": system}, scope="ai")["Provider"] == "openai"


@pytest.mark.parametrize(
    ("attributes", "column", "value"),
    [
        ({"gen_ai.usage.input_tokens": 5, "ai.usage.promptTokens": 6}, "InputTokens", 5),
        ({"ai.usage.inputTokens": 7}, "InputTokens", 7),
        ({"ai.usage.outputTokens": 8}, "OutputTokens", 8),
        ({"ai.usage.completionTokens": 9}, "OutputTokens", 9),
        ({"ai.response.finishReason": "tool-calls"}, "FinishReason", "tool-calls"),
        ({"ai.telemetry.functionId": "claims-chat"}, "AgentName", "claims-chat"),
        ({"ai.telemetry.metadata.promptVersion": "v3"}, "PromptVersion", "v3"),
    ],
)
def test_a_call_tells_its_facts(attributes: dict[str, object], column: str, value: object) -> None:
    assert tagged({**CALL, **attributes}, scope="ai")[column] == value


@pytest.mark.parametrize("prefix", ["ai.telemetry.metadata.", "ai.settings.context."])
@pytest.mark.parametrize("name", ["sessionId", "session_id", "conversationId", "chatId", "threadId"])
def test_the_conversation_stands_under_a_key_of_the_applications_choice(prefix: str, name: str) -> None:
    row = tagged({**CALL, prefix + name: "conv-1"}, scope="ai")
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("conv-1", prefix + name)


@pytest.mark.parametrize("name", FORMS)
def test_the_play_is_told_in_full(name: str) -> None:
    assert kinds(name) == {("vercel_ai", "llm"): 24, ("vercel_ai", "tool"): 9, ("vercel_ai", ""): 16}
    assert {row["ConversationIdSource"] for row in captured(name)} == {FORMS[name]}
    assert conversations(name) == CONVERSATIONS
    assert counted(name, "RequestedModel") == {"gpt-4o": 24}
    assert counted(name, "ModelVersion") == SWAP
    assert counted(name, "ServedModelSource") == {"response": 24}
    assert counted(name, "FinishReason") == {"tool-calls": 8, "stop": 16}
    assert counted(name, "ToolName", "tool") == TOOLS
    assert {row["AgentName"] for row in captured(name)} == {"claims-chat"}
    assert {row["AgentVersion"] for row in captured(name)} == {"3.2.1"}
    assert went_wrong(name) == {("get_claim_status", "Error", False): 1}


def test_the_outer_spans_sums_are_not_counted() -> None:
    assert tokens("vercel_ai") == (8412, 759)
    assert tokens("vercel_ai7_legacy") == (8435, 759)


@pytest.mark.parametrize("name", ["vercel_ai_error", "vercel_ai_stream_error"])
def test_a_failed_call_is_a_step_without_an_answer(name: str) -> None:
    assert went_wrong(name) == {("llm", "Error", False): 1}
    assert counted(name, "ModelVersion") == {"openai/gpt-4o?": 1}
    assert conversations(name) == {"conv-7d1f0a52-0099"}
