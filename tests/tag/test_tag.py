"""Tags: as the slow reference finds them span by span, whatever else is in the batch."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from spanwitness.decode import decode_logs, decode_spans
from spanwitness.identity import split_candidate
from spanwitness.tag import TenantRule, index_traces, tag_logs, tag_spans
from spanwitness.tag.dialects import DIALECTS
from tests.decode import generated, reference
from tests.decode.built import LOG_CAPTURES, TRACE_CAPTURES, requests_of
from tests.tag.spans import AT, indexed, request, tagged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from spanwitness.tag.dialect import Dialect
    from tests.decode.reference import Row

RULE = TenantRule()
CONVENTIONS = "opentelemetry.instrumentation.acme"
"""A library that follows the GenAI conventions and is not known to lie."""
NAMED = TenantRule(generated.TENANT_KEYS, "nobody")


def index_of(table: pa.Table) -> list[Row]:
    return by_trace(reference.plain_rows(index_traces(table)))


def by_trace(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["TenantId"], row["TraceId"]))


def agree_on_spans(bodies: Sequence[bytes], callers: Sequence[str], rule: TenantRule) -> None:
    told = reference.read_spans(bodies, callers, rule, AT).rows
    table = tag_spans(decode_spans(bodies), callers, rule, AT)
    assert reference.plain_rows(table) == told
    assert index_of(table) == by_trace(reference.read_index(told))


def agree_on_logs(bodies: Sequence[bytes], callers: Sequence[str], rule: TenantRule) -> None:
    told = reference.read_logs(bodies, callers, rule, AT).rows
    table = tag_logs(decode_logs(bodies), callers, rule, AT)
    assert reference.plain_rows(table) == told
    assert index_of(table) == by_trace(reference.read_index(told))


@pytest.mark.parametrize("path", TRACE_CAPTURES, ids=lambda path: path.name)
def test_a_captures_spans_are_tagged_as_the_reference_tags_them(path: Path) -> None:
    bodies = requests_of(path)
    agree_on_spans(bodies, [""] * len(bodies), RULE)


@pytest.mark.parametrize("path", LOG_CAPTURES, ids=lambda path: path.name)
def test_a_captures_log_records_are_tagged_as_the_reference_tags_them(path: Path) -> None:
    bodies = requests_of(path)
    agree_on_logs(bodies, [""] * len(bodies), RULE)


def test_all_captures_in_one_batch_are_tagged_as_each_alone() -> None:
    agree_on_spans(bodies := [body for path in TRACE_CAPTURES for body in requests_of(path)], [""] * len(bodies), RULE)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_whatever_a_dialect_may_say_is_tagged_as_the_reference_tags_it(dialect: Dialect) -> None:
    chance = random.Random(20261120)  # noqa: S311 - the same spans in every run
    agree_on_spans([generated.spoken(dialect, chance, 400)], [""], NAMED)


@settings(generated.PATIENT, max_examples=75)
@given(generated.batches(generated.spoken_bodies))
def test_what_several_dialects_may_say_in_one_batch_is_tagged_as_the_reference_tags_it(
    batch: tuple[list[bytes], list[str]],
) -> None:
    agree_on_spans(*batch, NAMED)


@settings(generated.PATIENT, max_examples=75)
@given(generated.batches(generated.trace_bodies))
def test_any_spans_are_tagged_as_the_reference_tags_them(batch: tuple[list[bytes], list[str]]) -> None:
    agree_on_spans(*batch, NAMED)


@settings(generated.PATIENT, max_examples=75)
@given(generated.batches(generated.log_bodies))
def test_any_log_records_are_tagged_as_the_reference_tags_them(batch: tuple[list[bytes], list[str]]) -> None:
    agree_on_logs(*batch, NAMED)


def test_an_empty_batch_has_all_columns() -> None:
    table = tag_spans(decode_spans([]), [], RULE, AT)
    full = tag_spans(decode_spans([request()]), [""], RULE, AT)
    assert len(table) == 0
    assert table.schema.types == full.schema.types
    assert table.column_names == full.column_names
    assert len(index_traces(table)) == 0


# Whose it is.


@pytest.mark.parametrize(
    ("caller", "resource", "attributes", "tenant"),
    [
        ("bound", {"tenant.id": "r"}, {"tenant.id": "s"}, "bound"),
        ("", {"tenant.id": "r"}, {"tenant.id": "s"}, "r"),
        ("", {"tenant.id": ""}, {"tenant.id": "s"}, "s"),
        ("", {}, {"tenant.id": "s"}, "s"),
        ("", {}, {"tenant.id": ""}, "nobody"),
        ("", {}, {}, "nobody"),
        ("", {"customer": "c"}, {"tenant.id": "s"}, "c"),
        ("", {"customer": "c", "tenant.id": "r"}, {}, "r"),
        ("", {"customer": "c"}, {"customer": "d"}, "c"),
    ],
)
def test_a_bound_caller_decides_then_the_resource_then_the_span_then_the_default(
    caller: str, resource: dict[str, str], attributes: dict[str, str], tenant: str
) -> None:
    assert tagged(attributes, resource=resource, caller=caller, rule=NAMED)["TenantId"] == tenant


def test_callers_of_one_batch_do_not_lend_their_tenant_to_each_other() -> None:
    bodies = [request(resource={"tenant.id": "told"}) for _ in range(3)]
    table = tag_spans(decode_spans(bodies), ["bound-a", "", "bound-b"], RULE, AT)
    assert table["TenantId"].to_pylist() == ["bound-a", "told", "bound-b"]


def test_the_default_tenant_is_called_default() -> None:
    assert tagged({})["TenantId"] == "default"


def test_without_tenant_attributes_everybody_unbound_is_the_default() -> None:
    assert tagged({"tenant.id": "s"}, rule=TenantRule((), "only"))["TenantId"] == "only"


# What every span may say, whatever its dialect.


def test_the_applications_own_facts_are_read_under_any_dialect() -> None:
    own: dict[str, Any] = {
        "spanwitness.channel": "voice",
        "spanwitness.intent": "claim",
        "spanwitness.language": "de-AT",
        "spanwitness.actor": "human",
        "agent.trajectory.step": 7,
    }
    told = {"Channel": "voice", "Intent": "claim", "Language": "de-AT", "Actor": "human", "TrajectoryStep": 7}
    for scope in ("", "livekit-agents", "openinference.instrumentation.openai", "traceai_pinecone"):
        row = tagged(own, scope=scope)
        assert {name: row[name] for name in told} == told


@pytest.mark.parametrize(("value", "step"), [("12", 12), (12, 12), (12.0, 12), ("-1", 0), ("one", 0), ("9" * 10, 0)])
def test_a_step_that_is_no_number_is_zero(value: object, step: int) -> None:
    assert tagged({"agent.trajectory.step": value})["TrajectoryStep"] == step


@pytest.mark.parametrize(
    ("value", "ended"), [(True, True), ("true", True), (False, False), ("yes", False), ("", False), (1, False)]
)
def test_a_span_may_say_that_its_conversation_has_ended(value: object, ended: object) -> None:
    assert tagged({"spanwitness.conversation.ended": value})["ConversationEnded"] is ended


def test_a_step_acts_for_the_ai_and_a_container_for_nobody() -> None:
    assert tagged({"gen_ai.operation.name": "chat"})["Actor"] == "ai"
    assert tagged({"gen_ai.operation.name": "invoke_agent"})["Actor"] == ""


@pytest.mark.parametrize(
    ("attributes", "resource", "version"),
    [
        ({"gen_ai.agent.version": "2.1"}, {"service.version": "9"}, "2.1"),
        ({}, {"service.version": "9"}, "9"),
        ({"gen_ai.agent.version": ""}, {"service.version": "9"}, "9"),
        ({}, {}, ""),
    ],
)
def test_the_service_stands_for_an_agent_that_names_no_version(
    attributes: dict[str, str], resource: dict[str, str], version: str
) -> None:
    assert tagged(attributes, resource=resource)["AgentVersion"] == version


@pytest.mark.parametrize(
    ("resource", "service"),
    [
        ({"service.name": "claims", "project_name": "p"}, "claims"),
        ({"service.name": "", "project_name": "p"}, "p"),
        ({"project_name": "p"}, "p"),
        ({}, ""),
    ],
)
def test_a_project_stands_for_a_service_without_a_name(resource: dict[str, str], service: str) -> None:
    assert tagged({}, resource=resource)["ServiceName"] == service


@pytest.mark.parametrize(
    ("told", "tokens"),
    [(12, 12), ("12", 12), (12.0, 12), (0, 0), (-3, 0), ("", 0), ("many", 0), (12.5, 0), (999_999_999, 999_999_999)],
)
def test_tokens_are_whole_numbers_or_none(told: object, tokens: int) -> None:
    call = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": told, "gen_ai.usage.output_tokens": told}
    row = tagged(call)
    assert (row["InputTokens"], row["OutputTokens"]) == (tokens, tokens)


@pytest.mark.parametrize(
    ("told", "reason"),
    [(["stop"], "stop"), (["tool_calls", "stop"], "tool_calls"), ([], ""), ("stop", "stop"), ('["length"]', "length")],
)
def test_the_first_finish_reason_counts(told: object, reason: str) -> None:
    assert tagged({"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": told})["FinishReason"] == reason


@pytest.mark.parametrize(
    ("told", "failed"),
    [("true", True), ("error", True), ("ERROR", True), ("failed", True), ("failure", True), ("success", False)],
)
def test_a_step_has_failed_by_any_librarys_word(told: str, failed: object) -> None:
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.status": told}
    assert tagged(tool, scope=CONVENTIONS)["StepFailed"] is failed


# Which conversation.


def test_an_id_of_a_response_is_no_conversation() -> None:
    row = tagged({"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "resp_68af"})
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("", "")


def test_behind_an_id_of_a_response_the_applications_own_is_found() -> None:
    told = {"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "resp_68af", "session.id": "conv-1"}
    row = tagged(told)
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("conv-1", "session.id")


@pytest.mark.parametrize("text", ["[Scrubbed due to 'session']", "[REDACTED]", "[Filtered]", "<redacted>", "***"])
def test_what_a_scrubber_left_is_no_conversation(text: str) -> None:
    row = tagged({"gen_ai.operation.name": "chat", "gen_ai.conversation.id": text, "session.id": "conv-1"})
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("conv-1", "session.id")


@pytest.mark.parametrize("text", ["None", "null", "undefined"])
def test_an_id_that_the_application_did_not_have_is_no_conversation(text: str) -> None:
    row = tagged({"gen_ai.operation.name": "chat", "gen_ai.conversation.id": text, "session.id": text})
    assert (row["ConversationId"], row["ConversationIdSource"]) == ("", "")


def test_an_applications_session_is_trusted_less_than_the_conventions_and_more_than_its_thread() -> None:
    keys = ("gen_ai.conversation.id", "session.id", "metadata.session_id", "metadata.thread_id")
    ranks = [tagged({"gen_ai.operation.name": "chat", key: "c"})["ConversationTrust"] for key in keys]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(keys)


def test_spans_of_several_dialects_keep_their_order() -> None:
    scopes = [
        "livekit-agents",
        "acme",
        "openinference.instrumentation.openai",
        "livekit-agents",
        "traceai_pinecone",
        "",
    ]
    bodies = [request({"session.id": str(n)}, scope=scope, name=str(n)) for n, scope in enumerate(scopes)]
    table = tag_spans(decode_spans(bodies), [""] * len(bodies), RULE, AT)
    numbers = [str(n) for n in range(len(scopes))]
    assert table["SpanName"].to_pylist() == table["ConversationId"].to_pylist() == numbers
    assert table["Dialect"].to_pylist() == ["livekit", "", "openinference_openai", "livekit", "traceai_pinecone", ""]


# The trace index.


def test_a_trace_belongs_to_the_key_of_most_trust_whenever_it_started() -> None:
    early = request({"session.id": "app"}, start=1)
    late = request({"gen_ai.conversation.id": "library"}, start=2)
    (row,) = indexed(early, late)
    assert row["Candidate"] == f"002|{2:020}|gen_ai.conversation.id|library"


def test_within_one_key_the_first_span_names_the_trace() -> None:
    (row,) = indexed(request({"session.id": "b"}, start=10), request({"session.id": "a"}, start=200))
    assert row["Candidate"] == f"003|{10:020}|session.id|b"


def test_of_two_spans_that_start_together_the_lesser_id_names_the_trace() -> None:
    (row,) = indexed(request({"session.id": "b"}, start=5), request({"session.id": "a"}, start=5))
    assert row["Candidate"] == f"003|{5:020}|session.id|a"


def test_a_trace_without_an_id_has_no_candidate() -> None:
    (row,) = indexed(request({"gen_ai.conversation.id": "resp_1"}), request({}))
    assert row["Candidate"] == "~"


def test_a_trace_is_indexed_once_for_each_of_its_tenants() -> None:
    rows = indexed(*(request({}, resource={"tenant.id": tenant}) for tenant in ("a", "b", "a")))
    assert [(row["TenantId"], row["Spans"], row["Batches"]) for row in rows] == [("a", 2, 1), ("b", 1, 1)]


def test_the_index_knows_when_a_trace_began_in_whole_seconds_and_whether_it_ended() -> None:
    (row,) = indexed(
        request({"spanwitness.channel": "chat"}, start=2_999_999_999),
        request({"spanwitness.conversation.ended": True}, start=1_000_000_001),
        request({"spanwitness.channel": "voice"}, start=5_000_000_000),
    )
    assert (row["Start"], row["End"], row["Ended"], row["Channel"]) == (1, 5, 1, "voice")
    assert row["FirstIngestedAt"] == row["LastIngestedAt"] == int(AT.timestamp() * 1000)


def _logs(*trace_ids: bytes) -> bytes:
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for trace_id in trace_ids:
        record = records.add(trace_id=trace_id, time_unix_nano=3_000_000_000)
        record.attributes.add(key="gen_ai.conversation.id").value.string_value = "conv-1"
    return message.SerializeToString()


def test_log_records_may_name_the_conversation_of_their_trace_and_only_those_of_a_trace_are_indexed() -> None:
    table = tag_logs(decode_logs([_logs(b"\1" * 16, b"", b"\1" * 16)]), [""], RULE, AT)
    assert table["ConversationId"].to_pylist() == ["conv-1"] * 3
    (row,) = index_of(table)
    assert (row["TraceId"], row["Start"], row["End"], row["Spans"]) == ("01" * 16, 3, 3, 2)
    assert (split_candidate(row["Candidate"]), row["Ended"], row["Channel"]) == (
        ("gen_ai.conversation.id", "conv-1"),
        0,
        "",
    )


def test_the_time_of_arrival_is_stored_in_utc() -> None:
    vienna = dt.timezone(dt.timedelta(hours=2))
    at = dt.datetime(2026, 7, 1, 14, 0, tzinfo=vienna)
    table = tag_spans(decode_spans([request()]), [""], RULE, at)
    assert table["IngestedAt"].to_pylist() == [dt.datetime(2026, 7, 1, 12, 0)]  # noqa: DTZ001 - as the column holds it


def test_a_verdict_on_a_conversation_does_not_name_it() -> None:
    """Another SpanWitness may send its scores here: they repeat a name that is known, or was made up."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for event in ("gen_ai.evaluation.result", "gen_ai.client.inference.operation.details"):
        record = records.add(event_name=event, trace_id=b"\1" * 16, span_id=b"\2" * 8, time_unix_nano=1)
        record.attributes.add(key="gen_ai.conversation.id").value.string_value = "c-1"
    table = tag_logs(decode_logs([request.SerializeToString()]), [""], TenantRule(), AT)
    assert table["ConversationId"].to_pylist() == ["", "c-1"]
