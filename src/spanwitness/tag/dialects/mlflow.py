"""MLflow tracing (mlflow 3.17.2; its own form, and the conventions' with MLFLOW_ENABLE_OTEL_GENAI_SEMCONV).

| what | where |
|---|---|
| conversation | nowhere: mlflow.trace.session is trace metadata, which does not travel over OTLP |
| kind of step | mlflow.spanType; with the conventions gen_ai.operation.name (a retriever says RETRIEVER) |
| requested model | model, a bare key |
| served model | mlflow.llm.model; gen_ai.response.model; where it differs from the request |
| fingerprint | in mlflow.spanOutputs; lost with the conventions |
| agent | the name of the AGENT span |
| tool | the span's name; arguments and result in mlflow.spanInputs / spanOutputs |
| tokens | mlflow.chat.tokenUsage, JSON; gen_ai.usage.* |
| content | mlflow.spanInputs / spanOutputs, the client's own JSON |
| hides | the conversation; in and output of agents and retrievers with the conventions |
| gets wrong | every value of its own is JSON, plain texts too; gen_ai.request.model is the response's; a streamed tool call is lost in the output; with opentelemetry-sdk 1.43 and later, roots with tags never arrive |
| ends | nothing tells |
"""

from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, Kind, keys
from spanwitness.tag.dialects.common import CONVERSATION, FINGERPRINTS, INPUT_TOKENS, MLFLOW, OPERATIONS, OUTPUT_TOKENS

_USAGE = "mlflow.chat.tokenUsage"
_OUTPUTS = "mlflow.spanOutputs"
_CALL = ("mlflow.spanType", '"CHAT_MODEL"')

DIALECT = Dialect(
    name="mlflow",
    scopes=("mlflow.*",),
    markers=("mlflow.spanType",),
    kinds=(
        Kind(From("gen_ai.operation.name"), {"RETRIEVER": "retrieval", **OPERATIONS.steps}),
        MLFLOW,
    ),
    conversation=tuple(told for key in CONVERSATION for told in (From(key.key, quoted=True), key)),
    provider=(From("mlflow.llm.provider", quoted=True), *keys("gen_ai.provider.name", "gen_ai.system")),
    requested=(From("model", quoted=True), From("model")),
    served=(
        From("gen_ai.response.model", unless_requested=True),
        From("mlflow.llm.model", quoted=True, unless_requested=True),
    ),
    fingerprint=(From(_OUTPUTS, where=_CALL, path=("system_fingerprint",)), *FINGERPRINTS),
    agent=(From("gen_ai.agent.name"), From(SPAN_NAME, where=("mlflow.spanType", '"AGENT"'))),
    tool=keys("gen_ai.tool.name"),
    input_tokens=(From(_USAGE, path=("input_tokens",)), *INPUT_TOKENS),
    output_tokens=(From(_USAGE, path=("output_tokens",)), *OUTPUT_TOKENS),
    finish_reason=(
        From(_OUTPUTS, where=_CALL, path=("choices", 0, "finish_reason")),
        *keys("gen_ai.response.finish_reasons"),
    ),
)
