"""traceAI for pgvector: queries are retrieval, and tell neither conversation nor text."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tag.spans import captured, tagged


@pytest.mark.parametrize(("name", "kind"), [("pgvector query", "retrieval"), ("pgvector insert", ""), ("", "")])
def test_only_a_query_is_retrieval(name: str, kind: str) -> None:
    row = tagged({"db.system": "postgresql"}, scope="traceai_pgvector", name=name)
    assert (row["Dialect"], row["StepKind"]) == ("traceai_pgvector", kind)


def test_the_plays_queries_are_retrieval_without_a_conversation_in_a_trace_that_has_one() -> None:
    rows = captured("fi_pgvector")
    queries = [row for row in rows if row["Dialect"] == "traceai_pgvector"]
    assert Counter((row["StepKind"], row["ConversationId"]) for row in queries) == {("retrieval", ""): 4}
    named = {row["TraceId"] for row in rows if row["ConversationId"]}
    assert {row["TraceId"] for row in queries} <= named


def test_a_query_is_no_model_call() -> None:
    told = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5}
    row = tagged(told, scope="traceai_pgvector", name="pgvector query")
    assert (row["RequestedModel"], row["InputTokens"], row["ServedModelSource"]) == ("", 0, "")
