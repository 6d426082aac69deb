"""Pipecat's own spans (pipecat-ai 1.14.0 with enable_tracing).

| what | where |
|---|---|
| conversation | conversation.id on `conversation` and `turn`; `llm`, `stt` and `tts` inherit it through the trace |
| requested model | param.model |
| served model | never |
| content | input, OpenAI's messages as JSON; output, the text alone: tool calls stand in the next input |
| tokens | gen_ai.usage.* |
| hides | tools have no spans; the fingerprint |
| gets wrong | gen_ai.request.model is, from the second call on, the model that answered the call before |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialect import keys
from spanwitness.tag.dialects import generic

DIALECT = replace(
    generic.DIALECT,
    name="pipecat",
    scopes=("pipecat", "pipecat.*"),
    markers=(),
    requested=keys("param.model"),
    served=(),
    fingerprint=(),
)
