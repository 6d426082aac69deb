"""The arithmetic of evidence: e-values are worth one on average, and find what is planted."""

from __future__ import annotations

import numpy as np
import pytest

from spanwitness.drift import evidence
from spanwitness.drift.counting import Counted, count
from spanwitness.drift.evidence import LONGEST, WINDOWS, Windows
from spanwitness.drift.features import COVARIATES
from spanwitness.drift.reference import Group, fit
from tests.drift.talk import PLAIN, many

ROUND = Group(np.arange(3), np.eye(3), np.ones(3))


def found(differences: list[float], variance: float = 0.1) -> Windows:
    return Windows(np.array([10]), np.array([differences]), np.full((1, len(differences)), variance))


@pytest.mark.parametrize("way", [evidence.together, evidence.alone])
def test_without_a_shift_an_e_value_is_one_on_average(way: object) -> None:
    dice = np.random.default_rng(1)
    drawn = dice.normal(0, np.sqrt(0.1), (20_000, 3))
    many_windows = Windows(np.full(len(drawn), 10), drawn, np.full(drawn.shape, 0.1))
    values = np.exp(way(many_windows, ROUND))  # type: ignore[operator]
    # The mean of so heavy a tail is estimated from below: what can be seen is that it is not above one.
    assert 0.5 < values.mean() < 1.1
    assert (values > 20).mean() < 1 / 20


def test_a_shift_is_evidence_in_any_direction_and_more_of_it_is_more() -> None:
    assert evidence.together(found([0.0, 0.0, 0.0]), ROUND)[0] < 0
    for direction in ([1.5, 0.0, 0.0], [0.0, -1.5, 0.0], [0.9, 0.9, -0.9]):
        assert evidence.together(found(direction), ROUND)[0] > 5
    assert evidence.together(found([3.0, 0.0, 0.0]), ROUND) > evidence.together(found([1.5, 0.0, 0.0]), ROUND)


def test_the_same_difference_is_less_evidence_where_the_reference_knows_less() -> None:
    sure, unsure = (evidence.together(found([1.5, 0.0, 0.0], variance), ROUND)[0] for variance in (0.1, 0.8))
    assert unsure < sure


def test_one_feature_alone_is_found_among_many_better_by_itself() -> None:
    wide = Group(np.arange(200), np.eye(200), np.ones(200))
    shifted = found([1.6] + [0.0] * 199)
    assert evidence.alone(shifted, wide)[0] > evidence.together(shifted, wide)[0]


def test_the_statistic_of_nothing_counts_its_restarts() -> None:
    lengths = np.array(WINDOWS)
    nothing = Windows(lengths, np.zeros((len(lengths), 1)), np.ones((len(lengths), 1)))
    assert evidence.restarts(nothing, np.zeros(len(lengths))) == pytest.approx(np.log(LONGEST))
    assert evidence.best(nothing, np.where(lengths == 8, 9.0, 0.0)) == WINDOWS.index(8)


def test_windows_hold_the_latest_against_all_before_them() -> None:
    """Of 17 conversations the last 5 differ by one in every score: the window of 5 says so, the whole says less."""
    reference = fit([count(one) for one in many(PLAIN, 40, 1)])
    usual = Counted(np.full(0, np.nan), np.zeros(len(COVARIATES)) + reference.centre, "", "")
    row = reference.design(usual)
    scores = np.tile(row @ reference.coefficients, (17, 1))
    scores[-5:] += reference.rest
    windows = evidence.windows(reference, reference.gram, reference.cross, np.tile(row, (17, 1)), scores)
    five, whole = list(windows.lengths).index(5), list(windows.lengths).index(17)
    assert windows.lengths[-1] == 17
    np.testing.assert_allclose(windows.differences[five], 1.0, atol=0.01)
    np.testing.assert_allclose(windows.differences[whole], 5 / 17, atol=0.05)
    # 1/5 of its own, and the error of a mean over 40 of the reference and 12 since.
    np.testing.assert_allclose(windows.variances[five], 1 / 5 + 1 / 52, rtol=0.02)
