"""How declarations are told on a console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.report.deployments import render, summary

if TYPE_CHECKING:
    from tests.report.conftest import Printed

ROW = {
    "id": "5c1f0a9be2",
    "tenant": "acme",
    "service": "",
    "agent": "claims_agent",
    "from_model": "gpt-4o",
    "to_model": "gpt-4o-mini",
    "from": "2026-12-01T06:00:00.000Z",
    "until": "2026-12-02T06:00:00.000Z",
    "by": "jane@vendor.example",
    "reason": "CHG-1204: cheaper",
    "declared_at": "2026-11-28T09:12:00.000Z",
    "source": "cli",
    "withdrawn": False,
    "status": "expected",
    "seen_at": None,
    "due": "2026-12-02T06:00:00.000Z",
    "withdrawn_at": None,
    "swaps": [],
}


def row(**other: Any) -> dict[str, Any]:
    return {**ROW, **other}


def test_a_declaration_says_what_where_when_and_who(printed: Printed) -> None:
    assert (
        printed(render([row()]), width=100)
        == """\
5c1f0a9be2  expected: not seen yet
  change    model gpt-4o -> gpt-4o-mini
  where     tenant acme, every service, agent claims_agent
  when      from 2026-12-01 06:00:00 until 2026-12-02 06:00:00 UTC
  declared  by jane@vendor.example (cli), 2026-11-28 09:12:00 UTC: CHG-1204: cheaper
  due       2026-12-02 06:00:00 UTC

1 declaration, none overdue.
"""
    )


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"status": "seen", "seen_at": "2026-12-01T07:00:00.000Z", "swaps": ["a1", "b2"]}, "covers    a1, b2"),
        ({"status": "seen", "seen_at": "2026-12-01T07:00:00.000Z"}, "seen      2026-12-01 07:00:00 UTC"),
        ({"status": "late", "seen_at": "2026-12-03T07:00:00.000Z"}, "late: came after it was due"),
        ({"status": "late", "seen_at": "2026-12-03T07:00:00.000Z"}, "due       2026-12-02 06:00:00 UTC"),
        ({"status": "absent"}, "5c1f0a9be2  absent: overdue: nobody has seen it"),
        ({"status": "absent"}, "1 declaration, 1 overdue."),
        ({"status": "withdrawn", "withdrawn_at": "2026-12-01T07:00:00.000Z"}, "withdrawn  2026-12-01 07:00:00 UTC"),
        ({"status": "withdrawn"}, "5c1f0a9be2  withdrawn: covers nothing any more"),
        ({"until": None, "service": "claims", "from_model": ""}, "from 2026-12-01 06:00:00 on UTC"),
        ({"service": "claims", "agent": ""}, "tenant acme, service claims, every agent"),
    ],
)
def test_what_came_of_it_is_said(printed: Printed, other: dict[str, Any], said: str) -> None:
    assert said in printed(render([row(**other)]), width=100)


@pytest.mark.parametrize(("kind", "said"), [("prompt", "prompt 7 -> 8"), ("agent_version", "agent version 7 -> 8")])
def test_a_prompt_or_an_agent_is_named_so(printed: Printed, kind: str, said: str) -> None:
    other = {name: value for name, value in ROW.items() if not name.endswith("_model")}
    assert said in printed(render([{**other, f"from_{kind}": "7", f"to_{kind}": "8"}]), width=100)


def test_the_newest_comes_first_and_none_is_said(printed: Printed) -> None:
    older = row(id="older", declared_at="2026-11-01T00:00:00.000Z")
    text = printed(render([older, row()]), width=100)
    assert text.index("5c1f0a9be2") < text.index("older")
    assert "declare one: `spanwitness deployment declare --help`" in printed(render([]), width=100)


def test_what_somebody_wrote_cannot_steer_the_terminal(printed: Printed) -> None:
    text = printed(render([row(reason="a\x1b[31mred\nb", by="[bold]x", agent="\x07")]), width=120)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "by [bold]x" in text


def covered(**other: Any) -> dict[str, Any]:
    swap = {"id": "eff84b74", "class": "version", "to": "openai/gpt-4o-mini", "first_seen": "2026-12-01T07:00:00.000Z"}
    return {"deployment": row(**other), "new": True, "covers": [swap]}


def test_a_new_one_is_told_in_two_lines() -> None:
    assert summary({**covered(), "covers": []}) == [
        (
            "5c1f0a9be2: declared by jane@vendor.example: model gpt-4o -> gpt-4o-mini in tenant acme, every service,"
            " agent claims_agent, from 2026-12-01 06:00:00 until 2026-12-02 06:00:00 UTC."
        ),
        "No swap on record is covered by it; one that comes in that time will be.",
    ]


def test_what_it_covers_already_and_that_it_is_known_are_told() -> None:
    first, second = summary({**covered(), "new": False})
    assert first.startswith("5c1f0a9be2: already on record since 2026-11-28 09:12:00 UTC, declared by jane@vendor")
    assert second == "Covers 1 swap on record: eff84b74 (version to openai/gpt-4o-mini since 2026-12-01 07:00:00)."
