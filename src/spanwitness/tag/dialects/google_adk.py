"""Google's Agent Development Kit (google-adk 2.13.0; default, latest and legacy forms).

| what | where |
|---|---|
| conversation | gen_ai.conversation.id (the session), not on execute_tool; legacy: gcp.vertex.agent.session_id on call_llm |
| kind of step | gen_ai.operation.name; legacy: `call_llm`, whose generate_content below it tells the same call again |
| requested model | gen_ai.request.model, with LiteLLM's prefix (openai/gpt-4o) |
| served model | legacy alone: model_version in gcp.vertex.agent.llm_response |
| provider | gen_ai.provider.name; legacy: read from the model's name, since gen_ai.system says gcp.vertex.agent |
| agent | gen_ai.agent.name |
| tool | gen_ai.tool.name, call.id; arguments and result by default nowhere on the span; legacy gcp.vertex.agent.tool_call_args / tool_response |
| tokens | gen_ai.usage.*; legacy: on both spans of a call |
| content | log records gen_ai.client.inference.operation.details; latest: attributes too; legacy: call_llm's JSON |
| hides | the served model, but for the legacy form; the fingerprint |
| gets wrong | finish reason is `stop` for tool calls too; parallel calls add a tool span `(merged tools)` that is none; a tool's error that is returned leaves the status Unset |
| ends | nothing tells |
"""

from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, Kind, keys
from spanwitness.tag.dialects.common import CONVERSATION, INPUT_TOKENS, OPERATIONS, OUTPUT_TOKENS

_RESPONSE = "gcp.vertex.agent.llm_response"

DIALECT = Dialect(
    name="google_adk",
    scopes=("gcp.vertex.agent",),
    kinds=(
        Kind(From(SPAN_NAME), {"execute_tool (merged)": "", "call_llm": "llm"}),
        # The old name of the provider's key marks the legacy form, where call_llm is the call.
        Kind(From("gen_ai.system", where=("gen_ai.operation.name", "generate_content")), {"*": ""}),
        OPERATIONS,
    ),
    conversation=(*CONVERSATION, *keys("gcp.vertex.agent.session_id")),
    provider=keys("gen_ai.provider.name"),
    requested=keys("gen_ai.request.model"),
    served=(From(_RESPONSE, path=("model_version",)), From("gen_ai.response.model", unless_requested=True)),
    agent=keys("gen_ai.agent.name"),
    tool=keys("gen_ai.tool.name"),
    input_tokens=INPUT_TOKENS,
    output_tokens=OUTPUT_TOKENS,
)
