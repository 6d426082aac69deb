"""OpenInference for LangChain and LangGraph (openinference-instrumentation-langchain 0.1.80).

| what | where |
|---|---|
| conversation | session.id: run metadata session_id, else conversation_id, else LangGraph's thread_id |
| requested model | llm.invocation_parameters.model |
| served model | output.value -> generations[0][0].message.kwargs.response_metadata.model_name |
| gets wrong | llm.model_name is the served model when not streamed and the requested one when streamed: believed only where it differs from the request |
| hides | tokens when streamed behind another base URL |
| agent | the root's name; prebuilt agents: metadata.lc_agent_name |
| content | llm.input_messages.N; CHAIN spans repeat the whole thread |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialect import SPAN_NAME, From
from spanwitness.tag.dialects import openinference
from spanwitness.tag.dialects.openinference import INVOKED_MODEL

ANSWERED = ("generations", 0, 0, "message", "kwargs", "response_metadata")

DIALECT = replace(
    openinference.DIALECT,
    name="openinference_langchain",
    scopes=("openinference.instrumentation.langchain",),
    markers=(),
    requested=(INVOKED_MODEL, From("llm.model_name")),
    served=(From("output.value", path=(*ANSWERED, "model_name")), From("llm.model_name", unless_requested=True)),
    fingerprint=(From("output.value", path=(*ANSWERED, "system_fingerprint")),),
    agent=(
        From("metadata", path=("lc_agent_name",)),
        # A prebuilt agent has a node of that name.
        From(SPAN_NAME, beside=("agent",), where=("openinference.span.kind", "AGENT")),
    ),
)
