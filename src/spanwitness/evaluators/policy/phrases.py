"""Phrases: found in what was said whatever its case, spacing and marks, as whole words."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Characters that nobody sees: soft hyphens, zero-width marks, directions of writing, variants of pictures.
_UNSEEN: Final = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_MARKS: Final = re.compile(r"(?:[^\w'*]|_|(?<!\w)'|'(?![\w*]))+")
_STARS: Final = re.compile(r"\*+")
_REST_OF_WORD: Final = r"\w{0,40}"
# Thai to Tibetan, Burmese, Khmer, and from the CJK radicals on, Hangul included: no space marks where a word ends.
_UNSPACED: Final = ((0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x10FFFF))


@dataclass(frozen=True, slots=True)
class Phrases:
    """Any of these phrases. A `*` stands for the rest of a word: `cancel*` finds "cancelled" too.

    Raises:
        ValueError: a phrase has neither letter nor digit.
    """

    texts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.texts or not all(map(plain, self.texts)):
            raise ValueError("phrases with letters or digits, at least one")

    def said_in(self, spoken: str) -> bool:
        """Whether one of them stands in a text that `plain` has made."""
        return _pattern(self.texts).search(spoken) is not None


def plain(text: str) -> str:
    """A text as phrases are compared: one spelling of each letter, no case, single spaces for marks.

    Stars are left out as if they were not there: in what an agent writes they make letters bold.
    """
    return _folded(text.replace("*", ""))


def _folded(text: str) -> str:
    seen = _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).casefold()
    return _MARKS.sub(" ", seen.replace("\u2019", "'").replace("\u2018", "'")).strip()


@lru_cache(maxsize=256)
def _pattern(texts: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(_expression, texts)))


def _expression(text: str) -> str:
    words = " ".join(word for word in _folded(text).split() if word.strip("*"))
    body = _REST_OF_WORD.join(re.escape(part) for part in _STARS.split(words))
    before = "" if _unspaced(words[0]) else r"(?<!\w)"
    after = "" if _unspaced(words[-1]) else r"(?!\w)"
    return before + body + after


def _unspaced(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _UNSPACED)
