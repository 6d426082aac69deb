from __future__ import annotations

import gc

from opentelemetry import trace
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import NonRecordingSpan

from spanwitness.sdk.lineage import is_local, keep_by_id, lineage, recording_span
from tests.sdk.tracing import Tracing


def names_above(span: trace.Span) -> list[str]:
    assert isinstance(span, Span)
    return [above.name for above in lineage(span)]


def test_the_open_spans_above_are_known() -> None:
    tracer = Tracing().tracer
    with tracer.start_as_current_span("a"), tracer.start_as_current_span("b"):
        assert names_above(tracer.start_span("c")) == ["c", "b", "a"]


def test_without_the_processor_a_span_stands_alone() -> None:
    tracer = Tracing(plain=True).tracer
    with tracer.start_as_current_span("a"):
        assert names_above(tracer.start_span("b")) == ["b"]


def test_a_remote_parent_is_none_of_ours() -> None:
    tracer = Tracing().tracer
    remote = trace.set_span_in_context(NonRecordingSpan(tracer.start_span("a").get_span_context()))
    span = tracer.start_span("b", context=remote)
    assert names_above(span) == ["b"]
    assert isinstance(span, Span)
    assert not is_local(trace.get_current_span(remote), span)


def test_a_parent_lives_no_longer_for_its_child() -> None:
    tracer = Tracing().tracer
    child = tracer.start_span("b", context=trace.set_span_in_context(tracer.start_span("a")))
    gc.collect()
    assert names_above(child) == ["b"]


def test_a_long_line_is_cut() -> None:
    tracer = Tracing().tracer
    spans = [tracer.start_span("0")]
    for number in range(1, 100):
        spans.append(tracer.start_span(str(number), context=trace.set_span_in_context(spans[-1])))
    assert names_above(spans[-1]) == [str(number) for number in range(99, 67, -1)]


def test_the_span_behind_a_stand_in_is_found() -> None:
    keep_by_id()
    tracer = Tracing().tracer
    with tracer.start_as_current_span("a") as span:
        with trace.use_span(NonRecordingSpan(span.get_span_context())):
            assert recording_span() is span
        assert recording_span() is span
    with trace.use_span(NonRecordingSpan(span.get_span_context())):
        assert recording_span() is None
    assert recording_span() is None
