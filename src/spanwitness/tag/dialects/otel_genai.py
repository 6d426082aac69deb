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
from spanwitness.tag.dialects.common import CONVERSATION, OPERATIONS

DIALECT = Dialect(
    name="otel_genai",
    markers=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system"),
    kinds=(OPERATIONS,),
    conversation=CONVERSATION,
    provider=keys("gen_ai.provider.name", "gen_ai.system"),
    requested=keys("gen_ai.request.model"),
    served=keys("gen_ai.response.model"),
    fingerprint=keys(
        "openai.response.system_fingerprint",
        "gen_ai.openai.response.system_fingerprint",
        "gen_ai.openai.system_fingerprint",
    ),
    agent=keys("gen_ai.agent.name"),
    prompt_version=keys("gen_ai.prompt.version"),
    tool=keys("gen_ai.tool.name"),
    input_tokens=keys("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    output_tokens=keys("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    finish_reason=keys("gen_ai.response.finish_reasons"),
)
