"""Traits of a conversation: named numbers, which the calibrated mode of TaskCompletion weighs.

None of them says alone whether a task was done, and what one means differs from desk to desk (a handoff is good news
at one and bad news at another): fitting them on a tenant's own labels is what finds out. Words are read in English;
calls and lengths in any language. Whoever changes how a trait is measured gives TaskCompletion another version.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from spanwitness.evaluators import cues, signs, speech
from spanwitness.evaluators.calls import agent_actions, canonical
from spanwitness.tool_names import is_handoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spanwitness.evaluators.calls import Action
    from spanwitness.evaluators.speech import Clause, Said
    from spanwitness.model import Message

TRAITS: Final[dict[str, str]] = {
    "agent_turns": "messages in which the agent speaks, as log(1 + n)",
    "customer_turns": "turns of the customer, as log(1 + n)",
    "customer_words": "words of the customer a turn, as log(1 + n)",
    "last_words": "words of the customer's last turn, as log(1 + n)",
    "customer_questions": "share of the customer's turns that ask something",
    "customer_repeats": "share of the customer's turns that say nearly the same as the turn before",
    "trouble": "share of the customer's turns that say that the trouble persists",
    "trouble_at_end": "1 where one of the customer's last two turns says so",
    "relief_at_end": "1 where one of the customer's last two turns says that it works, or is solved",
    "thanks_at_end": "1 where one of the customer's last two turns thanks",
    "asks_for_person": "1 where the customer asks for a person",
    "successes": "share of the agent's messages that say that something has been done",
    "failures": "share of the agent's messages that say that something could not be done",
    "failure_at_end": "1 where one of the agent's last two messages says so",
    "apologies": "share of the agent's messages that apologise",
    "confirmations": "share of the agent's messages that ask for a go-ahead",
    "promise_at_end": "1 where the agent's last message asks something, or says that something is about to be done",
    "calls": "calls of the agent, as log(1 + n)",
    "tools": "different tools that the agent called, as log(1 + n)",
    "changes": "calls that changed something, as log(1 + n)",
    "failed_calls": "share of the agent's calls that failed",
    "repeated_calls": "share of the agent's calls that had been made before, with the same arguments",
    "unrecovered_errors": "1 where a change failed and no later call of that tool went through",
    "handed_over": "1 where the agent hands over to a person, by a call or in words",
    "agent_ends": "1 where the record ends with the agent, its call or a result, and not with the customer",
    "in_english": "1 where the commonest English words were met; else the traits of what was said mean nothing",
}
"""What is measured, in this order, and how."""

LANGUAGE: Final = "in_english"

_LAST: Final = 2
_THANKS: Final = frozenset({"thank", "thanks", "appreciate", "grateful"})
_WORKS: Final = speech.word_set(
    "works working worked fixed resolved solved restored excellent success successful successfully"
)
_NOT: Final = frozenset({"not", "no", "never", "still", "unable", "if", "until"})


def traits_of(messages: Sequence[Message], changes: Callable[[str], bool]) -> dict[str, float]:
    """All of TRAITS of a conversation, each a finite number. `changes`: whether a tool changes something."""
    said = speech.heard(messages)
    actions = agent_actions(messages)
    return {
        **_of_customer(said, [i for i, message in enumerate(messages) if signs.from_customer(message)]),
        **_of_agent(said, [i for i, each in enumerate(messages) if each.role == "assistant" and each.content.strip()]),
        **_of_calls(actions, [action for action in actions if changes(action.call.name)]),
        "handed_over": float(
            any(is_handoff(action.call.name) and not action.failed for action in actions)
            or any(
                _meets(said[i], cues.announces_handoff)
                for i, message in enumerate(messages)
                if message.role == "assistant"
            )
        ),
        "agent_ends": float(bool(messages) and messages[-1].role in {"assistant", "tool"}),
        LANGUAGE: float(speech.is_english(said)),
    }


def _of_customer(said: Said, turns: Sequence[int]) -> dict[str, float]:
    words = [sum(len(clause.words) for clause in said[i]) for i in turns]
    sets = [signs.words_of(said[i]) for i in turns]
    return {
        "customer_turns": _size(len(turns)),
        "customer_words": _size(sum(words) / len(words) if words else 0),
        "last_words": _size(words[-1] if words else 0),
        "customer_questions": _share(said, turns, _asks),
        "customer_repeats": sum(signs.alike(a, b) for a, b in pairwise(sets)) / max(len(turns), 1),
        "trouble": _share(said, turns, cues.says_still_wrong),
        "trouble_at_end": _at_end(said, turns, cues.says_still_wrong),
        "relief_at_end": _at_end(said, turns, _says_it_works),
        "thanks_at_end": _at_end(said, turns, _thanks),
        "asks_for_person": float(any(_meets(said[i], cues.asks_for_person) for i in turns)),
    }


def _of_agent(said: Said, turns: Sequence[int]) -> dict[str, float]:
    return {
        "agent_turns": _size(len(turns)),
        "successes": _share(said, turns, cues.says_success),
        "failures": _share(said, turns, cues.says_failure),
        "failure_at_end": _at_end(said, turns, cues.says_failure),
        "apologies": _share(said, turns, cues.apologises),
        "confirmations": _share(said, turns, cues.asks_to_confirm),
        "promise_at_end": _at_end(said, turns[-1:], cues.promises),
    }


def _of_calls(actions: Sequence[Action], changes: Sequence[Action]) -> dict[str, float]:
    made = len(actions)
    distinct = {(action.call.name, canonical(action.call.arguments)) for action in actions}
    return {
        "calls": _size(made),
        "tools": _size(len({action.call.name for action in actions})),
        "changes": _size(sum(not action.failed for action in changes)),
        "failed_calls": sum(action.failed for action in actions) / max(made, 1),
        "repeated_calls": (made - len(distinct)) / max(made, 1),
        "unrecovered_errors": float(any(True for _ in signs.unrecovered_errors(changes))),
    }


def _size(number: float) -> float:
    return math.log1p(number)


def _meets(clauses: Sequence[Clause], cue: Callable[[Clause], bool]) -> bool:
    return any(map(cue, clauses))


def _share(said: Said, turns: Sequence[int], cue: Callable[[Clause], bool]) -> float:
    return sum(_meets(said[i], cue) for i in turns) / max(len(turns), 1)


def _at_end(said: Said, turns: Sequence[int], cue: Callable[[Clause], bool]) -> float:
    return float(any(_meets(said[i], cue) for i in turns[-_LAST:]))


def _asks(clause: Clause) -> bool:
    return clause.asked


def _thanks(clause: Clause) -> bool:
    return not _THANKS.isdisjoint(clause.words)


def _says_it_works(clause: Clause) -> bool:
    return not clause.asked and not _WORKS.isdisjoint(clause.words) and _NOT.isdisjoint(clause.words)
