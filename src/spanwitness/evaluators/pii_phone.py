"""Phone numbers in a text, at the stricter setting: a '+', a word that says so, or nine digits written in groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import phonenumbers

from spanwitness.evaluators.speech import word_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PHONE: Final = re.compile(
    r"(?<![A-Za-z0-9_*\u2022#@$\u20ac\u00a3/:])(?<!\d[.,-])"
    r"(?:\+\d{1,3}[ .-]?|1[ .-])?(?:\(\d{1,5}\)[ .-]?)?"
    r"\d{1,14}(?:[ ./-]\d{2,12}){0,6}"
    r"(?:[ ,]{0,2}(?:x|ext\.?|extension)[ ]?\d{1,6})?(?![A-Za-z0-9_*%\u20ac])"
)
_EXTENSION: Final = re.compile(r"[ ,]{0,2}(?:x|ext\.?|extension)[ ]?\d{1,6}$")
_DATE: Final = re.compile(
    r"\d{4}([-./])\d{1,2}\1\d{1,2}(?:[ /]\d{1,2})?|\d{1,2}([-./ ])\d{1,2}\2(?:19|20)\d{2}"
    r"|(?:19|20)\d{2}[-/ ](?:19|20)\d{2}"
)
# ZIP+4, a house number behind a postcode, what is written as an SSN and is none, thousands in groups.
_OTHER: Final = re.compile(r"\d{5}[ -]\d{4}|\d{3}-\d{2}-\d{4}|\d{1,3}(?:\.\d{3}){2,}")
# Words that say what a number is; the nearest one before it counts.
_CUES: Final = word_set(
    "phone phones telephone telephones tel mobile cell cellphone cellular fax call calls called caller calling "
    "callback dial dialed dialled dialing dialling reach contact text texts sms whatsapp hotline helpline landline "
    "message messages answer answers answered answering ring teléfono telefono téléphone móvil movil celular handy "
    "rufnummer appeler appelez llame llámenos llamar ligar ligue позвоните звоните"
)
_CUE_BEGINS: Final = ("telefon", "телефон", "mobilnummer")
# Written without spaces, or with endings.
_CUES_WITHIN: Final = (
    "電話",
    "电话",
    "手机",
    "携帯",
    "전화",
    "휴대폰",
    "هاتف",
    "جوال",
    "اتصل",
    "मोबाइल",
    "फ़ोन",
    "फोन",
    "โทร",
)
_OTHERS: Final = word_set(
    "order orders invoice tracking ref reference case ticket tickets confirmation isbn serial account acct policy sku "
    "item items product products flight flights reservation booking zip postcode postal id ids amount total version "
    "imei iccid vin membership receipt shipment parcel code pin year date population card"
)
_WORD: Final = re.compile(r"[^\W\d_]+")
_AFTER: Final = re.compile(r"[ (]{0,2}(?:office|mobile|fax|cell|home|work|tel|phone)\b", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"<?[A-Z_]{0,20}_\d{1,9}>")
_REACH: Final = 40  # characters
_AFTER_REACH: Final = 12
_FEWEST: Final = 7
_FEWEST_UNTOLD: Final = 9  # evaluators' published setting: 0.82 recall at 0.99 precision, against 0.98 at 0.72
_MOST: Final = 15  # E.164
_SIGNIFICANT: Final = 9


def spans(text: str, numbers: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans of phone numbers. `numbers`: where seven digits or more stand close together; digits are plain ones."""
    done = 0
    for begin, stop in numbers:
        first = begin
        while first > done and text[first - 1] in "+(":
            first -= 1
        place = max(first, done)
        while (match := _PHONE.search(text, place, min(stop + _AFTER_REACH, len(text)))) and match.start() < stop:
            end = _end(text, *match.span())
            place = end or match.end()
            if end:
                done = end
                yield match.start(), end


def words_before(text: str, start: int) -> str:
    """What may say of a number what it is. Placeholders of redacted values say nothing of their neighbours."""
    return _PLACEHOLDER.sub("", text[max(0, start - _REACH) : start])


def significant(number: str) -> str:
    """The digits that two spellings of one number have in common: the last nine, without the extension."""
    return re.sub(r"\D", "", _EXTENSION.sub("", number))[-_SIGNIFICANT:]


def _end(text: str, start: int, end: int) -> int | None:
    """Where the number ends, which may be before another that follows after a space; None: it is none."""
    while end > start:
        if _is_phone(text, start, end):
            return end
        if text[start] != "+" and sum(map(str.isdigit, text[start:end])) <= _MOST:
            return None
        end = text.rfind(" ", start, end)
    return None


def _is_phone(text: str, start: int, end: int) -> bool:
    written = text[start:end]
    core = _EXTENSION.sub("", written)
    digits = sum(map(str.isdigit, core))
    if not _FEWEST <= digits <= _MOST:
        return False
    if written.startswith("+"):
        return _is_possible(written)
    if _DATE.fullmatch(core):
        return False
    grouped = digits >= _FEWEST_UNTOLD and not core.isdigit() and not _OTHER.fullmatch(core)
    told = _told(text, start, end)
    return grouped if told is None else told


def _is_possible(written: str) -> bool:
    """Whether the numbering plan of the country it names has numbers of this length."""
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(written))
    except phonenumbers.NumberParseException:
        return False


def _told(text: str, start: int, end: int) -> bool | None:
    """Whether a word nearby says that this is a phone number; None: no word says what it is."""
    if _AFTER.match(text, end, min(end + _AFTER_REACH, len(text))):
        return True
    before = words_before(text, start).lower()
    if not before.isascii() and any(cue in before for cue in _CUES_WITHIN):
        return True
    told = None
    last = ""
    for word in _WORD.findall(before):
        if word in _CUES or word.startswith(_CUE_BEGINS) or (last in {"my", "your"} and word == "number"):
            told = True
        elif word in _OTHERS:
            told = False
        last = word
    return told
