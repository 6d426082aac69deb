"""OpenInference, read without knowing the library behind it. The libraries that are known refine it.

| what | where |
|---|---|
| conversation | session.id |
| served model | unknown: llm.model_name is the requested name in some libraries and the served one in others |
| requested model | unknown, for the same reason; llm.invocation_parameters.model where it is there |
| provider | llm.provider, else llm.system |
| tokens | llm.token_count.prompt / completion |
| tool | tool.name, else the span's name |
| content | flattened llm.input_messages.N..., output.value |
"""

from spanwitness.tag.dialect import Dialect, From, Kind, keys
from spanwitness.tag.dialects.common import OPENINFERENCE_KINDS

INVOKED_MODEL = From("llm.invocation_parameters", path=("model",))

DIALECT = Dialect(
    name="openinference",
    scopes=("openinference.instrumentation.*",),
    markers=("openinference.span.kind",),
    kinds=(Kind(From("openinference.span.kind"), OPENINFERENCE_KINDS),),
    conversation=keys("session.id"),
    provider=keys("llm.provider", "llm.system"),
    requested=(INVOKED_MODEL, From("llm.model_name")),
    served=(From("llm.model_name", unless_requested=True),),
    agent=keys("agent.name"),
    prompt_version=keys("llm.prompt_template.version"),
    tool=keys("tool.name"),
    input_tokens=keys("llm.token_count.prompt"),
    output_tokens=keys("llm.token_count.completion"),
    finish_reason=keys("llm.finish_reason"),
)
