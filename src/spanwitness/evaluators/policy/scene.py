"""A conversation as rules look at it: what was called, said and brought back before a given point."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from spanwitness.evaluators import speech
from spanwitness.evaluators.calls import agent_actions, parsed
from spanwitness.evaluators.policy import values
from spanwitness.evaluators.policy.phrases import plain
from spanwitness.evaluators.policy.tools import names_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spanwitness.evaluators.calls import Action
    from spanwitness.evaluators.policy.language import Clock, Speaker, Tools
    from spanwitness.evaluators.policy.phrases import Phrases
    from spanwitness.evaluators.speech import Said
    from spanwitness.model import Conversation

_ROLES: Final = {"agent": "assistant", "customer": "user"}
_AFTER: Final = 200  # characters behind the words that announce the time
_LONGEST_TURN: Final = 20  # messages of a customer in a row, for the same reason as the next
_FURTHEST: Final = 100  # calls of the same tools that a lookup goes back; keeps hostile records from quadratic time


@dataclass(frozen=True, slots=True)
class Point:
    """Where a rule is judged: just before the message of this index, at a call or not."""

    index: int
    action: Action | None = None


class Scene:
    """Reads each argument, result and text once, however many rules look at it."""

    def __init__(self, conversation: Conversation, clock: Clock) -> None:
        self.messages = conversation.messages
        self.conversation = conversation
        self.actions = agent_actions(conversation.messages)
        self.end = Point(len(self.messages))
        self._clock = clock
        self._arguments: dict[int, Any] = {}
        self._results: dict[int, Any] = {}
        self._calls: dict[Tools, Sequence[Point]] = {}
        self._said_at: dict[tuple[Speaker, Phrases], Sequence[int]] = {}

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What customer and agent said, by message, as phrases are compared; '' for all other messages."""
        roles = _ROLES.values()
        return tuple(plain(each.content) if each.role in roles and each.content else "" for each in self.messages)

    @cached_property
    def said(self) -> Said:
        return speech.heard(self.messages)

    @cached_property
    def is_english(self) -> bool:
        return speech.is_english(self.said)

    @cached_property
    def agent_turns(self) -> tuple[int, ...]:
        """The messages in which the agent says something."""
        return tuple(i for i, each in enumerate(self.messages) if each.role == "assistant" and self.texts[i])

    @cached_property
    def last_of_agent(self) -> int | None:
        """The last message in which the agent says or calls something; None where there is none."""
        ends = [*self.agent_turns[-1:], *(action.index for action in self.actions[-1:])]
        return max(ends, default=None)

    def said_at(self, by: Speaker, phrases: Phrases) -> Sequence[int]:
        """The messages of one side that hold one of the phrases, in order."""
        key = by, phrases
        if key not in self._said_at:
            role = _ROLES[by]
            of_side = (i for i, each in enumerate(self.messages) if each.role == role)
            self._said_at[key] = [i for i in of_side if phrases.said_in(self.texts[i])]
        return self._said_at[key]

    def is_heard(self, by: Speaker) -> bool:
        """Whether any word of this side is on record. Where none is, nobody knows what was not said."""
        return _ROLES[by] in self._heard

    def has_said(self, by: Speaker, phrases: Phrases, point: Point) -> bool | None:
        """Whether it was said before a point; None where no word of that side is on record.

        What the agent says together with a call comes before the call.
        """
        if not self.is_heard(by):
            return None
        places = self.said_at(by, phrases)
        return bool(places) and places[0] < point.index + (point.action is not None)

    def last_answer(self, point: Point) -> Sequence[int]:
        """The customer's last turn before a point, maybe several messages, the newest first; none if nothing was asked.

        Where no word of the agent is on record, it may have been asked.
        What the agent says after it, such as "one moment", does not end it.
        """
        turn: list[int] = []
        for i in reversed(self._spoken[: bisect_left(self._spoken, point.index)]):
            from_customer = self.messages[i].role == "user"
            if len(turn) == _LONGEST_TURN or (turn and not from_customer):
                break
            if from_customer:
                turn.append(i)
        asked = not self.is_heard("agent") or (turn and self.agent_turns and self.agent_turns[0] < turn[-1])
        return turn if asked else ()

    @cached_property
    def _spoken(self) -> Sequence[int]:
        """The messages of customer and agent that hold more than space, be it marks or pictures alone."""
        roles = _ROLES.values()
        return [i for i, each in enumerate(self.messages) if each.role in roles and each.content.strip()]

    @cached_property
    def _heard(self) -> frozenset[str]:
        return frozenset(self.messages[i].role for i in self._spoken)

    def calls(self, tools: Tools) -> Sequence[Point]:
        """The agent's calls of these tools, failed or not, in order."""
        if tools not in self._calls:
            names = {action.call.name for action in self.actions}
            wanted = {name for name in names if names_tool(tools, name)}
            self._calls[tools] = [Point(each.index, each) for each in self.actions if each.call.name in wanted]
        return self._calls[tools]

    def went_through(self, tools: Tools, point: Point) -> Iterator[Action]:
        """The calls of these tools that were asked for before a point and did not fail, the newest first."""
        calls = self.calls(tools)
        upto = bisect_left(calls, point.index, key=lambda call: call.index)
        for call in reversed(calls[max(0, upto - _FURTHEST) : upto]):
            if call.action is not None and not call.action.failed:
                yield call.action

    def arguments(self, action: Action) -> Any:
        """None where they are no JSON. JSON within a JSON text, as some clients record it, is read too."""
        key = id(action)
        if key not in self._arguments:
            given = parsed(action.call.arguments)
            self._arguments[key] = parsed(given) if isinstance(given, str) else given
        return self._arguments[key]

    def result(self, action: Action) -> Any:
        """None where no result was recorded."""
        key = id(action)
        if key not in self._results:
            self._results[key] = None if action.result is None else values.content_of(action.result.content)
        return self._results[key]

    def now(self, point: Point) -> dt.datetime | None:
        """What time it was at a point; None where nothing tells."""
        if self._clock.now is not None:
            return self._clock.now
        if self._clock.after:
            return self._prompted
        return self._times[min(point.index, len(self._times) - 1)] if self._times else None

    @cached_property
    def _prompted(self) -> dt.datetime | None:
        prompt = self.conversation.system_prompt
        prompt = prompt or "\n".join(each.content for each in self.messages if each.role == "system")
        _, found, rest = prompt.partition(self._clock.after)
        return values.first_time(rest[:_AFTER]) if found else None

    @cached_property
    def _times(self) -> Sequence[dt.datetime | None]:
        """For each message, when the newest span up to it ended."""
        ends = {step.span.span_id: step.span.ended_ns for step in self.conversation.steps}
        times: list[dt.datetime | None] = []
        newest: dt.datetime | None = None
        for message in self.messages:
            ended = ends.get(message.span_id, 0) if message.span_id else 0
            newest = dt.datetime.fromtimestamp(ended / 1e9, dt.UTC) if ended else newest
            times.append(newest)
        return times
