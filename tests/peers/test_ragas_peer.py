"""Ragas itself, with metrics of its that ask no language model."""

from __future__ import annotations

import os

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import evaluators_by_name
from spanwitness.model import Conversation, Message, ToolCall
from spanwitness.peers.adapter import theirs
from spanwitness.peers.ragas import RagasMetric

pytest.importorskip("ragas", reason="ragas is not installed: make peers")

TALK = Conversation(
    (
        Message("user", "Cancel order 7."),
        Message("assistant", "", (ToolCall("1", "cancel_order", '{"id": 7}'),)),
        Message("tool", "done", tool_call_id="1"),
        Message("assistant", "Order 7 is cancelled."),
    )
)
RIGHT = {"name": "cancel_order", "arguments": {"id": 7}}
ALSO = {"name": "refund", "arguments": {"id": 7}}


def test_tool_call_accuracy_against_the_calls_expected() -> None:
    metric = RagasMetric(metric="ToolCallAccuracy")
    score = metric.evaluate(TALK, expected_actions=[RIGHT])
    assert (score.score, score.status, score.evaluator) == (1.0, "completed", "RagasToolCallAccuracy")
    assert metric.evaluate(TALK, expected_actions=[ALSO]).score == 0.0


def test_tool_call_f1() -> None:
    metric = RagasMetric(metric="ToolCallF1")
    assert metric.evaluate(TALK, expected_actions=[RIGHT, ALSO]).score == pytest.approx(2 / 3, abs=0.01)


def test_no_call_made_and_none_expected_is_not_their_zero() -> None:
    talk = Conversation((TALK.messages[0], TALK.messages[3]))
    assert RagasMetric(metric="ToolCallF1").evaluate(talk, expected_actions=[]).status == "not_applicable"


@pytest.mark.parametrize("metric", ["ToolCallAccuracy", "ToolCallF1", "ExactMatch", "StringPresence"])
def test_what_is_not_given_is_not_applicable(metric: str) -> None:
    score = RagasMetric(metric=metric).evaluate(TALK)
    assert (score.score, score.status) == (None, "not_applicable")


def test_an_answer_against_a_reference() -> None:
    metric = RagasMetric(metric="StringPresence")
    assert metric.evaluate(TALK, reference="cancelled").score == 1.0
    assert metric.evaluate(TALK, reference="refunded").score == 0.0


@pytest.mark.parametrize("metric", ["", "NoSuchMetric", "DistanceMeasure", "TopicAdherence"])
def test_what_cannot_be_asked_of_a_conversation_is_refused(metric: str) -> None:
    with pytest.raises(ConfigError, match=r"RagasMetric\.metric"):
        RagasMetric(metric=metric)


def test_a_metric_that_needs_a_model_says_so_at_the_start() -> None:
    with pytest.raises(ConfigError, match="llm"):
        RagasMetric(metric="AgentGoalAccuracyWithReference")


def test_a_model_that_cannot_be_reached_is_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    metric = RagasMetric(metric="AgentGoalAccuracyWithReference", model="none")
    assert metric.evaluate(TALK).status == "not_applicable"
    assert metric.evaluate(TALK, reference="The order is cancelled.").status == "failed"


def test_the_configuration_names_it() -> None:
    given = {"class": "spanwitness.peers.ragas:RagasMetric", "metric": "ToolCallF1"}
    (metric,) = evaluators_by_name(["RagasToolCallF1"], {"RagasToolCallF1": given})
    assert metric.evaluate(TALK).status == "not_applicable"


def test_no_usage_data_is_sent() -> None:
    RagasMetric(metric="ToolCallF1")
    assert os.environ["RAGAS_DO_NOT_TRACK"] == "true"
    assert theirs("ragas._analytics").do_not_track()
