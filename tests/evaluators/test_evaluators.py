"""The registry, the bundle, and how one evaluator is run."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from spanwitness.errors import ConfigError
from spanwitness.evaluators import (
    BUILT_IN,
    BUNDLE,
    Bundle,
    ConversationResolution,
    CustomerAgentHumanEscalation,
    Evaluator,
    TaskCompletion,
    evaluator_names,
    evaluators_by_name,
    run,
)
from spanwitness.model import Conversation, Evidence, JudgeUse, Message, Score
from spanwitness.store import rows

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
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


@dataclass(frozen=True)
class Told(Answers):
    """Answers with a score of which some fields are others."""

    fields: tuple[tuple[str, Any], ...] = ()

    def evaluate(self, conversation: Conversation) -> Score:
        return replace(super().evaluate(conversation), **dict(self.fields))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"evaluator": "TaskCompletion"}, "a score of another evaluator"),
        ({"evaluator_version": 7}, "no text as its evaluator_version"),
        ({"label": None}, "no text as its label"),
        ({"mode": b"x"}, "no text as its mode"),
        ({"explanation": "\ud800"}, "no text as its explanation"),
        ({"score": "0.5"}, "not a finite number"),
        ({"score": Decimal("0.5")}, "not a finite number"),
        ({"score": 10**400}, "not a finite number"),
        ({"status": "ok"}, "do not agree"),
        ({"score": None}, "do not agree"),
        ({"status": "not_applicable"}, "do not agree"),
        ({"status": "failed"}, "do not agree"),
        ({"evidence": None}, "evidence of which"),
        ({"evidence": ("message 1",)}, "evidence of which"),
        ({"evidence": (Evidence("said", 2),)}, "evidence of which"),
        ({"evidence": (Evidence("said", -1),)}, "evidence of which"),
        ({"details": None}, "details that JSON"),
        ({"details": {1: "one"}}, "details that JSON"),
        ({"details": {"said": "\ud800"}}, "details that JSON"),
        ({"judge": "gpt-4.1"}, "a judge that is str"),
    ],
)
def test_an_answer_that_cannot_go_on_record_is_a_failed_score(fields: dict[str, Any], says: str) -> None:
    score = run(Told(fields=tuple(fields.items())), TALK)
    assert (score.evaluator, score.evaluator_version, score.status, score.score) == ("Answers", "7", "failed", None)
    assert says in score.explanation
    rows.table([rows.score_row(TALK, score, 1.0, NOW)])


@pytest.mark.parametrize(
    "fields",
    [
        {"score": True},
        {"score": 1},
        {"score": Fraction(1, 2)},
        {"score": None, "status": "not_applicable"},
        {"evidence": [Evidence("said", 1), Evidence("called", None, "00f0")]},
        {"details": {"when": NOW, "words": {"please": 2}}},
        {"judge": JudgeUse("gpt-4.1")},
    ],
)
def test_an_answer_that_can_go_on_record_is_left_as_it_is(fields: dict[str, Any]) -> None:
    told = Told(fields=tuple(fields.items()))
    score = run(told, TALK)
    assert score == told.evaluate(TALK)
    assert score.score is None or type(score.score) is float
    rows.table([rows.score_row(TALK, score, 1.0, NOW)])


def test_an_evaluator_that_ends_the_process_ends_its_own_score_alone() -> None:
    class Leaves(Answers):
        def evaluate(self, conversation: Conversation) -> Score:
            sys.exit(len(conversation.messages))

    assert run(Leaves(), TALK).explanation.startswith("Answers: SystemExit at test_evaluators.py:")


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


def test_the_default_bundle_holds_each_to_its_threshold() -> None:
    assert [evaluator.name for evaluator in BUNDLE.evaluators] == list(BUNDLE.thresholds)
    assert BUNDLE.threshold("ConversationResolution") == 0.5
    assert BUNDLE.threshold("NotThere") is None


@pytest.mark.parametrize(("score", "verdict"), [(1.0, True), (0.8, True), (0.79, False), (0.0, False), (None, None)])
def test_a_score_is_held_against_the_threshold(score: float | None, verdict: bool | None) -> None:
    bundle = Bundle((Answers(score),), {"Answers": 0.8})
    assert bundle.passed(Answers(score).evaluate(TALK)) is verdict


def test_the_default_bundle_is_all_that_is_built_in() -> None:
    assert {evaluator.name: type(evaluator) for evaluator in BUNDLE.evaluators} == dict(BUILT_IN)
    assert BUNDLE.judged == ()


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


@pytest.mark.parametrize(
    ("judged", "says"),
    [(("Answer",), "judged holds 'Answer', which is not in the bundle; allowed: Answers"), (("Answers",) * 2, "once")],
)
def test_what_is_judged_is_in_the_bundle_once(judged: tuple[str, ...], says: str) -> None:
    assert Bundle((Answers(),), {}, ("Answers",)).judged == ("Answers",)
    with pytest.raises(ConfigError, match=says):
        Bundle((Answers(),), {}, judged)


class TestParameters:
    def test_fields_are_set_by_name_and_lists_become_tuples(self) -> None:
        parameters: dict[str, dict[str, Any]] = {
            "TaskCompletion": {"writes": ["send"], "max_error_rate": 1},
            "NotAsked": {"x": 1},
        }
        assert evaluators_by_name(["TaskCompletion", "ConversationResolution"], parameters) == (
            TaskCompletion(writes=("send",), max_error_rate=1.0),
            ConversationResolution(),
        )

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"write": []}, "unknown key evaluators.TaskCompletion.write; allowed: evaluators.TaskCompletion.reads, "),
            ({"writes": "send"}, "evaluators.TaskCompletion.writes = 'send': allowed is a list, each entry a text"),
            ({"max_error_rate": 1.5}, "evaluators.TaskCompletion.max_error_rate is 1.5; allowed: 0 to 1"),
            ({"class": "acme:X"}, "evaluators.TaskCompletion.class = 'acme:X': TaskCompletion is built in; allowed is"),
        ],
    )
    def test_what_is_not_allowed_is_told(self, given: dict[str, Any], told: str) -> None:
        with pytest.raises(ConfigError) as caught:
            evaluators_by_name(["TaskCompletion"], {"TaskCompletion": given})
        assert str(caught.value).startswith(told)

    def test_the_place_where_they_stand_is_told(self) -> None:
        with pytest.raises(ConfigError, match=r"unknown key here\.TaskCompletion\.x; allowed: here\."):
            evaluators_by_name(["TaskCompletion"], {"TaskCompletion": {"x": 1}}, place="here")


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

class Leaves:
    def __init__(self):
        raise SystemExit(3)

class Unversioned:
    name = "Mine"
    evaluate = 3

class Numbered(Unversioned):
    version = 3

class Uncalled(Unversioned):
    version = "3"

class Shelf:
    Politeness = Politeness
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
    (tmp_path / "acme_leaves.py").write_text("raise SystemExit(5)")
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
        ("Wrong", "its name is 'Rudeness'; allowed: .* name = 'Wrong'"),
        ("Number", "has no name and no version and no evaluate; allowed: a class, or an object, with evaluate"),
        ("Explodes", "cannot be made: OSError: no model file"),
        ("Missing", "cannot be loaded"),
        ("Nobody", "'Nobody' is unknown; allowed: .*Politeness"),
    ],
)
def test_a_declared_evaluator_that_cannot_be_used_is_named(name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        evaluators_by_name([name])


@pytest.mark.usefixtures("installed")
def test_a_declared_evaluator_takes_its_fields_as_parameters() -> None:
    (polite,) = evaluators_by_name(["Politeness"], {"Politeness": {"word": "kindly"}})
    assert run(polite, Conversation((Message("user", "kindly"),))).score == 1.0
    with pytest.raises(ConfigError, match=r"unknown key evaluators.Politeness.words; allowed: .*Politeness.word$"):
        evaluators_by_name(["Politeness"], {"Politeness": {"words": 1}})
    with pytest.raises(ConfigError, match=r"evaluators.Strict.word: evaluator 'Strict' \(.*\) is an object, which"):
        evaluators_by_name(["Strict"], {"Strict": {"word": "x"}})


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("target", ["acme_quality:Politeness", "acme_quality:Shelf.Politeness"])
def test_an_evaluator_may_be_named_by_its_class(target: str) -> None:
    parameters = {"Politeness": {"class": target, "word": "kindly"}, "Mine": {"class": "not.there:Mine"}}
    (polite,) = evaluators_by_name(["Politeness"], parameters)
    assert run(polite, Conversation((Message("user", "kindly"),))).score == 1.0
    assert "Mine" in evaluator_names(parameters)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("acme_quality", " = 'acme_quality': allowed is 'package.module:Class'"),
        (3, " = 3: allowed is 'package.module:Class'"),
        ("not_there:X", " = 'not_there:X' cannot be loaded: ModuleNotFoundError: No module named 'not_there'"),
        ("acme_quality:X", " = 'acme_quality:X' cannot be loaded: AttributeError: "),
        ("acme_leaves:X", " = 'acme_leaves:X' cannot be loaded: SystemExit: 5"),
    ],
)
def test_a_class_that_cannot_be_had_is_told(target: object, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        evaluators_by_name(["Mine"], {"Mine": {"class": target}})
    assert str(caught.value).startswith(f"evaluators.Mine.class{told}")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("acme_quality:Politeness", "is not one, its name is 'Politeness'; allowed: a class, .* name = 'Mine'"),
        ("acme_quality:number", "is not one, it has no name and no version and no evaluate"),
        ("acme_quality:Unversioned", "is not one, it has no version;"),
        ("acme_quality:Numbered", "is not one, its version is 3;"),
        ("acme_quality:Uncalled", "is not one, its evaluate cannot be called"),
        ("acme_quality:Explodes", "cannot be made: OSError: no model file"),
        ("acme_quality:Leaves", "cannot be made: SystemExit: 3"),
    ],
)
def test_what_a_class_makes_has_to_be_an_evaluator_of_that_name(target: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        evaluators_by_name(["Mine"], {"Mine": {"class": target}})
