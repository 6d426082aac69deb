"""TaskCompletion by a calibration: a probability, what it rests on, and where it declines."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings

from spanwitness.errors import ConfigError
from spanwitness.evaluators import TaskCompletion, evaluators_by_name
from spanwitness.evaluators.traits import TRAITS
from spanwitness.model.calibration import Agreement, Calibration, Weight
from tests.evaluators.test_every_evaluator import conversations, keeps_the_contract

if TYPE_CHECKING:
    from spanwitness.model import Conversation

AGREEMENT = Agreement(labels=60, positives=30, groups=20, auc=0.9, low=0.8, high=0.95, bar=0.6, accuracy=0.8)
CALIBRATION = Calibration(
    evaluator="TaskCompletion",
    evaluator_version="1",
    intercept=0.0,
    weights=(
        Weight("thanks_at_end", weight=2.0, mean=0.5, scale=0.5, low=0.0, high=1.0),
        Weight("agent_turns", weight=-1.0, mean=1.0, scale=0.5, low=math.log(2), high=math.log(3)),
        *(Weight(name, 0.0, 0.0, 1.0, 0.0, 9.0) for name in ("customer_turns", "calls", "changes", "trouble")),
    ),
    constant=(("in_english", 1.0),),
    agreement=AGREEMENT,
    version=3,
)
CARD = "4111 1111 1111 1111"
ASK = {"role": "user", "content": f"Can you please cancel my order? My card is {CARD}."}
DONE = {"role": "assistant", "content": "Your order has been cancelled."}
THANKS, COMPLAINT = {"role": "user", "content": "Thank you."}, {"role": "user", "content": "That is not what I asked."}
CALIBRATED = TaskCompletion(calibration=CALIBRATION)


def test_the_probability_is_that_of_the_regression() -> None:
    score = CALIBRATED.evaluate([ASK, DONE, THANKS])
    logit = 2.0 * (1.0 - 0.5) / 0.5 - 1.0 * (math.log(2) - 1.0) / 0.5
    assert score.score == pytest.approx(1 / (1 + math.exp(-logit)))
    assert (score.label, score.status, score.mode, score.evaluator_version) == (
        "completed",
        "completed",
        "calibrated",
        "1+cal3",
    )
    assert [each.rule for each in score.evidence[:2]] == ["thanks_at_end", "agent_turns"]
    assert score.details["calibration"] == 3
    assert score.details["traits"]["thanks_at_end"] == 1.0


def test_the_explanation_names_the_figures_and_the_strongest_traits_and_nothing_that_was_said() -> None:
    score = CALIBRATED.evaluate([ASK, DONE, COMPLAINT])
    assert score.label == "failed"
    assert "by calibration 3 (AUC 0.90 [0.80, 0.95] on 60 labels)" in score.explanation
    assert "For it: agent_turns low. Against it: thanks_at_end low." in score.explanation
    assert CARD not in repr(score)


def test_beyond_the_labels_the_edge_counts_and_it_is_said() -> None:
    talk = [ASK, DONE, DONE, COMPLAINT]
    edge, beyond = CALIBRATED.evaluate(talk), CALIBRATED.evaluate([*talk[:2], *[DONE] * 40, talk[-1]])
    assert edge.score == pytest.approx(beyond.score)
    assert edge.details["outside"] == []
    assert beyond.details["outside"] == ["agent_turns"]
    assert "Beyond the labels, counted as their edge: agent_turns." in beyond.explanation


def test_too_far_from_the_labels_there_is_no_number() -> None:
    narrow = [replace(weight, low=8.0, high=9.0) for weight in CALIBRATION.weights[2:4]]
    far = replace(CALIBRATION, weights=(*CALIBRATION.weights[:2], *narrow, *CALIBRATION.weights[4:]))
    score = TaskCompletion(calibration=far).evaluate([ASK, DONE, THANKS])
    assert (score.status, score.score, score.label) == ("not_applicable", None, "unlike_the_labels")
    assert "customer_turns" in score.explanation
    assert score.evaluator_version == "1+cal3"


def test_another_language_than_that_of_the_labels_gives_no_number() -> None:
    talk = [{"role": "user", "content": "Bitte storniere das."}, DONE, {"role": "user", "content": "Danke."}]
    score = CALIBRATED.evaluate([*talk[:1], {"role": "assistant", "content": "Erledigt."}, *talk[2:]])
    assert (score.label, score.score) == ("unlike_the_labels", None)


@pytest.mark.parametrize(("talk", "label"), [([], "no_request"), ([ASK, DONE], "too_short")])
def test_where_evidence_mode_declines_the_calibrated_does_too(talk: list[dict[str, Any]], label: str) -> None:
    score = CALIBRATED.evaluate(talk)
    assert (score.label, score.mode, score.score) == (label, "calibrated", None)


def test_expected_actions_go_before_a_calibration() -> None:
    score = CALIBRATED.evaluate([ASK, DONE, THANKS], expected_actions=[])
    assert (score.mode, score.evaluator_version, score.score) == ("reference", "1", 1.0)


@given(conversation=conversations)
@settings(max_examples=60)
def test_any_conversation_is_answered(conversation: Conversation) -> None:
    score = CALIBRATED.evaluate(conversation)
    keeps_the_contract(replace(score, evaluator_version="1"), CALIBRATED, conversation)
    assert score.mode == "calibrated"
    assert CALIBRATED.evaluate(conversation) == score


@pytest.mark.parametrize("weight", [1e300, -1e300])
def test_a_weight_beyond_all_bounds_does_not_raise(weight: float) -> None:
    steep = replace(CALIBRATION, weights=(replace(CALIBRATION.weights[0], weight=weight, scale=1e-300),))
    score = TaskCompletion(calibration=steep).evaluate([ASK, DONE, THANKS])
    assert score.score == pytest.approx(1.0 if weight > 0 else 0.0)


def test_a_calibration_goes_through_json_and_comes_back_the_same() -> None:
    fields = {"evaluator": "TaskCompletion", "evaluator_version": "1", "version": 3}
    assert Calibration.of(json.loads(json.dumps(CALIBRATION.model())), **fields) == CALIBRATION


@pytest.mark.parametrize(
    "wrong",
    [
        replace(CALIBRATION, evaluator_version="0"),
        replace(CALIBRATION, evaluator="PII"),
        replace(CALIBRATION, weights=(replace(CALIBRATION.weights[0], trait="mood"),)),
        replace(CALIBRATION, weights=(replace(CALIBRATION.weights[0], scale=0.0),)),
        replace(CALIBRATION, intercept=math.nan),
        cast("Calibration", {"version": 3}),
    ],
)
def test_one_that_was_made_for_something_else_is_refused(wrong: Calibration) -> None:
    with pytest.raises(ConfigError, match=r"TaskCompletion\.calibration is .*allowed: one of spanwitness calibrate"):
        TaskCompletion(calibration=wrong)


def test_a_configuration_cannot_give_one() -> None:
    with pytest.raises(ConfigError, match=r"evaluators\.TaskCompletion\.calibration"):
        evaluators_by_name(["TaskCompletion"], {"TaskCompletion": {"calibration": {"version": 3}}})
    (made,) = evaluators_by_name(["TaskCompletion"], {"TaskCompletion": {"reads": ["cancel_order"]}})
    assert made == TaskCompletion(reads=("cancel_order",))


def test_every_trait_has_its_line_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text()
    for trait, meaning in TRAITS.items():
        assert f"| `{trait}` | {meaning} |" in page
