"""Pydantic AI (pydantic-ai 2.68.0; InstrumentationSettings version 2 to 6).

| what | where |
|---|---|
| conversation | gen_ai.conversation.id on every span |
| requested model | gen_ai.request.model |
| served model | gen_ai.response.model |
| provider | gen_ai.provider.name, and gen_ai.system beside it |
| agent | gen_ai.agent.name on every span; before agent_name on the run |
| tool | gen_ai.tool.name, call.id, call.arguments / result; version 2: tool_arguments, tool_response |
| tokens | gen_ai.usage.*; sums on the agent's span are gen_ai.aggregated_usage.* |
| content | gen_ai.input.messages / output.messages JSON; tool results under `result`, in role `user` up to version 5 |
| hides | the fingerprint; input messages of a call that failed |
| gets wrong | finish reason is `stop` for tool calls too under the Responses API; a tool that asks for a retry (ToolRetryError) is a failed tool |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialect import keys
from spanwitness.tag.dialects import otel_genai

DIALECT = replace(
    otel_genai.DIALECT,
    name="pydantic_ai",
    scopes=("pydantic-ai", "pydantic_ai"),
    fingerprint=(),
    agent=keys("gen_ai.agent.name", "agent_name"),
)
