"""traceAI for Pinecone (traceAI-pinecone 0.1.0).

| what | where |
|---|---|
| conversation | nowhere: inherited through the trace |
| retrieval | spans `pinecone query`; upsert, fetch, describe are no retrieval |
| result | db.vector.results.{count,scores,ids} |
| hides | the query's text and the documents |
"""

from dataclasses import replace

from spanwitness.tag.dialect import SPAN_NAME, From, Kind
from spanwitness.tag.dialects import traceai

DIALECT = replace(
    traceai.DIALECT,
    name="traceai_pinecone",
    scopes=("traceai_pinecone",),
    markers=(),
    kinds=(Kind(From(SPAN_NAME), {"pinecone query*": "retrieval", "*": ""}),),
)
