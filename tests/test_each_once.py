"""Which spans tell of one and the same call."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.each_once import each_once
from tests.test_settle import span

if TYPE_CHECKING:
    from spanwitness.model import SpanRecord


def call(name: str, started: int, ended: int, **told: Any) -> SpanRecord:
    return span(name, started, ended_ns=ended, **told)


def kept(*spans: SpanRecord) -> list[str]:
    return [step.span_id for step in each_once(spans).steps]


def test_a_model_call_around_a_model_call_is_one_step_that_knows_what_both_know() -> None:
    framework = call(
        "outer", 1, 9, agent_name="claims", requested_model="gpt-4o", input_tokens=7, prompt_version="p1", scope="x"
    )
    client = call("inner", 2, 8, parent_span_id="between", served_model="gpt-4o-2024-08-06", served_source="response")
    spans = [framework, span("between", 1, "", parent_span_id="outer"), client]
    (step,) = each_once(spans).steps
    assert (step.span_id, step.requested_model, step.served_model) == (
        "inner",
        "gpt-4o",
        "gpt-4o-2024-08-06",
    )
    assert (step.agent_name, step.input_tokens, step.prompt_version) == ("claims", 7, "p1")


def test_what_the_wrapper_knows_of_the_served_model_comes_with_its_source_and_version() -> None:
    framework = call(
        "outer", 1, 9, served_model="m-1", served_source="payload", model_version="openai/m-1", provider="openai"
    )
    (step,) = each_once([framework, call("inner", 2, 8, parent_span_id="outer", model_version="x/m?")]).steps
    assert (step.served_model, step.served_source) == ("m-1", "payload")
    assert (step.model_version, step.provider) == ("openai/m-1", "openai")


def test_what_a_wrapper_of_several_calls_knows_is_no_single_calls() -> None:
    spans = [
        call("run", 1, 9, input_tokens=30),
        call("one", 2, 3, parent_span_id="run"),
        call("two", 4, 5, parent_span_id="run"),
        call("three", 6, 7, parent_span_id="run"),
    ]
    assert [(step.span_id, step.input_tokens) for step in each_once(spans).steps] == [
        ("one", 0),
        ("two", 0),
        ("three", 0),
    ]


def test_a_model_call_inside_a_tool_of_a_model_call_is_another_one() -> None:
    tool = span("tool", 2, "tool", tool_name="ask", parent_span_id="outer")
    assert kept(call("outer", 1, 9), tool, call("inner", 3, 4, parent_span_id="tool")) == ["outer", "tool", "inner"]


def test_three_around_each_other_are_one() -> None:
    spans = [
        call("a", 1, 9, agent_name="claims"),
        call("b", 2, 8, parent_span_id="a", input_tokens=5),
        call("c", 3, 7, parent_span_id="b"),
    ]
    once = each_once(spans)
    (step,) = once.steps
    assert (step.span_id, step.agent_name, step.input_tokens) == ("c", "claims", 5)
    assert once.stands_for == {"a": "c", "b": "c"}
    assert [other.span_id for other in once.others["t", "c"]] == ["b", "a"]


def test_calls_for_one_model_beside_each_other_by_two_instrumentations_are_one() -> None:
    assert kept(call("a", 1, 9, scope="x"), call("b", 2, 8, scope="y")) == ["b"]
    assert kept(call("a", 1, 9, scope="x"), call("b", 2, 8, scope="x")) == ["a", "b"]
    assert kept(call("a", 1, 9, scope="x"), call("b", 2, 10, scope="y")) == ["a", "b"]
    assert kept(call("a", 1, 9, scope="x"), call("b", 2, 8, scope="y", requested_model="other")) == ["a", "b"]


def test_two_instrumentations_may_hang_one_call_under_two_parents() -> None:
    """LangChain's callbacks make no span current, so what its client tells stands beside the whole chain."""
    tokens = {"input_tokens": 7, "output_tokens": 3}
    outer = call("a", 1, 9, scope="x", parent_span_id="chain", **tokens)
    assert kept(outer, call("b", 2, 8, scope="y", parent_span_id="root", **tokens)) == ["b"]
    assert kept(outer, call("b", 2, 8, scope="y", parent_span_id="root", input_tokens=8, output_tokens=3)) == ["a", "b"]
    assert kept(outer, call("b", 2, 8, scope="y", parent_span_id="root", trace_id="u", **tokens)) == ["a", "b"]


def test_calls_of_one_response_in_two_traces_are_one() -> None:
    response = {"gen_ai.response.id": "msg_1"}
    outer = call("a", 1, 9, scope="x", attributes=response)
    assert kept(outer, call("b", 2, 8, scope="y", trace_id="u", attributes=response)) == ["b"]
    assert kept(outer, call("b", 2, 8, scope="y", trace_id="u")) == ["a", "b"]
    assert kept(outer, call("b", 20, 28, scope="y", trace_id="u", attributes=response)) == ["a", "b"]


def test_spans_of_one_moment_do_not_stand_for_each_other_in_a_ring() -> None:
    one = call("b", 1, 9, scope="x", attributes={"gen_ai.response.id": "r"})
    two = call("a", 1, 9, scope="y", parent_span_id="b", attributes={"gen_ai.response.id": "r"})
    assert len(kept(one, two)) == 1


def test_a_tool_around_the_same_tool_is_one_and_keeps_the_outer_span() -> None:
    outer = span("outer", 1, "tool", tool_name="get_claim")
    assert kept(outer, span("inner", 2, "tool", tool_name="get_claim", parent_span_id="outer")) == ["outer"]
    assert kept(outer, span("inner", 2, "tool", tool_name="find_user", parent_span_id="outer")) == ["outer", "inner"]


def test_of_a_tool_told_twice_the_inner_span_is_known_as_the_other() -> None:
    inner = span("inner", 2, "tool", tool_name="get_claim", parent_span_id="outer")
    once = each_once([span("outer", 1, "tool", tool_name="get_claim"), inner])
    assert once.others["t", "outer"] == [inner]
    assert once.stands_for == {"inner": "outer"}


def answered(response: str) -> dict[str, dict[str, str]]:
    return {"attributes": {"gen_ai.response.id": response}}


def test_what_names_two_responses_of_the_provider_is_two_calls() -> None:
    """A guardrail asks inside the call or beside it; a framework's own number for a response says nothing."""
    around = call("a", 1, 9, scope="x", **answered("chatcmpl-1"))
    for parent in ("", "a"):
        assert kept(around, call("b", 2, 8, scope="y", parent_span_id=parent, **answered("chatcmpl-2"))) == ["a", "b"]
        assert kept(around, call("b", 2, 8, scope="y", parent_span_id=parent, **answered("chatcmpl-1"))) == ["b"]
        assert kept(around, call("b", 2, 8, scope="y", parent_span_id=parent, **answered("run--2"))) == ["b"]


def test_a_wrapper_of_several_calls_that_names_the_last_response_is_no_step_and_tells_nothing() -> None:
    spans = [
        call("run", 1, 9, input_tokens=30, **answered("chatcmpl-2")),
        call("one", 2, 3, parent_span_id="run", **answered("chatcmpl-1")),
        call("two", 4, 5, parent_span_id="run", **answered("chatcmpl-2")),
    ]
    assert [(step.span_id, step.input_tokens) for step in each_once(spans).steps] == [("one", 0), ("two", 0)]


def test_calls_beside_each_other_that_count_other_tokens_both_ways_are_two() -> None:
    around = call("a", 1, 9, scope="x", input_tokens=70, output_tokens=7)
    assert kept(around, call("b", 2, 8, scope="y", input_tokens=50, output_tokens=1)) == ["a", "b"]
    assert kept(around, call("b", 2, 8, scope="y", input_tokens=50, output_tokens=7)) == ["b"]
    assert kept(around, call("b", 2, 8, scope="y", output_tokens=1)) == ["b"]


def test_equal_span_ids_in_two_traces_are_two_spans() -> None:
    one = [call("a", 1, 9), call("b", 2, 8, parent_span_id="a")]
    other = [call("b", 11, 19, trace_id="u"), call("a", 12, 18, trace_id="u", parent_span_id="b")]
    steps = each_once([*one, *other]).steps
    assert [(step.trace_id, step.span_id) for step in steps] == [("t", "b"), ("u", "a")]


def test_thousands_of_calls_around_each_other_are_looked_at_once() -> None:
    spans = [call(f"s{at}", at, 9000 - at, parent_span_id=f"s{at - 1}") for at in range(4000)]
    began = time.process_time()
    assert len(each_once(spans).steps) == 1
    assert time.process_time() - began < 1


def test_the_line_that_sums_up_a_streamed_call_is_no_call_of_its_own() -> None:
    """Logfire ends the span of a streamed call before the stream, and writes output and tokens on a line after it."""
    asked = call("asked", 1, 5, requested_model="gpt-4o")
    line = call("line", 7, 7, requested_model="gpt-4o", output_tokens=23, attributes={"logfire.span_type": "log"})
    once = each_once([line, asked])
    (step,) = once.steps
    assert (step.span_id, step.output_tokens, once.others["t", "asked"]) == ("asked", 23, [line])
    told = call("asked", 1, 5, requested_model="gpt-4o", output_tokens=9)
    assert len(each_once([told, line]).steps) == 2


IDS = st.sampled_from("abcdef")
PLACES = st.sets(st.tuples(st.sampled_from("tu"), IDS))


@st.composite
def any_spans(draw: st.DrawFn) -> list[SpanRecord]:
    def one(trace: str, identity: str) -> SpanRecord:
        at = draw(st.integers(0, 4))
        return span(
            identity,
            at,
            draw(st.sampled_from(["llm", "tool", ""])),
            parent_span_id=draw(IDS),
            trace_id=trace,
            ended_ns=at + draw(st.integers(0, 4)),
            scope=draw(st.sampled_from("xy")),
            attributes={"gen_ai.response.id": draw(st.sampled_from(["", "r", "resp_1", "resp_2"]))},
        )

    return [one(*place) for place in draw(PLACES)]


@settings(max_examples=300, deadline=None)
@given(any_spans())
def test_whatever_the_spans_each_is_a_step_or_stands_behind_one(spans: list[SpanRecord]) -> None:
    once = each_once(spans)
    kept = {(step.trace_id, step.span_id) for step in once.steps}
    assert kept.isdisjoint(once.left_out)
    assert kept | once.left_out == {(one.trace_id, one.span_id) for one in spans if one.step_kind}
    assert once.stands_for.keys() == {span_id for _, span_id in once.left_out}
    assert set(once.stands_for.values()) <= {span_id for _, span_id in kept}
