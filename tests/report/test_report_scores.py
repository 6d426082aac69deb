"""How well conversations went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from spanwitness.report import scores

if TYPE_CHECKING:
    from tests.report.conftest import Printed, Record


def fill(record: Record, tenant: str) -> None:
    """Three conversations, three evaluators: scores, a failure, and nothing to judge."""
    for identity in ("c-1", "c-2", "c-3"):
        record.conversation(TenantId=tenant, ConversationId=identity)
    record.score(TenantId=tenant, ConversationId="c-1", Score=1.0, Passed=True, Label="done")
    record.score(TenantId=tenant, ConversationId="c-2", Score=0.25)
    nothing = {"Score": None, "Passed": None}
    record.score(TenantId=tenant, ConversationId="c-3", Status="not_applicable", Label="not_enough", **nothing)
    broken = {"Status": "failed", "Label": "failed", "Explanation": "", "Error": "judge: timed out", **nothing}
    record.score(TenantId=tenant, ConversationId="c-1", Evaluator="Judge", Judge="gpt-4o", **broken)
    record.score(TenantId=tenant, ConversationId="c-2", Evaluator="Tone", Score=0.999, Threshold=None, Passed=None)


def test_the_lowest_come_first_and_what_has_no_number_last(record: Record) -> None:
    fill(record, "order")
    found = scores.rows(record.ask, tenant="order")
    assert [(row["ConversationId"], row["Evaluator"], row["Score"], row["Status"]) for row in found] == [
        ("c-2", "TaskCompletion", 0.25, "completed"),
        ("c-2", "Tone", 0.999, "completed"),
        ("c-1", "TaskCompletion", 1.0, "completed"),
        ("c-1", "Judge", None, "failed"),
        ("c-3", "TaskCompletion", None, "not_applicable"),
    ]
    assert found[0]["EvidenceSpanIds"] == ["b" * 16]
    assert found[0]["Passed"] is False
    assert found[0]["ScoredAt"] == "2026-11-20T22:24:37.901Z"
    assert orjson.loads(orjson.dumps(found)) == found


def test_filters_and_limit(record: Record) -> None:
    fill(record, "filters")
    assert len(scores.rows(record.ask, tenant="filters", limit=2)) == 2
    assert {row["ConversationId"] for row in scores.rows(record.ask, tenant="filters", conversation="c-1")} == {"c-1"}
    assert [row["Score"] for row in scores.rows(record.ask, tenant="filters", evaluator="Tone")] == [0.999]
    assert scores.rows(record.ask, tenant="nobody") == []


def test_only_the_newest_revision_counts(record: Record) -> None:
    record.conversation(TenantId="revised", ConversationId="c-1", Revision=1)
    record.conversation(TenantId="revised", ConversationId="c-1", Revision=2)
    record.score(TenantId="revised", ConversationId="c-1", Revision=1, Score=0.0)
    record.score(TenantId="revised", ConversationId="c-1", Revision=2, Score=1.0)
    assert [row["Score"] for row in scores.rows(record.ask, tenant="revised")] == [1.0]
    assert scores.coverage(record.ask, tenant="revised")[0]["Completed"] == 1


def test_a_mean_has_its_n_and_nothing_to_judge_is_no_zero(record: Record) -> None:
    fill(record, "coverage")
    judge, task, tone = scores.coverage(record.ask, tenant="coverage")
    assert task == {
        "Evaluator": "TaskCompletion",
        "EvaluatorVersion": "1",
        "Judge": "",
        "Completed": 2,
        "NotApplicable": 1,
        "Failed": 0,
        "Scored": 2,
        "MeanScore": 0.625,
        "LowestScore": 0.25,
        "Judged": 2,
        "Passes": 1,
    }
    assert (judge["Failed"], judge["MeanScore"], judge["LowestScore"], judge["Scored"]) == (1, None, None, 0)
    assert (tone["Judged"], tone["Passes"]) == (0, 0)


def test_the_report_at_a_glance(record: Record, printed: Printed) -> None:
    fill(record, "glance")
    assert printed(scores.show(record.ask, tenant="glance")) == (
        """\
score  verdict           evaluator         label, mode
                         conversation      explanation
                         tenant
───────────────────────────────────────────────────────────────────────
 0.25  not passed        TaskCompletion 1  partial, evidence
       threshold 1       c-2               One of two refunds was made.
                         glance
0.999  no threshold      Tone 1            partial, evidence
                         c-2               One of two refunds was made.
                         glance
    1  passed            TaskCompletion 1  done, evidence
       threshold 1       c-1               One of two refunds was made.
                         glance
    -  evaluator failed  Judge 1 gpt-4o    failed, evidence
                         c-1               judge: timed out
                         glance

4 of 4 scores, the lowest first. Not applicable: 1 more.

coverage          completed  not applicable  failed     mean score  passed
──────────────────────────────────────────────────────────────────────────
Judge 1 gpt-4o            0               0       1      - (n = 0)  0 of 0
TaskCompletion 1          2               1       0  0.625 (n = 2)  1 of 2
Tone 1                    1               0       0  0.999 (n = 1)  0 of 0
"""
    )


def test_it_is_told_which_model_judged_by_what_prompt_and_on_what_details(record: Record, printed: Printed) -> None:
    record.conversation(TenantId="served")
    judged = {"TenantId": "served", "Judge": "gpt-4o", "JudgePrompt": "0badf00d", "Details": '{"steps":2}'}
    record.score(**judged, JudgeModel="gpt-4o-2024-08-06")
    record.score(**judged, JudgeModel="gpt-4o", Evaluator="Tone", Score=0.75)
    told = [(row["JudgeModel"], row["JudgePrompt"], row["Details"]) for row in scores.rows(record.ask, tenant="served")]
    assert told == [("gpt-4o-2024-08-06", "0badf00d", '{"steps":2}'), ("gpt-4o", "0badf00d", '{"steps":2}')]
    text = printed(scores.show(record.ask, tenant="served"))
    assert "TaskCompletion 1 gpt-4o -> gpt-4o-2024-08-06  " in text
    assert "Tone 1 gpt-4o  " in text
    assert text.count("->") == 1


def test_the_coverage_is_of_everything_and_not_of_the_rows_listed(record: Record, printed: Printed) -> None:
    fill(record, "limited")
    text = printed(scores.show(record.ask, tenant="limited", limit=1))
    assert "1 of 4 scores, the lowest first." in text
    assert "0.625 (n = 2)" in text


def test_where_nothing_could_be_judged_the_coverage_says_so(record: Record, printed: Printed) -> None:
    record.conversation(TenantId="unjudged")
    record.score(TenantId="unjudged", Status="not_applicable", Score=None, Passed=None)
    text = printed(scores.show(record.ask, tenant="unjudged"))
    assert text.startswith("No evaluator gave a score. Not applicable: 1 more.\n")


def test_a_long_explanation_and_a_long_id_fit_the_console(record: Record, printed: Printed) -> None:
    identity = "0b6f5f0e-6f5a-4c8e-9a53-" * 4
    record.conversation(TenantId="long", ConversationId=identity)
    explanation = "The tool returned an error\nand was not called again. " * 20
    record.score(TenantId="long", ConversationId=identity, Explanation=explanation)
    text = printed(scores.show(record.ask, tenant="long"))
    assert "The tool returned an error and was not" in text
    assert text.count("…") == 2
    assert identity[:10] in text


def test_an_explanation_cannot_steer_the_terminal(record: Record, printed: Printed) -> None:
    record.conversation(TenantId="hostile")
    record.score(TenantId="hostile", Explanation="\x1b]0;owned\x07[red]x[/red]")
    text = printed(scores.show(record.ask, tenant="hostile"))
    assert "\x1b" not in text
    assert "\\x1b]0;owned\\x07[red]x[/red]" in text


def test_nothing_found_says_what_was_asked(record: Record, printed: Printed) -> None:
    record.conversation(TenantId="scoreless")
    report = scores.show(record.ask, tenant="scoreless", evaluator="Tone", conversation="c-1")
    assert printed(report) == (
        "There is no score of 'c-1' by 'Tone' of tenant 'scoreless', though 1 conversation closed.\n"
    )
    assert printed(scores.render([], [])) == "No score is on record.\n"
