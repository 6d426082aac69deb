"""The schema: applied once, and a superset of what the readers of the Collector exporter's tables expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.model import swap_id
from spanwitness.store.schema import statements, steps

if TYPE_CHECKING:
    from spanwitness.store import Store

TEXT, LOW = "String", "LowCardinality(String)"
MAP = "Map(LowCardinality(String), String)"
EXPORTERS = {
    "otel_traces": {
        "Timestamp": "DateTime64(9)",
        "TraceId": TEXT,
        "SpanId": TEXT,
        "ParentSpanId": TEXT,
        "TraceState": TEXT,
        "SpanName": LOW,
        "SpanKind": LOW,
        "ServiceName": LOW,
        "ResourceAttributes": MAP,
        "ScopeName": TEXT,
        "ScopeVersion": TEXT,
        "SpanAttributes": MAP,
        "Duration": "UInt64",
        "StatusCode": LOW,
        "StatusMessage": TEXT,
        "Events.Timestamp": "Array(DateTime64(9))",
        "Events.Name": f"Array({LOW})",
        "Events.Attributes": f"Array({MAP})",
        "Links.TraceId": f"Array({TEXT})",
        "Links.SpanId": f"Array({TEXT})",
        "Links.TraceState": f"Array({TEXT})",
        "Links.Attributes": f"Array({MAP})",
    },
    "otel_traces_trace_id_ts": {
        "TraceId": TEXT,
        "Start": "SimpleAggregateFunction(min, DateTime)",
        "End": "SimpleAggregateFunction(max, DateTime)",
    },
    "otel_logs": {
        "Timestamp": "DateTime64(9)",
        "TraceId": TEXT,
        "SpanId": TEXT,
        "TraceFlags": "UInt8",
        "SeverityText": LOW,
        "SeverityNumber": "UInt8",
        "ServiceName": LOW,
        "Body": TEXT,
        "ResourceSchemaUrl": LOW,
        "ResourceAttributes": MAP,
        "ScopeSchemaUrl": LOW,
        "ScopeName": TEXT,
        "ScopeVersion": LOW,
        "ScopeAttributes": MAP,
        "LogAttributes": MAP,
        "EventName": TEXT,
    },
}
TAGS = set(
    """
    TenantId ConversationId TrajectoryStep StepKind Actor AgentName AgentVersion Provider RequestedModel ServedModel
    ServedModelSource SystemFingerprint ModelVersion PromptVersion ToolName Channel Intent Language InputTokens
    OutputTokens FinishReason Dialect IngestedAt
    """.split()  # noqa: SIM905 - names to be read by eye
)
TABLES = ["conversations", "steps", "scores", "model_versions", "model_swaps", "otel_traces", "otel_logs"]


def columns(store: Store, table: str) -> dict[str, str]:
    rows = store.rows("SELECT name, type FROM system.columns WHERE table = {table:String}", {"table": table})
    return {row["name"]: row["type"] for row in rows}


def bare(kind: str) -> str:
    """Without the time zone, which is how a moment is shown and not what it is."""
    return kind.replace(", 'UTC'", "").replace("('UTC')", "")


@pytest.mark.parametrize("table", EXPORTERS)
def test_the_exporters_columns_are_there_with_their_types(store: Store, table: str) -> None:
    found = {name: bare(kind) for name, kind in columns(store, table).items()}
    assert {name: found.get(name) for name in EXPORTERS[table]} == EXPORTERS[table]


def test_the_tags_are_there_on_top(store: Store) -> None:
    assert set(columns(store, "otel_traces")) >= TAGS


def test_an_insert_of_the_exporters_columns_alone_is_accepted(store: Store) -> None:
    names = ", ".join(f"`{name}`" for name in EXPORTERS["otel_traces"] if "." not in name)
    values = "now64(9), 't', 's', '', '', 'n', 'Client', 'x', {}, '', '', {}, 1, 'Ok', ''"
    store.command(f"INSERT INTO otel_traces ({names}) VALUES ({values})")
    assert store.rows("SELECT TraceId, TenantId FROM otel_traces") == [{"TraceId": "t", "TenantId": ""}]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_the_tenant_first_in_its_key(store: Store, table: str) -> None:
    (row,) = store.rows("SELECT sorting_key FROM system.tables WHERE name = {table:String}", {"table": table})
    assert row["sorting_key"].startswith("TenantId,")


def test_what_may_change_about_a_span_is_no_part_of_its_key(store: Store) -> None:
    (row,) = store.rows("SELECT sorting_key FROM system.tables WHERE name = 'otel_traces'")
    assert row["sorting_key"] == "TenantId, toStartOfHour(Timestamp), TraceId, SpanId"


def test_each_step_is_applied_once(opened_store: Store) -> None:
    before = opened_store.rows("SELECT Version, AppliedAt FROM schema_versions ORDER BY Version")
    opened_store.migrate()
    assert opened_store.rows("SELECT Version, AppliedAt FROM schema_versions ORDER BY Version") == before
    assert [row["Version"] for row in before] == [step.version for step in steps()]


def test_an_upgrade_applies_what_is_missing_and_keeps_the_rows(opened_store: Store) -> None:
    """The first step is safe to repeat, so that one that was cut off half-way can be done again."""
    opened_store.command("INSERT INTO scores (TenantId, ConversationId) VALUES ('t', 'c')")
    opened_store.command("DELETE FROM schema_versions WHERE 1")
    opened_store.migrate()
    assert len(opened_store.rows("SELECT Version FROM schema_versions")) == len(steps())
    assert len(opened_store.rows("SELECT 1 FROM scores")) == 1


def test_an_upgrade_names_the_swaps_that_had_no_name_yet(opened_store: Store) -> None:
    keys = [("t/1", "s", 'a"\\/', "llm", "version", "openai/gpt-4o", "größer\n/b", number) for number in (1, 2)]
    columns = "TenantId, ServiceName, AgentName, StepKind, Class, FromVersion, ToVersion, Occurrence"
    names = [f"{{p{number}:String}}" for number in range(7)]
    insert = f"INSERT INTO model_swaps ({columns}, UpdatedAt) VALUES ({', '.join(names)}, {{n:UInt32}}, '2026-11-01')"
    for *texts, number in keys:
        opened_store.command(insert, {"n": number} | {f"p{at}": text for at, text in enumerate(texts)})
    opened_store.command("DELETE FROM schema_versions WHERE Version = 4")
    opened_store.migrate()
    named = opened_store.rows("SELECT SwapId, Occurrence FROM model_swaps FINAL ORDER BY Occurrence")
    assert named == [{"SwapId": swap_id(key), "Occurrence": key[-1]} for key in keys]


def test_steps_are_numbered_from_one_without_holes() -> None:
    assert [step.version for step in steps()] == list(range(1, len(steps()) + 1))


def test_a_file_is_taken_apart_at_semicolons_that_end_a_line() -> None:
    sql = "-- a comment; with one\nCREATE TABLE a (x Int8); \nSELECT ';' AS b;\n\n;\nSELECT 2"
    assert statements(sql) == ("CREATE TABLE a (x Int8)", "SELECT ';' AS b", "SELECT 2")
