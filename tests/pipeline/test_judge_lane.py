"""From a closed conversation to a judge's verdict: asked once, paid once, told however it ends."""

from __future__ import annotations

import datetime as dt
import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from spanwitness.errors import StoreError
from spanwitness.evaluators import Bundle
from spanwitness.pipeline import ReviewRules
from spanwitness.pipeline.judge_rules import JudgeRules
from spanwitness.store import judging
from spanwitness.store.judging import Task
from spanwitness.testing import EPOCH, FakeSpan, chat, trace_request, until
from tests.pipeline.judges import (
    BUNDLE,
    JUDGED,
    MODEL,
    QUESTIONS,
    SERVED,
    SETTINGS,
    Bench,
    MemoryJudge,
    NothingToAsk,
    failure,
)
from tests.pipeline.test_review import FailingStore

if TYPE_CHECKING:
    from tests.conftest import Lanes

BOTH = Bundle(BUNDLE.evaluators, BUNDLE.thresholds, ("TaskCompletion", "ConversationResolution"))


def talk(number: int, identity: str, tenant: str = "acme") -> bytes:
    return trace_request([chat(number, 1, number * 10.0, identity)], tenant=tenant)


@pytest.fixture
def bench(lanes: Lanes) -> Bench:
    return Bench(lanes)


class TestAsking:
    def test_a_closed_conversation_is_judged_after_its_offline_scores_are_there(self, bench: Bench) -> None:
        bench.close(talk(1, "c"))
        assert len(bench.scores("Judge = ''")) == len(BUNDLE.evaluators)
        assert bench.scores() == []
        assert bench.tasks("Revision, Evaluator, Judge, Scoring, State, Threshold") == [
            (1, "TaskCompletion", MODEL, 0, "waiting", 1.0)
        ]
        bench.turns()

        (score,) = bench.scores()
        told = ("Revision", "Evaluator", "EvaluatorVersion", "Judge", "JudgeModel", "Score", "Passed", "Scoring")
        assert [score[name] for name in told] == [1, "TaskCompletion", "judge-1", MODEL, SERVED, 1, True, 0]
        assert score["JudgePrompt"] == QUESTIONS["TaskCompletion"].prompt_digest
        assert (score["JudgeInputTokens"], score["JudgeOutputTokens"], score["JudgeLatencyMs"]) == (1000, 100, 250)
        assert score["CostUsd"] == pytest.approx(0.002)
        assert bench.tasks() == [("done", 1, "")]
        assert bench.calls("Outcome, JudgeModel, ConversationId, Evaluator") == [
            ("answered", SERVED, "c", "TaskCompletion")
        ]

    def test_it_is_asked_once(self, bench: Bench) -> None:
        bench.close(talk(1, "c"))
        for _ in range(3):
            bench.turns()
            bench.lanes.close_everything()
        assert len(bench.judge.asked) == 1

    def test_every_evaluator_of_the_bundle_that_is_judged_is_asked_about(self, lanes: Lanes) -> None:
        bench = Bench(lanes, bundle=BOTH)
        bench.close(talk(1, "c"))
        bench.turns()
        assert [row["Evaluator"] for row in bench.scores()] == ["ConversationResolution", "TaskCompletion"]
        assert len(bench.scores("1")) == len(BUNDLE.evaluators) + 2

    def test_without_a_judge_there_is_nothing_to_be_done(self, bench: Bench) -> None:
        bench.lanes.review_rules = ReviewRules(bundle=JUDGED)
        bench.close(talk(1, "c"))
        assert bench.tasks() == []

    def test_what_need_not_be_asked_is_scored_without_a_call(self, bench: Bench) -> None:
        bench.questions = {"TaskCompletion": NothingToAsk()}
        bench.restart()
        bench.close(talk(1, "c"))
        bench.turns()
        (score,) = bench.scores()
        told = [score[name] for name in ("Status", "Score", "Label", "Judge")]
        assert told == ["not_applicable", None, "no_policy", MODEL]
        assert (bench.judge.asked, bench.calls()) == ([], [])

    def test_what_nobody_can_be_asked_is_given_up(self, bench: Bench) -> None:
        bench.questions = {}
        bench.restart()
        bench.close(talk(1, "c"))
        bench.turns()
        assert bench.tasks() == [("given_up", 0, "TaskCompletion is not one that can be judged")]

    def test_a_newer_revision_takes_the_place_of_what_was_to_be_asked(self, bench: Bench) -> None:
        bench.close(talk(1, "c"))
        bench.close(trace_request([chat(1, 2, 12.0, "c")]))
        bench.turns()
        assert bench.tasks() == [("done", 0, "superseded"), ("done", 1, "")]
        assert [row["Revision"] for row in bench.scores()] == [2]
        assert len(bench.judge.asked) == 1

    def test_what_came_after_the_close_waits_for_its_revision(self, bench: Bench) -> None:
        bench.close(talk(1, "c"))
        bench.lanes.ingest([trace_request([chat(1, 2, 12.0, "c")])])
        bench.lanes.ingestion.flush()
        bench.turns()
        assert (bench.tasks(), bench.judge.asked) == ([("waiting", 0, "")], [])
        bench.lanes.close_everything()
        bench.turns()
        assert [row["Revision"] for row in bench.scores()] == [2]

    def test_a_conversation_that_moved_away_is_not_judged(self, bench: Bench) -> None:
        bench.close(trace_request([chat(1, 1, 1, parent=9)]))
        bench.close(trace_request([FakeSpan(1, 9, 0, "c")]))
        bench.turns()
        assert sorted(bench.tasks("State, Error")) == [("done", ""), ("done", "superseded")]
        assert [row["ConversationId"] for row in bench.scores()] == ["c"]


class TestAtOnce:
    def test_no_more_are_asked_at_once_than_allowed(self, lanes: Lanes) -> None:
        bench = Bench(lanes, JudgeRules(concurrency=3, cache=dt.timedelta()))
        bench.close(*(talk(number, f"c{number}") for number in range(8)))
        bench.judge.gate = threading.Event()
        bench.judging.turn(0.0)
        assert len(bench.judge.asked) <= 3
        bench.judge.gate.set()
        bench.turns()
        assert (len(bench.judge.asked), len(bench.scores())) == (8, 8)
        assert bench.judge.most_at_once == 3

    def test_a_tenant_with_many_conversations_keeps_no_other_waiting(self, lanes: Lanes) -> None:
        bench = Bench(lanes)
        bench.close(*(talk(number, f"c{number}", "many") for number in range(60)))
        bench.close(talk(100, "d", "few"))
        bench.turns(lambda: len(bench.judge.asked) >= 2)
        assert bench.tasks("TenantId, State").count(("few", "done")) == 1

    def test_the_oldest_are_asked_first(self, bench: Bench) -> None:
        bench.close(talk(1, "a"))
        bench.close(talk(2, "b"))
        due = judging.due(bench.lanes.store, MODEL, bench.lanes.clock(), 10)
        assert [task.conversation_id for task in due] == ["a", "b"]
        assert judging.due(bench.lanes.store, MODEL, bench.lanes.clock(), 10, [("acme", "a")]) == due[1:]
        assert judging.due(bench.lanes.store, "another", bench.lanes.clock(), 10) == []


class TestFailures:
    @pytest.mark.parametrize("outcome", ["unusable", "limited", "timeout", "unreachable", "error"])
    def test_a_failure_is_an_error_row_until_the_verdict_takes_its_place(self, bench: Bench, outcome: str) -> None:
        bench.judge.answers = [failure(outcome)]
        bench.close(talk(1, "c"))
        bench.turns()
        (score,) = bench.scores()
        assert (score["Status"], score["Score"], score["Passed"], score["Label"]) == ("failed", None, None, outcome)
        assert outcome in score["Error"]
        assert bench.tasks("State, Attempts") == [("waiting", 1)]
        bench.turns()
        assert len(bench.judge.asked) == 1, "not before its time"

        bench.lanes.clock.advance(seconds=5)
        bench.turns()
        (score,) = bench.scores(table="(SELECT * FROM scores FINAL)")
        assert (score["Status"], score["Score"], score["Scoring"]) == ("completed", 1, 0)
        assert bench.calls() == [outcome, "answered"]
        assert bench.tasks() == [("done", 2, "")]

    def test_what_all_calls_took_stands_with_the_score(self, bench: Bench) -> None:
        bench.judge.answers = [failure("unusable", served=SERVED, latency_ms=50)]
        bench.close(talk(1, "c"))
        bench.turns()
        bench.lanes.clock.advance(seconds=5)
        bench.restart()
        bench.turns()
        (score,) = bench.scores()
        assert (score["JudgeInputTokens"], score["JudgeOutputTokens"], score["JudgeLatencyMs"]) == (1100, 110, 300)
        assert score["CostUsd"] == pytest.approx(0.0022)

    def test_it_waits_longer_each_time_and_is_given_up(self, bench: Bench) -> None:
        bench.judge.answers = [failure("unusable")] * 9
        bench.close(talk(1, "c"))
        waits = []
        for _ in range(8):
            asked = bench.lanes.clock()
            bench.turns()
            ((state, next_at),) = bench.tasks("State, toUnixTimestamp64Milli(NextAt)")
            waits.append(next_at / 1000 - asked.timestamp())
            bench.lanes.clock.advance(seconds=max(waits[-1], 0))
        assert waits == [5, 20, 80, 320, 1280, 5120, 20480, 0]
        assert (state, len(bench.judge.asked)) == ("given_up", 8)
        bench.lanes.clock.advance(days=1)
        bench.turns()
        assert len(bench.judge.asked) == 8
        assert [row["Status"] for row in bench.scores()] == ["failed"]

    def test_what_may_not_be_tried_again_is_given_up_at_once(self, bench: Bench) -> None:
        bench.judge.answers = [failure("refused", may_retry=False)]
        bench.close(talk(1, "c"))
        bench.turns()
        assert bench.tasks() == [("given_up", 1, "refused: as told")]

    def test_the_endpoints_own_wish_is_kept(self, bench: Bench) -> None:
        bench.judge.answers = [failure("limited", retry_after_s=90)]
        bench.close(talk(1, "c"), talk(2, "d"))
        bench.turns()
        assert len(bench.judge.asked) == 1, "nobody is asked while the endpoint has had enough"
        bench.lanes.clock.advance(seconds=89)
        bench.turns()
        assert len(bench.judge.asked) == 1
        bench.lanes.clock.advance(seconds=1)
        bench.turns()
        assert [row["Status"] for row in bench.scores()] == ["completed"] * 2

    def test_an_endpoint_that_is_away_costs_few_attempts(self, bench: Bench) -> None:
        bench.judge.answers = [failure("unreachable")] * 100
        bench.close(*(talk(number, f"c{number}") for number in range(20)))
        for _ in range(60):
            bench.turns()
            bench.lanes.clock.advance(seconds=10)
        assert len(bench.judge.asked) <= 8, "5 s, 10 s, 20 s, ... apart"

    def test_what_fails_together_is_one_outage(self, lanes: Lanes) -> None:
        bench = Bench(lanes, JudgeRules(concurrency=8, cache=dt.timedelta()))
        bench.judge.answers = [failure("unreachable")] * 8
        bench.judge.gate = threading.Event()
        bench.close(*(talk(number, f"c{number}") for number in range(16)))
        bench.judging.turn(0.0)
        until(lambda: len(bench.judge.asked) == 8)
        bench.judge.gate.set()
        bench.turns()
        assert len(bench.judge.asked) == 8
        bench.lanes.clock.advance(seconds=6)
        bench.turns()
        assert len(bench.judge.asked) == 24, "5 s after a first failure, not minutes"

    def test_an_answer_to_what_was_asked_before_does_not_end_a_pause(self, lanes: Lanes) -> None:
        bench = Bench(lanes, JudgeRules(concurrency=2, cache=dt.timedelta()))
        bench.judge.answers = [failure("limited", retry_after_s=60), "yes"]
        bench.judge.gate, bench.judge.fails_at_once = threading.Event(), True
        bench.close(*(talk(number, f"c{number}") for number in range(4)))
        bench.turns(lambda: any(row["Status"] == "failed" for row in bench.scores()))
        assert len(bench.judge.asked) == 2
        bench.judge.gate.set()
        bench.turns()
        assert [row["Status"] for row in bench.scores()].count("completed") == 1
        assert len(bench.judge.asked) == 2, "the endpoint asked for a minute"

    def test_a_fault_of_ours_is_a_failure_like_any_other(self, bench: Bench) -> None:
        bench.judge.answers = [RuntimeError("what a customer said")]
        bench.close(talk(1, "c"), talk(2, "d"))
        bench.turns()
        assert [row["Status"] for row in bench.scores()] == ["failed", "completed"]
        assert "customer" not in "".join(row["Error"] + row["Explanation"] for row in bench.scores())
        assert "customer" not in str(bench.tasks())

    def test_a_verdict_is_not_put_out_of_force_by_a_failure(self, bench: Bench) -> None:
        bench.close(talk(1, "c"))
        bench.turns()
        again(bench, "c")
        bench.judge.answers = [failure("timeout")]
        bench.turns()
        assert [row["Status"] for row in bench.scores(table="(SELECT * FROM scores FINAL)")] == ["completed"]
        assert bench.tasks() == [("done", 1, ""), ("waiting", 1, "timeout: as told")]


def again(bench: Bench, conversation: str, scoring: int = 1) -> None:
    """Somebody asks for another verdict."""
    now = bench.lanes.clock.advance(minutes=1)
    task = Task("acme", conversation, 1, "TaskCompletion", MODEL, 1.0, now, now, scoring)
    judging.insert_tasks(bench.lanes.store, [task], now)


class TestAgain:
    def test_another_verdict_is_the_next_and_the_first_is_kept(self, bench: Bench) -> None:
        bench.close(talk(1, "c"))
        bench.turns()
        bench.judge.answers = ["no"]
        again(bench, "c")
        bench.turns()
        every = bench.scores(table="(SELECT * FROM scores FINAL)")
        assert [(row["Scoring"], row["Score"]) for row in every] == [(0, 1), (1, 0)]
        assert [(row["Scoring"], row["Passed"]) for row in bench.scores()] == [(1, False)]

    def test_the_same_verdict_is_not_written_again(self, bench: Bench) -> None:
        bench.close(talk(1, "c"))
        bench.turns()
        again(bench, "c")
        bench.turns()
        assert len(bench.judge.asked) == 2, "the answer on record does not count"
        assert len(bench.scores(table="(SELECT * FROM scores FINAL)")) == 1
        assert bench.tasks("State, Scoring") == [("done", 0), ("done", 1)]


class TestAnswersOnRecord:
    @pytest.fixture
    def bench(self, lanes: Lanes) -> Bench:
        return Bench(lanes, JudgeRules(concurrency=1, cache=dt.timedelta(hours=3)))

    def test_the_same_question_is_not_asked_twice(self, bench: Bench) -> None:
        for number, identity in enumerate("cd"):
            bench.close(talk(number, identity))
            bench.turns()
        first, second = bench.scores()
        assert len(bench.judge.asked) == 1
        assert (first["Score"], second["Score"]) == (1, 1)
        assert (first["CostUsd"] > 0, second["CostUsd"], second["JudgeModel"]) == (True, 0, SERVED)

    def test_one_tenants_answer_is_no_others(self, bench: Bench) -> None:
        bench.close(talk(1, "c", "a"), talk(2, "d", "b"))
        bench.turns()
        assert len(bench.judge.asked) == 2

    def test_how_a_judge_was_asked_is_on_record(self, bench: Bench) -> None:
        bench.judge.answers = [failure("error")]
        bench.close(talk(1, "c"))
        bench.turns()
        bench.lanes.clock.advance(minutes=1)
        bench.turns()
        where = {"url": "https://api.openai.com", "url_digest": "d9617135"}
        of_both = {**where, "redacted": False, "limit": 20_000}
        assert [json.loads(told) for told in bench.calls("Asked")] == [
            {**of_both, "format": None, "temperature": None},
            {**of_both, "format": "json_schema", "temperature": 0},
        ]

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", f"{SETTINGS.url}/another"])
    def test_another_address_is_another_judge(self, bench: Bench, url: str) -> None:
        bench.close(talk(1, "c"))
        bench.turns()
        bench.restart(MemoryJudge(replace(SETTINGS, url=url)))
        bench.close(talk(2, "d"))
        bench.turns()
        assert len(bench.judge.asked) == 1, "whoever answers there may be less strict"
        assert "another" not in str(bench.calls("Asked")), "a path may be a secret"

    def test_an_old_answer_does_not_count(self, bench: Bench) -> None:
        for number, identity in enumerate("cd"):
            bench.close(talk(number, identity))
            bench.turns()
            bench.lanes.clock.advance(hours=2)
        assert len(bench.judge.asked) == 2

    def test_who_asks_anew_is_answered_anew(self, bench: Bench) -> None:
        bench.close(talk(1, "c"))
        bench.turns()
        again(bench, "c")
        bench.turns()
        assert len(bench.judge.asked) == 2

    def test_without_a_cache_every_conversation_is_asked_about(self, lanes: Lanes) -> None:
        bench = Bench(lanes)
        bench.close(talk(1, "c"), talk(2, "d"))
        bench.turns()
        assert len(bench.judge.asked) == 2


class TestBudget:
    def test_what_is_beyond_the_budget_waits_for_the_next_day(self, lanes: Lanes) -> None:
        rules = JudgeRules(concurrency=1, budget=0.003, cache=dt.timedelta())
        bench = Bench(lanes, rules)
        bench.close(*(talk(number, f"c{number}") for number in range(4)))
        bench.turns()
        assert len(bench.judge.asked) == 2, "0.002 USD each: the second goes beyond it"
        statuses = [(row["Status"], row["Label"]) for row in bench.scores()]
        assert sorted(statuses) == [("completed", "done")] * 2 + [("failed", "budget")] * 2
        (error,) = {row["Error"] for row in bench.scores("Status = 'failed'")}
        assert "budget of 0.003 USD for 2026-11-20 (UTC) is spent" in error
        waiting = [task for task in bench.tasks("State, Attempts, toString(NextAt)") if task[0] == "waiting"]
        assert waiting == [("waiting", 0, "2026-11-21 00:00:00.000")] * 2

        lanes.clock.now = EPOCH.replace(hour=0) + dt.timedelta(days=1)
        bench.turns()
        assert [row["Status"] for row in bench.scores()] == ["completed"] * 4

    def test_what_one_conversation_is_asked_is_held_to_it_as_well(self, lanes: Lanes) -> None:
        bench = Bench(lanes, JudgeRules(concurrency=1, budget=0.001, cache=dt.timedelta()), BOTH)
        bench.close(talk(1, "c"))
        bench.turns()
        assert len(bench.judge.asked) == 1, "the first spends it"
        assert sorted(row["Label"] for row in bench.scores()) == ["budget", "done"]

    def test_each_tenant_has_its_own(self, lanes: Lanes) -> None:
        rules = JudgeRules(concurrency=1, budget=0.001, budget_by_tenant={"rich": 1.0}, cache=dt.timedelta())
        bench = Bench(lanes, rules)
        bench.close(*(talk(number, f"c{number}", "rich") for number in range(3)))
        bench.close(*(talk(number, f"d{number}", "poor") for number in range(10, 13)))
        bench.turns()
        done = [row["TenantId"] for row in bench.scores("Status = 'completed'")]
        assert sorted(done) == ["poor", "rich", "rich", "rich"]


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_killed_at_any_write_nothing_is_paid_twice_and_the_verdict_is_the_same(lanes: Lanes, applied: bool) -> None:
    for fails_at in range(1, 20):
        lanes.clear()
        bench = Bench(lanes)
        bench.close(talk(1, "c"))
        store = lanes.store
        failing = FailingStore(store, fails_at, applied=applied)
        bench.lanes.store = failing
        bench.restart()
        bench.lanes.store = store
        try:
            bench.turns()
        except StoreError:
            bench.restart()
            bench.turns()
        else:
            assert fails_at > 4, "there are fewer writes than thought"
            break
        paid = 1 if applied or fails_at > 1 else 2
        assert len(bench.judge.asked) == paid, f"killed at write {fails_at}"
        assert bench.tasks("State") == [("done",)]
        found = [(row["Status"], row["Score"], row["Scoring"], row["CostUsd"]) for row in bench.scores()]
        assert found == [("completed", 1.0, 0, pytest.approx(0.002))], f"killed at write {fails_at}"
        uses = lanes.rows("SELECT Calls FROM model_uses FINAL WHERE ServiceName = 'spanwitness'")
        assert [row["Calls"] for row in uses] == [1]
    else:
        pytest.fail("no end of writes")


def test_a_store_that_is_away_for_a_moment_costs_nothing(lanes: Lanes) -> None:
    """The same process goes on: what was answered is recorded later, once."""
    for fails_at in range(1, 5):
        lanes.clear()
        bench = Bench(lanes)
        bench.close(talk(1, "c"))
        store, lanes.store = lanes.store, FailingStore(lanes.store, fails_at, applied=True)
        bench.restart()
        lanes.store = store
        with pytest.raises(StoreError):
            bench.turns()
        bench.turns()
        assert (len(bench.judge.asked), bench.calls(), bench.tasks("State")) == (1, ["answered"], [("done",)])
        assert [(row["Score"], row["Scoring"]) for row in bench.scores()] == [(1.0, 0)]


class TestEnding:
    def test_a_call_that_answers_in_time_is_recorded(self, bench: Bench) -> None:
        bench.close(talk(1, "c"))
        gate = bench.judge.gate = threading.Event()
        bench.judging.turn(0.0)
        threading.Timer(0.05, gate.set).start()
        bench.judging.hurry()
        bench.judging.finish(10.0)
        assert bench.tasks("State") == [("done",)]

    def test_a_call_that_does_not_is_cut_and_asked_again_by_the_next_process(self, bench: Bench) -> None:
        bench.close(talk(1, "c"), talk(2, "d", "other"))
        bench.judge.gate = threading.Event()
        bench.judging.turn(0.0)
        bench.judging.finish(0.0)
        assert bench.calls() == ["unreachable"]
        assert bench.tasks("State, Attempts") == [("waiting", 0)] * 2
        bench.restart(MemoryJudge())
        bench.turns()
        assert bench.tasks("State, Attempts") == [("done", 1)] * 2

    def test_run_ends_when_it_is_told_to(self, bench: Bench) -> None:
        bench.close(talk(1, "c"))
        lane = threading.Thread(target=bench.judging.run)
        lane.start()
        until(lambda: bench.tasks("State") == [("done",)])
        bench.judging.hurry()
        lane.join(10)
        assert not lane.is_alive()
        bench.judging.finish(1.0)

    def test_drain_judges_all_and_tells_how_far_it_is(self, bench: Bench) -> None:
        bench.close(*(talk(number, f"c{number}", f"t{number}") for number in range(3)))
        told: list[tuple[int, int]] = []
        drained = bench.judging.drain(lambda done, total: told.append((done, total)))
        assert (drained.judged, drained.given_up, drained.left) == (3, 0, 0)
        assert told[-1] == (3, 3)

    def test_drain_leaves_what_has_to_wait(self, lanes: Lanes) -> None:
        bench = Bench(lanes)
        bench.judge.answers = [failure("limited", retry_after_s=3600)]
        bench.close(talk(1, "c"), talk(2, "d", "other"))
        drained = bench.judging.drain()
        assert (drained.judged, drained.left) == (0, 2)
