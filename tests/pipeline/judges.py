"""A judge in memory, and a question for it: what the judging lane does with answers, not how they are got."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from spanwitness.evaluators import Bundle, evaluators_by_name
from spanwitness.judge.asking import Question
from spanwitness.judge.endpoint import JudgeError, Reply
from spanwitness.judge.reply import Completion
from spanwitness.judge.schema import one_of, table
from spanwitness.judge.settings import JudgeSettings
from spanwitness.pipeline import ReviewRules
from spanwitness.pipeline.bundles import Configured
from spanwitness.pipeline.judge_rules import JudgeRules
from spanwitness.pipeline.judging import Judging
from spanwitness.pipeline.review import Review
from spanwitness.pipeline.touched import Touched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spanwitness.judge.asking import Asked
    from spanwitness.judge.record import Record
    from spanwitness.judge.schema import Schema
    from spanwitness.model import Conversation, Score, Slot
    from tests.conftest import Lanes

MODEL: Final = "gpt-4o"
SERVED: Final = "gpt-4o-2024-08-06"
SETTINGS: Final = JudgeSettings("https://api.openai.com/v1", MODEL, redact=False, input_price=1.0, output_price=10.0)
BUNDLE: Final = Bundle(evaluators_by_name(["TaskCompletion", "ConversationResolution"]), {"TaskCompletion": 1.0})
JUDGED: Final = Bundle(BUNDLE.evaluators, BUNDLE.thresholds, ("TaskCompletion",))
ONE_BY_ONE: Final = JudgeRules(concurrency=1, cache=dt.timedelta())


class WasItDone(Question):
    """Asks one word."""

    evaluator: ClassVar[str] = "TaskCompletion"
    version: ClassVar[str] = "judge-1"
    task: ClassVar[str] = "Was it done?"
    schema: ClassVar[Schema] = table(done=one_of("yes", "no"))

    def lacking(self, _conversation: Conversation) -> tuple[str, str] | None:
        return None

    def verdict(self, answer: Mapping[str, Any], record: Record) -> Score:
        done = answer["done"] == "yes"
        return self.completed(float(done), "done" if done else "not done", "as the judge says", record)


class WasItSolved(WasItDone):
    """Another evaluator's."""

    evaluator: ClassVar[str] = "ConversationResolution"
    task: ClassVar[str] = "Was it solved?"


class NothingToAsk(WasItDone):
    """Has nothing to ask about any conversation."""

    def lacking(self, _conversation: Conversation) -> tuple[str, str] | None:
        return "no_policy", "There is no policy."


QUESTIONS: Final[Mapping[str, Question]] = {question.evaluator: question for question in (WasItDone(), WasItSolved())}


def failure(outcome: Any = "error", *, served: str = "", **more: Any) -> JudgeError:
    completion = Completion(served=served, input_tokens=100, output_tokens=10) if served else None
    return JudgeError(outcome, "as told", completion=completion, **more)


@dataclass
class MemoryJudge:
    """Answers as it is told: the next of `answers`, "yes" once there are no more.

    With `gate` nobody is answered until it is set, or the judge is closed; unless `fails_at_once`, for what fails.
    """

    settings: JudgeSettings = SETTINGS
    served: str = SERVED
    answers: list[str | JudgeError | Exception] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    gate: threading.Event | None = None
    fails_at_once: bool = False
    closed: threading.Event = field(default_factory=threading.Event)
    most_at_once: int = 0
    _now: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    def ask(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            answer = self.answers.pop(0) if self.answers else "yes"
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            held = not (self.fails_at_once and isinstance(answer, Exception))
            while held and self.gate is not None and not self.gate.wait(0.01):
                if self.closed.is_set():
                    raise failure("unreachable")
            if isinstance(answer, Exception):
                raise answer
            return Reply({"done": answer}, self.served, 1000, 100, 250)
        finally:
            with self._lock:
                self._now -= 1

    def close(self) -> None:
        self.closed.set()


class Bench:
    """Both lanes and the judge over one store, driven by hand."""

    def __init__(self, lanes: Lanes, rules: JudgeRules | None = None, bundle: Bundle = JUDGED) -> None:
        self.lanes = lanes
        self.rules = rules or ONE_BY_ONE
        self.questions: Mapping[str, Question] = QUESTIONS
        self.judge = MemoryJudge()
        self.review_rules = ReviewRules(bundle=Configured(bundle, judges=tuple(QUESTIONS)), judge=MODEL)
        lanes.review_rules = self.review_rules
        self.touched: dict[Slot, int] = {}
        self.restart()

    def restart(self, judge: MemoryJudge | None = None) -> None:
        """Another process takes over: what the last one held in memory is gone."""
        self.judge = judge or self.judge
        self.judging = Judging(
            self.lanes.store, self.judge, self.rules, self.lanes.clock, self.touched.update, questions=self.questions
        )

    def close(self, *bodies: bytes) -> None:
        """Takes requests in, and closes all."""
        self.lanes.ingest(bodies)
        self.lanes.close_everything()

    def turns(self, condition: Callable[[], bool] | None = None) -> None:
        """Judges as long as there is something to do now, or until a condition holds."""
        for _ in range(1000):
            busy = self.judging.turn(5.0)
            if condition() if condition is not None else not busy:
                return
        raise AssertionError("no end of turns")

    def sweep(self) -> Any:
        """A review to which all that judging touched is told."""
        review = Review(self.lanes.store, self.review_rules)
        review.touched = Touched(self.lanes.store)
        review.touched.add(self.touched)
        return review.sweep(self.lanes.clock())

    def scores(self, where: str = "Judge != ''", table: str = "scores_latest") -> list[dict[str, Any]]:
        return self.lanes.rows(f"SELECT * FROM {table} WHERE {where} ORDER BY ConversationId, Evaluator, Scoring")

    def tasks(self, columns: str = "State, Attempts, Error") -> list[tuple[Any, ...]]:
        sql = f"SELECT {columns} FROM judge_tasks FINAL ORDER BY ConversationId, Revision, Evaluator, Scoring"
        return [tuple(row.values()) for row in self.lanes.rows(sql)]

    def calls(self, columns: str = "Outcome") -> list[Any]:
        found = self.lanes.rows(f"SELECT {columns} FROM judge_calls FINAL ORDER BY CalledAt, CallId")
        return [tuple(row.values()) if len(row) > 1 else next(iter(row.values())) for row in found]
