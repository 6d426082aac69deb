"""Before and after a change: which conversations are held against each other, and the questions put to the record.

The review lane and the reports ask the same, each in its own way: the text has ClickHouse's placeholders,
`{name:Type}`, and the values stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from spanwitness.identity import JUDGE_ROLE
from spanwitness.model import Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST: Final = 500
"""Conversations on a side: the latest before, the first since."""

CLASSES: Final = ("version", "prompt", "agent", "unapproved", "mismatch", "disguised")
"""Of the swaps after which something else answers, so that before and after can be held against each other."""

_COLUMNS: Final = {"prompt": "PromptVersion", "agent": "AgentVersion"}
_WATCH: Final = "watch"
_ANYTHING_ELSE: Final = ("mismatch", "unapproved")

OF_SLOT: Final = (
    "TenantId = {tenant:String} AND ServiceName = {service:String} AND AgentName = {agent:String}"
    " AND StepKind = {kind:String}"
)

_SIDES: Final = f"""
SELECT ConversationId, Came, multiIf(
           has(Versions, {{to:String}}) AND Came >= {{since:Int64}} AND ({{until:Int64}} = 0 OR Came < {{until:Int64}}),
           'after',
           Began < {{since:Int64}} AND BEFORE, 'before', '') AS Side
FROM (
    SELECT ConversationId, toUnixTimestamp64Nano(min(FirstAt)) AS Began, groupUniqArray(toString(COLUMN)) AS Versions,
           toUnixTimestamp64Nano(minIf(FirstAt, COLUMN = {{to:String}})) AS Came
    FROM model_uses FINAL WHERE {OF_SLOT} GROUP BY ConversationId
)
WHERE Side != ''
ORDER BY Side, if(Side = 'before', -Began, Came), ConversationId
LIMIT {MOST} BY Side
"""

_PICKED: Final = (
    "TenantId = {tenant:String} AND ConversationId IN arrayConcat({before:Array(String)}, {after:Array(String)})"
)
_NEWEST: Final = f"""
    (SELECT ConversationId, max(Revision) FROM conversations WHERE {_PICKED} GROUP BY ConversationId)"""
# Verdicts that the same evaluator, and judge, gave again: the last alone counts.
_GIVEN_AGAIN: Final = f"""
    (SELECT ConversationId, Revision, Evaluator, Judge, toUInt32(Scoring - 1) FROM scores
     WHERE {_PICKED} AND Scoring > 0)"""

# A score by other rules is of another measure, though the evaluator is the same.
_MEASURE: Final = """
    concat(EvaluatorVersion, if(JSONExtractString(Details, 'rules_version') = '', '',
                                concat(' (rules ', JSONExtractString(Details, 'rules_version'), ')')))"""

SCORES: Final = f"""
SELECT if(has({{before:Array(String)}}, ConversationId), 'before', 'after') AS Side, Evaluator, Judge, EvaluatorVersion,
       arraySort(groupArrayIf(assumeNotNull(Score), Told)) AS Scores, countIf(Told AND isNotNull(Passed)) AS Judged,
       countIf(Told AND ifNull(Passed, false)) AS Passes,
       groupUniqArrayIf(assumeNotNull(Threshold), Told AND isNotNull(Threshold)) AS Thresholds
FROM (
    SELECT * REPLACE ({_MEASURE} AS EvaluatorVersion), Status = 'completed' AND isNotNull(Score) AS Told
    FROM scores FINAL
    WHERE {_PICKED} AND (ConversationId, Revision) IN {_NEWEST}
      AND (ConversationId, Revision, Evaluator, Judge, Scoring) NOT IN {_GIVEN_AGAIN}
      -- A judge that is swapped does nothing to scores that it did not give.
      AND (Judge != '' OR {{kind:String}} != '{JUDGE_ROLE}')
)
GROUP BY Side, Evaluator, Judge, EvaluatorVersion
ORDER BY Side, Evaluator, Judge, EvaluatorVersion
"""
"""By side, evaluator, judge and version, with its rules where it has any: `1 (rules 1a2b3c4d)`.

The scores, how many had a threshold, how many met it, and which it was."""

COSTS: Final = f"""
SELECT if(has({{before:Array(String)}}, ConversationId), 'before', 'after') AS Side,
       uniqExact(ConversationId) AS Conversations, count() AS Calls,
       sum(InputTokens) / Conversations AS InputTokens, sum(OutputTokens) / Conversations AS OutputTokens,
       medianExact(DurationMs) AS DurationMs, countIf(Status = 'Error') AS FailedCalls
FROM steps FINAL
WHERE {_PICKED} AND (ConversationId, Revision) IN {_NEWEST}
  AND ServiceName = {{service:String}} AND AgentName = {{agent:String}} AND ModelVersion != ''
  AND multiIf(StepKind != 'speech', toString(StepKind), Actor = 'customer', 'stt', 'tts') = {{kind:String}}
GROUP BY Side
"""
"""By side, of the slot's own calls: tokens a conversation, the median duration of a call, and how many failed."""

Parameters = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked about.

    Attributes:
        since: Unix nanoseconds, when `to_version` was first seen.
        until: when the slot had returned; 0 while the change stands.
        named: whether versions tell the sides apart; else it is a change under one name, and time alone does.
    """

    slot: Slot
    swap_class: str
    from_version: str
    to_version: str
    since: int
    until: int = 0
    named: bool = True

    def sides(self) -> tuple[str, Parameters]:
        """Which conversations stand on which side; a row each.

        After: they used `to_version` since the change, alone or beside others. Before: they began before it and used
        `from_version` alone; of a mismatch or a version that is not approved: they never used `to_version`.
        """
        before = "NOT has(Versions, {to:String})" if self.swap_class in _ANYTHING_ELSE else "Versions = [{from:String}]"
        sql = _SIDES.replace("COLUMN", self.column).replace("BEFORE", before)
        return sql, {
            **of_slot(self.slot),
            "from": self.from_version,
            "to": self.to_version,
            "since": self.since,
            "until": self.until,
        }

    @property
    def column(self) -> str:
        """The column of model_uses that its versions stand in."""
        return _COLUMNS.get(self.swap_class, "ModelVersion") if self.named else "ModelVersion"

    def between(self, sides: Iterable[Mapping[str, Any]], first: int = MOST) -> Parameters:
        """The values of SCORES and COSTS, from the answer to `sides`. `first`: of those since, at most so many."""
        found: dict[str, list[str]] = {"before": [], "after": []}
        for row in sides:
            found[row["Side"]].append(row["ConversationId"])
        return {**of_slot(self.slot), **found, "after": found["after"][:first]}


def change_of(row: Mapping[str, Any], since: int, until: int) -> Change:
    """The change that an entry of model_swaps is about. `since`, `until`: as Unix nanoseconds."""
    slot = Slot(row["TenantId"], row["ServiceName"], row["AgentName"], row["StepKind"])
    evidence = orjson.loads(row["Evidence"] or "{}")
    if row["Class"] == "disguised" or evidence.get("source") == _WATCH:
        # What the watch for other behaviour tells of happens under one name of the model, a new prompt too.
        version = str(evidence.get("version") or row["ToVersion"])
        return Change(slot, row["Class"], version, version, since, until, named=False)
    return Change(slot, row["Class"], row["FromVersion"], row["ToVersion"], since, until)


def of_slot(slot: Slot) -> Parameters:
    """The values by which a slot's rows are found."""
    return {"tenant": slot.tenant, "service": slot.service, "agent": slot.agent, "kind": slot.step_kind}
