"""Where a value came from: who supplied it, and whether the customer had shown before who they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from spanwitness.evaluators.calls import agent_actions, parsed
from spanwitness.evaluators.pii_find import digit_runs, find, may_hold, normal
from spanwitness.evaluators.speech import word_set
from spanwitness.tool_names import is_read, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spanwitness.evaluators.calls import Action
    from spanwitness.evaluators.pii_find import Entity
    from spanwitness.model import Message

_NUMBERS: Final = frozenset({"PHONE_NUMBER", "CREDIT_CARD", "US_SSN"})
_NOT_IN_WORDS: Final = re.compile(r"[\W_]+")
_ENDS: Final = (7, 8, 9)  # of a number said in full, what `normal` keeps of one said without its country or area

# What a tool's name says. "login" is enough; what "verify" verifies must be said too: an address or an order may be.
_AUTHENTICATES: Final = word_set("authenticate authentication login signin identify")
_VERIFIES: Final = word_set("verify validate confirm check")
_IDENTITY: Final = word_set("identity pin otp passcode password passphrase credentials caller dob birthdate")
_CUSTOMERS: Final = word_set(
    "customer customers user users account accounts member client subscriber patient guest profile policyholder "
    "cardholder passenger tenant resident student employee caller"
)
_DENIES: Final = re.compile(
    r"\b(?:not|no|never) (?:\w+ ){0,2}(?:found|verified|authenticated|match(?:ed|es)?|valid|exists?|such)"
    r"|\b(?:denied|mismatch|invalid|incorrect|unverified|unknown)\b",
    re.IGNORECASE,
)
_DENIED_AT: Final = ("verified", "authenticated", "authorized", "authorised", "valid", "match", "matched", "success")
_NOTHING: Final = frozenset({"", "null", "none", "false", "[]", "{}", '""'})
_LONGEST_DENIAL: Final = 300  # a refusal is short; a record may hold any of these words
_SHORTEST_PROOF: Final = 4  # characters that a customer must have said for a look-up by them to mean anything
_MOST_ARGUMENTS: Final = 50


class Supplied:
    """Values that one side has supplied. Each text is added once; asking is a look into a set.

    Texts are read when something is asked: of the results of tools, which are long, nothing is asked in most
    conversations.
    """

    def __init__(self, domains: Iterable[str] = ()) -> None:
        self._values: set[tuple[str, str]] = set()
        self._digits: set[str] = set()
        self._words: set[str] = set()
        self._unread: list[tuple[str, Iterable[Entity]]] = []
        self._domains = tuple("." + domain.casefold().lstrip("@") for domain in domains)

    def add(self, text: str, entities: Iterable[Entity]) -> None:
        """Add a text's values, and its numbers and words too: what a person types alone, nothing beside it names."""
        self._unread.append((text, entities))

    def holds(self, kind: str, value: str) -> bool:
        while self._unread:
            self._read(*self._unread.pop())
        plain = normal(kind, value)
        return (
            (kind, plain) in self._values
            or (kind in _NUMBERS and plain in self._digits)
            or _bare(value) in self._words
            or (kind == "EMAIL_ADDRESS" and f".{plain.partition('@')[2]}".endswith(self._domains))
        )

    def _read(self, text: str, entities: Iterable[Entity]) -> None:
        for kind, start, end in entities:
            self._values.add((kind, normal(kind, text[start:end])))
        for run in digit_runs(text):
            self._digits.update((run, *(run[-length:] for length in _ENDS)))
        self._words.update(_bare(word) for word in text.split() if may_hold(word))


def authenticated_after(messages: Sequence[Message], tools: Sequence[str] = ()) -> int:
    """The message whose call authenticated the customer; the number of messages where none did.

    Such is a successful call of a tool of this kind by its name or by `tools`; and of one that looks up a customer by
    something that the customer had said before.
    """
    said: dict[str, int] | None = None
    for action in agent_actions(messages):
        name = action.call.name
        if not _went_through(action):
            continue
        if name in tools or _authenticates(name):
            return action.index
        if _finds_customer(name):
            said = _first_said(messages) if said is None else said
            if any(said.get(word, action.index) < action.index for word in _proofs(action)):
                return action.index
    return len(messages)


def _authenticates(tool: str) -> bool:
    words = frozenset(words_of(tool))
    if not words.isdisjoint(_AUTHENTICATES):
        return True
    of_a_person = _IDENTITY | _CUSTOMERS if "verify" in words else _IDENTITY
    return not words.isdisjoint(_VERIFIES) and not words.isdisjoint(of_a_person)


def _finds_customer(tool: str) -> bool:
    return is_read(tool) and not _CUSTOMERS.isdisjoint(words_of(tool))


def _went_through(action: Action) -> bool:
    """Whether the call succeeded and its result does not say no. A result that was not recorded does not."""
    if action.failed:
        return False
    if action.result is None:
        return True
    text = action.result.content
    if text.strip().lower() in _NOTHING:
        return False
    value = parsed(text) if text[:1] == "{" else None
    if isinstance(value, dict):
        return not any(value.get(key) is False for key in _DENIED_AT)
    return len(text) > _LONGEST_DENIAL or not _DENIES.search(text)


def _first_said(messages: Sequence[Message]) -> dict[str, int]:
    """Each word and number of the customer, and the message where it was first said."""
    said: dict[str, int] = {}
    for i, message in enumerate(messages):
        if message.role == "user":
            values = (message.content[start:end] for _, start, end in find(message.content))
            for word in (*message.content.split(), *values, *digit_runs(message.content)):
                said.setdefault(_bare(word), i)
    return said


def _proofs(action: Action) -> Iterator[str]:
    """The arguments of a call, as far as they are texts or numbers long enough to tell customers apart."""
    for value in _leaves(parsed(action.call.arguments)):
        word = _bare(str(value))
        if len(word) >= _SHORTEST_PROOF:
            yield word


def _leaves(value: Any) -> list[str | int]:
    found: list[str | int] = []
    waiting = [value]
    while waiting and len(found) < _MOST_ARGUMENTS:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, (str, int)) and not isinstance(each, bool):
            found.append(each)
    return found


def _bare(word: str) -> str:
    return _NOT_IN_WORDS.sub("", word).casefold()
