"""ASRAccuracy: was what the customer said heard right?"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

from jiwer import process_characters, process_words

from spanwitness.errors import ConfigError
from spanwitness.evaluators.contract import ChatEvaluator, Inputs
from spanwitness.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jiwer import CharacterOutput, WordOutput

    from spanwitness.model import Conversation, Score, Step

# Han, kana, Thai, Lao, Tibetan, Burmese, Khmer: written without spaces between words.
_UNSPACED: Final = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff]"
)
_APOSTROPHES: Final = frozenset("'\u2019\u02bc\uff07")
_UNKNOWN: Final = "unk"  # what the normaliser leaves of <unk> and [unk], a word that the recogniser does not know
_MOST_UNITS: Final = 20_000  # words or characters of a transcript: over two hours of speech
_MOST_HYPOTHESES: Final = 10
_FEWEST_HYPOTHESES: Final = 2
_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class ASRAccuracy(ChatEvaluator):
    """Score of what was heard against what was said; without the latter, of how sure the recogniser was.

    Mode "reference" (`reference` given): 1 - word error rate of the customer's messages, joined in order by a space,
    not below 0. In scripts without spaces, the character error rate. Mode "nbest" (`nbest` given): the share of words
    on which two hypotheses agree, drawn by their posteriors. Mode "confidence": the mean of what the steps that heard
    the customer tell. Nothing is ever guessed from the text.

    Attributes:
        sure: in the modes without a reference, a score from here up is labelled "sure"; in mode "confidence", a step
            below it is listed as evidence.
    """

    name: ClassVar[str] = "ASRAccuracy"
    version: ClassVar[str] = "1"

    sure: float = 0.7

    def __post_init__(self) -> None:
        if not 0 <= self.sure <= 1:
            raise ConfigError(f"ASRAccuracy.sure is {self.sure}; allowed: 0 to 1")

    def judge(self, inputs: Inputs) -> Score:
        if inputs.reference is not None:
            return self._by_reference(inputs.conversation, inputs.reference)
        if inputs.nbest is not None:
            return self._by_hypotheses(inputs.nbest)
        heard = [(step, step.confidence) for step in inputs.conversation.steps if step.confidence is not None]
        told = [(step, confidence) for step, confidence in heard if 0 <= confidence <= 1]
        if told:
            return self._by_confidence(inputs.conversation, told)
        return self.not_applicable(
            "no_reference", "Neither a reference, nor hypotheses, nor the recogniser's confidence is on record."
        )

    def _by_reference(self, conversation: Conversation, reference: str) -> Score:
        said = normalised(reference)
        heard = normalised(" ".join(message.content for message in conversation.messages if message.role == "user"))
        if not said:
            return self.not_applicable("empty_reference", "The reference holds no word.", mode="reference")
        if not heard:
            why = "No word of the customer is on record: whether none was heard or none was kept cannot be told."
            return self.not_applicable("no_transcript", why, mode="reference")
        unit = "character" if _is_unspaced(said) else "word"
        if max(_units(said, unit), _units(heard, unit)) > _MOST_UNITS:
            why = f"The transcript is longer than the {_MOST_UNITS} {unit}s that are compared."
            return self.not_applicable("too_large", why, mode="reference")
        return self._compared(said, heard, unit)

    def _compared(self, said: str, heard: str, unit: str) -> Score:
        found: WordOutput | CharacterOutput
        if unit == "character":
            found = process_characters(_unspaced(said), _unspaced(heard))
            rate = found.cer
        else:
            found = process_words(said, heard)
            rate = found.wer
        errors = found.substitutions + found.deletions + found.insertions
        return self.completed(
            max(0.0, 1 - rate),
            "errors" if errors else "exact",
            f"{errors} errors against {_units(said, unit)} {unit}s of the reference.",
            details={
                "unit": unit,
                "error_rate": rate,
                "reference_units": _units(said, unit),
                "substitutions": found.substitutions,
                "deletions": found.deletions,
                "insertions": found.insertions,
            },
            mode="reference",
        )

    def _by_hypotheses(self, nbest: Sequence[tuple[str, float]]) -> Score:
        if any(posterior < 0 for _, posterior in nbest):
            why = "A posterior is below 0: logarithms and costs are not read."
            return self.not_applicable("not_posteriors", why, mode="nbest")
        best = sorted(nbest, key=lambda each: -each[1])[:_MOST_HYPOTHESES]
        likely = [(normalised(text), posterior) for text, posterior in best if posterior > 0]
        if len(likely) < _FEWEST_HYPOTHESES or not any(text for text, _ in likely):
            why = "Fewer than 2 hypotheses with a posterior and words: there is nothing to agree or disagree."
            return self.not_applicable("too_few_hypotheses", why, mode="nbest")
        if sum(len(text) for text, _ in likely) > _MOST_UNITS:
            why = f"The hypotheses are longer than the {_MOST_UNITS} characters that are compared."
            return self.not_applicable("too_large", why, mode="nbest")
        score = _agreement(likely)
        return self.completed(
            score,
            "sure" if score >= self.sure else "unsure",
            f"{len(likely)} hypotheses agree on {score:.0%} of their words, weighted by their posteriors.",
            details={"hypotheses": len(nbest), "compared": len(likely)},
            mode="nbest",
        )

    def _by_confidence(self, conversation: Conversation, told: Sequence[tuple[Step, float]]) -> Score:
        unsure = sorted((each for each in told if each[1] < self.sure), key=lambda each: each[1])
        score = sum(confidence for _, confidence in told) / len(told)
        hearing = sum(step.span.role == "stt" for step in conversation.steps)
        return self.completed(
            score,
            "sure" if score >= self.sure else "unsure",
            f"Mean confidence of {len(told)} recognitions, {len(unsure)} of them below {self.sure:g}.",
            evidence=_places(conversation, [step for step, _ in unsure[:_MOST_SHOWN]]),
            details={
                "recognitions": max(hearing, len(told)),
                "with_confidence": len(told),
                "low": len(unsure),
                "lowest": min(confidence for _, confidence in told),
                "low_turns": [[step.turn, confidence] for step, confidence in unsure[:_MOST_SHOWN]],
            },
            mode="confidence",
        )


def _places(conversation: Conversation, steps: Iterable[Step]) -> Iterator[Evidence]:
    """The span of each step, and the customer's message where it was first seen on that span."""
    index = {each.span_id: i for i, each in enumerate(conversation.messages) if each.role == "user" and each.span_id}
    for step in steps:
        yield Evidence("low_confidence", index.get(step.span.span_id), step.span.span_id)


def normalised(text: str) -> str:
    """The one spelling that both sides are compared in.

    Unicode NFKC, case folded; apostrophes within a word are kept, as one sign; every other sign that is neither letter,
    mark nor digit becomes a space; spaces are made single.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFKC", folded)  # folding can part what was composed
    signs = "".join(map(_plain, folded))
    return " ".join(filter(None, (word.strip("'") for word in signs.split())))


@lru_cache(maxsize=4_096)
def _plain(sign: str) -> str:
    if sign in _APOSTROPHES:
        return "'"
    return sign if unicodedata.category(sign)[0] in "LMN" else " "


def _is_unspaced(text: str) -> bool:
    letters = len(text) - text.count(" ")
    return 2 * len(_UNSPACED.findall(text)) > letters


def _unspaced(text: str) -> str:
    return text.replace(" ", "")


def _units(text: str, unit: str) -> int:
    return len(_unspaced(text)) if unit == "character" else len(text.split())


def _agreement(likely: Sequence[tuple[str, float]]) -> float:
    """Share of words on which two hypotheses drawn by their posteriors agree. An unknown word agrees with nothing."""
    total = sum(posterior for _, posterior in likely)
    unspaced = _is_unspaced(max((text for text, _ in likely), key=len))
    lines = [(_tokens(text, unspaced=unspaced), posterior / total) for text, posterior in likely]
    differing = 0.0
    for place, (first, weight) in enumerate(lines):
        differing += weight * weight * _difference(first, first)
        for second, other in lines[place + 1 :]:
            differing += 2 * weight * other * _difference(first, second)
    return min(1.0, max(0.0, 1 - differing))


def _tokens(text: str, *, unspaced: bool) -> list[str]:
    return list(_unspaced(text)) if unspaced else text.split()


def _difference(first: Sequence[str], second: Sequence[str]) -> float:
    """Share of the longer one's words that would have to change."""
    longer = max(len(first), len(second))
    if not first or not second:
        return float(longer > 0)
    if first == second and _UNKNOWN not in first:
        return 0.0
    found = process_words(
        " ".join(f"{word}<" if word == _UNKNOWN else word for word in first),
        " ".join(f"{word}>" if word == _UNKNOWN else word for word in second),
    )
    return (found.substitutions + found.deletions + found.insertions) / longer
