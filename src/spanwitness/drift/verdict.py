"""What the detector answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.drift.explain import Shift

Cause = Literal["model", "prompt", "input", "infrastructure", ""]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known after a conversation.

    Attributes:
        alarm: something has changed, and it is known what.
        cause: what: another model answers; the prompt (or the accounting of tokens) changed; the users changed; only
            times and caching changed. Empty while there is no alarm.
        since: which conversation after `fit` (the first is 1) most likely was the first after the change; 0 without
            an alarm.
        features: with an alarm, the surest differences that fit the cause, before and after.
        evidence: for 'model', 'prompt', 'input' and 'infrastructure', as far as there is data, the odds for a change as
            a power of ten; under '<name> needed' the power of ten at which it counts. 'effective reference': how many
            conversations the reference is worth for the input of late; 'smallest shift': the shift of a single
            feature, in standard deviations, that 50 conversations would show. Fewer keys while there is too little.
    """

    alarm: bool = False
    cause: Cause = ""
    since: int = 0
    features: tuple[Shift, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)
