from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.model import Document, Event, SpanRecord
from spanwitness.transcript.documents import documents

if TYPE_CHECKING:
    from collections.abc import Callable

    Span = Callable[..., SpanRecord]


def test_flattened_documents_are_read_in_order_with_id_and_score_in_their_metadata(span: Span) -> None:
    attributes = {
        "retrieval.documents.1.document.content": "second",
        "retrieval.documents.0.document.content": "first",
        "retrieval.documents.0.document.metadata": '{"page": 3}',
        "retrieval.documents.0.document.id": "d1",
        "retrieval.documents.0.document.score": "0.9",
    }
    assert documents([span("retrieval", attributes)]) == [
        Document("first", '{"id":"d1","score":"0.9","page":3}', "span-0000"),
        Document("second", "", "span-0000"),
    ]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("gen_ai.retrieval.documents", '[{"content": "first", "id": "d1"}]'),
        ("output.value", '{"documents": [{"page_content": "first", "metadata": {"id": "d1"}}]}'),
        ("mlflow.spanOutputs", '[{"page_content": "first", "metadata": {}, "id": "d1"}]'),
    ],
)
def test_documents_as_json_are_read(key: str, text: str, span: Span) -> None:
    assert documents([span("retrieval", {key: text})]) == [Document("first", '{"id":"d1"}', "span-0000")]


@pytest.mark.parametrize(
    "attributes",
    [
        {"db.vector.results.ids": '["d1"]', "db.vector.results.scores": "[0.9]"},
        {"gen_ai.retrieval.documents": '[{"id": "d1", "score": 0.9}]'},
        {"gen_ai.retrieval.documents": "[{"},
        {"retrieval.documents.0.document.metadata": "{}"},
    ],
)
def test_ids_and_scores_without_a_text_are_no_document(attributes: dict[str, str], span: Span) -> None:
    assert documents([span("retrieval", attributes)]) == []


def test_a_vector_stores_hits_are_read_from_its_events(span: Span) -> None:
    hit = {
        "db.query.result.id": "d1",
        "db.query.result.distance": "0.2",
        "db.query.result.metadata": '{"page": 3}',
        "db.query.result.document": "first",
    }
    events = (Event(0, "db.query.result", hit), Event(0, "db.query.embeddings", {"db.query.embeddings.vector": "[1]"}))
    found = documents([span("retrieval", {}, events=events)])
    assert found == [Document("first", '{"id":"d1","distance":"0.2","page":3}', "span-0000")]
