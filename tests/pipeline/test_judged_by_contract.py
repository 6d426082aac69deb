"""Conversations are judged by the contract that was in force when they began."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from spanwitness.contract.document import parse
from spanwitness.evaluators import BUNDLE
from spanwitness.model import Contract
from spanwitness.pipeline import Review, ReviewRules
from spanwitness.pipeline.contracts import record
from spanwitness.store.contracts import insert_contracts
from spanwitness.testing import EPOCH, chat, trace_request

if TYPE_CHECKING:
    from spanwitness.pipeline import Sweep
    from tests.conftest import Lanes

HOUR = dt.timedelta(hours=1)
LOOSE = "[evaluate]\nevaluators = ['TaskCompletion']\nthresholds = { TaskCompletion = 0.25 }\n"
STRICT = "[evaluate]\nevaluators = ['TaskCompletion']\nthresholds = { TaskCompletion = 0.75 }\n"

RULES = """
[[evaluate.parameters.CustomerAgentPromptConformance.rules]]
name = "no_promises"
severity = "critical"
forbid_phrase = ["guarantee*"]
"""


class Judged:
    """Both lanes, with contracts of the tenant "acme" that hold from seconds after the beginning."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.review = Review(lanes.store, ReviewRules())

    def agree(self, second: int, text: str) -> None:
        begin = EPOCH + dt.timedelta(seconds=second)
        record(self.lanes.store, parse(text, "acme.toml", begin), begin)

    def close(self) -> Sweep:
        self.lanes.ingestion.flush()
        return self.review.sweep(self.lanes.clock.advance(hours=1))

    def thresholds(self) -> list[tuple[str, int, str, float | None]]:
        rows = self.lanes.rows(
            "SELECT ConversationId, Revision, Evaluator, Threshold FROM scores FINAL "
            "ORDER BY ConversationId, Revision, Evaluator"
        )
        return [(row["ConversationId"], row["Revision"], row["Evaluator"], row["Threshold"]) for row in rows]


@pytest.fixture
def judged(lanes: Lanes) -> Judged:
    return Judged(lanes)


class TestJudging:
    def test_a_conversation_is_judged_by_what_was_in_force_when_it_began(self, judged: Judged) -> None:
        judged.agree(100, LOOSE)
        judged.agree(200, STRICT)
        before, first, second = chat(1, 1, 0, "a"), chat(2, 1, 150, "b"), chat(3, 1, 200, "c")
        judged.lanes.ingest([trace_request([before, first, second])])
        assert judged.close().scores == len(BUNDLE.evaluators) + 2
        assert judged.thresholds() == [
            *(("a", 1, name, BUNDLE.threshold(name)) for name in sorted(BUNDLE.thresholds)),
            ("b", 1, "TaskCompletion", 0.25),
            ("c", 1, "TaskCompletion", 0.75),
        ]

    def test_an_old_one_that_is_reopened_after_a_change_is_judged_by_the_old_terms(self, judged: Judged) -> None:
        judged.agree(-10, LOOSE)
        judged.lanes.ingest([trace_request([chat(1, 1, 0, "a")])])
        judged.close()
        judged.agree(100, STRICT)
        judged.lanes.ingest([trace_request([chat(1, 2, 300, "a"), chat(2, 1, 300, "b")])])
        assert judged.close().revised == 1
        assert judged.thresholds() == [
            ("a", 1, "TaskCompletion", 0.25),
            ("a", 2, "TaskCompletion", 0.25),
            ("b", 1, "TaskCompletion", 0.75),
        ]

    def test_a_channel_is_judged_by_what_was_agreed_for_it(self, judged: Judged) -> None:
        judged.agree(-10, LOOSE + "[evaluate.by_channel.voice]\nthresholds = { TaskCompletion = 0.5 }\n")
        voice = chat(2, 1, 0, "b", attributes={"spanwitness.channel": "voice"})
        judged.lanes.ingest([trace_request([chat(1, 1, 0, "a"), voice])])
        judged.close()
        assert judged.thresholds() == [("a", 1, "TaskCompletion", 0.25), ("b", 1, "TaskCompletion", 0.5)]

    def test_rules_that_were_agreed_are_those_that_count(self, judged: Judged) -> None:
        judged.agree(-10, RULES)
        asked = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Cancel it, please."}]}])
        said = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "I guarantee that it is."}]}])
        talk = chat(1, 1, 0, "a", attributes={"gen_ai.input.messages": asked, "gen_ai.output.messages": said})
        judged.lanes.ingest([trace_request([talk]), trace_request([replace(talk, trace=2)], tenant="other")])
        judged.close()
        rows = judged.lanes.rows(
            "SELECT TenantId, Label, Score, Passed FROM scores FINAL "
            "WHERE Evaluator = 'CustomerAgentPromptConformance' ORDER BY TenantId"
        )
        assert [tuple(row.values()) for row in rows] == [
            ("acme", "broken_critical", 0.0, False),
            ("other", "no_rules", None, None),
        ]

    def test_a_tenant_is_judged_by_its_own_contract(self, judged: Judged) -> None:
        judged.agree(-10, LOOSE)
        judged.lanes.ingest([trace_request([chat(1, 1, 0, "a")]), trace_request([chat(2, 1, 0, "b")], tenant="other")])
        judged.close()
        assert [row for row in judged.thresholds() if row[2] == "TaskCompletion"] == [
            ("a", 1, "TaskCompletion", 0.25),
            ("b", 1, "TaskCompletion", 1.0),
        ]

    def test_one_that_has_run_out_counts_no_more(self, judged: Judged) -> None:
        begin = EPOCH + dt.timedelta(seconds=100)
        insert_contracts(
            judged.lanes.store, [Contract("acme", 1, EPOCH, begin, thresholds={"TaskCompletion": 0.25})], EPOCH
        )
        judged.lanes.ingest([trace_request([chat(1, 1, 0, "a"), chat(2, 1, 200, "b")])])
        judged.close()
        assert [row for row in judged.thresholds() if row[2] == "TaskCompletion"] == [
            ("a", 1, "TaskCompletion", 0.25),
            ("b", 1, "TaskCompletion", 1.0),
        ]

    def test_an_evaluator_that_is_not_installed_any_more_gives_a_failed_score(
        self, judged: Judged, caplog: pytest.LogCaptureFixture
    ) -> None:
        agreed = Contract("acme", 1, EPOCH - HOUR, evaluators=("Gone", "TaskCompletion"), thresholds={"Gone": 0.5})
        insert_contracts(judged.lanes.store, [agreed], EPOCH)
        judged.lanes.ingest([trace_request([chat(1, 1, 0, "a")])])
        assert judged.close().closed == 1
        (row,) = judged.lanes.rows("SELECT Status, Score, Explanation FROM scores FINAL WHERE Evaluator = 'Gone'")
        assert row == {
            "Status": "failed",
            "Score": None,
            "Explanation": "Gone: the contract in force names this evaluator, and it is not installed here.",
        }
        assert "a contract in force names what is not there: evaluator 'Gone' is unknown" in caplog.text
        assert len(judged.thresholds()) == 2

    def test_a_threshold_for_what_does_not_run_any_more_is_left_out(self, judged: Judged) -> None:
        agreed = Contract("acme", 1, EPOCH - HOUR, thresholds={"Gone": 0.5, "TaskCompletion": 0.25})
        insert_contracts(judged.lanes.store, [agreed], EPOCH)
        judged.lanes.ingest([trace_request([chat(1, 1, 0, "a")])])
        assert judged.close().closed == 1
        assert ("a", 1, "TaskCompletion", 0.25) in judged.thresholds()
