"""Which models were changed, and what silence proves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from spanwitness.report import swaps
from spanwitness.report.swaps import Slots

if TYPE_CHECKING:
    from tests.report.conftest import Printed, Record

NONE_UNVERIFIED = Slots(1, 0, 0)


def test_a_row_has_the_columns_of_the_table_and_an_id(record: Record) -> None:
    record.swap(TenantId="columns")
    (row,) = swaps.rows(record.ask, tenant="columns")
    assert row == {
        "Id": row["Id"],
        "TenantId": "columns",
        "ServiceName": "claims",
        "AgentName": "claims_agent",
        "StepKind": "llm",
        "Class": "version",
        "FromVersion": "openai/gpt-4o-2024-08-06",
        "ToVersion": "openai/gpt-4o-mini-2024-07-18",
        "Occurrence": 1,
        "FirstSeenAt": "2026-11-20T22:24:37.901000000Z",
        "FirstConversationId": "c-3",
        "FirstTraceId": "a" * 32,
        "ConversationsBefore": 2,
        "ConversationsAfter": 1402,
        "Declared": False,
        "DeclaredBy": "",
        "Severity": "page",
        "DetectedAt": "2026-11-20T22:24:37.901Z",
        "Evidence": "{}",
    }
    assert orjson.loads(orjson.dumps(row)) == row


def test_an_id_outlives_what_is_learned_later_and_differs_by_every_part_of_the_key(record: Record) -> None:
    record.swap(TenantId="ids")
    (row,) = swaps.rows(record.ask, tenant="ids")
    record.swap(TenantId="ids", ConversationsAfter=9999, FirstTraceId="f" * 32, UpdatedAt=record.at(60))
    (later,) = swaps.rows(record.ask, tenant="ids")
    assert later["ConversationsAfter"] == 9999
    assert later["Id"] == row["Id"]
    others = [{**row, name: 7 if name == "Occurrence" else f"{row[name]}x"} for name in swaps.KEY]
    assert len({swaps.swap_id(other) for other in [row, *others]}) == len(swaps.KEY) + 1


def test_the_newest_comes_first_and_a_page_before_a_warning(record: Record) -> None:
    record.swap(TenantId="order", Class="mismatch", FirstSeenAt=record.at(9), Severity="warning")
    record.swap(TenantId="order", Class="version", FirstSeenAt=record.at(9))
    record.swap(TenantId="order", FromVersion="older", FirstSeenAt=record.at(1))
    found = swaps.rows(record.ask, tenant="order")
    assert [(row["Severity"], row["FromVersion"] == "older") for row in found] == [
        ("page", False),
        ("warning", False),
        ("page", True),
    ]


def test_a_swap_that_was_withdrawn_is_not_told(record: Record) -> None:
    record.swap(TenantId="withdrawn")
    record.swap(TenantId="withdrawn", Withdrawn=1, UpdatedAt=record.at(1))
    assert swaps.rows(record.ask, tenant="withdrawn") == []


def test_the_swaps_of_one_conversation(record: Record) -> None:
    record.swap(TenantId="one", FirstConversationId="c-3")
    record.swap(TenantId="one", FirstConversationId="c-4", Occurrence=2)
    assert [row["Occurrence"] for row in swaps.rows(record.ask, tenant="one", conversation="c-4")] == [2]


def test_the_report_at_a_glance(record: Record, printed: Printed) -> None:
    record.swap(TenantId="glance")
    record.version(TenantId="glance")
    text = printed(swaps.show(record.ask, tenant="glance"))
    (row,) = swaps.rows(record.ask, tenant="glance")
    assert text == (
        f"""\
{row["Id"]}  page  version: another model answers
  where               glance / claims / claims_agent, llm
  from                openai/gpt-4o-2024-08-06
  to                  openai/gpt-4o-mini-2024-07-18
  since               2026-11-20 22:24:37.901 UTC, not declared
  first conversation  c-3
  first trace         aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  conversations       2 before, 1,402 after

Next: `spanwitness conversation c-3` shows the first conversation of the newest one, step by step;
`spanwitness versions` shows how far it has spread.
"""
    )


def test_no_swap_in_a_record_that_is_told_in_full(record: Record, printed: Printed) -> None:
    record.version(TenantId="quiet")
    record.version(TenantId="quiet", ModelVersion="openai/gpt-4o-mini")
    assert printed(swaps.show(record.ask, tenant="quiet")) == (
        "No swap found in 1 slot (tenant, service, agent, kind of call).\n"
    )


def test_silence_is_no_proof_where_the_served_model_is_not_told(record: Record, printed: Printed) -> None:
    record.version(TenantId="silent")
    record.version(TenantId="silent", AgentName="half", ModelVersion="told")
    record.version(TenantId="silent", AgentName="half", ModelVersion="gpt?", VerifiedShare=0.0)
    record.version(TenantId="silent", AgentName="dumb", ModelVersion="gpt?", VerifiedShare=0.0)
    assert swaps.slots(record.ask, tenant="silent") == Slots(3, 2, 1)
    assert printed(swaps.show(record.ask, tenant="silent")) == (
        """\
No swap found in 3 slots (tenant, service, agent, kind of call).
No proof for 2 of 3 slots: calls there do not tell which model answered (all of them in 1), so a
swap would not show. `spanwitness versions` names them; the probe of spanwitness.sdk in their
process closes the gap.
"""
    )


def test_what_is_not_told_is_said_beside_swaps_too(record: Record, printed: Printed) -> None:
    record.swap(TenantId="both")
    rows = swaps.rows(record.ask, tenant="both")
    assert "No proof for 1 of 4 slots" in printed(swaps.render(rows, Slots(4, 1, 1)))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"Declared": True, "DeclaredBy": "release 42"}, "UTC, declared by release 42"),
        ({"Declared": True}, "UTC, declared"),
        ({"Occurrence": 2}, "UTC (for the 2nd time), not declared"),
        ({"Occurrence": 11}, "(for the 11th time)"),
        ({"Occurrence": 23}, "(for the 23rd time)"),
        ({"Class": "mismatch", "Severity": "warning"}, "  asked for "),
        ({"Class": "something new"}, "page  something new\n"),
        ({"FirstConversationId": "a 'b'"}, """`spanwitness conversation 'a '"'"'b'"'"''`"""),
        ({"FirstConversationId": "x" * 120}, f"{'x' * 39}…{'x' * 38}"),
    ],
)
def test_a_swaps_particulars(record: Record, printed: Printed, columns: dict[str, object], words: str) -> None:
    tenant = f"particulars {sorted(columns)} {words}"
    record.swap(TenantId=tenant, **columns)
    text = printed(swaps.render(swaps.rows(record.ask, tenant=tenant), NONE_UNVERIFIED))
    assert words in text


def test_versions_are_never_shortened(record: Record, printed: Printed) -> None:
    long = "bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0"
    record.swap(TenantId="long", FromVersion=long, ToVersion=f"{long}-next")
    rows = swaps.rows(record.ask, tenant="long")
    assert long in printed(swaps.render(rows, NONE_UNVERIFIED), 80)
    narrow = printed(swaps.render(rows, NONE_UNVERIFIED), 40)
    assert f"{long}-next" in "".join(part.strip() for part in narrow.split("to  ")[1].split("since")[0].split())
