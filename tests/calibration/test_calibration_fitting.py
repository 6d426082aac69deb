"""A calibration is let in where it ranks labels that it has not seen, and refused where it does not."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from spanwitness.calibration import BAR, Labels, TooFewError, fit, reaches_the_bar, read_labels
from spanwitness.calibration.fitting import weighted_auc
from spanwitness.evaluators import TaskCompletion
from spanwitness.evaluators.chat_file import chat_lines
from tests.calibration.talks import labelled, talk

if TYPE_CHECKING:
    from spanwitness.model.calibration import Calibration


def labels_of(lines: list[dict[str, Any]]) -> Labels:
    file = io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    return read_labels(chat_lines(file), TaskCompletion())


@pytest.fixture(scope="module")
def good() -> Calibration:
    return fit(labels_of(labelled(60, groups=20)), TaskCompletion())


def test_labels_that_show_in_the_conversation_are_learnt(good: Calibration) -> None:
    found = good.agreement
    assert (found.labels, found.positives, found.groups, found.bar, found.grouped) == (60, 30, 19, BAR, True)
    assert 0.7 < found.low <= found.auc <= found.high <= 1.0
    assert reaches_the_bar(found)
    weights = {weight.trait: weight.weight for weight in good.weights}
    assert weights["thanks_at_end"] > 0 > weights["trouble_at_end"]


def test_what_was_learnt_scores_as_it_was_meant(good: Calibration) -> None:
    evaluator, chance = TaskCompletion(calibration=good), random.Random(1)  # noqa: S311 - the same each run
    scores = [(evaluator.evaluate(talk(done, chance)).score or 0.0, done) for done in [True, False] * 40]
    assert roc_auc_score([done for _, done in scores], [score for score, _ in scores]) > 0.8


def test_a_trait_that_never_differs_has_no_weight_and_is_remembered(good: Calibration) -> None:
    constant = dict(good.constant)
    assert constant["in_english"] == 1.0
    assert constant["calls"] == 0.0
    assert not constant.keys() & {weight.trait for weight in good.weights}


def test_the_same_labels_give_the_same_calibration(good: Calibration) -> None:
    assert fit(labels_of(labelled(60, groups=20)), TaskCompletion()) == good


def test_labels_that_do_not_show_in_the_conversation_do_not_reach_the_bar() -> None:
    found = fit(labels_of(labelled(60, told=False)), TaskCompletion()).agreement
    assert found.low < BAR
    assert not reaches_the_bar(found)
    assert found.grouped is False


def test_the_bar_is_passed_and_not_touched(good: Calibration) -> None:
    assert not reaches_the_bar(replace(good.agreement, low=BAR))


def test_what_sets_one_customer_apart_is_not_taken_for_what_sets_the_completed_apart() -> None:
    """Of two customers one always succeeds and writes long: within the groups there is nothing to tell by."""
    lines = labelled(60, told=False, groups=6)
    for line in lines:
        line["completed"] = line["group"] in {"customer 0", "customer 1", "customer 2"}
        line["messages"][0]["content"] += " please" * (hash_of(line["group"]) * 7)
    assert not reaches_the_bar(fit(labels_of(lines), TaskCompletion()).agreement)


def hash_of(group: str) -> int:
    return int(group[-1]) * 5 % 7


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (labelled(29), "29 labelled conversations, 15 completed and 14 not; needed: 30, 10 of either kind"),
        ([line for line in labelled(60) if line["completed"]], "30 completed and 0 not"),
        (labelled(40, groups=4), "4 groups; needed: 5"),
        ([], "0 labelled conversations"),
    ],
)
def test_too_few_labels_are_refused_with_what_is_needed(lines: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(TooFewError) as told:
        fit(labels_of(lines), TaskCompletion())
    assert why in str(told.value)


def test_labels_of_which_one_group_has_all_completed_are_refused() -> None:
    lines = [{**line, "group": "one" if line["completed"] else f"{at}"} for at, line in enumerate(labelled(40))]
    with pytest.raises(TooFewError, match="all that were completed are of one group"):
        fit(labels_of(lines), TaskCompletion())


def test_conversations_that_are_all_alike_are_refused() -> None:
    lines = labelled(40)
    asked = [{"role": "user", "content": f"Please renew number {number}."} for number in range(40)]
    same = [{**line, "messages": [one, *lines[0]["messages"][1:]]} for one, line in zip(asked, lines, strict=True)]
    with pytest.raises(TooFewError, match="alike in every trait"):
        fit(labels_of(same), TaskCompletion())


def test_the_auc_is_scikit_learns() -> None:
    draw = np.random.default_rng(1)
    for _ in range(50):
        y, scores = draw.integers(2, size=30), draw.integers(6, size=30) / 6
        weights = draw.integers(4, size=30).astype(np.float64)
        y[:2], weights[:2] = (0, 1), 1.0
        ranks = np.unique(scores, return_inverse=True)[1]
        assert weighted_auc(y, ranks, weights) == pytest.approx(roc_auc_score(y, scores, sample_weight=weights))


def test_the_auc_of_one_kind_of_label_is_not_a_number() -> None:
    assert np.isnan(weighted_auc(np.array([1, 1]), np.array([0, 1]), np.array([1.0, 1.0])))
