"""Reads the uses of a slot once, in order of time. What it keeps of the past does not grow with the conversations."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from spanwitness.swap.entries import Book, Context, Entry
from spanwitness.swap.fingerprint import Fingerprints
from spanwitness.swap.judging import judge
from spanwitness.swap.mismatch import Mismatches
from spanwitness.swap.rules import NO_TERMS, Relation, Rules, Terms
from spanwitness.swap.succession import Succession
from spanwitness.swap.unapproved import Unapproved
from spanwitness.swap.unverified import Unverified
from spanwitness.swap.uses import order
from spanwitness.swap.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from spanwitness.model import Slot, Swap, Use, VersionUse
    from spanwitness.swap.track import Track

News = frozenset[str]


class Talks:
    """Knows what each conversation has told already. It has to see all uses of those that it is asked about."""

    def __init__(self) -> None:
        self._met: dict[str, set[Hashable]] = {}

    def news(self, use: Use) -> News:
        """In what respect a use is the first of its conversation. Uses come in order of time."""
        met = self._met.setdefault(use.conversation_id, set())
        told = {name: (name, *what) for name, what in _told(use)}
        fresh = frozenset(name for name, mark in told.items() if mark not in met)
        met.update(told.values())
        return fresh


def _told(use: Use) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "talk", ()
    yield "version", (use.version,)
    yield "answered", ("yes" if use.served else "no" if use.failed < use.calls else "failed",)
    if use.served:
        yield "served", ()
        yield "requested", (use.requested,)
        yield "pair", (use.requested, use.version)
        if use.fingerprint:
            yield "fingerprint", (use.version, use.fingerprint)
    if use.prompt_version:
        yield "prompted", ()
        yield "prompt", (use.prompt_version,)
    if use.agent_version:
        yield "staffed", ()
        yield "agent", (use.agent_version,)


class SlotFold:
    """All that is told of one slot."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self._used = Versions()
        self._versions = Succession("version")
        self._prompts = Succession("prompt")
        self._agents = Succession("agent")
        self._mismatches = Mismatches()
        self._unapproved = Unapproved()
        self._unverified = Unverified()
        self._fingerprints = Fingerprints()
        self._context = Context()

    def feed(self, use: Use, news: News, rules: Rules) -> None:
        """The next use, in order of time; `news` as Talks tells it."""
        context, contract = self._context, rules.contract(use)
        self._used.feed(use, new="version" in news)
        self._unverified.feed(use, context, contract=contract, opens="talk" in news, new="answered" in news)
        if use.served:
            self._feed_served(use, news, rules)
        if use.prompt_version:
            self._prompts.feed(use, use.prompt_version, context, opens="prompted" in news, new="prompt" in news)
        if use.agent_version:
            self._agents.feed(use, use.agent_version, context, opens="staffed" in news, new="agent" in news)
        self._context = Context(use.prompt_version or context.prompt, use.agent_version or context.agent)

    def _feed_served(self, use: Use, news: News, rules: Rules) -> None:
        context, contract, new = self._context, rules.contract(use), "version" in news
        self._versions.feed(use, use.version, context, opens="served" in news, new=new)
        track = self._versions.track
        self._mismatches.feed(use, track, context, wrong=rules.mismatch(use, contract), new=news)
        self._unapproved.feed(use, track, context, contract=contract, approved=rules.approves(use, contract), new=new)
        if use.fingerprint:
            self._fingerprints.feed(use, track, context, new="fingerprint" in news)

    def version_uses(self) -> list[VersionUse]:
        """The versions in use so far."""
        return self._used.uses(self.slot)

    def swaps(self, rules: Rules, terms: Terms) -> list[Swap]:
        """What the ledger has to say so far, in order of time."""
        return judge(self.slot, list(self._entries()), rules, terms.deployments)

    def _entries(self) -> Iterator[tuple[Entry, Track]]:
        model = self._versions.track
        books: list[tuple[Book, Track]] = [
            (self._versions.book, model),
            (self._mismatches.book, model),
            (self._unapproved.book, model),
            (self._fingerprints.book, model),
            (self._unverified.book, self._unverified.track),
            (self._prompts.book, self._prompts.track),
            (self._agents.book, self._agents.track),
        ]
        for book, track in books:
            yield from ((entry, track) for entry in book.entries)


def fold(slot: Slot, uses: Sequence[Use], rules: Rules) -> SlotFold:
    """All uses of a slot, in whatever order they come, read."""
    found, talks = SlotFold(slot), Talks()
    for use in sorted(uses, key=order):
        found.feed(use, talks.news(use), rules)
    return found


def find_swaps(uses: Iterable[Use], relation: Relation, terms: Terms = NO_TERMS) -> list[Swap]:
    """All changes in the slots of `uses`, each slot's in order of time.

    `version`: a served version that the slot did not know, or a known one that takes the place of one that has gone.
    Calls whose served model nobody told take no part: their name proves nothing. Versions that answer in turn (a
    router, a canary) are told once, when they first appear, and not at all when they did so from the slot's first
    conversation on. `prompt`, `agent`: the same of their versions.
    `mismatch`: the served model is not of the requested family, and no contract has it as an alias.
    `unapproved`, `unverified`: against the contract in force. `fingerprint`: another backend.

    Args:
        uses: all uses of the slots that are asked about.
        relation: `model_names.relation`.
        terms: of the slots' tenant.
    """
    rules = Rules(relation, terms.contracts)
    slots = groupby(sorted(uses, key=lambda use: use.slot), key=lambda use: use.slot)
    return [swap for slot, of_slot in slots for swap in fold(slot, list(of_slot), rules).swaps(rules, terms)]
