"""OpenInference for the openai client: each call a trace of its own."""

from __future__ import annotations

import json
from collections import Counter

from tests.tag.spans import captured, tagged

SCOPE = "openinference.instrumentation.openai"
CALL = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.invocation_parameters": json.dumps({"model": "gpt-4o"}),
}


def test_a_model_name_that_repeats_the_request_needs_the_recorded_response_to_be_believed() -> None:
    """Where the client's answer is read raw, the name is the request's."""
    alone = tagged({**CALL, "llm.model_name": "gpt-4o"}, scope=SCOPE, name="ChatCompletion")
    assert (alone["Dialect"], alone["ServedModel"], alone["ModelVersion"]) == (
        "openinference_openai",
        "",
        "openai/gpt-4o?",
    )
    told = {"llm.model_name": "gpt-4o", "output.value": json.dumps({"model": "gpt-4o"})}
    row = tagged({**CALL, **told}, scope=SCOPE, name="ChatCompletion")
    assert (row["ServedModel"], row["ServedModelSource"], row["ModelVersion"]) == ("gpt-4o", "payload", "openai/gpt-4o")


def test_a_model_name_that_differs_from_the_request_is_the_served_one() -> None:
    row = tagged({**CALL, "llm.model_name": "gpt-4o-2024-08-06"}, scope=SCOPE, name="ChatCompletion")
    assert (row["ServedModel"], row["ServedModelSource"]) == ("gpt-4o-2024-08-06", "response")


def test_a_call_without_an_answer_is_unverified() -> None:
    row = tagged(CALL, scope=SCOPE)
    assert (row["ServedModel"], row["ServedModelSource"], row["ModelVersion"]) == ("", "unknown", "openai/gpt-4o?")


def test_the_fingerprint_stands_in_the_payload() -> None:
    told = {"output.value": json.dumps({"id": "x", "system_fingerprint": "fp_1"})}
    assert tagged({**CALL, **told}, scope=SCOPE)["SystemFingerprint"] == "fp_1"
    assert tagged({**CALL, "output.value": "plain text"}, scope=SCOPE)["SystemFingerprint"] == ""


def test_the_clients_calls_tell_the_swap_and_the_one_that_failed() -> None:
    calls = [row for row in captured("oi_openai_chat") if row["StepKind"] == "llm"]
    assert Counter((row["ModelVersion"], row["ServedModelSource"]) for row in calls) == {
        ("openai/gpt-4o-2024-08-06", "response"): 13,
        ("openai/gpt-4o-mini-2024-07-18", "response"): 14,
        ("openai/gpt-missing-5?", "unknown"): 1,
    }
    (failed,) = (row for row in calls if row["StatusCode"] == "Error")
    assert (failed["RequestedModel"], failed["InputTokens"]) == ("gpt-missing-5", 0)


def test_the_client_makes_no_tool_spans_and_its_embeddings_are_no_steps() -> None:
    assert Counter(row["StepKind"] for row in captured("oi_openai_chat")) == {"llm": 28, "": 4}


def test_the_session_alone_ties_the_clients_calls_together() -> None:
    rows = captured("oi_openai_chat")
    assert len({row["TraceId"] for row in rows}) == len(rows)
    assert Counter(row["ConversationId"] for row in rows) == {
        "conv-acme-0001": 7,
        "conv-acme-0002": 8,
        "conv-acme-0003": 9,
        "conv-acme-0004": 8,
    }
