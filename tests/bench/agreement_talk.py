"""Agreement with people's ratings: conversation quality and query handling, on two corpora of rated dialogues."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean
from typing import TYPE_CHECKING, Any, Final

from tests.bench import agreement_statistics as st
from tests.bench.agreement_data import Part, Table, group, records, scored
from tests.bench.agreement_statistics import Pair, figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_CORPORA: Final = {"uss_sgd": "Schema-Guided Dialogue", "uss_mwoz": "MultiWOZ"}
_DISSATISFIED: Final = 2.67  # mean of the raters, of a whole conversation
_LOW_TURN: Final = 2.5  # below, of a turn


def quality(folder: Path) -> Part:
    name, figures, told = "CustomerAgentConversationQuality", [], []
    for file, corpus in _CORPORA.items():
        rated = list(records(folder, file))
        scores = [(record, scored(name, record["messages"])) for record in rated]
        known = [(record, score) for record, score in scores if score.score is not None]
        rank = [Pair(score.score, record["labels"]["overall_mean"], group(record)) for record, score in known]
        risk = [Pair(score.label == "at_risk", _low(record), group(record)) for record, score in known]
        worst = [Pair(-(pair.ours or 0), said.truth, pair.group) for pair, said in zip(rank, risk, strict=True)]
        people = [pair for record in rated for pair in _one_against_the_others(record)]
        figures += [
            figure("mean rating, Spearman", corpus, st.spearman, rank),
            figure("one rater against the others, Spearman", corpus, st.spearman, people),
            figure("dissatisfied, AUC", corpus, st.auc, worst),
            *st.flags("dissatisfied", "`at_risk`", corpus, risk),
            st.count("share that could be scored", corpus, len(known) / len(rated), len(rated), len(rated)),
        ]
        told += _cues(corpus, rated)
    head = ("corpus", "cue", "turns", "mean rating", "low turns")
    title = "What people gave to turns in which a cue was met:"
    return Part(name, "dialogues", figures, [Table(title, head, tuple(told))])


def query_handling(folder: Path) -> Part:
    name, figures, labels = "CustomerAgentQueryHandling", [], []
    for file, corpus in _CORPORA.items():
        rated = list(records(folder, file))
        scores = [(record, scored(name, record["messages"])) for record in rated]
        turns = [pair for record, score in scores for pair in _turns(record, score.details.get("turns", []))]
        low = [Pair(-pair.ours, pair.truth < _LOW_TURN, pair.group) for pair in turns]
        whole = [Pair(-score.score, _low(record), group(record)) for record, score in scores if score.score is not None]
        people = [pair for record in rated for pair in _one_against_the_others_by_turn(record)]
        figures += [
            figure("low turn, AUC", corpus, st.auc, low),
            figure("turn's mean rating, Spearman", corpus, st.spearman, turns),
            figure("one rater against the others by turn, Spearman", corpus, st.spearman, people),
            figure("low turns, share of all", corpus, st.share_true, low),
            figure("conversation dissatisfied, AUC", corpus, st.auc, whole),
            st.count("share that could be scored", corpus, len(whole) / len(rated), len(rated), len(rated)),
        ]
        labels += _labels(corpus, ((score.label, record["labels"]["overall_mean"]) for record, score in scores))
    table = Table("Labels and ratings:", ("corpus", "label", "conversations", "mean rating"), tuple(labels))
    return Part(name, "dialogues", figures, [table])


def _low(record: dict[str, Any]) -> bool:
    return bool(record["labels"]["overall_mean"] <= _DISSATISFIED)


def _turns(record: dict[str, Any], handled: Iterable[Sequence[float]]) -> list[Pair]:
    ratings = {index: mean(given) for index, given in record["labels"]["turn_satisfaction"]}
    return [Pair(share, ratings[index], group(record)) for index, share in handled if index in ratings]


def _others(given: Sequence[float], record: dict[str, Any]) -> list[Pair]:
    """The first rater against the mean of the rest; which one is first is chance."""
    return [Pair(given[0], mean(given[1:]), group(record))] if len(given) > 1 else []


def _one_against_the_others(record: dict[str, Any]) -> list[Pair]:
    return _others(record["labels"]["overall"], record)


def _one_against_the_others_by_turn(record: dict[str, Any]) -> list[Pair]:
    return [pair for _, given in record["labels"]["turn_satisfaction"] for pair in _others(given, record)]


def _cues(corpus: str, rated: Iterable[dict[str, Any]]) -> list[tuple[object, ...]]:
    """Those that count against the agent: the evidence names their messages."""
    found = defaultdict(list)
    for record in rated:
        ratings = {index: mean(given) for index, given in record["labels"]["turn_satisfaction"]}
        for each in scored("CustomerAgentConversationQuality", record["messages"]).evidence:
            if each.message_index in ratings:
                found[each.rule].append(ratings[each.message_index])
    return [
        (corpus, f"`{cue}`", len(given), f"{mean(given):.2f}", f"{mean(one < _LOW_TURN for one in given):.0%}")
        for cue, given in sorted(found.items())
    ]


def _labels(corpus: str, given: Iterable[tuple[str, float]]) -> list[tuple[object, ...]]:
    ratings = defaultdict(list)
    for label, rating in given:
        ratings[label].append(rating)
    return [
        (corpus, f"`{label}`", len(ratings[label]), f"{mean(ratings[label]):.2f}")
        for label in ("always", "frequently", "occasionally", "never")
        if label in ratings
    ]
