"""What a change did to scores: the difference of two means, and how sure it is.

Scores lie from 0 to 1, are often 0 or 1 alone, pile up at 1, and a swap is to be judged after a handful of
conversations. The usual intervals fail just there: from three equal scores they conclude that nothing varies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, variance
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LEAST: Final = 2
"""With fewer scores on a side, nothing is known of how they vary."""

_Z: Final = 1.959963984540054
_TAIL: Final = 0.05  # of the t distribution, both sides together
_FEW: Final = 3
_SOME: Final = 10


@dataclass(frozen=True, slots=True)
class ScoreShift:
    """Two samples of scores: their sizes, means and difference (after - before).

    Attributes:
        low: the lower end of the difference's 95 % interval; None, as `high`, where a side has fewer than two scores.
    """

    n_before: int
    n_after: int
    mean_before: float | None
    mean_after: float | None
    difference: float | None
    low: float | None = None
    high: float | None = None

    @property
    def sure(self) -> bool:
        """Whether the interval leaves no room for "no difference"."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True)
class EvaluatorShift:
    """What a change did to the scores of one evaluator.

    Attributes:
        judge: the model that judged; '' where none did.
        version: the evaluator's, the same on both sides; '' where there is none that scored both.
        versions: all that scored before, and all that scored after.
        scores: of that version.
        passed: the same of whether the threshold in force was met; None where there was none on a side.
        thresholds: those in force before, and those in force after.
    """

    evaluator: str
    judge: str
    version: str
    versions: tuple[tuple[str, ...], tuple[str, ...]]
    scores: ScoreShift
    passed: ScoreShift | None = None
    thresholds: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())

    @property
    def name(self) -> str:
        """The evaluator, with its judge where there is one."""
        return f"{self.evaluator}/{self.judge}" if self.judge else self.evaluator

    @property
    def comparable(self) -> bool:
        """Whether one version scored both sides, or a side has no score at all."""
        return bool(self.version) or not all(self.versions)


def shift(before: Sequence[float], after: Sequence[float]) -> ScoreShift:
    """How the scores of two groups of conversations differ.

    The interval: for scores of 0 and 1 alone Newcombe's hybrid score interval (1998, his method 10), which holds for
    other scores from 0 to 1 too (they vary no more than 0 and 1 of the same mean) and is used for fewer than ten of
    them; else Welch's, with a 0 and a 1 added to each side, as Agresti and Caffo (2000) do with proportions, which is
    used for two scores of any kind as well. Scores beyond 0 to 1: Welch's as it is, none where nothing varies.
    """
    means = fmean(before) if before else None, fmean(after) if after else None
    if means[0] is None or means[1] is None:
        return ScoreShift(len(before), len(after), *means, None)
    difference = means[1] - means[0]
    low, high = _interval(before, after) if min(len(before), len(after)) >= LEAST else (None, None)
    if low is not None and high is not None:  # two added scores move the middle
        low, high = min(low, difference), max(high, difference)
    return ScoreShift(len(before), len(after), *means, difference, low, high)


def by_evaluator(rows: Iterable[Mapping[str, Any]]) -> list[EvaluatorShift]:
    """One comparison for each evaluator and judge, by name.

    Args:
        rows: answers to `comparison.SCORES`: of each side, evaluator, judge and version the scores.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["Evaluator"], row["Judge"]), []).append(row)
    return [_compared(*key, group) for key, group in sorted(groups.items())]


def told(found: Iterable[EvaluatorShift], rests_on: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What stands in model_swaps.ScoreShift, by evaluator. `rests_on`: which conversations it was worked out from."""
    return {one.name: {**plain(one), **rests_on} for one in found}


def plain(one: EvaluatorShift) -> dict[str, Any]:
    """A comparison as plain data. `compared`: one version of the evaluator scored both sides."""
    scores, passed = one.scores, one.passed
    return {
        "evaluator_version": one.version,
        "compared": bool(one.version),
        "n_before": scores.n_before,
        "n_after": scores.n_after,
        "before": _rounded(scores.mean_before),
        "after": _rounded(scores.mean_after),
        "difference": _rounded(scores.difference),
        "low": _rounded(scores.low),
        "high": _rounded(scores.high),
        "passed_before": _rounded(passed.mean_before) if passed else None,
        "passed_after": _rounded(passed.mean_after) if passed else None,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _compared(evaluator: str, judge: str, rows: Sequence[Mapping[str, Any]]) -> EvaluatorShift:
    """Versions are never mixed: the one that scored most on both sides, as the fewer of its two samples says."""
    sides = {
        side: {row["EvaluatorVersion"]: row for row in rows if row["Side"] == side} for side in ("before", "after")
    }
    scored = [sorted(version for version, row in found.items() if row["Scores"]) for found in sides.values()]
    both = sorted(set(scored[0]) & set(scored[1]), key=lambda one: (min(_sizes(sides, one)), one))
    if both:
        pair = [found[both[-1]] for found in sides.values()]
        return EvaluatorShift(
            evaluator,
            judge,
            both[-1],
            (tuple(scored[0]), tuple(scored[1])),
            shift(*(row["Scores"] for row in pair)),
            _passed(pair),
            (tuple(sorted(pair[0]["Thresholds"])), tuple(sorted(pair[1]["Thresholds"]))),
        )
    apart = [[score for row in found.values() for score in row["Scores"]] for found in sides.values()]
    counts = len(apart[0]), len(apart[1])
    alone = [fmean(scores) if scores and not all(counts) else None for scores in apart]
    return EvaluatorShift(
        evaluator, judge, "", (tuple(scored[0]), tuple(scored[1])), ScoreShift(*counts, alone[0], alone[1], None)
    )


def _sizes(sides: Mapping[str, Mapping[str, Mapping[str, Any]]], version: str) -> list[int]:
    return [len(found[version]["Scores"]) for found in sides.values()]


def _passed(pair: Sequence[Mapping[str, Any]]) -> ScoreShift | None:
    if not all(row["Judged"] for row in pair):
        return None
    return shift(*([1.0] * row["Passes"] + [0.0] * (row["Judged"] - row["Passes"]) for row in pair))


def _interval(before: Sequence[float], after: Sequence[float]) -> tuple[float | None, float | None]:
    values, least = {*before, *after}, min(len(before), len(after))
    if min(values) < 0 or max(values) > 1:
        return _welch(before, after)
    if least >= _FEW and (values <= {0.0, 1.0} or least < _SOME):
        return _newcombe(before, after)
    return _welch([*before, 0.0, 1.0], [*after, 0.0, 1.0])


def _newcombe(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    first, second = fmean(before), fmean(after)
    (low1, high1), (low2, high2) = wilson(first, len(before)), wilson(second, len(after))
    difference = second - first
    return (
        difference - math.hypot(second - low2, high1 - first),
        difference + math.hypot(high2 - second, first - low1),
    )


def wilson(mean: float, number: int) -> tuple[float, float]:
    """Wilson's score interval (1927), 95 %: of a share of so many, or of a mean of as many values from 0 to 1."""
    square = _Z * _Z / number
    middle = (mean + square / 2) / (1 + square)
    half = math.sqrt(max(mean * (1 - mean), 0.0) * square + square * square / 4) / (1 + square)
    return middle - half, middle + half


def _welch(before: Sequence[float], after: Sequence[float]) -> tuple[float | None, float | None]:
    errors = variance(before) / len(before), variance(after) / len(after)
    error = sum(errors)
    if error <= 0:
        return None, None
    # As shares of the whole, so that tiny variances do not vanish when they are squared.
    freedom = 1 / sum((part / error) ** 2 / (len(side) - 1) for part, side in zip(errors, (before, after), strict=True))
    difference, half = fmean(after) - fmean(before), t_quantile(freedom) * math.sqrt(error)
    return difference - half, difference + half


def t_quantile(freedom: float) -> float:
    """The quantile of Student's t that leaves 2.5 % on either side, by Hill's algorithm 396 (CACM, 1970).

    Any fraction from 2 degrees of freedom on: what it leaves out is 2.5 % to within 0.001 %. Fewer count as 1.
    """
    if freedom < LEAST:
        return math.tan((1 - _TAIL) * math.pi / 2)
    if freedom == LEAST:
        return math.sqrt(2 / (_TAIL * (2 - _TAIL)) - 2)
    a = 1 / (freedom - 0.5)
    b = 48 / (a * a)
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    y = (d * _TAIL) ** (2 / freedom)
    if y > _TAIL + a:
        x, y = -_Z, _Z * _Z
        c += 0.3 * (freedom - 4.5) * (x + 0.6) if freedom < 5 else 0  # noqa: PLR2004 - Hill's
        c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        y = (
            (1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3) + 0.5 / (freedom + 4)) * y
            - 1
        ) * (freedom + 1) / (freedom + 2) + 1 / y
    return math.sqrt(freedom * y)
