"""The play that every library is put through: four conversations of two turns, the model swapped after two."""

from __future__ import annotations

import gzip
import os
import struct
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from spanwitness.attributes import SERVED_FINGERPRINT, SERVED_MODEL, TRAJECTORY_STEP
from spanwitness.sdk import SpanWitnessProcessor, probe
from tests.sdk.model_server import NEW, OLD, ModelServer, model_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

CONVERSATIONS: Final = tuple(f"conv-probe-{number:04}" for number in range(1, 5))
TURNS: Final = ("What about my claim CLM-2001? claim", "Thank you.")
INSTRUCTIONS: Final = "You answer customers of an insurer."
SERVED: Final = (OLD, OLD, NEW, NEW)
CALLS_A_CONVERSATION: Final = 3  # one that calls the tool, one that tells what it found, one that says farewell


def get_claim_status(claim_id: str) -> str:
    """The status of a claim.

    Args:
        claim_id: its number.
    """
    return f"{claim_id}: open"


@dataclass
class Recording:
    """An application's tracing, with the processor in it, and what it made."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    provider: TracerProvider = field(init=False)

    def __post_init__(self) -> None:
        resource = Resource.create({"service.name": "claims-assistant", "service.version": "3.2.1"})
        self.provider = TracerProvider(resource=resource)

    def listen(self) -> None:
        """After what the library adds of its own, so that its ids are there when the steps are numbered."""
        processor = SpanWitnessProcessor(tenant="acme-insurance", agent_version="3.2.1", channel="chat")
        self.provider.add_span_processor(processor)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """The spans whose name begins so, by their start."""
        found = [span for span in self.exporter.get_finished_spans() if span.name.startswith(name)]
        return sorted(found, key=lambda span: span.start_time or 0)

    def write(self, capture: str) -> None:
        """Keeps the spans as a capture, in the folder that CAPTURES_TO names; else nothing."""
        folder = os.environ.get("CAPTURES_TO")
        if folder:
            spans = self.spans()
            bodies = [encode_spans(spans[at : at + 64]).SerializeToString() for at in range(0, len(spans), 64)]
            framed = b"".join(struct.pack(">I", len(body)) + body for body in bodies)
            (Path(folder) / f"{capture}.otlp.gz").write_bytes(gzip.compress(framed, mtime=0))


@contextmanager
def played(recording: Recording, capture: str) -> Iterator[ModelServer]:
    """The model's server, with the probe in this process; what was traced meanwhile is kept as a capture."""
    probe.install()
    try:
        with model_server() as server:
            yield server
    finally:
        probe.uninstall()
    recording.write(capture)


def tells_each_call_alone(recording: Recording, call: str) -> None:
    """The probe's finding stands on every span of a model call, and on no other."""
    spans = recording.spans()
    calls = [span for span in spans if span.name.startswith(call) and not span.name.startswith(f"{call}_")]
    assert served(calls) == every_call()
    assert set(served([span for span in spans if span not in calls])) == {(None, None)}


def conversations(server: ModelServer) -> Iterator[str]:
    """The ids; meanwhile the server answers as the model that serves that conversation."""
    for conversation_id, served in zip(CONVERSATIONS, SERVED, strict=True):
        server.served = served
        yield conversation_id


def served(spans: Sequence[ReadableSpan]) -> list[tuple[object, object]]:
    """What the probe found, by span."""
    found = [span.attributes or {} for span in spans]
    return [(attributes.get(SERVED_MODEL), attributes.get(SERVED_FINGERPRINT)) for attributes in found]


def every_call() -> list[tuple[object, object]]:
    """What it has to find, by model call."""
    return [truth for truth in SERVED for _ in range(CALLS_A_CONVERSATION)]


def steps(spans: Sequence[ReadableSpan]) -> list[object]:
    return [(span.attributes or {}).get(TRAJECTORY_STEP) for span in spans]
