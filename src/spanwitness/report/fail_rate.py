"""How often verdicts were "not passed", by whatever conversations are told apart by: rates with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType

from spanwitness.report.empty import nothing
from spanwitness.report.sql import Ask, fetch, matching
from spanwitness.report.text import Middle, columns, count, line, lines
from spanwitness.score_shift import wilson

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from rich.table import Table

Row = dict[str, Any]

# A conversation with two models, prompts, agents or services counts under each of them.
BY: Final[dict[str, tuple[str, str]]] = {
    "tenant": ("TenantId", "TenantId"),
    "channel": ("Channel", "Channel"),
    "intent": ("Intent", "Intent"),
    "language": ("Language", "Language"),
    "model_version": ("ModelVersion", "arrayJoin(if(empty(ModelVersions), [''], ModelVersions))"),
    "prompt_version": ("PromptVersion", "arrayJoin(if(empty(PromptVersions), [''], PromptVersions))"),
    "agent": ("AgentName", "arrayJoin(if(empty(AgentNames), [''], AgentNames))"),
    "service": ("ServiceName", "arrayJoin(if(empty(ServiceNames), [''], ServiceNames))"),
    "evaluator": ("Evaluator", ""),
}
"""What rates are told by: the column of the answer, and how it is had of a conversation."""

SEVERAL: Final = ("model_version", "prompt_version", "agent", "service")
"""Of which a conversation may have more than one."""

_RATES: Final = """
SELECT {columns}Evaluator, EvaluatorVersion, Rules, Judge, JudgePrompt,
       arraySort(groupUniqArrayIf(toString(Mode), Status = 'completed' AND Mode != '')) AS Modes,
       count(Passed) AS Judged, countIf(Passed = false) AS Fails,
       countIf(Status = 'completed') AS Completed, countIf(Status = 'not_applicable') AS NotApplicable,
       countIf(Status = 'failed') AS Failed, count(Score) AS Scored, avg(Score) AS MeanScore,
       arraySort(groupUniqArrayIf(assumeNotNull(Threshold), isNotNull(Passed))) AS Thresholds,
       arraySort(groupUniqArrayIf(toString(JudgeModel), Status = 'completed' AND JudgeModel != '')) AS JudgeModels,
       count() OVER () AS Groups
FROM (
    SELECT TenantId, ConversationId, Revision, Evaluator, Judge, EvaluatorVersion, Mode, Status, Score, Passed,
           Threshold, JudgeModel, JudgePrompt, JSONExtractString(Details, 'rules_version') AS Rules
    FROM scores_latest WHERE {scores}
) AS given
INNER JOIN (
    SELECT TenantId AS OfTenant, ConversationId AS OfConversation, Revision AS OfRevision{selected}
    FROM conversations WHERE {conversations}
) AS talks
ON TenantId = OfTenant AND ConversationId = OfConversation AND Revision = OfRevision
GROUP BY {grouped}Evaluator, EvaluatorVersion, Rules, Judge, JudgePrompt
ORDER BY Judged = 0, Evaluator, EvaluatorVersion, Rules, Judge, JudgePrompt, Fails / greatest(Judged, 1) DESC,
         Judged DESC{order}
LIMIT {limit}
"""


_DIFFERS: Final = {
    "Thresholds": "Thresholds differ within a row: its rate is of verdicts by all of them.",
    "JudgeModels": "More than one model answered as the judge within a row.",
    "Modes": "Modes differ within a row.",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        by: keys of BY; the evaluator, its version and rules, its judge and the prompt are told apart in any case.
        since: conversations that began from then on.
        until: and before then.
        limit: rows at most.
    """

    by: tuple[str, ...] = ()
    tenant: str | None = None
    evaluator: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    limit: int = 20


def rows(ask: Ask, wanted: Wanted) -> list[Row]:
    """A row for each group, evaluator, version and rules of it, judge and prompt, of the latest verdicts.

    These are not mixed: another version, calibration, set of rules or prompt measures something else. By evaluator, in
    each the highest rate first; what has no rate comes last. What may differ within a row is told by Modes, Thresholds
    and JudgeModels, the models that answered as the judge.

    FailRate, and its Wilson interval Low to High (95 %), is None where nothing was judged, as
    MeanScore is where nothing was scored. Coverage: the share that the evaluator could score. Groups: how many rows
    there are without the limit.
    """
    keys = [key for key in wanted.by if key != "evaluator"]
    names = [BY[key][0] for key in keys]
    sql = (
        _RATES.replace("{columns}", "".join(f"talks.By{name} AS Of{name}, " for name in names))
        .replace("{grouped}", "".join(f"Of{name}, " for name in names))
        .replace("{selected}", "".join(f", {BY[key][1]} AS By{BY[key][0]}" for key in keys))
        .replace("{order}", "".join(f", Of{name}" for name in names))
        .replace("{limit}", str(int(wanted.limit)))
        .replace("{scores}", matching(TenantId=wanted.tenant, Evaluator=wanted.evaluator))
        .replace("{conversations}", _when(wanted))
    )
    return [_row(row, names) for row in fetch(ask, sql)]


def show(ask: Ask, wanted: Wanted) -> RenderableType:
    """The report, or why there is none."""
    found = rows(ask, wanted)
    if not found:
        of = f" by {wanted.evaluator!r}" if wanted.evaluator else ""
        when = " in that time" if wanted.since or wanted.until else ""
        return nothing(ask, f"no score{of}{when}", wanted.tenant)
    told: list[RenderableType | str] = [f"{len(found):,} of {count(found[0]['Groups'], 'row')}."]
    several = [key for key in wanted.by if key in SEVERAL]
    if several:
        told.append(f"A conversation with more than one {' or '.join(several)} counts under each.")
    told += [note for column, note in _DIFFERS.items() if any(len(row[column]) > 1 for row in found)]
    return Group(_table(found, wanted.by), "", lines(*told))


def _when(wanted: Wanted) -> str:
    parts = ["CloseReason != 'moved'", matching(TenantId=wanted.tenant)]
    for moment, sign in ((wanted.since, ">="), (wanted.until, "<")):
        if moment is not None:
            parts.append(f"StartedAt {sign} fromUnixTimestamp64Milli({int(moment.timestamp() * 1000)})")
    return " AND ".join(parts)


def _row(row: Row, names: Sequence[str]) -> Row:
    judged, all_ = row["Judged"], row["Completed"] + row["NotApplicable"] + row["Failed"]
    rate = row["Fails"] / judged if judged else None
    low, high = (None, None) if rate is None else wilson(rate, judged)
    return {
        **{name: row[f"Of{name}"] for name in names},
        **{name: row[name] for name in ("Evaluator", "EvaluatorVersion", "Rules", "Judge", "JudgePrompt")},
        **{name: row[name] for name in ("JudgeModels", "Modes", "Judged", "Fails")},
        "FailRate": rate,
        "Low": None if low is None else max(low, 0.0),
        "High": None if high is None else min(high, 1.0),
        **{name: row[name] for name in ("Thresholds", "Completed", "NotApplicable", "Failed")},
        "Coverage": row["Completed"] / all_,
        **{name: row[name] for name in ("Scored", "MeanScore", "Groups")},
    }


def _table(found: Sequence[Row], by: Sequence[str]) -> Table:
    keys = [key for key in by if key != "evaluator"]
    table = columns()
    if keys:
        table.add_column("\n".join(keys))
    table.add_column("evaluator\njudge, mode")
    table.add_column("fail rate [95 %]\nof judged", justify="right", no_wrap=True)
    table.add_column("coverage\ncompleted", justify="right", no_wrap=True)
    table.add_column("n. a.\nfailed", justify="right", no_wrap=True)
    table.add_column("mean (n)\nthreshold", justify="right", no_wrap=True)
    for row in found:
        values = [Middle(row[BY[key][0]] or f"(no {key.replace('_', ' ')})") for key in keys]
        table.add_row(*([Group(*values)] if keys else []), _evaluator(row), *_figures(row))
    return table


def _evaluator(row: Row) -> Group:
    below = ", ".join([*([row["Judge"]] if row["Judge"] else []), *row["Modes"]])
    name = f"{row['Evaluator']} {row['EvaluatorVersion']}".rstrip()
    apart = [(word, row[column]) for word, column in (("rules", "Rules"), ("prompt", "JudgePrompt")) if row[column]]
    return Group(
        Middle(name), Middle(below) if below else line(""), *(Middle(f"{word} {value}") for word, value in apart)
    )


def _figures(row: Row) -> tuple[Group, ...]:
    rate = "-"
    if row["FailRate"] is not None:
        rate = f"{row['FailRate']:.1%} [{row['Low']:.1%}, {row['High']:.1%}]"
    mean = "-" if row["MeanScore"] is None else f"{row['MeanScore']:.3g}"
    # Where nothing was completed, no verdict says which threshold there was.
    thresholds = ", ".join(f"{each:g}" for each in row["Thresholds"]) or ("none" if row["Completed"] else "-")
    return (
        lines(rate, f"{row['Fails']:,} of {row['Judged']:,}"),
        lines(f"{row['Coverage']:.0%}", f"{row['Completed']:,}"),
        lines(f"{row['NotApplicable']:,}", f"{row['Failed']:,}"),
        lines(f"{mean} ({row['Scored']:,})", thresholds),
    )
