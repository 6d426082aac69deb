"""Langfuse's own SDK (langfuse 3 to 5; scope langfuse-sdk).

| what | where |
|---|---|
| conversation | session.id, langfuse.session.id |
| kind of step | langfuse.observation.type: generation, tool, retriever, guardrail |
| served model | langfuse.observation.model.name of `OpenAI-generation`: its wrapper of the openai client puts the response's model there |
| requested model | langfuse.observation.metadata.ls_model_name under LangChain, whose callback overwrites the model's name as well; elsewhere langfuse.observation.model.name; lost where the wrapper overwrites it |
| tokens | langfuse.observation.usage_details, JSON; its keys are the provider's |
| content | langfuse.observation.input / output, the client's own JSON |
| error | langfuse.observation.level = ERROR |
| hides | the fingerprint; the requested model, behind the wrapper |
| gets wrong | on an error the wrapper leaves the requested model under the same key: a failed call has no served model |
| ends | nothing tells |
"""

from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, keys
from spanwitness.tag.dialects.common import LANGFUSE, OPERATIONS

_MODEL = "langfuse.observation.model.name"
_USAGE = "langfuse.observation.usage_details"
_LANGCHAIN_MODEL = "langfuse.observation.metadata.ls_model_name"
_FINISH = "langfuse.observation.metadata.finish_reason"
_WRAPPED = ("OpenAI-generation",)

DIALECT = Dialect(
    name="langfuse",
    scopes=("langfuse-sdk", "langfuse.*"),
    markers=("langfuse.observation.type",),
    kinds=(LANGFUSE, OPERATIONS),
    conversation=keys("session.id", "langfuse.session.id", "gen_ai.conversation.id"),
    requested=(
        From("gen_ai.request.model"),
        From(_LANGCHAIN_MODEL, quoted=True),
        From(_LANGCHAIN_MODEL),
        From(_MODEL, beside=_WRAPPED),
        From(_MODEL, where=("langfuse.observation.level", "ERROR")),
    ),
    served=(
        From("gen_ai.response.model", unless_requested=True),
        From(_MODEL, spans=_WRAPPED),
        From(_MODEL, unless_requested=True),
    ),
    agent=(From("gen_ai.agent.name"), From(SPAN_NAME, where=("langfuse.observation.type", "agent"))),
    prompt_version=keys("langfuse.observation.prompt.version"),
    input_tokens=tuple(From(_USAGE, path=(key,)) for key in ("input", "prompt_tokens", "input_tokens")),
    output_tokens=tuple(From(_USAGE, path=(key,)) for key in ("output", "completion_tokens", "output_tokens")),
    finish_reason=(From(_FINISH, quoted=True), From(_FINISH)),
    error=keys("langfuse.observation.level"),
)
