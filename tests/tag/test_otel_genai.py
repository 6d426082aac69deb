"""The GenAI conventions: three generations of one vocabulary, from libraries known and unknown."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tag.spans import captured, tagged

SCOPE = "opentelemetry.instrumentation.acme"
FULL, MINI = "openai/gpt-4o-2024-08-06", "openai/gpt-4o-mini-2024-07-18"
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 10,
}
LIBRARIES = [
    "openai_v2_latest",
    "openai_v2_legacy",
    "genai_openai",
    "genai_openai_events",
    "genai_openai_handler",
    "genai_openai_agents",
    "genai_langchain",
]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("chat", "llm"),
        ("generate_content", "llm"),
        ("text_completion", "llm"),
        ("execute_tool", "tool"),
        ("retrieval", "retrieval"),
        ("search_memory", "retrieval"),
        ("embeddings", ""),
        ("invoke_agent", ""),
        ("invoke_workflow", ""),
        ("create_agent", ""),
        ("execute_task", ""),
        ("an operation of next year", ""),
    ],
)
def test_the_operation_tells_the_kind(operation: str, kind: str) -> None:
    row = tagged({"gen_ai.operation.name": operation}, scope=SCOPE)
    assert (row["Dialect"], row["StepKind"]) == ("otel_genai", kind)


@pytest.mark.parametrize(
    "marker", ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model"]
)
@pytest.mark.parametrize("scope", [SCOPE, "io.opentelemetry.openai-java-1.1"])
def test_opentelemetrys_own_libraries_are_known_by_what_they_say(scope: str, marker: str) -> None:
    assert tagged({marker: "anything"}, scope=scope)["Dialect"] == "otel_genai"
    assert tagged({"http.route": "/"}, scope=scope)["Dialect"] == ""


def test_a_library_that_forgets_the_operation_is_known_by_what_only_a_call_has() -> None:
    told = {key: value for key, value in CALL.items() if key != "gen_ai.operation.name"}
    assert tagged(told, scope=SCOPE)["ModelVersion"] == FULL


def test_an_answer_that_repeats_the_request_is_believed_of_the_conventions_own_libraries() -> None:
    row = tagged({**CALL, "gen_ai.request.model": "gpt-4o-2024-08-06"}, scope=SCOPE)
    assert (row["ModelVersion"], row["ServedModelSource"]) == (FULL, "response")


def test_a_call_tells_who_was_asked_and_who_answered() -> None:
    row = tagged(CALL, scope=SCOPE)
    assert (row["Provider"], row["RequestedModel"], row["ServedModel"]) == ("openai", "gpt-4o", "gpt-4o-2024-08-06")
    assert (row["ServedModelSource"], row["ModelVersion"]) == ("response", FULL)
    assert (row["InputTokens"], row["OutputTokens"]) == (100, 10)


def test_a_call_that_got_no_answer_is_unverified() -> None:
    row = tagged({key: value for key, value in CALL.items() if key != "gen_ai.response.model"}, scope=SCOPE)
    assert (row["ServedModel"], row["ServedModelSource"], row["ModelVersion"]) == ("", "unknown", "openai/gpt-4o?")


@pytest.mark.parametrize("operation", ["invoke_agent", "invoke_workflow", "execute_tool", "embeddings"])
def test_only_calls_have_a_model_and_tokens(operation: str) -> None:
    told = {**CALL, "gen_ai.operation.name": operation, "gen_ai.response.finish_reasons": ["stop"]}
    row = tagged(told, scope=SCOPE)
    assert (row["Provider"], row["RequestedModel"], row["ServedModel"], row["ServedModelSource"]) == ("",) * 4
    assert (row["ModelVersion"], row["FinishReason"], row["InputTokens"], row["OutputTokens"]) == ("", "", 0, 0)


@pytest.mark.parametrize(
    ("attributes", "column", "value"),
    [
        ({"gen_ai.provider.name": "anthropic", "gen_ai.system": "openai"}, "Provider", "anthropic"),
        ({"gen_ai.system": "openai"}, "Provider", "openai"),
        ({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.prompt_tokens": 6}, "InputTokens", 5),
        ({"gen_ai.usage.prompt_tokens": 6}, "InputTokens", 6),
        ({"gen_ai.usage.completion_tokens": 7}, "OutputTokens", 7),
        ({"openai.response.system_fingerprint": "fp_1"}, "SystemFingerprint", "fp_1"),
        ({"gen_ai.openai.response.system_fingerprint": "fp_2"}, "SystemFingerprint", "fp_2"),
        ({"gen_ai.openai.system_fingerprint": "fp_3"}, "SystemFingerprint", "fp_3"),
        ({"gen_ai.prompt.version": "v3"}, "PromptVersion", "v3"),
        ({"gen_ai.agent.name": "claims"}, "AgentName", "claims"),
    ],
)
def test_newer_names_go_before_older_ones(attributes: dict[str, object], column: str, value: object) -> None:
    assert tagged({"gen_ai.operation.name": "chat", **attributes}, scope=SCOPE)[column] == value


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({"gen_ai.conversation.id": "c", "session.id": "s", "langfuse.session.id": "l"}, "gen_ai.conversation.id"),
        ({"session.id": "s", "langfuse.session.id": "l"}, "session.id"),
        ({"langfuse.session.id": "l"}, "langfuse.session.id"),
        ({"gen_ai.conversation.id": "", "session.id": "s"}, "session.id"),
    ],
)
def test_the_conventions_own_conversation_goes_before_a_session(attributes: dict[str, str], key: str) -> None:
    row = tagged({"gen_ai.operation.name": "chat", **attributes}, scope=SCOPE)
    assert (row["ConversationIdSource"], row["ConversationId"]) == (key, attributes[key])


def test_a_tool_is_named_by_its_attribute_else_by_its_span() -> None:
    tool = {"gen_ai.operation.name": "execute_tool"}
    named = {**tool, "gen_ai.tool.name": "get_claim"}
    assert tagged(named, scope=SCOPE, name="execute_tool get_claim")["ToolName"] == "get_claim"
    assert tagged(tool, scope=SCOPE, name="get_claim")["ToolName"] == "get_claim"
    assert tagged({**named, "gen_ai.operation.name": "chat"}, scope=SCOPE)["ToolName"] == ""


@pytest.mark.parametrize("library", LIBRARIES)
def test_both_sides_of_the_swap_are_seen_in_every_known_library(library: str) -> None:
    versions = Counter(row["ModelVersion"] for row in captured(library) if row["StepKind"] == "llm")
    assert versions == {FULL: 12, MINI: 12}


@pytest.mark.parametrize("library", ["openai_v2_latest_error", "openai_v2_legacy_error", "genai_openai_agents_error"])
def test_an_error_leaves_the_version_unverified(library: str) -> None:
    (call,) = (row for row in captured(library) if row["StepKind"] == "llm")
    assert (call["ModelVersion"], call["StatusCode"], call["InputTokens"]) == ("openai/gpt-4o?", "Error", 0)


@pytest.mark.parametrize("library", ["genai_openai_handler", "genai_openai_agents", "genai_langchain"])
def test_tools_bear_no_conversation_but_calls_and_agents_do(library: str) -> None:
    by_kind = Counter((row["StepKind"], bool(row["ConversationId"])) for row in captured(library))
    assert by_kind[("tool", False)] == 9
    assert by_kind[("llm", True)] == 24
    assert {known for kind, known in by_kind if kind == ""} == {True}


@pytest.mark.parametrize("library", ["openai_v2_latest", "openai_v2_legacy", "genai_openai"])
def test_a_bare_clients_conversation_stands_on_the_applications_span_alone(library: str) -> None:
    sources = {(row["Dialect"], row["ConversationIdSource"]) for row in captured(library)}
    assert sources == {("otel_genai", ""), ("", "session.id")}


def test_the_fingerprint_is_missing_where_the_answer_was_streamed() -> None:
    calls = [row for row in captured("openai_v2_latest") if row["StepKind"] == "llm"]
    assert Counter(row["SystemFingerprint"] for row in calls) == {"fp_831e067d82": 10, "fp_0aa8d3e20b": 12, "": 2}
    assert Counter(row["FinishReason"] for row in calls) == {"tool_calls": 8, "stop": 14, "": 2}


def test_the_legacy_names_have_no_fingerprint() -> None:
    assert {row["SystemFingerprint"] for row in captured("openai_v2_legacy")} == {""}


def test_tools_are_named() -> None:
    tools = Counter(row["ToolName"] for row in captured("genai_langchain") if row["StepKind"] == "tool")
    assert tools == {"get_claim_status": 5, "search_policy_documents": 3, "transfer_to_human": 1}
