"""A simulated fleet: slots that follow scripts, how their conversations arrive, and the ledger that must come of it.

What the ledger must say is stated by whoever wrote the script, from the issue's words. Nothing here asks the code under
test; only the values that pass between the stages are shared with it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from spanwitness.model import Contract, Deployment, Slot, Use

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

BEGIN = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
EVERY = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Model:
    """A model as calls name it. `served`: '' where nobody tells what answered."""

    provider: str
    requested: str
    served: str

    @property
    def version(self) -> str:
        return f"{self.provider}/{self.served or self.requested + '?'}"


@dataclass(frozen=True, slots=True)
class Call:
    """One call. Of a failed one nobody knows what would have answered."""

    model: Model
    failed: bool = False
    fingerprint: str = ""
    prompt: str = ""
    agent: str = ""

    @property
    def told(self) -> Model:
        return replace(self.model, served="") if self.failed else self.model


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation's calls in one slot, in order.

    Attributes:
        pause: between two calls.
    """

    slot: Slot
    id: str
    begin: dt.datetime
    calls: tuple[Call, ...]
    pause: dt.timedelta = dt.timedelta(seconds=2)

    def cut(self, calls: int) -> Talk:
        """As it is known while only its first calls have arrived."""
        return replace(self, calls=self.calls[:calls])

    def dim(self) -> Talk:
        """As it is known while nothing tells which model answered."""
        return replace(self, calls=tuple(replace(call, model=replace(call.model, served="")) for call in self.calls))

    def astray(self) -> Talk:
        """As it is known while nothing tells whose it is."""
        return replace(self, id=f"astray-{self.id}")


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A line of the ledger, as far as a script decides it.

    Attributes:
        talk: the conversation that it is dated by.
        standing: the slot has not returned.
        traffic: for changes of the model; '' for all other classes.
    """

    slot: Slot
    swap_class: str
    from_version: str
    to_version: str
    occurrence: int
    talk: str
    severity: str
    declared: str
    standing: bool
    traffic: str = ""


@dataclass
class Story:
    """A slot's history while it is written, and what must be told of it."""

    script: str
    slot: Slot
    chance: random.Random
    begin: dt.datetime
    talks: list[Talk] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def talk(self, *calls: Call, pause: dt.timedelta = dt.timedelta(seconds=2)) -> Talk:
        """The next conversation."""
        number = len(self.talks)
        late = dt.timedelta(milliseconds=self.chance.randrange(120_000))
        name = f"{self.slot.tenant}-{self.slot.service}-{self.slot.agent}-{self.slot.step_kind}-{number:05}"
        self.talks.append(Talk(self.slot, name, self.begin + number * EVERY + late, calls, pause))
        return self.talks[-1]

    def steady(self, call: Call, talks: int) -> Talk:
        """So many conversations of calls that are all alike; the first of them."""
        first = len(self.talks)
        for _ in range(talks):
            self.talk(*[call] * self.chance.randint(1, 4))
        return self.talks[first]

    def pattern(self, letters: str, **calls: Call) -> Talk:
        """A conversation for each letter; the first of them."""
        first = len(self.talks)
        for letter in letters:
            self.steady(calls[letter], 1)
        return self.talks[first]

    def tells(  # noqa: PLR0913 - a line of the ledger
        self,
        swap_class: str,
        before: str,
        after: str,
        talk: Talk,
        severity: str = "page",
        *,
        traffic: str = "",
        standing: bool = True,
        occurrence: int = 1,
        declared: str = "",
    ) -> None:
        """The ledger must have this."""
        self.entries.append(
            Entry(self.slot, swap_class, before, after, occurrence, talk.id, severity, declared, standing, traffic)
        )

    def declares(
        self, version: str, told: dt.datetime, since: dt.datetime, *, comes: bool = True, **fields: object
    ) -> str:
        """Somebody declares a change in this slot; the record's id. `comes`: it is in use in the time declared."""
        name = f"d-{self.slot.service}-{self.slot.agent}-{self.slot.step_kind}-{len(self.deployments)}"
        plain = Deployment(
            tenant=self.slot.tenant,
            deployment_id=name,
            to_version=version,
            valid_from=since,
            declared_at=told,
            service=self.slot.service,
            agent=self.slot.agent,
            declared_by="ops@example.com",
            reason="planned",
        )
        self.deployments.append(replace(plain, **fields))  # type: ignore[arg-type]
        self.absent += [] if comes else [name]
        return name


@dataclass(frozen=True)
class Fleet:
    """All slots."""

    stories: tuple[Story, ...]
    contracts: tuple[Contract, ...]

    @property
    def talks(self) -> list[Talk]:
        """In the order in which they began."""
        return sorted((talk for story in self.stories for talk in story.talks), key=lambda talk: (talk.begin, talk.id))

    @property
    def ledger(self) -> list[Entry]:
        return sorted(entry for story in self.stories for entry in story.entries)

    @property
    def deployments(self) -> list[Deployment]:
        return [one for story in self.stories for one in story.deployments]

    @property
    def absent(self) -> list[str]:
        """The declarations of what never came."""
        return sorted(name for story in self.stories for name in story.absent)


def uses(talk: Talk) -> list[Use]:
    """What a conversation made of the slot's models: calls that are alike, together."""
    found: dict[Call, Use] = {}
    after = [
        False,
        *(before.failed and before.model.requested != call.model.requested for before, call in pairwise(talk.calls)),
    ]
    for number, call in enumerate(talk.calls):
        alike = replace(call, model=call.told, failed=False)
        at = talk.begin + number * talk.pause
        use = found.get(alike) or _begun(talk, alike, at, len(found) + 1)
        found[alike] = replace(
            use,
            last=at,
            calls=use.calls + 1,
            failed=use.failed + call.failed,
            after_failure=use.after_failure + after[number],
        )
    return list(found.values())


def _begun(talk: Talk, call: Call, at: dt.datetime, opening: int) -> Use:
    return Use(
        slot=talk.slot,
        conversation_id=talk.id,
        version=call.model.version,
        provider=call.model.provider,
        requested=call.model.requested,
        served=call.model.served,
        first=at,
        last=at,
        first_trace=f"trace-{talk.id}",
        calls=0,
        first_ns=round((at - _EPOCH) / dt.timedelta(microseconds=1)) * 1000,
        fingerprint=call.fingerprint,
        prompt_version=call.prompt,
        agent_version=call.agent,
        opening=opening,
    )


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


# How it arrives.


@dataclass(frozen=True, slots=True)
class Arrival:
    """A revision of a conversation."""

    talk: Talk
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong on the way, as shares of the conversations.

    Attributes:
        window: how many conversations may change places.
        late: these come up to a day after the others.
        revised: of these only a part is known at first.
        replayed: these come again.
        restarts: in so many sweeps of a hundred another process takes over.
        sweep: how many conversations close together, at most; `least` so many.
    """

    window: int = 0
    late: float = 0.0
    revised: float = 0.0
    replayed: float = 0.0
    restarts: int = 0
    sweep: int = 600
    least: int = 1


CALM = Weather()
ROUGH = Weather(window=40, late=0.03, revised=0.05, replayed=0.05, restarts=10)


def arrivals(talks: Sequence[Talk], chance: random.Random, weather: Weather) -> list[Arrival]:
    """Each conversation's revisions, in the order in which they become known."""
    placed: list[tuple[float, int, Arrival]] = []
    for number, talk in enumerate(talks):
        at = number + chance.random() * weather.window
        if chance.random() < weather.late:
            at += chance.random() * 144 * max(1, len(talks) // 500)
        revisions = _revisions(talk, chance) if chance.random() < weather.revised else [Arrival(talk)]
        for one in revisions:
            placed.append((at, number, one))
            at += chance.random() * 200
        if chance.random() < weather.replayed:
            placed.append((at, number, revisions[-1]))
    return [one for _, _, one in sorted(placed, key=lambda entry: (entry[0], entry[1], entry[2].revision))]


def _revisions(talk: Talk, chance: random.Random) -> list[Arrival]:
    """What is first known of it is wrong in one of three ways."""
    how = chance.randrange(3)
    if how == 0:
        return [Arrival(talk.cut(chance.randint(1, len(talk.calls)))), Arrival(talk, 2)]
    if how == 1:
        return [Arrival(talk.dim()), Arrival(talk, 2)]
    return [Arrival(talk.astray()), Arrival(talk.astray().cut(0), 2), Arrival(talk)]


def sweeps(found: Sequence[Arrival], chance: random.Random, weather: Weather) -> Iterator[Sequence[Arrival]]:
    """Cut into what closes together."""
    at = 0
    while at < len(found):
        size = chance.randint(weather.least, weather.sweep)
        yield found[at : at + size]
        at += size


def by_tenant(found: Iterable[Arrival]) -> dict[str, list[Arrival]]:
    """A sweep's share of each tenant."""
    groups: dict[str, list[Arrival]] = {}
    for one in found:
        groups.setdefault(one.talk.slot.tenant, []).append(one)
    return groups
