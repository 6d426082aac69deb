"""Whose a span is may be told late, twice or by somebody else: each is recorded once all the same."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from spanwitness.pipeline import Ingestion, IngestRules
from spanwitness.receive import Signal
from spanwitness.tag import TenantRule
from spanwitness.testing import FakeSpan, chat, log_request, trace_request

if TYPE_CHECKING:
    from tests.conftest import Lanes, Row


def conversations(lanes: Lanes) -> list[Row]:
    return lanes.rows(
        "SELECT ConversationId, Revision, Steps, TraceIds, CloseReason FROM conversations FINAL ORDER BY 1, 2"
    )


def steps_of_each_span(lanes: Lanes) -> set[int]:
    return {row["n"] for row in lanes.rows("SELECT count() AS n FROM steps_latest GROUP BY TraceId, SpanId")}


def test_a_span_far_in_the_future_is_refused_and_hides_no_other_conversation(lanes: Lanes) -> None:
    century = dt.datetime(2110, 1, 1, tzinfo=dt.UTC)
    problems = lanes.ingest([trace_request([chat(1, 1, 0, "good"), chat(2, 1, 0, "far", begin=century)])])
    assert problems[0].rejected == 1
    assert lanes.close_everything().closed == 1
    assert [row["ConversationId"] for row in conversations(lanes)] == ["good"]


def test_the_last_moment_that_is_taken_is_reviewed(lanes: Lanes) -> None:
    late = dt.datetime.fromtimestamp(2**32 - 86_401, dt.UTC)
    assert lanes.ingest([trace_request([FakeSpan(1, 1, 0, "late", operation="chat", begin=late, lasts=0.1)])]) == {}
    assert lanes.close_everything().closed == 1


def test_a_conversation_that_loses_one_trace_and_gains_another_at_once_is_judged_once(lanes: Lanes) -> None:
    in_session = {"session.id": "A"}
    lanes.ingest([trace_request([chat(n, 1, n, "", attributes=in_session) for n in (1, 2)])])
    lanes.close_everything()
    lanes.ingest([trace_request([chat(3, 1, 20, "", attributes=in_session)])])
    lanes.ingest([trace_request([FakeSpan(1, 9, -1, "B")])])
    lanes.close_everything()
    newest = {row["ConversationId"]: row for row in conversations(lanes)}
    steps = lanes.rows("SELECT ConversationId, count() AS n FROM steps_latest GROUP BY 1 ORDER BY 1")
    assert {row["ConversationId"]: row["n"] for row in steps} == {name: row["Steps"] for name, row in newest.items()}
    assert {name: row["Steps"] for name, row in newest.items()} == {"A": 2, "B": 1}
    assert steps_of_each_span(lanes) == {1}


def test_a_span_that_numbers_itself_moves_with_its_trace(lanes: Lanes) -> None:
    numbered = chat(1, 1, 0, "", attributes={"agent.trajectory.step": 1, "session.id": "P"})
    lanes.ingest([trace_request([numbered])])
    lanes.close_everything()
    lanes.ingest([trace_request([FakeSpan(1, 9, -1, "Q")])])
    lanes.close_everything()
    assert steps_of_each_span(lanes) == {1}
    latest = lanes.rows("SELECT ConversationId, Steps FROM conversations_latest ORDER BY 1")
    assert [(row["ConversationId"], row["Steps"]) for row in latest] == [("Q", 1)]


def test_an_agent_told_after_the_close_takes_the_place_of_the_inferred_one(lanes: Lanes) -> None:
    triage = FakeSpan(1, 8, 0, "c", attributes={"gen_ai.agent.name": "triage"})
    billing = FakeSpan(1, 9, 1, attributes={"gen_ai.agent.name": "billing"}, parent=8)
    lanes.ingest([trace_request([triage, chat(1, 1, 2, "c", parent=9)])])
    lanes.close_everything()
    lanes.ingest([trace_request([billing])])
    lanes.close_everything()
    assert {row["AgentName"] for row in lanes.rows("SELECT AgentName FROM steps_latest")} == {"billing"}
    assert {row["AgentName"] for row in lanes.rows("SELECT AgentName FROM model_versions FINAL")} == {"billing"}


def test_a_channel_told_by_a_late_root_reaches_the_record(lanes: Lanes) -> None:
    lanes.ingest([trace_request([chat(1, 1, 0, "c", parent=9)])])
    lanes.close_everything()
    lanes.ingest([trace_request([FakeSpan(1, 9, -1, "c", attributes={"spanwitness.intent": "refund"})])])
    lanes.close_everything()
    (latest,) = lanes.rows("SELECT Intent, Revision FROM conversations_latest")
    assert (latest["Intent"], latest["Revision"]) == ("refund", 2)


def test_a_log_record_alone_may_name_the_conversation(lanes: Lanes) -> None:
    lanes.ingest([trace_request([chat(1, 1, 0, "")])])
    told = ExportLogsServiceRequest.FromString(log_request("x", trace=1, span=1))
    record = told.resource_logs[0].scope_logs[0].log_records[0]
    record.attributes.append(KeyValue(key="gen_ai.conversation.id", value=AnyValue(string_value="from-logs")))
    lanes.ingest([told.SerializeToString()], Signal.LOGS)
    lanes.close_everything()
    assert [row["ConversationId"] for row in conversations(lanes)] == ["from-logs"]


def test_the_same_bytes_under_other_rules_are_other_rows(lanes: Lanes) -> None:
    body = trace_request([chat(1, 1, 0, "c")], tenant="")
    lanes.ingest([body])
    lanes.ingestion = Ingestion(lanes.store, IngestRules(tenant=TenantRule(default="acme")), lanes.clock)
    lanes.ingest([body])
    tenants = lanes.rows("SELECT TenantId FROM otel_traces FINAL ORDER BY 1")
    assert [row["TenantId"] for row in tenants] == ["acme", "default"]
