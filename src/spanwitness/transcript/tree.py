"""The spans of a conversation in order, and how they stand under one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from spanwitness.each_once import each_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spanwitness.model import SpanRecord

_ASIDE: Final = frozenset({"guardrail", "retrieval"})
_INNER: Final = frozenset({"tool", "retrieval", "guardrail"})

Place: TypeAlias = tuple[str, str]


class Tree:
    """Spans by start, end and id, whatever order they came in."""

    def __init__(self, spans: Iterable[SpanRecord]) -> None:
        self.ordered = sorted(spans, key=lambda span: (span.started_ns, span.ended_ns, span.span_id, span.trace_id))
        self._by_place = {(span.trace_id, span.span_id): span for span in self.ordered}
        once = each_once(self.ordered)
        self._others = once.others
        self._left_out = once.left_out
        self._nested: dict[Place, bool] = {}
        self._aside: dict[Place, bool] = {}

    def steps(self, kind: str) -> Iterator[SpanRecord]:
        """The steps of a kind, without those that only tell again what another one tells."""
        return (span for span in self.ordered if span.step_kind == kind and _place(span) not in self._left_out)

    def others(self, span: SpanRecord) -> list[SpanRecord]:
        """The spans that tell of the same call, nearest first."""
        return self._others.get(_place(span), [])

    def get(self, place: Place) -> SpanRecord | None:
        return self._by_place.get(place)

    def parent(self, span: SpanRecord) -> SpanRecord | None:
        return self._by_place.get((span.trace_id, span.parent_span_id))

    def nested(self, span: SpanRecord) -> bool:
        """Whether `span` stands anywhere under a tool, a retrieval or a guardrail."""
        return self._under(span, _INNER, self._nested)

    def aside(self, span: SpanRecord) -> bool:
        """Whether `span` stands anywhere under a retrieval or a guardrail: what is said there nobody hears."""
        return self._under(span, _ASIDE, self._aside)

    def _under(self, span: SpanRecord, kinds: frozenset[str], known: dict[Place, bool]) -> bool:
        path: list[SpanRecord] = []
        at: SpanRecord | None = span
        while at is not None and _place(at) not in known:
            known[_place(at)] = False  # until known; it also ends a walk through parents that form a ring
            path.append(at)
            at = self.parent(at)
        inside = at is not None and (known[_place(at)] or at.step_kind in kinds)
        for step in reversed(path):
            known[_place(step)] = inside
            inside = inside or step.step_kind in kinds
        return known[_place(span)]


def _place(span: SpanRecord) -> Place:
    return span.trace_id, span.span_id
