"""The watch for disguised swaps: the name on the spans stays, another model answers. See docs/drift.md.

Each conversation that closes is counted once for each slot it took part in, and what was counted is stored before
anything follows from it. All else follows from that record in its order: killed anywhere, the next process reads the
rest and comes to the same verdicts.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from spanwitness.drift.compact import from_text, to_text
from spanwitness.drift.counting import count
from spanwitness.drift.course import Course
from spanwitness.drift.slots import shown
from spanwitness.errors import StoreError, fault
from spanwitness.pipeline import disguised
from spanwitness.store import Store, drift
from spanwitness.store.drift import Kept, Taken

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from spanwitness.drift import Verdict
    from spanwitness.drift.counting import Counted
    from spanwitness.drift.slots import Shown
    from spanwitness.model import Conversation, Slot, Swap

log = logging.getLogger(__name__)
_MOST_SLOTS: Final = 128  # in memory at once, each a megabyte or two
_KEEP_EVERY: Final = 25  # conversations of a slot
_GONE_AFTER: Final = 50  # conversations of a slot without a version: its name has changed


@dataclass(frozen=True, slots=True)
class WatchRules:
    """How slots are watched: from how many conversations each is learnt, and how often it may be accused wrongly."""

    reference: int = 100
    false_alarms_per_1000: float = 1.0


@dataclass(slots=True)
class _Watched:
    """A slot: its courses by model version.

    Attributes:
        number: of its last conversation.
        kept: the number up to which its states are stored.
        changed: the versions of which something has come since.
        fresh: one of them has no state yet.
    """

    slot: Slot
    number: int = 0
    kept: int = 0
    courses: dict[str, Course] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    fresh: bool = False


class Watch:
    """Watches every slot of language models. One instance a store; not for several threads at once."""

    def __init__(self, store: Store, rules: WatchRules) -> None:
        self._store = store
        self._rules = rules
        self._slots: OrderedDict[Slot, _Watched] = OrderedDict()

    def take(self, conversations: Iterable[Conversation], now: dt.datetime) -> list[Swap]:
        """Takes closed conversations in, in order of their beginning; the changes that are new.

        One that was taken in before, in whatever revision, is passed over. Raises StoreError: call again.
        """
        parts: dict[Slot, list[tuple[str, Shown]]] = {}
        for conversation in sorted(conversations, key=_begin):
            for part in shown(conversation):
                if part.version:
                    parts.setdefault(part.slot, []).append((conversation.conversation_id, part))
        swaps: list[Swap] = []
        for group in _groups(sorted(parts), _MOST_SLOTS):
            try:
                self._take({slot: parts[slot] for slot in group}, swaps, now)
            except Exception as error:
                for slot in group:  # what memory holds may be ahead of the record
                    self._slots.pop(slot, None)
                if isinstance(error, StoreError):
                    raise
                # A conversation is closed and judged, whatever the watch makes of it.
                log.error("the watch could not take conversations in and passes them over: %s", fault(error))
        return swaps

    def flush(self, now: dt.datetime) -> None:
        """Stores how far it is with every slot, so that the next process need not read it all again."""
        for watched in self._slots.values():
            self._keep(watched, now)

    def _take(self, parts: Mapping[Slot, Sequence[tuple[str, Shown]]], swaps: list[Swap], now: dt.datetime) -> None:
        known = self._known(parts)
        taken: list[Taken] = []
        for slot, shows in parts.items():
            number = self._opened(slot, swaps, now).number
            new = [(name, part) for name, part in shows if (slot, name) not in known]
            taken += [_taken(name, number + at, part) for at, (name, part) in enumerate(new, 1)]
        drift.take(self._store, taken, now)
        for one in taken:
            self._fold(self._slots[one.slot], one, swaps, now)
        for slot in parts:
            watched = self._slots[slot]
            self._follow(watched, now)
            if watched.fresh or watched.number - watched.kept >= _KEEP_EVERY:
                self._keep(watched, now)

    def _known(self, parts: Mapping[Slot, Sequence[tuple[str, Shown]]]) -> set[tuple[Slot, str]]:
        wanted: dict[str, list[tuple[Slot, str]]] = {}
        for slot, shows in parts.items():
            wanted.setdefault(slot.tenant, []).extend((slot, name) for name, _ in shows)
        return set().union(*(drift.known(self._store, tenant, keys) for tenant, keys in wanted.items()))

    def _opened(self, slot: Slot, swaps: list[Swap], now: dt.datetime) -> _Watched:
        """A slot as it stands, read from the store where memory has it not; with what came after its states."""
        watched = self._slots.get(slot)
        if watched is not None:
            self._slots.move_to_end(slot)
            return watched
        watched, ends = self._read(slot)
        for one in drift.later(self._store, slot, ends, watched.number):
            self._fold(watched, one, swaps, now)
        self._slots[slot] = watched
        while len(self._slots) > _MOST_SLOTS:
            self._slots.popitem(last=False)
        return watched

    def _read(self, slot: Slot) -> tuple[_Watched, dict[str, int]]:
        """A slot's states, and by version the number after which its conversations are to be read again."""
        watched, ends = _Watched(slot), {}
        for version, (number, state) in drift.kept(self._store, slot).items():
            try:
                course = Course.from_text(state)
            except ValueError as error:
                log.warning("the watch learns %s of %s anew: %s", version, slot, error)
                course = Course(self._rules.reference, self._rules.false_alarms_per_1000, number + 1, number)
            watched.courses[version] = course
            ends[version] = course.begin - 1 if course.learns else number
            watched.number = max(watched.number, number)
        watched.kept = watched.number
        return watched, ends

    def _fold(self, watched: _Watched, one: Taken, swaps: list[Swap], now: dt.datetime) -> None:
        """Takes the next conversation of a slot in."""
        watched.number = max(watched.number, one.number)
        counted = _read(one)
        if counted is None:
            return
        watched.changed.add(one.version)
        course = watched.courses.get(one.version)
        if course is None:
            _leave_oldest(watched)
            watched.fresh = True
            rules = self._rules
            course = watched.courses[one.version] = Course(rules.reference, rules.false_alarms_per_1000, one.number)
        verdict = course.take(one.number, counted)
        if verdict is not None:
            self._changed(watched, one, course, verdict, swaps, now)
        elif course.may_have_returned:
            self._returned(watched.slot, one, course, now)
        self._names_gone(watched, one, now)

    def _changed(
        self, watched: _Watched, one: Taken, course: Course, verdict: Verdict, swaps: list[Swap], now: dt.datetime
    ) -> None:
        """Something has changed since some conversation: told where it is the ledger's business, and learnt anew."""
        slot = watched.slot
        ago = course.watched - verdict.since + 1
        since = drift.last(self._store, slot, one.version, one.number, ago)
        change = self._change(slot, since, course, verdict)
        if change is None:
            log.info(
                "tenant=%s service=%s agent=%s: %s since conversation %s; the watch learns %s anew",
                slot.tenant,
                slot.service or "-",
                slot.agent or "-",
                "the users ask otherwise" if verdict.cause == "input" else "another prompt, as its version tells,",
                since[0].conversation_id,
                one.version,
            )
        else:
            if course.standing is not None:
                disguised.end(self._store, slot, course.standing, since[0].started_ns, now)
            course.standing, swap = disguised.tell(self._store, change, now)
            swaps += [swap] if swap else []
        if verdict.cause == "model":
            course.remember(len(since))
        else:  # the ground has changed: what was usual before is no measure any more
            course.forget()
        course.relearn([(each.number, counted) for each in since if (counted := _read(each)) is not None])

    def _returned(self, slot: Slot, one: Taken, course: Course, now: dt.datetime) -> None:
        """What stands ends where the model answers again as it did before the change."""
        before = drift.first(self._store, slot, one.version, course.former, course.needed)
        late = drift.last(self._store, slot, one.version, one.number, course.returns_in)
        counted = [[each for part in parts if (each := _read(part)) is not None] for parts in (before, late)]
        if len(counted[0]) < course.needed or not course.returned(*counted):
            return
        if course.standing is not None:
            disguised.end(self._store, slot, course.standing, late[0].started_ns, now, returned=True)
            course.standing = None

    def _change(self, slot: Slot, since: Sequence[Taken], course: Course, verdict: Verdict) -> disguised.Change | None:
        """What the ledger is to be told; None where it is not its business, or it knows by the name of the prompt."""
        version, before = since[0].version, course.conversations - len(since)
        told = (verdict, since, before, course.watched - len(since), course.rate)
        if verdict.cause == "model":
            return disguised.Change(slot, "disguised", version, version, *told)
        if verdict.cause != "prompt":
            return None
        earlier = drift.last(self._store, slot, version, since[0].number - 1, 1)
        if earlier and since[-1].prompt_version not in ("", earlier[0].prompt_version):
            return None
        old, new = (_prompt(each[-1]) if each else "" for each in (earlier, since))
        return disguised.Change(slot, "prompt", "", f"hash:{new}" if new not in ("", old) else "unknown", *told)

    def _names_gone(self, watched: _Watched, one: Taken, now: dt.datetime) -> None:
        """What stands of a version that has not answered for long ends where the name changed: the ledger tells why."""
        for version, course in watched.courses.items():
            if course.standing is None or one.number - course.last < _GONE_AFTER:
                continue
            ends = dict.fromkeys(watched.courses, course.last)
            other = next(each for each in drift.later(self._store, watched.slot, ends, course.last))
            disguised.end(self._store, watched.slot, course.standing, other.started_ns, now)
            course.standing = None
            course.forget()
            watched.changed.add(version)

    def _follow(self, watched: _Watched, now: dt.datetime) -> None:
        """Brings what stands of a slot up to date."""
        for version in sorted(watched.changed):
            course = watched.courses.get(version)
            if course is None or course.standing is None:
                continue
            (last,) = drift.last(self._store, watched.slot, version, course.last, 1)
            told = (watched.slot, course.standing, last, course.conversations)
            if not disguised.follow(self._store, *told, learnt=not course.learns, now=now):
                course.standing = None
                course.forget()

    def _keep(self, watched: _Watched, now: dt.datetime) -> None:
        states = [
            Kept(
                watched.slot,
                version,
                course.phase,
                course.learnt,
                course.needed,
                course.conversations,
                watched.number,
                course.to_text(),
            )
            for version, course in sorted(watched.courses.items())
            if version in watched.changed
        ]
        drift.keep(self._store, states, now)
        watched.kept, watched.fresh = watched.number, False
        watched.changed.clear()


def _begin(conversation: Conversation) -> tuple[int, str]:
    started = min((step.span.started_ns for step in conversation.steps), default=0)
    return started, conversation.conversation_id


def _groups(slots: Sequence[Slot], size: int) -> Iterator[Sequence[Slot]]:
    for at in range(0, len(slots), size):
        yield slots[at : at + size]


def _taken(identity: str, number: int, part: Shown) -> Taken:
    features = to_text(count(part.talk))
    return Taken(part.slot, identity, number, part.version, part.prompt_version, part.started_ns, part.trace, features)


def _read(one: Taken) -> Counted | None:
    """What was counted; None where another release counted it."""
    try:
        return from_text(one.features)
    except ValueError:
        return None


def _prompt(one: Taken) -> str:
    counted = _read(one)
    return counted.prompt if counted is not None else ""


def _leave_oldest(watched: _Watched) -> None:
    """Of a slot with ever new versions, only the latest are watched."""
    if len(watched.courses) >= drift.MOST_VERSIONS:
        oldest = min(watched.courses, key=lambda version: watched.courses[version].last)
        del watched.courses[oldest]
        watched.changed.discard(oldest)
