"""The watch over one model version of one slot: learns, watches, and learns anew after each change that it has told."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from spanwitness.drift.detector import DriftDetector
from spanwitness.drift.evidence import LONGEST
from spanwitness.drift.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.drift.counting import Counted

Phase = Literal["learning", "watching", "alarmed"]
_PROMPTS_TOLD: Final = 3
_RETURNED: Final = 50
_LOOK_EVERY: Final = 25
_NO_AGREEMENT: Final = 20.0


@dataclass(slots=True)
class Standing:
    """The last change that was told of it, as long as it stands: its key in the ledger beside slot and version."""

    swap_class: str
    from_version: str
    to_version: str
    occurrence: int


@dataclass(slots=True)
class Course:
    """One model version of one slot. Conversations are known by their number in the slot, counting up.

    Attributes:
        needed: how many conversations a reference has.
        rate: false alarms to be had per 1,000 conversations, at most.
        begin: the reference is learnt from conversations of this number and later ones.
        last: number of the last conversation taken in; 0 before the first.
        conversations: how many were taken in, ever.
        standing: what was told of it and stands.
        former: of a model that was told to have changed, where the reference before begins; 0 for none.
        told_at: how many conversations there were then.
        returns_in: how many have to agree with the reference before until it counts as returned.
    """

    needed: int
    rate: float
    begin: int = 1
    last: int = 0
    conversations: int = 0
    standing: Standing | None = None
    former: int = 0
    told_at: int = 0
    returns_in: int = 0
    _learning: list[tuple[int, Counted]] = field(default_factory=list)
    _detector: DriftDetector | None = None
    _watched: int = 0

    @property
    def phase(self) -> Phase:
        """`alarmed` while a change stands, whatever is being learnt meanwhile."""
        if self.standing is not None and self.standing.swap_class == "disguised":
            return "alarmed"
        return "watching" if self._detector is not None else "learning"

    @property
    def learns(self) -> bool:
        """Whether it has no reference yet. Then its state holds none of what it has learnt so far: see `resume`."""
        return self._detector is None

    @property
    def learnt(self) -> int:
        """Conversations of the reference so far."""
        return len(self._learning) if self._detector is None else self.needed

    @property
    def watched(self) -> int:
        """Conversations that the present reference has been held against."""
        return self._watched

    def take(self, number: int, counted: Counted) -> Verdict | None:
        """Takes the next conversation in. A verdict where it shows that something has changed; then `relearn` is due.

        Times alone are no change: the same model on another day answers faster or slower.
        """
        self.last = number
        self.conversations += 1
        if self._detector is None:
            self._learn(number, counted)
            return None
        self._watched += 1
        verdict = self._detector.take(counted)
        return verdict if verdict.alarm and verdict.cause != "infrastructure" else None

    def relearn(self, since: Sequence[tuple[int, Counted]]) -> None:
        """Begins a new reference with what has come since a change, oldest first."""
        self.begin = since[0][0] if since else self.last + 1
        self._learning, self._detector, self._watched = [], None, 0
        for number, counted in since:
            if self._detector is None:
                self._learn(number, counted)
            else:  # what it makes of them it says at the next one, since it stands by it
                self._watched += 1
                self._detector.take(counted)

    def remember(self, delay: int) -> None:
        """Keeps in mind the present reference, against which another model was told after so many conversations.

        A return to it is told after twice as many, fifty at least: as many as would have shown the change once more.
        Where that is more than the detector looks back, it is not told at all.
        """
        self.former = self.former or self.begin
        self.told_at, self.returns_in = self.conversations, max(_RETURNED, 2 * delay)

    def forget(self) -> None:
        """What came is what counts from now on."""
        self.former = self.told_at = self.returns_in = 0

    @property
    def may_have_returned(self) -> bool:
        """Whether it is time to look for a return, which takes a fit: now and then."""
        since = self.conversations - self.told_at
        return self.former > 0 and self.returns_in <= min(since, LONGEST) and since % _LOOK_EVERY == 0

    def returned(self, before: Sequence[Counted], late: Sequence[Counted]) -> bool:
        """Whether the latest conversations agree with the reference before; if so it is the reference again."""
        detector, verdict = DriftDetector.learn(before, self.rate), Verdict()
        for one in late:
            verdict = detector.take(one)
            if verdict.alarm and verdict.cause != "infrastructure":
                return False
        # The same odds as where causes are told apart: no alarm, but too much to be called agreement.
        if verdict.evidence.get("model", math.inf) - math.log10(len(late)) >= math.log10(_NO_AGREEMENT):
            return False
        self.begin, self._learning, self._detector, self._watched = self.former, [], detector, len(late)
        self.forget()
        return True

    def _learn(self, number: int, counted: Counted) -> None:
        self._learning.append((number, counted))
        self._drop_old_prompt()
        if len(self._learning) >= self.needed:
            self._detector = DriftDetector.learn([one for _, one in self._learning], self.rate)
            self._learning = []

    def _drop_old_prompt(self) -> None:
        """A prompt that changes while we learn: what came under the old one is no reference for the new one."""
        late, early = self._learning[-_PROMPTS_TOLD:], self._learning[:-_PROMPTS_TOLD]
        new, old = {one.prompt for _, one in late}, {one.prompt for _, one in early}
        if len(new) == len(old) == 1 and new != old and "" not in new | old and len(late) == _PROMPTS_TOLD:
            self._learning = late
            self.begin = late[0][0]

    def to_text(self) -> str:
        """The state. What is being learnt is not in it: it is what was taken in from `begin` on."""
        told: dict[str, Any] = {
            "needed": self.needed,
            "rate": self.rate,
            "begin": self.begin,
            "last": self.last,
            "conversations": self.conversations - len(self._learning),
            "standing": asdict(self.standing) if self.standing else None,
            "watched": self._watched,
            "former": [self.former, self.told_at, self.returns_in],
        }
        if self._detector is not None:
            told["detector"] = base64.b64encode(self._detector.to_bytes()).decode()
        return json.dumps(told)

    @classmethod
    def from_text(cls, text: str) -> Course:
        """The course that was written; one that was learning is to be given again what came from `begin` on.

        Raises:
            ValueError: it is no such state, or one of a release that counted other features.
        """
        try:
            told = json.loads(text)
            found = cls(
                told["needed"],
                told["rate"],
                told["begin"],
                told["last"],
                told["conversations"],
                Standing(**told["standing"]) if told["standing"] else None,
            )
            found._watched = told["watched"]
            found.former, found.told_at, found.returns_in = told["former"]
            state = base64.b64decode(told["detector"]) if "detector" in told else b""
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("not the state of a watch") from error
        found._detector = DriftDetector.from_bytes(state) if state else None
        return found
