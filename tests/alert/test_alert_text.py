"""What an alert says: all that is asked of it, in its first two lines, for every class."""

from __future__ import annotations

import datetime as dt
import json
import shlex
from typing import Any, get_args

import pytest

from spanwitness.alert import Alert
from spanwitness.alert.text import description, facts, next_steps, row_of, summary, told
from spanwitness.deployment import read_declaration
from spanwitness.model import Slot, Swap, SwapClass
from spanwitness.testing import EPOCH
from tests.alert.swaps import SEEN, A, B, a_swap

CLASSES = get_args(SwapClass)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def commands(row: dict[str, Any]) -> list[str]:
    return [step.command for step in next_steps(row) if step.command]


def test_the_first_line_answers_who_what_and_since_when() -> None:
    assert summary(a_swap()) == (
        f"Silent model swap: tenant=acme service=claims agent=triage role=llm: {A} -> {B} since 2026-11-20 11:00:00 UTC"
    )


def test_the_second_line_answers_how_much_declared_or_not_and_what_to_open() -> None:
    assert facts(a_swap()) == (
        "In 24 % of the slot's last conversations (a part: a canary or a router); 12 since, 340 before; not declared; "
        f"first conversation conv-7; first trace {TRACE}"
    )


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_has_words_of_its_own(name: str) -> None:
    row = a_swap(Class=name)
    others = [a_swap(Class=other) for other in CLASSES if other != name]
    assert summary(row) not in [summary(other) for other in others]
    meaning = description(row).splitlines()[1]
    assert meaning.endswith(".")
    assert meaning not in [description(other).splitlines()[1] for other in others]
    assert f"spanwitness swaps show {row['SwapId']}" in commands(row)
    assert "spanwitness conversation conv-7 --tenant acme" in commands(row)


def test_a_class_that_is_not_known_yet_is_told_all_the_same() -> None:
    row = a_swap(Class="quantised")
    assert summary(row).startswith("Quantised: tenant=acme")
    assert "Next:" in description(row)


@pytest.mark.parametrize(
    ("severity", "declared", "title", "word"),
    [
        ("page", False, "Silent model swap", "not declared"),
        ("info", True, "Declared model swap", "declared by ann (deployment d-1)"),
        ("warning", True, "Belatedly declared model swap", "declared by ann, only afterwards (deployment d-1)"),
    ],
)
def test_declared_or_not(severity: str, declared: bool, title: str, word: str) -> None:
    known = {"DeclaredBy": "ann", "DeploymentId": "d-1"} if declared else {}
    row = a_swap(Severity=severity, Declared=declared, **known)
    assert summary(row).startswith(f"{title}: ")
    assert f"; {word}; " in facts(row)
    assert any("deployment declare" in command for command in commands(row)) is not declared


def test_a_return_from_a_silent_swap_is_none_itself() -> None:
    row = a_swap(Severity="info", FromVersion=B, ToVersion=A)
    assert summary(row).startswith("Return from a model swap: tenant=acme")
    assert "; takes back a change that nobody had declared; " in facts(row)
    assert not any("declare" in command for command in commands(row))


@pytest.mark.parametrize("name", ["unapproved", "unverified", "fingerprint"])
def test_what_nobody_can_declare_is_not_called_undeclared(name: str) -> None:
    row = a_swap(Class=name)
    assert "declare" not in description(row)
    assert not summary(row).startswith("Silent")


def test_a_mismatch_says_what_was_asked_for() -> None:
    assert f"asked for {A}, answered by {B} since" in summary(a_swap(Class="mismatch"))


@pytest.mark.parametrize("before", ["", B])
def test_a_change_without_another_name_before_it_says_one_name(before: str) -> None:
    assert f"role=llm: {B} since" in summary(a_swap(Class="disguised", FromVersion=before))


def test_an_absence_has_no_traffic_and_asks_who_declared_it() -> None:
    row = a_swap(
        Class="absent",
        Severity="warning",
        Declared=True,
        DeclaredBy="ann",
        DeploymentId="d-1",
        FirstTraceId="",
        FirstConversationId="",
    )
    assert facts(row) == "declared by ann (deployment d-1)"
    assert [step.why for step in next_steps(row)][-2:] == [
        "ask ann whether it is still to come",
        "if it is not, withdraw it",
    ]
    assert commands(row)[-1] == "spanwitness deployment withdraw d-1 --tenant acme"
    assert not any("conversation" in command for command in commands(row))


def test_a_second_time_is_told_as_that() -> None:
    assert summary(a_swap(Occurrence=2)).startswith("Silent model swap (occurrence 2): ")


def test_nobody_takes_the_judge_for_an_agent_of_theirs() -> None:
    told = summary(a_swap(ServiceName="spanwitness", AgentName="judge", StepKind="judge"))
    assert told.startswith("Silent model swap of the judge that scores: tenant=acme service=spanwitness agent=judge ")
    assert summary(a_swap(ServiceName="spanwitness", AgentName="judge")).startswith("Silent model swap: ")


@pytest.mark.parametrize(
    ("traffic", "word"),
    [
        ("all", "it took over: nearly all since it came"),
        ("fallback", "a fallback: most of its calls come after a failed one"),
        ("none", "the slot has returned"),
    ],
)
def test_how_it_shares_the_traffic(traffic: str, word: str) -> None:
    assert f"In 100 % of the slot's last conversations ({word}); " in facts(a_swap(Traffic=traffic, ShareNow=1.0))


@pytest.mark.parametrize(
    ("name", "before", "after", "kind"),
    [
        ("version", A, B, "model"),
        ("mismatch", A, B, "model"),
        ("disguised", B, B, "model"),
        ("prompt", "v1", "v2", "prompt"),
        ("agent", "1.0", "1.1", "agent"),
    ],
)
def test_the_declaration_that_is_filled_in_is_one_that_is_accepted(
    name: str, before: str, after: str, kind: str
) -> None:
    row = a_swap(Class=name, FromVersion=before, ToVersion=after, TenantId="acme & sons", AgentName="")
    (command,) = [one for one in commands(row) if "deployment declare" in one]
    words = shlex.split(command)
    assert words[:3] == ["spanwitness", "deployment", "declare"]
    options = {option[2:].replace("-", "_"): value for option, value in zip(words[3::2], words[4::2], strict=True)}
    found = read_declaration(options, EPOCH, "cli").deployment
    assert (found.tenant, found.service, found.agent, found.kind) == ("acme & sons", "claims", "", kind)
    assert (found.from_version, found.to_version, found.valid_from) == (before, after, SEEN)


def test_scores_that_moved_are_told_and_those_that_may_not_have_are_not() -> None:
    moved = {
        "before": 0.9,
        "after": 0.6,
        "difference": -0.3,
        "low": -0.4,
        "high": -0.2,
        "n_before": 1340,
        "n_after": 12,
    }
    unsure = {**moved, "low": -0.4, "high": 0.1}
    unknown = {**moved, "low": None, "high": None}
    text = description(a_swap(ScoreShift=json.dumps({"Moved": moved, "Unsure": unsure, "Unknown": unknown})))
    assert "Moved: 0.90 before (1,340), 0.60 after (12), -0.30 (95 %: -0.40 to -0.20)" in text.splitlines()
    assert "Unsure" not in text
    assert "Unknown" not in text


def test_names_from_spans_neither_break_the_line_nor_run_on() -> None:
    row = a_swap(ServiceName="a\nb\x1b[31m", AgentName="x" * 1000, FirstConversationId="$(reboot)")
    assert len(summary(row).splitlines()) == 1
    assert "service=a?b?[31m" in summary(row)
    assert len(summary(row)) < 600
    assert "spanwitness conversation '$(reboot)' --tenant acme" in commands(row)


@pytest.mark.parametrize("odd", ["a\nb", "a\x00b", "x" * 300])
def test_no_command_speaks_of_another_than_it_is_about(odd: str) -> None:
    row = a_swap(TenantId=odd)
    assert commands(row) == [f"spanwitness swaps show {row['SwapId']}"]
    assert "- if it was meant to be, say so" in description(row).splitlines()


def test_a_conversation_that_looks_like_an_option_is_none() -> None:
    assert "spanwitness conversation --tenant acme -- -7Qx" in commands(a_swap(FirstConversationId="-7Qx"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"EndedAt": EPOCH}, "the slot had returned at 2026-11-20 12:00:00 UTC"),
        ({"Withdrawn": 1}, "what came later shows that it was none"),
        ({"Severity": "info"}, "it is info by now, which is not sent"),
    ],
)
def test_one_that_is_resolved_says_why_first(changes: dict[str, Any], why: str) -> None:
    row = a_swap(**changes)
    text = told(Alert(row, "resolved", "page", "page", "d"))
    assert text == f"Resolved, {why}: {summary(row)}\n{facts(row)}"


def test_one_that_stands_is_told_with_all_that_is_to_be_done() -> None:
    text = told(Alert(a_swap(), "firing", "page", "", "d"))
    assert text.splitlines()[:2] == [summary(a_swap()), facts(a_swap())]
    assert f"- see the evidence, and the scores before and after: spanwitness swaps show {a_swap()['SwapId']}" in text


def test_a_swap_that_was_just_found_is_told_in_the_same_words() -> None:
    swap = Swap(
        slot=Slot("acme", "claims", "triage", "llm"),
        swap_class="version",
        from_version=A,
        to_version=B,
        occurrence=1,
        first_seen=SEEN,
        first_seen_ns=int(SEEN.timestamp()) * 10**9,
        first_trace=TRACE,
        first_conversation="conv-7",
        before=340,
        after=12,
        severity="page",
        evidence={},
        share_now=0.24,
        traffic="part",
    )
    assert summary(row_of(swap)) == summary(a_swap())
    assert facts(row_of(swap)) == facts(a_swap())
    assert row_of(swap)["SwapId"] == a_swap()["SwapId"]
    assert dt.timedelta() < EPOCH - row_of(swap)["FirstSeenAt"]
