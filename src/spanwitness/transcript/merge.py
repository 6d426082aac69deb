"""Folds the model calls of a conversation, in order, into one running list.

Most calls repeat the history; some bring only what is new (the Responses API with a previous response, deltas), some
a history that was cut (the 128-attribute limit, the application's own trimming) or changed (a reply that the caller
interrupted). So each call's input is laid against the list, and only what lies beyond the overlap is added.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spanwitness.transcript.overlap import overlap, retold, shared
from spanwitness.transcript.view import Key, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spanwitness.model import Message
    from spanwitness.transcript.calls import ModelCall


class Thread:
    """The running list. Every unit in it carries the span that it was first seen on."""

    def __init__(self) -> None:
        self.units: list[Message] = []
        numbers: dict[Key, int] = {}
        self._exact = View(numbers, gist=False)
        self._gist = View(numbers, gist=True)
        self._ended_ns = 0
        self._agent = ("", "")

    def bring(self, units: Sequence[Message]) -> None:
        """Adds what was said before the record began. No span here is where it was first seen."""
        for unit in units:
            self._add(replace(unit, span_id=""))

    def take(self, call: ModelCall) -> None:
        """Adds what `call` was told that is new, and what it said."""
        view = self._gist if call.gaps else self._exact
        told = [unit for unit in call.told if view.holds(unit)]
        keys = [view.number(unit) for unit in told]
        crossing = call.started_ns < self._ended_ns or self._passed_on(call)
        start = self._start(view, told, keys, crossing=crossing)
        self._ended_ns = max(self._ended_ns, call.ended_ns)
        self._agent = (call.trace_id, call.system)
        if told and start == len(told) and self._repeats(call.said):
            return
        for unit in (*told[start:], *call.said):
            self._add(replace(unit, span_id=call.span_id))

    def knows(self, call: ModelCall) -> bool:
        """Whether `call` was told more of this talk than the one sentence that a sub-agent may be handed."""
        held = [unit for unit in call.told if self._gist.holds(unit)]
        known = [bool(self._gist.places.get(self._gist.number(unit))) for unit in held]
        answers = [is_known for unit, is_known in zip(held, known, strict=True) if unit.role == "assistant"]
        return sum(known) > 1 and all(answers)

    def _passed_on(self, call: ModelCall) -> bool:
        """Whether another agent was asked in the same run: a router passes the customer's question on as it is."""
        trace, system = self._agent
        return bool(system and call.system) and call.trace_id == trace and call.system != system

    def _start(self, view: View, told: Sequence[Message], keys: Sequence[int], *, crossing: bool) -> int:
        """From where on `told` is new; takes back what it tells otherwise."""
        length, end = overlap(view.keys, len(view.keys), keys)
        if end == len(keys) or length == len(view.keys):
            return end
        # The last reply is not in this history: it was asked again, or beside another call, or the reply was changed.
        again = self._asked_again(view, told, keys, crossing=crossing)
        count, behind, stop = retold(view.places, keys) if keys[0] == view.keys[0] else (0, 0, 0)
        if again > end and again >= behind:
            self._correct_reply(told[again:])
            return again
        if count > 1 and behind > end:
            self._correct_question(view, told[behind:], stop)
            return behind
        return end

    def _asked_again(self, view: View, told: Sequence[Message], keys: Sequence[int], *, crossing: bool) -> int:
        """How much of `told` is known when it goes up to the last user's text; 0 when it is no such history.

        An increment may repeat a text as well ("yes"), so one text alone is a history only if the assistant has not
        spoken since, or was speaking meanwhile, or if `told` knows the beginning or what came of it.
        """
        length, behind = overlap(view.keys, view.asked, keys)
        if not length:
            return 0
        replied = behind < len(told) and told[behind].role != "user"
        begins = len(keys) > 1 and keys[0] == view.keys[0]
        if length > 1 or crossing or replied or begins or not _spoken(self.units[-1]):
            return behind + shared(view.keys[view.asked :], keys[behind:])
        return 0

    def _correct_reply(self, told: Sequence[Message]) -> None:
        """Takes back the last reply for the one in a later history: what the caller heard before interrupting it."""
        if told and _spoken(told[0]) and _spoken(self.units[-1]):
            self._drop()

    def _correct_question(self, view: View, told: Sequence[Message], stop: int) -> None:
        """Takes back the last turn when a later history has its question whole: a call on half a spoken sentence."""
        asked = self._exact.asked
        if not told or told[0].role != "user" or stop != view.asked - 1:
            return
        if told[0].content.startswith(self.units[asked - 1].content):
            while len(self.units) >= asked:
                self._drop()

    def _repeats(self, said: Sequence[Message]) -> bool:
        """Whether `said` is what was said last: one call, recorded by two instrumentations."""
        keys = [self._exact.number(unit) for unit in said]
        last = self.units[-len(keys) :]
        return bool(keys) and self._exact.keys[-len(keys) :] == keys and _arguments(said) == _arguments(last)

    def _add(self, unit: Message) -> None:
        self.units.append(unit)
        self._exact.add(unit)
        self._gist.add(unit)

    def _drop(self) -> None:
        unit = self.units.pop()
        self._exact.drop(unit)
        self._gist.drop(unit)


def fold(calls: Iterable[ModelCall]) -> list[Message]:
    """The units of the conversation, in order, each once.

    A call made inside a tool, a retrieval or a guardrail counts only if it continues the conversation; a sub-agent's
    or a judge's own talk is not what the customer and the agent said.
    """
    ordered = list(calls)
    only_nested = all(call.nested for call in ordered)
    thread = Thread()
    first = next((call for call in ordered if only_nested or not call.nested), None)
    if first is not None:
        thread.bring(_before(first))
    for call in ordered:
        if only_nested or not call.nested or (not call.aside and thread.knows(call)):
            thread.take(call)
    return thread.units


def _before(call: ModelCall) -> Sequence[Message]:
    """What the first call of a record was told before the question at hand: turns that the record does not have."""
    asked = [index for index, unit in enumerate(call.told) if unit.role == "user"]
    return call.told[: asked[-1]] if asked else ()


def _arguments(units: Sequence[Message]) -> list[str]:
    return ["".join(call.arguments.split()) for unit in units for call in unit.tool_calls]


def _spoken(unit: Message) -> bool:
    return unit.role == "assistant" and bool(unit.content)
