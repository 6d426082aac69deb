"""By which rules judges are asked: how often, how many at once, for how much; and what became of one task."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from spanwitness.judge.asking import MODE
from spanwitness.judge.judged import failed, use_of
from spanwitness.model import Conversation, Score
from spanwitness.store.judging import Spent, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.evaluators import Bundle
    from spanwitness.judge.asking import Asked, Question
    from spanwitness.judge.endpoint import JudgeError, Reply
    from spanwitness.judge.settings import JudgeSettings
    from spanwitness.store.judging import Call

_FIRST_S: Final = 5.0
_FACTOR: Final = 4.0
_ENOUGH: Final = 16  # a power that is beyond the longest wait
_LONGEST: Final = dt.timedelta(hours=6)
_LONGEST_PAUSE: Final = dt.timedelta(minutes=5)
_DAY: Final = dt.timedelta(days=1)


class Judge(Protocol):
    """Who is asked: `judge.endpoint.Endpoint`, or what a test puts in its place. Asked from several threads at once."""

    @property
    def settings(self) -> JudgeSettings:
        """The model, and what its tokens cost."""

    def ask(self, asked: Asked) -> Reply:
        """See Endpoint. Raises JudgeError."""

    def close(self) -> None:
        """Gives up what is under way: it raises JudgeError."""


@dataclass(frozen=True, slots=True)
class JudgeRules:
    """How judges are asked.

    Attributes:
        concurrency: calls at once.
        attempts: of each task, before it is given up.
        budget: USD for each tenant and UTC day; 0: no limit. What is under way when it is spent is paid beyond it.
        cache: for how long an answer counts when the same is asked again.
    """

    concurrency: int = 4
    attempts: int = 8
    budget: float = 0.0
    budget_by_tenant: Mapping[str, float] = field(default_factory=dict)
    cache: dt.timedelta = dt.timedelta(days=30)

    def budget_of(self, tenant: str) -> float:
        """0: no limit."""
        return self.budget_by_tenant.get(tenant, self.budget)

    @property
    def limited(self) -> bool:
        """Whether anybody has a budget."""
        return any([self.budget, *self.budget_by_tenant.values()])


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task: how it stands now, the score if there is one, and the call if there was one.

    Attributes:
        conversation: as it was sent, for what the score's evidence points at.
    """

    task: Task
    score: Score | None = None
    conversation: Conversation | None = None
    call: Call | None = None

    @property
    def judged(self) -> bool:
        """Whether it has a verdict, and not an error."""
        return self.score is not None and self.score.status != "failed"

    @property
    def asked(self) -> bool:
        """Whether a judge was called for it, now or by a process before."""
        use = self.score.judge if self.score is not None else None
        return self.call is not None or (use is not None and bool(use.served))


def tasks_of(conversation: Conversation, bundle: Bundle, judge: str, now: dt.datetime) -> list[Task]:
    """What a judge is asked about a conversation, for each evaluator that its bundle has judged."""
    return [
        Task(
            tenant=conversation.tenant,
            conversation_id=conversation.conversation_id,
            revision=conversation.revision,
            evaluator=name,
            judge=judge,
            threshold=bundle.judge_threshold(name),
            asked_at=now,
            next_at=now,
        )
        for name in bundle.judged
    ]


def backoff(attempts: int, error: JudgeError) -> dt.timedelta:
    """How long a task waits after so many attempts: 5 s, 20 s, 80 s ... 6 h; longer where the endpoint says so."""
    wait = min(dt.timedelta(seconds=_FIRST_S * _FACTOR ** min(attempts - 1, _ENOUGH)), _LONGEST)
    return max(wait, dt.timedelta(seconds=error.retry_after_s or 0.0))


def pause(failures: int, error: JudgeError) -> dt.timedelta:
    """How long nobody is asked after so many failures in a row that are the endpoint's and no conversation's.

    So an endpoint that is away, or has had enough, costs each task few of its attempts.
    """
    wait = min(dt.timedelta(seconds=_FIRST_S * 2.0 ** min(failures - 1, _ENOUGH)), _LONGEST_PAUSE)
    return max(wait, min(dt.timedelta(seconds=error.retry_after_s or 0.0), _DAY))


def next_day(now: dt.datetime) -> dt.datetime:
    """When the next UTC day begins."""
    return now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0) + _DAY


def after_failure(
    task: Task,
    question: Question,
    error: JudgeError,
    took: Spent,
    settings: JudgeSettings,
    rules: JudgeRules,
    now: dt.datetime,
) -> Done:
    """A task that got no usable answer: it is tried later, or given up. Its Error row stands until then.

    Args:
        task: as it stood.
        question: what was asked.
        error: what came instead of an answer.
        took: all calls of the task together.
        settings: of the judge.
        rules: when it is given up.
        now: the time.
    """
    attempts = task.attempts + 1
    given_up = not error.may_retry or attempts >= rules.attempts
    return Done(
        replace(
            task,
            attempts=attempts,
            state="given_up" if given_up else "waiting",
            next_at=now if given_up else now + backoff(attempts, error),
            error=str(error),
        ),
        failed(question, error, use_of(question, settings, took, error.served)),
    )


def over_budget(task: Task, question: Question, settings: JudgeSettings, budget: float, now: dt.datetime) -> Done:
    """A task of a tenant whose budget is spent: it waits for the next UTC day, and has an Error row until then."""
    again = next_day(now)
    day = (again - _DAY).date().isoformat()
    why = f"budget of {budget:g} USD for {day} (UTC) is spent"
    return Done(
        replace(task, next_at=again, error=why),
        Score(
            evaluator=question.evaluator,
            evaluator_version=question.version,
            score=None,
            label="budget",
            status="failed",
            explanation=f"{question.evaluator}: the judge's {why}; it is asked again from {again:%Y-%m-%d} on.",
            mode=MODE,
            judge=use_of(question, settings, Spent()),
        ),
    )
