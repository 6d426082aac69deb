"""What agreement is told in: a statistic of what we said against labels, with a 95 % interval by bootstrap over groups.

AUC, kappa and balanced accuracy are scikit-learn's. Groups, not rows, are drawn again:
rows of one group (a customer, a source text, a template) are alike, and an interval over rows would be too narrow.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from sklearn import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

Values: TypeAlias = "NDArray[Any]"
Statistic: TypeAlias = "Callable[[Values, Values], float]"

DRAWS: Final = 1000
_SEED: Final = 20_261_121
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Pair:
    """What we said, what the label says, and the group that was parted as a whole between the halves."""

    ours: Any
    truth: Any
    group: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure, on which part of the data, and its value.

    Attributes:
        low: lower end of the interval, likewise high; None where drawing again tells nothing, as of a share of 1.
        n: what the value was taken over; `groups` how many groups these are of.
    """

    measure: str
    on: str
    value: float
    low: float | None
    high: float | None
    n: int
    groups: int


def figure(measure: str, on: str, statistic: Statistic, pairs: Iterable[Pair], *, draws: int = DRAWS) -> Figure:
    """Raises ValueError where there are no pairs: a figure that is missing must not look like one that was measured."""
    rows = list(pairs)
    if not rows:
        raise ValueError(f"no data for {measure} on {on}")
    ours, truth = np.array([row.ours for row in rows]), np.array([row.truth for row in rows])
    members = _members([row.group for row in rows])
    low, high = _interval(ours, truth, members, statistic, draws)
    return Figure(measure, on, _rounded(statistic(ours, truth)), low, high, len(rows), len(members))


def flags(what: str, flag: str, on: str, pairs: Iterable[Pair]) -> list[Figure]:
    """Of flags: how many were set, how often rightly against how often it is so anyhow, and how many were found.

    Args:
        what: what the label says, as in "dissatisfied".
        flag: what we call the flag, as in "`at_risk`".
    """
    rows = list(pairs)
    return [
        figure(f"{flag}, share of all", on, share_said, rows),
        figure(f"{flag}, of these {what}", on, share_true, (row for row in rows if row.ours)),
        figure(f"{what}, share of all", on, share_true, rows),
        figure(f"{what}, of these {flag}", on, share_said, (row for row in rows if row.truth)),
    ]


def count(measure: str, on: str, value: float, n: int, groups: int) -> Figure:
    """A plain value, without an interval."""
    return Figure(measure, on, _rounded(value), None, None, n, groups)


def _members(groups: list[str]) -> list[NDArray[np.intp]]:
    names, numbers = np.unique(np.array(groups, dtype=object).astype(str), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    return list(np.split(order, np.cumsum(np.bincount(numbers, minlength=len(names)))[:-1]))


def _interval(
    ours: Values, truth: Values, members: list[NDArray[np.intp]], statistic: Statistic, draws: int
) -> tuple[float | None, float | None]:
    drawn = []
    random = np.random.default_rng(_SEED)
    for _ in range(draws):
        rows = np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])
        value = statistic(ours[rows], truth[rows])
        if not math.isnan(value):  # a draw in which a label is missing altogether
            drawn.append(value)
    if len(drawn) < draws / 2:
        return None, None
    low, high = (_rounded(float(end)) for end in np.percentile(drawn, [2.5, 97.5]))
    return (low, high) if low < high else (None, None)  # all right, or all wrong: drawing again tells nothing


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS)


def auc(ours: Values, truth: Values) -> float:
    """Chance that one whose label is true has the higher value."""
    if len(np.unique(truth)) < 2:
        return math.nan
    return float(metrics.roc_auc_score(truth, ours))


def kappa(ours: Values, truth: Values) -> float:
    """Cohen's: agreement beyond chance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(metrics.cohen_kappa_score(ours, truth))


def balanced_accuracy(ours: Values, truth: Values) -> float:
    if len(np.unique(truth)) < 2:
        return math.nan
    return float(metrics.recall_score(truth, ours, labels=np.unique(truth), average="macro", zero_division=0))


def spearman(ours: Values, truth: Values) -> float:
    if len(np.unique(ours)) < 2 or len(np.unique(truth)) < 2:
        return math.nan
    return float(np.corrcoef(_ranks(ours), _ranks(truth))[0, 1])


def _ranks(values: Values) -> Values:
    """Values that are the same share the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Values = np.cumsum(counts) - (counts - 1) / 2
    return ranks[places]


def share_said(ours: Values, _truth: Values) -> float:
    """How many of them we said it of."""
    return float(np.mean(ours))


def share_true(_ours: Values, truth: Values) -> float:
    """How many are so, whatever we said."""
    return float(np.mean(truth))


def above_base(ours: Values, truth: Values) -> float:
    """How many more are so among those we said it of than among all."""
    said = ours.astype(bool)
    return float(np.mean(truth[said])) - float(np.mean(truth)) if said.any() else math.nan


def counted(kind: str) -> Statistic:
    """Precision, recall or F1 of things found in texts; `ours` holds [right, found, there] of each text."""
    return partial(_counted, kind)


def _counted(kind: str, ours: Values, _truth: Values) -> float:
    right, found, there = (float(total) for total in ours.sum(axis=0))
    over = {"precision": found, "recall": there, "F1": (found + there) / 2}[kind]
    return right / over if over else math.nan
