"""Phoenix' evals themselves, with those that ask no language model."""

from __future__ import annotations

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import evaluators_by_name
from spanwitness.model import Conversation, Message, ToolCall
from spanwitness.peers.phoenix import PhoenixMetric

pytest.importorskip("phoenix.evals", reason="arize-phoenix-evals is not installed: make peers")

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
CALLS = {"positive_label": 1}


def test_exact_match_against_the_reference() -> None:
    metric = PhoenixMetric(metric="exact_match")
    assert metric.evaluate(TALK, reference="Order 7 is cancelled.").score == 1.0
    assert metric.evaluate(TALK, reference="No.").score == 0.0
    assert metric.evaluate(TALK).status == "not_applicable"


def test_a_pattern_in_the_answer() -> None:
    score = PhoenixMetric(metric="MatchesRegex", parameters={"pattern": "cancelled"}).evaluate(TALK)
    assert (score.score, score.status, score.evaluator) == (1.0, "completed", "PhoenixMatchesRegex")
    assert score.details["direction"] == "maximize"
    assert PhoenixMetric(metric="MatchesRegex", parameters={"pattern": "refunded"}).evaluate(TALK).score == 0.0


@pytest.mark.parametrize(("output", "value"), [("precision", 1.0), ("recall", 0.5), ("", 2 / 3)])
def test_precision_and_recall_of_the_calls(output: str, value: float) -> None:
    metric = PhoenixMetric(metric="PrecisionRecallFScore", parameters=CALLS, output=output)
    assert metric.evaluate(TALK, expected_actions=[RIGHT, ALSO]).score == pytest.approx(value)


def test_calls_that_nobody_expected_anything_of_are_not_applicable() -> None:
    metric = PhoenixMetric(metric="PrecisionRecallFScore", parameters=CALLS)
    assert metric.evaluate(TALK).status == "not_applicable"
    without = Conversation((TALK.messages[0], TALK.messages[3]))
    assert metric.evaluate(without, expected_actions=[]).status == "not_applicable"


def test_a_score_that_is_not_among_theirs_is_failed() -> None:
    metric = PhoenixMetric(metric="PrecisionRecallFScore", parameters=CALLS, output="accuracy")
    assert metric.evaluate(TALK, expected_actions=[RIGHT]).status == "failed"


@pytest.mark.parametrize("metric", ["", "no_such_metric", "correctness"])
def test_what_is_no_evaluator_of_theirs_is_refused(metric: str) -> None:
    with pytest.raises(ConfigError, match=r"PhoenixMetric\.metric"):
        PhoenixMetric(metric=metric)


def test_what_needs_more_than_a_conversation_or_a_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="llm"):
        PhoenixMetric(metric="UserFrictionEvaluator")
    with pytest.raises(ConfigError, match="Unknown provider"):
        PhoenixMetric(metric="UserFrictionEvaluator", provider="nobody", model="none")


def test_the_configuration_names_it() -> None:
    given = {"class": "spanwitness.peers.phoenix:PhoenixMetric", "metric": "exact_match"}
    (metric,) = evaluators_by_name(["Phoenixexact_match"], {"Phoenixexact_match": given})
    assert metric.evaluate(TALK).status == "not_applicable"
