"""Counts the conversations of a slot, what was seen in them, and which were the last fifty."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from spanwitness.model import Traffic, Use

LAST: Final = 50
"""Conversations: what "now" means of a share."""

_ALL: Final = 0.95
_FALLBACK: Final = 0.8

Token = Hashable
"""What is counted: a version, a prompt, a pair of names."""


@dataclass(slots=True)
class Count:
    """How often something was seen. `after_failure`: calls that came next after a failed one of another model."""

    talks: int = 0
    calls: int = 0
    after_failure: int = 0

    def since(self, before: Count) -> Count:
        """What has been added to `before`."""
        return Count(self.talks - before.talks, self.calls - before.calls, self.after_failure - before.after_failure)

    def now(self) -> Count:
        """As it is now."""
        return Count(self.talks, self.calls, self.after_failure)

    @property
    def fallback(self) -> bool:
        """Whether it steps in where another model fails."""
        return self.after_failure >= 1 and self.after_failure >= _FALLBACK * self.calls


@dataclass(slots=True)
class _Talk:
    number: int
    seen: dict[Token, Count] = field(default_factory=dict)


class Track:
    """The conversations of a slot in order of their first use. `number`: how many there are."""

    def __init__(self) -> None:
        self.number = 0
        self._counts: dict[Token, Count] = {}
        self._recent: dict[str, _Talk] = {}

    def open(self, conversation: str) -> None:
        """Another conversation begins."""
        self.number += 1
        self._recent[conversation] = _Talk(self.number)
        if len(self._recent) > LAST:
            del self._recent[next(iter(self._recent))]

    def add(self, use: Use, token: Token, *, new: bool) -> None:
        """Counts a use. `new`: the first of this token in its conversation."""
        count = self._counts.setdefault(token, Count())
        _add(count, use, new=new)
        talk = self._recent.get(use.conversation_id)
        if talk is not None:
            _add(talk.seen.setdefault(token, Count()), use, new=False)

    def count(self, token: Token) -> Count:
        """What was counted so far."""
        return self._counts.get(token, Count()).now()

    def recent(self) -> int:
        """How many conversations the shares are of."""
        return len(self._recent)

    def share(self, token: Token) -> float:
        """The share of the last conversations in which it was seen."""
        return sum(token in talk.seen for talk in self._recent.values()) / max(len(self._recent), 1)

    def calls(self, token: Token) -> int:
        """Its calls in the last conversations."""
        return sum(talk.seen[token].calls for talk in self._recent.values() if token in talk.seen)

    def traffic(self, token: Token, since: int, total: Count) -> Traffic:
        """What it took over of the last conversations, from number `since` on. `total`: all of it since then."""
        talks = [talk for talk in self._recent.values() if talk.number >= since]
        with_it = [talk.seen[token] for talk in talks if token in talk.seen]
        calls = sum(count.calls for count in with_it)
        if (Count(0, calls, sum(count.after_failure for count in with_it)) if with_it else total).fallback:
            return "fallback"
        return "all" if len(with_it) >= _ALL * len(talks) else "part"


def _add(count: Count, use: Use, *, new: bool) -> None:
    count.talks += new
    count.calls += use.calls
    count.after_failure += use.after_failure
