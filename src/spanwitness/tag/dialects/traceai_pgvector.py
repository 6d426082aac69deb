"""traceAI for pgvector (traceAI-pgvector 0.1.0).

| what | where |
|---|---|
| conversation | nowhere: inherited through the trace |
| retrieval | spans `pgvector query` |
| hides | the SQL, the query's text, the result and its size |
"""

from dataclasses import replace

from spanwitness.tag.dialect import SPAN_NAME, From, Kind
from spanwitness.tag.dialects import traceai

DIALECT = replace(
    traceai.DIALECT,
    name="traceai_pgvector",
    scopes=("traceai_pgvector",),
    markers=(),
    kinds=(Kind(From(SPAN_NAME), {"pgvector query*": "retrieval", "*": ""}),),
)
