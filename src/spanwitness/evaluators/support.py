"""How far what was said stands in a text: words, pairs of words and the best sentence, in any spaced or CJK script.

Words are compared by their first six letters, so that endings do not matter; truncation is the oldest stemmer, and the
only one that needs no rules for each language. Runs of Han, kana and Hangul are compared by pairs of characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from spanwitness.evaluators.speech import LONGEST, word_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_STEM: Final = 6  # letters
# A word that stands in more sentences than this tells none of them apart, and counts as being in each.
_COMMON: Final = 48
_FEWEST_CLAIMED: Final = 2  # meaningful words, below which there is nothing to hold against a text
_SMALL: Final = 3  # letters; in languages other than English, words as short as this carry grammar
_LITTLE: Final = 0.2  # of the words shared: no more than chance gives between two languages
_MUCH: Final = 0.5  # more than names and numbers give that two languages have in common
_ENOUGH: Final = 6  # words, before a language is told by them
_SAMPLE: Final = 400  # words, by which it is told
_ENGLISH_SHARE: Final = 0.1
_REACH: Final = 3  # words behind "I" that can tell an opinion
_LATIN_END: Final = 0x370  # the first code point behind the Latin blocks and the marks

_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_CJK_RUN: Final = re.compile(rf"[{_CJK}]+")
_KANA: Final = re.compile(r"[\u3040-\u30ff]")
_HAN: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN, _CHINESE, _JAPANESE = 0, 1, 2
_HANGUL: Final = 0xAC00
_HIRAGANA: Final = re.compile(r"[\u3040-\u309f]+")
_END: Final = "\x01"  # of a sentence
_BLANKS: Final = str.maketrans({chr(n): " " for n in range(128) if not chr(n).isalnum() and chr(n) not in (_END, "'")})
_ASCII_WORD: Final = re.compile(rf"{_END}|[a-z0-9][a-z0-9']*")
_TYPOGRAPHY: Final = (
    ("\u2019", "'"),
    ("\u2018", "'"),
    *((sign, " ") for sign in "\u2013\u2014\u201c\u201d\u2022\u2026\xa0"),
)
# Vowel signs and other marks, which are part of a word and which \w leaves out.
_MARKS: Final = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0970-\u0dff"
_SPACED_WORD: Final = re.compile(rf"{_END}|\w[\w']*")
_BY_ITSELF: Final = re.compile(f"[{_CJK}{_MARKS}]")
_ANY_WORD: Final = re.compile(rf"{_END}|[{_CJK}]+|(?:[^\W_{_CJK}]|[{_MARKS}])(?:[^\W_{_CJK}]|[{_MARKS}'])*")
_SENTENCE_ENDS: Final = (". ", "! ", "? ")
_OTHER_ENDS: Final = ("\u3002", "\uff01", "\uff1f", "\u0964", "\u061f")
_ASKED: Final = ("?", "\uff1f", "\u061f")
# Thai, Lao, Tibetan, Burmese, Khmer: written without spaces between words, and pairs of signs say little.
_UNPARTED: Final = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff]")

# Common in English, and no words of its neighbours, as "a", "in" and "do" are.
_ENGLISH: Final = word_set(
    "the to you your are for of and that this it its it's have has with from they she his her my what which not but is "
    "was by at be been were who when there can will"
)
_GRAMMAR: Final = word_set(
    "a an the this that these those it its it's he him his she her hers they them their theirs we us our ours you your "
    "yours i me my mine who whom whose which what where when why how is are was were be been being am do does did done "
    "doing have has had having will would shall should can could may might must ought and or but nor so yet if then "
    "than as at by for from in into of off on onto out over to up upon with without within about after before between "
    "during through under against among per via not no yes very too also just only even still really quite well more "
    "most much many some any each every all both few several other another such own same here there now ever never "
    "again i'm i've i'd i'll you're you've you'll we're we've we'll they're they've that's there's don't didn't "
    "doesn't isn't aren't wasn't weren't won't wouldn't can't couldn't cannot hasn't haven't"
)
# Greeting, thanks, agreement and the small talk of service: said without anything being claimed.
_CHAT: Final = word_set(
    "hi hello hey bye goodbye welcome thanks thank please sorry apologies sure ok okay yeah yea yep yup ah oh um uh "
    "lol haha wow right true cool nice great good fine glad happy fun day night morning evening talk talking "
    "chat chatting "
    "help assist assistance anything else question questions moment second wait hold let know tell look looking "
    "check understand see course absolutely definitely certainly doubt indeed problem worries"
)
_POLITE: Final = word_set("thank thanks welcome sorry apologies apologize apologise hello hi goodbye bye")
_FAREWELL: Final = frozenset(
    {
        ("feel", "free"),
        ("reach", "out"),
        ("me", "know"),
        ("great", "day"),
        ("nice", "day"),
        ("good", "day"),
        ("you", "soon"),
    }
)
_SPEAKER: Final = word_set("i i'm i'll i've i'd we we're we'll we've we'd let me us let's")
_SERVICE: Final = word_set(
    "help assist check checked look looking find found locate located verify verified confirm confirmed review "
    "reviewed retrieve retrieved pull access process processed proceed update updated cancel cancelled canceled "
    "book booked transfer transferring connect connecting need understand appreciate apologize apologise glad "
    "happy pleased sorry afraid wait here troubleshoot guide start started begin go ask"
)
_SUBJECT: Final = 8  # words in which the subject of a sentence stands
_OPINION: Final = word_set(
    "think thought love loved like liked enjoy enjoyed hate feel felt believe guess hope wish prefer wonder bet "
    "imagine suppose remember agree disagree heard watched watch played fan want wanted never always surprised "
    "favourite favorite"
)
_MINE: Final = word_set("favourite favorite opinion view experience friend friends family mom dad wife husband kids")


class Support(NamedTuple):
    """How far texts support what was said, each 0..1.

    Attributes:
        words: share of the meaningful words that stand in the texts.
        pairs: share of neighbouring words that stand there as neighbours.
        sentence: share of the meaningful words that stand together in the best sentence of the texts.
    """

    words: float
    pairs: float
    sentence: float


class Claims(NamedTuple):
    """What was said without being asked.

    Attributes:
        sentences: each as (all words, meaningful words).
        generic: nothing is claimed: no more than greeting, thanks, agreement, or a question.
        opinion: a first person's view or experience is told, which no document can bear out.
    """

    sentences: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    generic: bool
    opinion: bool


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts that can support something, indexed for what was said. Made by `texts_of`.

    Attributes:
        postings: by meaningful word, the sentences that it stands in; empty for a word that stands in very many.
        small: the short words, which show the language.
    """

    postings: Mapping[str, Sequence[int]]
    pairs: frozenset[tuple[str, str]]
    small: frozenset[str]
    script: int
    english: bool

    def claims(self, said: str, asked: str = "") -> Claims:
        """What a message claims, read in the language of these texts. To repeat what was asked is no claim.

        Of a message longer than anybody speaks, the beginning is read.
        """
        idle = _CHAT.union(_words(asked[:LONGEST]))
        stated = (text for text in _sentences(said[:LONGEST].replace("\\n", "\n")) if not text.endswith(_ASKED))
        sentences = [words for text in stated if (words := _words(text)) and not _is_service(words)]
        meaning = [_meaningful(words, english=self.english) for words in sentences]
        claimed = sum(word not in idle for words in meaning for word in words)
        read = tuple(zip(map(_stems, sentences), map(_stems, meaning), strict=True))
        return Claims(read, claimed < _FEWEST_CLAIMED, any(map(_is_opinion, sentences)))

    def support(self, claims: Claims) -> Support:
        """How far these texts support what is claimed; all 1.0 where nothing is."""
        total = sum(len(meant) for _, meant in claims.sentences)
        if not total:
            return Support(1.0, 1.0, 1.0)
        found = sum(word in self.postings for _, meant in claims.sentences for word in meant)
        together = sum(self._together(meant) for _, meant in claims.sentences)
        pairs = [pair for spoken, _ in claims.sentences for pair in pairwise(spoken)]
        shared = sum(pair in self.pairs for pair in pairs) / len(pairs) if pairs else found / total
        return Support(found / total, shared, together / total)

    def foreign(self, said: str, support: Support) -> bool:
        """Whether what was said is in another script or language than these texts, so that words cannot be compared."""
        if support.words >= _MUCH:
            return False
        words = _words(said[:LONGEST])[:_SAMPLE]
        if words and _script(words) != self.script:
            return True
        if support.words >= _LITTLE or len(words) < _ENOUGH:
            return False
        english = _is_english(words)
        small = {word for word in words if _is_small(word)}
        if english or self.english:
            return english != self.english
        return len(self.small) >= _ENOUGH and bool(small) and len(small & self.small) < _LITTLE * len(small)

    def _together(self, meant: Sequence[str]) -> int:
        """Most of these words that stand in one sentence of the texts."""
        everywhere, counts = 0, dict[int, int]()
        for word in meant:
            where = self.postings.get(word)
            if where is None:
                continue
            everywhere += not where
            for sentence in where:
                counts[sentence] = counts.get(sentence, 0) + 1
        return everywhere + max(counts.values(), default=0)


def texts_of(contents: Iterable[str], said: Iterable[str]) -> Texts:
    """These contents, indexed for the words of what will be held against them, and for no others."""
    wanted = [_stems(_words(text[:LONGEST])) for text in said]
    wanted_words = frozenset(chain.from_iterable(wanted))
    wanted_pairs = frozenset(chain.from_iterable(map(pairwise, wanted)))
    tokens = list(chain.from_iterable(map(_tokens, contents)))
    sample = list(islice((word for word in tokens if word != _END), _SAMPLE))
    english = _is_english(sample)
    vocabulary = set(tokens)
    stems = dict(zip(vocabulary, _stems(vocabulary), strict=True))
    meant = {word: stems[word] for word in _meaningful(vocabulary, english=english) if stems[word] in wanted_words}
    pairs = wanted_pairs.intersection(pairwise(map(stems.__getitem__, tokens)))
    postings: dict[str, list[int]] = {stem: [] for stem in meant.values()}
    number = 0
    for word in tokens:
        if word == _END:
            number += 1
        elif word in meant:
            where = postings[meant[word]]
            if not where or where[-1] != number:
                where.append(number)
    kept = {stem: where if len(where) <= _COMMON else () for stem, where in postings.items()}
    return Texts(kept, pairs, frozenset(filter(_is_small, vocabulary)), _script(sample), english)


def unparted(text: str) -> bool:
    """Whether a text holds a script whose words cannot be told apart here: Thai, Lao, Tibetan, Burmese, Khmer."""
    return not text.isascii() and _UNPARTED.search(text) is not None


def _with_ends(text: str) -> str:
    text = text.replace(_END, " ").replace("\n", _END)
    for mark in _SENTENCE_ENDS if text.isascii() else (*_SENTENCE_ENDS, *_OTHER_ENDS):
        text = text.replace(mark, f"{mark}{_END}")
    return text


def _sentences(text: str) -> Iterator[str]:
    for part in _with_ends(text).split(_END):
        if stripped := part.strip():
            yield stripped


def _tokens(text: str) -> list[str]:
    """The words of a document, with _END behind each sentence. In ASCII without a pattern, which is much faster.

    So a word may begin with an apostrophe here, which its stem does not.
    """
    plain = _plain(_with_ends(text))
    if plain.isascii():
        return [*plain.replace(_END, f" {_END} ").translate(_BLANKS).split(), _END]
    return [*_found(plain), _END]


def _words(text: str) -> list[str]:
    """The words, in lower case."""
    return _found(_plain(text))


def _plain(text: str) -> str:
    lowered = text.lower()
    if not lowered.isascii():
        for sign, plain in _TYPOGRAPHY:
            lowered = lowered.replace(sign, plain)
    return lowered


def _found(plain: str) -> list[str]:
    if plain.isascii():
        return _ASCII_WORD.findall(plain)
    if not _BY_ITSELF.search(plain):
        return _SPACED_WORD.findall(plain.replace("_", " "))
    found: list[str] = []
    for word in _ANY_WORD.findall(plain):
        found.extend(map("".join, pairwise(word)) if len(word) > 1 and _CJK_RUN.match(word) else (word,))
    return found


def _stems(words: Iterable[str]) -> tuple[str, ...]:
    """Numbers stay whole; of other words the first letters, without a possessive or quotes."""
    return tuple(word if word.isdecimal() else word.strip("'").removesuffix("'s")[:_STEM] for word in words)


def _meaningful(words: Iterable[str], *, english: bool) -> list[str]:
    if english:
        return [word for word in words if word not in _GRAMMAR]
    return [word for word in words if not _is_small(word) and not _HIRAGANA.fullmatch(word)]


def _is_small(word: str) -> bool:
    return len(word) <= _SMALL and not word.isdecimal() and not _CJK_RUN.match(word)


def _is_english(words: Sequence[str]) -> bool:
    return sum(word in _ENGLISH for word in words) >= _ENGLISH_SHARE * max(1, len(words))


def _script(words: Iterable[str]) -> int:
    """A number for the script that most of these words are in: one of the three below, else its block's."""
    counts: dict[int, int] = {}
    for word in words:
        if not word.isdecimal():
            script = _script_of(word)
            counts[script] = counts.get(script, 0) + 1
    if _JAPANESE in counts:  # however many Han signs it holds
        counts[_JAPANESE] += counts.pop(_CHINESE, 0)
    return max(counts, key=lambda script: (counts[script], -script), default=0)


def _script_of(word: str) -> int:
    first = ord(word[0])
    if first < _LATIN_END:
        return _LATIN
    if _KANA.search(word):
        return _JAPANESE
    return _CHINESE if _HAN.match(word) else first >> 12 if first >= _HANGUL else first >> 8


def _is_service(words: Sequence[str]) -> bool:
    """Whether a sentence asks for something, thanks, apologises, wishes well, or tells what the agent itself does."""
    start = words[:_REACH]
    if not _POLITE.isdisjoint(words[:2]) or not _FAREWELL.isdisjoint(pairwise(words)):
        return True
    for place, word in enumerate(words[:_SUBJECT]):
        following = words[place + 1 : place + 2 + _REACH]
        if word in _SPEAKER and not _SERVICE.isdisjoint(following):
            return True
        if word in ("please", "kindly"):
            return True
    return start[:2] == ["let", "me"] or start[:1] == ["let's"]


def _is_opinion(words: Sequence[str]) -> bool:
    for place, word in enumerate(words):
        following = words[place + 1 : place + 1 + _REACH]
        if word.partition("'")[0] == "i" and not _OPINION.isdisjoint(following):
            return True
        if word == "my" and not _MINE.isdisjoint(following[:1]):
            return True
    return False
