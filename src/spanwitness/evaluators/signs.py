"""Signs that a task failed, each met in a conversation or not. None weighs more than another.

The list and its limits were chosen on the development half of the labelled sets; how often each sign was right is on
TaskCompletion's page.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from spanwitness.evaluators import cues, speech
from spanwitness.evaluators.calls import canonical
from spanwitness.model import Evidence
from spanwitness.tool_names import is_handoff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spanwitness.evaluators.calls import Action
    from spanwitness.evaluators.speech import Clause
    from spanwitness.model import Message

_FEWEST_CALLS: Final = 4  # below this an error rate says nothing
_FEWEST_REPEATS: Final = 2
_FEWEST_WORDS: Final = 4  # "yes please" twice is no repetition
_ALIKE: Final = 0.6  # share of common words from which two turns say the same


def from_customer(message: Message) -> bool:
    return message.role == "user" and bool(message.content.strip())


def unrecovered_errors(changes: Iterable[Action]) -> Iterator[Evidence]:
    """A change that failed, where no later call of the same tool went through."""
    open_at: dict[str, int] = {}
    for action in changes:
        if action.failed:
            open_at[action.call.name] = action.index
        else:
            open_at.pop(action.call.name, None)
    yield from (Evidence("unrecovered_error", index) for index in open_at.values())


def repeated_calls(actions: Iterable[Action], limit: int) -> Iterator[Evidence]:
    """The same call, by name and arguments, for the `limit`th time."""
    seen: Counter[tuple[str, str]] = Counter()
    for action in actions:
        key = action.call.name, canonical(action.call.arguments)
        seen[key] += 1
        if seen[key] == limit:
            yield Evidence("repeated_call", action.index)


def error_rate(actions: Iterable[Action], limit: float) -> Iterator[Evidence]:
    answered = [action for action in actions if action.result is not None]
    failed = [action for action in answered if action.failed]
    if len(answered) >= _FEWEST_CALLS and len(failed) > limit * len(answered):
        yield Evidence("tool_error_rate", failed[-1].index)


def ended_in_call(messages: Sequence[Message], actions: Iterable[Action]) -> Iterator[Evidence]:
    """The last thing on record is a call or its result: the customer never heard of it."""
    handed = any(is_handoff(action.call.name) and not action.failed for action in actions)
    if not handed and (messages[-1].role == "tool" or (messages[-1].role == "assistant" and messages[-1].tool_calls)):
        yield Evidence("ended_in_tool_call", len(messages) - 1)


def false_claims(
    messages: Sequence[Message], actions: Sequence[Action], changes: Sequence[Action]
) -> Iterator[Evidence]:
    """The agent says that it changed something and no change went through; asked only where its calls are on record."""
    if not actions or not all(action.failed for action in changes):
        return
    said = speech.heard(messages)
    for i, message in enumerate(messages):
        if message.role == "assistant" and any(map(cues.claims_change, said[i])):
            yield Evidence("claimed_without_change", i)


def customer_repeats(messages: Sequence[Message]) -> Iterator[Evidence]:
    """The customer says nearly the same as in the turn before, twice or more."""
    said = speech.heard(messages)
    turns = [i for i, message in enumerate(messages) if from_customer(message)]
    words = [(i, words_of(said[i])) for i in turns]
    again = [i for (_, a), (i, b) in pairwise(words) if alike(a, b)]
    if len(again) >= _FEWEST_REPEATS:
        yield from (Evidence("customer_repeated", i) for i in again)


def still_wrong(messages: Sequence[Message]) -> Iterator[Evidence]:
    """The customer's last turn says that the trouble persists."""
    last = max(i for i, message in enumerate(messages) if from_customer(message))
    if any(map(cues.says_still_wrong, speech.heard(messages)[last])):
        yield Evidence("still_wrong_at_end", last)


def too_many_turns(messages: Sequence[Message], limit: int) -> Iterator[Evidence]:
    agent = [i for i, message in enumerate(messages) if message.role == "assistant"]
    if len(agent) > limit:
        yield Evidence("too_many_agent_turns", agent[-1])


def words_of(clauses: Iterable[Clause]) -> set[str]:
    return {word for clause in clauses for word in clause.words}


def alike(a: set[str], b: set[str]) -> bool:
    """Whether two turns, by their words, say nearly the same."""
    return len(a) >= _FEWEST_WORDS and len(a & b) >= _ALIKE * len(a | b)
