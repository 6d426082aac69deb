"""How well conversations went: the lowest scores first, and how many of them there are to judge by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from spanwitness.report.empty import nothing
from spanwitness.report.sql import Ask, fetch, matching
from spanwitness.report.text import Clipped, Middle, columns, count, line, lines, plain, prose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

Row = dict[str, Any]

LIMIT: Final = 20
COLUMNS: Final = (
    "TenantId, ConversationId, Revision, Evaluator, EvaluatorVersion, Judge, JudgeModel, JudgePrompt, Status, Mode,"
    " Score, Label, Threshold, Passed, Explanation, EvidenceSpanIds, ScoredAt, CostUsd, Error, Details"
)

_EXPLANATION_LINES: Final = 2

_LOWEST = f"""
SELECT {COLUMNS} FROM scores_latest WHERE {{where}}
ORDER BY Score ASC NULLS LAST, Status, TenantId, ConversationId, Evaluator, EvaluatorVersion, Judge
LIMIT {{limit}}
"""

_COVERAGE = """
SELECT Evaluator, EvaluatorVersion, Judge, countIf(Status = 'completed') AS Completed,
       countIf(Status = 'not_applicable') AS NotApplicable, countIf(Status = 'failed') AS Failed,
       count(Score) AS Scored, avg(Score) AS MeanScore, min(Score) AS LowestScore,
       count(Passed) AS Judged, countIf(Passed) AS Passes
FROM scores_latest WHERE {where}
GROUP BY Evaluator, EvaluatorVersion, Judge
ORDER BY Evaluator, EvaluatorVersion, Judge
"""


def rows(
    ask: Ask,
    *,
    tenant: str | None = None,
    conversation: str | None = None,
    evaluator: str | None = None,
    limit: int = LIMIT,
) -> list[Row]:
    """Scores of the newest revisions, `limit` at most, the lowest first.

    After all that have a number: evaluators that failed, then those that had nothing to judge.
    """
    where = matching(TenantId=tenant, ConversationId=conversation, Evaluator=evaluator)
    return fetch(ask, _LOWEST.replace("{limit}", str(int(limit))).replace("{where}", where))


def coverage(
    ask: Ask, *, tenant: str | None = None, conversation: str | None = None, evaluator: str | None = None
) -> list[Row]:
    """A row for each evaluator: how often it completed, had nothing to judge, failed; and the mean of what it gave."""
    where = matching(TenantId=tenant, ConversationId=conversation, Evaluator=evaluator)
    return fetch(ask, _COVERAGE.replace("{where}", where))


def render(rows: Sequence[Row], covered: Sequence[Row]) -> Group:
    """The scores, and beneath them the coverage of each evaluator over everything, not over these rows alone.

    Where an evaluator had nothing to judge there is no score to list: the coverage counts it.
    """
    if not rows:
        return lines("No score is on record.")
    told = [row for row in rows if row["Status"] != "not_applicable"]
    parts: list[RenderableType] = [listing(told), ""] if told else []
    return Group(*parts, line(_extent(told, covered)), "", _coverage_table(covered))


def show(
    ask: Ask,
    *,
    tenant: str | None = None,
    conversation: str | None = None,
    evaluator: str | None = None,
    limit: int = LIMIT,
) -> RenderableType:
    """The report, or why there is none."""
    found = rows(ask, tenant=tenant, conversation=conversation, evaluator=evaluator, limit=limit)
    if found:
        return render(found, coverage(ask, tenant=tenant, conversation=conversation, evaluator=evaluator))
    wanted = [f"of {conversation!r}"] if conversation else []
    wanted += [f"by {evaluator!r}"] if evaluator else []
    return nothing(ask, " ".join(["no score", *wanted]), tenant)


def listing(rows: Sequence[Row], *, of_one: bool = False) -> Table:
    """Scores in the order given. With `of_one` conversation it is not named again, and explanations are in full."""
    table, below = columns(), "" if of_one else "\n"  # headers begin on one line, as the cells do
    table.add_column(f"score\n{below}", justify="right", no_wrap=True)
    table.add_column(f"verdict\n{below}", no_wrap=True)
    table.add_column("evaluator\n" if of_one else "evaluator\nconversation\ntenant")
    table.add_column(f"label, mode\nexplanation{below}")
    for row in rows:
        table.add_row(_number(row["Score"]), _verdict(row), _subject(row, of_one), _finding(row, of_one))
    return table


def named(row: Row) -> str:
    """Evaluator, version and judge; and where another model answered than was asked to judge, that one.

    A row that sums up several verdicts has no JudgeModel.
    """
    answered = row.get("JudgeModel", "")
    served = f"-> {answered}" if answered not in ("", row["Judge"]) else ""
    return " ".join(filter(None, (row["Evaluator"], row["EvaluatorVersion"], row["Judge"], served)))


def _extent(listed: Sequence[Row], covered: Sequence[Row]) -> str:
    given = sum(row["Completed"] + row["Failed"] for row in covered)
    unjudged = sum(row["NotApplicable"] for row in covered)
    first = f"{len(listed):,} of {count(given, 'score')}, the lowest first." if given else "No evaluator gave a score."
    return f"{first} Not applicable: {unjudged:,} more." if unjudged else first


def _number(score: float | None) -> str:
    return "-" if score is None else f"{score:.4g}"


def _verdict(row: Row) -> Group:
    if row["Status"] != "completed":
        return lines("evaluator failed" if row["Status"] == "failed" else row["Status"].replace("_", " "))
    if row["Threshold"] is None:
        return lines("no threshold")
    verdict = "no score" if row["Passed"] is None else "passed" if row["Passed"] else "not passed"
    return lines(verdict, f"threshold {_number(row['Threshold'])}")


def _subject(row: Row, of_one: bool) -> Group:
    name = Middle(named(row))
    return Group(name) if of_one else Group(name, Middle(row["ConversationId"]), Middle(row["TenantId"]))


def _finding(row: Row, of_one: bool) -> Group:
    label = ", ".join(part for part in (row["Label"], row["Mode"]) if part)
    explanation = row["Explanation"] or row["Error"]
    return Group(
        Text(plain(label), "bold"), Text(prose(explanation)) if of_one else Clipped(explanation, _EXPLANATION_LINES)
    )


def _coverage_table(covered: Sequence[Row]) -> Table:
    table = columns()
    table.add_column("coverage")
    for header in ("completed", "not applicable", "failed", "mean score", "passed"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in covered:
        counts = (f"{row[name]:,}" for name in ("Completed", "NotApplicable", "Failed"))
        table.add_row(Middle(named(row)), *counts, _mean(row), f"{row['Passes']:,} of {row['Judged']:,}")
    return table


def _mean(row: Row) -> str:
    return f"{_number(row['MeanScore'])} (n = {row['Scored']:,})"
