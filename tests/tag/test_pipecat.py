"""Pipecat: what it calls the requested model is the answer to the call before."""

from __future__ import annotations

from tests.tag.spans import tagged

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-2024-08-06",
    "param.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 213,
    "gen_ai.usage.output_tokens": 21,
}


def test_the_requested_model_is_the_parameter_and_nobody_tells_the_served_one() -> None:
    row = tagged(CALL, scope="pipecat", name="llm")
    assert (row["Dialect"], row["StepKind"]) == ("pipecat", "llm")
    assert (row["RequestedModel"], row["ServedModel"], row["ServedModelSource"]) == ("gpt-4o", "", "unknown")
    assert (row["ModelVersion"], row["InputTokens"], row["OutputTokens"]) == ("openai/gpt-4o?", 213, 21)


def test_without_the_parameter_the_requested_model_is_lost() -> None:
    told = {key: value for key, value in CALL.items() if key != "param.model"}
    assert tagged(told, scope="pipecat", name="llm")["RequestedModel"] == ""


def test_the_turn_names_the_conversation() -> None:
    row = tagged({"conversation.id": "c-1", "turn.number": 1}, scope="pipecat.turn", name="turn")
    assert (row["StepKind"], row["ConversationId"], row["ConversationIdSource"]) == ("", "c-1", "conversation.id")
