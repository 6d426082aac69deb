"""Conversations scored again by what is in force for them now. Earlier verdicts stay; what is the same is not repeated.

In pages, so that the review goes on between them, memory stays bounded, and whoever asked is told how far it is.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from spanwitness.errors import ConfigError
from spanwitness.evaluators import evaluator_names, run
from spanwitness.judge import QUESTIONS
from spanwitness.model import Slot
from spanwitness.pipeline.bundles import Configured
from spanwitness.pipeline.judge_rules import tasks_of
from spanwitness.pipeline.rebuilding import rebuilt
from spanwitness.store import judging, record, rescoring
from spanwitness.store.rescoring import FIRST, Place, Selection
from spanwitness.store.rows import score_row
from spanwitness.store.scores import insert_scores, key_of, last_verdicts, placed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spanwitness.evaluators import Bundle
    from spanwitness.model import Conversation
    from spanwitness.pipeline.contracts import ContractBook
    from spanwitness.pipeline.rebuilding import Rebuilt
    from spanwitness.store import Store
    from spanwitness.store.judging import Task
    from spanwitness.store.scores import Key, Verdict

    Touched = Callable[[dict[Slot, int]], None]

_PAGE: Final = 50
_SPANS: Final = 5_000
_TIMES: Final = ("since", "until")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be scored again, and how far it has come.

    Attributes:
        evaluators: by which, of those in force; none: by all.
        judge: the language model is asked anew, instead of the evaluators.
        dry_run: nothing is written.
        after: the last conversation of the page before.
    """

    selection: Selection
    evaluators: tuple[str, ...] = ()
    judge: bool = False
    dry_run: bool = False
    after: Place = FIRST

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Request:
        """From plain data, as `told` makes it. Raises ValueError, TypeError or KeyError for what is none."""
        since, until = (None if told[key] is None else dt.datetime.fromisoformat(told[key]) for key in _TIMES)
        tenant, conversation = (None if told[key] is None else str(told[key]) for key in ("tenant", "conversation"))
        return cls(
            Selection(since, until, tenant, conversation),
            tuple(map(str, told["evaluators"])),
            bool(told["judge"]),
            bool(told["dry_run"]),
            Place(*map(str, told["after"])),
        )

    def told(self) -> dict[str, Any]:
        """As plain data."""
        wanted = self.selection
        times = {key: None if (at := getattr(wanted, key)) is None else at.isoformat() for key in _TIMES}
        return {
            **times,
            "tenant": wanted.tenant,
            "conversation": wanted.conversation,
            "evaluators": list(self.evaluators),
            "judge": self.judge,
            "dry_run": self.dry_run,
            "after": list(self.after),
        }


@dataclass(slots=True)
class Rescored:
    """What became of a page.

    Attributes:
        total: conversations in all; of the first page alone, else 0.
        after: the last conversation of this page; None: there are no more.
        conversations: that were looked at.
        left: of these, those that were left to the review, since more of them has come.
        gone: and those whose spans are not stored any more.
        scores: that were given.
        new: of these, where there was none by this evaluator; `changed`, `unchanged`: against the verdict before.
        failed: scores of status "failed", whether that is new or not.
        to_fail: of the changed, from passed to not passed; `to_pass`: the other way.
        asked: of the judge.
    """

    total: int = 0
    after: Place | None = None
    conversations: int = 0
    left: int = 0
    gone: int = 0
    scores: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    to_fail: int = 0
    to_pass: int = 0
    asked: int = 0

    def told(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "after": None if self.after is None else list(self.after)}


class Rescoring:
    """Scores conversations again. In the thread that `contracts` belongs to.

    Args:
        store: where they are.
        contracts: what was agreed and configured.
        configured: the latter of these: its names may be asked for.
        judge: the model that is asked; '': none.
        touched: is told of slots whose scores have changed; see pipeline.touched.
    """

    def __init__(
        self, store: Store, contracts: ContractBook, configured: Configured | Bundle, judge: str, touched: Touched
    ) -> None:
        self._store = store
        self._contracts = contracts
        self._configured = configured if isinstance(configured, Configured) else Configured(configured)
        self._judge = judge
        self._touched = touched

    def page(self, request: Request, now: dt.datetime) -> Rescored:
        """The next conversations.

        Raises:
            ConfigError: an evaluator is unknown, or there is no judge to be asked.
            StoreError: the store is away.
        """
        first = request.after == FIRST
        done = Rescored()
        if first:
            self._check(request)
            done.total = rescoring.count(self._store, request.selection)
        self._contracts.refresh()
        places = rescoring.page(self._store, request.selection, request.after, _PAGE)
        done.after = places[-1] if len(places) == _PAGE else None
        by_tenant: dict[str, list[str]] = defaultdict(list)
        for place in places:
            by_tenant[place.tenant].append(place.conversation_id)
        page = _Page(request, done, now)
        for tenant, identities in by_tenant.items():
            self._of_tenant(tenant, identities, page)
        if not request.dry_run:
            insert_scores(self._store, page.scores)
            judging.insert_tasks(self._store, page.tasks, now)
            self._touched(page.touched)
        return done

    def _check(self, request: Request) -> None:
        if request.judge and not self._judge:
            raise ConfigError("there is no judge to be asked: allowed with judge.model in the configuration")
        known = set(QUESTIONS) if request.judge else self._names()
        for name in request.evaluators:
            if name not in known:
                wrong = "is not one that can be judged" if request.judge else "is unknown"
                raise ConfigError(f"evaluator {name!r} {wrong}; allowed: {', '.join(sorted(known))}")

    def _names(self) -> set[str]:
        bundles = (self._configured.bundle, *self._configured.channels.values())
        running = {evaluator.name for bundle in bundles for evaluator in bundle.evaluators}
        return running | {*evaluator_names(), *rescoring.evaluators_on_record(self._store)}

    def _of_tenant(self, tenant: str, identities: Sequence[str], page: _Page) -> None:
        if page.request.judge:
            page.asked = judging.last_tasks(self._store, tenant, identities, self._judge)
        else:
            newest = record.last_revisions(self._store, tenant, identities)
            revisions = [(identity, one.number) for identity, one in newest.items()]
            page.verdicts = last_verdicts(self._store, tenant, revisions)
        for found in rebuilt(self._store, tenant, identities, _SPANS):
            if not page.takes(found) or found.conversation is None:
                continue
            bundle = self._contracts.bundle(found.conversation, calibrated=page.now)
            if page.request.judge:
                page.ask(found.conversation, bundle, self._judge)
            else:
                page.score(found.conversation, bundle, found.began)


@dataclass(slots=True)
class _Page:
    """A page being scored: what was known of it, and what is to be written."""

    request: Request
    done: Rescored
    now: dt.datetime
    verdicts: Mapping[Key, Verdict] = field(default_factory=dict)
    asked: Mapping[tuple[str, int, str], tuple[int, str]] = field(default_factory=dict)
    scores: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    touched: dict[Slot, int] = field(default_factory=dict)

    def takes(self, found: Rebuilt) -> bool:
        """Whether a conversation can be scored as it is."""
        self.done.conversations += 1
        self.done.left += found.open
        self.done.gone += found.conversation is None
        return not found.open

    def score(self, conversation: Conversation, bundle: Bundle, began: int) -> None:
        """Has the evaluators of its bundle score it."""
        before = len(self.scores)
        for evaluator in bundle.evaluators:
            if self._wanted(evaluator.name):
                score = run(evaluator, conversation)
                self._place(score_row(conversation, score, bundle.threshold(score.evaluator), self.now))
        if len(self.scores) > before:
            for span in (step.span for step in conversation.steps):
                if span.model_version:
                    slot = Slot(span.tenant, span.service, span.agent_name, span.role)
                    self.touched[slot] = min(began, self.touched.get(slot, began))

    def ask(self, conversation: Conversation, bundle: Bundle, judge: str) -> None:
        """Makes tasks of what the judge is to be asked anew; what still waits is asked anyway."""
        for task in tasks_of(conversation, bundle, judge, self.now):
            number, state = self.asked.get((task.conversation_id, task.revision, task.evaluator), (-1, ""))
            if self._wanted(task.evaluator) and state != "waiting":
                self.tasks.append(replace(task, scoring=number + 1))
                self.done.asked += 1

    def _wanted(self, evaluator: str) -> bool:
        return not self.request.evaluators or evaluator in self.request.evaluators

    def _place(self, row: dict[str, Any]) -> None:
        last = self.verdicts.get(key_of(row))
        again = placed(row, last)
        _count(row, last, self.done, again=again is not None)
        self.scores += [again] if again is not None else []


def _count(row: Mapping[str, Any], last: Verdict | None, done: Rescored, *, again: bool) -> None:
    before = last.told["Passed"] if last is not None else None
    done.scores += 1
    done.failed += row["Status"] == "failed"
    done.new += last is None
    done.changed += last is not None and again
    done.unchanged += not again
    done.to_fail += again and before is True and row["Passed"] is False
    done.to_pass += again and before is False and row["Passed"] is True
