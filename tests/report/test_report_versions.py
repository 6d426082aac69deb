"""Which versions answered, and how their shares went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

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
        record.use(TenantId=tenant, ConversationId=identity, ModelVersion=version, FirstAt=record.at(minute), **slot)
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
        "ShareNow": 1.0,
        "State": "",
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


def test_a_use_that_a_later_revision_does_not_have_does_not_count(record: Record) -> None:
    calls(record, "revised", FULL, 0, 10)
    record.use(TenantId="revised", ConversationId=f"{FULL}-10-1-{{}}", FirstAt=record.at(10), Revision=2, Gone=1)
    (row,) = versions.rows(record.ask, tenant="revised")
    assert row["Timeline"] == [1.0, *[None] * 23]


def test_a_version_whose_uses_are_not_there_has_an_empty_timeline(record: Record) -> None:
    record.version(TenantId="useless")
    (row,) = versions.rows(record.ask, tenant="useless")
    assert (row["Timeline"], row["ShareNow"], row["State"]) == ([None] * 24, None, "")


def test_a_version_that_is_gone_is_not_told(record: Record) -> None:
    record.version(TenantId="gone")
    record.version(TenantId="gone", Gone=1, UpdatedAt=record.at(1))
    assert versions.rows(record.ask, tenant="gone") == []


def test_the_report_at_a_glance(record: Record, printed: Printed) -> None:
    calls(record, "glance", FULL, 0, 1, 2, 3, 4)
    calls(record, "glance", MINI, 4, 5, 6, 7, 8)
    assert printed(versions.show(record.ask, tenant="glance"), 80) == (
        """\
glance / claims / claims_agent, llm
model version                  first seen (UTC)     conv.  served model
share over time                last seen            calls  share now
───────────────────────────────────────────────────────────────────────
openai/gpt-4o-2024-08-06       2026-11-20 22:24:37      2  verified
█  █  █  █  ▅  ·  ·  · ·       2026-11-20 22:28:37      5  50 %
openai/gpt-4o-mini-2024-07-18  2026-11-20 22:28:37      2  verified
·  ·  ·  ·  ▅  █  █  █ █       2026-11-20 22:32:37      5  50 %, new

Share over time: 24 equal parts of the time from the slot's first call to its
last. A block's height is the version's share of the calls; a dot: none of them;
a blank: there was no call. Share now: of the slot's last 50 conversations,
those in which it answered.
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


def late(record: Record, tenant: str, *versions_of: str) -> None:
    """Conversations one after another, each answered by one version."""
    firsts = {version: versions_of.index(version) for version in versions_of}
    lasts = {version: at for at, version in enumerate(versions_of)}
    for at, version in enumerate(versions_of):
        record.use(TenantId=tenant, ConversationId=f"c-{at}", ModelVersion=version, FirstAt=record.at(at))
    for version, first in firsts.items():
        seen = {"FirstSeen": record.at(first), "LastSeen": record.at(lasts[version])}
        record.version(TenantId=tenant, ModelVersion=version, Calls=versions_of.count(version), **seen)


def told(record: Record, tenant: str, **wanted: str) -> list[tuple[str, float, str]]:
    rows = versions.rows(record.ask, tenant=tenant, **wanted)
    return [(row["ModelVersion"], row["ShareNow"], row["State"]) for row in rows]


def test_of_late_means_the_last_fifty_conversations(record: Record) -> None:
    late(record, "late", FULL, *[MINI] * 10, *[FULL, *[MINI] * 4] * 10)
    assert told(record, "late") == [(FULL, 0.2, ""), (MINI, 0.8, "")]


def test_what_has_not_answered_of_late_is_gone_and_what_came_lately_is_new(record: Record) -> None:
    late(record, "moved", *[FULL] * 10, *[MINI] * 50)
    assert told(record, "moved") == [(FULL, 0.0, "gone"), (MINI, 1.0, "new")]


def test_what_was_there_from_the_first_conversation_on_is_not_new(record: Record) -> None:
    late(record, "young", FULL, MINI)
    record.use(TenantId="young", ConversationId="c-0", ModelVersion=LONG, FirstAt=record.at(0.5))
    record.version(TenantId="young", ModelVersion=LONG, FirstSeen=record.at(0.5), LastSeen=record.at(0.5))
    assert told(record, "young") == [(FULL, 0.5, ""), (LONG, 0.5, ""), (MINI, 0.5, "new")]


@pytest.mark.parametrize(("ended", "state"), [(0, "replaced"), (9, "")])
def test_what_another_has_replaced_is_told_at_once_as_long_as_that_stands(
    record: Record, ended: float, state: str
) -> None:
    tenant = f"replaced {ended}"
    late(record, tenant, FULL, FULL, MINI)
    stands = {"EndedAt": record.at(ended), "Traffic": "none"} if ended else {}
    record.swap(TenantId=tenant, FirstSeenAt=record.at(2), **stands)
    assert told(record, tenant)[0] == (FULL, 0.6667, state)


def test_what_mostly_follows_failed_calls_is_a_fallback(record: Record) -> None:
    late(record, "outage", FULL, FULL, MINI)
    fallback = {"ConversationId": "c-2", "ModelVersion": MINI, "FirstAt": record.at(2), "Revision": 2}
    record.use(TenantId="outage", CallsAfterFailure=1, **fallback)
    assert told(record, "outage") == [(FULL, 0.6667, ""), (MINI, 0.3333, "fallback")]


def test_only_what_is_asked_for(record: Record, printed: Printed) -> None:
    for service in ("claims", "calls"):
        for agent in ("triage", "claims"):
            calls(record, "filtered", FULL, 0, ServiceName=service, AgentName=agent)
    assert len(versions.rows(record.ask, tenant="filtered", agent="triage")) == 2
    assert len(versions.rows(record.ask, tenant="filtered", agent="triage", service="calls")) == 1
    record.conversation(TenantId="filtered")
    text = printed(versions.show(record.ask, tenant="filtered", agent="nobody"))
    assert text.startswith("There is no call that names a model of agent 'nobody' of tenant 'filtered', though")
