"""How something is written, as rates and lengths: characters, layout, set phrases, function words. No text is kept."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from spanwitness.drift.lexicon import FUNCTION_WORDS, MARKS, OPENINGS, PHRASES

if TYPE_CHECKING:
    from collections.abc import Sequence

_VARIETY_OF: Final = 150
_LONG_WORD: Final = 8
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_FULL_WIDTH: Final = "\u3002\uff01\uff1f"  # full stop, exclamation mark, question mark
_SENTENCE: Final = re.compile(rf"[.!?{_FULL_WIDTH}]+(?:\s|$)")
_NUMBERED: Final = re.compile(r"^ *\d+[.)] ", re.MULTILINE)
_BULLETED: Final = re.compile(r"^ *[-*•] ", re.MULTILINE)
_SUB_ITEM: Final = re.compile(r"^[ \t]+[-*•\d]", re.MULTILINE)
_HEADED: Final = re.compile(r"^#{1,6} ", re.MULTILINE)
_BOLD: Final = re.compile(r"\*\*[^*\n]+\*\*")
_TRAILING: Final = re.compile(r"[ \t]$", re.MULTILINE)
_CAPITAL: Final = re.compile(r"[A-Z\u00c0-\u00de\u0410-\u042f]")
_DIGIT: Final = re.compile(r"\d")
_EMOJI: Final = re.compile("[\U0001f300-\U0010ffff]")
_CURLY: Final = str.maketrans({"\u2019": "'", "\u2018": "'"})
_FIRST_PERSON: Final = frozenset(("i", "i'm", "i'd", "i've", "my", "me", "we", "our"))
_POLITE: Final = frozenset(("please", "thanks", "thank", "hi", "hello", "hey", "sorry", "appreciate"))
_FUNCTION: Final = frozenset(FUNCTION_WORDS)


def writing(texts: list[str]) -> dict[str, float]:
    """The features of the agent's messages, none of them empty; NaN where there is nothing to divide by."""
    text = "\n\n".join(texts)
    plain = text.lower().translate(_CURLY)
    words = _WORD.findall(plain)
    per = 1000 / len(text)
    found = {name: per * sum(map(text.count, marks)) for name, (_, marks) in MARKS.items()}
    spaced = f" {plain} "
    found |= {name: per * sum(map(spaced.count, phrases)) for name, (_, phrases) in PHRASES.items()}
    counted = Counter(words)
    share = 100 / max(1, len(words))
    found |= {f"word:{word}": share * counted[word] for word in FUNCTION_WORDS}
    return found | _layout(text, per, len(words)) | _sizes(texts, words) | _edges(texts)


def _layout(text: str, per: float, words: int) -> dict[str, float]:
    lines = text.count("\n") + 1
    paragraphs = [part for part in text.split("\n\n") if part]
    return {
        "upper": per * len(_CAPITAL.findall(text)),
        "digits": per * len(_DIGIT.findall(text)),
        "spaces": per * text.count(" "),
        "lines": per * (lines - 1),
        "blank_lines": per * text.count("\n\n"),
        "trailing": len(_TRAILING.findall(text)) / lines,
        "not_ascii": per * (len(text) - len(text.encode("ascii", "ignore"))),
        "emoji": per * len(_EMOJI.findall(text)),
        "numbered": per * len(_NUMBERED.findall(text)),
        "bulleted": per * len(_BULLETED.findall(text)),
        "sub_items": per * len(_SUB_ITEM.findall(text)),
        "headings": per * len(_HEADED.findall(text)),
        "bold": per * len(_BOLD.findall(text)),
        "code": per * text.count("```"),
        "paragraph_length": len(text) / max(1, len(paragraphs)),
        "sentence_length": words / max(1, len(_SENTENCE.findall(text))),
    }


def _sizes(texts: list[str], words: list[str]) -> dict[str, float]:
    lengths = [math.log1p(len(text)) for text in texts]
    return {
        "word_length": mean([len(word) for word in words]),
        "long_words": mean([len(word) >= _LONG_WORD for word in words]),
        "variety": len(set(words[:_VARIETY_OF])) / max(1, len(words[:_VARIETY_OF])),
        "message_length": mean(lengths),
        "longest_message": max(lengths),
        "first_length": lengths[0],
        "last_length": lengths[-1],
        "length_spread": spread(lengths),
    }


def _edges(texts: list[str]) -> dict[str, float]:
    first = [text[:40].lower().translate(_CURLY).split(maxsplit=1) for text in texts]
    opens = Counter(words[0].rstrip(",.!:—") for words in first if words)
    found = {f"opens:{word}": opens[word] / len(texts) for word in OPENINGS}
    return found | {
        "ends_asking": mean([text.endswith(("?", _FULL_WIDTH[2])) for text in texts]),
        "ends_full_stop": mean([text.endswith((".", _FULL_WIDTH[0])) for text in texts]),
        "ends_colon": mean([text.endswith(":") for text in texts]),
        "starts_mark": mean([not text[:1].isalpha() for text in texts]),
    }


def asking(text: str, size: int) -> dict[str, float]:
    """The features of the first user message, not empty; `size` is its whole length, where the text is cut."""
    plain = text.lower().translate(_CURLY)
    words = _WORD.findall(plain)
    per = 100 / len(text)
    share = 1 / max(1, len(words))
    return {
        "user_length": math.log1p(size),
        "user_upper": per * len(_CAPITAL.findall(text)),
        "user_digits": per * len(_DIGIT.findall(text)),
        "user_commas": per * text.count(","),
        "user_stops": per * text.count("."),
        "user_questions": per * text.count("?"),
        "user_exclaims": per * text.count("!"),
        "user_dashes": per * sum(map(text.count, "-\u2013\u2014")),
        "user_quotes": per * sum(map(text.count, "\"'\u2019\u201c\u201d")),
        "user_not_ascii": per * (len(text) - len(text.encode("ascii", "ignore"))),
        "user_lines": per * text.count("\n"),
        "user_word_length": mean([len(word) for word in words]),
        "user_sentence": len(words) / max(1, len(_SENTENCE.findall(text))),
        "user_first_person": share * sum(word in _FIRST_PERSON for word in words),
        "user_polite": share * sum(word in _POLITE for word in words),
        "user_function": share * sum(word in _FUNCTION for word in words),
    }


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def spread(values: Sequence[float]) -> float:
    middle = mean(values)
    return math.sqrt(sum((value - middle) ** 2 for value in values) / len(values))
