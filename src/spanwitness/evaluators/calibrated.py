"""A calibration applied: from the traits of a conversation to a probability, and what it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spanwitness.evaluators.traits import LANGUAGE, TRAITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spanwitness.model.calibration import Calibration, Weight

CUT: Final = 0.5
"""From this probability on, more likely completed than not."""

_MOST_OUTSIDE: Final = 0.25  # of the traits: what is further from the labels than that is not judged by them
_ROUNDING: Final = 1e-9
_STEEPEST: Final = 700.0  # where exp() ends
_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a calibration makes of a conversation.

    Attributes:
        pulls: of each weighed trait what it adds to the logit, the strongest first.
        outside: traits beyond what was met among the labelled conversations; each counts as the nearest of those.
        alien: too little like the labelled conversations to be judged by them: another language, or more than a
            quarter of the traits outside.
    """

    probability: float
    pulls: tuple[tuple[Weight, float], ...]
    outside: tuple[str, ...]
    alien: bool


def weigh(calibration: Calibration, traits: Mapping[str, float]) -> Weighed:
    """Applies a calibration. Nothing is extrapolated: a trait beyond the labelled range counts as its edge."""
    pulls = [(weight, _pull(weight, traits[weight.trait])) for weight in calibration.weights]
    logit = calibration.intercept + math.fsum(pull for _, pull in pulls)
    outside = tuple(_outside(calibration, traits))
    known = len(calibration.weights) + len(calibration.constant)
    return Weighed(
        probability=1 / (1 + math.exp(min(max(-logit, -_STEEPEST), _STEEPEST))),
        pulls=tuple(sorted(pulls, key=lambda each: (-abs(each[1]), each[0].trait))),
        outside=outside,
        alien=LANGUAGE in outside or len(outside) > _MOST_OUTSIDE * known,
    )


def reasons(weighed: Weighed, traits: Mapping[str, float]) -> str:
    """The strongest traits on either side, each beside whether it is above or below the mean of the labelled."""
    told = []
    for title, sign in (("For it", 1), ("Against it", -1)):
        found = [weight for weight, pull in weighed.pulls if pull * sign > 0][:_TOLD]
        words = ", ".join(f"{weight.trait} {_side(traits[weight.trait], weight.mean)}" for weight in found)
        told += [f"{title}: {words}."] if words else []
    if weighed.outside:
        told.append(f"Beyond the labels, counted as their edge: {', '.join(weighed.outside)}.")
    return " ".join(told)


def usable(calibration: Calibration) -> bool:
    """Whether it weighs traits that are measured here, by numbers that one can compute with."""
    named = {weight.trait for weight in calibration.weights} | {trait for trait, _ in calibration.constant}
    numbers = [calibration.intercept, *(value for _, value in calibration.constant)]
    for weight in calibration.weights:
        numbers += [weight.weight, weight.mean, weight.scale, weight.low, weight.high]
    return named <= TRAITS.keys() and all(map(math.isfinite, numbers)) and all(w.scale > 0 for w in calibration.weights)


def _pull(weight: Weight, value: float) -> float:
    held = min(max(value, weight.low), weight.high)
    return min(max(weight.weight * (held - weight.mean) / weight.scale, -_STEEPEST), _STEEPEST)


def _outside(calibration: Calibration, traits: Mapping[str, float]) -> Iterable[str]:
    for weight in calibration.weights:
        if not weight.low - _ROUNDING <= traits[weight.trait] <= weight.high + _ROUNDING:
            yield weight.trait
    for trait, value in calibration.constant:
        if abs(traits[trait] - value) > _ROUNDING:
            yield trait


def _side(value: float, mean: float) -> str:
    return "high" if value > mean else "low"
