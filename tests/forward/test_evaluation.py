"""Scores as the conventions' evaluation events."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from spanwitness import __version__
from spanwitness.forward.evaluation import ScoreRecord, evaluation_events

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

SCORE = ScoreRecord(
    tenant="acme",
    conversation_id="c",
    conversation_source="session.id",
    revision=2,
    evaluator="TaskCompletion",
    evaluator_version="1",
    judge="",
    status="completed",
    mode="evidence",
    score=0.5,
    label="partial",
    threshold=1.0,
    passed=False,
    explanation="Half of it was done.",
    scored_at=dt.datetime(2026, 11, 20, 12, 0, 0, 123_000, tzinfo=dt.UTC),
    trace_id="0a" * 16,
    span_id="0b" * 8,
)


def with_(**changes: Any) -> ScoreRecord:
    return dataclasses.replace(SCORE, **changes)


def parsed(*scores: ScoreRecord) -> ExportLogsServiceRequest:
    return ExportLogsServiceRequest.FromString(evaluation_events(scores).body)


def event(score: ScoreRecord) -> LogRecord:
    (resource,) = parsed(score).resource_logs
    return resource.scope_logs[0].log_records[0]


def told(owner: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in owner.attributes}


def test_a_score_says_all_that_the_record_says_of_it() -> None:
    found = event(SCORE)
    assert told(found) == {
        "gen_ai.evaluation.name": "TaskCompletion",
        "gen_ai.evaluation.score.value": 0.5,
        "gen_ai.evaluation.score.label": "partial",
        "gen_ai.evaluation.explanation": "Half of it was done.",
        "gen_ai.conversation.id": "c",
        "spanwitness.conversation.id": "c",
        "spanwitness.conversation.source": "session.id",
        "spanwitness.conversation.revision": 2,
        "spanwitness.evaluation.status": "completed",
        "spanwitness.evaluation.version": "1",
        "spanwitness.evaluation.threshold": 1.0,
        "spanwitness.evaluation.passed": False,
        "spanwitness.evaluation.mode": "evidence",
        "tenant.id": "acme",
        "log.record.uid": SCORE.uid,
    }
    assert (found.event_name, found.trace_id, found.span_id) == (
        "gen_ai.evaluation.result",
        b"\x0a" * 16,
        b"\x0b" * 8,
    )
    assert found.time_unix_nano == found.observed_time_unix_nano == 1_795_176_000_123_000_000
    assert found.severity_number == 0, "the conventions set none"
    assert not found.HasField("body")


def test_what_was_not_applicable_has_a_label_and_no_value() -> None:
    found = told(event(with_(status="not_applicable", score=None, label="no_request", passed=None)))
    assert found["spanwitness.evaluation.status"] == "not_applicable"
    assert found["gen_ai.evaluation.score.label"] == "no_request"
    assert not {"gen_ai.evaluation.score.value", "spanwitness.evaluation.passed", "error.type"} & found.keys()


def test_an_evaluator_that_failed_is_an_error_and_no_zero() -> None:
    found = told(event(with_(status="failed", score=None, label="failed", passed=None, threshold=None)))
    assert found["error.type"] == "_OTHER"
    assert not {"gen_ai.evaluation.score.value", "spanwitness.evaluation.threshold"} & found.keys()


def test_a_trace_that_stands_for_a_conversation_is_not_told_as_its_name() -> None:
    found = told(event(with_(conversation_source="trace")))
    assert "gen_ai.conversation.id" not in found
    assert found["spanwitness.conversation.id"] == "c"
    assert found["spanwitness.conversation.source"] == "trace"


def test_a_score_of_nothing_is_told_as_zero() -> None:
    assert told(event(with_(score=0.0)))["gen_ai.evaluation.score.value"] == 0.0


def test_a_conversation_whose_spans_are_not_known_is_linked_to_none() -> None:
    assert event(with_(trace_id="", span_id="")).trace_id == b""


def test_each_tenant_has_a_resource_of_its_own() -> None:
    found = parsed(SCORE, with_(tenant="other"), with_(evaluator="Another"))
    assert [told(part.resource) for part in found.resource_logs] == [
        {"service.name": "spanwitness", "service.version": __version__, "tenant.id": tenant}
        for tenant in ("acme", "other")
    ]
    assert [len(part.scope_logs[0].log_records) for part in found.resource_logs] == [2, 1]
    assert evaluation_events([SCORE, SCORE]).items == 2


def test_the_same_score_makes_the_same_bytes() -> None:
    assert evaluation_events([SCORE]) == evaluation_events([with_()])


@pytest.mark.parametrize(
    "change",
    [
        *({"tenant": "t"}, {"conversation_id": "d"}, {"revision": 3}, {"evaluator": "Other"}),
        *({"evaluator_version": "2"}, {"judge": "gpt-4o"}, {"tenant": "acm", "conversation_id": "ec"}),
    ],
)
def test_another_verdict_has_another_uid(change: dict[str, Any]) -> None:
    assert with_(**change).uid != SCORE.uid


def test_the_uid_does_not_depend_on_when_or_how_it_was_judged() -> None:
    assert with_(score=1.0, scored_at=dt.datetime(2027, 1, 1, tzinfo=dt.UTC), explanation="").uid == SCORE.uid
