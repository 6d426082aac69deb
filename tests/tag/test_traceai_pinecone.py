"""traceAI for Pinecone: queries are retrieval, all else is upkeep."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tag.spans import captured, tagged


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pinecone query", "retrieval"),
        ("pinecone upsert", ""),
        ("pinecone fetch", ""),
        ("pinecone describe_index_stats", ""),
    ],
)
def test_only_a_query_is_retrieval(name: str, kind: str) -> None:
    row = tagged({"db.system": "pinecone"}, scope="traceai_pinecone", name=name)
    assert (row["Dialect"], row["StepKind"]) == ("traceai_pinecone", kind)


def test_the_plays_queries_are_retrieval_and_loading_the_index_is_none() -> None:
    spans = [row for row in captured("fi_pinecone") if row["Dialect"] == "traceai_pinecone"]
    assert Counter((row["StepKind"], row["ConversationId"]) for row in spans) == {("retrieval", ""): 4, ("", ""): 3}
    assert Counter(row["StatusCode"] for row in spans if row["StepKind"]) == {"Ok": 3, "Error": 1}
