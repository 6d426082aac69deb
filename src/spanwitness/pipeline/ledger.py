"""The ledger of versions and swaps, brought up to date from the record when conversations of a slot have closed.

What it says follows from the record alone. What is kept in memory only spares reading the past again: how each slot
stood at some moments of its past, and what the uses until then add up to. What was inserted since the last look, by
whatever process, is read first. Where it only adds later conversations, the slot goes on from there. Where it touches
the past, since data came late or was revised, the store adds up again: where that is something else, an earlier moment
serves, or the beginning.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final

from spanwitness.model_names import relation
from spanwitness.pipeline import disguised
from spanwitness.store import ledger, uses
from spanwitness.store.contracts import contracts_of
from spanwitness.store.deployments import deployments_of
from spanwitness.store.uses import END, Mark, Span, Sum
from spanwitness.swap import Rules, SlotFold, Talks, Terms

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from spanwitness.model import Slot, Swap
    from spanwitness.store import Store
    from spanwitness.store.uses import News, StoredUse

_STEPS: Final = (64, 512, 4096, 32768)
"""After so many uses a state is kept: of each step the last two, so that data that is late by more costs more."""

_KEPT_BYTES: Final = 64 * 2**20
_PAGE: Final = 20_000
_SLOTS_AT_ONCE: Final = 100

_LOOKS: Final = 64
"""After so many looks at what is new alone, the past is added up all the same: rows may have been deleted by hand."""


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """How a slot stood after all uses up to a moment.

    Attributes:
        high: that moment, Unix nanoseconds.
        sum: of the uses until then.
        state: the fold, pickled: small, and nothing that goes on from it can change it.
    """

    high: int
    sum: Sum
    state: bytes


@dataclass(slots=True)
class _Kept:
    """The checkpoints of a slot, and the contracts that they were made under.

    Attributes:
        contracts: a digest of them.
        tip: how it stood last.
        steps: by step the last two.
        block: the insert up to which `tip` has everything; -1 where that is not known.
        looks: how often only what is new was looked at since the past was added up.
    """

    contracts: int
    tip: _Checkpoint | None = None
    steps: dict[int, list[_Checkpoint]] = field(default_factory=dict)
    block: int = -1
    looks: int = 0

    def mark(self) -> Mark | None:
        """From where on to look for what is new; None: the past is to be added up."""
        if self.tip is None or self.block < 0 or self.looks >= _LOOKS:
            return None
        return Mark(self.block, self.tip.high)

    def all(self) -> list[_Checkpoint]:
        """The oldest first, one of each moment."""
        found = {point.high: point for points in self.steps.values() for point in points}
        if self.tip is not None:
            found[self.tip.high] = self.tip
        return [found[high] for high in sorted(found)]

    def only(self, good: set[int], block: int) -> _Kept:
        """Those of some moments, to go on from until all is known up to insert `block`."""
        tip = self.tip if self.tip is not None and self.tip.high in good else None
        steps = {step: [point for point in points if point.high in good] for step, points in self.steps.items()}
        return _Kept(self.contracts, tip, steps, block)

    def bytes(self) -> int:
        """About how much memory it takes."""
        return sum(len(point.state) for point in self.all())


class _Run:
    """A slot's uses read on from a checkpoint, leaving new ones on the way."""

    def __init__(self, slot: Slot, kept: _Kept, begin: _Checkpoint | None, uses: int, rules: Rules) -> None:
        self.kept = kept
        self.left = uses - (begin.sum.uses if begin else 0)
        self._end = uses
        self.fold: SlotFold = pickle.loads(begin.state) if begin else SlotFold(slot)  # noqa: S301 - our own memory
        self.high = begin.high if begin else -1
        self._sum = begin.sum if begin else Sum()
        self._rules = rules

    def read(self, found: Iterable[StoredUse], high: int) -> None:
        """Reads on up to `high`. `found`: in order of time, all uses of the conversations in it."""
        talks, low, before = Talks(), self.high, self._sum.uses
        for stored in found:
            use = stored.use
            news = talks.news(use)
            if low < use.first_ns <= high:
                if use.first_ns > self.high:
                    self._leave()
                self.fold.feed(use, news, self._rules)
                self.high = use.first_ns
                self._sum += Sum(1, stored.hash)
        # Where another process took something away meanwhile, there is less than was expected, and no more to come.
        read = self._sum.uses - before
        self.left = self.left - read if read and high < END else 0

    def finish(self) -> None:
        """Leaves a checkpoint where it ended."""
        if self._sum.uses:
            self.kept.tip = self._checkpoint()

    def _leave(self) -> None:
        """Between two moments. A step is due once so many uses have come since its last checkpoint.

        Those of which two more will come on the way are not made.
        """
        for step in _STEPS:
            points = self.kept.steps.setdefault(step, [])
            due = self._sum.uses - (points[-1].sum.uses if points else 0) >= step
            if due and self._end - self._sum.uses <= 3 * step:
                points.append(self._checkpoint())
                del points[:-2]

    def _checkpoint(self) -> _Checkpoint:
        return _Checkpoint(self.high, self._sum, pickle.dumps(self.fold, pickle.HIGHEST_PROTOCOL))


class Ledger:
    """The ledger of one store. Not for several threads at once; several processes may have one each."""

    def __init__(self, store: Store, kept_bytes: int = _KEPT_BYTES) -> None:
        self._store = store
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[Slot, _Kept] = OrderedDict()
        self._bytes = 0
        self._terms: dict[str, tuple[ledger.TermsState, Terms, Rules]] = {}

    def update(self, tenant: str, slots: Iterable[Slot], now: dt.datetime) -> list[Swap]:
        """Versions and swaps of the slots that were touched; returns what swaps are new. Raises StoreError.

        Where contracts or declarations of the tenant have changed since its ledger was last judged, all slots that
        they may decide on are judged again.
        """
        state = ledger.judged(self._store, tenant)
        wanted = set(slots) | self._affected(tenant, state)
        found = self._bring_up(tenant, wanted, state.now, now)
        if state.now != state.then:
            disguised.rejudge(self._store, tenant, now)
            ledger.note_judged(self._store, tenant, state.now, now)
        return found

    def rejudge(self, tenant: str, now: dt.datetime) -> list[Swap]:
        """Judges a tenant's ledger again where its contracts or declarations have changed since it was judged."""
        return self.update(tenant, (), now)

    def sweep(self, now: dt.datetime) -> list[Swap]:
        """The same for every tenant; and entries of an earlier schema are brought up to date. Returns what is new."""
        found: list[Swap] = []
        for tenant, state in sorted(ledger.all_judged(self._store).items()):
            if state.now != state.then:
                found += self.rejudge(tenant, now)
        for tenant, slots in sorted(ledger.slots_of_earlier_schema(self._store).items()):
            found += self.update(tenant, slots, now)
        return found

    def _affected(self, tenant: str, state: ledger.Judged) -> set[Slot]:
        """A contract may decide on any slot; a declaration on what is in the ledger."""
        if state.now.contracts != state.then.contracts:
            return uses.slots_with_uses(self._store, tenant) | ledger.slots_with_swaps(self._store, tenant)
        if state.now.deployments != state.then.deployments:
            return ledger.slots_with_swaps(self._store, tenant)
        return set()

    def _bring_up(self, tenant: str, slots: Iterable[Slot], state: ledger.TermsState, now: dt.datetime) -> list[Swap]:
        found: list[Swap] = []
        wanted = sorted(slots)
        for at in range(0, len(wanted), _SLOTS_AT_ONCE):
            part = wanted[at : at + _SLOTS_AT_ONCE]
            terms, rules = self._terms_of(tenant, state)
            folds = self._folds(tenant, part, state.contracts, rules)
            used = [version for fold in folds for version in fold.version_uses()]
            ledger.write_versions(self._store, tenant, part, used, now)
            swaps = [swap for fold in folds for swap in fold.swaps(rules, terms)]
            found += ledger.write_swaps(self._store, tenant, part, swaps, now)
        return found

    def _terms_of(self, tenant: str, state: ledger.TermsState) -> tuple[Terms, Rules]:
        known = self._terms.get(tenant)
        if known is None or known[0] != state:
            contracts = tuple(contracts_of(self._store, tenant)) if state.contracts else ()
            deployments = tuple(deployments_of(self._store, tenant)) if state.deployments else ()
            known = self._terms[tenant] = (state, Terms(contracts, deployments), Rules(relation, contracts))
        return known[1], known[2]

    def _folds(self, tenant: str, slots: Sequence[Slot], contracts: int, rules: Rules) -> list[SlotFold]:
        kept = {slot: self._known(slot, contracts) for slot in slots}
        marks = {slot: mark for slot in slots if (mark := kept[slot].mark()) is not None}
        found = uses.news(self._store, tenant, marks, _PAGE)
        plain = {slot: news for slot, news in found.items() if news.plain}
        runs = [_gone_on(slot, kept[slot], news, rules) for slot, news in plain.items()]
        runs += self._checked(tenant, {slot: kept[slot] for slot in slots if slot not in plain}, rules)
        for run in runs:
            run.finish()
            self._keep(run.fold.slot, run.kept)
        return [run.fold for run in runs]

    def _checked(self, tenant: str, kept: dict[Slot, _Kept], rules: Rules) -> list[_Run]:
        """Reads on from the newest checkpoints that agree with the store."""
        if not kept:
            return []
        block = uses.newest_block(self._store)
        points = {slot: one.all() for slot, one in kept.items()}
        sums = uses.sums(self._store, tenant, {slot: [point.high for point in points[slot]] for slot in kept})
        runs = []
        for slot, one in kept.items():
            good = {point.high for point, found in zip(points[slot], sums[slot], strict=False) if point.sum == found}
            begin = next((point for point in reversed(points[slot]) if point.high in good), None)
            runs.append(_Run(slot, one.only(good, block), begin, sums[slot][-1].uses, rules))
        self._read(tenant, runs)
        return runs

    def _read(self, tenant: str, runs: Sequence[_Run]) -> None:
        """Reads what is left of each slot: much of one in pages, little of many together."""
        for run in runs:
            while run.left > _PAGE:
                span = Span(run.fold.slot, run.high, uses.page_end(self._store, Span(run.fold.slot, run.high), _PAGE))
                run.read(uses.read_uses(self._store, tenant, [span]), span.high)
        by_slot = {run.fold.slot: run for run in runs if run.left > 0}
        for part in _parts(list(by_slot.values())):
            stored = uses.read_uses(self._store, tenant, [Span(run.fold.slot, run.high) for run in part])
            for slot, of_slot in groupby(stored, key=lambda one: one.use.slot):
                by_slot[slot].read(of_slot, END)

    def _known(self, slot: Slot, contracts: int) -> _Kept:
        kept = self._kept.pop(slot, None)
        if kept is not None:
            self._bytes -= kept.bytes()
        return kept if kept is not None and kept.contracts == contracts else _Kept(contracts)

    def _keep(self, slot: Slot, kept: _Kept) -> None:
        self._kept[slot] = kept
        self._bytes += kept.bytes()
        while self._bytes > self._kept_bytes and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.bytes()


def _gone_on(slot: Slot, kept: _Kept, news: News, rules: Rules) -> _Run:
    """A slot to which later conversations were added alone."""
    uses_before = kept.tip.sum.uses if kept.tip else 0
    run = _Run(slot, kept, kept.tip, uses_before + len(news.uses), rules)
    run.read(news.uses, END)
    kept.block = news.block
    kept.looks += 1
    return run


def _parts(runs: Sequence[_Run]) -> Iterator[list[_Run]]:
    """In parts of which about a page is left to read."""
    part: list[_Run] = []
    size = 0
    for run in runs:
        if part and size + run.left > _PAGE:
            yield part
            part, size = [], 0
        part.append(run)
        size += run.left
    if part:
        yield part
