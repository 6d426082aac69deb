"""How much a change explains the latest conversations better than no change: Bayes factors over windows.

For each restart, the conversations since then are held against the reference together with all conversations between.
The mean difference has variance 1/w + x'A⁻¹x per unit: w conversations in the window, and the error of what the
reference would expect of *their* input (A⁻¹ from the regression). That second term is the tolerance: a mix of topics
that the reference knows little of makes it large by itself. A shift is taken as normal with a scale of SHIFTS standard
deviations. Averages of Bayes factors are e-values, and their sum over restarts is a Shiryaev-Roberts statistic, whose
expectation without a change grows by one a conversation: crossing T takes at least T conversations on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spanwitness.drift.reference import Group, Reference

    Floats = NDArray[np.float64]

# Never fewer conversations than the first; each stands for the restarts down to the one before.
WINDOWS: Final = (4, 5, 6, 8, 10, 13, 17, 22, 30, 40, 55, 80, 120, 200)
LONGEST: Final = WINDOWS[-1]
SHIFTS: Final = (0.05, 0.15, 0.4, 1.0)
_STEPS: Final = (1.0, 4.0)
_WEIGHTS: Final = np.log(np.diff(WINDOWS, prepend=0).astype(float))


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows that end now: their lengths, what each differs by (standard deviations), and with what variance."""

    lengths: NDArray[np.int64]
    differences: Floats  # (windows, features)
    variances: Floats  # the same

    @property
    def weights(self) -> Floats:
        """How many restarts each stands for, as a logarithm."""
        weights: Floats = _WEIGHTS[: len(self.lengths)]
        return weights


def windows(reference: Reference, gram: Floats, cross: Floats, rows: Floats, scores: Floats) -> Windows:
    """Holds the ends of `rows` (explaining variables) and `scores` against all that came before them.

    `gram` and `cross`: the reference with what has already left the rows.
    """
    length = len(rows)
    lengths = np.array([window for window in WINDOWS if window <= length], dtype=np.int64)
    differences = np.empty((len(lengths), scores.shape[1]))
    variances = np.empty_like(differences)
    gram, cross, since, parts = gram.copy(), cross.copy(), 0, reference.explained_by()
    ends = np.cumsum(rows[::-1], axis=0), np.cumsum(scores[::-1], axis=0)
    for at in range(len(lengths) - 1, -1, -1):
        window = int(lengths[at])
        before = slice(since, length - window)
        gram += rows[before].T @ rows[before]
        cross += rows[before].T @ scores[before]
        since = length - window
        mean, seen = ends[0][window - 1] / window, ends[1][window - 1] / window
        for by, columns in parts:
            weights = np.zeros(len(gram))
            weights[by] = np.linalg.solve(gram[by][:, by], mean[by])
            differences[at, columns] = ((seen - weights @ cross) / reference.rest)[columns]
            variances[at, columns] = 1 / window + mean @ weights
    return Windows(lengths, differences, variances)


def together(found: Windows, group: Group, *, step: bool = False) -> Floats:
    """Per window the log e-value of a shift in any direction over a group of features."""
    along = (found.differences[:, group.columns] @ group.axes) ** 2
    variances = found.variances[:, group.columns[:1]] * group.variances
    return average([_factor(along, variances, scale).sum(1) for scale in (_STEPS if step else SHIFTS)])


def alone(found: Windows, group: Group) -> Floats:
    """Per window the log e-value of a shift in one feature, whichever it is."""
    # All features of a group share the variance of their window.
    squares, variances = found.differences[:, group.columns] ** 2, found.variances[:, group.columns[:1]]
    every = np.concatenate([_factor(squares, variances, scale) for scale in SHIFTS], axis=1)
    return average(every.T)


def average(parts: Sequence[Floats] | Floats) -> Floats:
    """The log of the mean of e-values given as logs."""
    stacked = np.asarray(parts)
    most = stacked.max(0)
    found: Floats = most + np.log(np.exp(stacked - most).mean(0))
    return found


def restarts(found: Windows, logs: Floats) -> float:
    """The log of the Shiryaev-Roberts statistic: the sum over all restarts."""
    return float(np.logaddexp.reduce(logs + found.weights)) if len(logs) else -np.inf


def best(found: Windows, logs: Floats) -> int:
    """The window that weighs most: where the change most likely is."""
    return int(np.argmax(logs + found.weights))


def _factor(squares: Floats, variances: Floats, scale: float) -> Floats:
    """The log Bayes factor of a normal shift of this scale, given squared differences and their variances."""
    ratio = scale * scale / variances
    factor: Floats = 0.5 * (squares * ratio / (variances * (1 + ratio)) - np.log(1 + ratio))
    return factor
