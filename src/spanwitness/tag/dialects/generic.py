"""Any other instrumentation that follows the GenAI conventions, OpenInference or a known library roughly.

| what | where |
|---|---|
| kind of step | whichever key says it: gen_ai.operation.name, openinference.span.kind, gen_ai.span.kind, traceloop.span.kind, llm.request.type, ai.operationId, langfuse.observation.type, langsmith.span.kind; else what only a model call or a tool has |
| conversation | gen_ai.conversation.id, session.id, langfuse.session.id; else the session keys that applications choose themselves |
| requested model | gen_ai.request.model, llm.invocation_parameters.model, llm.request.model, ai.model.id, langsmith.metadata.ls_model_name |
| served model | gen_ai.response.model, llm.response.model, the recorded response; only where it differs from the request: libraries that repeat the request are too many |
| gets wrong | unknown; so what only repeats the request is no proof, and a failed call has no served model |
| ends | nothing tells |
"""

from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, keys
from spanwitness.tag.dialects.common import (
    ANY_CONVERSATION,
    ANY_KIND,
    FINGERPRINTS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    langchain_reply,
)

DIALECT = Dialect(
    name="generic",
    scopes=("langsmith", "lmnr.*", "logfire", "logfire.*"),
    markers=(
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.system",
        "gen_ai.request.model",
        "gen_ai.tool.name",
        "gen_ai.agent.name",
        "traceloop.span.kind",
        "llm.request.type",
        "langsmith.span.kind",
        "lmnr.span.type",
        "llm.token_count.completion",
    ),
    kinds=ANY_KIND,
    conversation=ANY_CONVERSATION,
    provider=keys("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    requested=(
        *keys("gen_ai.request.model"),
        From("llm.invocation_parameters", path=("model",)),
        *keys("llm.request.model", "ai.model.id", "langsmith.metadata.ls_model_name", "llm.model_name"),
    ),
    served=(
        langchain_reply("gen_ai.completion", "model_name"),
        langchain_reply("output.value", "model_name"),
        *(
            From(key, unless_requested=True)
            for key in ("gen_ai.response.model", "llm.response.model", "ai.response.model", "llm.model_name")
        ),
    ),
    fingerprint=(
        *FINGERPRINTS,
        langchain_reply("gen_ai.completion", "system_fingerprint"),
        langchain_reply("output.value", "system_fingerprint"),
    ),
    agent=(
        *keys("gen_ai.agent.name", "agent.name", "langsmith.metadata.lc_agent_name"),
        From(SPAN_NAME, where=("openinference.span.kind", "AGENT")),
    ),
    prompt_version=keys("gen_ai.prompt.version", "gen_ai.prompt.template.version", "llm.prompt_template.version"),
    tool=keys("gen_ai.tool.name", "tool.name", "traceloop.entity.name", "tool_call.function.name"),
    input_tokens=INPUT_TOKENS,
    output_tokens=OUTPUT_TOKENS,
    finish_reason=keys("gen_ai.response.finish_reasons", "llm.finish_reason", "gen_ai.completion.0.finish_reason"),
    error=keys("gen_ai.tool.status"),
)
