"""Which evaluators judge a conversation: what the configuration and the contract say, for all and for a channel."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import tomllib
from typing import Any

import pytest

from spanwitness.config import parse
from spanwitness.errors import ConfigError
from spanwitness.evaluators import BUNDLE, Bundle, TaskCompletion, run
from spanwitness.model import BundleTerms, Contract, Conversation, Message
from spanwitness.pipeline.bundles import Configured, bundles_of, configured_by, lasting_bundle

NOW = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
TALK = Conversation((Message("user", "Please book it."), Message("assistant", "It is booked.")))
JUDGE = '[judge]\nmodel = "judge-model"\n'
TWO = Configured(Bundle.of({"TaskCompletion": 0.9, "ConversationResolution": 0.4}))


def configured(text: str) -> Configured:
    return configured_by(parse(tomllib.loads(text)))


def names(bundle: Bundle) -> list[str]:
    return [evaluator.name for evaluator in bundle.evaluators]


def agreed(**terms: Any) -> Contract:
    return Contract("acme", 1, NOW, **terms)


class TestConfigured:
    def test_without_a_word_the_default_bundle_runs_everywhere(self) -> None:
        found = configured("")
        assert (found.bundle.evaluators, found.bundle.thresholds) == (BUNDLE.evaluators, BUNDLE.thresholds)
        assert found.of("voice") is found.bundle

    def test_fields_of_an_evaluator_are_set_wherever_it_runs(self) -> None:
        found = configured(
            "[evaluators.TaskCompletion]\nreads = ['ask']\n[evaluate.by_channel.chat]\nevaluators = ['TaskCompletion']"
        )
        assert found.bundle.evaluators[0] == TaskCompletion(reads=("ask",))
        assert found.of("chat").evaluators == found.bundle.evaluators[:1]

    def test_a_channel_has_its_own_and_the_rest_as_all_have_it(self) -> None:
        found = configured(
            "[evaluate]\nevaluators = ['TaskCompletion', 'ConversationResolution']\n"
            "thresholds = { TaskCompletion = 0.7, ConversationResolution = 0.6 }\n"
            "[evaluate.by_channel.voice]\nevaluators = ['TaskCompletion']\n"
            "[evaluate.by_channel.email]\nthresholds = { TaskCompletion = 0.2 }\n"
        )
        assert found.of("voice").thresholds == {"TaskCompletion": 0.7}
        assert names(found.of("email")) == names(found.bundle)
        assert found.of("email").thresholds == {"TaskCompletion": 0.2, "ConversationResolution": 0.6}
        assert found.of("chat").thresholds == {"TaskCompletion": 0.7, "ConversationResolution": 0.6}

    def test_judged_is_for_all_or_for_a_channel_and_only_of_what_runs_there(self) -> None:
        found = configured(
            JUDGE + "[evaluate]\njudged = ['TaskCompletion']\n"
            "[evaluate.by_channel.voice]\nevaluators = ['ConversationResolution']\n"
            "[evaluate.by_channel.email]\njudged = ['ConversationResolution', 'TaskCompletion']\n"
        )
        assert found.bundle.judged == ("TaskCompletion",)
        assert found.of("voice").judged == ()
        assert found.of("email").judged == ("ConversationResolution", "TaskCompletion")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[evaluate]\njudged = ['TaskCompletion']", "evaluate.judged holds 'TaskCompletion', and there is nobody"),
            (JUDGE + "[evaluate]\njudged = ['PII']", "evaluate.judged holds 'PII', which no language model is asked"),
            (
                "[evaluate.by_channel.x]\njudged = ['TaskCompletion']",
                "evaluate.by_channel.x.judged holds 'TaskCompletion', and there is nobody to ask; allowed with judge.",
            ),
            (
                JUDGE + "[evaluate]\nevaluators = ['ConversationResolution']\njudged = ['TaskCompletion']",
                "evaluate: judged holds 'TaskCompletion', which is not in the bundle; allowed: ConversationResolution",
            ),
            (
                "[evaluate.by_channel.x]\nevaluators = ['TaskCompletion']\nthresholds = { PII = 1 }",
                "evaluate.by_channel.x: threshold for 'PII', which is not in the bundle; allowed: TaskCompletion",
            ),
            (
                "[evaluate.by_channel.x]\nevaluators = ['Nobody']",
                "evaluate.by_channel.x: evaluator 'Nobody' is unknown",
            ),
            (
                "[evaluators.Nobody]\nx = 1",
                "evaluators.Nobody: no evaluator has this name (one of your own needs class = 'package.module:Class')",
            ),
            (
                "[evaluators.TaskCompletion]\nmax_turns = 1",
                "unknown key evaluators.TaskCompletion.max_turns; allowed: evaluators.TaskCompletion.reads, ",
            ),
            (
                "[evaluators.TaskCompletion]\nmax_error_rate = 3",
                "evaluators.TaskCompletion.max_error_rate is 3.0; allowed: 0 to 1",
            ),
        ],
    )
    def test_what_is_not_allowed_is_told_at_the_start(self, text: str, message: str) -> None:
        with pytest.raises(ConfigError) as told:
            configured(text)
        assert str(told.value).startswith(message)


class TestContracts:
    def test_a_contract_that_names_no_evaluators_leaves_the_configured_ones(self) -> None:
        found, channels = bundles_of(agreed(thresholds={"TaskCompletion": 0.6}), TWO)
        assert found.evaluators == TWO.bundle.evaluators
        assert found.thresholds == {"TaskCompletion": 0.6, "ConversationResolution": 0.4}
        assert channels == {}

    def test_thresholds_are_the_contracts_then_the_configured_then_the_default_ones(self) -> None:
        of = ("TaskCompletion", "ConversationResolution", "CustomerAgentHumanEscalation")
        found, _ = bundles_of(
            agreed(evaluators=of, thresholds={"ConversationResolution": 0.8}),
            Configured(Bundle.of({"TaskCompletion": 0.9})),
        )
        assert found.thresholds == {
            "TaskCompletion": 0.9,
            "ConversationResolution": 0.8,
            "CustomerAgentHumanEscalation": 1.0,
        }

    def test_a_contract_goes_before_the_configuration_and_its_channel_before_both(self) -> None:
        below = Configured(
            TWO.bundle, {"voice": Bundle.of({"TaskCompletion": 0.3}), "sms": Bundle.of({"TaskCompletion": 0.2})}
        )
        terms = {"voice": BundleTerms(thresholds={"TaskCompletion": 0.5})}
        found, channels = bundles_of(agreed(thresholds={"ConversationResolution": 0.7}, channels=terms), below)
        assert found.thresholds == {"TaskCompletion": 0.9, "ConversationResolution": 0.7}
        assert channels["voice"].thresholds == {"TaskCompletion": 0.5}
        assert channels["sms"].thresholds == {"TaskCompletion": 0.2}

    def test_evaluators_of_a_contract_run_in_the_channels_of_the_configuration_too(self) -> None:
        below = Configured(TWO.bundle, {"voice": Bundle.of({"TaskCompletion": 0.3})})
        _, channels = bundles_of(agreed(evaluators=("ConversationResolution",)), below)
        assert names(channels["voice"]) == ["ConversationResolution"]

    def test_parameters_are_the_contracts_then_the_configured_ones(self) -> None:
        below = configured("[evaluators.TaskCompletion]\nmax_agent_turns = 7\nmax_repeated_calls = 5")
        found, _ = bundles_of(agreed(parameters={"TaskCompletion": {"max_agent_turns": 9}}), below)
        assert found.evaluators[0] == TaskCompletion(max_agent_turns=9, max_repeated_calls=5)
        assert found.evaluators[1:] == below.bundle.evaluators[1:]

    def test_judged_is_agreed_for_all_or_a_channel(self) -> None:
        below = Configured(TWO.bundle, judges=("TaskCompletion", "ConversationResolution"))
        terms = {"voice": BundleTerms(judged=("ConversationResolution",))}
        found, channels = bundles_of(agreed(judged=("TaskCompletion",), channels=terms), below)
        assert (found.judged, channels["voice"].judged) == (("TaskCompletion",), ("ConversationResolution",))

    @pytest.mark.parametrize(
        ("terms", "message"),
        [
            ({"evaluators": ("Gone",)}, "evaluator 'Gone' is unknown; allowed: "),
            ({"judged": ("TaskCompletion",)}, "judged holds 'TaskCompletion', and there is nobody to ask"),
            (
                {"thresholds": {"PII": 1.0}},
                "threshold for 'PII', which is not in the bundle; allowed: TaskCompletion, ",
            ),
            (
                {"channels": {"sms": BundleTerms(thresholds={"PII": 1.0})}},
                "by_channel.sms: threshold for 'PII', which is not in the bundle",
            ),
            (
                {"channels": {"sms": BundleTerms(judged=("TaskCompletion",))}},
                "by_channel.sms.judged holds 'TaskCompletion', and there is nobody to ask",
            ),
            ({"parameters": {"Gone": {"x": 1}}}, "parameters.Gone: no evaluator has this name; allowed: "),
            (
                {"parameters": {"CustomerAgentHumanEscalation": {}}},
                "parameters.CustomerAgentHumanEscalation: does not run under this contract; allowed: ConversationRes",
            ),
            (
                {"parameters": {"TaskCompletion": {"reads": "ask"}}},
                "parameters.TaskCompletion.reads = 'ask': allowed is a list, each entry a text",
            ),
        ],
    )
    def test_what_is_not_allowed_is_told(self, terms: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError) as told:
            bundles_of(agreed(**terms), TWO)
        assert str(told.value).startswith(message)


LEVELS = """
[evaluate]
evaluators = ["TaskCompletion", "ConversationResolution", "Groundedness"]
thresholds = { Groundedness = 0.3, ConversationResolution = 0.4 }
[evaluate.by_channel.voice]
evaluators = ["ASRAccuracy"]
thresholds = { ASRAccuracy = 0.85 }
"""


@pytest.mark.parametrize(
    "of",
    [
        lambda contract, config: bundles_of(contract, config)[1]["voice"],
        lambda contract, config: lasting_bundle(contract, "voice", config),
    ],
)
def test_a_threshold_is_not_lost_where_a_level_between_does_not_run_its_evaluator(of: Any) -> None:
    every = ("ASRAccuracy", "ConversationResolution", "Groundedness", "TaskCompletion", "PII")
    contract = agreed(thresholds={"TaskCompletion": 0.6}, channels={"voice": BundleTerms(every)})
    found = of(contract, configured(LEVELS))
    assert found.thresholds == {
        "ASRAccuracy": 0.85,
        "ConversationResolution": 0.4,
        "Groundedness": 0.3,
        "TaskCompletion": 0.6,
        "PII": BUNDLE.threshold("PII"),
    }
    assert found.agreed == {"ASRAccuracy", "ConversationResolution", "Groundedness", "TaskCompletion"}


class TestOnRecord:
    """A contract on record may be older than what is installed and configured."""

    def test_it_gives_what_was_agreed_while_all_of_it_is_there(self) -> None:
        contract = agreed(
            thresholds={"TaskCompletion": 0.6},
            channels={"voice": BundleTerms(("TaskCompletion",), {"TaskCompletion": 0.1})},
            parameters={"TaskCompletion": {"max_agent_turns": 9}},
        )
        bundle, channels = bundles_of(contract, TWO)
        assert lasting_bundle(contract, "", TWO) == bundle
        assert lasting_bundle(contract, "voice", TWO) == channels["voice"]

    @pytest.mark.parametrize(
        ("terms", "name", "why"),
        [
            ({"evaluators": ("Gone",)}, "Gone", "it is not installed here."),
            (
                {"parameters": {"TaskCompletion": {"gone": 1}}},
                "TaskCompletion",
                "it does not take the parameters that it gives.",
            ),
        ],
    )
    def test_an_evaluator_that_cannot_be_had_any_more_gives_failed_scores(
        self, terms: dict[str, Any], name: str, why: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        found = lasting_bundle(agreed(**terms), "", TWO)
        (missing,) = (one for one in found.evaluators if one.name == name)
        score = run(missing, TALK)
        assert (score.status, score.score) == ("failed", None)
        assert score.explanation == f"{name}: the contract in force names this evaluator, and {why}"
        assert "a contract in force names what is not there" in caplog.text

    def test_judges_that_cannot_be_asked_any_more_are_left_out_and_told(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.ERROR):
            found = lasting_bundle(agreed(judged=("TaskCompletion",)), "", TWO)
        assert found.judged == ()
        assert "has TaskCompletion judged by a language model, and none can be asked here" in caplog.text
        able = dataclasses.replace(TWO, judges=("TaskCompletion",))
        assert lasting_bundle(agreed(judged=("TaskCompletion",)), "", able).judged == ("TaskCompletion",)

    def test_terms_for_what_does_not_run_any_more_are_left_out(self) -> None:
        terms = {"voice": BundleTerms(thresholds={"Gone": 0.5})}
        found = lasting_bundle(agreed(thresholds={"Gone": 0.5}, channels=terms), "voice", TWO)
        assert found == TWO.bundle
