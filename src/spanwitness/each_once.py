"""Which spans tell of one and the same call, so that it is counted, priced and read once.

Frameworks and the clients below them are often instrumented both, and a client may have tracing of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spanwitness.model import SpanRecord

Place: TypeAlias = tuple[str, str]
"""Trace and span id."""

RESPONSE_IDS: Final = ("gen_ai.response.id", "ai.response.id", "llm.response.id")
_PROVIDERS_IDS: Final = ("chatcmpl-", "resp_", "msg_")
"""How the ids begin that providers give their responses."""


@dataclass(frozen=True, slots=True)
class Once:
    """The steps among some spans, each call once.

    Attributes:
        steps: with what the spans left out know besides.
        left_out: where the spans stand that are none of these steps.
        stands_for: for each span left out, by id, the one that stands for it.
        others: for each step of which others tell too, by its place, those that tell of it alone, nearest first.
    """

    steps: list[SpanRecord]
    left_out: frozenset[Place]
    stands_for: dict[str, str]
    others: dict[Place, list[SpanRecord]]


def each_once(spans: Sequence[SpanRecord]) -> Once:
    """Leaves out what only tells a call again that another span tells.

    A model call around a model call is the same one, told by the framework and by the client below it, unless the two
    name two responses of the provider; so are two that two instrumentations tell beside each other. A tool around a
    tool of the same name is the same one too.
    Of the model call the inner one counts, which is nearer to the wire, and is told what it does not know; of the tool
    the outer one, which has what the agent saw.

    Args:
        spans: all of a conversation, containers too: they lie between a call and what wraps it.
    """
    by_id = {_place(span): span for span in spans}
    outer: dict[Place, SpanRecord] = {}
    outermost: dict[Place, Place] = {}
    nested = list(_nested(spans, by_id))
    around_others = {_place(around) for span, around in nested if _of_two_responses(span, around)}
    same = [(span, around) for span, around in nested if not _of_two_responses(span, around)]
    for span, around in [*same, *_beside(spans)]:
        place = _place(span)
        if place not in outer and _end(_place(around), outermost) != place:  # nor do two stand inside each other
            outer[place] = around
            outermost[place] = _place(around)
    stands_for: dict[Place, Place] = {}
    around_alone: dict[Place, SpanRecord] = {}
    others: dict[Place, list[SpanRecord]] = {}
    for place, around in outer.items():
        if around.step_kind == "tool":
            stands_for[place] = _place(around)
            others.setdefault(_place(around), []).append(by_id[place])
            continue
        shared = _place(around) in stands_for or _place(around) in around_others
        stands_for.setdefault(_place(around), place)
        if shared:
            around_alone = {inner: other for inner, other in around_alone.items() if other is not around}
        else:
            around_alone[place] = around
    steps = []
    for span in spans:
        if span.step_kind and _place(span) not in stands_for:
            wrappers = list(_wrappers(span, around_alone))
            others.setdefault(_place(span), []).extend(wrappers)
            steps.append(reduce(_filled, wrappers, span))
    left_out = frozenset(stands_for)
    return Once(steps, left_out, {place[1]: _end(place, stands_for)[1] for place in left_out}, others)


def _end(place: Place, ways: dict[Place, Place]) -> Place:
    """Where the ways from `place` end. Shortens them as it goes, so that long ones are not walked again and again."""
    while place in ways:
        after = ways[place]
        ways[place] = ways.get(after, after)
        place = after
    return place


def _nested(spans: Sequence[SpanRecord], by_id: dict[Place, SpanRecord]) -> Iterator[tuple[SpanRecord, SpanRecord]]:
    for span in spans:
        if span.step_kind not in ("llm", "tool"):
            continue
        around = _step_above(span, by_id)
        if around is None or around.started_ns > span.started_ns:
            continue  # spans that are each other's parents
        if around.step_kind == span.step_kind and around.tool_name == span.tool_name:
            yield span, around


def _beside(spans: Sequence[SpanRecord]) -> Iterator[tuple[SpanRecord, SpanRecord]]:
    """Calls that two instrumentations tell beside each other.

    Of one response, for one model under one parent, or in one trace for one model with the same tokens or none.

    One lies within the other's time. That counts besides, since servers under test give every response the same id.
    A guardrail may ask the same model meanwhile: what tells of two responses, or of other tokens in and out, is two.
    """
    calls: dict[tuple[str, ...], list[SpanRecord]] = {}
    for span in sorted((span for span in spans if span.step_kind == "llm"), key=_order):
        if response := _response(span):
            calls.setdefault((response,), []).append(span)
        calls.setdefault((span.trace_id, span.parent_span_id, span.requested_model), []).append(span)
        tokens = (str(span.input_tokens), str(span.output_tokens))
        calls.setdefault((span.trace_id, span.requested_model, *tokens), []).append(span)
    for same in calls.values():
        for around, span in pairwise(same):
            if _sums_up(span, around):
                yield around, span
                continue
            apart = _of_two_responses(span, around) or _of_other_tokens(span, around)
            if around.scope != span.scope and span.ended_ns <= around.ended_ns and not apart:
                yield span, around


def _sums_up(span: SpanRecord, call: SpanRecord) -> bool:
    """Whether `span` is the line that Logfire writes once a streamed call, whose span ends too early, is over."""
    return span.attributes.get("logfire.span_type") == "log" and not call.output_tokens


def _response(span: SpanRecord) -> str:
    return next((span.attributes[key] for key in RESPONSE_IDS if span.attributes.get(key)), "")


def _of_two_responses(one: SpanRecord, other: SpanRecord) -> bool:
    """Whether both name the provider's response, and not the same one. Frameworks number their own otherwise."""
    left, right = _response(one), _response(other)
    return left != right and any(left.startswith(begin) and right.startswith(begin) for begin in _PROVIDERS_IDS)


def _of_other_tokens(one: SpanRecord, other: SpanRecord) -> bool:
    """Whether both count tokens, and differ both ways: in one way they may, by what was cached or thought."""
    told = (one.input_tokens, other.input_tokens, one.output_tokens, other.output_tokens)
    return all(told) and one.input_tokens != other.input_tokens and one.output_tokens != other.output_tokens


def _wrappers(span: SpanRecord, around_alone: dict[Place, SpanRecord]) -> Iterator[SpanRecord]:
    """Those that wrap the span, and it alone, from the nearest to the farthest."""
    place = _place(span)
    while around := around_alone.get(place):
        yield around
        place = _place(around)


def _filled(span: SpanRecord, around: SpanRecord) -> SpanRecord:
    if around.served_model and not span.served_model:
        span = replace(
            span,
            served_model=around.served_model,
            served_source=around.served_source,
            provider=around.provider,
            model_version=around.model_version,
        )
    return replace(
        span,
        requested_model=span.requested_model or around.requested_model,
        model_version=span.model_version or around.model_version,
        agent_name=span.agent_name or around.agent_name,
        prompt_version=span.prompt_version or around.prompt_version,
        input_tokens=span.input_tokens or around.input_tokens,
        output_tokens=span.output_tokens or around.output_tokens,
        finish_reason=span.finish_reason or around.finish_reason,
    )


def _step_above(span: SpanRecord, by_id: dict[Place, SpanRecord]) -> SpanRecord | None:
    """The nearest span above that is a step."""
    seen = {span.span_id}
    parent = by_id.get((span.trace_id, span.parent_span_id))
    while parent and not parent.step_kind and parent.span_id not in seen:
        seen.add(parent.span_id)
        parent = by_id.get((parent.trace_id, parent.parent_span_id))
    return parent if parent and parent.step_kind and parent.span_id not in seen else None


def _place(span: SpanRecord) -> Place:
    return span.trace_id, span.span_id


def _order(span: SpanRecord) -> tuple[int, int, str, str]:
    return span.started_ns, span.ended_ns, span.span_id, span.trace_id
