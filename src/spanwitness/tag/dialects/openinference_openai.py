"""OpenInference for the openai client (openinference-instrumentation-openai 0.1.66).

| what | where |
|---|---|
| conversation | session.id: each call is a trace of its own, and this alone ties them together |
| requested model | llm.invocation_parameters.model |
| served model | llm.model_name, streamed too; where it only repeats the request (it does when the client's answer is read raw), the model in the recorded response; absent on an API error |
| fingerprint | output.value.system_fingerprint |
| provider | llm.system = openai whatever the base URL |
| hides | tools: no TOOL spans, only calls and results inside messages; finish reason under the Responses API |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialect import From
from spanwitness.tag.dialects import openinference
from spanwitness.tag.dialects.openinference import INVOKED_MODEL

DIALECT = replace(
    openinference.DIALECT,
    name="openinference_openai",
    scopes=("openinference.instrumentation.openai",),
    markers=(),
    requested=(INVOKED_MODEL,),
    served=(
        From("llm.model_name", unless_requested=True),
        From("output.value", where=("openinference.span.kind", "LLM"), path=("model",)),
    ),
    fingerprint=(From("output.value", path=("system_fingerprint",)),),
)
