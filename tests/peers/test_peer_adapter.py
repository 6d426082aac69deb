"""What every adapter of another project's metric promises, on one that is written here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import Evaluator, evaluators_by_name
from spanwitness.model import Conversation, Message, ToolCall
from spanwitness.peers.adapter import Answer, PeerMetric, collected
from spanwitness.peers.deepeval import DeepEvalMetric
from spanwitness.peers.futureagi import FutureAGIMetric
from spanwitness.peers.phoenix import PhoenixMetric
from spanwitness.peers.ragas import RagasMetric
from spanwitness.peers.view import MissingInput, View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.model import Score

EMAIL = "jo@example.com"
TALK = Conversation(
    (
        Message("user", f"I am {EMAIL}."),
        Message("assistant", "", (ToolCall("1", "find", f'{{"email": "{EMAIL}"}}'),)),
        Message("tool", "Jo", tool_call_id="1"),
        Message("assistant", "Hello Jo."),
        Message("user", "Bye."),
    )
)


@dataclass(frozen=True)
class OurMetric(PeerMetric):
    """Answers with the last word of the agent, if told so; installed wherever these tests run."""

    peer: ClassVar[str] = "Ours"
    package: ClassVar[str] = "pytest"
    extra: ClassVar[str] = "ours"
    quiet: ClassVar[Mapping[str, str]] = {"SPANWITNESS_TEST_QUIET": "1"}

    def check(self) -> None:
        if self.metric == "wrong":
            raise self.refuse("any other")
        if self.metric == "broken":
            raise RuntimeError("no key")

    def ask(self, view: View) -> Answer:
        if self.metric == "raises":
            raise ValueError(view.request())
        if self.metric == "reference":
            return Answer(1.0, view.reference())
        if self.metric == "long":
            return Answer(1.0, "x" * 490 + f" {EMAIL}")
        if self.metric == "word":
            return Answer(cast("float", "pass"))
        value = {"none": None, "nan": float("nan")}.get(self.metric, 0.5)
        return Answer(value, f"{view.request()}\n {view.made()}", "half", {"theirs": 5})


def judged(metric: str, **more: Any) -> Score:
    return OurMetric(metric=metric).evaluate(TALK, **more)


def test_an_answer_becomes_a_score_named_and_versioned_by_the_package() -> None:
    score = judged("any")
    assert (score.evaluator, score.evaluator_version) == ("Oursany", pytest.__version__)
    assert (score.score, score.label, score.status, score.mode) == (0.5, "half", "completed", "any")
    assert score.details == {"theirs": 5}


def test_their_reason_is_kept_without_personal_data() -> None:
    assert judged("any").explanation.startswith("Ours any: I am <EMAIL_ADDRESS_1>. [(")
    assert EMAIL not in repr(judged("any"))
    long = judged("long").explanation
    assert len(long) < 520
    assert EMAIL[:4] not in long


def test_a_missing_input_is_not_applicable_and_never_a_number() -> None:
    score = judged("reference")
    assert (score.score, score.status, score.label) == (None, "not_applicable", "missing_input")
    assert "reference" in score.explanation
    assert judged("reference", reference="x").score == 1.0


@pytest.mark.parametrize(
    ("metric", "told"), [("raises", "ValueError"), ("none", "a number"), ("nan", "a number"), ("word", "a number")]
)
def test_their_errors_are_failed_and_never_told_in_their_words(metric: str, told: str) -> None:
    score = judged(metric)
    assert (score.score, score.status) == (None, "failed")
    assert told in score.explanation
    assert EMAIL not in score.explanation


def test_redaction_reaches_all_that_the_metric_is_given() -> None:
    seen: list[View] = []

    class Spy(OurMetric):
        def ask(self, view: View) -> Answer:
            seen.append(view)
            return Answer(1.0)

    expected = [{"name": "find", "arguments": {"email": EMAIL}}]
    Spy(metric="any", redact=True).evaluate(TALK, expected_actions=expected, reference=EMAIL)
    view = seen[0]
    assert view.request() == "I am <EMAIL_ADDRESS_1>."
    assert view.made() == view.expected() == [("find", {"email": "<EMAIL_ADDRESS_1>"})]
    assert view.reference() == "<EMAIL_ADDRESS_1>"


def test_it_can_be_named_and_is_an_evaluator() -> None:
    metric = OurMetric(metric="any", named="Mine")
    assert isinstance(metric, Evaluator)
    assert metric.name == "Mine"
    assert OurMetric(metric="any").name == "Oursany"


def test_a_metric_that_is_unknown_or_cannot_be_made_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"OurMetric\.metric is 'wrong'; allowed: any other"):
        OurMetric(metric="wrong")
    with pytest.raises(ConfigError, match=r"OurMetric\.metric 'broken' cannot be made: RuntimeError: no key"):
        OurMetric(metric="broken")


def test_usage_data_stays_at_home_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANWITNESS_TEST_QUIET", "0")
    OurMetric(metric="any")
    assert os.environ["SPANWITNESS_TEST_QUIET"] == "0"
    monkeypatch.delenv("SPANWITNESS_TEST_QUIET")
    OurMetric(metric="any")
    assert os.environ["SPANWITNESS_TEST_QUIET"] == "1"


@pytest.mark.parametrize("kind", [DeepEvalMetric, FutureAGIMetric, PhoenixMetric, RagasMetric])
def test_an_absent_package_is_named_with_the_extra_that_brings_it(kind: type[PeerMetric]) -> None:
    absent = type("Absent", (kind,), {"package": "spanwitness-no-such-package"})
    with pytest.raises(ConfigError, match=rf"no-such-package, which is not installed.*spanwitness\[{kind.extra}\]"):
        absent(metric="any")


def test_the_configuration_names_it_by_its_class() -> None:
    parameters = {"Mine": {"class": f"{__name__}:OurMetric", "metric": "any", "named": "Mine"}}
    (metric,) = evaluators_by_name(["Mine"], parameters)
    assert metric.evaluate(TALK).score == 0.5


def test_what_a_view_shows() -> None:
    view = View(inputs(TALK))
    assert (view.request(), view.last_request(), view.answer()) == (f"I am {EMAIL}.", "Bye.", "Hello Jo.")
    assert view.dialogue() == f"User: I am {EMAIL}.\nAssistant: Hello Jo.\nUser: Bye."
    assert view.dialogue(before_last_request=True) == f"User: I am {EMAIL}.\nAssistant: Hello Jo."


@pytest.mark.parametrize(
    "read", [View.request, View.answer, View.reference, View.system_prompt, View.contexts, View.dialogue, View.expected]
)
def test_what_is_not_there_is_told_as_missing(read: Any) -> None:
    with pytest.raises(MissingInput):
        read(View(inputs(Conversation(()))))


def test_arguments_that_are_no_object_are_kept_under_one_key() -> None:
    talk = Conversation((Message("assistant", "", (ToolCall("1", "f", "[1]"), ToolCall("2", "g", ""))),))
    assert View(inputs(talk)).made() == [("f", {"arguments": "[1]"}), ("g", {})]


def test_inputs_are_collected_by_their_names_and_only_needed_ones_must_be_there() -> None:
    view = View(inputs(TALK))
    known = {"answer": View.answer, "reference": View.reference, "other": View.request}
    assert collected({"answer": True, "reference": False, "x": False}, known, view) == {"answer": "Hello Jo."}
    with pytest.raises(MissingInput):
        collected({"reference": True}, known, view)


def inputs(talk: Conversation) -> Any:
    from spanwitness.evaluators import Inputs

    return Inputs(talk)
