"""Scored again: what differs is added, what does not is left, and nothing of what was said before is lost."""

from __future__ import annotations

import datetime as dt
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import Bundle
from spanwitness.model import Contract, Conversation, Score
from spanwitness.pipeline import ReviewRules, rescoring
from spanwitness.pipeline.bundles import Configured
from spanwitness.pipeline.contracts import ContractBook
from spanwitness.pipeline.ledger import Ledger
from spanwitness.pipeline.rescoring import Request, Rescored, Rescoring
from spanwitness.pipeline.score_shift import ScoreShifts
from spanwitness.pipeline.touched import Touched
from spanwitness.store.contracts import insert_contracts
from spanwitness.store.rescoring import Place, Selection
from spanwitness.testing import EPOCH, FakeSpan, chat, trace_request
from tests.pipeline.judges import JUDGED, MODEL, SERVED, Bench, failure

if TYPE_CHECKING:
    from spanwitness.model import Slot
    from tests.conftest import Lanes

ALL = Selection()


@dataclass(frozen=True, slots=True)
class Steps:
    """The number of steps, or what it is told to say."""

    says: float | None = None
    name: ClassVar[str] = "Steps"
    version: ClassVar[str] = "1"

    def evaluate(self, conversation: Conversation) -> Score:
        value = float(len(conversation.steps)) if self.says is None else self.says
        return Score(self.name, self.version, value, "", "completed", f"{value}")


class StepsAnew(Steps):
    version: ClassVar[str] = "2"


class StepsByOtherRules(Steps):
    def evaluate(self, conversation: Conversation) -> Score:
        return replace(Steps.evaluate(self, conversation), details={"rules_version": "1a2b3c4d"})


class Broken(Steps):
    def evaluate(self, conversation: Conversation) -> Score:
        raise RuntimeError(conversation.conversation_id)


def trace_of(tenant: str, name: str) -> int:
    return zlib.crc32(f"{tenant}/{name}".encode())


class Again:
    """Both lanes, and what scores again after them."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.touched: dict[Slot, int] = {}
        self.install(Steps())

    def install(self, evaluator: Steps, threshold: float | None = 2.0) -> None:
        """From now on this evaluator runs."""
        self.bundle = Bundle((evaluator,), {"Steps": threshold})
        self.lanes.review_rules = ReviewRules(bundle=self.bundle)

    def close(self, *names: str, tenant: str = "acme") -> None:
        spans = [chat(trace_of(tenant, name), 1, at, name) for at, name in enumerate(names)]
        self.lanes.ingest([trace_request(spans, tenant=tenant)])
        self.lanes.close_everything()

    def __call__(self, selection: Selection = ALL, **more: Any) -> Rescored:
        """One page; an hour later."""
        contracts = ContractBook(self.lanes.store, self.bundle)
        rescore = Rescoring(self.lanes.store, contracts, Configured(self.bundle), MODEL, self.touched.update)
        return rescore.page(Request(selection, **more), self.lanes.clock.advance(hours=1))

    def scores(self, table: str = "scores_latest") -> list[tuple[Any, ...]]:
        sql = f"SELECT ConversationId, EvaluatorVersion, Score, Scoring FROM {table} ORDER BY ConversationId, Scoring"
        return [tuple(row.values()) for row in self.lanes.rows(sql)]


@pytest.fixture
def again(lanes: Lanes) -> Again:
    return Again(lanes)


def counts(done: Rescored) -> tuple[int, ...]:
    return done.conversations, done.scores, done.new, done.changed, done.unchanged, done.failed


def test_what_is_the_same_is_not_written_again(again: Again) -> None:
    again.close("a", "b")
    before = again.lanes.rows("SELECT * FROM scores ORDER BY ConversationId")
    assert counts(again()) == (2, 2, 0, 0, 2, 0)
    assert again.lanes.rows("SELECT * FROM scores ORDER BY ConversationId") == before
    assert again.touched == {}


def test_a_new_version_is_another_verdict_and_the_first_is_kept(again: Again) -> None:
    again.close("a")
    again.install(StepsAnew())
    assert counts(again()) == (1, 1, 0, 1, 0, 0)
    assert again.scores("scores FINAL") == [("a", "1", 1.0, 0), ("a", "2", 1.0, 1)]
    assert again.scores() == [("a", "2", 1.0, 1)]
    assert [slot.service for slot in again.touched] == ["claims"]


def test_the_same_score_by_other_rules_is_another_verdict(again: Again) -> None:
    again.close("a")
    again.install(StepsByOtherRules())
    assert counts(again()) == (1, 1, 0, 1, 0, 0)
    assert counts(again()) == (1, 1, 0, 0, 1, 0)
    assert again.scores("scores FINAL") == [("a", "1", 1.0, 0), ("a", "1", 1.0, 1)]


def test_a_verdict_that_comes_back_is_a_verdict_of_its_own(again: Again) -> None:
    again.close("a")
    for says in (5.0, 1.0):
        again.install(Steps(says))
        again()
    assert again.scores("scores FINAL") == [("a", "1", 1.0, 0), ("a", "1", 5.0, 1), ("a", "1", 1.0, 2)]
    assert again.scores() == [("a", "1", 1.0, 2)]


def test_how_many_now_pass_and_how_many_do_not_any_more(again: Again) -> None:
    again.close("a", "b", "c")
    again.install(Steps(), threshold=1.0)
    done = again()
    assert (done.changed, done.to_pass, done.to_fail) == (3, 3, 0)
    again.install(Steps(0.0), threshold=1.0)
    done = again()
    assert (done.changed, done.to_pass, done.to_fail) == (3, 0, 3)


def test_an_evaluator_that_did_not_run_then_gives_its_first_verdict(again: Again) -> None:
    again.close("a")
    again.lanes.store.command("TRUNCATE TABLE scores")
    assert counts(again()) == (1, 1, 1, 0, 0, 0)
    assert again.scores() == [("a", "1", 1.0, 0)]


def test_one_that_fails_is_counted_and_its_failure_is_on_record(again: Again) -> None:
    again.close("a")
    again.install(Broken())
    assert counts(again()) == (1, 1, 0, 1, 0, 1)
    assert again.scores() == [("a", "1", None, 1)]
    assert counts(again()) == (1, 1, 0, 0, 1, 1)


def test_only_the_newest_revision_is_scored(again: Again) -> None:
    again.close("a")
    again.lanes.ingest([trace_request([chat(77, 1, 5, "a")])])
    again.lanes.close_everything()
    again.install(StepsAnew())
    assert counts(again()) == (1, 1, 0, 1, 0, 0)
    assert again.scores() == [("a", "2", 2.0, 1)]


def test_what_has_moved_away_is_not(again: Again) -> None:
    again.lanes.ingest([trace_request([chat(1, 1, 1, parent=9)])])
    again.lanes.close_everything()
    again.lanes.ingest([trace_request([FakeSpan(1, 9, 0, "c")])])
    again.lanes.close_everything()
    assert counts(again()) == (1, 1, 0, 0, 1, 0)


def test_what_has_more_to_come_is_left_to_the_review(again: Again) -> None:
    again.close("a")
    again.lanes.ingest([trace_request([chat(trace_of("acme", "a"), 2, 5, "a")])])
    again.lanes.ingestion.flush()
    again.install(StepsAnew())
    done = again()
    assert (done.conversations, done.left, done.scores) == (1, 1, 0)


def test_what_is_not_stored_any_more_is_told(again: Again) -> None:
    again.close("a")
    again.lanes.store.command("TRUNCATE TABLE otel_traces")
    done = again()
    assert (done.conversations, done.gone, done.scores) == (1, 1, 0)


def test_a_dry_run_writes_nothing(again: Again) -> None:
    again.close("a")
    again.install(StepsAnew())
    assert counts(again(dry_run=True)) == (1, 1, 0, 1, 0, 0)
    assert again.scores("scores FINAL") == [("a", "1", 1.0, 0)]
    assert again.touched == {}


def test_only_what_is_asked_for(again: Again) -> None:
    again.close("a")
    middle = again.lanes.clock()
    again.lanes.clock.advance(hours=1)
    again.close("b")
    again.close("a", tenant="other")
    again.install(StepsAnew())

    def picked(selection: Selection) -> int:
        return again(selection, dry_run=True).conversations

    later = middle + dt.timedelta(seconds=1)
    assert [picked(Selection(since=later)), picked(Selection(until=later))] == [2, 1]
    assert [picked(Selection(tenant="acme")), picked(Selection(tenant="nobody"))] == [2, 0]
    assert picked(Selection(conversation="a")) == 2
    assert picked(Selection(tenant="acme", conversation="a", since=middle, until=later)) == 1


def test_it_goes_on_from_page_to_page(again: Again, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescoring, "_PAGE", 2)
    again.close("a", "b", "c")
    again.close("a", tenant="other")
    again.install(StepsAnew())
    first = again()
    assert (first.total, first.conversations, first.after) == (4, 2, ("acme", "b"))
    assert first.after is not None
    second = again(after=first.after)
    assert (second.total, second.conversations, second.after) == (0, 2, ("other", "a"))
    assert second.after is not None
    last = again(after=second.after)
    assert (last.conversations, last.after) == (0, None)
    assert [row[3] for row in again.scores()] == [1] * 4


def test_a_request_survives_being_sent() -> None:
    selection = Selection(EPOCH, EPOCH + dt.timedelta(microseconds=1), "tenant", "ü")
    for request in (Request(selection, ("A", "B"), judge=True, after=Place("x", "y")), Request(ALL)):
        assert Request.of(orjson.loads(orjson.dumps(request.told()))) == request
    with pytest.raises(KeyError):
        Request.of({})


def test_an_evaluator_that_nobody_knows_is_refused(again: Again) -> None:
    with pytest.raises(ConfigError, match=r"evaluator 'Step' is unknown; allowed: .*Steps"):
        again(evaluators=("Step",))


def test_what_was_agreed_when_it_began_holds(again: Again) -> None:
    again.close("a")
    begins = EPOCH - dt.timedelta(days=1)
    strict = Contract("acme", 1, begins, EPOCH + dt.timedelta(seconds=30), thresholds={"Steps": 1.0})
    insert_contracts(again.lanes.store, [strict], again.lanes.clock())
    done = again()
    assert (done.changed, done.to_pass) == (1, 1)
    (row,) = again.lanes.rows("SELECT Threshold, Passed FROM scores_latest")
    assert row == {"Threshold": 1.0, "Passed": True}


class TestJudges:
    @pytest.fixture
    def bench(self, lanes: Lanes) -> Bench:
        bench = Bench(lanes)
        lanes.ingest([trace_request([chat(1, 1, 0, "a"), chat(2, 1, 10, "b")])])
        lanes.close_everything()
        return bench

    def ask(self, bench: Bench, judge: str = MODEL, **more: Any) -> Rescored:
        configured = Configured(JUDGED, judges=("TaskCompletion",))
        book = ContractBook(bench.lanes.store, configured)
        rescore = Rescoring(bench.lanes.store, book, configured, judge, bench.touched.update)
        return rescore.page(Request(ALL, judge=True, **more), bench.lanes.clock.advance(hours=1))

    def test_they_are_asked_anew(self, bench: Bench) -> None:
        bench.turns()
        bench.judge.answers = ["no", "yes"]
        assert self.ask(bench).asked == 2
        bench.turns()
        assert len(bench.judge.asked) == 4
        assert [(row["ConversationId"], row["Score"], row["Scoring"]) for row in bench.scores()] == [
            ("a", 0.0, 1),
            ("b", 1.0, 0),
        ]

    def test_what_still_waits_is_asked_anyway(self, bench: Bench) -> None:
        assert self.ask(bench).asked == 0
        assert len(bench.tasks()) == 2

    def test_what_was_given_up_is_asked_again(self, bench: Bench) -> None:
        bench.judge.answers = [failure("refused", may_retry=False)]
        bench.turns()
        assert self.ask(bench).asked == 2
        bench.turns()
        assert [(row["Status"], row["Scoring"]) for row in bench.scores()] == [("completed", 0)] * 2

    def test_a_dry_run_asks_nobody(self, bench: Bench) -> None:
        bench.turns()
        assert self.ask(bench, dry_run=True).asked == 2
        assert len(bench.tasks()) == 2

    def test_without_a_judge_nobody_can_be_asked(self, bench: Bench) -> None:
        with pytest.raises(ConfigError, match=r"judge\.model"):
            self.ask(bench, judge="")

    def test_what_no_judge_can_be_asked_is_refused(self, bench: Bench) -> None:
        with pytest.raises(ConfigError, match=r"'PII' is not one that can be judged; allowed: .*TaskCompletion"):
            self.ask(bench, evaluators=("PII",))


def test_the_score_shift_of_a_swap_goes_by_the_last_verdicts_alone(again: Again) -> None:
    mini = "gpt-4o-mini-2024-07-18"
    calls = [chat(number, 1, number * 60.0, f"c{number}", served=mini if number > 2 else SERVED) for number in range(5)]
    again.install(Steps(), threshold=None)
    again.lanes.ingest([trace_request(calls)])
    again.lanes.close_everything()

    def shift() -> dict[str, Any]:
        sql = "SELECT ScoreShift FROM model_swaps FINAL WHERE Class = 'version'"
        found: dict[str, Any] = orjson.loads(again.lanes.rows(sql)[0]["ScoreShift"])["Steps"]
        return found

    assert (shift()["before"], shift()["after"]) == (1.0, 1.0)
    again.install(Steps(4.0))
    assert again().changed == 5
    touched = Touched(again.lanes.store)
    touched.add(again.touched)
    touched.refresh(Ledger(again.lanes.store), ScoreShifts(again.lanes.store), again.lanes.clock())
    assert (shift()["before"], shift()["after"], shift()["n_before"], shift()["n_after"]) == (4.0, 4.0, 3, 2)
    assert shift()["difference"] == 0
