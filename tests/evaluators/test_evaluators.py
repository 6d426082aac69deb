"""The registry, the bundle, and how one evaluator is run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import (
    BUILT_IN,
    BUNDLE,
    Bundle,
    CustomerAgentHumanEscalation,
    Evaluator,
    TaskCompletion,
    evaluator_names,
    evaluators_by_name,
    run,
)
from spanwitness.model import Conversation, Message, Score

if TYPE_CHECKING:
    from pathlib import Path

CARD = "my card is 4111 1111"
TALK = Conversation((Message("user", CARD), Message("assistant", "Thank you.")))


@dataclass(frozen=True)
class Answers:
    """An evaluator as a user writes one: no base class."""

    name: ClassVar[str] = "Answers"
    version: ClassVar[str] = "7"
    score: float | None = 1.0

    def evaluate(self, conversation: Conversation) -> Score:
        return Score(self.name, self.version, self.score, "ok", "completed", f"{len(conversation.messages)} messages")


class Breaks(Answers):
    name = "Breaks"

    def evaluate(self, conversation: Conversation) -> Score:
        raise KeyError(conversation.messages[0].content)


class Deep(Answers):
    def evaluate(self, conversation: Conversation) -> Score:
        return self.evaluate(conversation)


class Mute(Answers):
    def evaluate(self, conversation: Conversation) -> Score:
        return cast("Score", conversation.messages[0].content)


def test_run_returns_the_evaluators_own_score() -> None:
    assert run(Answers(), TALK) == Answers().evaluate(TALK)


@pytest.mark.parametrize(
    ("evaluator", "says"),
    [
        (Breaks(), "Breaks: KeyError at test_evaluators.py:"),
        (Deep(), "RecursionError"),
        (Mute(), "answered with str; allowed: Score"),
        (Answers(float("nan")), "not a finite number"),
        (Answers(float("inf")), "not a finite number"),
    ],
)
def test_run_turns_a_fault_into_a_failed_score_without_a_word_of_the_conversation(
    evaluator: Evaluator, says: str
) -> None:
    score = run(evaluator, TALK)
    assert (score.status, score.score, score.label) == ("failed", None, "failed")
    assert (score.evaluator, score.evaluator_version) == (evaluator.name, "7")
    assert says in score.explanation
    assert CARD not in repr(score)


def test_run_does_not_swallow_an_interrupt() -> None:
    class Interrupted(Answers):
        def evaluate(self, conversation: Conversation) -> Score:  # noqa: ARG002
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(), TALK)


def test_evaluators_come_in_the_order_of_their_names() -> None:
    found = evaluators_by_name(["CustomerAgentHumanEscalation", "TaskCompletion"])
    assert found == (CustomerAgentHumanEscalation(), TaskCompletion())
    assert evaluators_by_name([]) == ()


def test_an_unknown_name_is_told_with_those_allowed() -> None:
    with pytest.raises(ConfigError) as told:
        evaluators_by_name(["TaskCompletion", "TaskCompletoin"])
    assert "'TaskCompletoin' is unknown" in str(told.value)
    assert all(name in str(told.value) for name in BUILT_IN)


def test_the_default_bundle_runs_what_is_built_in_and_holds_each_to_its_threshold() -> None:
    assert [evaluator.name for evaluator in BUNDLE.evaluators] == list(BUNDLE.thresholds)
    assert BUNDLE.threshold("ConversationResolution") == 0.5
    assert BUNDLE.threshold("NotThere") is None


@pytest.mark.parametrize(("score", "verdict"), [(1.0, True), (0.8, True), (0.79, False), (0.0, False), (None, None)])
def test_a_score_is_held_against_the_threshold(score: float | None, verdict: bool | None) -> None:
    bundle = Bundle((Answers(score),), {"Answers": 0.8})
    assert bundle.passed(Answers(score).evaluate(TALK)) is verdict


def test_without_a_threshold_there_is_no_verdict() -> None:
    assert Bundle((Answers(),), {"Answers": None}).passed(Answers().evaluate(TALK)) is None
    assert Bundle((Answers(),), {}).passed(Answers().evaluate(TALK)) is None


@pytest.mark.parametrize(
    ("evaluators", "thresholds", "says"),
    [
        ((Answers(), Answers(0.5)), {}, "Answers more than once"),
        ((Answers(),), {"Answer": 1.0}, "'Answer', which is not in the bundle; allowed: Answers"),
        ((Answers(),), {"Answers": float("nan")}, "threshold of Answers is nan; allowed: a finite number, or none"),
    ],
)
def test_a_wrong_bundle_is_refused_at_the_start(
    evaluators: tuple[Evaluator, ...], thresholds: dict[str, float | None], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        Bundle(evaluators, thresholds)


MODULE = """
from dataclasses import dataclass
from spanwitness.model import Score

@dataclass(frozen=True)
class Politeness:
    name = "Politeness"
    version = "1"
    word: str = "please"

    def evaluate(self, conversation):
        said = sum(self.word in message.content for message in conversation.messages)
        return Score(self.name, self.version, min(1.0, float(said)), "polite", "completed", f"said {said} times")

class Misnamed(Politeness):
    name = "Rudeness"

strict = Politeness("please, please")
object.__setattr__(strict, "name", "Strict")
number = 3

class Explodes:
    def __init__(self):
        raise OSError("no model file")
"""
ENTRY_POINTS = """
[spanwitness.evaluators]
Politeness = acme_quality:Politeness
Strict = acme_quality:strict
Wrong = acme_quality:Misnamed
Number = acme_quality:number
Explodes = acme_quality:Explodes
Missing = acme_quality:nothing_here
TaskCompletion = acme_quality:Politeness
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that declares evaluators, as an installer leaves it."""
    (tmp_path / "acme_quality.py").write_text(MODULE)
    info = tmp_path / "acme_quality-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-quality\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_quality", raising=False)


@pytest.mark.usefixtures("installed")
def test_an_installed_package_adds_an_evaluator_by_class_or_by_object() -> None:
    polite, strict = evaluators_by_name(["Politeness", "Strict"])
    asked = Conversation((Message("user", "One ticket, please."),))
    assert run(polite, asked).score == 1.0
    assert run(strict, asked).score == 0.0
    assert {"Politeness", "Strict"} < set(evaluator_names())


@pytest.mark.usefixtures("installed")
def test_a_declared_evaluator_is_not_imported_until_it_is_named_and_never_replaces_a_built_in_one() -> None:
    assert evaluators_by_name(["TaskCompletion"]) == (TaskCompletion(),)
    assert "acme_quality" not in sys.modules


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Wrong", "name = 'Wrong'"),
        ("Number", "is not one; allowed: a class, or an object, with evaluate"),
        ("Explodes", "cannot be loaded: no model file"),
        ("Missing", "cannot be loaded"),
        ("Nobody", "'Nobody' is unknown; allowed: .*Politeness"),
    ],
)
def test_a_declared_evaluator_that_cannot_be_used_is_named(name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        evaluators_by_name([name])
