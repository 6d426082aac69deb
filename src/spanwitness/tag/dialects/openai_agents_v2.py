"""OpenTelemetry's instrumentation of openai-agents (opentelemetry-instrumentation-openai-agents-v2 0.1.0).

| what | where |
|---|---|
| conversation | nowhere: group_id, trace metadata and the session's id are dropped |
| kind of step | gen_ai.operation.name; `unknown` for the SDK's task and turn spans |
| requested model | chat completions: gen_ai.request.model. Responses API: lost, the response's model stands there |
| served model | Responses API: gen_ai.response.model. Chat completions: never |
| agent | gen_ai.agent.name of invoke_agent alone; all other spans say `OpenAI Agent` |
| tool | gen_ai.tool.name, call.arguments / result; no call id |
| tokens | gen_ai.usage.* on `chat` |
| content | JSON on spans; a tool call is a text with a Python repr; tool results and the system prompt are missing (Responses API) |
| hides | the conversation, the fingerprint, the finish reason |
| gets wrong | server.address is api.openai.com whatever the base URL; the root stays Ok when a call fails |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialect import From
from spanwitness.tag.dialects import otel_genai

DIALECT = replace(
    otel_genai.DIALECT,
    name="openai_agents_v2",
    scopes=("opentelemetry.instrumentation.openai_agents",),
    requires=("server.address",),
    requested=(From("gen_ai.request.model", without="gen_ai.response.model"),),
    fingerprint=(),
    agent=(From("gen_ai.agent.name", where=("gen_ai.operation.name", "invoke_agent")),),
    finish_reason=(),
)
