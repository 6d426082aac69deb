"""What a declaration says, which changes it covers, and when what it announced is overdue."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from spanwitness.deployment import (
    FIELDS,
    GRACE,
    NotAllowed,
    Sighting,
    absences,
    covering,
    digest_of,
    due,
    first_seen,
    kind_of,
    names,
    read_declaration,
    told,
)
from spanwitness.model import ChangeKind, Deployment, Slot, SwapClass

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
WEEK = dt.timedelta(days=7)
SLOT = Slot("acme", "claims", "claims_agent", "llm")
BEFORE, AFTER = "openai/gpt-4o-2024-08-06", "openai/gpt-4o-mini-2024-07-18"
FIELD = {"tenant": "acme", "to_model": "gpt-4o-mini", "by": "jane", "reason": "CHG-1"}


def declared(**other: Any) -> Deployment:
    known: dict[str, Any] = {
        "tenant": "acme",
        "deployment_id": "d-1",
        "to_version": "gpt-4o-mini",
        "valid_from": NOW,
        "declared_at": NOW - HOUR,
        "declared_by": "jane",
        "reason": "CHG-1",
    }
    return Deployment(**{**known, **other})


def covers(
    one: Deployment,
    *,
    slot: Slot = SLOT,
    kind: ChangeKind = "model",
    before: str = BEFORE,
    after: str = AFTER,
    at: dt.datetime = NOW,
) -> bool:
    return covering([one], slot, kind, before, after, at) is one


class TestCovering:
    def test_a_change_to_the_declared_model_in_its_time_is_covered(self) -> None:
        assert covers(declared())

    @pytest.mark.parametrize(
        "other",
        [
            {"tenant": "globex"},
            {"service": "billing"},
            {"agent": "other_agent"},
            {"kind": "prompt"},
            {"to_version": "gpt-4o"},
            {"from_version": "gpt-4.1"},
            {"withdrawn": True},
        ],
    )
    def test_what_differs_in_anything_covers_nothing(self, other: dict[str, Any]) -> None:
        assert not covers(declared(**other))

    def test_service_agent_and_former_model_may_be_named(self) -> None:
        assert covers(declared(service="claims", agent="claims_agent", from_version="gpt-4o"))

    def test_a_former_model_that_is_named_does_not_cover_a_change_from_nothing(self) -> None:
        assert not covers(declared(from_version="gpt-4o"), before="")
        assert covers(declared(), before="")

    @pytest.mark.parametrize(
        ("at", "covered"),
        [
            (NOW - GRACE - dt.timedelta(microseconds=1), False),
            (NOW - GRACE, True),
            (NOW, True),
            (NOW + HOUR - dt.timedelta(microseconds=1), True),
            (NOW + HOUR, False),
        ],
    )
    def test_it_is_so_from_a_minute_before_its_beginning_until_its_end(self, at: dt.datetime, covered: bool) -> None:
        assert covers(declared(valid_until=NOW + HOUR), at=at) is covered

    def test_without_an_end_it_is_so_for_ever(self) -> None:
        assert covers(declared(), at=NOW + 400 * WEEK)

    def test_when_it_was_declared_decides_nothing_here(self) -> None:
        assert covers(declared(declared_at=NOW + WEEK))

    def test_of_several_the_one_that_was_declared_first_is_told(self) -> None:
        late, early = declared(deployment_id="a", declared_at=NOW), declared(deployment_id="b", declared_at=NOW - HOUR)
        same = replace(early, deployment_id="c")
        found = covering([late, same, early], SLOT, "model", BEFORE, AFTER, NOW)
        assert found is early

    def test_prompts_and_agents_are_named_by_the_same_text(self) -> None:
        prompt = declared(kind="prompt", to_version="p-8")
        assert covers(prompt, kind="prompt", before="p-7", after="p-8")
        assert not covers(prompt, kind="prompt", before="p-7", after="p-80")
        assert not covers(prompt, kind="agent", before="p-7", after="p-8")


@pytest.mark.parametrize(
    ("name", "version", "is_named"),
    [
        ("gpt-4o-mini", "openai/gpt-4o-mini-2024-07-18", True),
        ("gpt-4o-mini", "openai/gpt-4o-mini", True),
        ("GPT-4o-mini", "openai/gpt-4o-mini-2024-07-18", True),
        ("gpt-4o", "openai/gpt-4o-mini-2024-07-18", False),
        ("gpt-4o-mini", "azure.ai.openai/gpt-4o-mini-2024-07-18", True),
        ("openai/gpt-4o-mini", "openai/gpt-4o-mini-2024-07-18", True),
        ("openai/gpt-4o-mini", "azure.ai.openai/gpt-4o-mini-2024-07-18", False),
        ("azure/gpt-4o-mini", "azure.ai.openai/gpt-4o-mini-2024-07-18", True),
        ("gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini-2024-07-18", True),
        ("gpt-4o-2024-08-06", "openai/gpt-4o-2024-11-20", False),
        ("gpt-4o-2024-08-06", "openai/gpt-4o", False),
        ("openai/gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini-2024-07-18", True),
        ("claude-3-5-sonnet", "aws.bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0", True),
        ("claude-3-5-sonnet-20240620", "aws.bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0", False),
        ("meta-llama/Llama-3.3-70B-Instruct", "groq/meta-llama/Llama-3.3-70B-Instruct", True),
        ("groq/llama-3.3-70b-instruct", "groq/meta-llama/Llama-3.3-70B-Instruct", True),
        ("deepinfra/llama-3.3-70b-instruct", "groq/meta-llama/Llama-3.3-70B-Instruct", False),
        ("gw.internal/ours-7", "gw.internal/ours-7", True),
        ("ours-7", "gw.internal/ours-7", True),
        ("ours-7", "gw.internal/ours-70", False),
        ("claims-prod", "azure.ai.openai/claims-prod", True),
        ("gpt-4o", "", False),
    ],
)
def test_which_versions_a_declared_model_names(name: str, version: str, is_named: bool) -> None:
    assert names("model", name, version) is is_named


@pytest.mark.parametrize(
    ("swap_class", "kind"),
    [
        ("version", "model"),
        ("mismatch", "model"),
        ("disguised", "model"),
        ("prompt", "prompt"),
        ("agent", "agent"),
        ("unapproved", None),
        ("unverified", None),
        ("fingerprint", None),
        ("absent", None),
    ],
)
def test_what_a_declaration_can_excuse(swap_class: SwapClass, kind: ChangeKind | None) -> None:
    assert kind_of(swap_class) == kind


class TestReading:
    def test_little_is_needed(self) -> None:
        found = read_declaration(FIELD, NOW, "cli")
        assert found.deployment == declared(deployment_id="", declared_at=NOW)
        assert not found.named
        assert not found.dated

    def test_everything_can_be_said(self) -> None:
        fields = {
            **FIELD,
            "from_model": "gpt-4o",
            "agent": "claims_agent",
            "service": "claims",
            "from": "2026-11-21T10:00:00+01:00",
            "until": "2026-11-22T09:00:00.123456Z",
            "id": "CHG-1",
        }
        found = read_declaration(fields, NOW, "http")
        assert found.deployment == declared(
            deployment_id="CHG-1",
            from_version="gpt-4o",
            agent="claims_agent",
            service="claims",
            valid_from=dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC),
            valid_until=dt.datetime(2026, 11, 22, 9, 0, 0, 123000, tzinfo=dt.UTC),
            declared_at=NOW,
            source="http",
        )
        assert found.named
        assert found.dated

    @pytest.mark.parametrize("field", ["to_prompt", "to_agent_version"])
    def test_a_prompt_or_an_agent_may_change_instead(self, field: str) -> None:
        fields = {**FIELD, "to_model": None, field: "8", field.replace("to_", "from_"): "7"}
        found = read_declaration(fields, NOW, "cli").deployment
        assert (found.kind, found.to_version, found.from_version) == (kind_of_field(field), "8", "7")

    @pytest.mark.parametrize(
        ("other", "field", "why"),
        [
            ({"tenant": ""}, "tenant", "is missing"),
            ({"by": None}, "by", "is missing"),
            ({"reason": ""}, "reason", "is missing"),
            ({"reason": "  "}, "reason", "= '  ': allowed is a text of 1 to 2000 characters"),
            ({"to_model": ""}, "to_model", "is missing: allowed is one of to_model, to_prompt, to_agent_version"),
            ({"to_prompt": "p"}, "to_model", "= 'gpt-4o-mini' beside to_prompt: allowed is one of"),
            ({"from_prompt": "p"}, "from_prompt", "= 'p': allowed beside it is to_prompt"),
            ({"from": "yesterday"}, "from", "= 'yesterday': allowed is ISO 8601"),
            ({"from": "2026-11-21T09:00:00"}, "from", "allowed is ISO 8601 with its offset from UTC"),
            ({"from": "1999-11-21T09:00:00Z"}, "from", "between 2000 and 2200"),
            ({"until": "9999-12-31T23:59:59-12:00"}, "until", "between 2000 and 2200"),
            ({"until": "2026-11-20T12:00:00Z"}, "until", "allowed is a time after 2026-11-20T12:00:00.000Z"),
            ({"service": 5}, "service", "= 5: allowed is a text of 1 to 256 characters"),
            ({"agent": ["a"]}, "agent", r"= \['a'\]: allowed is a text"),
            ({"agent": "a\0b"}, "agent", "allowed is a text"),
            ({"agent": "\ud800"}, "agent", "allowed is a text"),
            ({"id": "x" * 129}, "id", "allowed is a text of 1 to 128 characters"),
            ({"to_model": "*"}, "to_model", r"= '\*': allowed is the name of one model, not a pattern"),
            ({"from_model": "openai/gpt-4*"}, "from_model", "not a pattern"),
            ({"model": "gpt"}, "model", "is unknown: allowed are tenant, to_model"),
        ],
    )
    def test_what_is_not_allowed_is_told_by_its_name(self, other: dict[str, Any], field: str, why: str) -> None:
        with pytest.raises(NotAllowed, match=why) as refused:
            read_declaration({**FIELD, **other}, NOW, "http")
        assert refused.value.field == field
        assert str(refused.value).startswith(field)

    def test_a_value_that_is_refused_is_not_repeated_at_any_length(self) -> None:
        with pytest.raises(NotAllowed) as refused:
            read_declaration({**FIELD, "agent": "x" * 100_000}, NOW, "http")
        assert len(str(refused.value)) < 200


def kind_of_field(field: str) -> str:
    return {"to_prompt": "prompt", "to_agent_version": "agent"}[field]


class TestIdentity:
    def test_the_same_content_has_the_same_id_whoever_brings_it_and_when(self) -> None:
        fields = {**FIELD, "from": "2026-11-21T09:00:00Z"}
        ids = {
            digest_of(read_declaration(fields, NOW, "cli")),
            digest_of(read_declaration({**fields, "from": "2026-11-21T10:00:00+01:00"}, NOW + WEEK, "http")),
        }
        assert len(ids) == 1

    def test_from_now_on_is_the_same_said_twice(self) -> None:
        first, again = (
            read_declaration(FIELD, NOW, "cli"),
            read_declaration({**FIELD, "from": "now"}, NOW + HOUR, "cli"),
        )
        assert digest_of(first) == digest_of(again)
        assert again.repeats(first.deployment)

    @pytest.mark.parametrize(
        "other",
        [
            {"tenant": "globex"},
            {"to_model": "gpt-4o"},
            {"agent": "a"},
            {"service": "s"},
            {"from_model": "gpt-4o"},
            {"from": "2026-11-21T09:00:00Z"},
            {"until": "2026-11-21T09:00:00Z"},
            {"by": "joe"},
            {"reason": "CHG-2"},
        ],
    )
    def test_other_content_has_another(self, other: dict[str, str]) -> None:
        first, second = read_declaration(FIELD, NOW, "cli"), read_declaration({**FIELD, **other}, NOW, "cli")
        assert digest_of(first) != digest_of(second)
        assert not second.repeats(first.deployment)

    def test_after_a_withdrawal_the_same_content_gets_another_one(self) -> None:
        found = read_declaration(FIELD, NOW, "cli")
        assert len({digest_of(found, number) for number in (1, 2, 3)}) == 3


def test_it_is_told_by_the_names_by_which_it_was_declared() -> None:
    fields = {**FIELD, "from": "2026-11-21T09:00:00Z", "until": "2026-11-22T09:00:00Z", "from_model": "gpt-4o"}
    said = told(read_declaration(fields, NOW, "cli").deployment)
    assert said == {
        "id": "",
        "tenant": "acme",
        "service": "",
        "agent": "",
        "from_model": "gpt-4o",
        "to_model": "gpt-4o-mini",
        "from": "2026-11-21T09:00:00.000Z",
        "until": "2026-11-22T09:00:00.000Z",
        "by": "jane",
        "reason": "CHG-1",
        "declared_at": "2026-11-20T12:00:00.000Z",
        "source": "cli",
        "withdrawn": False,
    }
    again = read_declaration({name: value for name, value in said.items() if name in FIELDS}, NOW, "cli")
    assert told(again.deployment) == said


class TestAbsence:
    ENDING = declared(valid_until=NOW + HOUR)

    def sighting(self, at: dt.datetime, **other: Any) -> Sighting:
        known: dict[str, Any] = {
            "kind": "model",
            "service": "claims",
            "agent": "claims_agent",
            "version": AFTER,
            "at": at,
        }
        return Sighting(**{**known, **other})

    def test_it_is_due_by_its_end_or_so_long_after_it_was_to_begin_or_was_declared(self) -> None:
        assert due(self.ENDING, WEEK) == NOW + HOUR
        assert due(declared(), WEEK) == NOW + WEEK
        assert due(declared(declared_at=NOW + HOUR), WEEK) == NOW + HOUR + WEEK

    def test_before_that_nothing_is_absent(self) -> None:
        assert absences([self.ENDING], [], NOW + HOUR - dt.timedelta(seconds=1), WEEK) == []

    def test_then_what_nobody_saw_is_absent(self) -> None:
        (found,) = absences([self.ENDING], [], NOW + HOUR, WEEK)
        assert (found.deployment, found.due, found.seen) == (self.ENDING, NOW + HOUR, None)

    @pytest.mark.parametrize("at", [NOW - GRACE, NOW, NOW + HOUR - dt.timedelta(seconds=1)])
    def test_what_was_seen_in_its_time_is_not(self, at: dt.datetime) -> None:
        assert absences([self.ENDING], [self.sighting(at)], NOW + WEEK, WEEK) == []

    def test_what_came_late_is_and_when_it_came_is_told(self) -> None:
        late = NOW + 2 * HOUR
        (found,) = absences([self.ENDING], [self.sighting(late + HOUR), self.sighting(late)], NOW + WEEK, WEEK)
        assert found.seen == late

    @pytest.mark.parametrize(
        "other",
        [{"version": BEFORE}, {"kind": "agent"}, {"at": NOW - HOUR}, {"service": "billing"}, {"agent": "other_agent"}],
    )
    def test_what_was_seen_elsewhere_or_earlier_does_not_count(self, other: dict[str, Any]) -> None:
        one = declared(service="claims", agent="claims_agent")
        assert first_seen(one, [self.sighting(**{"at": NOW, **other})]) is None

    @pytest.mark.parametrize("version", ["openai/gpt-4o-mini?", "azure.ai.openai/claims-prod?"])
    def test_what_may_have_been_it_counts_as_seen(self, version: str) -> None:
        assert first_seen(declared(), [self.sighting(NOW, version=version)]) == NOW

    def test_what_was_withdrawn_is_missed_by_nobody(self) -> None:
        assert absences([replace(self.ENDING, withdrawn=True)], [], NOW + WEEK, WEEK) == []
