"""Text as said: lower case, in clauses, contractions written out, so that phrase tables stay short."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spanwitness.model import Message

# People do not speak longer than this. What is longer was pasted, and a verdict stands at its start or its end.
LONGEST: Final = 8_000

_WRITTEN_OUT: Final = (
    ("\u2019", "'"),
    ("can't", "can not"),
    ("cannot", "can not"),
    ("won't", "will not"),
    ("n't", " not"),
    ("couldnt", "could not"),
    ("wasnt", "was not"),
    ("didnt", "did not"),
    ("doesnt", "does not"),
)
_BREAKS: Final = (". ", "! ", "? ", "; ", " but ", " however ", " however, ", " although ")
_NOISE: Final = re.compile(r"[^\w' \n?]+")


def word_set(words: str) -> frozenset[str]:
    """Words parted by spaces or by "|", as a table lists them."""
    return frozenset(words.replace("|", " ").split())


_ENGLISH: Final = word_set("the a to you your is are i we for of and in on that this it have can not please my be")
_ENGLISH_SHARE: Final = 0.12
_ENGLISH_SAMPLE: Final = 300  # words


class Clause(NamedTuple):
    """A sentence or part of one: lower case, words parted by single spaces, no marks but apostrophes."""

    text: str
    words: tuple[str, ...]
    asked: bool


Said: TypeAlias = tuple[tuple[Clause, ...], ...]


def clauses(text: str) -> tuple[Clause, ...]:
    """What was said, clause by clause; of a text beyond LONGEST, its beginning and its end."""
    spoken = _lowered(text)
    for mark in _BREAKS:
        spoken = spoken.replace(mark, f"{mark[0]}\n")
    parts = ((tuple(part.replace("?", " ").split()), "?" in part) for part in _NOISE.sub(" ", spoken).split("\n"))
    return tuple([Clause(" ".join(words), words, asked) for words, asked in parts if words])


def heard(messages: Iterable[Message]) -> Said:
    """The clauses of each message, by its index; none for those that neither customer nor agent said."""
    return _heard(tuple(messages))


# The evaluators of a bundle read the same conversation one after the other; no more than that one is held.
@lru_cache(maxsize=1)
def _heard(messages: tuple[Message, ...]) -> Said:
    return tuple(clauses(each.content) if each.role in ("user", "assistant") else () for each in messages)


def holds(text: str, phrase: str) -> bool:
    """Whether a phrase was said, as whole words where it is written in Latin letters."""
    wanted, spoken = _plain(phrase), _plain(text)
    return bool(wanted) and re.search(rf"(?<![a-z0-9]){re.escape(wanted)}(?![a-z0-9])", spoken) is not None


def is_english(said: Said) -> bool:
    """Whether enough of the commonest English words are there that the phrase tables could have met something."""
    spoken = (word for message in said for clause in message for word in clause.words)
    words = list(islice(spoken, _ENGLISH_SAMPLE))
    return bool(words) and sum(word in _ENGLISH for word in words) >= _ENGLISH_SHARE * len(words)


def _lowered(text: str) -> str:
    if len(text) > LONGEST:
        text = text[: LONGEST // 2] + "\n" + text[-LONGEST // 2 :]
    text = text.lower()
    for short, full in _WRITTEN_OUT:
        text = text.replace(short, full)
    return text


def _plain(text: str) -> str:
    return " ".join(_NOISE.sub(" ", _lowered(text)).replace("?", " ").split())
