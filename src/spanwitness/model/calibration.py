"""A calibration: what a tenant's own labels say of which conversations were completed. Frozen values, no I/O."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


@dataclass(frozen=True, slots=True)
class Weight:
    """What a trait counts for, and how it was spread over the labelled conversations.

    Attributes:
        weight: of the standardised trait, in the logit of completion.
        low: the least value among the labelled; likewise `high`.
    """

    trait: str
    weight: float
    mean: float
    scale: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a calibration agrees with labels that it was not fitted on: out of fold, whole groups left out.

    Attributes:
        labels: how many conversations were labelled, of which `positives` as completed, in `groups` groups.
        auc: chance that a completed conversation ranks above a failed one.
        low: lower end of the 95 % interval of `auc`, by bootstrap over groups; likewise `high`.
        bar: what `low` had to be above.
        accuracy: balanced accuracy of "0.5 or more" against the label.
        grouped: whether all of the labels named their group.
    """

    labels: int
    positives: int
    groups: int
    auc: float
    low: float
    high: float
    bar: float
    accuracy: float
    grouped: bool = True


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression over the traits of a conversation, fitted on a tenant's labels.

    Attributes:
        version: 1 for a tenant's first, 2 for the next; 0 for one that is not on record.
        evaluator_version: of the evaluator whose traits it weighs; of another one they may mean something else.
        constant: traits that were the same in all labelled conversations, with that value: they have no weight.
        valid_from: conversations that begin from then on are scored by it.
        source: the file of labels, or what it was called.
    """

    evaluator: str
    evaluator_version: str
    intercept: float
    weights: tuple[Weight, ...]
    agreement: Agreement
    constant: tuple[tuple[str, float], ...] = ()
    tenant: str = ""
    version: int = 0
    valid_from: dt.datetime = field(default=_EPOCH)
    source: str = ""

    def model(self) -> dict[str, Any]:
        """What it computes with, and how it was found to agree, as JSON has it."""
        return {
            "intercept": self.intercept,
            "weights": [_fields(weight) for weight in self.weights],
            "constant": [list(each) for each in self.constant],
            "agreement": _fields(self.agreement),
        }

    @classmethod
    def of(cls, model: Mapping[str, Any], **fields: Any) -> Calibration:
        """The calibration of such a model. Raises KeyError, TypeError or ValueError where it is none."""
        return cls(
            intercept=float(model["intercept"]),
            weights=tuple(Weight(**weight) for weight in model["weights"]),
            constant=tuple((str(trait), float(value)) for trait, value in model["constant"]),
            agreement=Agreement(**model["agreement"]),
            **fields,
        )


def _fields(value: Weight | Agreement) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
