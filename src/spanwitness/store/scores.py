"""Verdicts on record: which is the last, and where the next one goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from spanwitness.store.rows import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spanwitness.store.clickhouse import Store

VERDICT: Final = ("EvaluatorVersion", "Status", "Mode", "Score", "Label", "Threshold", "JudgePrompt")
"""What makes a verdict another one. Its words and its figures may change without that."""

_RULES: Final = "Rules"  # by other rules it is another verdict, even where the score is the same

_LAST: Final = f"""
SELECT ConversationId, Revision, Evaluator, Judge, max(Scoring) AS scoring,
       argMax(tuple({", ".join(VERDICT)}, Passed, JSONExtractString(Details, 'rules_version')),
              (Scoring, ScoredAt)) AS verdict
FROM scores
WHERE TenantId = {{tenant:String}} AND (ConversationId, Revision) IN {{revisions:Array(Tuple(String, UInt32))}}
GROUP BY ConversationId, Revision, Evaluator, Judge
"""

Key = tuple[str, int, str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last verdict of an evaluator, and judge, on a revision."""

    scoring: int
    told: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        """Whether it is an Error row."""
        return bool(self.told["Status"] == "failed")


def key_of(row: Mapping[str, Any]) -> Key:
    """Of a row of scores: conversation, revision, evaluator, judge."""
    return row["ConversationId"], row["Revision"], row["Evaluator"], row["Judge"]


def last_verdicts(store: Store, tenant: str, revisions: Sequence[tuple[str, int]]) -> dict[Key, Verdict]:
    """The last verdicts on some revisions (conversation, number) of a tenant."""
    if not revisions:
        return {}
    found = store.rows(_LAST, {"tenant": tenant, "revisions": list(revisions)})
    return {key_of(row): Verdict(row["scoring"], _told(row["verdict"])) for row in found}


def _told(verdict: Any) -> dict[str, Any]:
    values = verdict.values() if isinstance(verdict, dict) else verdict
    return dict(zip((*VERDICT, "Passed", _RULES), values, strict=True))


def placed(row: Mapping[str, Any], last: Verdict | None) -> dict[str, Any] | None:
    """A row of scores with its number among the verdicts; None where nothing is to be written.

    The same verdict is not written again. A judge's failure is no verdict: what comes after it takes its place, and it
    takes nobody else's.
    """
    if last is None:
        return {**row, "Scoring": 0}
    same_version = row["EvaluatorVersion"] == last.told["EvaluatorVersion"]
    if row["Judge"] and last.failed and same_version:
        return {**row, "Scoring": last.scoring}
    if row["Judge"] and row["Status"] == "failed" and not last.failed:
        return None
    if all(row[name] == last.told[name] for name in VERDICT) and _rules(row) == last.told[_RULES]:
        return None
    return {**row, "Scoring": last.scoring + 1}


def _rules(row: Mapping[str, Any]) -> str:
    """Which policy rules a verdict is by, as the evaluator names them; '' where it has none."""
    return str(orjson.loads(row["Details"]).get("rules_version", ""))


def insert_scores(store: Store, rows: Sequence[dict[str, Any]]) -> None:
    """Writes rows of scores."""
    if rows:
        store.insert("scores", table(rows))
