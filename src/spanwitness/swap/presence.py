"""How steadily a version answers, and when its silence is more than chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_CHANCE: Final = math.log(0.0001)
_SELDOM: Final = 5
_LONG: Final = 200

LEAST: Final = 5
"""Conversations: a shorter silence is none."""


@dataclass(slots=True)
class Presence:
    """Where a version was seen, counted in conversations.

    Attributes:
        first: the conversation in which it was seen first; likewise `last`.
        count: in how many it was seen.
    """

    first: int
    last: int
    count: int = 1

    def seen(self, at: int) -> None:
        """It was seen in conversation `at`, once or more often."""
        if at != self.last:
            self.last = at
            self.count += 1

    @property
    def seldom(self) -> bool:
        """It was seen too seldom for its silence to say anything."""
        return self.count < _SELDOM

    def gone_by(self, at: int) -> bool:
        """Whether its silence up to conversation number `at` is too long to be chance.

        It was seen in s and missing from m of the conversations after its first. When nothing else is known of its
        share, n more without it have the chance B(m + n + 1, s + 1) / B(m + 1, s + 1). So what was seen once or twice
        must stay away for very long, and two that take turns are not mistaken for two that replace each other.
        """
        silence = at - self.last
        if silence < LEAST:
            return False
        seen, after_first = self.count - 1, self.last - self.first
        missing = after_first - seen
        return _log_beta(missing + silence, seen) - _log_beta(missing, seen) < _CHANCE

    def over_by(self, at: int) -> bool:
        """Whether an entry that tells of it has come to its end: it is gone, or was seldom seen and not for long."""
        return (self.seldom and at - self.last >= _LONG) or self.gone_by(at)


def _log_beta(missing: int, seen: int) -> float:
    return math.lgamma(missing + 1) + math.lgamma(seen + 1) - math.lgamma(missing + seen + 2)
