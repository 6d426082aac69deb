"""traceAI for LangChain and LangGraph (traceAI-langchain 0.2.0).

| what | where |
|---|---|
| conversation | gen_ai.conversation.id and session.id; they differ when a thread_id and using_session name two |
| requested model | gen_ai.request.model |
| served model | output.value -> generations[0][0].message.kwargs.response_metadata.model_name, nowhere else |
| fingerprint | the same place, system_fingerprint |
| provider | ls_provider |
| hides | tool calls inside messages; tokens when streamed behind another base URL |
| gets wrong | the tenant of using_attributes is overwritten; prebuilt: the node named `agent` is a second AGENT |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialect import SPAN_NAME, From
from spanwitness.tag.dialects import traceai
from spanwitness.tag.dialects.openinference_langchain import ANSWERED

DIALECT = replace(
    traceai.DIALECT,
    name="traceai_langchain",
    scopes=("traceai_langchain",),
    markers=(),
    served=(From("output.value", path=(*ANSWERED, "model_name")),),
    fingerprint=(From("output.value", path=(*ANSWERED, "system_fingerprint")),),
    agent=(
        From("metadata", path=("lc_agent_name",)),
        # A prebuilt agent has a node of that name.
        From(SPAN_NAME, beside=("agent",), where=("gen_ai.span.kind", "AGENT")),
    ),
)
