"""Strands Agents (strands-agents 1.62.0; events, latest and attributes-only forms).

| what | where |
|---|---|
| conversation | session.id, if the application puts it into trace_attributes; on every span |
| requested model | gen_ai.request.model |
| served model | never: a silent swap leaves no trace |
| provider | never: gen_ai.system / gen_ai.provider.name say strands-agents; read from the model's name |
| agent | gen_ai.agent.name on invoke_agent alone |
| tool | gen_ai.tool.name, gen_ai.tool.call.id; latest: call.arguments / result as Bedrock blocks |
| tokens | gen_ai.usage.* on `chat`; on invoke_agent a sum over the agent's whole life |
| content | span events gen_ai.*.message and gen_ai.choice; latest: events gen_ai.client.inference.operation.details; or attributes |
| error | gen_ai.tool.status = error |
| hides | the served model, the response's id, the fingerprint; the finish reason stands in events alone |
| gets wrong | the resource's service.version is the library's, not the agent's |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialects import otel_genai
from spanwitness.tag.dialects.common import ANY_CONVERSATION

DIALECT = replace(
    otel_genai.DIALECT,
    name="strands",
    scopes=("strands.*",),
    conversation=ANY_CONVERSATION,
    provider=(),
    served=(),
    fingerprint=(),
    service_version=False,
)
