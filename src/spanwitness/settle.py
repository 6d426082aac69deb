"""A closed conversation put in order: its steps numbered, its turns counted, each call given to its agent."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spanwitness.attributes import RECOGNITION_CONFIDENCE
from spanwitness.each_once import each_once
from spanwitness.model import Conversation, Facts, SpanRecord, Step, Transcript
from spanwitness.tool_names import is_handoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spanwitness.each_once import Place

CONFIDENCES: Final = (RECOGNITION_CONFIDENCE, "lk.transcript_confidence", "stt.confidence", "gen_ai.stt.confidence")
_ASKS_FOR_TOOLS = frozenset({"tool_calls", "tool_call", "tool-calls", "tool_use", "function_call"})
_ASIDE = frozenset({"guardrail", "retrieval"})


def settle(spans: Sequence[SpanRecord], transcript: Transcript) -> tuple[Step, ...]:
    """The steps of a conversation, numbered 1..n by start time (ties: end time, span id) over all its traces.

    A call that two instrumentations record, one around the other, is one step. A tool whose result says that it failed
    has failed, whatever its span's status.

    Args:
        spans: all spans of the conversation, containers too: an agent's name often stands on one of them alone.
        transcript: tells on which calls the customer said something new, which is where a turn begins.
    """
    once = each_once(spans)
    failed = {once.stands_for.get(span_id, span_id) for span_id in _failed(transcript)}
    named = [_judged(span, failed) for span in _with_agents(spans, sorted(once.steps, key=_order))]
    heard = {m.span_id for m in transcript.messages if m.role == "user" and m.span_id}
    turns = _turns(named, {once.stands_for.get(span_id, span_id) for span_id in heard}, _calls_aside(spans))
    return tuple(
        Step(number, turn, span, confidence(span))
        for number, (turn, span) in enumerate(zip(turns, named, strict=True), 1)
    )


def confidence(span: SpanRecord) -> float | None:
    """How sure the recogniser was of what it heard, 0..1; None where the span does not tell or tells no such number."""
    if span.role != "stt":
        return None
    told = next((span.attributes[key] for key in CONFIDENCES if span.attributes.get(key)), "")
    try:
        value = float(told)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def facts(conversation: Conversation) -> Facts:
    """What the record counts of a conversation.

    Some libraries make a span of each tool call and some tell of it in messages alone: whichever tells more counts.
    What a first call brings with it from before the record began counts in none.
    """
    steps = [step.span for step in conversation.steps]
    tools = [span for span in steps if span.step_kind in ("tool", "handoff")]
    here = [message for message in conversation.messages if message.span_id]
    said = [call.name for message in here for call in message.tool_calls]
    failed = sum(message.error for message in here if message.role == "tool")
    return Facts(
        turns=max((step.turn for step in conversation.steps), default=0),
        tool_calls=max(len(tools), len(said)),
        tool_errors=max(sum(span.status == "Error" for span in tools), failed),
        escalations=max(sum(map(is_escalation, steps)), sum(map(is_handoff, said))),
        input_tokens=sum(span.input_tokens for span in steps),
        output_tokens=sum(span.output_tokens for span in steps),
        agents=_distinct(span.agent_name for span in steps),
        versions=_distinct(span.model_version for span in steps if span.step_kind == "llm"),
        prompts=_distinct(span.prompt_version for span in steps),
        services=_distinct(span.service for span in steps),
    )


def is_escalation(span: SpanRecord) -> bool:
    """Whether a step hands the customer over to a human: only the tool's name tells, in every library known."""
    return span.step_kind == "human" or (span.step_kind in ("tool", "handoff") and is_handoff(span.tool_name))


def digest(conversation: Conversation) -> str:
    """Equal for equal steps, messages, prompt and documents: what says nothing new is no new revision.

    It stands in the record, so it is the same in every release: else an upgrade alone would give each conversation that
    is looked at again another revision. What a later release learns to read of a span stays out of it.
    """
    steps = [replace(step.span, attributes={}, events=()) for step in conversation.steps]
    told = (conversation.channel, conversation.intent, conversation.language)
    content = (steps, conversation.messages, conversation.system_prompt, conversation.documents, told)
    return hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()


def _failed(transcript: Transcript) -> set[str]:
    return {message.span_id for message in transcript.messages if message.role == "tool" and message.error}


def _judged(span: SpanRecord, failed: set[str]) -> SpanRecord:
    return replace(span, status="Error") if span.step_kind == "tool" and span.span_id in failed else span


def _order(span: SpanRecord) -> tuple[int, int, str, str]:
    return span.started_ns, span.ended_ns, span.span_id, span.trace_id


def _distinct(values: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))  # type: ignore[attr-defined]


def _with_agents(spans: Sequence[SpanRecord], steps: Sequence[SpanRecord]) -> list[SpanRecord]:
    above = _Nearest(spans, lambda span: span.agent_name)
    alone = _only_agent(spans)
    return [
        step if step.agent_name else replace(step, agent_name=above.of(step) or alone.get(step.trace_id, ""))
        for step in steps
    ]


class _Nearest:
    """What each span itself, or the nearest one around it that does, tells of something. Looks at every span once."""

    def __init__(self, spans: Sequence[SpanRecord], tells: Callable[[SpanRecord], str]) -> None:
        self._by_id = {_place(span): span for span in spans}
        self._known = {place: told for place, span in self._by_id.items() if (told := tells(span))}

    def of(self, step: SpanRecord) -> str:
        path: list[Place] = []
        place = _place(step)
        while place in self._by_id and place not in self._known:
            self._known[place] = ""  # until known; it also ends a walk through parents that form a ring
            path.append(place)
            place = step.trace_id, self._by_id[place].parent_span_id
        told = self._known.get(place, "")
        self._known.update(dict.fromkeys(path, told))
        return told


def _calls_aside(spans: Sequence[SpanRecord]) -> set[Place]:
    """The model calls that guardrails and retrievals make: they lead to the agent's own, as the steps around them."""
    aside = _Nearest(spans, lambda span: span.step_kind if span.step_kind in _ASIDE else "")
    return {_place(span) for span in spans if span.step_kind == "llm" and aside.of(span)}


def _place(span: SpanRecord) -> Place:
    return span.trace_id, span.span_id


def _only_agent(spans: Sequence[SpanRecord]) -> dict[str, str]:
    """The agent of each trace that names exactly one: it is every step's, whatever the library left out."""
    named: dict[str, set[str]] = {}
    for span in spans:
        if span.agent_name:
            named.setdefault(span.trace_id, set()).add(span.agent_name)
    return {trace: next(iter(agents)) for trace, agents in named.items() if len(agents) == 1}


def _turns(steps: Sequence[SpanRecord], heard: set[str], aside: set[Place]) -> list[int]:
    begins = _turn_begins(steps, heard, aside)
    turns, turn = [], 0
    for index in range(len(steps)):
        turn += index == 0 or index in begins
        turns.append(turn)
    return turns


def _turn_begins(steps: Sequence[SpanRecord], heard: set[str], aside: set[Place]) -> set[int]:
    spoken = {index for index, step in enumerate(steps) if step.step_kind == "speech" and step.actor == "customer"}
    if spoken:
        return spoken
    told = [index for index, step in enumerate(steps) if step.span_id in heard]
    if told:
        calls = [step.step_kind == "llm" and _place(step) not in aside for step in steps]
        return {_with_what_led_to_it(steps, calls, index) for index in told}
    return _by_traces(steps)


def _with_what_led_to_it(steps: Sequence[SpanRecord], calls: Sequence[bool], index: int) -> int:
    """A retrieval before the first call of a turn belongs to that turn."""
    begin = index
    while begin and steps[begin - 1].trace_id == steps[index].trace_id and not calls[begin - 1]:
        begin -= 1
    earlier_call = begin and calls[begin - 1] and steps[begin - 1].trace_id == steps[index].trace_id
    return index if earlier_call else begin


def _by_traces(steps: Sequence[SpanRecord]) -> set[int]:
    """Without content: a turn is a trace, unless the call before it asked for tools, whose results this one brings."""
    begins, waiting = set(), False
    for index, step in enumerate(steps):
        if index and step.trace_id != steps[index - 1].trace_id and not waiting:
            begins.add(index)
        if step.step_kind == "llm":
            waiting = step.finish_reason in _ASKS_FOR_TOOLS
    return begins
