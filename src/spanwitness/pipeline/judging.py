"""The judging lane: what language models are asked of conversations that have closed, beside the review and after it.

The tasks stand in the store, written with the revision that they are about, so whoever dies leaves none behind: what
was answered is on record before anything follows from it, and is not paid for again. Several processes on one store
may ask the same twice; what they write is the same row.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
import uuid
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from spanwitness.errors import StoreError, fault
from spanwitness.judge import QUESTIONS
from spanwitness.judge.endpoint import JudgeError, Reply
from spanwitness.judge.judged import use_of
from spanwitness.metrics import Meters, names
from spanwitness.pipeline.judge_preparing import Preparing, Ready
from spanwitness.pipeline.judge_record import JudgeRecord
from spanwitness.pipeline.judge_rules import Done, JudgeRules, after_failure, over_budget, pause
from spanwitness.store import judging
from spanwitness.store.judging import Call, Spent, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from spanwitness.judge.asking import Asked, Question
    from spanwitness.judge.endpoint import Manner
    from spanwitness.judge.settings import JudgeSettings
    from spanwitness.model import Slot
    from spanwitness.pipeline.judge_rules import Judge
    from spanwitness.store import Store

log = logging.getLogger(__name__)
_LOOK_S: Final = 5.0
_BREATH_S: Final = 0.1
_TELL: Final = dt.timedelta(seconds=30)
_PATIENCE: Final = dt.timedelta(minutes=1)
_OF_ENDPOINT: Final = frozenset({"limited", "timeout", "unreachable", "error"})
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Drained:
    """What `drain` did. `left`: tasks that still wait."""

    judged: int
    given_up: int
    left: int


@dataclass(frozen=True, slots=True)
class _Asking:
    """A call under way. Its id stays the same however often it is recorded."""

    ready: Ready
    at: dt.datetime
    id: str


class Judging:
    """Has the judge answer what is waiting. One thread drives it (`run`, `turn` or `drain`); others may `wake` it.

    Args:
        store: where the tasks, the conversations and the answers are.
        judge: who is asked; its owner closes it.
        rules: how.
        clock: what time it is.
        touched: is told, in this thread, of slots whose scores or uses have changed; see JudgeRecord.
        meters: where calls are counted.
        questions: what can be asked, by evaluator.
    """

    def __init__(
        self,
        store: Store,
        judge: Judge,
        rules: JudgeRules,
        clock: Callable[[], dt.datetime],
        touched: Callable[[dict[Slot, int]], None],
        meters: Meters | None = None,
        questions: Mapping[str, Question] = QUESTIONS,
    ) -> None:
        self._store = store
        self._judge = judge
        self._rules = rules
        self._clock = clock
        self._questions = questions
        self._meters = meters or Meters()
        self._record = JudgeRecord(store, judge.settings, touched, self._meters)
        self._preparing = Preparing(store, judge.settings, rules, questions)
        self._groups: deque[list[Task]] = deque()
        self._ready: deque[Ready] = deque()
        self._asking: dict[Future[Reply], _Asking] = {}
        self._unwritten: list[Done] = []
        self._pool = ThreadPoolExecutor(rules.concurrency, "spanwitness-judge-call")
        self._failures = 0
        self._resume_at = _EPOCH
        self._told_at = _EPOCH
        self._over: dict[dt.datetime, set[str]] = {}
        self._judged = self._given_up = self._finished = self._written = 0
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._hurried: Future[None] = Future()

    def wake(self) -> None:
        """There may be something to do. From any thread."""
        self._wake.set()

    def hurry(self) -> None:
        """Nothing more is asked, and `run` or `drain` ends once it has what it asked. From any thread."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._hurried.set_result(None)
        self._wake.set()

    def run(self) -> None:
        """Judges until `hurry`. Whatever fails is told in the log and tried again."""
        while not self._stopping.is_set():
            try:
                busy = self.turn(_LOOK_S)
            except Exception as error:  # noqa: BLE001 - tasks are in the store: nothing is lost, and the lane goes on
                self._forget()
                why = str(error) if isinstance(error, StoreError) else fault(error)
                log.error("judging failed and will be tried again: %s", why)
                busy = False
            if not busy:
                self._wake.wait(_LOOK_S)
            self._wake.clear()

    def drain(self, progress: Callable[[int, int], None] = lambda _done, _all: None) -> Drained:
        """Judges until nothing is left that can be had within a minute; `progress` hears how many of how many.

        What has to wait longer, since the endpoint is away or a budget is spent, is left for whoever comes next; and so
        is all the rest once nothing has come of any of it for a minute.

        Raises:
            StoreError: the store is away.
        """
        left = judging.waiting(self._store, self._judge.settings.model)
        moved, finished = self._clock(), self._finished
        while not self._stopping.is_set():
            busy = self.turn(1.0)
            progress(self._finished, max(self._finished, left.tasks))
            now = self._clock()
            if self._asking or self._finished > finished:
                moved, finished = now, self._finished
            stuck = now - moved >= _PATIENCE  # what is put off again and again looks busy
            if busy and not stuck:
                continue
            left = judging.waiting(self._store, self._judge.settings.model)
            again = max(left.next_at or _EPOCH, self._resume_at) - now
            if stuck or not left.tasks or again > _PATIENCE:
                break
            self._stopping.wait(max(_BREATH_S, again.total_seconds()))
        self.finish(0.0)
        return Drained(self._judged, self._given_up, left.tasks)

    def finish(self, grace_s: float) -> None:
        """Waits at most so long for what is under way and records it. What comes later is asked again some day."""
        self.hurry()
        wait(self._asking, grace_s)
        self._settle()
        self._judge.close()
        for future, asking in self._asking.items():
            self._cut(future, asking)
        self._asking.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def turn(self, wait_s: float) -> bool:
        """Asks as much as is allowed at once, waits at most so long for a first answer, and records what has come.

        Whether there may be more to do now. Raises StoreError.
        """
        before = self._written
        self._write_come()
        self._fill()
        if self._asking:
            pending: list[Future[Any]] = [*self._asking, self._hurried]
            wait(pending, wait_s, FIRST_COMPLETED)
            self._settle()
        self._tell_waiting()
        return bool(self._asking) or (self._written > before and not self._paused())

    def _fill(self) -> None:
        looked = False
        while len(self._asking) < self._rules.concurrency and not self._stopping.is_set() and not self._paused():
            if self._ready:
                self._ask(self._ready.popleft())
            elif self._groups:
                self._prepare(self._groups.popleft())
            elif looked:
                return
            else:
                looked = True
                self._look()

    def _ask(self, ready: Ready) -> None:
        now = self._clock()
        if not self._within_budget([ready.task], now):  # spent since, maybe on the same conversation
            return
        asking = _Asking(ready, now, uuid.uuid4().hex)
        self._asking[self._pool.submit(self._judge.ask, ready.asked)] = asking

    def _look(self) -> None:
        """Takes the next tasks: what one conversation is to be asked comes together."""
        held = {ready.task.talk for ready in self._ready} | {one.ready.task.talk for one in self._asking.values()}
        now = self._clock()
        found = judging.due(self._store, self._judge.settings.model, now, 32 + 4 * self._rules.concurrency, held)
        self._groups.extend(_by_talk(self._within_budget(found, now)))

    def _within_budget(self, tasks: list[Task], now: dt.datetime) -> list[Task]:
        if not self._rules.limited:
            return tasks
        since = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        spent = judging.spent(self._store, {task.tenant for task in tasks}, since)
        over = {tenant for tenant, sum_ in spent.items() if 0 < self._rules.budget_of(tenant) <= sum_}
        put_off = [
            over_budget(task, question, self._judge.settings, self._rules.budget_of(task.tenant), now)
            for task in tasks
            if task.tenant in over and (question := self._questions.get(task.evaluator)) is not None
        ]
        for tenant in sorted(over - self._over.get(since, set())):
            log.warning("tenant %r: the judge's budget of the day is spent", tenant)
        self._over = {since: over | self._over.get(since, set())}
        self._write(put_off, now)
        # What nobody can be asked costs nothing: it is given up, whoever's it is.
        return [task for task in tasks if task.tenant not in over or task.evaluator not in self._questions]

    def _prepare(self, group: list[Task]) -> None:
        """Makes questions of the tasks about one conversation; what needs no answer is recorded at once."""
        now = self._clock()
        ready, done = self._preparing.prepare(self._within_budget(group, now), now)
        self._ready.extend(ready)
        self._write(done, now)

    def _settle(self) -> None:
        """Takes in what has come: reads it once, however often it takes to write it."""
        now = self._clock()
        for future in [future for future in self._asking if future.done()]:
            self._unwritten.append(self._came(future, self._asking.pop(future), now))
        self._write_come()

    def _write_come(self) -> None:
        """What the store did not take is kept for the next turn. What we failed at ourselves is found there again."""
        come, self._unwritten = self._unwritten, []
        try:
            self._write(come, self._clock())
        except StoreError:
            self._unwritten = come
            raise

    def _came(self, future: Future[Reply], asking: _Asking, now: dt.datetime) -> Done:
        ready, settings = asking.ready, self._judge.settings
        try:
            reply = future.result()
            score = ready.question.read(reply.answer, ready.conversation)
        except JudgeError as error:
            return self._failed_call(asking, error, now)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other tasks are none of its business
            log.error("a judge's answer could not be read: %s", fault(error))
            broken = JudgeError("error", f"a fault of SpanWitness ({fault(error)})", may_retry=False)
            return self._failed_call(asking, broken, now)
        if asking.at >= self._resume_at:
            self._failures, self._resume_at = 0, _EPOCH
        call = self._call(asking, "answered", reply, json.dumps(reply.answer))
        used = use_of(ready.question, settings, ready.took + _spent(call), reply.served)
        task = replace(ready.task, state="done", attempts=ready.task.attempts + 1, error="")
        return Done(task, replace(score, judge=used), ready.conversation, call)

    def _failed_call(self, asking: _Asking, error: JudgeError, now: dt.datetime) -> Done:
        ready = asking.ready
        if error.outcome in _OF_ENDPOINT and error.may_retry:
            # What was under way together fails together: that is one outage, however many calls it were.
            self._failures += asking.at >= self._resume_at
            self._resume_at = max(self._resume_at, now + pause(self._failures, error))
        call = self._call(asking, error.outcome, error)
        took = ready.took + _spent(call)
        done = after_failure(ready.task, ready.question, error, took, self._judge.settings, self._rules, now)
        level = logging.WARNING if done.task.state == "given_up" or self._failures <= 1 else logging.DEBUG
        log.log(level, "judge of %s: %s, try %d", ready.task.evaluator, error, done.task.attempts)
        return replace(done, call=call)

    def _call(self, asking: _Asking, outcome: str, took: Reply | JudgeError, answer: str = "") -> Call:
        ready, settings = asking.ready, self._judge.settings
        return Call(
            id=asking.id,
            task=ready.task,
            at=asking.at,
            content=ready.asked.digest,
            asked=_how(settings, ready.asked, took.manner),
            prompt=ready.asked.prompt,
            outcome=outcome,
            served=took.served,
            input_tokens=took.input_tokens,
            output_tokens=took.output_tokens,
            cost_usd=settings.cost_usd(took.input_tokens, took.output_tokens),
            latency_ms=took.latency_ms,
            answer=answer,
        )

    def _cut(self, future: Future[Reply], asking: _Asking) -> None:
        """Of a call that we ourselves broke off it is recorded that it was made. Its task waits as before."""
        try:
            error = future.exception(timeout=0 if future.done() else _LOOK_S)
        except TimeoutError:
            return
        if isinstance(error, JudgeError):
            judging.insert_calls(self._store, [self._call(asking, error.outcome, error)])

    def _write(self, done: list[Done], now: dt.datetime) -> None:
        if not done:
            return
        self._record.write(done, now)
        self._written += len(done)
        judge = self._judge.settings.model
        for one in done:
            self._judged += one.judged
            self._given_up += one.task.state == "given_up"
            self._finished += one.task.state != "waiting"
            cached = one.score is not None and one.score.judge is not None and one.score.judge.cached
            self._meters.add(names.JUDGE_CACHED, judge, by=cached)
            self._meters.add(names.JUDGE_GIVEN_UP, judge, by=one.task.state == "given_up")

    def _paused(self) -> bool:
        return self._clock() < self._resume_at

    def _forget(self) -> None:
        """After a failure of the store: what was prepared is found there again."""
        self._groups.clear()
        self._ready.clear()

    def _tell_waiting(self) -> None:
        now, judge = self._clock(), self._judge.settings.model
        if now - self._told_at < _TELL:
            return
        self._told_at = now
        left = judging.waiting(self._store, judge)
        self._meters.put(names.JUDGE_WAITING, left.tasks, judge)
        self._meters.replace(names.JUDGE_OLDEST, {(judge,): left.oldest.timestamp()} if left.oldest else {})


def _how(settings: JudgeSettings, asked: Asked, manner: Manner | None) -> dict[str, Any]:
    """How a question was put, for whoever checks a judge."""
    form, temperature = manner or (None, None)
    told = {"format": form, "temperature": temperature}
    where = {"url": settings.origin, "url_digest": settings.url_digest}
    return {**where, **told, "redacted": settings.redact, "limit": asked.limit}


def _spent(call: Call) -> Spent:
    return Spent(call.input_tokens, call.output_tokens, call.cost_usd, call.latency_ms)


def _by_talk(tasks: Iterable[Task]) -> list[list[Task]]:
    """Tasks by conversation, in the order in which they come."""
    groups: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        groups.setdefault(task.talk, []).append(task)
    return list(groups.values())
