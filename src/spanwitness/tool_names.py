"""What a tool's name says that it does: looks something up, or hands the customer to a person."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


# First word of a tool's name that says: this looks something up or works something out. Any other verb counts as a
# change, since taking a change for a look-up would hide a wrong action, and the reverse shows in the explanation.
READ_VERBS: Final = _words(
    "get search list find calculate calc compute think reason check lookup look fetch read query view show describe "
    "verify validate authenticate identify count browse retrieve load estimate compare is has can preview inspect "
    "diagnose detect recommend suggest summarize summarise classify test ping what which"
)
READ_NOUNS: Final = _words("lookup search query retrieval finder")

# Tools that hand a customer to a person. "agent" alone is no person: frameworks name hand-overs between programs so.
_PERSONS: Final = _words(
    "human humans person live representative representatives rep operator supervisor manager staff specialist advisor "
    "associate colleague teammate"
)
_HAND_OVER: Final = _words("transfer connect route reroute redirect forward handoff handover hand pass")
_WHOLE_NAMES: Final = frozenset(
    map(
        frozenset,
        (
            ["handoff"],
            ["handover"],
            ["hand", "off"],
            ["hand", "over"],
            ["transfer", "call"],
            ["forward", "call"],
            ["human", "handoff"],
            ["human", "handover"],
            ["human", "hand", "off"],
            ["request", "human"],
        ),
    )
)
_NAMESPACE: Final = re.compile(r"__|[./:]")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONGEST_NAME: Final = 128


def words_of(tool: str) -> tuple[str, ...]:
    """The words of a tool's name, lower case, without its namespace: crm__getOrder gives get, order."""
    return _words_of(tool[:_LONGEST_NAME])


@lru_cache(maxsize=1024)  # an agent has tens of tools and calls them all day
def _words_of(tool: str) -> tuple[str, ...]:
    last = _NAMESPACE.split(tool)[-1] or tool
    return tuple(word.lower() for word in _WORD.findall(last))


def is_read(tool: str) -> bool:
    """Whether a tool, by its name, only looks something up or works something out."""
    words = words_of(tool)
    return bool(words) and (words[0] in READ_VERBS or words[-1] in READ_NOUNS)


def is_handoff(tool: str) -> bool:
    """Whether a tool, by its name, hands the customer to a person. Handing over to another program is not meant."""
    words = words_of(tool)
    if is_read(tool) or not words or words[0] in {"cancel", "de"}:
        return False
    named = frozenset(words)
    by_person = not named.isdisjoint(_PERSONS) and not named.isdisjoint(_HAND_OVER) and words[-1] not in _HAND_OVER
    return by_person or named in _WHOLE_NAMES or not named.isdisjoint({"escalate", "escalation"})
