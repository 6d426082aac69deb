"""OpenInference, read without knowing the library behind it. The libraries that are known refine it.

| what | where |
|---|---|
| conversation | session.id; gen_ai.conversation.id where spanwitness.sdk set it |
| served model | llm.response.model_name where it is there; the model named in output.value, where that is the provider's response; else unknown: llm.model_name is the requested name in some libraries and the served one in others |
| requested model | llm.request.model_name, llm.invocation_parameters.model; else unknown, for the same reason |
| provider | llm.provider, else llm.system |
| tokens | llm.token_count.prompt / completion |
| tool | tool.name, else the span's name |
| content | flattened llm.input_messages.N..., output.value |
"""

from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, Kind, keys
from spanwitness.tag.dialects.common import CONVERSATION, OPENINFERENCE_KINDS

_MODEL_CALL = ("openinference.span.kind", "LLM")
INVOKED_MODEL = From("llm.invocation_parameters", path=("model",))

DIALECT = Dialect(
    name="openinference",
    scopes=("openinference.instrumentation.*",),
    markers=("openinference.span.kind",),
    # LlamaIndex calls its helpers LLM too.
    kinds=(
        Kind(From(SPAN_NAME), {"*._prepare_chat_with_tools": ""}),
        Kind(From("openinference.span.kind"), OPENINFERENCE_KINDS),
    ),
    conversation=CONVERSATION,
    provider=keys("llm.provider", "llm.system"),
    requested=(From("llm.request.model_name"), INVOKED_MODEL, From("llm.model_name")),
    served=(
        From("llm.response.model_name", unless_requested=True),
        *(From("output.value", where=_MODEL_CALL, path=(key,)) for key in ("model_version", "modelVersion")),
        From("output.value", where=_MODEL_CALL, path=("model",), unless_requested=True),
        From("llm.model_name", unless_requested=True),
    ),
    agent=keys("agent.name"),
    prompt_version=keys("llm.prompt_template.version"),
    tool=keys("tool.name"),
    input_tokens=keys("llm.token_count.prompt"),
    output_tokens=keys("llm.token_count.completion"),
    finish_reason=keys("llm.finish_reason"),
)
