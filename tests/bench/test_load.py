"""What the load generator sends: requests that decode, of which no two hold the same span."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.decode import decode_spans
from tests.bench.process import clock_seconds, cpu_seconds, memory_bytes
from tests.bench.traffic import PAYLOADS, Stream, templates

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

SPANS = 50


def sent(stream: Stream, requests: int) -> list[bytes]:
    return [body for body, _ in itertools.islice(stream, requests)]


def spans(bodies: list[bytes]) -> list[Span]:
    return [
        span
        for body in bodies
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_request_decodes_and_no_span_is_refused(payload: str) -> None:
    bodies = sent(Stream(templates(payload, SPANS)), 40)
    assert len(spans(bodies)) == 40 * SPANS
    batch = decode_spans(bodies)
    assert not batch.problems


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_span_holds_about_as_much_as_its_payload_says(payload: str) -> None:
    pattern = templates(payload, SPANS)[0]
    assert PAYLOADS[payload] <= len(pattern.body) / pattern.spans <= PAYLOADS[payload] + 1_000


def test_no_two_requests_of_any_sender_or_run_share_a_span() -> None:
    patterns = templates("small", SPANS)
    streams = [Stream(patterns, number, run) for number, run in ((0, 0), (1, 0), (255, 0), (0, 1), (0, 65_535))]
    found = [(span.trace_id, span.span_id) for stream in streams for span in spans(sent(stream, 60))]
    assert len(found) == len(set(found)) == 5 * 60 * SPANS


def test_traces_and_conversations_are_those_of_one_request_and_whole() -> None:
    one, other = (spans([body]) for body in sent(Stream(templates("small", SPANS)), 2))
    assert not {span.trace_id for span in one} & {span.trace_id for span in other}
    known = {(span.trace_id, span.span_id) for span in one}
    assert all((span.trace_id, span.parent_span_id) in known for span in one if span.parent_span_id)
    roots = [span for span in one if not span.parent_span_id]
    assert len(roots) == len({span.trace_id for span in one}) == 3
    named = [
        {a.value.string_value for a in span.attributes if a.key == "gen_ai.conversation.id"} for span in one + other
    ]
    assert len(set().union(*named)) == 6


def test_the_same_seed_gives_the_same_content() -> None:
    def content(seed: int) -> list[object]:
        pattern = templates("genai", SPANS, seed)[0]
        return [attribute for span in spans([pattern.body]) for attribute in span.attributes]

    assert content(1) == content(1) != content(2)


def test_processor_time_and_memory_of_a_process_are_seen_from_outside() -> None:
    before = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) - before < 0.05:
        assert time.process_time() < before + 60
    assert memory_bytes(os.getpid())[0] > 10_000_000


@pytest.mark.parametrize(
    ("text", "seconds"), [("0:01.50", 1.5), ("12:34.00\n", 754), ("1:02:03", 3723), ("2-03:04:05", 183_845)]
)
def test_times_as_ps_writes_them(text: str, seconds: float) -> None:
    assert clock_seconds(text) == seconds


def test_what_is_no_time_of_ps_is_told() -> None:
    with pytest.raises(ValueError, match="not a time of ps"):
        clock_seconds("-")
