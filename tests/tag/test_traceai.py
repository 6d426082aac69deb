"""traceAI from a library that nobody has looked at."""

from __future__ import annotations

import pytest

from tests.tag.spans import tagged

CALL = {"gen_ai.span.kind": "LLM", "gen_ai.request.model": "gpt-4o"}


@pytest.mark.parametrize("scope", ["traceai_crewai", "traceai.crewai", "fi_instrumentation", "fi.otel", "acme", ""])
def test_an_unseen_library_is_known_by_scope_or_by_what_it_says(scope: str) -> None:
    assert tagged(CALL, scope=scope)["Dialect"] == "traceai"


@pytest.mark.parametrize(
    ("kind", "step"),
    [("LLM", "llm"), ("TOOL", "tool"), ("RETRIEVER", "retrieval"), ("AGENT", ""), ("CHAIN", ""), ("UNKNOWN", "")],
)
def test_the_span_kind_tells_the_step(kind: str, step: str) -> None:
    assert tagged({"gen_ai.span.kind": kind}, scope="traceai_crewai")["StepKind"] == step


def test_an_operation_of_the_conventions_is_not_its_kind() -> None:
    assert tagged({"gen_ai.operation.name": "chat"}, scope="traceai_crewai")["StepKind"] == ""


def test_a_call_whose_answer_nobody_names_is_unverified() -> None:
    row = tagged({**CALL, "gen_ai.provider.name": "openai"}, scope="traceai_crewai")
    assert (row["RequestedModel"], row["ServedModel"], row["ServedModelSource"]) == ("gpt-4o", "", "unknown")
    assert row["ModelVersion"] == "openai/gpt-4o?"


@pytest.mark.parametrize(("kind", "counted"), [("LLM", 9), ("CHAIN", 0), ("AGENT", 0)])
def test_usage_copied_to_wrappers_is_counted_on_the_call_alone(kind: str, counted: int) -> None:
    told = {"gen_ai.span.kind": kind, "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 9}
    row = tagged(told, scope="traceai_crewai")
    assert (row["InputTokens"], row["OutputTokens"]) == (counted, counted)


def test_a_session_stands_in_for_the_conversation() -> None:
    both = {"session.id": "s", "gen_ai.conversation.id": "c"}
    assert tagged({**CALL, **both}, scope="traceai_crewai")["ConversationId"] == "c"
    assert tagged({**CALL, "session.id": "s"}, scope="traceai_crewai")["ConversationId"] == "s"


def test_its_project_stands_for_the_service() -> None:
    assert tagged(CALL, resource={"project_name": "claims", "project_type": "observe"})["ServiceName"] == "claims"


def test_the_prompts_version_is_read() -> None:
    assert tagged({**CALL, "gen_ai.prompt.template.version": "v3"}, scope="traceai_crewai")["PromptVersion"] == "v3"
