"""What a slot is like while nothing changes: scores, what the input explains of them, and how they vary together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from spanwitness.drift.features import COVARIATES, FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spanwitness.drift.counting import Counted
    from spanwitness.drift.features import Kind

    Floats = NDArray[np.float64]

# A feature is watched where half of the reference has it.
_NEEDED: Final = 0.5
_KNOTS: Final = 64
# Scores are normal quantiles of ranks. A feature that hardly ever occurs has hardly any spread; its first occurrence
# must not count as many standard deviations, so no spread is taken for less than these.
_LEAST_SPREAD: Final = 0.6
_LEAST_REST: Final = 0.3
_LEAST_VARIANCE: Final = 0.3  # along an axis of several
# No conversation counts more than this in one feature (standard deviations), nor over a family of features more than
# the oddest tenth of the reference (where that hardly varies, a share of the number of features): a swap is many
# conversations that differ, not one that is strange.
_CLIP: Final = 3.0
_CLIP_STEP: Final = 4.0
_CAP_AT: Final = 0.9
_LEAST_CAP: Final = 0.4
# What the input explains is estimated with the weight of so many conversations that say "nothing".
_RIDGE: Final = 2.0
_MOST_TOPICS: Final = 8
_TOPIC_NEEDS: Final = 3
_GRID: Final = np.linspace(0.0005, 0.9995, 1999)
_QUANTILES: Final = np.array([NormalDist().inv_cdf(float(p)) for p in _GRID])
# What evidence is gathered over: all that is the model's, parts of it, and what tells other causes.
GROUPS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "model": ("hand", "text", "tools", "tokens"),
    "style": ("hand", "text", "tools"),
    "text": ("hand", "text"),
    "hand": ("hand",),
    "tools": ("tools",),
    "tokens": ("tokens",),
    "prompt": ("prompt",),
    "user": ("user",),
    "latency": ("latency",),
}
CAPPED: Final[tuple[str, ...]] = ("text", "tools", "tokens", "user", "latency")  # these share no feature
_CONSTANT: Final = 1e-6
_LEAST_TOKENS: Final = 3.0
_MOST_OWN: Final = 0.9


@dataclass(frozen=True, slots=True)
class Group:
    """Features that are judged together: their columns, and the axes of their joint variation with its variances."""

    columns: NDArray[np.int64]
    axes: Floats
    variances: Floats


@dataclass(frozen=True, slots=True)
class Reference:
    """A fitted reference. `columns` are the watched features, by their place in FEATURES; all else is in their order.

    Scores of a conversation are explained as `x @ coefficients`, x from `design`; `gram` = X'X + ridge over the
    reference and `cross` = X'Z, so that later conversations can be added.
    """

    size: int
    columns: NDArray[np.int64]
    knots: Floats  # (knots, features)
    spread: Floats
    centre: Floats
    scale: Floats  # of the covariates
    topics: tuple[str, ...]
    gram: Floats
    cross: Floats
    coefficients: Floats
    rest: Floats  # standard deviation of what the input does not explain
    means: Floats  # of the raw values
    groups: Mapping[str, Group]
    caps: Mapping[str, float]

    def design(self, one: Counted) -> Floats:
        """The row of explaining variables: 1, covariates, topic; the last is for a topic the reference hardly knew."""
        covariates = np.clip((one.covariates - self.centre) / self.scale, -3, 3)
        topic = [float(one.topic == name) for name in self.topics]
        return np.concatenate([[1.0], covariates, topic, [float(one.topic not in self.topics)]])

    def explained_by(self) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
        """Which variables explain which features: (their places in a row, the features' places), disjoint.

        What the user first says is explained by the topic alone: it is the input, and the control for all the rest.
        """
        every = np.arange(len(self.gram))
        user = np.array([FEATURES[column].kind == "user" for column in self.columns], dtype=bool)
        topic = np.delete(every, np.arange(1, 1 + len(COVARIATES)))
        return (every, np.flatnonzero(~user)), (topic, np.flatnonzero(user))

    def score(self, one: Counted, x: Floats) -> Floats:
        """The scores of a conversation, none of them, nor all together, further out than one may count.

        Where a value is missing, the score is what the input lets expect.
        """
        explained: Floats = x @ self.coefficients
        values = one.values[self.columns]
        scores = _scores(values[None], self.knots, self.columns)[0] / self.spread
        clips = _clips(self.columns)
        rest = np.where(np.isnan(values), 0.0, np.clip((scores - explained) / self.rest, -clips, clips))
        for name, cap in self.caps.items():
            group = self.groups[name]
            energy = _energy(rest[None, group.columns], group)[0]
            if energy > cap:
                rest[group.columns] *= np.sqrt(cap / energy)
        return explained + rest * self.rest


def nothing(size: int) -> Reference:
    """The reference of conversations too few, or too odd, to learn from: it watches no feature."""
    empty, width = np.empty(0), 2 + len(COVARIATES)
    return Reference(
        size=size,
        columns=np.empty(0, dtype=np.int64),
        knots=np.empty((_KNOTS, 0)),
        spread=empty,
        centre=np.zeros(len(COVARIATES)),
        scale=np.ones(len(COVARIATES)),
        topics=(),
        gram=np.eye(width),
        cross=np.empty((width, 0)),
        coefficients=np.empty((width, 0)),
        rest=empty,
        means=empty,
        groups={},
        caps={},
    )


def fit(counted: Sequence[Counted]) -> Reference:
    """Learns what is usual of at least a handful of conversations."""
    values = np.array([one.values for one in counted])
    columns = np.flatnonzero((~np.isnan(values)).mean(0) >= _NEEDED)
    if not len(columns):
        return nothing(len(counted))
    values = values[:, columns]
    knots = np.nanquantile(values, np.linspace(0, 1, _KNOTS), axis=0, method="inverted_cdf")
    knots = knots.astype(np.float32).astype(float)
    scores = _scores(values, knots, columns)
    spread = np.maximum(scores.std(0), _LEAST_SPREAD)
    covariates = np.array([one.covariates for one in counted])
    deviation = covariates.std(0)
    topics = Counter(one.topic for one in counted).most_common(_MOST_TOPICS)
    draft = replace(
        nothing(len(counted)),
        columns=columns,
        knots=knots,
        spread=spread,
        centre=covariates.mean(0),
        scale=np.where(deviation > _CONSTANT, deviation, 1.0),
        topics=tuple(name for name, number in topics if number >= _TOPIC_NEEDS),
        means=np.nanmean(values, axis=0),
    )
    return _explained(draft, np.array([draft.design(one) for one in counted]), scores / spread)


def _explained(draft: Reference, x: Floats, scores: Floats) -> Reference:
    ridge = np.full(x.shape[1], _RIDGE)
    ridge[0] = _CONSTANT  # the mean is what it is
    gram = x.T @ x + np.diag(ridge)
    cross = x.T @ scores
    coefficients, left = np.zeros_like(cross), np.empty_like(scores)
    for by, columns in replace(draft, gram=gram).explained_by():
        inside, row = gram[np.ix_(by, by)], x[:, by]
        coefficients[np.ix_(by, columns)] = np.linalg.solve(inside, cross[np.ix_(by, columns)])
        # What is left of each conversation had it not been part of the reference itself.
        own = np.einsum("ij,ij->i", row, np.linalg.solve(inside, row.T).T)
        rests = scores[:, columns] - x @ coefficients[:, columns]
        left[:, columns] = rests / (1 - np.minimum(own, _MOST_OWN))[:, None]
    rest = np.maximum(np.sqrt((left**2).mean(0)), _LEAST_REST)
    clips = _clips(draft.columns)
    left = np.clip(left / rest, -clips, clips)
    kinds = np.array([FEATURES[column].kind for column in draft.columns])
    groups: dict[str, Group] = {}
    for name, members in GROUPS.items():
        chosen = np.flatnonzero(np.isin(kinds, members))
        if len(chosen):
            groups[name] = _group(chosen, left[:, chosen])
    caps = {name: _cap(left[:, groups[name].columns], groups[name]) for name in CAPPED if name in groups}
    return replace(draft, gram=gram, cross=cross, coefficients=coefficients, rest=rest, groups=groups, caps=caps)


def _group(columns: NDArray[np.int64], left: Floats) -> Group:
    """Axes of variation, the covariance shrunk towards a round one (Ledoit and Wolf, 2004)."""
    number, width = left.shape
    covariance = left.T @ left / number
    mean = np.trace(covariance) / width
    distance = ((covariance - mean * np.eye(width)) ** 2).sum()
    error = ((left**2).sum(1) ** 2).sum() / number**2 - (covariance**2).sum() / number
    share = 1.0 if distance <= 0 else float(np.clip(error / distance, 0, 1))
    variances, axes = np.linalg.eigh((1 - share) * covariance + share * mean * np.eye(width))
    return Group(columns, axes.astype(np.float16).astype(float), np.maximum(variances, _LEAST_VARIANCE))  # as stored


def _cap(left: Floats, group: Group) -> float:
    """What a conversation may count over a group; no less than if all of its features varied by themselves."""
    return max(float(np.quantile(_energy(left, group), _CAP_AT)), _LEAST_CAP * len(group.columns))


def _energy(left: Floats, group: Group) -> Floats:
    energy: Floats = ((left @ group.axes) ** 2 / group.variances).sum(1)
    return energy


def _clips(columns: NDArray[np.int64]) -> Floats:
    return np.array([_CLIP_STEP if FEATURES[column].kind == "prompt" else _CLIP for column in columns])


def _scores(values: Floats, knots: Floats, columns: NDArray[np.int64]) -> Floats:
    """Normal quantiles of the ranks among the reference; 0, "as usual", where a value is missing.

    A step of the prompt's size is told in units of its own spread instead: there the size is the point.
    """
    told = values.astype(np.float32).astype(float)  # as the knots are
    below = np.array([(knots < row).sum(0) + (knots <= row).sum(0) for row in told]) / 2
    scores = np.interp((below + 0.5) / (len(knots) + 1), _GRID, _QUANTILES)
    for at in np.flatnonzero([FEATURES[column].kind == "prompt" for column in columns]):
        scores[:, at] = (told[:, at] - np.median(knots[:, at])) / max(float(knots[:, at].std()), _LEAST_TOKENS)
    return np.where(np.isnan(values), 0.0, scores)
