"""Spans of no agent library: the application's own, which name the conversation and nothing else."""

from __future__ import annotations

import pytest

from tests.tag.spans import captured, tagged


@pytest.mark.parametrize("key", ["gen_ai.conversation.id", "session.id", "langfuse.session.id"])
def test_the_applications_span_may_name_the_conversation(key: str) -> None:
    row = tagged({key: "conv-1"}, scope="opentelemetry.instrumentation.asgi")
    assert (row["Dialect"], row["ConversationId"], row["ConversationIdSource"]) == ("", "conv-1", key)


def test_it_is_never_a_step_whatever_it_repeats() -> None:
    told = {"llm.model_name": "gpt-4o", "gen_ai.usage.input_tokens": 5, "tool.name": "get_claim"}
    row = tagged(told, scope="acme.app", name="llm_request")
    assert (row["StepKind"], row["Actor"], row["ModelVersion"], row["InputTokens"]) == ("", "", "", 0)
    assert (row["ToolName"], row["ServedModelSource"]) == ("", "")


def test_the_parents_of_a_bare_clients_calls_are_of_no_dialect() -> None:
    parents = [row for row in captured("genai_openai") if row["Dialect"] == ""]
    assert len(parents) == 16
    assert {row["SpanName"] for row in parents} == {"POST /chat"}
    assert {row["ConversationIdSource"] for row in parents} == {"session.id"}
