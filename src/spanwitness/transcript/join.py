"""Joins tool calls, their answers and the spans of the tools, so that every call stands once, with its result."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from spanwitness.model import Message, ToolCall
from spanwitness.transcript.results import complains, tells_failure
from spanwitness.transcript.values import canonical, fields, parse, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from spanwitness.transcript.tools import Run


@dataclass(slots=True, eq=False)
class _Call:
    """A call that stands in the list: in which message, in which message its answer, and which run it led to."""

    at: int
    call: ToolCall
    answer: int = -1
    run: Run | None = None


class _Queues:
    """Calls by key, oldest first. What is done with is dropped when it is met, so that every look-up is cheap."""

    def __init__(self, *, is_open: Callable[[_Call], bool]) -> None:
        self._queues: defaultdict[Hashable, deque[_Call]] = defaultdict(deque)
        self._is_open = is_open

    def put(self, key: Hashable, call: _Call) -> None:
        self._queues[key].append(call)

    def first(self, key: Hashable) -> _Call | None:
        queue = self._queues.get(key)
        while queue and not self._is_open(queue[0]):
            queue.popleft()
        return queue[0] if queue else None

    def clear(self) -> None:
        self._queues.clear()


def joined(messages: Sequence[Message], runs: Sequence[Run], started: Mapping[str, int]) -> list[Message]:
    """The messages with every tool run in its place.

    Args:
        messages: of the conversation, in order.
        runs: the tool executions, in order.
        started: when the spans started that the messages were first seen on.
    """
    listed = list(messages)
    calls = _link(listed)
    in_record = sorted(calls, key=lambda call: not listed[call.at].span_id)  # their ids may have been used before it
    unknown = [run for run in _claim(in_record, runs) if not run.nested and (run.told or listed)]
    ends = _answers_end(listed)
    beside: defaultdict[int, list[Message]] = defaultdict(list)
    for call in calls:
        if call.run:
            _settle(call, call.run, listed, beside[ends[call.at]])
    times = list(accumulate((started.get(message.span_id, 0) for message in listed), max))
    for run in unknown:
        at = bisect_right(times, run.started_ns) - 1
        beside[ends[at] if at >= 0 else -1].extend(_pair(run))
    return _with_refusals(list(_woven(_with_calls(listed, calls), beside)))


def _link(messages: list[Message]) -> list[_Call]:
    """The calls in `messages`, with their answers.

    An answer without an id, or with one that no call has (the `fc_` and `call_` ids of OpenLLMetry's Responses API),
    belongs to the first open call of its name since the user spoke.
    """
    calls: list[_Call] = []
    by_id = _Queues(is_open=_unanswered)
    recent = _Queues(is_open=_unanswered)
    for at, message in enumerate(messages):
        if message.role == "user":
            recent.clear()
        for call in message.tool_calls:
            calls.append(_Call(at, call))
            by_id.put(call.id, calls[-1])
            recent.put(call.name, calls[-1])
            recent.put(None, calls[-1])
        if message.role == "tool":
            found = by_id.first(message.tool_call_id) if message.tool_call_id else None
            found = found or recent.first(message.name or None)
            messages[at] = _answer(found, at, message) if found else message
    return calls


def _unanswered(call: _Call) -> bool:
    return call.answer < 0


def _answer(call: _Call, at: int, message: Message) -> Message:
    call.answer = at
    call.call = replace(call.call, id=call.call.id or message.tool_call_id)
    return replace(message, tool_call_id=call.call.id, name=call.call.name)


def _claim(calls: Sequence[_Call], runs: Sequence[Run]) -> list[Run]:
    """Gives each run to its call: by id, else by name and arguments, else by name and order. Returns what is left."""
    left = _claim_by_id(calls, runs)
    exact = _Queues(is_open=_unclaimed)
    named = _Queues(is_open=_unclaimed)
    for call in calls:
        named.put(call.call.name, call)
        for spelling in _spellings(call.call.arguments):
            exact.put((call.call.name, spelling), call)
    unknown: list[Run] = []
    for run in left:
        found = exact.first((run.name, canonical(run.arguments)))
        if found is None:
            next_of_name = named.first(run.name)
            if next_of_name and not (run.call_id and _has_id(next_of_name.call)):
                found = next_of_name
        if found:
            found.run = run
        else:
            unknown.append(run)
    return unknown


def _has_id(call: ToolCall) -> bool:
    """Gemini's calls have none: libraries put the tool's name in its place, and ADK an id on the tool's span alone."""
    return bool(call.id) and not call.id.startswith(call.name)


def _claim_by_id(calls: Sequence[_Call], runs: Sequence[Run]) -> list[Run]:
    """The runs whose id no call has. Some servers use an id again in a later turn; a retry runs one call twice."""
    by_id = _Queues(is_open=_unclaimed)
    latest: dict[str, _Call] = {}
    for call in calls:
        by_id.put(call.call.id, call)
        latest[call.call.id] = call
    left: list[Run] = []
    for run in runs:
        found = (by_id.first(run.call_id) or latest.get(run.call_id)) if run.call_id else None
        if found:
            found.run = run
        else:
            left.append(run)
    return left


def _unclaimed(call: _Call) -> bool:
    return call.run is None


def _spellings(arguments: str) -> set[str]:
    """The arguments, and the bare value of a single one: OpenInference's LangChain records only that."""
    value = fields(parse(arguments))
    return {canonical(arguments), *(text_of(single).strip() for single in value.values() if len(value) == 1)}


def _settle(call: _Call, run: Run, messages: list[Message], beside: list[Message]) -> None:
    """Writes what the run tells into the call and its answer; a call that no model input answers gets its answer."""
    call.call = ToolCall(call.call.id or run.call_id, call.call.name, call.call.arguments or run.arguments)
    if call.answer < 0:
        beside.append(_told_by(run, call.call))
        return
    answer = messages[call.answer]
    messages[call.answer] = replace(
        answer,
        content=answer.content or run.result,
        error=answer.error or run.error,
        tool_call_id=call.call.id,
        span_id=run.span_id,
    )


def _told_by(run: Run, call: ToolCall) -> Message:
    return Message("tool", run.result, tool_call_id=call.id, name=call.name, error=run.error, span_id=run.span_id)


def _pair(run: Run) -> tuple[Message, Message]:
    """A call that only the tool's span knows. Without an id of its own, the span's joins the two."""
    call = ToolCall(run.call_id or run.span_id, run.name, run.arguments)
    return Message("assistant", tool_calls=(call,), span_id=run.span_id), _told_by(run, call)


def _answers_end(messages: Sequence[Message]) -> list[int]:
    """For each message where the answers end that follow it: the place for one more."""
    ends = list(range(len(messages)))
    for at in range(len(messages) - 2, -1, -1):
        if messages[at + 1].role == "tool":
            ends[at] = ends[at + 1]
    return ends


def _with_calls(messages: Iterable[Message], calls: Iterable[_Call]) -> Iterator[Message]:
    settled: defaultdict[int, list[ToolCall]] = defaultdict(list)
    for call in calls:
        settled[call.at].append(call.call)
    for at, message in enumerate(messages):
        yield replace(message, tool_calls=tuple(settled[at])) if at in settled else message


def _woven(messages: Iterable[Message], beside: Mapping[int, list[Message]]) -> Iterator[Message]:
    yield from beside.get(-1, ())
    for at, message in enumerate(messages):
        failed = message.role == "tool" and not message.error and tells_failure(message.content)
        yield replace(message, error=True) if failed else message
        yield from beside.get(at, ())


def _with_refusals(messages: list[Message]) -> list[Message]:
    """Marks an answer as failed that only its words and the agent's own reaction tell of.

    Some libraries pass a tool's error on as its result and say nothing more (OpenTelemetry's LangChain). It counts when
    all comes together: it begins like a refusal, this tool otherwise answers with data, and the agent asks the same
    tool once more before the customer speaks again.
    """
    refused = {m.name for m in messages if m.role == "tool" and complains(m.content)}
    with_data = {
        m.name for m in messages if m.role == "tool" and m.name in refused and isinstance(parse(m.content), dict | list)
    }
    if not with_data:
        return messages
    marked: list[Message] = []
    asked_again: set[str] = set()
    for message in reversed(messages):
        if message.role == "user":
            asked_again.clear()
        failed = message.role == "tool" and message.name in with_data & asked_again and complains(message.content)
        marked.append(replace(message, error=True) if failed else message)
        asked_again.update(call.name for call in message.tool_calls)
    return marked[::-1]
