from __future__ import annotations

import csv
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanwitness.model_names import ModelName, Relation, normalise_provider, parse, relation

with (Path(__file__).parent / "model_names.tsv").open(encoding="utf-8", newline="") as table:
    REAL = [tuple(row) for row in csv.reader(table, delimiter="\t")][1:]
PROVIDERS = ("", "openai", "azure.ai.openai", "aws.bedrock", "127.0.0.1:18080", "langgraph")
PREFIXES = (
    "",
    "openai/",
    "openrouter/anthropic/",
    "us.anthropic.",
    "publishers/google/models/",
    "azure/eu/",
    "models/",
)
ENDINGS = (
    "",
    "-latest",
    "-2024-08-06",
    "-20241022",
    "-0613",
    "-001",
    "-2411",
    "-08-2024",
    "-v1:0",
    "@20241022",
    ":free",
)

names = st.one_of(
    st.text(max_size=80),
    st.builds(
        "{}{}{}".format, st.sampled_from(PREFIXES), st.sampled_from([row[0] for row in REAL]), st.sampled_from(ENDINGS)
    ),
)


@pytest.mark.parametrize(("name", "given_provider", "provider", "family", "snapshot"), REAL)
def test_real_name(name: str, given_provider: str, provider: str, family: str, snapshot: str) -> None:
    assert parse(name, given_provider) == ModelName(name, provider, family, snapshot)


def test_there_are_enough_real_names_to_trust_the_tables() -> None:
    assert len({row[0] for row in REAL}) >= 300


@pytest.mark.parametrize(
    "spellings",
    [
        "claude-3-5-sonnet anthropic/claude-3.5-sonnet claude-3.5-sonnet:beta claude-3-5-sonnet-latest",
        "claude-sonnet-4-5 anthropic/claude-sonnet-4.5 claude-4-5-sonnet claude-4.5-sonnet claude-sonnet-4-5@default",
        "claude-opus-4 claude-opus-4-0 claude-4-opus anthropic/claude-opus-4",
        "claude-opus-4-6 us.anthropic.claude-opus-4-6-v1 anthropic/claude-opus-4.6 claude-opus-4-6[1m]",
        "claude-2.1 anthropic.claude-v2:1",
        "gpt-3.5-turbo gpt-35-turbo openai/gpt-3.5-turbo azure/gpt-35-turbo",
        "gemini-1.5-flash-8b google/gemini-flash-1.5-8b models/gemini-1.5-flash-8b-latest",
        "meta-llama/Llama-3.1-8B-Instruct Meta-Llama-3.1-8B-Instruct accounts/fireworks/models/llama-v3p1-8b-instruct",
        "Qwen/Qwen2.5-72B-Instruct qwen/qwen-2.5-72b-instruct accounts/fireworks/models/qwen2p5-72b-instruct",
        "grok-4-1-fast grok-4-1-fast-reasoning x-ai/grok-4.1-fast",
        "Cohere-command-r-plus c4ai-command-r-plus command-r-plus",
        "gpt-oss-20b gpt-oss:20b openai/gpt-oss-20b",
    ],
)
def test_spellings_of_one_family_are_equal(spellings: str) -> None:
    assert len({(parse(name).family, parse(name).snapshot) for name in spellings.split()}) == 1


@pytest.mark.parametrize(
    ("requested", "served", "provider", "expected"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", "", "alias"),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", "", "different"),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06", "", "same"),
        ("gpt-4o", "gpt-4o", "", "same"),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20", "", "different"),
        ("gpt-4o-2024-08-06", "gpt-4o", "", "unknown"),
        ("", "gpt-4o", "", "unknown"),
        ("gpt-4o", "", "", "unknown"),
        (" ", "gpt-4o", "", "unknown"),
        ("gpt-4", "gpt-4-turbo-2024-04-09", "", "different"),
        ("gpt-4", "gpt-4-0613", "", "alias"),
        ("gpt-4-turbo-preview", "gpt-4-0125-preview", "", "alias"),
        ("openai/gpt-4o", "gpt-4o-2024-08-06", "", "alias"),
        ("anthropic/claude-3.5-sonnet", "claude-3-5-sonnet-20241022", "", "alias"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", "", "alias"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022", "aws.bedrock", "same"),
        ("claude-3-5-sonnet-v2@20241022", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", "", "same"),
        ("claude-sonnet-4-0", "claude-sonnet-4-20250514", "anthropic", "alias"),
        ("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929", "", "alias"),
        ("claude-opus-4-1", "claude-opus-4-5-20251101", "", "different"),
        ("gemini-flash-latest", "gemini-2.5-flash-preview-09-2025", "", "alias"),
        ("gemini-flash-latest", "gemini-2.5-flash-lite", "", "different"),
        ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro-preview-06-05", "", "different"),
        ("gemini-1.5-pro", "gemini-1.5-pro-002", "gcp.vertex_ai", "alias"),
        ("grok-4-0709", "x-ai/grok-4-07-09", "", "same"),
        ("amazon/nova-lite-v1", "amazon.nova-lite-v1:0", "", "same"),
        ("mistralai/Mistral-7B-Instruct-v0.2", "mistral.mistral-7b-instruct-v0:2", "", "same"),
        ("mistral-large-latest", "mistral-small-2503", "", "different"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", "gpt-4o-mini-2024-07-18", "openai", "different"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", "ft:gpt-4o-mini-2024-07-18:acme::xyz", "openai", "different"),
    ],
)
def test_relation(requested: str, served: str, provider: str, expected: Relation) -> None:
    assert relation(requested, served, provider) == expected


@pytest.mark.parametrize(
    ("requested", "served", "provider", "expected"),
    [
        ("prod-chat-eu", "gpt-4o-2024-08-06", "azure.ai.openai", "unknown"),
        ("prod-chat-eu", "gpt-4o-2024-08-06", "az.ai.inference", "unknown"),
        ("prod-chat-eu", "gpt-4o-2024-08-06", "openai", "different"),
        ("azure/prod-chat", "gpt-4.1-2025-04-14", "", "unknown"),
        ("gpt-4o", "prod-chat-eu", "azure.ai.openai", "unknown"),
        ("prod-chat-eu", "prod-chat-eu", "azure.ai.openai", "same"),
        ("chat-0613", "chat-1106", "azure.ai.openai", "unknown"),
        ("gpt-4o-eu", "gpt-4o-2024-08-06", "azure.ai.openai", "unknown"),
        ("gpt-4o-chat", "gpt-4o-2024-08-06", "azure.ai.openai", "unknown"),
        ("gpt-4o", "gpt-4o-2024-08-06", "azure.ai.openai", "alias"),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", "azure.ai.openai", "different"),
        ("gpt-4o-0806", "gpt-4o-2024-08-06", "azure.ai.openai", "same"),
        ("gpt-4o-0806", "gpt-4o-2024-11-20", "azure.ai.openai", "different"),
        ("gpt-35-turbo", "gpt-3.5-turbo-0125", "azure.ai.openai", "alias"),
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18.ft-0e208cf3", "azure.ai.openai", "different"),
        ("Phi-4", "Phi-4-mini-instruct", "azure.ai.inference", "different"),
        ("Meta-Llama-3.1-405B-Instruct", "Meta-Llama-3.1-8B-Instruct", "azure.ai.inference", "different"),
        ("model-router", "gpt-4.1-mini-2025-04-14", "azure.ai.openai", "unknown"),
        ("openrouter/auto", "anthropic/claude-sonnet-4.5", "", "unknown"),
    ],
)
def test_a_name_that_a_user_or_router_chose_accuses_nobody(
    requested: str, served: str, provider: str, expected: Relation
) -> None:
    assert relation(requested, served, provider) == expected


@pytest.mark.parametrize(
    "resource",
    [
        "application-inference-profile/c3myu2h6fllr",
        "provisioned-model/abcd1234efgh",
        "custom-model/amazon.titan-text-lite-v1:0:4k/abcd1234",
        "custom-model-deployment/abcd1234",
        "imported-model/abcd1234",
        "default-prompt-router/anthropic.claude:1",
    ],
)
def test_a_bedrock_arn_that_names_no_model_is_a_handle(resource: str) -> None:
    arn = f"arn:aws:bedrock:us-east-1:123456789012:{resource}"
    assert parse(arn) == ModelName(arn, "aws.bedrock", resource, "")
    assert parse(f"bedrock/converse/{arn}").family == resource
    assert relation(arn, "claude-3-5-sonnet-20241022") == "unknown"
    assert relation(arn, arn) == "same"


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("tunedModels/claims-triage-x1y2", "tunedmodels/claims-triage-x1y2"),
        ("projects/acme/locations/us-central1/endpoints/1234567890", "endpoints/1234567890"),
    ],
)
def test_a_tuned_gemini_is_a_handle(name: str, family: str) -> None:
    assert parse(name).family == family
    assert relation(name, "gemini-2.0-flash-001") == "unknown"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("openai", "openai"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("OpenAI", "openai"),
        (" openai ", "openai"),
        ("azure.chat", "azure.ai.openai"),
        ("Azure", "azure.ai.openai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("az.ai.inference", "azure.ai.inference"),
        ("claims-eu.openai.azure.com", "azure.ai.openai"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("google_vertexai", "gcp.vertex_ai"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("vertex.anthropic.messages", "gcp.vertex_ai"),
        ("gemini", "gcp.gemini"),
        ("google.generative-ai", "gcp.gemini"),
        ("google", "gcp.gen_ai"),
        ("google_genai", "gcp.gen_ai"),
        ("xai", "x_ai"),
        ("xai.chat", "x_ai"),
        ("mistral", "mistral_ai"),
        ("mistralai", "mistral_ai"),
        ("aws_bedrock", "aws.bedrock"),
        ("bedrock", "aws.bedrock"),
        ("amazon-bedrock", "aws.bedrock"),
        ("AWS", "aws.bedrock"),
        ("anthropic.messages", "anthropic"),
        ("moonshotai", "moonshot_ai"),
        ("watsonx", "ibm.watsonx.ai"),
        ("api.groq.com", "groq"),
        ("127.0.0.1:18080", "127.0.0.1:18080"),
        ("strands-agents", "strands-agents"),
        (" LangGraph ", "langgraph"),
        ("microsoft.agent_framework", "microsoft.agent_framework"),
        ("gcp.vertex.agent", "gcp.vertex.agent"),
        ("acme.chat", "acme.chat"),
        ("openrouter", "openrouter"),
        ("", ""),
    ],
)
def test_normalise_provider(value: str, expected: str) -> None:
    assert normalise_provider(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("openai", "anthropic", "aws.bedrock", "azure.ai.inference", "azure.ai.openai", "cohere", "deepseek", "groq"),
        *(
            "gcp.gemini",
            "gcp.gen_ai",
            "gcp.vertex_ai",
            "ibm.watsonx.ai",
            "mistral_ai",
            "moonshot_ai",
            "perplexity",
            "x_ai",
        ),
    ],
)
def test_the_conventions_own_value_stands_and_wins_over_the_name(value: str) -> None:
    assert normalise_provider(value) == value
    assert parse("groq/llama-3.3-70b-versatile", value).provider == value


@pytest.mark.parametrize("value", ["127.0.0.1:18080", "strands-agents", "langgraph", "openrouter", "litellm"])
def test_a_host_library_or_router_tells_no_provider(value: str) -> None:
    assert parse("gpt-4o", value).provider == "openai"
    assert parse("prod-chat", value).provider == ""


@pytest.mark.parametrize("name", ["openrouter/auto", "NousResearch/Hermes-3-Llama-3.1-70B", "llama3:8b", "my-model"])
def test_nobody_is_guessed_where_nothing_tells(name: str) -> None:
    assert parse(name).provider == ""


def test_an_unknown_organisation_stays_in_the_family() -> None:
    """Somebody's repackaging of a model is not that model."""
    assert parse("unsloth/Llama-3.1-8B-Instruct").family == "unsloth/llama-3.1-8b-instruct"
    assert relation("meta-llama/Llama-3.1-8B-Instruct", "unsloth/Llama-3.1-8B-Instruct") == "different"


def test_a_context_size_is_no_snapshot() -> None:
    assert parse("llama3-70b-8192").snapshot == ""
    assert parse("mixtral-8x7b-32768").snapshot == ""


def test_an_overlong_text_is_taken_as_it_stands() -> None:
    name = " GPT-4o" + "-0613" * 100_000
    assert parse(name, "az.ai.openai") == ModelName(name, "azure.ai.openai", name.strip().lower(), "")


def test_a_model_name_is_a_value() -> None:
    with pytest.raises(FrozenInstanceError):
        parse("gpt-4o").family = "gpt-5"  # type: ignore[misc]
    assert parse("gpt-4o") is parse("gpt-4o")


@given(names, st.sampled_from(PROVIDERS))
def test_parse_never_raises_and_keeps_the_text(name: str, provider: str) -> None:
    parsed = parse(name, provider)
    assert parsed.raw == name
    assert len(parsed.snapshot) <= len("2024-08-06")
    assert parsed.family == parsed.family.lower()


@given(names, st.sampled_from(PROVIDERS))
def test_a_name_is_the_same_as_itself(name: str, provider: str) -> None:
    assert relation(name, name, provider) == ("same" if parse(name, provider).family else "unknown")


@given(names, names, st.sampled_from(PROVIDERS))
def test_relation_never_raises(requested: str, served: str, provider: str) -> None:
    assert relation(requested, served, provider) in {"same", "alias", "different", "unknown"}


@given(st.sampled_from(PREFIXES), st.sampled_from(sorted({row[3] for row in REAL})), st.sampled_from(ENDINGS))
def test_parsing_a_family_changes_nothing(prefix: str, family: str, ending: str) -> None:
    once = parse(f"{prefix}{family}{ending}")
    again = parse(once.family)
    assert (again.family, again.snapshot) == (once.family, "")


@given(st.text(max_size=40))
def test_a_provider_is_normalised_once(value: str) -> None:
    assert normalise_provider(normalise_provider(value)) == normalise_provider(value)
