"""One closed conversation, step by step; and what is said of one that is not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from spanwitness.errors import SpanWitnessError
from spanwitness.report import conversation
from spanwitness.report.sql import fetch

if TYPE_CHECKING:
    from tests.report.conftest import Printed, Record

FULL = "gpt-4o-2024-08-06"
MINI = "gpt-4o-mini-2024-07-18"


def served(model: str, **columns: Any) -> dict[str, Any]:
    return {"ServedModel": model, "ModelVersion": f"openai/{model}", **columns}


def tool(name: str, **columns: Any) -> dict[str, Any]:
    return {"StepKind": "tool", "ToolName": name, **no_model(), **columns}


def no_model() -> dict[str, Any]:
    texts = dict.fromkeys(("Provider", "RequestedModel", "ServedModel", "ServedModelSource", "ModelVersion"), "")
    return {**texts, "InputTokens": 0, "OutputTokens": 0}


def fill(record: Record, tenant: str) -> None:
    """A conversation of two revisions, whose model is changed on its third step."""
    record.conversation(TenantId=tenant, Steps=1, Outcome="open")
    record.step(TenantId=tenant, ServedModel="of an earlier revision")
    record.score(TenantId=tenant, Score=0.0, Explanation="of an earlier revision")
    versions = [f"openai/{FULL}", f"openai/{MINI}"]
    record.conversation(
        TenantId=tenant, Revision=2, ClosedAt=record.at(60), CloseReason="import", ModelVersions=versions
    )
    steps = [served(FULL), tool("get_claim_status", Status="Error"), served(MINI, Turn=2)]
    for number, step in enumerate(steps, 1):
        record.step(TenantId=tenant, Revision=2, Step=number, **step)
    record.score(TenantId=tenant, Revision=2)
    record.swap(TenantId=tenant, FirstConversationId="c-1")


def unknown(record: Record, identity: str, tenant: str | None = None) -> str:
    with pytest.raises(SpanWitnessError) as raised:
        conversation.rows(record.ask, identity, tenant=tenant)
    return str(raised.value)


def test_the_report_at_a_glance(record: Record, printed: Printed) -> None:
    fill(record, "glance")
    (row,) = conversation.rows(record.ask, "c-1", tenant="glance")
    assert printed(conversation.show(record.ask, "c-1", tenant="glance")) == (
        f"""\
conversation c-1
  tenant             glance
  revision           2
  id taken from      session.id
  began              2026-11-20 22:24:37.901 UTC, ended 2026-11-20 22:26:37.901 UTC
  closed             2026-11-20 23:24:37.901 UTC: import (the recorded input ended)
  channel            voice, en
  length             2 turns, 3 steps, 1 tool call (0 failed), no escalations
  tokens             1,264 in, 18 out
  outcome            resolved
  services           claims
  agents             claims_agent
  model versions     openai/gpt-4o-2024-08-06
                     openai/gpt-4o-mini-2024-07-18
  swaps begun here   {row["Swaps"][0]["Id"]} version from openai/gpt-4o-2024-08-06 to openai/gpt-4o-mini-2024-07-18
  earlier revisions  1: closed 2026-11-20 22:41:37.901 UTC, idle, 1 step, open

step  turn  kind  agent         tool, or model asked for             status     ms  tokens
                                -> model that answered                              in/out
──────────────────────────────────────────────────────────────────────────────────────────
   1     1  llm   claims_agent  gpt-4o                               Ok      1,234  264/18
                                -> gpt-4o-2024-08-06
   2     1  tool  claims_agent  get_claim_status                     Error   1,234
   3     2  llm   claims_agent  gpt-4o                               Ok      1,234  264/18
                                -> gpt-4o-mini-2024-07-18
                                !! before: openai/gpt-4o-2024-08-06

!! The model that answered is not the one that answered this agent's call before.

score  verdict      evaluator         label, mode
                                      explanation
──────────────────────────────────────────────────────────────────
  0.5  not passed   TaskCompletion 1  partial, evidence
       threshold 1                    One of two refunds was made.
"""
    )


def test_the_rows_hold_what_belongs_to_the_newest_revision(record: Record) -> None:
    fill(record, "rows")
    (row,) = conversation.rows(record.ask, "c-1", tenant="rows")
    assert (row["Revision"], row["Outcome"], row["ClosedAt"]) == (2, "resolved", "2026-11-20T23:24:37.901Z")
    assert [(earlier["Revision"], earlier["Outcome"]) for earlier in row["Revisions"]] == [(1, "open")]
    assert [step["ServedModel"] for step in row["Trajectory"]] == [FULL, "", MINI]
    assert [step["ChangedFrom"] for step in row["Trajectory"]] == ["", "", f"openai/{FULL}"]
    assert [score["Explanation"] for score in row["Scores"]] == ["One of two refunds was made."]
    assert [swap["ToVersion"] for swap in row["Swaps"]] == [f"openai/{MINI}"]
    assert orjson.loads(orjson.dumps(row)) == row


def changes(*steps: dict[str, Any]) -> list[str]:
    usual = {"ServiceName": "claims", "AgentName": "claims_agent", "StepKind": "llm", "Actor": "ai"}
    return [step["ChangedFrom"] for step in conversation.with_changes([{**usual, **step} for step in steps])]


def test_every_change_is_marked_and_the_way_back_too() -> None:
    assert changes(served(FULL), served(FULL), served(MINI), served(FULL)) == [
        "",
        "",
        f"openai/{FULL}",
        f"openai/{MINI}",
    ]


def test_agents_and_kinds_of_call_that_take_turns_are_no_change() -> None:
    triage = {"AgentName": "triage"}
    assert changes(served(MINI, **triage), served(FULL), served(MINI, **triage), served(FULL)) == [""] * 4
    hears, speaks = {"StepKind": "speech", "Actor": "human"}, {"StepKind": "speech", "Actor": "ai"}
    turn = [served("nova-3", **hears), served(FULL), served("sonic-2", **speaks)]
    assert changes(*turn, *turn) == [""] * 6


def test_a_model_that_nobody_told_neither_makes_a_change_nor_hides_one() -> None:
    untold = {"ServedModel": "", "ModelVersion": "openai/gpt-4o?"}
    assert changes(served(FULL), untold, served(FULL)) == [""] * 3
    assert changes(served(FULL), untold, served(MINI)) == ["", "", f"openai/{FULL}"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"RequestedModel": FULL}, f"claims_agent  {FULL}  "),
        ({"ServedModel": "", "ModelVersion": "openai/gpt-4o?"}, "claims_agent  gpt-4o -> not told  "),
        ({"RequestedModel": ""}, "claims_agent  (nothing)  "),
        ({"StepKind": "guardrail", **no_model()}, "guardrail  claims_agent  "),
    ],
)
def test_a_step_tells_what_was_asked_for_and_what_answered(
    record: Record, printed: Printed, columns: dict[str, Any], words: str
) -> None:
    tenant = f"step {words}"
    record.conversation(TenantId=tenant)
    record.step(TenantId=tenant, **columns)
    assert words in printed(conversation.show(record.ask, "c-1", tenant=tenant))


def test_long_names_of_agents_give_way_to_models(record: Record, printed: Printed) -> None:
    model = "anthropic.claude-3-5-sonnet-20241022-v2:0"
    record.conversation(TenantId="wide")
    record.step(TenantId="wide", AgentName="the_agent_that_answers_claims", **served(model))
    for width in (100, 120):
        assert f"-> {model}\n" in printed(conversation.show(record.ask, "c-1", tenant="wide"), width)
    text = printed(conversation.show(record.ask, "c-1", tenant="wide"))
    assert "…" in text
    assert "the_agent_that_answers_claims" in printed(conversation.show(record.ask, "c-1", tenant="wide"), 140)


def test_explanations_are_told_in_full(record: Record, printed: Printed) -> None:
    words = [f"word{number}" for number in range(60)]
    record.conversation(TenantId="full")
    record.score(TenantId="full", Explanation=" ".join(words))
    text = printed(conversation.show(record.ask, "c-1", tenant="full"))
    assert [word for word in text.split() if word.startswith("word")] == words


def test_an_id_that_is_a_traces_is_not_mistaken_for_a_conversations(record: Record, printed: Printed) -> None:
    record.conversation(TenantId="traced", ConversationIdSource="trace", CloseReason="a reason of its own")
    text = printed(conversation.show(record.ask, "c-1", tenant="traced"))
    assert "the trace's id: no span named a conversation" in text
    assert "UTC: a reason of its own\n" in text


def test_a_conversation_whose_spans_moved_away_says_where_to(record: Record, printed: Printed) -> None:
    record.conversation(TenantId="moved")
    nothing = {
        "Steps": 0,
        "Turns": 0,
        "ToolCalls": 0,
        "ServiceNames": [],
        "AgentNames": [],
        "ModelVersions": [],
        "TraceIds": [],
    }
    moved = {"CloseReason": "moved", "Outcome": "moved to c-2", "Channel": "", "Language": ""}
    record.conversation(TenantId="moved", Revision=2, **nothing, **moved)
    text = printed(conversation.show(record.ask, "c-1", tenant="moved"))
    assert "outcome            moved to c-2\n" in text
    assert "no turns, no steps, no tool calls, no escalations\n" in text
    assert "began" not in text
    assert "1: closed" in text


def test_an_id_cannot_steer_the_terminal(record: Record, printed: Printed) -> None:
    record.conversation(TenantId="hostile", ConversationId="\x1b[31m[red]", AgentNames=["\u202egnp"])
    text = printed(conversation.show(record.ask, "\x1b[31m[red]"))
    assert "conversation \\x1b[31m[red]\n" in text
    assert "\\u202egnp" in text


def test_an_id_of_two_tenants_needs_a_tenant(record: Record) -> None:
    for tenant in ("twin b", "twin a"):
        record.conversation(TenantId=tenant, ConversationId="twin")
    assert unknown(record, "twin") == (
        "conversation 'twin' exists in tenants 'twin a', 'twin b': choose one by --tenant"
    )
    assert conversation.rows(record.ask, "twin", tenant="twin a")[0]["TenantId"] == "twin a"


def test_an_id_that_is_nowhere(record: Record) -> None:
    assert unknown(record, "it's") == """no closed conversation "it's"; no span of it is stored"""
    assert unknown(record, "c-1", "nobody") == (
        "no closed conversation 'c-1' of tenant 'nobody'; no span of it is stored"
    )


def test_a_conversation_that_is_open_says_how_to_close_it(record: Record) -> None:
    record.span(ConversationId="open one", SpanId="1" * 16)
    record.span(ConversationId="open one", SpanId="2" * 16, StepKind="")
    assert unknown(record, "open one") == (
        "no closed conversation 'open one'; it is still open (spans stored: 2); to close it now:"
        " spanwitness close 'open one'"
    )


def test_a_trace_that_names_no_conversation_is_open_under_its_own_id(record: Record) -> None:
    record.span(TraceId="c" * 32)
    assert "it is still open (spans stored: 1)" in unknown(record, "c" * 32)


def test_spans_without_a_step_never_close(record: Record) -> None:
    record.span(ConversationId="wrappers", StepKind="")
    assert "none of its spans is a step (a call of a model, a tool, ...)" in unknown(record, "wrappers")


def test_a_trace_id_leads_to_its_conversation(record: Record) -> None:
    record.span(TraceId="d" * 32, ConversationId="c-9", Version=1)
    assert unknown(record, "d" * 32) == (
        f"no closed conversation '{'d' * 32}'; it is a trace of conversation 'c-9': spanwitness conversation c-9"
    )


def test_what_was_said_before_of_the_same_revision_is_history(record: Record, printed: Printed) -> None:
    record.conversation(TenantId="history")
    record.step(TenantId="history")
    record.score(TenantId="history")
    record.score(TenantId="history", Scoring=1, EvaluatorVersion="2", Score=1.0, Passed=True, ScoredAt=record.at(60))
    record.score(TenantId="history", Judge="gpt-4o", JudgeModel=FULL, Score=None, Passed=None, Status="failed")
    (row,) = conversation.rows(record.ask, "c-1", tenant="history")
    assert [(score["EvaluatorVersion"], score["Judge"], score["Scoring"]) for score in row["Scores"]] == [
        ("2", "", 1),
        ("1", "gpt-4o", 0),
    ]
    assert [(score["EvaluatorVersion"], score["Score"]) for score in row["EarlierScores"]] == [("1", 0.5)]
    shown = printed(conversation.show(record.ask, "c-1", tenant="history"))
    earlier = "TaskCompletion 1: 0.5, not passed, threshold 1, partial, evidence, 2026-"
    assert f"Earlier verdicts on this revision:\n  {earlier}" in shown


def test_an_earlier_verdict_tells_its_threshold_and_the_model_that_judged(record: Record, printed: Printed) -> None:
    record.conversation(TenantId="judged")
    asked = {"TenantId": "judged", "Judge": "gpt-4o", "EvaluatorVersion": "judge-1", "Mode": ""}
    record.score(**asked, JudgeModel="gpt-4o-2024-05-13", JudgePrompt="0badf00d", Threshold=0.4, Passed=True)
    record.score(**asked, JudgeModel=FULL, Scoring=1)
    record.score(TenantId="judged", Score=None, Passed=None, Status="not_applicable")
    record.score(TenantId="judged", Scoring=1)
    (row,) = conversation.rows(record.ask, "c-1", tenant="judged")
    assert [(one["JudgeModel"], one["JudgePrompt"], one["Details"]) for one in row["EarlierScores"]] == [
        ("", "", "{}"),
        ("gpt-4o-2024-05-13", "0badf00d", "{}"),
    ]
    shown = printed(conversation.show(record.ask, "c-1", tenant="judged"), 120)
    assert f"TaskCompletion judge-1 gpt-4o -> {FULL}  " in shown
    assert (
        "  TaskCompletion 1: not applicable, partial, evidence, 2026-11-20 22:24:37.901 UTC\n"
        "  TaskCompletion judge-1 gpt-4o -> gpt-4o-2024-05-13: 0.5, passed, threshold 0.4, partial, 2026-"
    ) in shown


def test_the_record_page_asks_for_all_that_tells_verdicts_apart(record: Record) -> None:
    page = (Path(__file__).parents[2] / "docs/record.md").read_text()
    (sql,) = re.findall(r"^-- How did verdicts change,.*?$(.*?);$", page, re.MULTILINE | re.DOTALL)
    score = {"TenantId": "asked", "ConversationId": "c-asked"}
    record.score(**score, Judge="gpt-4o", JudgeModel=FULL, JudgePrompt="0badf00d")
    record.score(**score, Scoring=1, Threshold=0.4, Passed=True)
    record.score(**score)
    names = ("Scoring", "EvaluatorVersion", "Judge", "JudgeModel", "JudgePrompt", "Threshold", "Passed")
    assert [tuple(row[name] for name in names) for row in fetch(record.ask, sql.replace("'c-1'", "'c-asked'"))] == [
        (0, "1", "", "", "", 1.0, False),
        (1, "1", "", "", "", 0.4, True),
        (0, "1", "gpt-4o", FULL, "0badf00d", 1.0, False),
    ]
