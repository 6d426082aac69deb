"""traceAI for openai-agents (traceAI-openai-agents 0.1.6).

| what | where |
|---|---|
| conversation | session.id and gen_ai.conversation.id, alike |
| requested model | Responses API (span `response`): lost. Chat completions (span `generation`): gen_ai.request.model |
| served model | Responses API: in gen_ai.request.model (!). Chat completions: lost |
| agent | graph.node.id on the AGENT span above the call |
| hides | fingerprint and finish reason always |
| gets wrong | model, usage, messages and tools of a call are copied to its `turn` parent and to the root |
| hand-off | a TOOL span named `handoff to AGENT` |
| ends | nothing tells |
"""

from dataclasses import replace

from spanwitness.tag.dialect import SPAN_NAME, From, Kind, keys
from spanwitness.tag.dialects import traceai

DIALECT = replace(
    traceai.DIALECT,
    name="traceai_openai_agents",
    scopes=("traceai_openai_agents",),
    markers=(),
    kinds=(
        # Beyond 128 attributes the call's own span loses its facts, and the copy on its turn, what came first.
        Kind(From("gen_ai.request.model", spans=("turn",), without="gen_ai.provider.name"), {"*": "llm"}),
        Kind(From(SPAN_NAME), {"handoff to *": "handoff"}),
        *traceai.DIALECT.kinds,
    ),
    requested=(From("gen_ai.request.model", spans=("generation",)),),
    served=(From("gen_ai.request.model", spans=("response", "turn")),),
    agent=keys("graph.node.id"),
)
