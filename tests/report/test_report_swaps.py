"""Which models were changed, and what silence proves."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import orjson
import pytest

from spanwitness.model import swap_id
from spanwitness.report import swaps
from spanwitness.report.swaps import Slots, Wanted
from tests.report.conftest import BEGIN

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
        "ShareNow": 1.0,
        "Traffic": "all",
        "EndedAt": None,
        "Declared": False,
        "DeclaredBy": "",
        "DeploymentId": "",
        "Severity": "page",
        "DetectedAt": "2026-11-20T22:24:37.901Z",
        "Evidence": "{}",
        "ScoreShift": "{}",
    }
    assert orjson.loads(orjson.dumps(row)) == row


def test_an_id_outlives_what_is_learned_later_and_differs_by_every_part_of_the_key(record: Record) -> None:
    record.swap(TenantId="ids")
    (row,) = swaps.rows(record.ask, tenant="ids")
    record.swap(TenantId="ids", ConversationsAfter=9999, FirstTraceId="f" * 32, UpdatedAt=record.at(60))
    (later,) = swaps.rows(record.ask, tenant="ids")
    assert later["ConversationsAfter"] == 9999
    assert later["Id"] == row["Id"]
    key = [row[name] for name in swaps.KEY]
    others = [[*key[:at], 7 if isinstance(part, int) else f"{part}x", *key[at + 1 :]] for at, part in enumerate(key)]
    assert row["Id"] == swap_id(key)
    assert len({swap_id(other) for other in [key, *others]}) == len(key) + 1


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
    (row,) = swaps.rows(record.ask, tenant="glance")
    text = printed(swaps.show(record.ask, [row], tenant="glance"), 80)
    assert text == (
        f"""\
{row["Id"]}  page  version: another model answers
  where               glance / claims / claims_agent, llm
  from                openai/gpt-4o-2024-08-06
  to                  openai/gpt-4o-mini-2024-07-18
  since               2026-11-20 22:24:37.901 UTC, not declared
  traffic             all of it
  first conversation  c-3
  first trace         aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  conversations       2 before, 1,402 after

Next: `spanwitness swaps show {row["Id"]}` shows the newest with what it rests on.
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
        (
            {"Severity": "warning", "Evidence": '{"same_model":true}'},
            "warning  version: the same model by its name, elsewhere or spelled otherwise\n",
        ),
        ({"Declared": True, "DeclaredBy": "Ada", "Severity": "warning"}, "UTC, declared only afterwards by Ada"),
        ({"Class": "disguised"}, "  under the name      openai/gpt-4o-mini-2024-07-18\n  since"),
        ({"Class": "prompt", "FromVersion": "", "ToVersion": "v2"}, "  from                (none told)\n"),
        ({"Class": "absent", "FromVersion": "", "Traffic": "none"}, "llm\n  declared            openai/gpt-4o-mini"),
        ({"Traffic": "part", "ShareNow": 0.239}, "23 % of the slot's last 50 conversations: a canary or a router"),
        ({"Traffic": "fallback", "ShareNow": 0.001}, "under 1 % of the slot's last 50 conversations, most of its"),
        (
            {"Traffic": "none", "ShareNow": 0.0, "EndedAt": BEGIN},
            "none any more: it ended at 2026-11-20 22:24:37 UTC",
        ),
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


NOW = BEGIN.replace(tzinfo=dt.UTC)


class TestWhatIsAskedFor:
    """One swap of each kind; each test asks for some of them."""

    @pytest.fixture(autouse=True)
    def _swaps(self, record: Record) -> None:
        ended = {"EndedAt": record.at(90), "Traffic": "none"}
        kinds: dict[str, dict[str, object]] = {
            "silent": {"FirstSeenAt": record.at(0)},
            "late": {"FirstSeenAt": record.at(10), "Declared": True, "Severity": "warning"},
            "early": {"FirstSeenAt": record.at(20), "Declared": True, "Severity": "info", **ended},
            "backend": {"FirstSeenAt": record.at(30), "Class": "fingerprint", "Severity": "info"},
            "found late": {"FirstSeenAt": record.at(-900), "DetectedAt": record.at(31), "Class": "prompt"},
        }
        for kind, columns in kinds.items():
            record.swap(**{"TenantId": "asked", "FromVersion": kind, "DetectedAt": record.at(0), **columns})

    @pytest.mark.parametrize(
        ("wanted", "kinds"),
        [
            (Wanted(), ["backend", "early", "late", "silent", "found late"]),
            (Wanted(limit=2), ["backend", "early"]),
            (Wanted(since=NOW + dt.timedelta(minutes=10)), ["backend", "early", "late", "found late"]),
            (Wanted(since=NOW + dt.timedelta(minutes=10, microseconds=1)), ["backend", "early", "found late"]),
            (Wanted(until=NOW + dt.timedelta(minutes=10)), ["silent", "found late"]),
            (Wanted(classes=("prompt", "fingerprint")), ["backend", "found late"]),
            (Wanted(severities=("info",)), ["backend", "early"]),
            (Wanted(undeclared=True), ["silent", "found late"]),
            (Wanted(standing=True), ["backend", "late", "silent", "found late"]),
            (Wanted(standing=True, severities=("warning",), classes=("version",)), ["late"]),
        ],
    )
    def test_all_conditions_must_hold(self, record: Record, wanted: Wanted, kinds: list[str]) -> None:
        found = swaps.rows(record.ask, tenant="asked", wanted=wanted)
        assert [row["FromVersion"] for row in found] == kinds
        assert swaps.number(record.ask, tenant="asked", wanted=wanted) == (5 if wanted.limit else len(kinds))

    def test_what_the_limit_leaves_out_is_said(self, record: Record, printed: Printed) -> None:
        wanted = Wanted(limit=2)
        rows = swaps.rows(record.ask, tenant="asked", wanted=wanted)
        assert "These are the newest 2 of 5: --limit 5 shows all." in printed(
            swaps.show(record.ask, rows, tenant="asked", wanted=wanted)
        )

    @pytest.mark.parametrize(
        ("wanted", "older"),
        [
            (Wanted(limit=2), "2 pages still standing among the older ones: `spanwitness swaps --standing"),
            (Wanted(limit=4), "1 page still standing among the older ones: "),
            (Wanted(limit=5), ""),
            (Wanted(limit=1, severities=("info",)), ""),
        ],
    )
    def test_a_page_that_stands_is_not_drowned(
        self, record: Record, printed: Printed, wanted: Wanted, older: str
    ) -> None:
        text = printed(swaps.show(record.ask, tenant="asked", wanted=wanted))
        assert older in text
        assert ("still standing" in text) is bool(older)

    def test_none_of_those_asked_for_is_not_none_at_all(self, record: Record, printed: Printed) -> None:
        record.version(TenantId="asked")
        wanted = Wanted(classes=("disguised",))
        text = printed(swaps.show(record.ask, tenant="asked", wanted=wanted))
        assert text == "No such swap in 1 slot (tenant, service, agent, kind of call).\n"
