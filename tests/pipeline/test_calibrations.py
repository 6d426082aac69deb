"""Conversations are scored by the calibration that was in force when they began."""

from __future__ import annotations

import datetime as dt
import logging
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from spanwitness.config import parse as config
from spanwitness.contract.document import parse
from spanwitness.errors import ConfigError
from spanwitness.evaluators import BUNDLE, Bundle, TaskCompletion
from spanwitness.model import Conversation, SpanRecord, Step
from spanwitness.pipeline import Review, ReviewRules
from spanwitness.pipeline.bundles import Configured, configured_by
from spanwitness.pipeline.calibrations import CalibrationBook, record, record_told, unreached
from spanwitness.pipeline.contracts import ContractBook
from spanwitness.pipeline.contracts import record as record_contract
from spanwitness.pipeline.judge_rules import tasks_of
from spanwitness.store.calibrations import calibrations_of, insert_calibration
from spanwitness.testing import EPOCH, chat, trace_request
from tests.evaluators.test_calibrated import CALIBRATION

if TYPE_CHECKING:
    from spanwitness.store import Store
    from tests.conftest import Lanes

GIVEN = replace(CALIBRATION, tenant="acme", version=0, source="labels.jsonl")
OTHER = replace(GIVEN, intercept=0.5)
SECOND = dt.timedelta(seconds=1)


class TestRecord:
    def test_each_is_the_next_version_from_now_on(self, store: Store) -> None:
        first, second = record(store, GIVEN, EPOCH), record(store, OTHER, EPOCH + SECOND)
        assert (first.version, first.valid_from) == (1, EPOCH)
        assert (second.version, second.valid_from) == (2, EPOCH + SECOND)
        assert calibrations_of(store, "acme") == [first, second]

    def test_the_same_again_is_the_one_that_is_there(self, store: Store) -> None:
        first = record(store, GIVEN, EPOCH)
        assert record(store, GIVEN, EPOCH + SECOND) == first
        assert calibrations_of(store, "acme") == [first]

    def test_an_earlier_one_may_come_back(self, store: Store) -> None:
        for at, one in enumerate((GIVEN, OTHER, GIVEN)):
            record(store, one, EPOCH + at * SECOND)
        assert [one.version for one in calibrations_of(store, "acme")] == [1, 2, 3]

    def test_tenants_count_by_themselves(self, store: Store) -> None:
        record(store, GIVEN, EPOCH)
        assert record(store, replace(GIVEN, tenant="globex"), EPOCH).version == 1

    def test_as_plain_data_it_is_the_same(self, store: Store) -> None:
        fields = {"tenant": "acme", "evaluator": "TaskCompletion", "evaluator_version": "1", "source": "labels.jsonl"}
        told = orjson.loads(orjson.dumps({**fields, "model": GIVEN.model()}))
        made = record_told(store, told, EPOCH, Configured())
        assert (made["version"], made["valid_from"], made["unreached"]) == (1, EPOCH.isoformat(), [])
        assert calibrations_of(store, "acme") == [replace(GIVEN, version=1, valid_from=EPOCH)]

    @pytest.mark.parametrize(
        "change", [{"model": {}}, {"model": {"intercept": "high"}}, {"evaluator": "PII"}, {"model": None}]
    )
    def test_what_is_none_is_refused(self, store: Store, change: dict[str, Any]) -> None:
        fields = {"tenant": "acme", "evaluator": "TaskCompletion", "evaluator_version": "1", "source": ""}
        with pytest.raises(ConfigError, match="calibration"):
            record_told(store, {**fields, "model": GIVEN.model(), **change}, EPOCH, Configured())
        assert calibrations_of(store, "acme") == []


class TestBundle:
    def test_task_completion_is_calibrated_and_held_against_a_half(self, store: Store) -> None:
        made = record(store, GIVEN, EPOCH)
        found = CalibrationBook(store).calibrated(BUNDLE, "acme", EPOCH)
        (evaluator,) = [one for one in found.evaluators if one.name == "TaskCompletion"]
        assert evaluator == TaskCompletion(calibration=made)
        assert found.threshold("TaskCompletion") == 0.5
        judged = replace(found, judged=("TaskCompletion", "ConversationResolution"))
        tasks = tasks_of(_conversation(), judged, "judge-model", EPOCH)
        assert [task.threshold for task in tasks] == [1.0, 0.5], "a judge's score is no probability"
        assert [one for one in found.evaluators if one is not evaluator] == [
            one for one in BUNDLE.evaluators if one.name != "TaskCompletion"
        ]

    @pytest.mark.parametrize("agreed", [0.8, None, 1.0])
    def test_a_threshold_that_somebody_set_stays_even_where_no_probability_reaches_it(
        self, store: Store, agreed: float | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        record(store, GIVEN, EPOCH)
        name = frozenset({"TaskCompletion"})
        bundle = Bundle((TaskCompletion(reads=("do_it",)),), {"TaskCompletion": agreed}, agreed=name)
        book = CalibrationBook(store)
        found = [book.calibrated(bundle, "acme", EPOCH) for _ in range(2)][-1]
        assert found.threshold("TaskCompletion") == agreed
        assert found.judge_threshold("TaskCompletion") == agreed
        assert ["is calibrated, and held against 1 as was agreed" in one.message for one in caplog.records] == (
            [True] if agreed == 1 else []
        )
        (evaluator,) = found.evaluators
        assert isinstance(evaluator, TaskCompletion)
        assert evaluator.reads == ("do_it",)

    def test_what_began_before_and_other_tenants_are_left_as_they_are(self, store: Store) -> None:
        record(store, GIVEN, EPOCH)
        book = CalibrationBook(store)
        assert book.calibrated(BUNDLE, "acme", EPOCH - SECOND) is BUNDLE
        assert book.calibrated(BUNDLE, "globex", EPOCH) is BUNDLE

    def test_a_bundle_without_it_stays(self, store: Store) -> None:
        record(store, GIVEN, EPOCH)
        bundle = Bundle.of({"ConversationResolution": 0.5})
        assert CalibrationBook(store).calibrated(bundle, "acme", EPOCH) is bundle

    def test_one_for_another_version_of_the_evaluator_is_not_used_and_that_is_told_once(
        self, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        insert_calibration(store, replace(GIVEN, version=1, evaluator_version="0", valid_from=EPOCH), EPOCH)
        book = CalibrationBook(store)
        with caplog.at_level(logging.ERROR):
            assert book.calibrated(BUNDLE, "acme", EPOCH) is BUNDLE
            assert book.calibrated(BUNDLE, "acme", EPOCH) is BUNDLE
        (told,) = [record.message for record in caplog.records if record.message.endswith("calibrate again")]
        assert told.startswith("calibration 1 of tenant 'acme' is not used: TaskCompletion.calibration is one for Task")


class TestUnreached:
    CONFIGURED = (
        "[evaluate]\nthresholds = { TaskCompletion = 1 }\n"
        "[evaluate.by_channel.chat]\nthresholds = { TaskCompletion = 0.7 }\n"
        "[evaluate.by_channel.sms]\nthresholds = { TaskCompletion = 2 }\n"
        "[evaluate.by_channel.mail]\nevaluators = ['PII']\n"
    )

    @pytest.mark.parametrize(
        ("configured", "contract", "places"),
        [
            ("", None, []),
            ("", "[evaluate]\nevaluators = ['TaskCompletion']\n", []),
            (
                CONFIGURED,
                None,
                [
                    "configuration: evaluate.thresholds.TaskCompletion = 1.0",
                    "configuration: evaluate.by_channel.sms.thresholds.TaskCompletion = 2.0",
                ],
            ),
            (CONFIGURED, "[evaluate]\nthresholds = { TaskCompletion = 0.5 }\n", []),
            (CONFIGURED, "[evaluate]\nevaluators = ['PII']\n", []),
            (
                "",
                CONFIGURED.replace("= 2", "= 1.5"),
                [
                    "contract 'acme.toml': evaluate.thresholds.TaskCompletion = 1.0",
                    "contract 'acme.toml': evaluate.by_channel.sms.thresholds.TaskCompletion = 1.5",
                ],
            ),
        ],
    )
    def test_what_no_probability_reaches_is_named_where_it_stands(
        self, configured: str, contract: str | None, places: list[str]
    ) -> None:
        agreed = None if contract is None else parse(contract, "acme.toml", EPOCH).contract
        found = unreached(agreed, configured_by(config(tomllib.loads(configured))))
        assert list(dict.fromkeys(found)) == places

    def test_it_is_told_of_the_contract_in_force_and_of_one_to_come(self, store: Store) -> None:
        for number, agreed in enumerate((1.0, 0.5, 1.25)):
            since = (EPOCH + number * SECOND).isoformat()
            text = f"valid_from = {since}\n[evaluate.thresholds]\nTaskCompletion = {agreed}\n"
            record_contract(store, parse(text, "acme.toml", EPOCH), EPOCH)
        fields = {"tenant": "acme", "evaluator": "TaskCompletion", "evaluator_version": "1", "source": ""}
        made = record_told(store, {**fields, "model": GIVEN.model()}, EPOCH + SECOND, Configured())
        assert made["unreached"] == ["contract 'acme.toml': evaluate.thresholds.TaskCompletion = 1.25"]


def said(trace: int, at: float, conversation: str) -> bytes:
    talk = [
        {"role": "user", "parts": [{"type": "text", "content": "Can you please cancel my order?"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": "Your order has been cancelled."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Thank you, that is all."}]},
    ]
    attributes = {"gen_ai.input.messages": orjson.dumps(talk).decode(), "gen_ai.output.messages": "[]"}
    return trace_request([chat(trace, 1, at, conversation, attributes=attributes)])


class TestReview:
    def verdicts(self, lanes: Lanes) -> list[tuple[object, ...]]:
        columns = "ConversationId, EvaluatorVersion, Mode, Threshold, Passed"
        found = lanes.rows(f"SELECT {columns} FROM scores FINAL WHERE Evaluator = 'TaskCompletion' ORDER BY 1")
        return [tuple(row.values()) for row in found]

    def close(self, lanes: Lanes) -> None:
        lanes.ingestion.flush()
        Review(lanes.store, ReviewRules()).sweep(lanes.clock.advance(hours=1))

    def test_a_conversation_is_scored_by_what_its_tenants_labels_taught_by_then(self, lanes: Lanes) -> None:
        tenant = replace(GIVEN, tenant="acme")
        record(lanes.store, tenant, EPOCH + 100 * SECOND)
        record(lanes.store, replace(tenant, intercept=-9.0), EPOCH + 200 * SECOND)
        lanes.ingest([said(1, 0, "a"), said(2, 150, "b"), said(3, 250, "c")])
        self.close(lanes)
        assert self.verdicts(lanes) == [
            ("a", "1", "evidence", 1.0, None),
            ("b", "1+cal1", "calibrated", 0.5, True),
            ("c", "1+cal2", "calibrated", 0.5, False),
        ]

    def test_older_ones_can_be_scored_by_a_newer_one(self, lanes: Lanes) -> None:
        record(lanes.store, replace(GIVEN, tenant="acme"), EPOCH + 100 * SECOND)
        book, conversation = ContractBook(lanes.store), _conversation()
        assert _calibration(book.bundle(conversation)) is None
        assert _calibration(book.bundle(conversation, calibrated=EPOCH + 300 * SECOND)) == 1

    @pytest.mark.parametrize("agreed", [0.999, 1.0])
    def test_a_contracts_threshold_holds_for_the_calibrated_score(self, lanes: Lanes, agreed: float) -> None:
        text = f"[evaluate]\nevaluators = ['TaskCompletion']\nthresholds = {{ TaskCompletion = {agreed} }}\n"
        record_contract(lanes.store, parse(text, "acme.toml", EPOCH), EPOCH)
        record(lanes.store, replace(GIVEN, tenant="acme"), EPOCH)
        lanes.ingest([said(1, 10, "a")])
        self.close(lanes)
        assert self.verdicts(lanes) == [("a", "1+cal1", "calibrated", agreed, False)]

    def test_one_that_is_recorded_meanwhile_holds_from_the_next_sweep_on(self, lanes: Lanes) -> None:
        review = Review(lanes.store, ReviewRules())
        for number, conversation in ((1, "a"), (2, "b")):
            lanes.ingest([said(number, 4000 * number, conversation)])
            lanes.ingestion.flush()
            review.sweep(lanes.clock.advance(hours=3))
            record(lanes.store, replace(GIVEN, tenant="acme"), EPOCH + 7000 * SECOND)
        assert [verdict[1] for verdict in self.verdicts(lanes)] == ["1", "1+cal1"]


def _conversation() -> Conversation:
    begun = int(EPOCH.timestamp()) * 10**9
    span = SpanRecord("acme", "t", "s", "", "", "", "", "", "llm", begun, begun + 1, "")
    return Conversation((), tenant="acme", steps=(Step(1, 1, span),))


def _calibration(bundle: Bundle) -> int | None:
    (found,) = [one for one in bundle.evaluators if isinstance(one, TaskCompletion)]
    return found.calibration.version if found.calibration else None
