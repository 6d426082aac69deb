"""A conversation as other projects' metrics ask for it: a request, an answer, contexts, calls made and expected."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from spanwitness.evaluators.calls import agent_actions, parsed
from spanwitness.evaluators.pii_redact import redact, redact_conversation, redact_json

if TYPE_CHECKING:
    from spanwitness.evaluators import Inputs
    from spanwitness.evaluators.calls import Action
    from spanwitness.evaluators.pii_redact import Seen
    from spanwitness.model import Message, ToolCall


T = TypeVar("T")


class MissingInput(Exception):  # noqa: N818 - nothing went wrong: there is nothing to score
    """The metric needs what this conversation does not have. Its text tells what, and never a value."""


@dataclass(frozen=True, slots=True)
class View:
    """What can be asked of a conversation. Each method raises MissingInput where it is not there."""

    inputs: Inputs

    @property
    def messages(self) -> tuple[Message, ...]:
        return self.inputs.conversation.messages

    def request(self) -> str:
        """What the customer said first."""
        return self._said("user", 0)

    def last_request(self) -> str:
        return self._said("user", -1)

    def answer(self) -> str:
        """What the agent said last."""
        return self._said("assistant", -1)

    def reference(self) -> str:
        return _given("reference", self.inputs.reference)

    def system_prompt(self) -> str:
        return _given("a system prompt", self.inputs.conversation.system_prompt or None)

    def contexts(self) -> list[str]:
        """The documents, none of which is empty."""
        documents = [each.content for each in self.inputs.conversation.documents if each.content.strip()]
        return _given("documents", documents or None)

    def dialogue(self, *, before_last_request: bool = False) -> str:
        """Who said what, a line each; tools are left out."""
        turns = [each for each in self.messages if each.role in ("user", "assistant") and each.content.strip()]
        if before_last_request:
            last = max((i for i, turn in enumerate(turns) if turn.role == "user"), default=0)
            turns = turns[:last]
        names = {"user": "User", "assistant": "Assistant"}
        return _given("words", "\n".join(f"{names[turn.role]}: {turn.content}" for turn in turns) or None)

    def actions(self) -> tuple[Action, ...]:
        """The agent's calls with what came back; none is a valid answer."""
        return agent_actions(self.messages)

    def made(self) -> list[tuple[str, dict[str, Any]]]:
        return [(action.call.name, arguments(action.call)) for action in self.actions()]

    def expected(self) -> list[tuple[str, dict[str, Any]]]:
        calls = _given("expected_actions", self.inputs.expected_actions)
        return [(call.name, arguments(call)) for call in calls]

    def _said(self, role: str, place: int) -> str:
        turns = [each.content for each in self.messages if each.role == role and each.content.strip()]
        if not turns:
            raise MissingInput("words of the customer" if role == "user" else "words of the agent")
        return turns[place]


def arguments(call: ToolCall) -> dict[str, Any]:
    """A call's arguments as a dict; those that are no JSON object stand under one key."""
    value = parsed(call.arguments) if call.arguments else {}
    return value if isinstance(value, dict) else {"arguments": call.arguments}


def redacted(inputs: Inputs) -> Inputs:
    """The same with personal data replaced throughout, so that what was equal stays equal."""
    seen: Seen = {}
    calls = inputs.expected_actions
    return replace(
        inputs,
        conversation=redact_conversation(inputs.conversation, seen),
        expected_actions=None
        if calls is None
        else tuple(replace(call, arguments=redact_json(call.arguments, seen)) for call in calls),
        reference=None if inputs.reference is None else redact(inputs.reference, seen),
    )


def as_json(calls: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{"name": name, "arguments": given} for name, given in calls]


def spelled(call: tuple[str, dict[str, Any]]) -> str:
    """A call as one text, for telling whether two are the same."""
    return json.dumps(call, sort_keys=True)


def _given(what: str, value: T | None) -> T:
    if value is None:
        raise MissingInput(what)
    return value
