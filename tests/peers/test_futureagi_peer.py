"""FutureAGI's ai-evaluation itself, with its local metrics."""

from __future__ import annotations

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import evaluators_by_name
from spanwitness.model import Conversation, Document, Message, ToolCall
from spanwitness.peers.futureagi import FutureAGIMetric

pytest.importorskip("fi.evals", reason="ai-evaluation is not installed: make peers")

TALK = Conversation(
    (
        Message("user", "Cancel order 7."),
        Message("assistant", "", (ToolCall("1", "cancel_order", '{"id": 7}'),)),
        Message("tool", "done", tool_call_id="1"),
        Message("assistant", "Order 7 is cancelled."),
    )
)
WITHOUT = Conversation((TALK.messages[0], TALK.messages[3]))
RIGHT = {"name": "cancel_order", "arguments": {"id": 7}}
WRONG = {"name": "cancel_order", "arguments": {"id": 8}}


def test_calls_against_those_expected() -> None:
    metric = FutureAGIMetric(metric="function_call_exact_match")
    score = metric.evaluate(TALK, expected_actions=[RIGHT])
    assert (score.score, score.label, score.status) == (1.0, "pass", "completed")
    assert score.evaluator == "FutureAGIfunction_call_exact_match"
    assert metric.evaluate(TALK, expected_actions=[WRONG]).score == 0.0
    assert metric.evaluate(WITHOUT, expected_actions=[RIGHT]).score == 0.0


def test_a_metric_of_one_call_is_not_asked_of_several() -> None:
    metric = FutureAGIMetric(metric="function_name_match")
    assert metric.evaluate(TALK, expected_actions=[WRONG]).score == 1.0
    assert metric.evaluate(TALK, expected_actions=[RIGHT, WRONG]).status == "not_applicable"
    several = FutureAGIMetric(metric="function_call_accuracy").evaluate(TALK, expected_actions=[RIGHT, WRONG])
    assert several.score is not None
    assert 0.0 < several.score < 1.0


def test_no_call_made_and_none_expected_is_not_their_zero() -> None:
    metric = FutureAGIMetric(metric="function_call_exact_match")
    assert metric.evaluate(WITHOUT, expected_actions=[]).status == "not_applicable"


@pytest.mark.parametrize(
    "metric", ["function_call_accuracy", "equals", "levenshtein_similarity", "faithfulness", "groundedness"]
)
def test_what_is_not_given_is_not_applicable_where_theirs_is_zero(metric: str) -> None:
    score = FutureAGIMetric(metric=metric).evaluate(TALK)
    assert (score.score, score.status) == (None, "not_applicable")


def test_an_answer_against_a_reference() -> None:
    assert FutureAGIMetric(metric="equals").evaluate(TALK, reference="Order 7 is cancelled.").score == 1.0
    assert FutureAGIMetric(metric="equals").evaluate(TALK, reference="No.").score == 0.0


def test_their_config_is_passed_on() -> None:
    assert FutureAGIMetric(metric="contains", parameters={"keyword": "cancelled"}).evaluate(TALK).score == 1.0
    with pytest.raises(ConfigError, match="keyword"):
        FutureAGIMetric(metric="contains")


def test_an_answer_against_documents() -> None:
    talk = Conversation(TALK.messages, documents=(Document("Order 7 is cancelled."),))
    score = FutureAGIMetric(metric="faithfulness").evaluate(talk)
    assert score.status == "completed"
    assert score.score is not None
    assert score.score > 0.5


def test_a_trajectory() -> None:
    score = FutureAGIMetric(metric="tool_selection_accuracy").evaluate(TALK, expected_actions=[RIGHT])
    assert score.score == 1.0
    assert FutureAGIMetric(metric="tool_selection_accuracy").evaluate(WITHOUT).status == "not_applicable"


@pytest.mark.parametrize("metric", ["", "customer_agent_query_handling", "ndcg", "parameter_validation"])
def test_what_does_not_run_here_is_refused(metric: str) -> None:
    with pytest.raises(ConfigError, match=r"FutureAGIMetric\.metric"):
        FutureAGIMetric(metric=metric)


def test_a_template_without_a_key_is_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FI_API_KEY", "FI_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    metric = FutureAGIMetric(metric="customer_agent_query_handling", engine="turing", model="turing_flash")
    score = metric.evaluate(TALK)
    assert (score.score, score.status) == (None, "failed")
    assert metric.evaluate(Conversation(())).status == "not_applicable"


def test_the_configuration_names_it() -> None:
    given = {"class": "spanwitness.peers.futureagi:FutureAGIMetric", "metric": "equals"}
    (metric,) = evaluators_by_name(["FutureAGIequals"], {"FutureAGIequals": given})
    assert metric.evaluate(TALK).status == "not_applicable"
