"""Retrieved documents. Vector stores that tell ids and scores alone (traceAI's Pinecone, pgvector) give none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spanwitness.model import Document, SpanRecord
from spanwitness.transcript.values import compact, entries, fields, first, first_text, numbered, parse, string, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FLAT: Final = "retrieval.documents"
_HIT: Final = "db.query.result"
_DUMPS: Final = ("gen_ai.retrieval.documents", "output.value", "mlflow.spanOutputs")


def documents(spans: Iterable[SpanRecord]) -> list[Document]:
    """The documents of every retrieval, in order. What two retrievals found alike stands twice, by span."""
    return [document for span in spans for document in _of(span)]


def _of(span: SpanRecord) -> list[Document]:
    flat = [_flat(group, span.span_id) for group in numbered(span.attributes, _FLAT)]
    flat += [_hit(event.attributes, span.span_id) for event in span.events if event.name == _HIT]
    return [document for document in flat or _dumped(span) if document.content.strip()]


def _flat(group: Mapping[str, str], span_id: str) -> Document:
    """OpenInference and traceAI: `retrieval.documents.N.document.{content,metadata,id,score}`."""
    metadata = group.get("document.metadata", "")
    beside = {key: group[f"document.{key}"] for key in ("id", "score") if group.get(f"document.{key}")}
    if beside:
        metadata = compact({**beside, **fields(parse(metadata))})
    return Document(group.get("document.content", ""), metadata, span_id)


def _hit(told: Mapping[str, str], span_id: str) -> Document:
    """OpenLLMetry's vector stores: one event a hit, with `db.query.result.{document,id,score,distance,metadata}`."""
    beside = {key: told[f"{_HIT}.{key}"] for key in ("id", "score", "distance") if told.get(f"{_HIT}.{key}")}
    metadata = fields(parse(told.get(f"{_HIT}.metadata", "")))
    return Document(
        told.get(f"{_HIT}.document", ""), compact({**beside, **metadata}) if beside or metadata else "", span_id
    )


def _dumped(span: SpanRecord) -> list[Document]:
    """The conventions' JSON list, or the retriever's own output as LangChain and MLflow dump it."""
    value = parse(first_text(span.attributes, _DUMPS))
    held = value.get("documents") if isinstance(value, dict) else value
    return [_json(entry, span.span_id) for entry in entries(held)]


def _json(entry: Mapping[str, object], span_id: str) -> Document:
    content = string(first(entry, "content", "page_content", "text"))
    metadata = fields(entry.get("metadata"))
    beside = {key: entry[key] for key in ("id", "score") if entry.get(key) is not None}
    return Document(content, text_of({**beside, **metadata} or None), span_id)
