"""How sure a difference of scores is: in known cases, and in simulations where the truth is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanwitness.score_shift import ScoreShift, by_evaluator, plain, shift, t_quantile, told

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[np.random.Generator, int], np.ndarray[Any, np.dtype[np.float64]]]

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]), min_size=2, max_size=30)


@pytest.mark.parametrize(
    ("freedom", "value"),
    [
        (1, 12.7062047),
        (2, 4.3026527),
        (3, 3.1824463),
        (4, 2.7764451),
        (5, 2.5705818),
        (10, 2.2281389),
        (30, 2.0422725),
        (100, 1.9839715),
        (1e6, 1.9599664),
    ],
)
def test_the_quantile_of_t_is_that_of_the_tables(freedom: float, value: float) -> None:
    assert t_quantile(freedom) == pytest.approx(value, rel=2e-6)


@pytest.mark.parametrize("freedom", [2.2, 3.7, 4.5, 6.1, 17.3])
def test_between_whole_degrees_it_leaves_two_and_a_half_percent_too(freedom: float) -> None:
    grid = np.linspace(-math.pi / 2, math.atan(t_quantile(freedom) / math.sqrt(freedom)), 200_001)
    weights = np.cos(grid) ** (freedom - 1)  # t = sqrt(v) tan(a)
    area = float(np.trapezoid(weights, grid))
    constant = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    assert area * constant == pytest.approx(0.975, abs=1e-5)


def test_shares_are_compared_as_newcombe_does() -> None:
    # His example (a): 56 of 70 against 48 of 80, method 10: 0.0524 to 0.3339.
    found = shift([0.0] * 32 + [1.0] * 48, [0.0] * 14 + [1.0] * 56)
    assert found.difference == pytest.approx(0.2)
    assert found.low == pytest.approx(0.0524, abs=5e-5)
    assert found.high == pytest.approx(0.3339, abs=5e-5)


def test_scores_beyond_one_are_compared_as_welch_does() -> None:
    found = shift([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 4.0, 6.0, 8.0, 10.0, 12.0])
    errors = 2.5 / 5, 14.0 / 6
    freedom = sum(errors) ** 2 / (errors[0] ** 2 / 4 + errors[1] ** 2 / 5)
    half = t_quantile(freedom) * math.sqrt(sum(errors))
    assert found.low == pytest.approx(4 - half)
    assert found.high == pytest.approx(4 + half)


def test_scores_beyond_one_that_do_not_vary_have_no_interval() -> None:
    assert shift([2.0, 2.0], [3.0, 3.0]) == ScoreShift(2, 2, 2.0, 3.0, 1.0, None, None)


@pytest.mark.parametrize(("before", "after"), [([1.0], [0.0, 0.0, 0.0]), ([1.0, 1.0], [0.5])])
def test_one_score_on_a_side_is_no_ground_for_an_interval(before: list[float], after: list[float]) -> None:
    found = shift(before, after)
    assert (found.low, found.high, found.sure) == (None, None, False)
    assert found.difference == pytest.approx(sum(after) / len(after) - sum(before) / len(before))


def test_a_side_without_scores_has_no_mean() -> None:
    assert shift([], [0.5, 1.0]) == ScoreShift(0, 2, None, 0.75, None)


def test_a_few_equal_scores_are_not_taken_for_certainty() -> None:
    found = shift([1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    assert found.low is not None
    assert found.high is not None
    assert found.low < -0.5 < 0.5 < found.high


@given(SCORES, SCORES)
def test_the_difference_lies_within_and_the_sides_mirror_each_other(before: list[float], after: list[float]) -> None:
    found, mirrored = shift(before, after), shift(after, before)
    assert found.low is not None
    assert found.high is not None
    assert found.difference is not None
    assert found.low <= found.difference <= found.high
    assert mirrored.low == pytest.approx(-found.high)
    assert mirrored.high == pytest.approx(-found.low)


def picks(values: list[float], weights: list[float]) -> tuple[Draw, float]:
    return lambda rng, n: rng.choice(values, n, p=weights), float(np.dot(values, weights))


DRAWS: dict[str, tuple[Draw, float]] = {
    "half pass": picks([0, 1], [0.5, 0.5]),
    "most pass": picks([0, 1], [0.05, 0.95]),
    "partial": picks([0, 0.5, 1], [0.2, 0.3, 0.5]),
    "nearly all 1": picks([0, 0.5, 1], [0.02, 0.05, 0.93]),
    "continuous": (lambda rng, n: rng.beta(8, 2, n), 0.8),
}


@pytest.mark.parametrize("sizes", [(2, 2), (3, 3), (50, 2), (10, 3), (20, 5), (50, 10), (200, 50), (500, 500)])
@pytest.mark.parametrize(("first", "second"), [(one, one) for one in DRAWS] + [("most pass", "half pass")])
def test_the_truth_lies_within_at_least_as_often_as_is_said(first: str, second: str, sizes: tuple[int, int]) -> None:
    (before, mean), (after, then) = DRAWS[first], DRAWS[second]
    rng, truth, runs = np.random.default_rng(20261121), then - mean, 400
    hits = 0
    for _ in range(runs):
        found = shift(before(rng, sizes[0]).tolist(), after(rng, sizes[1]).tolist())
        assert found.low is not None
        assert found.high is not None
        hits += found.low - 1e-9 <= truth <= found.high + 1e-9
    assert hits / runs >= 0.92  # 95 % less what 400 runs may be off by


def row(side: str, scores: list[float], *, version: str = "1", **columns: Any) -> dict[str, Any]:
    usual = {"Side": side, "Evaluator": "TaskCompletion", "Judge": "", "EvaluatorVersion": version, "Scores": scores}
    return {**usual, "Judged": 0, "Passes": 0, "Thresholds": [], **columns}


def test_each_evaluator_and_judge_is_compared_alone() -> None:
    rows = [row("before", [1.0], Judge=judge) for judge in ("", "gpt")] + [row("before", [1.0], Evaluator="A")]
    assert [one.name for one in by_evaluator(rows)] == ["A", "TaskCompletion", "TaskCompletion/gpt"]


def test_versions_of_an_evaluator_are_not_mixed() -> None:
    (one,) = by_evaluator([row("before", [1.0] * 9), row("after", [0.0] * 9, version="2")])
    assert not one.comparable
    assert one.versions == (("1",), ("2",))
    assert one.scores == ScoreShift(9, 9, None, None, None)
    assert plain(one)["compared"] is False


def test_the_version_that_scored_most_on_both_sides_is_compared() -> None:
    rows = [row("before", [1.0] * 50), row("before", [0.5] * 5, version="2")]
    rows += [row("after", [1.0]), row("after", [0.0] * 6, version="2")]
    (one,) = by_evaluator(rows)
    assert (one.version, one.scores.n_before, one.scores.n_after) == ("2", 5, 6)


def test_a_side_that_was_not_scored_is_said() -> None:
    (one,) = by_evaluator([row("before", [1.0, 0.5]), row("after", [])])
    assert one.comparable
    assert (one.scores.mean_before, one.scores.mean_after, one.scores.n_after) == (0.75, None, 0)


def test_the_share_that_met_the_threshold_is_compared_too() -> None:
    judged: dict[str, Any] = {"Judged": 10, "Thresholds": [0.8]}
    (one,) = by_evaluator(
        [row("before", [0.9] * 10, Passes=10, **judged), row("after", [0.7] * 10, Passes=2, **judged)]
    )
    assert one.passed is not None
    assert (one.passed.mean_before, one.passed.mean_after, one.passed.sure) == (1.0, 0.2, True)
    assert one.thresholds == ((0.8,), (0.8,))


def test_what_is_stored_says_when_it_was_worked_out() -> None:
    found = told(by_evaluator([row("before", [1.0, 1.0]), row("after", [0.0, 1.0])]), {"conversations": 5, "until": 9})
    assert found == {
        "TaskCompletion": {
            "evaluator_version": "1",
            "compared": True,
            "n_before": 2,
            "n_after": 2,
            "before": 1.0,
            "after": 0.5,
            "difference": -0.5,
            "low": found["TaskCompletion"]["low"],
            "high": found["TaskCompletion"]["high"],
            "passed_before": None,
            "passed_after": None,
            "conversations": 5,
            "until": 9,
        }
    }
