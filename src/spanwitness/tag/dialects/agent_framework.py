"""Microsoft's Agent Framework (agent-framework-core 1.23.0).

| what | where |
|---|---|
| conversation | chat completions: nowhere. Responses API: gen_ai.conversation.id is the previous response's id (resp_...), another one on every call: not believed |
| requested model | gen_ai.request.model |
| served model | gen_ai.response.model |
| provider | gen_ai.provider.name of `chat`; the agent's span says microsoft.agent_framework |
| agent | gen_ai.agent.name on invoke_agent |
| tool | gen_ai.tool.name, call.id, call.arguments / result |
| tokens | gen_ai.usage.* on `chat`; invoke_agent repeats the sum |
| content | JSON on spans, and log records of the 1.30 form |
| hides | the session's id, the fingerprint |
| gets wrong | finish reasons are one text, `["stop"]`; server.address is a whole URL |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialects import otel_genai

DIALECT = replace(
    otel_genai.DIALECT,
    name="agent_framework",
    scopes=("agent_framework", "agent_framework.*"),
    fingerprint=(),
)
