"""traceAI, read without knowing the library behind it (fi-instrumentation-otel 1.1.0). Known libraries refine it.

| what | where |
|---|---|
| conversation | gen_ai.conversation.id, session.id |
| requested model | gen_ai.request.model, which some libraries overwrite with the served one |
| served model | never under gen_ai.response.model |
| tokens | gen_ai.usage.*, copied to wrapper spans: counted on kind LLM alone |
| gets wrong | status OK means nothing (UNSET is rewritten); messages stand flattened under the conventions' names |
| service | no service.name; the resource has project_name |
"""

from spanwitness.tag.dialect import Dialect, From, Kind, keys
from spanwitness.tag.dialects.common import OPENINFERENCE_KINDS

DIALECT = Dialect(
    name="traceai",
    scopes=("traceai_*", "traceai.*", "fi_*", "fi.*"),
    markers=("gen_ai.span.kind",),
    kinds=(Kind(From("gen_ai.span.kind"), OPENINFERENCE_KINDS),),
    conversation=keys("gen_ai.conversation.id", "session.id"),
    provider=keys("gen_ai.provider.name", "ls_provider"),
    requested=keys("gen_ai.request.model"),
    served=keys("gen_ai.response.model"),
    agent=keys("gen_ai.agent.name"),
    prompt_version=keys("gen_ai.prompt.template.version"),
    tool=keys("gen_ai.tool.name"),
    input_tokens=keys("gen_ai.usage.input_tokens"),
    output_tokens=keys("gen_ai.usage.output_tokens"),
)
