"""One swap: what it rests on, who had declared it, how it spread, what it did to scores and costs, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spanwitness import comparison, score_shift
from spanwitness.errors import SpanWitnessError
from spanwitness.model import swap_id
from spanwitness.report import swap_page, swaps
from spanwitness.report.sql import Ask, bound, fetch, literal, matching
from spanwitness.report.text import command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

Row = dict[str, Any]

BUCKETS: Final = 12
"""Of the timeline, on either side of the change."""

_AROUND: Final = 5 * BUCKETS
_NEARBY: Final = 10
_AMBIGUOUS: Final = 5
_NO_TIMELINE: Final = ("absent", "disguised", "fingerprint")  # no versions that take turns

_SWAP = f"""
SELECT {swaps.COLUMNS}, toUnixTimestamp64Nano(FirstSeenAt) AS Since, toUnixTimestamp64Nano(EndedAt) AS Until
FROM model_swaps
WHERE {{where}} AND (startsWith(SwapId, {{id}}) OR SwapId = '')
ORDER BY FirstSeenAt DESC
"""
_WITHDRAWN = f"""
SELECT {", ".join(swaps.KEY)}, max(UpdatedAt) AS At, argMax(Withdrawn, UpdatedAt) AS Gone FROM model_swaps
WHERE {{where}} AND (startsWith(SwapId, {{id}}) OR SwapId = '')
GROUP BY {", ".join(swaps.KEY)}
HAVING Gone
"""
_DEPLOYMENT = """
SELECT DeploymentId, Kind, ServiceName, AgentName, FromVersion, ToVersion, ValidFrom, ValidUntil, DeclaredBy, Reason,
       DeclaredAt, Source, Withdrawn,
       dateDiff('second', DeclaredAt, fromUnixTimestamp64Nano({since:Int64})) AS NoticeSeconds
FROM deployments WHERE TenantId = {tenant:String} AND DeploymentId = {id:String}
"""
_CONTRACT = """
SELECT Version, Name, ValidFrom, ValidUntil, ApprovedModels, MinVerifiedShare, NoticeSeconds, Source
FROM contracts
WHERE TenantId = {tenant:String} AND ValidFrom <= fromUnixTimestamp64Nano({since:Int64})
  AND (ValidUntil IS NULL OR ValidUntil > fromUnixTimestamp64Nano({since:Int64}))
ORDER BY Version DESC LIMIT 1
"""
# The conversation in which the change was first seen may have begun before it.
_TALKS = f"""
SELECT After, Versions FROM (
    SELECT ConversationId, min(FirstAt) AS Began, arraySort(groupUniqArray(toString({{column}}))) AS Versions,
           Began >= fromUnixTimestamp64Nano({{since:Int64}}) OR ConversationId = {{first:String}} AS After
    FROM model_uses WHERE {comparison.OF_SLOT} GROUP BY ConversationId
)
ORDER BY After, if(After, 1, -1) * toUnixTimestamp64Nano(Began), ConversationId
LIMIT {_AROUND} BY After
"""
_OTHERS = f"""
SELECT {swaps.COLUMNS}, dateDiff('second', fromUnixTimestamp64Nano({{since:Int64}}), FirstSeenAt) AS SecondsAfter
FROM model_swaps
WHERE TenantId = {{tenant:String}} AND ServiceName = {{service:String}} AND AgentName = {{agent:String}}
  AND abs(SecondsAfter) <= 86400 AND SwapId != {{id:String}}
ORDER BY abs(SecondsAfter), {", ".join(swaps.KEY)}
LIMIT {_NEARBY}
"""


def rows(ask: Ask, identity: str, *, tenant: str | None = None) -> list[Row]:
    """The swap as one row, as `swaps.rows` has it, and under it what belongs to it.

    `Deployment`: the declaration that covers it, None where none does; `NoticeSeconds`, how long before the change it
    was made (negative: afterwards). `Contract`: the one in force then. `Timeline`: by version, in which share of the
    conversations it answered, a number for every `TimelineStep` conversations, up to the change and since. `Scores`: by
    evaluator, as in model_swaps.ScoreShift but of now. `Costs`: of the slot's calls before and after. `Nearby`: other
    entries of the agent within a day.

    Raises:
        SpanWitnessError: there is no such swap, several begin like that, or it has been withdrawn.
    """
    row = _found(ask, identity, tenant)
    change = comparison.change_of(row, row.pop("Since"), row.pop("Until"))
    of_slot = comparison.of_slot(change.slot)
    moment = {**of_slot, "since": change.since}
    values = _sides(ask, row, change)
    deployments = fetch(ask, bound(_DEPLOYMENT, {**moment, "id": row["DeploymentId"]})) if row["DeploymentId"] else []
    contracts = fetch(ask, bound(_CONTRACT, moment))
    return [
        {
            **row,
            "Deployment": deployments[0] if deployments else None,
            "Contract": contracts[0] if contracts else None,
            **_timeline(ask, row, change),
            "Scores": _scores(ask, values),
            "Costs": fetch(ask, bound(comparison.COSTS, values)) if values else [],
            "Nearby": [swaps.told(one) for one in fetch(ask, bound(_OTHERS, {**moment, "id": row["Id"]}))],
        }
    ]


def show(ask: Ask, identity: str, *, tenant: str | None = None) -> RenderableType:
    """The report. Raises SpanWitnessError as `rows`."""
    return swap_page.render(rows(ask, identity, tenant=tenant)[0])


def _found(ask: Ask, identity: str, tenant: str | None) -> Row:
    wanted = identity.strip().lower()
    where = {"{where}": matching(TenantId=tenant), "{id}": literal(wanted)}
    found = [swaps.told(row) for row in fetch(ask, _filled(_SWAP, where))]
    found = [row for row in found if wanted and row["Id"].startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(row["Id"] for row in found[:_AMBIGUOUS]) + (", ..." if len(found) > _AMBIGUOUS else "")
        raise SpanWitnessError(f"several swaps begin with {identity!r}: {names}")
    gone = [row for row in fetch(ask, _filled(_WITHDRAWN, where), replaced=True) if _id(row).startswith(wanted)]
    if wanted and gone:
        raise SpanWitnessError(
            f"swap {_id(gone[0])} was withdrawn at {gone[0]['At']}: by what arrived later, or by a contract"
            f" that was put on record later, it did not happen so; what stands: {command('swaps')}"
        )
    raise SpanWitnessError(f"no swap {identity!r}; those on record: {command('swaps')}")


def _filled(sql: str, parts: dict[str, str]) -> str:
    for name, text in parts.items():
        sql = sql.replace(name, text)
    return sql


def _id(row: Row) -> str:
    return swap_id([row[name] for name in swaps.KEY])


def _sides(ask: Ask, row: Row, change: comparison.Change) -> comparison.Parameters:
    """The conversations that are compared; nothing where there is nothing to compare."""
    return change.between(fetch(ask, bound(*change.sides()))) if row["Class"] in comparison.CLASSES else {}


def _scores(ask: Ask, values: comparison.Parameters) -> list[Row]:
    found = score_shift.by_evaluator(fetch(ask, bound(comparison.SCORES, values))) if values else []
    return [_comparison(one) for one in found]


def _comparison(one: score_shift.EvaluatorShift) -> Row:
    passed = one.passed
    return {
        "evaluator": one.name,
        **score_shift.plain(one),
        "versions": one.versions,
        "thresholds": one.thresholds,
        "passed_low": passed.low if passed else None,
        "passed_high": passed.high if passed else None,
    }


def _timeline(ask: Ask, row: Row, change: comparison.Change) -> Row:
    if row["Class"] in _NO_TIMELINE:
        return {"TimelineStep": 0, "Timeline": []}
    sql = _TALKS.replace("{column}", change.column)
    first = {"since": change.since, "first": row["FirstConversationId"]}
    talks = fetch(ask, bound(sql, {**comparison.of_slot(change.slot), **first}))
    before = [talk["Versions"] for talk in talks if not talk["After"]][::-1]
    after = [talk["Versions"] for talk in talks if talk["After"]]
    step = max(1, -(-max(len(before), len(after)) // BUCKETS))
    begin = len(before) % step  # the change lies between two blocks
    blocks = [before[:begin]] if begin else []
    blocks += [before[at : at + step] for at in range(begin, len(before), step)]
    since = [after[at : at + step] for at in range(0, len(after), step)]
    versions = sorted(
        {version for versions in before + after for version in versions}, key=_order(change, before + after)
    )
    return {
        "TimelineStep": step,
        "Timeline": [
            {
                "Version": version,
                "Before": [_share(version, block) for block in blocks],
                "Since": [_share(version, block) for block in since],
            }
            for version in versions
        ],
    }


def _order(change: comparison.Change, talks: Sequence[Sequence[str]]) -> Any:
    """From and to come first, then those that answered most."""
    own = {change.from_version: 0, change.to_version: 1}
    return lambda version: (own.get(version, 2), -sum(version in talk for talk in talks), version)


def _share(version: str, block: Sequence[Sequence[str]]) -> float:
    return round(sum(version in talk for talk in block) / len(block), 4)
