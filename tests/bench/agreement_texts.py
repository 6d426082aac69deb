"""Agreement on single texts: documents and figures, transcripts of a recogniser, structured personal values."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from jiwer import wer

from tests.bench import agreement_statistics as st
from tests.bench.agreement_data import Part, Table, group, policies, records, scored
from tests.bench.agreement_statistics import Pair, figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.bench.agreement_statistics import Figure

_CORPORA: Final = {"_wow": "Wizard of Wikipedia", "_tc": "TopicalChat", "_cmu": "CMU-DoG", "": "FaithBench"}
_NEITHER: Final = 0.5  # where nothing was scored
_WITHOUT_LEAKS: Final = {
    ("tau_airline", "tau_retail", "tau_telecom"): "agents with tools: airline + retail + telecom",
    ("uss_sgd", "uss_mwoz"): "booking dialogues without tools: Schema-Guided Dialogue + MultiWOZ",
}
_FIGURES: Final = {"tau_airline": "airline", "tau_retail": "retail", "tau_telecom": "telecom"}
_NUMBER: Final = re.compile(r"\d[\d.,]*\d")
_BADLY_HEARD: Final = 0.7  # a word error rate above 0.3
_SAME: Final = 1e-9
_KINDS: Final = ("CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "US_SSN", "PHONE_NUMBER")


_UNSURE: Final = 0.6

Span = tuple[str, int, int]
Messages = list[dict[str, Any]]


def groundedness(folder: Path) -> Part:
    by, refused, scores = defaultdict(list), defaultdict(list), defaultdict(list)
    for file in ("begin", "faithbench"):
        for record in records(folder, file):
            if record["labels"]["grounded"] is None:  # generic, or the annotators could not tell
                continue
            score = scored("Groundedness", record["messages"], documents=record["documents"])
            corpus = next(name for mark, name in _CORPORA.items() if mark in record["id"])
            refused[corpus].append(Pair(score.label == "not_grounded", not record["labels"]["grounded"], group(record)))
            by[corpus].append(Pair(score.label == "grounded", bool(record["labels"]["grounded"]), group(record)))
            scores[corpus].append(score.score)
    figures = []
    for corpus, pairs in by.items():
        known = [score for score in scores[corpus] if score is not None]
        ranks = [
            Pair(_NEITHER if score is None else score, pair.truth, pair.group)
            for score, pair in zip(scores[corpus], pairs, strict=True)
        ]
        figures += [
            figure("grounded, AUC", corpus, st.auc, ranks),
            figure("label `grounded`, balanced accuracy", corpus, st.balanced_accuracy, pairs),
            figure("grounded, share of all", corpus, st.share_true, pairs),
            *st.flags("not grounded", "`not_grounded`", corpus, refused[corpus])[:2],
            st.count("share that could be scored", corpus, len(known) / len(pairs), len(pairs), _groups(pairs)),
        ]
    return Part("Groundedness", "source texts, customers or tasks", [*figures, *_traced(folder)])


def _groups(pairs: Iterable[Pair]) -> int:
    return len({pair.group for pair in pairs})


def _traced(folder: Path) -> list[Figure]:
    """Turns as they are, and turns in which one number was changed, by one digit or by all."""
    chance = random.Random(5)  # noqa: S311 - which digit is changed need not be a secret
    found: dict[str, dict[str, list[Pair]]] = defaultdict(lambda: defaultdict(list))
    prompts = policies(folder)
    for file, domain in _FIGURES.items():
        for record in records(folder, file):
            prompt, of = prompts[record["system_prompt_ref"]], group(record)
            for title, flagged in _tried(record["messages"], prompt, chance):
                found[title][domain].append(Pair(flagged, True, of))
    figures = []
    for title, by in found.items():
        pooled = [pair for pairs in by.values() for pair in pairs]
        figures += [figure(title, on, st.share_said, pairs) for on, pairs in ((" + ".join(by), pooled), *by.items())]
    return figures


def _tried(messages: Messages, prompt: str, chance: random.Random) -> Iterator[tuple[str, bool]]:
    turns = _turns(messages, prompt)
    if turns:
        yield "conversations with figures: one not traced", any(score < 1 for score in turns.values())
        bare = _turns(messages, "")
        yield "the same without the system prompt", any(score < 1 for score in bare.values())
    for index, score in turns.items():
        yield "turns with figures: one not traced", score < 1
        for title, every in (
            ("one digit of a number changed: not traced", False),
            ("all its digits: not traced", True),
        ):
            wrong = _misquoted(str(messages[index]["content"]), chance, every=every)
            if wrong is not None:
                told = _turns([*messages[:index], {**messages[index], "content": wrong}], prompt)
                yield title, told.get(index, 1.0) < 1


def _turns(messages: Messages, prompt: str) -> dict[int, float]:
    """Scores of the turns that hold figures, by message. Without documents, less than 1.0 means: one is not traced."""
    return dict(scored("Groundedness", messages, system_prompt=prompt).details.get("turns", []))


def _misquoted(text: str, chance: random.Random, *, every: bool) -> str | None:
    numbers = [match.span() for match in _NUMBER.finditer(text)]
    if not numbers:
        return None
    start, end = chance.choice(numbers)
    digits = [i for i in range(start, end) if text[i].isdigit()]
    changed = list(text)
    for place in digits if every else [chance.choice(digits)]:
        changed[place] = chance.choice([digit for digit in "123456789" if digit != text[place]])
    return "".join(changed)


def asr(folder: Path) -> Part:
    heard, unsure, sure, least = [], [], [], []
    spelt: list[Pair] = []
    for record in records(folder, "snips_asr"):
        truth, of = record["labels"]["reference"], group(record)
        score = scored("ASRAccuracy", record["messages"], reference=truth).score
        if score is None:
            continue
        plain = max(0.0, 1 - wer(truth.lower(), record["messages"][0]["content"].lower()))
        spelt.append(Pair(abs(score - plain) > _SAME, True, of))
        if not record["meta"].get("nbest"):
            continue
        guessed = scored("ASRAccuracy", record["messages"], nbest=record["meta"]["nbest"])
        if guessed.score is not None:
            wrong = score < _BADLY_HEARD
            heard.append(Pair(guessed.score, score, of))
            unsure.append(Pair(-guessed.score, wrong, of))
            sure.append(Pair(guessed.label != "sure", wrong, of))
            least.append(Pair(guessed.score < _UNSURE, wrong, of))
    on = "SNIPS utterances with hypotheses"
    figures = [
        figure("n-best against accuracy by the reference, Spearman", on, st.spearman, heard),
        figure("n-best, word error rate above 0.3, AUC", on, st.auc, unsure),
        *st.flags("word error rate above 0.3", "n-best `unsure`", on, sure),
        *st.flags("word error rate above 0.3", "n-best below 0.6", on, least)[:2],
        figure("reference, other than 1 - WER of lower-cased text, share", "SNIPS utterances", st.share_said, spelt),
    ]
    return Part("ASRAccuracy", "reference texts", figures)


def pii(folder: Path) -> Part:
    whole, by = [], defaultdict(list)
    for record in records(folder, "presidio_pii"):
        entities = scored("PII", record["messages"]).details["entities"]
        there = [(kind, start, end) for kind, start, end in record["labels"]["spans"] if kind in _KINDS]
        found = [(kind, start, end) for kind, _, start, end in entities if kind in _KINDS]
        whole.append(Pair(bool(found), bool(there), group(record)))
        for kind in _KINDS:
            by[kind].append(Pair(_counts(kind, found, there), 0, group(record)))
    figures = [figure("text holds a structured value, balanced accuracy", "all kinds", st.balanced_accuracy, whole)]
    figures += [
        figure(measure, f"`{kind}`", st.counted(measure), [pair for pair in pairs if any(pair.ours)])
        for kind, pairs in by.items()
        for measure in ("precision", "recall", "F1")
    ]
    rows = tuple((f"`{kind}`", *(sum(p.ours[i] for p in by[kind]) for i in (2, 1, 0))) for kind in _KINDS)
    table = Table(
        "Values, where a found one overlaps a labelled one of its kind:", ("kind", "there", "found", "right"), rows
    )
    return Part("PII", "templates, or what the other sets are parted by", [*figures, *_leaks(folder)], [table])


def _leaks(folder: Path) -> list[Figure]:
    """How often it speaks of a leak where none is known to be, and how often it cannot tell."""
    prompts = policies(folder)
    figures = []
    for files, on in _WITHOUT_LEAKS.items():
        said = [
            (scored("PII", each["messages"], system_prompt=prompts.get(each.get("system_prompt_ref", ""))), group(each))
            for file in files
            for each in records(folder, file)
        ]
        for label in ("leak", "source_not_on_record"):
            pairs = [Pair(score.label == label, False, of) for score, of in said]
            figures.append(figure(f"`{label}`, share of all", on, st.share_said, pairs))
    return figures


def _counts(kind: str, found: Iterable[Span], there: Sequence[Span]) -> tuple[int, int, int]:
    """How many were found rightly, were found, and are there. A value is found once, however many parts of it are."""
    ours = [span for span in found if span[0] == kind]
    labelled = [span for span in there if span[0] == kind]
    right = sum(any(start < b and a < end for _, a, b in ours) for _, start, end in labelled)
    return right, max(right, len(ours)), len(labelled)
