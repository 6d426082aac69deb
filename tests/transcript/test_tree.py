from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.transcript.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from spanwitness.model import SpanRecord

    Span = Callable[..., SpanRecord]


def test_spans_are_ordered_by_start_end_and_id(span: Span) -> None:
    late, long, short = span("llm", at=2), span("llm", at=1, ended_ns=9 * 10**9), span("llm", at=1, span_id="b")
    tied = span("llm", at=1, span_id="a")
    assert Tree([late, long, short, tied]).ordered == [tied, short, long, late]


@pytest.mark.parametrize("kind", ["tool", "retrieval", "guardrail"])
def test_a_span_anywhere_under_a_tool_is_nested(kind: str, span: Span) -> None:
    outer = span(kind, at=1)
    between = span("", at=2, parent_span_id=outer.span_id)
    inner = span("llm", at=3, parent_span_id=between.span_id)
    tree = Tree([outer, between, inner])
    assert [tree.nested(one) for one in (outer, between, inner)] == [False, True, True]


def test_a_span_under_a_model_call_or_in_another_trace_is_not(span: Span) -> None:
    outer, tool = span("llm", at=1), span("tool", at=2)
    inner = span("tool", at=3, parent_span_id=outer.span_id)
    elsewhere = span("llm", at=4, parent_span_id=tool.span_id, trace_id="other")
    tree = Tree([outer, tool, inner, elsewhere])
    assert not any(tree.nested(one) for one in (outer, inner, elsewhere))


def test_parents_that_form_a_ring_are_no_error(span: Span) -> None:
    one, other = span("llm", at=1, parent_span_id="span-0002"), span("llm", at=2, parent_span_id="span-0001")
    tree = Tree([one, other])
    assert not tree.nested(one)
    assert not tree.nested(other)
