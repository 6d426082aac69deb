"""OpenInference for openai-agents (openinference-instrumentation-openai-agents 2.6.0).

| what | where |
|---|---|
| conversation | session.id, only from using_session / using_attributes; group_id is dropped |
| requested model | Responses API (span `response`): lost. Chat completions (span `generation`): llm.model_name |
| served model | Responses API: llm.model_name. Chat completions: lost |
| agent | agent.name on the AGENT span above the call |
| hides | fingerprint always; tool call ids on TOOL spans; output and tokens of streamed chat completions |
| gets wrong | llm.finish_reason says `stop` for tool calls too; root and turn stay OK when a tool fails |
| hand-off | a TOOL span named `handoff to AGENT` |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialect import SPAN_NAME, From, Kind
from spanwitness.tag.dialects import openinference

DIALECT = replace(
    openinference.DIALECT,
    name="openinference_openai_agents",
    scopes=("openinference.instrumentation.openai_agents",),
    markers=(),
    kinds=(Kind(From(SPAN_NAME), {"handoff to *": "handoff"}), *openinference.DIALECT.kinds),
    requested=(From("llm.model_name", spans=("generation",)),),
    served=(From("llm.model_name", spans=("response",)),),
    finish_reason=(),
)
