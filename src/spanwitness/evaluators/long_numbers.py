"""Long numbers, as of cards, phones, accounts and parcels, which people tell in groups of digits or by their ending."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_FEWEST: Final = 7  # digits
_NUMBER: Final = re.compile(rf"\d(?:[ \xa0\u2009\u202f()./-]{{0,2}}\d){{{_FEWEST - 1},39}}")
_NO_DIGIT: Final = re.compile(r"\D+")
_ENDING: Final = 4  # digits by which a long number is named, as "the card ending in 1234"
_COUNTRY: Final = 3  # digits of its code, which may be told although it is not on record
_MOST_ALIKE: Final = 50  # long numbers of one ending; bounds the work that hostile input can ask for


def long_numbers(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and digits of every number of 7 to 40 digits, written at once or in groups."""
    for match in _NUMBER.finditer(text):
        yield match.start(), match.end(), _NO_DIGIT.sub("", match[0])


@dataclass(slots=True)
class LongNumbers:
    """Those that were on record. Texts are read once a number is asked for, which in most conversations none is."""

    _unread: list[str] = field(default_factory=list)
    _by_ending: dict[str, list[str]] = field(default_factory=dict)

    def learn(self, text: str) -> None:
        self._unread.append(text)

    def ends(self, digits: str) -> bool:
        """Whether these four digits are the ending of one."""
        return digits in self._read()

    def told(self, text: str) -> Iterator[tuple[int, int]]:
        """Where one of them stands in a text, whatever its groups."""
        for start, end, digits in long_numbers(text):
            if any(_is_same(digits.lstrip("0"), known) for known in self._read().get(digits[-_ENDING:], ())):
                yield start, end

    def _read(self) -> dict[str, list[str]]:
        for text in self._unread:
            for _, _, digits in long_numbers(text):
                alike = self._by_ending.setdefault(digits[-_ENDING:], [])
                if len(alike) < _MOST_ALIKE:
                    alike.append(digits.lstrip("0"))
        self._unread.clear()
        return self._by_ending


def _is_same(told: str, known: str) -> bool:
    """Whether one ends as the other: without a country's code, or with it."""
    if min(len(told), len(known)) < _FEWEST or len(told) > len(known) + _COUNTRY:
        return False
    return told.endswith(known) or known.endswith(told)
