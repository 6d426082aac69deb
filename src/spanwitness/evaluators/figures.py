"""Figures: amounts, dates, times and identifiers in what an agent says, and where on record each could come from.

A figure is traced when it was on record before, or is the sum, the difference or a multiple of amounts that were, as
an agent works out a refund. Which amounts may be combined is kept narrow: among the hundreds that tool results hold,
nearly every number is the sum of some two.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Final, NamedTuple

from spanwitness.evaluators.long_numbers import LongNumbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DIGITS: Final = re.compile(r"\d+(?:[.,:/_-]\d+)*")
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d|\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?")  # a moment as ISO 8601 writes it
_PARTS: Final = re.compile(r"[:/_-]")
_SEPARATORS: Final = re.compile(r"[.,]")
_DIGIT: Final = re.compile(r"\d")
_WORD: Final = f"{ascii_letters}{digits}_"
_WORD_SIGNS: Final = frozenset(_WORD)
_BEHIND: Final = re.compile(r"[A-Za-z_%]|\s[aApP]")  # a unit, a share or half of the day
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]*\d[A-Za-z0-9]*(?:_\d+)*")
_HALF_DAY: Final = re.compile(r"\s?([ap])\.?m\b", re.IGNORECASE)
_LIST_MARK: Final = re.compile(r"^[ \t>*_#-]{0,12}\(?(\d{1,2})[.)](?=[\s*])", re.MULTILINE)
# A format is shown to the customer; the value is nobody's.
_EXAMPLE: Final = re.compile(r"(?:\be\.\s?g\b|\bfor example\b|\bfor instance\b)[^\n()]{0,60}$", re.IGNORECASE)
_EXAMPLE_REACH: Final = 80  # characters
_LONGEST_WORD: Final = 64
_LONGEST_KEY: Final = 12  # digits beyond which a number is a name, not an amount
_CURRENCY: Final = re.compile(r"\s?(?:usd|eur|gbp|chf|dollars?|euros?|pounds?|cents?)\b", re.IGNORECASE)

# Signs as JSON within JSON spells them: the section sign before a number must not become a part of its name.
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_WIDE_COMMA: Final = re.compile(r"(?<=[\uff10-\uff19])\uff0c(?=[\uff10-\uff19])")
_ARABIC: Final = str.maketrans({"\u066b": ".", "\u066c": ","})
_DOTTED_DATE: Final = re.compile(r"\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})")
_DOTTED_TIME: Final = re.compile(r"\d{1,2}\.\d\d(?=\s?(?:uhr|h)\b)", re.IGNORECASE)
_HOUR_MINUTE: Final = re.compile(r"(\d{1,2})[hH](\d\d)")
_DURATION: Final = re.compile(r"(\d{1,3})\s?(?:h|hrs?|hours?)(?:,| and)?\s(\d{1,2})\s?m", re.IGNORECASE)
_DOTTED_THOUSANDS: Final = re.compile(r"\d{1,3}\.\d{3}")
_PERCENT: Final = re.compile(r"\s?(?:[%\u066a]|per ?cent\b|prozent\b|por ciento\b|pour ?cent\b)", re.IGNORECASE)
_SCALE: Final = re.compile(r"\s?(k|thousand|million|mn|mio|billion|bn)\b", re.IGNORECASE)
_SCALES: Final = {"k": 3, "thousand": 3, "million": 6, "mn": 6, "mio": 6, "billion": 9, "bn": 9}
_SPACED: Final = re.compile(r"(?<!\d)\d{1,3}(?:[ \xa0\u2009\u202f'\u2019]\d{3})+(?:[.,]\d{1,2})?(?!\d)")
_MOST_SHARES: Final = 5

_SMALL: Final = 10  # whole numbers up to here are counts, steps and the like, and are not checked
_TWO_DIGITS: Final = 2  # of those, only amounts of money may be worked out: days and hours are sums of anything
_MOST_DIGITS: Final = 6  # of a whole number that is an amount; longer ones are identifiers
_CENTS: Final = 100
_LARGEST: Final = 10**8  # cents
_WHOLE: Final = 10_000  # hundredths of a percent
_MULTIPLES: Final = range(2, 10)
_RUN: Final = 12  # amounts that one total adds up
_MOST_SEEN: Final = 2_000  # figures in one message of the agent, small ones and list marks included
_MOST_TOLD: Final = 500
_MOST_AMOUNTS: Final = 2_000
_MOST_SEARCHES: Final = 1_000  # in one conversation; bounds the work that hostile input can ask for


class Figure(NamedTuple):
    """A figure in a text.

    Attributes:
        start: offset of its first character; `end` is behind its last.
        kind: "number", "amount" (of money), "date_or_range", "time" or "identifier".
        keys: its spellings by which it is known, of which one suffices.
        parts: keys of its parts, which suffice together (a date may be written in another order); of an identifier, the
            digits in it, which may be told alone.
        cents: its value in hundredths where it can be calculated with.
    """

    start: int
    end: int
    kind: str
    keys: tuple[str, ...]
    parts: tuple[str, ...] = ()
    cents: int | None = None


@dataclass(slots=True)
class Record:
    """What was on record up to a place in a conversation. Fed in order; figures are checked against what came before.

    Attributes:
        untried: figures that were not on record and for which no calculation was tried any more.
    """

    untried: int = 0
    _keys: set[str] = field(default_factory=set)
    _standing: dict[int, None] = field(default_factory=dict)
    _fresh: dict[int, None] = field(default_factory=dict)
    _long: LongNumbers = field(default_factory=LongNumbers)
    _searches: int = _MOST_SEARCHES

    def learn(self, text: str) -> None:
        """The instructions, a document, or what the customer said."""
        self._read(text, self._standing)

    def customer_spoke(self, text: str) -> None:
        """What was looked up for an earlier question can still be told, and is no longer calculated with."""
        self._fresh.clear()
        self.learn(text)

    def looked_up(self, text: str) -> None:
        """The result of a tool."""
        self._read(text, self._fresh)

    def told(self, text: str) -> tuple[int, tuple[Figure, ...]]:
        """What the agent said: how many figures were checked, and those that could not be traced.

        Of a message with more than anybody would read out, the first 500 are checked.
        """
        text = _plain(text)
        figures = tuple(islice(checked(text), _MOST_TOLD))
        known = [self._on_record(figure) for figure in figures]
        pool = {**self._standing, **self._fresh} if not all(known) else {}
        pool.update((f.cents, None) for f, seen in zip(figures, known, strict=True) if seen and f.cents is not None)
        shares = self._shares(text) if pool else ()
        lost, before = [], list[int]()
        for figure, seen in zip(figures, known, strict=True):
            traced = seen or self._worked_out(figure, pool, before, shares)
            if not traced:
                lost.append(figure)
            if figure.cents is not None:
                before.append(figure.cents)
                if traced:
                    pool[figure.cents] = None
                    _add(self._standing, figure.cents)
        return len(figures), tuple(self._apart(text, lost))

    def _read(self, text: str, amounts: dict[int, None]) -> None:
        """Takes in every figure, those that stand alone without making an object: tool results hold many."""
        text, done = _plain(text), 0
        self._long.learn(text)
        for match in _DIGITS.finditer(text):
            start, end = match.span()
            if start < done:
                continue
            if text[start - 1 : start] in _WORD_SIGNS or _BEHIND.match(text, end):
                figure, done = _figure_at(text, match)
                keys, cents = ((*figure.keys, *figure.parts), figure.cents) if figure else ((), None)
            else:
                keys, cents = _spellings(match[0])
            self._keys.update(keys)
            if cents is not None:
                _add(amounts, cents)

    def _on_record(self, figure: Figure) -> bool:
        if not self._keys.isdisjoint(figure.keys):
            return True
        if figure.kind == "identifier" or not figure.parts:
            # Many interfaces tell amounts in cents.
            return figure.kind == "amount" and "." in figure.keys[0] and str(figure.cents) in self._keys
        *others, last = figure.parts
        short = len(figure.parts) == 3 and len(last) == _TWO_DIGITS and f"20{last}" in self._keys  # noqa: PLR2004 - of a date
        return all(part in self._keys or _is_small(part) for part in (*others, *(() if short else (last,))))

    def _apart(self, text: str, lost: Sequence[Figure]) -> Iterator[Figure]:
        """Those that are not on record either when read with their neighbours, as a number told in groups is."""
        groups = list(self._groups(text)) if lost else []
        for figure in lost:
            named = figure.kind == "number" and self._long.ends(text[figure.start : figure.end])
            if not named and not any(start < figure.end <= end for start, end in groups):
                yield figure

    def _groups(self, text: str) -> Iterator[tuple[int, int]]:
        """Where a number on record is told in groups, or minutes as hours and minutes."""
        for match in _SPACED.finditer(text):
            if _canonical(re.sub(r"[^\d.,]", "", match[0])) in self._keys:
                yield match.span()
        for match in _DURATION.finditer(text):
            if str(int(match[1]) * 60 + int(match[2])) in self._keys:
                yield match.span()
        yield from self._long.told(text)

    def _shares(self, text: str) -> tuple[int, ...]:
        """The percentages told in a message that are on record, in hundredths of a percent."""
        found = (_canonical(match[0]) for match in _DIGITS.finditer(text) if _PERCENT.match(text, match.end()))
        known = (key for key in found if key in self._keys or _scaled(key, -2) in self._keys)
        return tuple(islice((cents for key in known if (cents := _cents(key)) is not None), _MOST_SHARES))

    def _worked_out(
        self, figure: Figure, pool: Mapping[int, None], before: Sequence[int], shares: Sequence[int]
    ) -> bool:
        cents = figure.cents
        if cents is None or (figure.kind != "amount" and len(figure.keys[0]) <= _TWO_DIGITS):
            return False
        if not self._searches:
            self.untried += 1
            return True
        self._searches -= 1
        return (
            any(cents - other in pool or cents + other in pool for other in pool)
            or any(cents % times == 0 and cents // times in pool for times in _MULTIPLES)
            or _is_total(cents, before[-2 * _RUN :])
            or any(_is_share(cents, other, share) for share in shares for other in pool)
        )


def checked(text: str) -> Iterator[Figure]:
    """The figures of an agent's message that say something: no list marks, small counts or examples of a format."""
    spoken = _plain(text).replace("\\n", " \n")  # JSON text as a message; offsets stay
    marks = {match.start(1) for match in _LIST_MARK.finditer(spoken)}
    for figure in islice(figures_in(spoken), _MOST_SEEN):
        small = figure.kind == "number" and _is_small(figure.keys[0])
        counts = figure.kind == "date_or_range" and all(map(_is_small, figure.parts))
        if small or counts or figure.start in marks or _is_idiom(spoken, figure):
            continue
        if not _EXAMPLE.search(spoken, max(0, figure.start - _EXAMPLE_REACH), figure.start):
            yield figure


def figures_in(text: str) -> Iterator[Figure]:
    """Every figure of a text, in order. A word that mixes letters and digits is one figure, or none."""
    done = 0
    for match in _DIGITS.finditer(text):
        if match.start() >= done:
            figure, done = _figure_at(text, match)
            if figure is not None:
                yield figure


def _figure_at(text: str, match: re.Match[str]) -> tuple[Figure | None, int]:
    """The figure that these digits belong to, and the offset up to which the text is read with it."""
    start, end = match.span()
    before, after = text[start - 1 : start], text[end : end + 1]
    if (before in _WORD_SIGNS or after in _WORD_SIGNS) and not _STAMP.match(text, start, end + 2):
        head, tail = text[max(0, start - _LONGEST_WORD) : start], text[end : end + _LONGEST_WORD]
        left = start - len(head) + len(head.rstrip(_WORD))
        right = end + len(tail) - len(tail.lstrip(_WORD))
        if after in ("h", "H") and (clock := _HOUR_MINUTE.fullmatch(text, left, right)):
            return _number(text, f"{clock[1]}:{clock[2]}", left, right), right
        if left < start or _DIGIT.search(text, end, right):
            return _identifier(text[left:right], left, right), right
    return _number(text, match[0], start, end), end


def _identifier(word: str, start: int, end: int) -> Figure | None:
    found = _identifier_keys(word)
    return Figure(start, end, "identifier", found[:1], found[1:]) if found else None


@lru_cache(maxsize=4_096)
def _identifier_keys(word: str) -> tuple[str, ...]:
    """The key of an order number or a flight, then the digits in it; none of MP3, nor of words as within_24_hours."""
    inner = tuple(_canonical(part) for run in _DIGITS.findall(word) for part in _PARTS.split(run))
    if not _IDENTIFIER.fullmatch(word) or sum(map(len, inner)) == 1:
        return ()
    return word.lower().replace("_", ""), *inner


def _number(text: str, raw: str, start: int, end: int) -> Figure:
    half = _HALF_DAY.match(text, end)
    if half:
        return _time(raw, start, end, afternoon=half[1] in "pP")
    if "." in raw and _DOTTED_TIME.match(text, start):
        raw = raw.replace(".", ":", 1)
    (key, *parts), cents = _spellings(raw)
    if parts:
        return Figure(start, end, "time" if ":" in raw else "date_or_range", (key,), tuple(parts))
    keys = [key]
    if _PERCENT.match(text, end):
        cents = None
        keys.append(_scaled(key, -2))
    elif scale := _SCALE.match(text, end):
        keys.append(_scaled(key, _SCALES[scale[1].lower()]))
    elif _DOTTED_THOUSANDS.fullmatch(raw):
        keys.append(raw.replace(".", ""))
    money = cents is not None and ("." in key or _is_money(text, start, end))
    return Figure(start, end, "amount" if money else "number", tuple(keys), (), cents)


@lru_cache(maxsize=4_096)
def _spellings(raw: str) -> tuple[tuple[str, ...], int | None]:
    """The key of a number, with its cents; of a compound its digits in a row, then its parts."""
    if _DOTTED_DATE.fullmatch(raw):
        raw = raw.replace(".", "-")
    if _PARTS.search(raw):
        return (_PARTS.sub("", raw), *map(_canonical, _PARTS.split(raw))), None
    key = _canonical(raw)
    return (key,), _cents(key)


def _time(raw: str, start: int, end: int, *, afternoon: bool) -> Figure:
    """A time of the half day, by its hour of the day or as it is written."""
    hour, *rest = _PARTS.split(raw)
    written = _canonical(hour)
    of_day = str(int(written) % 12 + 12 * afternoon) if written.isdecimal() and len(written) <= _TWO_DIGITS else written
    minutes = tuple(map(_canonical, rest))
    if not minutes:
        return Figure(start, end, "time", (of_day, written))
    return Figure(start, end, "time", (f"{of_day}:{minutes[0]}", _PARTS.sub("", raw)), (of_day, *minutes))


def _is_money(text: str, start: int, end: int) -> bool:
    around = text[max(0, start - 2) : start] + text[end : end + 2]
    return any(unicodedata.category(sign) == "Sc" for sign in around) or _CURRENCY.match(text, end) is not None


def _canonical(raw: str) -> str:
    """A number in one spelling: no leading zeros, no thousands separators, a point, no zeros behind it."""
    number = raw if raw.isascii() else "".join(str(unicodedata.digit(sign, sign)) for sign in raw)
    found = _SEPARATORS.findall(number)
    if not found:
        return number.lstrip("0") or "0"
    whole, _, fraction = number.rpartition(found[-1])
    whole = _SEPARATORS.sub("", whole)
    thousands = len(fraction) == 3 and (found[-1] == "," or len(found) > 1)  # noqa: PLR2004 - digits of a thousand
    if thousands or found.count(found[-1]) > 1:
        whole, fraction = whole + fraction, ""
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _cents(key: str) -> int | None:
    """Its value in hundredths; None where it is zero, has finer parts, or is too long to be an amount."""
    whole, _, fraction = key.partition(".")
    if len(whole) > _MOST_DIGITS or len(fraction) > _TWO_DIGITS:
        return None
    cents = int(whole) * _CENTS + int(fraction.ljust(_TWO_DIGITS, "0"))
    return cents if 0 < cents < _LARGEST else None


def _plain(text: str) -> str:
    """A text with its separators and escaped signs as ASCII writes them; offsets stay."""
    if "\\u" in text:
        text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)).ljust(len(match[0])), text)
    return text if text.isascii() else _WIDE_COMMA.sub(",", text.translate(_ARABIC))


def _is_share(cents: int, other: int, share: int) -> bool:
    """Whether an amount is this share of another, or that with it added or taken off, to the cent."""
    part = other * share / _WHOLE
    return any(abs(cents - result) <= 1 for result in (part, other + part, other - part))


@lru_cache(maxsize=4_096)
def _scaled(key: str, power: int) -> str:
    """A canonical number times a power of ten, as canonical; itself where it is too long to be one that is scaled."""
    return key if len(key) > _LONGEST_KEY else f"{Decimal(key).scaleb(power).normalize():f}"


def _is_idiom(text: str, figure: Figure) -> bool:
    """Said of anything: round the clock, and all of it."""
    return text[figure.start : figure.end] == "24/7" or (
        figure.keys[0] == "100" and _PERCENT.match(text, figure.end) is not None
    )


def _is_small(key: str) -> bool:
    return len(key) <= _TWO_DIGITS and key.isdecimal() and int(key) <= _SMALL


def _is_total(cents: int, before: Sequence[int]) -> bool:
    """Whether the amounts told just before, or a run among them, add up to this one."""
    for first in range(len(before)):
        total = before[first]
        for amount in before[first + 1 : first + _RUN]:
            total += amount
            if total == cents:
                return True
    return False


def _add(amounts: dict[int, None], cents: int) -> None:
    if cents >= _CENTS and len(amounts) < _MOST_AMOUNTS:
        amounts[cents] = None
