"""DeepEval itself, with metrics of its that ask no language model."""

from __future__ import annotations

import os

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import evaluators_by_name
from spanwitness.model import Conversation, Message, ToolCall
from spanwitness.peers.adapter import theirs
from spanwitness.peers.deepeval import DeepEvalMetric

pytest.importorskip("deepeval", reason="deepeval is not installed: make peers")

TALK = Conversation(
    (
        Message("user", "Cancel order 7."),
        Message("assistant", "", (ToolCall("1", "cancel_order", '{"id": 7}'),)),
        Message("tool", "done", tool_call_id="1"),
        Message("assistant", "Order 7 is cancelled."),
    )
)
RIGHT = [{"name": "cancel_order", "arguments": {"id": 7}}]
WRONG = [{"name": "cancel_order", "arguments": {"id": 8}}]


def test_tool_correctness_against_the_calls_expected() -> None:
    metric = DeepEvalMetric(metric="ToolCorrectnessMetric", parameters={"should_exact_match": True})
    score = metric.evaluate(TALK, expected_actions=RIGHT)
    assert (score.score, score.label, score.status) == (1.0, "pass", "completed")
    assert score.evaluator == "DeepEvalToolCorrectnessMetric"
    wrong = metric.evaluate(TALK, expected_actions=[{"name": "refund", "arguments": {}}])
    assert (wrong.score, wrong.label) == (0.0, "fail")


def test_nothing_expected_is_not_applicable() -> None:
    score = DeepEvalMetric(metric="ToolCorrectnessMetric").evaluate(TALK)
    assert (score.score, score.status) == (None, "not_applicable")


def test_their_parameters_are_passed_on() -> None:
    assert (
        DeepEvalMetric(metric="PatternMatchMetric", parameters={"pattern": r"Order \d+ .*"}).evaluate(TALK).score == 1
    )
    assert DeepEvalMetric(metric="PatternMatchMetric", parameters={"pattern": "No"}).evaluate(TALK).score == 0


def test_a_reference_that_is_not_given_is_never_their_zero() -> None:
    metric = DeepEvalMetric(metric="ExactMatchMetric")
    assert metric.evaluate(TALK).status == "not_applicable"
    assert metric.evaluate(TALK, reference="Order 7 is cancelled.").score == 1.0
    assert metric.evaluate(TALK, reference="No.").score == 0.0


def test_without_a_customer_there_is_nothing_to_score() -> None:
    metric = DeepEvalMetric(metric="PatternMatchMetric", parameters={"pattern": "x"})
    assert metric.evaluate(Conversation(TALK.messages[1:])).status == "not_applicable"


def test_tools_that_are_not_permitted() -> None:
    denied = DeepEvalMetric(metric="ToolPermissionMetric", parameters={"denied_tools": ["cancel_order"]})
    assert denied.evaluate(TALK).score == 0.0
    silent = denied.evaluate(Conversation((TALK.messages[0], TALK.messages[3])))
    assert (silent.score, silent.status) == (None, "not_applicable")


@pytest.mark.parametrize("metric", ["", "NoSuchMetric", "BaseMetric", "g_eval"])
def test_what_is_no_metric_of_theirs_is_refused(metric: str) -> None:
    with pytest.raises(ConfigError, match=r"DeepEvalMetric\.metric"):
        DeepEvalMetric(metric=metric)


def test_a_metric_that_needs_a_model_says_so_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="API key"):
        DeepEvalMetric(metric="ConversationCompletenessMetric")


def test_a_metric_of_a_conversation_gets_its_turns_and_its_errors_are_failed() -> None:
    model = {"model": unreachable()}
    score = DeepEvalMetric(metric="TurnRelevancyMetric", parameters=model).evaluate(TALK)
    assert (score.score, score.status) == (None, "failed")
    assert "ConnectionRefusedError" in score.explanation
    only_agent = Conversation(TALK.messages[1:])
    assert (
        DeepEvalMetric(metric="TurnRelevancyMetric", parameters=model).evaluate(only_agent).status == "not_applicable"
    )


def test_the_configuration_names_it() -> None:
    given = {"class": "spanwitness.peers.deepeval:DeepEvalMetric", "metric": "ExactMatchMetric"}
    (metric,) = evaluators_by_name(["DeepEvalExactMatchMetric"], {"DeepEvalExactMatchMetric": given})
    assert metric.evaluate(TALK).status == "not_applicable"


def test_no_usage_data_is_sent() -> None:
    DeepEvalMetric(metric="ExactMatchMetric")
    assert os.environ["DEEPEVAL_TELEMETRY_OPT_OUT"] == "1"
    assert theirs("deepeval.telemetry.client").telemetry_opt_out()


def unreachable() -> object:
    def refused(*_: object, **__: object) -> str:
        raise ConnectionRefusedError

    kind: type = type(
        "Unreachable",
        (theirs("deepeval.models").DeepEvalBaseLLM,),
        {
            "generate": refused,
            "a_generate": refused,
            "load_model": lambda self: self,
            "get_model_name": lambda _: "none",
        },
    )
    return kind()
