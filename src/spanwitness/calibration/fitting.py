"""Fitting: a logistic regression over the traits, and how far it agrees with labels of groups it has not seen.

scikit-learn fits and parts; it is met here alone, and not needed to score by what was fitted.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spanwitness.errors import ConfigError, SpanWitnessError
from spanwitness.evaluators.traits import TRAITS
from spanwitness.model.calibration import Agreement, Calibration, Weight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from spanwitness.calibration.labels import Labels
    from spanwitness.evaluators import TaskCompletion

    Numbers = NDArray[np.float64]
    Indexes = NDArray[np.intp]

BAR: Final = 0.6
"""What the lower end of the AUC's 95 % interval must be above."""

FEWEST: Final = 30
FEWEST_OF_EITHER: Final = 10
FEWEST_GROUPS: Final = 5

_FOLDS: Final = 5
_INNER_FOLDS: Final = 4
_ROUNDS: Final = 5  # partings into folds: the figures hang on none of them
_STRENGTHS: Final = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # scikit-learn's C: the less, the more it is held back
_SOLVER: Final = "newton-cholesky"  # few traits: a handful of steps, where lbfgs takes tens
_LEAST: Final = 1e-15
_DRAWS: Final = 1000
_SEED: Final = 20_261_120
_CONSTANT: Final = 1e-9


class TooFewError(SpanWitnessError):
    """There is not enough to fit on, or to find out how well it did."""


@dataclass(frozen=True, slots=True)
class _Data:
    names: tuple[str, ...]
    x: Numbers
    y: Indexes
    groups: Indexes


def fit(labels: Labels, evaluator: TaskCompletion) -> Calibration:
    """A calibration and its figures. Whether they reach the bar is for the caller to ask: `reaches_the_bar`.

    Raises:
        TooFewError: fewer labels, labels of either kind or groups than figures could rest on.
        ConfigError: scikit-learn is not installed.
    """
    _check(labels)
    try:
        import sklearn  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigError(
            "calibrating needs scikit-learn, which is not installed: pip install 'spanwitness[calibrate]'"
        ) from None
    constant = {name: values[0] for name in TRAITS if _same(values := [row[name] for row in labels.traits])}
    data = _data(labels, tuple(name for name in TRAITS if name not in constant))
    # Few labels leave folds in which a fit takes more steps than usual; the figures say what it was worth.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agreement = _agreement(data, labels)
        intercept, weights = _weights(data)
    return Calibration(
        evaluator=evaluator.name,
        evaluator_version=evaluator.version,
        intercept=intercept,
        weights=weights,
        agreement=agreement,
        constant=tuple(constant.items()),
    )


def reaches_the_bar(agreement: Agreement) -> bool:
    return agreement.low > agreement.bar


def _check(labels: Labels) -> None:
    kinds = Counter(labels.completed)
    if len(labels) < FEWEST or min(kinds[True], kinds[False]) < FEWEST_OF_EITHER:
        raise TooFewError(
            f"{len(labels)} labelled conversations, {kinds[True]} completed and {kinds[False]} not; needed: {FEWEST}, "
            f"{FEWEST_OF_EITHER} of either kind, and 60 or more for figures that say something"
        )
    groups = len(set(labels.groups))
    if groups < FEWEST_GROUPS:
        raise TooFewError(
            f"{groups} groups; needed: {FEWEST_GROUPS}, since whole groups are left out to find out how well it does"
        )
    for label, title in ((True, "completed"), (False, "not completed")):
        if len({group for group, given in zip(labels.groups, labels.completed, strict=True) if given is label}) == 1:
            raise TooFewError(f"all that were {title} are of one group; needed: two groups, to tell the one from it")


def _same(values: Sequence[float]) -> bool:
    return max(values) - min(values) < _CONSTANT


def _data(labels: Labels, names: tuple[str, ...]) -> _Data:
    import numpy as np

    if not names:
        raise TooFewError("all labelled conversations are alike in every trait; needed: such as differ")
    _, groups = np.unique(np.array(labels.groups, dtype=object), return_inverse=True)
    return _Data(
        names,
        np.array([[row[name] for name in names] for row in labels.traits], dtype=np.float64),
        np.array(labels.completed, dtype=np.intp),
        groups.astype(np.intp),
    )


def _agreement(data: _Data, labels: Labels) -> Agreement:
    """Out of fold, over several partings; the interval by drawing groups with replacement."""
    import numpy as np
    from sklearn.metrics import balanced_accuracy_score

    rounds = [_out_of_fold(data, _SEED + number) for number in range(_ROUNDS)]
    ranked = [np.unique(one, return_inverse=True)[1].astype(np.intp) for one in rounds]
    drawn = [_mean_auc(data.y, ranked, weights) for weights in _draws(data.groups)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Agreement(
        labels=len(data.y),
        positives=int(data.y.sum()),
        groups=int(data.groups.max()) + 1,
        auc=round(_mean_auc(data.y, ranked, np.ones(len(data.y))), 6),
        low=round(float(low), 6),
        high=round(float(high), 6),
        bar=BAR,
        accuracy=round(float(np.mean([balanced_accuracy_score(data.y, one >= 0.5) for one in rounds])), 6),  # noqa: PLR2004
        grouped=labels.grouped == len(labels),
    )


def _draws(groups: Indexes) -> Iterator[Numbers]:
    """How often each conversation is there when as many groups are drawn as there are."""
    import numpy as np

    random, number = np.random.default_rng(_SEED), int(groups.max()) + 1
    for _ in range(_DRAWS):
        yield np.bincount(random.integers(number, size=number), minlength=number)[groups].astype(np.float64)


def weighted_auc(y: Indexes, ranks: Indexes, weights: Numbers) -> float:
    """Chance that a positive outranks a negative, each as often as it weighs; not a number without both.

    As scikit-learn's roc_auc_score, which takes fifty times as long for each of thousands of draws.

    Args:
        y: 0 or 1.
        ranks: of the scores, from 0; equal scores, equal ranks.
        weights: 0 or more.
    """
    import numpy as np

    positive = np.bincount(ranks, weights * y)
    negative = np.bincount(ranks, weights * (1 - y))
    pairs = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / pairs) if pairs else math.nan


def _mean_auc(y: Indexes, rounds: Sequence[Indexes], weights: Numbers) -> float:
    return math.fsum(weighted_auc(y, ranks, weights) for ranks in rounds) / len(rounds)


def _out_of_fold(data: _Data, seed: int) -> Numbers:
    """The probability of each conversation by a model that has seen none of its group."""
    import numpy as np

    found = np.zeros(len(data.y))
    for train, test in _folds(data.x, data.y, data.groups, _FOLDS, seed):
        found[test] = _fitted(data.x[train], data.y[train], data.groups[train], seed).predict_proba(data.x[test])[:, 1]
    return found


def _folds(x: Numbers, y: Indexes, groups: Indexes, most: int, seed: int) -> list[tuple[Indexes, Indexes]]:
    """Partings by group, those left out of which no side lacks a kind of label."""
    from sklearn.model_selection import StratifiedGroupKFold

    number = max(2, min(most, len(set(groups.tolist()))))
    parted = StratifiedGroupKFold(number, shuffle=True, random_state=seed).split(x, y, groups)
    return [(train, test) for train, test in parted if len(set(y[train].tolist())) > 1]


def _fitted(x: Numbers, y: Indexes, groups: Indexes, seed: int) -> Any:
    return _pipeline(_strength(x, y, groups, seed)).fit(x, y)


def _strength(x: Numbers, y: Indexes, groups: Indexes, seed: int) -> float:
    """How far the weights are held back: what loses least on groups left out, within these labels alone."""
    import numpy as np

    # A loss cannot be told where the side left out has labels of one kind only.
    parted = [(a, b) for a, b in _folds(x, y, groups, _INNER_FOLDS, seed) if len(set(y[b].tolist())) > 1]
    if not parted:
        return _STRENGTHS[len(_STRENGTHS) // 2]
    losses = np.mean([_losses(x[a], y[a], x[b], y[b]) for a, b in parted], axis=0)
    return _STRENGTHS[int(np.argmin(losses))]


def _losses(x: Numbers, y: Indexes, unseen: Numbers, truth: Indexes) -> list[float]:
    """Log loss on unseen labels, of each strength; each fit goes on from the one before."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler, regression = StandardScaler().fit(x), LogisticRegression(solver=_SOLVER, warm_start=True)
    scaled, others, found = scaler.transform(x), scaler.transform(unseen), []
    for strength in _STRENGTHS:
        regression.set_params(C=strength).fit(scaled, y)
        of_truth = regression.predict_proba(others)[np.arange(len(truth)), truth]
        found.append(float(-np.log(np.maximum(of_truth, _LEAST)).mean()))
    return found


def _pipeline(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, solver=_SOLVER))


def _weights(data: _Data) -> tuple[float, tuple[Weight, ...]]:
    """Of the model that has seen all of the labels."""
    fitted = _fitted(data.x, data.y, data.groups, _SEED)
    scaler, regression = fitted[0], fitted[-1]
    columns = zip(
        data.names,
        regression.coef_[0],
        scaler.mean_,
        scaler.scale_,
        data.x.min(axis=0),
        data.x.max(axis=0),
        strict=True,
    )
    weights = tuple(Weight(name, *(float(number) for number in numbers)) for name, *numbers in columns)
    return float(regression.intercept_[0]), weights
