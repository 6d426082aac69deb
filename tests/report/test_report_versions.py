"""Which versions answered, and how their shares went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from spanwitness.report import versions

if TYPE_CHECKING:
    from tests.report.conftest import Printed, Record

FULL = "openai/gpt-4o-2024-08-06"
MINI = "openai/gpt-4o-mini-2024-07-18"
LONG = "bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0"


def calls(record: Record, tenant: str, version: str, *minutes: float, **slot: str) -> None:
    """A version's calls at so many minutes, each a conversation, as the review lane records them."""
    for number, minute in enumerate(minutes):
        identity = f"{version}-{minute}-{number}-{slot}"
        record.conversation(TenantId=tenant, ConversationId=identity)
        record.step(TenantId=tenant, ConversationId=identity, ModelVersion=version, StartedAt=record.at(minute), **slot)
    seen = {"FirstSeen": record.at(min(minutes)), "LastSeen": record.at(max(minutes))}
    record.version(TenantId=tenant, ModelVersion=version, Calls=len(minutes), **seen, **slot)


def test_a_row_has_the_columns_of_the_table_and_times_in_utc(record: Record) -> None:
    calls(record, "columns", FULL, 0, 1)
    (row,) = versions.rows(record.ask, tenant="columns")
    assert row == {
        "TenantId": "columns",
        "ServiceName": "claims",
        "AgentName": "claims_agent",
        "StepKind": "llm",
        "ModelVersion": FULL,
        "FirstSeen": "2026-11-20T22:24:37.901000000Z",
        "LastSeen": "2026-11-20T22:25:37.901000000Z",
        "Conversations": 2,
        "Calls": 2,
        "VerifiedShare": 1.0,
        "Timeline": [1.0, *[None] * 22, 1.0],
    }
    assert orjson.loads(orjson.dumps(row)) == row


def test_shares_are_of_the_slots_calls_in_equal_parts_of_its_time(record: Record) -> None:
    calls(record, "shares", FULL, 0, 1, 11.9)
    calls(record, "shares", MINI, 1, 23.999)
    full, mini = versions.rows(record.ask, tenant="shares")
    assert (full["ModelVersion"], mini["ModelVersion"]) == (FULL, MINI)
    assert full["Timeline"] == [1.0, 0.5, *[None] * 9, 1.0, *[None] * 11, 0.0]
    assert mini["Timeline"] == [0.0, 0.5, *[None] * 9, 0.0, *[None] * 11, 1.0]


def test_a_slot_that_was_called_once_has_one_part(record: Record) -> None:
    calls(record, "once", FULL, 5)
    (row,) = versions.rows(record.ask, tenant="once")
    assert row["Timeline"] == [1.0, *[None] * 23]


def test_slots_do_not_share_a_timeline(record: Record) -> None:
    calls(record, "slots", FULL, 0, 1, AgentName="triage")
    calls(record, "slots", MINI, 0, 1, AgentName="claims")
    rows = versions.rows(record.ask, tenant="slots")
    assert [(row["AgentName"], row["Timeline"][0]) for row in rows] == [("claims", 1.0), ("triage", 1.0)]


def test_only_the_newest_revision_counts(record: Record) -> None:
    calls(record, "revised", FULL, 0, 10)
    record.conversation(TenantId="revised", ConversationId=f"{FULL}-10-1-{{}}", Revision=2)
    (row,) = versions.rows(record.ask, tenant="revised")
    assert row["Timeline"] == [1.0, *[None] * 23]


def test_a_version_whose_steps_are_not_there_has_an_empty_timeline(record: Record) -> None:
    record.version(TenantId="stepless")
    (row,) = versions.rows(record.ask, tenant="stepless")
    assert row["Timeline"] == [None] * 24


def test_a_version_that_is_gone_is_not_told(record: Record) -> None:
    record.version(TenantId="gone")
    record.version(TenantId="gone", Gone=1, UpdatedAt=record.at(1))
    assert versions.rows(record.ask, tenant="gone") == []


def test_the_report_at_a_glance(record: Record, printed: Printed) -> None:
    calls(record, "glance", FULL, 0, 1, 2, 3, 4)
    calls(record, "glance", MINI, 4, 5, 6, 7, 8)
    assert printed(versions.show(record.ask, tenant="glance")) == (
        """\
glance / claims / claims_agent, llm
model version                  first seen (UTC)     conv.  served model
share over time                last seen            calls
───────────────────────────────────────────────────────────────────────
openai/gpt-4o-2024-08-06       2026-11-20 22:24:37      2  verified
█  █  █  █  ▅  ·  ·  · ·       2026-11-20 22:28:37      5
openai/gpt-4o-mini-2024-07-18  2026-11-20 22:28:37      2  verified
·  ·  ·  ·  ▅  █  █  █ █       2026-11-20 22:32:37      5

Share over time: 24 equal parts of the time from the slot's first call to its last. A block's height
is the version's share of the calls; a dot: none of them; a blank: there was no call.
"""
    )


def test_what_is_not_told_is_said_and_explained(record: Record, printed: Printed) -> None:
    record.version(TenantId="untold", ModelVersion="openai/gpt-4o?", VerifiedShare=0.0)
    record.version(TenantId="untold", ModelVersion=LONG, VerifiedShare=0.625, Calls=12345678)
    text = printed(versions.show(record.ask, tenant="untold"))
    assert "not told by the" in text
    assert "62 % verified" in text
    assert "12,345,678" in text
    assert "A swap behind it would not show; the probe" in " ".join(text.split())


def test_versions_are_never_shortened_however_narrow_the_console(record: Record, printed: Printed) -> None:
    arn = f"bedrock/arn:aws:bedrock:eu-central-1:123456789012:inference-profile/{LONG}"
    for version in (LONG, arn):
        record.version(TenantId="narrow", ModelVersion=version, VerifiedShare=0.0)
    rows = versions.rows(record.ask, tenant="narrow")
    assert LONG in printed(versions.render(rows[1:]))
    for width in (100, 80, 60):
        first = [line.split("  ")[0].strip() for line in printed(versions.render(rows), width).splitlines()]
        assert arn in "".join(first)


def test_without_rows_it_says_so(printed: Printed) -> None:
    assert printed(versions.render([])) == "No model version is on record.\n"
