"""The Vercel AI SDK 7 (ai 7.0.173, @ai-sdk/otel 1.0.173; scope gen_ai).

| what | where |
|---|---|
| conversation | nowhere by default; ai.settings.context.KEY on agent and step spans with runtimeContext switched on |
| kind of step | gen_ai.operation.name; agent_step is a container |
| requested model | gen_ai.request.model |
| served model | gen_ai.response.model of `chat` |
| agent | gen_ai.agent.name (functionId) on invoke_agent |
| tool | gen_ai.tool.name, call.id, call.arguments / result |
| tokens | gen_ai.usage.* on `chat`; invoke_agent repeats the sum |
| content | gen_ai.input.messages / output.messages JSON |
| hides | the conversation, unless switched on; the fingerprint |
| gets wrong | invoke_agent lists the final text before the tool calls; where a provider names no model in its response, the requested name stands for it |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialect import From
from spanwitness.tag.dialects import otel_genai
from spanwitness.tag.dialects.common import ANY_CONVERSATION

DIALECT = replace(
    otel_genai.DIALECT,
    name="vercel_ai7",
    scopes=("gen_ai",),
    conversation=ANY_CONVERSATION,
    served=(From("gen_ai.response.model", unless_requested=True),),
    fingerprint=(),
)
