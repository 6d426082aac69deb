"""What changed, in words: the features that differ most, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from spanwitness.drift.features import FEATURES, TOOL_SLOTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spanwitness.drift.evidence import Windows
    from spanwitness.drift.reference import Reference

    Floats = NDArray[np.float64]

MOST_SHIFTS: Final = 5


@dataclass(frozen=True, slots=True)
class Shift:
    """One feature before (mean of the reference) and after (mean since the change).

    Attributes:
        name: the feature, as in docs/drift.md.
        says: what it is, in words.
        before: its usual value; for lengths and times the geometric mean.
        after: its value since the change.
        strength: the difference, corrected for the input, in standard deviations of a single conversation.
        certainty: the same in standard errors: how sure it is that there is a difference.
    """

    name: str
    says: str
    before: float
    after: float
    strength: float
    certainty: float

    def __str__(self) -> str:
        """One line for an alarm."""
        return f"{self.says}: {self.before:.3g} before, {self.after:.3g} since ({self.strength:+.1f} sd)"


def strongest(
    reference: Reference,
    found: Windows,
    at: int,
    values: NDArray[np.float32],
    group: str,
    tools: Sequence[str],
) -> tuple[Shift, ...]:
    """The surest differences of a group in window `at`, surest first.

    `values`: the raw values of the latest conversations, watched columns only, the latest last.
    """
    columns = reference.groups[group].columns
    certainty = found.differences[at, columns] / np.sqrt(found.variances[at, columns])
    since = values[-int(found.lengths[at]) :][:, columns]
    shifts: list[Shift] = []
    for place in np.argsort(-np.abs(certainty), kind="stable"):
        known = since[:, place][~np.isnan(since[:, place])]
        if not len(known) or len(shifts) == MOST_SHIFTS:
            continue
        feature = FEATURES[reference.columns[columns[place]]]
        shifts.append(
            Shift(
                name=feature.name,
                says=_with_tool(feature.says, feature.name, tools),
                before=feature.told(float(reference.means[columns[place]])),
                after=feature.told(float(known.mean())),
                strength=float(found.differences[at, columns[place]]),
                certainty=float(certainty[place]),
            )
        )
    return tuple(shifts)


def _with_tool(says: str, name: str, tools: Sequence[str]) -> str:
    begin, _, slot = name.partition(":")
    if begin != "tool" or not slot.isdigit() or int(slot) >= min(len(tools), TOOL_SLOTS):
        return says
    return f"calls to the tool {tools[int(slot)]}, as a share of the calls"
