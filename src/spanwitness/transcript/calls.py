"""Each model call once: what it was told and what it said, from whichever form tells it best."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spanwitness.transcript import ai_sdk, events, flattened, indexed, parts, payload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spanwitness.model import LogRecord, Message, SpanRecord
    from spanwitness.transcript.forms import Reader, Said
    from spanwitness.transcript.tree import Place, Tree

FORMS: Final[tuple[Reader, ...]] = (
    parts.read,
    flattened.read,
    indexed.read,
    ai_sdk.read,
    events.read,
    parts.read_details,
)
"""Attributes first: where a library writes both, its events repeat them. `payload` comes last, and only on need."""


_NOTHING_SAID: Final = (0, False)


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A model call in units.

    Attributes:
        nested: it was made inside a tool, a retrieval or a guardrail, so it may be a talk of its own.
        system: its system prompt, '' when none is told.
        told: the history or the increment that it was given, without system messages and empty ones.
        gaps: its library keeps no tool calls in `told`.
        said: what it answered.
        aside: it was made inside a retrieval or a guardrail, so nobody heard it.
    """

    span_id: str
    started_ns: int
    ended_ns: int
    nested: bool
    system: str
    told: tuple[Message, ...]
    gaps: bool
    said: tuple[Message, ...]
    trace_id: str = ""
    aside: bool = False


def model_calls(tree: Tree, logs: Iterable[LogRecord]) -> list[ModelCall]:
    """The model calls of the conversation, in order."""
    by_span = _logs_by_span(tree, logs)
    return [_model_call(span, _told_by(span, tree, by_span), tree) for span in tree.steps("llm")]


def _told_by(span: SpanRecord, tree: Tree, logs: Mapping[Place, Sequence[LogRecord]]) -> list[Said]:
    """The forms of the call's own span, and of those around it where that leaves something untold."""
    forms: list[Said] = []
    told = answered = False
    for one in (span, *tree.others(span)):
        if told and answered:
            break
        more = _forms(one, logs.get((one.trace_id, one.span_id), ()))
        told = told or any(_speaks(form.input) for form in more)
        answered = answered or _weight_of(more) != _NOTHING_SAID
        forms += more
    return forms


def _logs_by_span(tree: Tree, logs: Iterable[LogRecord]) -> Mapping[Place, Sequence[LogRecord]]:
    """The log records of each model call, in order. ADK's legacy schema logs on a span under the one that counts."""
    groups: defaultdict[Place, list[LogRecord]] = defaultdict(list)
    for log in sorted(logs, key=lambda log: log.time_ns):
        span = tree.get((log.trace_id, log.span_id))
        if span is not None and span.step_kind == "":
            span = tree.parent(span)
        if span is not None and span.step_kind == "llm":
            groups[span.trace_id, span.span_id].append(log)
    return groups


def _model_call(span: SpanRecord, forms: Sequence[Said], tree: Tree) -> ModelCall:
    told = next((form.input for form in forms if _speaks(form.input)), ())
    answer = max((form.output for form in forms), key=_weight)
    return ModelCall(
        span.span_id,
        span.started_ns,
        span.ended_ns,
        tree.nested(span),
        _system(forms),
        tuple(unit for unit in told if unit.role != "system" and not _empty(unit)),
        any(unit.role == "assistant" and _empty(unit) for unit in told),
        tuple(_without_chunks([u for u in answer if u.role in {"assistant", "tool"} and not _empty(u)])),
        span.trace_id,
        tree.aside(span),
    )


def _without_chunks(units: Sequence[Message]) -> Sequence[Message]:
    """Without the pieces of a streamed reply that a library lists before the whole (ADK)."""
    texts = [unit for unit in units if unit.content and unit.role == "assistant"]
    if len(texts) > 1 and "".join(unit.content for unit in texts[:-1]) == texts[-1].content:
        return [unit for unit in units if unit not in texts[:-1]]
    return units


def _forms(span: SpanRecord, logs: Sequence[LogRecord]) -> list[Said]:
    forms = [form(span, logs) for form in FORMS]
    told = any(_speaks(form.input) for form in forms)
    calls, text = _weight_of(forms)
    if not told or not (calls or text) or (not calls and payload.knows_calls(span)):
        forms.append(payload.read(span, logs))
    return forms


def _weight_of(forms: Iterable[Said]) -> tuple[int, bool]:
    return max(_weight(form.output) for form in forms)


def _speaks(units: Iterable[Message]) -> bool:
    return any(unit.role != "system" for unit in units)


def _empty(unit: Message) -> bool:
    """A tool may answer with nothing; anyone else who says nothing has not spoken."""
    return not unit.content.strip() and not unit.tool_calls and unit.role != "tool"


def _weight(units: Iterable[Message]) -> tuple[int, bool]:
    """How much an answer tells: its tool calls, and whether it has a text. The first form wins a tie."""
    held = tuple(units)
    return sum(len(unit.tool_calls) for unit in held), any(unit.content.strip() for unit in held)


def _system(forms: Iterable[Said]) -> str:
    """The system messages of the first form that has any, each once."""
    for form in forms:
        texts = [unit.content for unit in form.input if unit.role == "system" and unit.content.strip()]
        if texts:
            return "\n\n".join(dict.fromkeys(texts))
    return ""
