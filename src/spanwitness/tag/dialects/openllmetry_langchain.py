"""OpenLLMetry for LangChain and LangGraph (opentelemetry-instrumentation-langchain 0.47.5, 0.62.4).

| what | where |
|---|---|
| conversation | gen_ai.conversation.id on the outer invoke_agent alone; below it traceloop.association.properties.session_id, thread_id or any key of the run's metadata |
| kind of step | gen_ai.operation.name; `<name>.workflow` is invoke_agent once more; up to 0.5x traceloop.span.kind and llm.request.type |
| served model | gen_ai.response.model when it differs from the request |
| fingerprint | only inside traceloop.entity.output of the task around the call |
| agent | traceloop.association.properties.lc_agent_name; gen_ai.agent.name; traceloop.workflow.name |
| hides | tokens when streamed; the call id of a tool |
| gets wrong | gen_ai.response.model repeats the request when streamed and on an error; a failed tool says gen_ai.task.status = success and Unset: only `"status": "error"` inside its dumped result tells; traceloop.entity.* and gen_ai.task.* repeat all content |
| step | traceloop.association.properties.langgraph_step counts across the turns of a thread |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialect import From, keys
from spanwitness.tag.dialects import openllmetry

_STATUS = ("output", "kwargs", "status")
_TOOL = ("traceloop.span.kind", "tool")

DIALECT = replace(
    openllmetry.DIALECT,
    name="openllmetry_langchain",
    scopes=("opentelemetry.instrumentation.langchain",),
    served=(From("gen_ai.response.model", unless_requested=True),),
    agent=keys("gen_ai.agent.name", "traceloop.association.properties.lc_agent_name", "traceloop.workflow.name"),
    error=(
        From("gen_ai.tool.call.result", path=_STATUS),
        From("traceloop.entity.output", where=_TOOL, path=_STATUS),
        From("gen_ai.task.status"),
    ),
)
