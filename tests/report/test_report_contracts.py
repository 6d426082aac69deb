"""What was agreed, and what each version changed."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from spanwitness.model import BundleTerms, Contract
from spanwitness.report import contracts
from spanwitness.report.sql import fetch
from spanwitness.store.contracts import insert_contracts

if TYPE_CHECKING:
    from spanwitness.store import Store
    from tests.report.conftest import Printed, Record

BEGIN = dt.datetime(2025, 11, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
FIRST = Contract(
    tenant="northwind",
    version=1,
    valid_from=BEGIN,
    valid_until=BEGIN + 30 * DAY,
    approved=("openai/gpt-4o", "openai/gpt-4.1-mini"),
    aliases=(("claims-prod", "gpt-4o"),),
    min_verified=0.95,
    evaluators=("TaskCompletion",),
    thresholds={"TaskCompletion": 0.8},
    notice=14 * DAY,
    name="Schedule C",
    source="northwind.toml",
    text="# as agreed",
    recorded_at=BEGIN - DAY,
    judged=("TaskCompletion",),
    parameters={"TaskCompletion": {"max_agent_turns": 40, "writes": ["send"], "rules": [{"name": "a"}, {"name": "b"}]}},
    channels={"voice": BundleTerms(("PII",), {"PII": 1.0}, ("PII",))},
)
SECOND = replace(
    FIRST,
    version=2,
    valid_from=BEGIN + 30 * DAY,
    valid_until=None,
    approved=("openai/gpt-4o", "anthropic/claude-sonnet-4*"),
    aliases=(),
    min_verified=None,
    evaluators=(),
    thresholds={"TaskCompletion": 0.9},
    notice=dt.timedelta(hours=36),
    judged=("PII", "TaskCompletion"),
    parameters={"TaskCompletion": {"max_agent_turns": 25, "rules": [{"name": "a"}]}},
    channels={"voice": BundleTerms(thresholds={"PII": 0.5}), "sms": BundleTerms(("PII",))},
    recorded_at=BEGIN + 32 * DAY,
)


def put(store: Store, tenant: str, *versions: Contract) -> None:
    insert_contracts(store, [replace(version, tenant=tenant) for version in versions], BEGIN)


def test_a_row_has_the_columns_of_the_table_and_what_changed(report_store: Store) -> None:
    put(report_store, "rows", SECOND, FIRST)
    first, second = contracts.rows(report_store.ask, tenant="rows")
    assert first == {
        "TenantId": "rows",
        "Version": 1,
        "Name": "Schedule C",
        "ValidFrom": "2025-11-01T00:00:00.000Z",
        "ValidUntil": "2025-12-01T00:00:00.000Z",
        "ApprovedModels": ["openai/gpt-4o", "openai/gpt-4.1-mini"],
        "Aliases": [{"Requested": "claims-prod", "Served": "gpt-4o"}],
        "MinVerifiedShare": 0.95,
        "Evaluators": ["TaskCompletion"],
        "Thresholds": {"TaskCompletion": 0.8},
        "Judged": ["TaskCompletion"],
        "Parameters": (
            '{"TaskCompletion":{"max_agent_turns":40,"writes":["send"],"rules":[{"name":"a"},{"name":"b"}]}}'
        ),
        "Channels": '{"voice":{"evaluators":["PII"],"thresholds":{"PII":1.0},"judged":["PII"]}}',
        "NoticeSeconds": 14 * 86400,
        "Source": "northwind.toml",
        "Text": "# as agreed",
        "RecordedAt": "2025-10-31T00:00:00.000Z",
        "State": "ended",
        "RecordedLateSeconds": 0,
        "Changes": [],
    }
    assert (second["State"], second["RecordedLateSeconds"]) == ("in force", 2 * 86400)
    assert second["Changes"] == [
        "approved + anthropic/claude-sonnet-4*",
        "approved - openai/gpt-4.1-mini",
        "alias - claims-prod -> gpt-4o",
        "alias: none",
        "verified share: 95 % -> none",
        "evaluator - TaskCompletion",
        "evaluator: the configured ones",
        "threshold of TaskCompletion: 0.8 -> 0.9",
        "judged + PII",
        "TaskCompletion.max_agent_turns: 40 -> 25",
        "TaskCompletion.rules: rule b gone",
        'TaskCompletion.writes: ["send"] -> its default',
        "channel sms: evaluator + PII",
        "channel voice: evaluator - PII",
        "channel voice: evaluator: as for all",
        "channel voice: threshold of PII: 1 -> 0.5",
        "channel voice: judged - PII",
        "channel voice: judged: as for all",
        "notice: 14 d -> 1.5 d",
    ]
    orjson.dumps([first, second])


def changed(store: Store, tenant: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    """What a version with other rules is told to have changed."""
    first, second = ({"CustomerAgentPromptConformance": {"rules": rules}} for rules in (before, after))
    later = replace(FIRST, version=2, parameters=second, text="# other rules")
    put(store, tenant, replace(FIRST, parameters=first), later)
    told: list[str] = contracts.rows(store.ask, tenant=tenant)[1]["Changes"]
    return told


def test_it_is_told_which_rule_changed_and_how(report_store: Store) -> None:
    kept = {"name": "kept", "forbid_call": "delete"}
    refund = {"name": "refund", "forbid_call": "refund", "when": {"args.amount": {"above": 100}}}
    softer = {"name": "refund", "require_call": "refund", "when": {"args.amount": {"above": 5000}}}
    names = "CustomerAgentPromptConformance.rules"
    assert changed(report_store, "rule-edited", [kept, refund], [kept, softer]) == [
        f'{names}: rule refund.forbid_call: "refund" -> not set',
        f'{names}: rule refund.require_call: not set -> "refund"',
        f'{names}: rule refund.when: {{"args.amount": {{"above": 100}}}} -> {{"args.amount": {{"above": 5000}}}}',
    ]
    assert changed(report_store, "rule-replaced", [kept], [softer]) == [
        f"{names}: rule refund added",
        f"{names}: rule kept gone",
    ]
    assert changed(report_store, "rule-moved", [kept, refund], [refund, kept]) == [
        f"{names}: the rules stand in another order"
    ]
    assert changed(report_store, "rule-unnamed", [{"why": "a"}], [{"why": "b"}]) == [f'{names}: rule 1.why: "a" -> "b"']


def test_of_a_long_value_the_part_is_told_that_differs(report_store: Store) -> None:
    before, after = ([{"name": "a", "why": f"{'x' * 5000}{word}{'y' * 5000}"}] for word in ("old", "new"))
    (told,) = changed(report_store, "rule-long", before, after)
    was, now = (f"...{'x' * 20}{word}{'y' * 54}..." for word in ("old", "new"))
    assert told == f"CustomerAgentPromptConformance.rules: rule a.why: {was} -> {now}"


def test_a_threshold_that_is_not_agreed_is_not_told_as_none(report_store: Store) -> None:
    put(report_store, "loosened", replace(FIRST, thresholds={}), replace(FIRST, version=2, thresholds={"PII": 0.5}))
    (_, loosened) = contracts.rows(report_store.ask, tenant="loosened")
    assert loosened["Changes"] == ["threshold of PII: not in the contract -> 0.5"]


def test_what_an_auditor_asks_tells_which_judge_answered_what(record: Record) -> None:
    page = (Path(__file__).parents[2] / "docs/contracts.md").read_text()
    (sql,) = re.findall(r"^## For an auditor$.*?```sql\n(.*?)```", page, re.MULTILINE | re.DOTALL)
    record.contract(TenantId="audited")
    record.conversation(TenantId="audited")
    record.score(TenantId="audited", Judge="gpt-4o", JudgeModel="gpt-4o-2024-08-06", JudgePrompt="0badf00d", Scoring=0)
    record.score(TenantId="audited", EvaluatorVersion="2", Scoring=0)
    found = [row for row in fetch(record.ask, sql) if row["TenantId"] == "audited"]
    names = ("EvaluatorVersion", "Judge", "JudgeModel", "JudgePrompt", "Scoring")
    assert [tuple(row[name] for name in names) for row in found] == [
        ("1", "gpt-4o", "gpt-4o-2024-08-06", "0badf00d", 0),
        ("2", "", "", "", 0),
    ]


def test_a_version_is_to_come_or_never_held(report_store: Store) -> None:
    never = replace(FIRST, valid_until=FIRST.valid_from)
    later = replace(SECOND, valid_from=dt.datetime(2199, 1, 1, tzinfo=dt.UTC))
    put(report_store, "states", never, later)
    assert [row["State"] for row in contracts.rows(report_store.ask, tenant="states")] == ["replaced", "to come"]


def test_the_changes_of_a_tenant_are_not_those_from_another_tenant(report_store: Store) -> None:
    put(report_store, "two-a", FIRST)
    put(report_store, "two-b", replace(SECOND, version=1))
    found = {row["TenantId"]: row["Changes"] for row in contracts.rows(report_store.ask)}
    assert found["two-a"] == found["two-b"] == []


def test_versions_are_told_with_what_was_agreed_first_and_what_changed(report_store: Store, printed: Printed) -> None:
    end = SECOND.valid_from + 10 * DAY
    third = replace(SECOND, version=3, valid_from=end, text="# the same", recorded_at=BEGIN)
    put(report_store, "told", FIRST, replace(SECOND, valid_until=end), third)
    assert printed(contracts.show(report_store.ask, tenant="told"), width=110) == (
        "told\n"
        "  version 1, ended: from 2025-11-01 00:00:00 until 2025-12-01 00:00:00 UTC\n"
        "    name      Schedule C\n"
        "    recorded  2025-10-31 00:00:00 UTC, from northwind.toml\n"
        "    agreed    approved + openai/gpt-4o\n"
        "              approved + openai/gpt-4.1-mini\n"
        "              alias + claims-prod -> gpt-4o\n"
        "              verified share: none -> 95 %\n"
        "              evaluator + TaskCompletion\n"
        "              threshold of TaskCompletion: not in the contract -> 0.8\n"
        "              judged + TaskCompletion\n"
        "              TaskCompletion.max_agent_turns: its default -> 40\n"
        "              TaskCompletion.rules: rule a added\n"
        "              TaskCompletion.rules: rule b added\n"
        '              TaskCompletion.writes: its default -> ["send"]\n'
        "              channel voice: evaluator + PII\n"
        "              channel voice: threshold of PII: as for all -> 1\n"
        "              channel voice: judged + PII\n"
        "              notice: none -> 14 d\n"
        "\n"
        "  version 2, ended: from 2025-12-01 00:00:00 until 2025-12-11 00:00:00 UTC\n"
        "    name      Schedule C\n"
        "    recorded  2025-12-03 00:00:00 UTC, 2 d late, from northwind.toml\n"
        "    changed   approved + anthropic/claude-sonnet-4*\n"
        "              approved - openai/gpt-4.1-mini\n"
        "              alias - claims-prod -> gpt-4o\n"
        "              alias: none\n"
        "              verified share: 95 % -> none\n"
        "              evaluator - TaskCompletion\n"
        "              evaluator: the configured ones\n"
        "              threshold of TaskCompletion: 0.8 -> 0.9\n"
        "              judged + PII\n"
        "              TaskCompletion.max_agent_turns: 40 -> 25\n"
        "              TaskCompletion.rules: rule b gone\n"
        '              TaskCompletion.writes: ["send"] -> its default\n'
        "              channel sms: evaluator + PII\n"
        "              channel voice: evaluator - PII\n"
        "              channel voice: evaluator: as for all\n"
        "              channel voice: threshold of PII: 1 -> 0.5\n"
        "              channel voice: judged - PII\n"
        "              channel voice: judged: as for all\n"
        "              notice: 14 d -> 1.5 d\n"
        "\n"
        "  version 3, in force: from 2025-12-11 00:00:00 UTC\n"
        "    name      Schedule C\n"
        "    recorded  2025-11-01 00:00:00 UTC, from northwind.toml\n"
        "    changed   nothing but text\n"
        "\n"
        "3 versions on record.\n"
        "'late': put on record after the time from which it holds. Scores that were given in between were held against"
        "\nthe terms before it: compare RecordedAt with their ScoredAt. Swaps are judged anew.\n"
    )


def test_where_nothing_was_agreed_it_says_so(report_store: Store, printed: Printed) -> None:
    assert printed(contracts.show(report_store.ask, tenant="nobody")) == (
        "No contract of tenant 'nobody' is on record.\n"
    )


def test_a_name_cannot_steer_the_terminal(report_store: Store, printed: Printed) -> None:
    put(report_store, "steer", replace(FIRST, name="\x1b[2Jgone", approved=("[red]x",)))
    told = printed(contracts.show(report_store.ask, tenant="steer"))
    assert "\\x1b[2Jgone" in told
    assert "approved + [red]x" in told
