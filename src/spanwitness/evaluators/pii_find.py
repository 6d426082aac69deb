"""Personal data and secrets in a text: of which kind, and where. Structured values alone; names and addresses are not.

What a value looks like is a pattern, whether it can be one is a check: Luhn, mod 97 and the structure of each country's
IBAN, the areas of an SSN (python-stdnum), the numbering plans (phonenumbers), the address classes (ipaddress).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from stdnum import iban, luhn, numdb
from stdnum.us import ssn

from spanwitness.evaluators import pii_phone, pii_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal["SECRET", "EMAIL_ADDRESS", "IBAN_CODE", "CREDIT_CARD", "US_SSN", "IP_ADDRESS", "PHONE_NUMBER"]
KINDS: Final[tuple[Kind, ...]] = (
    "SECRET",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "CREDIT_CARD",
    "US_SSN",
    "IP_ADDRESS",
    "PHONE_NUMBER",
)


class Entity(NamedTuple):
    """A value found: text[start:end], offsets in characters of the text as it was given."""

    kind: Kind
    start: int
    end: int


_ANY: Final = re.compile(r"[\d@\uff20]")  # without a digit or an at sign there is none of these kinds
# Written between or around the digits of right-to-left text, and in attempts to hide a number from a filter.
_UNSEEN: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_PLANES_WITH_DIGITS: Final = 0x20000  # above are ideographs alone
_SPACES: Final = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"

_AT: Final = re.compile(r"@((?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})(?!\w|[.-]\w)")
_LOCAL_PART: Final = re.compile(r"[\w.%+'-]+")
_IBAN_BEGINS: Final = re.compile(r"(?<![A-Za-z0-9_])([A-Za-z]{2})\d{2}(?=[ -]?[A-Za-z0-9])")
# In one piece; in fours, with what a longer or shorter one adds; as American Express and Diners print it; spelt out.
_CARD: Final = re.compile(
    r"(?<![A-Za-z0-9_*\u2022#])(?:\d{12,19}|\d{4}(?:[ .-]\d{4}){2,3}(?:[ .-]\d{1,4})?|\d{4}[ .-]\d{6}[ .-]\d{4,5}"
    r"|(?<!\d[ -])\d(?:[ -]\d){11,18}(?![ -]\d))(?![A-Za-z0-9_])"
)
_CARD_CUE: Final = re.compile(
    r"card|kart|carte|tarjeta|cart[aã]o|visa|master|maestro|amex|american express|discover|diners|カード|卡|بطاقة|карт",
    re.IGNORECASE,
)
# (lowest and highest first six digits, lengths). ISO/IEC 7812 issuer ranges as listed under "Payment card number" in
# Wikipedia, July 2025. Maestro's range of 12 to 15 digits is left to the cue, being a tenth of all numbers.
_ISSUERS: Final = (
    (180000, 180099, (15,)),  # JCB's older ones; likewise 2131
    (213100, 213199, (15,)),
    (220000, 220499, (16, 17, 18, 19)),  # Mir
    (222100, 272099, (16,)),  # Mastercard
    (300000, 305999, (14, 16)),  # Diners
    (309500, 309599, (14, 16)),
    (340000, 349999, (15,)),  # American Express
    (352800, 358999, (16, 17, 18, 19)),  # JCB
    (360000, 369999, (14, 16, 19)),  # Diners
    (370000, 379999, (15,)),  # American Express
    (380000, 399999, (14, 16, 19)),  # Diners
    (400000, 499999, (13, 16, 19)),  # Visa
    (500000, 509999, (16, 18, 19)),  # Maestro
    (510000, 559999, (16,)),  # Mastercard
    (560000, 699999, (16, 17, 18, 19)),  # Maestro, Discover, UnionPay, RuPay
    (810000, 829999, (16, 17, 18, 19)),  # UnionPay, RuPay
    (979200, 979299, (16,)),  # Troy
)
_FEWEST_CARD_DIGITS: Final = 12
_MOST_CARD_DIGITS: Final = 19
_LONGEST_NUMBERS: Final = 1_000  # characters of digits and what may part them
_FIRSTS: Final = [low for low, _, _ in _ISSUERS]
_SSN: Final = re.compile(r"(?<![A-Za-z0-9_*\u2022#.-])\d{3}(?:([ .-])\d{2}\1|\d{2})\d{4}(?![A-Za-z0-9_-]|\.\d)")
_SSN_CUE: Final = re.compile(r"\bssn\b|social[ -]security|\bsocial\b", re.IGNORECASE)
# It begins with a digit and not with a look-behind, which keeps the search fast; what stands before is looked at after.
_IPV4: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?![A-Za-z0-9_]|[.-]\d)")
_INSIDE: Final = re.compile(r"[A-Za-z0-9_.-]")
_VERSION: Final = re.compile(r"(?:\bv|version|release|build|chapter|section)[ .:]{0,3}$", re.IGNORECASE)
_VERSION_REACH: Final = 12
_COLONS: Final = re.compile(r":[0-9A-Fa-f]{0,4}:")
_IPV6: Final = re.compile(r"(?<![A-Za-z0-9_:.])[0-9A-Fa-f:]{2,39}(?:(?:\.\d{1,3}){3})?(?![A-Za-z0-9_:])")
# At least seven digits with little between them: what a card, an SSN or a phone number begins with.
_NUMBER: Final = re.compile(r"\d(?:[ .()/-]{0,3}\d){6,}")


def find(text: str) -> list[Entity]:
    """The values in a text, in order, none overlapping another.

    Digits of any script, full-width forms, typographic dashes and spaces, and invisible characters between them are
    read as the plain ones. Time grows with the length of the text only.
    """
    if not may_hold(text):
        return []
    plain, at = _plain(text)
    taken = _Taken(len(plain))
    for kind, spans in _candidates(plain):
        for start, end in spans:
            taken.add(kind, start, end)
    found = sorted(taken.entities, key=lambda entity: entity.start)
    if at is None:
        return found
    return [Entity(kind, at[start], at[end - 1] + 1) for kind, start, end in found]


def may_hold(text: str) -> bool:
    """False: `find` finds nothing in this text, which is known at a glance."""
    return _ANY.search(text) is not None


@lru_cache(maxsize=8)
def find_again(text: str) -> tuple[Entity, ...]:
    """As `find`, for the long texts that come with one conversation after the other: the instructions of an agent."""
    return tuple(find(text))


def normal(kind: str, value: str) -> str:
    """A value in one spelling, so that two which mean the same compare equal.

    Of a phone number the last nine digits without the extension, since the country's code and a leading 0 are told or
    left out at will.
    """
    plain = _plain(value)[0]
    if kind == "PHONE_NUMBER":
        return pii_phone.significant(plain)
    if kind == "SECRET":
        return plain
    if kind == "EMAIL_ADDRESS":
        return plain.casefold()
    if kind == "IP_ADDRESS":
        return str(ip_address(plain))
    return re.sub(r"[^A-Z0-9]", "", plain.upper())


def digit_runs(text: str) -> Iterator[str]:
    """Runs of seven digits or more, without what stands between them: numbers that no word says the kind of."""
    plain = _plain(text)[0]
    for match in _NUMBER.finditer(plain):
        yield re.sub(r"\D", "", match.group())
        yield from re.findall(r"\d{7,}", match.group())


class _Taken:
    """Entities that do not overlap; the one added first stays."""

    def __init__(self, length: int) -> None:
        self.entities: list[Entity] = []
        self._covered = bytearray(length)

    def add(self, kind: Kind, start: int, end: int) -> None:
        if self._covered.find(1, start, end) < 0:
            self._covered[start:end] = b"\x01" * (end - start)
            self.entities.append(Entity(kind, start, end))


def _candidates(text: str) -> Iterator[tuple[Kind, Iterable[tuple[int, int]]]]:
    """Spans of each kind, surest first."""
    yield "SECRET", pii_secrets.spans(text)
    if "@" in text:
        yield "EMAIL_ADDRESS", _emails(text)
    numbers = [match.span() for match in _NUMBER.finditer(text)]
    if numbers:
        yield "IBAN_CODE", _ibans(text)
        yield "CREDIT_CARD", _cards(text, numbers)
        yield "US_SSN", _ssns(text, numbers)
    yield "IP_ADDRESS", _addresses(text)
    if numbers:
        yield "PHONE_NUMBER", pii_phone.spans(text, numbers)


def _emails(text: str) -> Iterator[tuple[int, int]]:
    last = 0
    for match in _AT.finditer(text):
        begin = match.start()
        while begin > last and _LOCAL_PART.fullmatch(text, begin - 1, begin):
            begin -= 1
        last = match.end()
        while begin < match.start() and text[begin] in ".-'+%":
            begin += 1
        masked = begin and text[begin - 1] in "*\u2022"
        if begin < match.start() and not masked:
            yield begin, match.end()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for begin in _IBAN_BEGINS.finditer(text):
        pattern = _iban_pattern(begin[1].upper())
        match = pattern.match(text, begin.start()) if pattern and begin.start() >= done else None
        if match and iban.is_valid(match.group()):
            done = match.end()
            yield match.span()


@lru_cache(maxsize=1024)  # there are 676 pairs of letters
def _iban_pattern(country: str) -> re.Pattern[str] | None:
    """As many letters and digits as an IBAN of this country has; None: it has no IBANs."""
    known = numdb.get("iban").info(country)[0][1].get("bban")
    if not known:
        return None
    length = 4 + sum(map(int, re.findall(r"\d+", known)))
    return re.compile(rf"[A-Za-z0-9](?:[ -]?[A-Za-z0-9]){{{length - 1}}}(?![A-Za-z0-9_])")


def _cards(text: str, numbers: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for begin, stop in numbers:
        place = begin if stop - begin >= _FEWEST_CARD_DIGITS else stop
        while match := _CARD.search(text, place, min(stop + 1, len(text))):
            start, end = match.span()
            shorter = max(text.rfind(mark, start, end) for mark in " .-")
            ends = [last for last in (end, shorter) if last > start and _is_card(text, start, last)]
            yield from ((start, last) for last in ends[:1])
            # The next group may begin one; in a long table of numbers the search goes on after these.
            again = start + 1 if stop - begin < _LONGEST_NUMBERS else end
            place = ends[0] if ends else again


def _is_card(text: str, start: int, end: int) -> bool:
    digits = re.sub(r"\D", "", text[start:end])
    if not _FEWEST_CARD_DIGITS <= len(digits) <= _MOST_CARD_DIGITS or len(set(digits)) == 1:
        return False
    first = int(digits[:6])
    low, high, lengths = _ISSUERS[max(bisect_right(_FIRSTS, first) - 1, 0)]
    issued = low <= first <= high and len(digits) in lengths
    told = issued or _CARD_CUE.search(pii_phone.words_before(text, start)) is not None
    return told and luhn.is_valid(digits)


def _ssns(text: str, numbers: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for begin, stop in numbers:
        for match in _SSN.finditer(text, begin, min(stop + 2, len(text))):
            start, end = match.span()
            told = _SSN_CUE.search(pii_phone.words_before(text, start)) is not None
            if (match[1] == "-" or told) and ssn.is_valid(re.sub(r"\D", "", match.group())):
                yield start, end


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    if _COLONS.search(text):  # first, since one may end as IPv4 is written
        for match in _IPV6.finditer(text):
            value = match.group()
            if value.count(":") > 1 and any(map(str.isdigit, value)) and _is_address(value):
                yield match.span()
    for match in _IPV4.finditer(text):
        start, end = match.span()
        inside = start and _INSIDE.match(text, start - 1)
        if (
            not inside
            and _is_address(match.group())
            and not _VERSION.search(text, max(0, start - _VERSION_REACH), start)
        ):
            yield start, end


def _is_address(value: str) -> bool:
    """Whether this is an address that a person's device may have; loopback and multicast are none."""
    try:
        address: IPv4Address | IPv6Address = ip_address(value)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast)


def _plain(text: str) -> tuple[str, list[int] | None]:
    """The text with plain digits and marks, and for each of its characters where it stood; None: where it stands."""
    if text.isascii():
        return text, None
    text = text.translate(_table())
    if not _UNSEEN.search(text):
        return text, None
    at = [i for i, character in enumerate(text) if not _UNSEEN.match(character)]
    return "".join([text[i] for i in at]), at


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    """One character for one, so that offsets hold: all decimal digits of Unicode, and full-width forms."""
    table = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    table |= dict.fromkeys(map(ord, _DASHES), "-") | dict.fromkeys(map(ord, _SPACES), " ")
    for digit in filter(str.isdecimal, map(chr, range(0x80, _PLANES_WITH_DIGITS))):
        table[ord(digit)] = str(unicodedata.decimal(digit))
    return table
