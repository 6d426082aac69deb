"""Which model was asked and which answered: what holds whatever the dialect."""

from __future__ import annotations

import pytest

from tests.tag.spans import tagged

CONVENTIONS = "opentelemetry.instrumentation.acme"
"""A library that follows the GenAI conventions and is not known to lie."""


@pytest.mark.parametrize(
    ("provider", "requested", "served", "stored", "version"),
    [
        ("openai", "gpt-4o", "gpt-4o-2024-08-06", "openai", "openai/gpt-4o-2024-08-06"),
        ("openai", "gpt-4o", "", "openai", "openai/gpt-4o?"),
        ("openai", "", "gpt-4o-2024-08-06", "openai", "openai/gpt-4o-2024-08-06"),
        ("openai", "", "", "openai", ""),
        ("", "gpt-4o", "", "openai", "openai/gpt-4o?"),
        ("", "gpt-4o", "claude-sonnet-4-5-20250929", "anthropic", "anthropic/claude-sonnet-4-5-20250929"),
        ("", "my-own-model", "", "", "unknown/my-own-model?"),
        ("OpenAI", "gpt-4o", "", "openai", "openai/gpt-4o?"),
        ("bedrock", "", "anthropic.claude-3-haiku", "aws.bedrock", "aws.bedrock/anthropic.claude-3-haiku"),
        ("10.0.0.7:8000", "llama", "", "10.0.0.7:8000", "10.0.0.7:8000/llama?"),
    ],
)
def test_a_version_is_who_answers_and_what_is_unverified_bears_a_mark(
    provider: str, requested: str, served: str, stored: str, version: str
) -> None:
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": requested,
        "gen_ai.response.model": served,
    }
    row = tagged(call, scope=CONVENTIONS)
    assert (row["Provider"], row["ModelVersion"]) == (stored, version)
    assert row["ServedModelSource"] == ("response" if served else "unknown")


@pytest.mark.parametrize(
    ("provider", "requested", "stored", "version"),
    [
        ("openai", "openai/gpt-4o", "openai", "openai/gpt-4o?"),
        ("openai", "azure/gpt-4o", "openai", "openai/azure/gpt-4o?"),
        ("", "unknown/my-own-model", "", "unknown/my-own-model?"),
        ("strands-agents", "gpt-4o", "openai", "openai/gpt-4o?"),
        ("LangGraph", "claude-sonnet-4-5", "anthropic", "anthropic/claude-sonnet-4-5?"),
        ("microsoft.agent_framework", "my-own-model", "", "unknown/my-own-model?"),
        (" ", "gpt-4o", "openai", "openai/gpt-4o?"),
    ],
)
def test_an_agent_library_is_no_provider_and_no_prefix_is_doubled(
    provider: str, requested: str, stored: str, version: str
) -> None:
    call = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": requested}
    row = tagged(call)
    assert (row["Provider"], row["ModelVersion"]) == (stored, version)


PROBED = {"spanwitness.served.model": "gpt-4o-mini-2024-07-18", "spanwitness.served.fingerprint": "fp_probe"}


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ("livekit-agents", "llm_request"),
        ("strands.telemetry.tracer", "chat"),
        ("gcp.vertex.agent", "generate_content gpt-4o"),
        ("opentelemetry.instrumentation.openai_v2", "chat gpt-4o"),
        ("com.acme", "chat"),
    ],
)
def test_the_probe_goes_before_whatever_a_dialect_says(scope: str, name: str) -> None:
    operation = "generate_content" if scope == "gcp.vertex.agent" else "chat"
    call = {
        "gen_ai.operation.name": operation,
        "gen_ai.request.model": "openai/gpt-4o",
        "gen_ai.response.model": "gpt-4o",
        "openai.response.system_fingerprint": "fp_library",
    }
    row = tagged({**call, **PROBED}, scope=scope, name=name)
    assert (row["ServedModel"], row["ServedModelSource"]) == ("gpt-4o-mini-2024-07-18", "probe")
    assert (row["ModelVersion"], row["SystemFingerprint"]) == ("openai/gpt-4o-mini-2024-07-18", "fp_probe")


def test_the_probe_tells_of_calls_alone() -> None:
    row = tagged({"gen_ai.operation.name": "execute_tool", **PROBED})
    assert (row["ServedModel"], row["ServedModelSource"], row["SystemFingerprint"]) == ("", "", "")


@pytest.mark.parametrize(
    ("attributes", "failed", "served", "source"),
    [
        ({"gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o"}, False, "gpt-4o", "response"),
        ({"gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o"}, True, "", "unknown"),
        ({"gen_ai.response.model": "gpt-4o"}, True, "", "unknown"),
        ({"gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-mini"}, True, "gpt-4o-mini", "response"),
        ({"gen_ai.request.model": "gpt-4o", "spanwitness.served.model": "gpt-4o"}, True, "gpt-4o", "probe"),
    ],
)
def test_a_failed_call_that_only_repeats_the_request_was_answered_by_nobody(
    attributes: dict[str, str], failed: bool, served: str, source: str
) -> None:
    row = tagged({"gen_ai.operation.name": "chat", **attributes}, scope=CONVENTIONS, failed=failed)
    assert (row["ServedModel"], row["ServedModelSource"]) == (served, source)


def test_a_proxy_on_another_port_is_no_other_version_of_a_known_model() -> None:
    """LiveKit gives the endpoint's address for the provider."""
    told = {"gen_ai.request.model": "gpt-4o", "spanwitness.served.model": "gpt-4o-2024-08-06"}
    for address in ("127.0.0.1:4000", "litellm.internal:4001", "localhost"):
        row = tagged({**told, "gen_ai.provider.name": address}, scope="livekit-agents", name="llm_request")
        assert (row["Provider"], row["ModelVersion"]) == (address, "openai/gpt-4o-2024-08-06")
    unknown = tagged(
        {"gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "localhost"},
        scope="livekit-agents",
        name="llm_request",
    )
    assert unknown["ModelVersion"] == "localhost/gpt-4o?"
