"""Folds the model calls of a conversation, in order, into one running list.

Most calls repeat the history; some bring only what is new (the Responses API with a previous response, deltas), some
a history that was cut (the 128-attribute limit, the application's own trimming) or rewritten (a reply that the caller
interrupted). So each call's input is laid against the list, and only what lies beyond the overlap is added.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spanwitness.model import Message
    from spanwitness.transcript.calls import ModelCall

Key: TypeAlias = tuple[str, str, str]


class _View:
    """The running list as numbers, equal where units are the same.

    `asked` is how many of them end with the last user's text. The gist leaves out tool calls and call ids: it is for
    libraries that do not keep them in a history (traceAI's LangChain).
    """

    def __init__(self, numbers: dict[Key, int], *, gist: bool) -> None:
        self.keys: list[int] = []
        self.seen: set[int] = set()
        self.asked = 0
        self._numbers = numbers
        self._gist = gist

    def holds(self, unit: Message) -> bool:
        return not (self._gist and unit.tool_calls)

    def number(self, unit: Message) -> int:
        detail = unit.tool_calls[0].name if unit.tool_calls else "" if self._gist else unit.tool_call_id
        key = (unit.role, " ".join(unit.content.split()), detail)
        return self._numbers.setdefault(key, len(self._numbers))

    def add(self, unit: Message) -> None:
        if self.holds(unit):
            self.keys.append(self.number(unit))
            self.seen.add(self.keys[-1])
            self.asked = len(self.keys) if unit.role == "user" else self.asked


class Thread:
    """The running list. Every unit in it carries the span that it was first seen on."""

    def __init__(self) -> None:
        self.units: list[Message] = []
        numbers: dict[Key, int] = {}
        self._exact = _View(numbers, gist=False)
        self._gist = _View(numbers, gist=True)
        self._ended_ns = 0

    def take(self, call: ModelCall) -> None:
        """Adds what `call` was told that is new, and what it said."""
        view = self._gist if call.gaps else self._exact
        told = [unit for unit in call.told if view.holds(unit)]
        keys = [view.number(unit) for unit in told]
        start = self._start(view, told, keys, crossing=call.started_ns < self._ended_ns)
        self._ended_ns = max(self._ended_ns, call.ended_ns)
        if told and start == len(told) and self._repeats(call.said):
            return
        for unit in (*told[start:], *call.said):
            self._add(replace(unit, span_id=call.span_id))

    def knows(self, call: ModelCall) -> bool:
        """Whether `call` was told more of this talk than the one sentence that a sub-agent may be handed."""
        held = [unit for unit in call.told if self._gist.holds(unit)]
        return sum(self._gist.number(unit) in self._gist.seen for unit in held) > 1

    def _add(self, unit: Message) -> None:
        self.units.append(unit)
        self._exact.add(unit)
        self._gist.add(unit)

    def _start(self, view: _View, told: Sequence[Message], keys: list[int], *, crossing: bool) -> int:
        """From where on `told` is new."""
        length, end = overlap(view.keys, len(view.keys), keys)
        if end == len(keys) or length == len(view.keys):
            return end
        # The last reply is not in this history: it was asked again, or beside another call, or the reply was changed.
        asked, behind = overlap(view.keys, view.asked, keys)
        if behind <= end or not (crossing or self._is_history(view, told, keys, asked, behind)):
            return end
        start = behind + _shared(view.keys[view.asked :], keys[behind:])
        if start < len(told) and _spoken(told[start]) and _spoken(self.units[-1]):
            self._drop_last()
        return start

    def _is_history(self, view: _View, told: Sequence[Message], keys: list[int], asked: int, behind: int) -> bool:
        """Whether an overlap that ends with the user's last text is a history, and no increment that repeats "yes"."""
        if asked > 1 or not _spoken(self.units[-1]):
            return True
        replied = behind < len(told) and told[behind].role != "user"
        return replied or (len(keys) > 1 and keys[0] == view.keys[0])

    def _repeats(self, said: Sequence[Message]) -> bool:
        """Whether `said` is what was said last: one call, recorded by two instrumentations."""
        keys = [self._exact.number(unit) for unit in said]
        return bool(keys) and self._exact.keys[-len(keys) :] == keys

    def _drop_last(self) -> None:
        """Takes back the last unit, a reply: what was heard of it stands in a later history."""
        self.units.pop()
        self._exact.keys.pop()
        self._gist.keys.pop()


def fold(calls: Iterable[ModelCall]) -> list[Message]:
    """The units of the conversation, in order, each once.

    A call made inside a tool, a retrieval or a guardrail counts only if it continues the conversation; a sub-agent's
    or a judge's own talk is not what the customer and the agent said.
    """
    ordered = list(calls)
    only_nested = all(call.nested for call in ordered)
    thread = Thread()
    for call in ordered:
        if only_nested or not call.nested or thread.knows(call):
            thread.take(call)
    return thread.units


def overlap(known: Sequence[int], stop: int, told: Sequence[int]) -> tuple[int, int]:
    """The longest run that ends at `known[:stop]` and stands anywhere in `told`: (its length, where it ends there).

    Of equal ones the last. Knuth-Morris-Pratt from the end, so that the cost is linear in `told` alone.
    """
    if 0 < stop <= len(told) and list(told[:stop]) == list(known[:stop]):
        return stop, stop
    tail = list(reversed(known[max(0, stop - len(told)) : stop]))
    borders = _borders(tail)
    best = end = matched = 0
    for distance, key in enumerate(reversed(told)):
        while matched and (matched == len(tail) or tail[matched] != key):
            matched = borders[matched - 1]
        matched += bool(tail) and tail[matched] == key
        if matched > best:
            best, end = matched, len(told) - distance - 1 + matched
    return best, end


def _borders(pattern: Sequence[int]) -> list[int]:
    borders = [0] * len(pattern)
    width = 0
    for at in range(1, len(pattern)):
        while width and pattern[at] != pattern[width]:
            width = borders[width - 1]
        width += pattern[at] == pattern[width]
        borders[at] = width
    return borders


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    """How many the two have in common from their start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))


def _spoken(unit: Message) -> bool:
    return unit.role == "assistant" and bool(unit.content)
