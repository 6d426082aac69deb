"""From the tasks about a conversation to what the judge is asked, and to what needs no answer of it."""

from __future__ import annotations

import datetime as dt
import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from spanwitness.errors import StoreError, fault
from spanwitness.judge.endpoint import JudgeError
from spanwitness.judge.judged import as_sent, use_of
from spanwitness.model import Score
from spanwitness.pipeline.judge_rules import Done, JudgeRules, after_failure
from spanwitness.pipeline.rebuilding import rebuilt
from spanwitness.store import judging
from spanwitness.store.judging import Answer, Spent, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spanwitness.judge.asking import Asked, Question
    from spanwitness.judge.settings import JudgeSettings
    from spanwitness.model import Conversation
    from spanwitness.pipeline.rebuilding import Rebuilt
    from spanwitness.store import Store

log = logging.getLogger(__name__)
SUPERSEDED: Final = "superseded"
"""The Error of a task whose conversation has a newer revision, which has tasks of its own."""

_SOON: Final = dt.timedelta(seconds=5)
_LATER: Final = dt.timedelta(minutes=1)
_SPANS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Ready:
    """A task with all that it takes to ask and to read the answer.

    Attributes:
        conversation: as it is sent.
        took: its calls so far.
    """

    task: Task
    question: Question
    asked: Asked
    conversation: Conversation
    took: Spent


class Preparing:
    """Prepares the tasks of one conversation at a time, so that no more transcripts than calls are held in memory."""

    def __init__(
        self, store: Store, settings: JudgeSettings, rules: JudgeRules, questions: Mapping[str, Question]
    ) -> None:
        self._store = store
        self._settings = settings
        self._rules = rules
        self._questions = questions

    def prepare(self, tasks: Sequence[Task], now: dt.datetime) -> tuple[list[Ready], list[Done]]:
        """What is to be asked about one conversation, and the tasks that are done or put off. Raises StoreError."""
        if not tasks:
            return [], []
        tenant, identity = tasks[0].talk
        try:
            (found,) = rebuilt(self._store, tenant, [identity], _SPANS)
            current, done = _current(tasks, found, now)
            if not current or found.conversation is None:
                return [], done
            sent = as_sent(found.conversation, redact=self._settings.redact)
            ready, more = self._questioned(current, sent, now)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other conversations are none of its business
            log.error("conversation %s of tenant %s could not be put to the judge: %s", identity, tenant, fault(error))
            broken = JudgeError("error", f"a fault of SpanWitness ({fault(error)})")
            return [], [self._broken(task, broken, now) for task in tasks]
        return ready, done + more

    def _broken(self, task: Task, error: JudgeError, now: dt.datetime) -> Done:
        question = self._questions.get(task.evaluator)
        if question is None:
            return _unknown(task)
        return after_failure(task, question, error, Spent(), self._settings, self._rules, now)

    def _questioned(
        self, tasks: Sequence[Task], sent: Conversation, now: dt.datetime
    ) -> tuple[list[Ready], list[Done]]:
        ready: list[Ready] = []
        done: list[Done] = []
        took = judging.spent_on(self._store, sent.tenant, tasks)
        for task in tasks:
            question = self._questions.get(task.evaluator)
            if question is None:
                done.append(_unknown(task))
                continue
            asked = question.ask(sent)
            if isinstance(asked, Score):
                score = replace(asked, judge=use_of(question, self._settings, took[task]))
                done.append(Done(replace(task, state="done", error=""), score, sent))
            else:
                ready.append(Ready(task, question, asked, sent, took[task]))
        answers = self._on_record(ready, now)
        done += [_answered(one, answers[one.task], self._settings) for one in ready if one.task in answers]
        return [one for one in ready if one.task not in answers], done

    def _on_record(self, ready: Sequence[Ready], now: dt.datetime) -> dict[Task, Answer]:
        """By task an answer that need not be asked for: its own, or one within the cache's time unless it asks anew."""
        if not ready:
            return {}
        since = now - self._rules.cache
        oldest = min([since, *(one.task.asked_at for one in ready)])
        digests = [one.asked.digest for one in ready]
        judge = self._settings.model, self._settings.url_digest
        answers = judging.answers(self._store, ready[0].task.talk, judge, digests, oldest)
        found: dict[Task, Answer] = {}
        for one in ready:
            own, other = (answers.get((one.asked.digest, of_it)) for of_it in (True, False))
            if own is not None and own.at >= one.task.asked_at:
                found[one.task] = own
            elif self._rules.cache and not one.task.scoring:
                cached = max((answer for answer in (own, other) if answer is not None), default=None)
                if cached is not None and cached.at > since:
                    found[one.task] = cached
        return found


def _current(tasks: Sequence[Task], found: Rebuilt, now: dt.datetime) -> tuple[list[Task], list[Done]]:
    """The tasks that are about the conversation as it is on record now; the others are done, or wait."""
    current: list[Task] = []
    done: list[Done] = []
    for task in tasks:
        if task.revision < found.revision:
            done.append(Done(replace(task, state="done", error=SUPERSEDED)))
        elif task.revision > found.revision:  # its revision is being written
            done.append(Done(replace(task, next_at=now + _SOON)))
        elif found.conversation is None:
            done.append(Done(replace(task, state="given_up", error="its spans are not stored any more")))
        elif found.open:  # more of it has come: a newer revision follows, or the same once more
            done.append(Done(replace(task, next_at=now + _LATER)))
        else:
            current.append(task)
    return current, done


def _answered(ready: Ready, answer: Answer, settings: JudgeSettings) -> Done:
    score = ready.question.read(json.loads(answer.text), ready.conversation)
    cached = answer.at < ready.task.asked_at
    use = use_of(ready.question, settings, ready.took, answer.served, cached=cached)
    return Done(replace(ready.task, state="done", error=""), replace(score, judge=use), ready.conversation)


def _unknown(task: Task) -> Done:
    return Done(replace(task, state="given_up", error=f"{task.evaluator} is not one that can be judged"))
