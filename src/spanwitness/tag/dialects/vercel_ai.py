"""The Vercel AI SDK up to 6, and 7 with LegacyOpenTelemetry (ai 6.0.326, 7.0.173).

| what | where |
|---|---|
| conversation | ai.telemetry.metadata.KEY, in 7 ai.settings.context.KEY, with a key of the application's choice; on every span |
| kind of step | ai.operationId: ai.*.doGenerate, ai.*.doStream and ai.toolCall; the outer ai.generateText repeats them |
| requested model | gen_ai.request.model, ai.model.id |
| served model | gen_ai.response.model, ai.response.model |
| provider | gen_ai.system = openai.chat, openai.responses |
| agent | ai.telemetry.functionId |
| tool | ai.toolCall.name / id / args / result; when streamed the span stands below the model call |
| tokens | gen_ai.usage.* on the inner span; ai.usage.* on both, the outer one the sum |
| content | ai.prompt.messages, ai.response.text / toolCalls |
| hides | the fingerprint |
| gets wrong | where a provider names no model in its response, the requested name stands for it: not believed when it only repeats the request |
| ends | nothing tells |
"""

from spanwitness.tag.dialect import Dialect, From, keys
from spanwitness.tag.dialects.common import AI_SDK, ANY_CONVERSATION, INPUT_TOKENS, OUTPUT_TOKENS

DIALECT = Dialect(
    name="vercel_ai",
    scopes=("ai",),
    markers=("ai.operationId",),
    requires=("ai.operationId",),
    kinds=(AI_SDK,),
    conversation=ANY_CONVERSATION,
    provider=keys("gen_ai.system", "ai.model.provider"),
    requested=keys("gen_ai.request.model", "ai.model.id"),
    served=(
        From("gen_ai.response.model", unless_requested=True),
        From("ai.response.model", unless_requested=True),
    ),
    agent=keys("ai.telemetry.functionId"),
    prompt_version=keys("ai.telemetry.metadata.promptVersion", "ai.telemetry.metadata.prompt_version"),
    tool=keys("ai.toolCall.name"),
    input_tokens=INPUT_TOKENS,
    output_tokens=OUTPUT_TOKENS,
    finish_reason=keys("gen_ai.response.finish_reasons", "ai.response.finishReason"),
)
