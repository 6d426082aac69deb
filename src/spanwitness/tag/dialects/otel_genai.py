"""OpenTelemetry GenAI conventions, in their three generations.

| what | where |
|---|---|
| conversation | gen_ai.conversation.id, on some spans of a trace only (not on execute_tool before 2026-09) |
| requested model | gen_ai.request.model |
| served model | gen_ai.response.model |
| fingerprint | openai.response.system_fingerprint; before: gen_ai.openai.response.system_fingerprint |
| provider | gen_ai.provider.name; up to 1.36: gen_ai.system |
| tokens | gen_ai.usage.input_tokens / output_tokens; before: prompt_tokens / completion_tokens |
| content | 1.37 on: gen_ai.input.messages / output.messages as JSON; up to 1.36: events or log records; or log records gen_ai.client.inference.operation.details |
| hides | fingerprint when streamed (openai-v2); finish reasons when streamed (openai-v2) |
| gets wrong | a handled tool error leaves the status Unset |
| ends | nothing tells |

Facts: opentelemetry-instrumentation-openai-v2 2.4b0, -genai-openai 1.3b0, -genai-langchain 1.3b0,
-genai-openai-agents 1.3b0, opentelemetry-util-genai 1.3b0.
"""

from spanwitness.tag.dialect import Dialect, keys
from spanwitness.tag.dialects.common import (
    ANY_CONVERSATION,
    ANY_KIND,
    FINGERPRINTS,
    INPUT_TOKENS,
    OPERATIONS,
    OUTPUT_TOKENS,
)

DIALECT = Dialect(
    name="otel_genai",
    scopes=("opentelemetry.*", "io.opentelemetry.*"),
    requires=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model"),
    kinds=(OPERATIONS, *ANY_KIND),
    conversation=ANY_CONVERSATION,
    provider=keys("gen_ai.provider.name", "gen_ai.system"),
    requested=keys("gen_ai.request.model"),
    served=keys("gen_ai.response.model"),
    fingerprint=FINGERPRINTS,
    agent=keys("gen_ai.agent.name"),
    prompt_version=keys("gen_ai.prompt.version"),
    tool=keys("gen_ai.tool.name"),
    input_tokens=INPUT_TOKENS,
    output_tokens=OUTPUT_TOKENS,
    finish_reason=keys("gen_ai.response.finish_reasons", "gen_ai.completion.0.finish_reason"),
    error=keys("gen_ai.tool.status"),
)
