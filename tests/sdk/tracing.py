"""An application's tracing as it would set it up, for the tests of what runs inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from spanwitness.attributes import SERVED_FINGERPRINT, SERVED_MODEL
from spanwitness.sdk import SpanWitnessProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


class Tracing:
    """Spans end up in memory; with the processor, unless `plain`."""

    def __init__(self, *, plain: bool = False) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        if not plain:
            self.provider.add_span_processor(SpanWitnessProcessor())
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def attributes(self, name: str) -> Mapping[str, AttributeValue]:
        (span,) = (span for span in self.exporter.get_finished_spans() if span.name == name)
        return span.attributes or {}

    def served(self, name: str = "chat gpt-4o") -> tuple[object, object]:
        """What the probe stamped on the span of that name: model and fingerprint."""
        found = self.attributes(name)
        return found.get(SERVED_MODEL), found.get(SERVED_FINGERPRINT)
