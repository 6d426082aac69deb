"""What judges are still to score, and every call of theirs: `judge_tasks` and `judge_calls`."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import pyarrow as pa

from spanwitness.model import Use
from spanwitness.store.rows import naive
from spanwitness.store.uses import Used, judge_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from spanwitness.store.clickhouse import Store

    Named = Callable[[str, str], tuple[str, str]]

State = Literal["waiting", "done", "given_up"]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MOMENT: Final = pa.timestamp("ms")
_TYPES: Final[dict[str, pa.DataType]] = {
    **dict.fromkeys(("AskedAt", "NextAt", "UpdatedAt", "CalledAt"), _MOMENT),
    "Threshold": pa.float64(),
}
_KEY: Final = "TenantId, ConversationId, Revision, Evaluator, Judge, Scoring"

# What is waiting is looked for without FINAL, which would read all that is done: a task that is done has a waiting row
# only until the engine has merged it away. One of each tenant, then a second of each: nobody waits for a tenant that
# has thousands.
_DUE: Final = f"""
SELECT {_KEY}, State, Threshold, Attempts, toUnixTimestamp64Milli(AskedAt) AS asked,
       toUnixTimestamp64Milli(NextAt) AS next, Error
FROM (
    SELECT *, row_number() OVER (PARTITION BY TenantId ORDER BY NextAt, AskedAt, ConversationId, Evaluator) AS turn
    FROM judge_tasks FINAL
    WHERE (TenantId, ConversationId) IN (
        SELECT TenantId, ConversationId FROM judge_tasks
        WHERE State = 'waiting' AND Judge = {{judge:String}} AND NextAt <= fromUnixTimestamp64Milli({{now:Int64}}))
      AND State = 'waiting' AND Judge = {{judge:String}} AND NextAt <= fromUnixTimestamp64Milli({{now:Int64}})
      AND NOT has({{held:Array(Tuple(String, String))}}, (toString(TenantId), ConversationId))
)
ORDER BY turn, NextAt, TenantId
LIMIT {{most:UInt32}}
"""

_WAITING: Final = f"""
SELECT count() AS tasks, toUnixTimestamp64Milli(min(NextAt)) AS next, toUnixTimestamp64Milli(min(AskedAt)) AS oldest
FROM judge_tasks FINAL
WHERE ({_KEY}) IN (SELECT {_KEY} FROM judge_tasks WHERE State = 'waiting' AND Judge = {{judge:String}})
  AND State = 'waiting' AND Judge = {{judge:String}}
"""

_LAST: Final = """
SELECT ConversationId, Revision, Evaluator, max(Scoring) AS scoring,
       argMax(State, (Scoring, UpdatedAt)) AS state
FROM judge_tasks FINAL
WHERE TenantId = {tenant:String} AND ConversationId IN {conversations:Array(String)} AND Judge = {judge:String}
GROUP BY ConversationId, Revision, Evaluator
"""

_SPENT: Final = """
SELECT TenantId, sum(CostUsd) AS spent FROM judge_calls FINAL
WHERE TenantId IN {tenants:Array(String)} AND CalledAt >= fromUnixTimestamp64Milli({since:Int64})
GROUP BY TenantId
"""

_ANSWERS: Final = """
SELECT Content, ConversationId = {conversation:String} AS own, toUnixTimestamp64Milli(max(CalledAt)) AS called,
       argMax(tuple(JudgeModel, Answer), (CalledAt, CallId)) AS told
FROM judge_calls
WHERE TenantId = {tenant:String} AND Judge = {judge:String} AND Outcome = 'answered'
  AND CalledAt >= fromUnixTimestamp64Milli({since:Int64}) AND Content IN {contents:Array(String)}
  AND JSONExtractString(Asked, 'url_digest') = {url_digest:String}
GROUP BY Content, own
"""

_USED: Final = """
SELECT ConversationId, Evaluator, toUnixTimestamp64Milli(CalledAt) AS called, InputTokens, OutputTokens, CostUsd,
       LatencyMs
FROM judge_calls FINAL
WHERE TenantId = {tenant:String} AND Judge = {judge:String} AND ConversationId IN {conversations:Array(String)}
  AND CalledAt >= fromUnixTimestamp64Milli({since:Int64})
"""

_ANSWERED: Final = """
SELECT ConversationId, Judge, JudgeModel, toUnixTimestamp64Milli(min(CalledAt)) AS first,
       toUnixTimestamp64Milli(max(CalledAt)) AS last, count() AS calls, countIf(Outcome != 'answered') AS failed
FROM judge_calls FINAL
WHERE TenantId = {tenant:String} AND ConversationId IN {conversations:Array(String)}
  AND (JudgeModel != '' OR Outcome = 'answered')
GROUP BY ConversationId, Judge, JudgeModel
ORDER BY ConversationId, first, Judge, JudgeModel
"""


@dataclass(frozen=True, slots=True)
class Task:
    """A score that a judge is asked for.

    Attributes:
        scoring: 0 for the first time of this revision, 1 for the next.
        threshold: in force when it was asked for; stored beside the score.
        attempts: how often it was tried.
        next_at: not before this.
        error: why it is not there yet, or will never be.
    """

    tenant: str
    conversation_id: str
    revision: int
    evaluator: str
    judge: str
    threshold: float | None
    asked_at: dt.datetime
    next_at: dt.datetime
    scoring: int = 0
    attempts: int = 0
    state: State = "waiting"
    error: str = ""

    @property
    def talk(self) -> tuple[str, str]:
        """Whose conversation, and which."""
        return self.tenant, self.conversation_id


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a judge, and what became of it. `content`: digest of all that was sent; `asked`: how it was sent."""

    id: str
    task: Task
    at: dt.datetime
    content: str
    asked: Mapping[str, Any]
    prompt: str
    outcome: str
    served: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    latency_ms: int = 0
    answer: str = ""


class Answer(NamedTuple):
    """An answer on record: when it was given, by which model, and its JSON."""

    at: dt.datetime
    served: str
    text: str


class Spent(NamedTuple):
    """What the calls of one score took together."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    latency_ms: int = 0

    def __add__(self, other: object) -> Spent:
        """Both together."""
        if not isinstance(other, Spent):
            return NotImplemented
        return Spent(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
            self.latency_ms + other.latency_ms,
        )


class Waiting(NamedTuple):
    """How many tasks wait, when the next of them is due, and since when the oldest waits; None where there is none."""

    tasks: int = 0
    next_at: dt.datetime | None = None
    oldest: dt.datetime | None = None


def due(store: Store, judge: str, now: dt.datetime, most: int, held: Collection[tuple[str, str]] = ()) -> list[Task]:
    """What is to be tried now, the oldest first, each tenant in turn; none of the conversations in `held`."""
    parameters = {"judge": judge, "now": _milliseconds(now), "most": most, "held": list(held)}
    return [_task(row) for row in store.rows(_DUE, parameters)]


def waiting(store: Store, judge: str) -> Waiting:
    """What waits for a judge in all."""
    (row,) = store.rows(_WAITING, {"judge": judge})
    return Waiting(row["tasks"], _moment(row["next"]), _moment(row["oldest"])) if row["tasks"] else Waiting()


def last_tasks(
    store: Store, tenant: str, conversations: Sequence[str], judge: str
) -> dict[tuple[str, int, str], tuple[int, str]]:
    """By conversation, revision and evaluator: the number of the last task, and its state."""
    parameters = {"tenant": tenant, "conversations": list(conversations), "judge": judge}
    found = store.rows(_LAST, parameters) if conversations else []
    return {(row["ConversationId"], row["Revision"], row["Evaluator"]): (row["scoring"], row["state"]) for row in found}


def insert_tasks(store: Store, tasks: Sequence[Task], now: dt.datetime) -> None:
    """Writes tasks as they stand now, each in the place of what stood there before."""
    _insert(store, "judge_tasks", [task_row(task, now) for task in tasks])


def insert_calls(store: Store, calls: Sequence[Call]) -> None:
    """Records calls."""
    _insert(store, "judge_calls", [_call_row(call) for call in calls])


def spent(store: Store, tenants: Iterable[str], since: dt.datetime) -> dict[str, float]:
    """What the calls of some tenants have cost since then, USD."""
    parameters = {"tenants": sorted(set(tenants)), "since": _milliseconds(since)}
    return {row["TenantId"]: row["spent"] for row in store.rows(_SPENT, parameters)}


def answers(
    store: Store, talk: tuple[str, str], judge: tuple[str, str], contents: Iterable[str], since: dt.datetime
) -> dict[tuple[str, bool], Answer]:
    """The last answers since then to what had these digests, of a tenant. `judge`: its model and its address's digest.

    By digest, and whether it was asked about the conversation of `talk` (tenant, conversation) or about another one
    that was word for word the same.
    """
    parameters = {
        "tenant": talk[0],
        "conversation": talk[1],
        "judge": judge[0],
        "url_digest": judge[1],
        "contents": sorted(set(contents)),
        "since": _milliseconds(since),
    }
    return {
        (row["Content"], bool(row["own"])): Answer(_moment(row["called"]), *_values(row["told"]))
        for row in store.rows(_ANSWERS, parameters)
    }


def spent_on(store: Store, tenant: str, tasks: Sequence[Task]) -> dict[Task, Spent]:
    """What the calls of some tasks of a tenant and judge have taken so far, each since it was asked for."""
    if not tasks:
        return {}
    conversations = sorted({task.conversation_id for task in tasks})
    since = _milliseconds(min(task.asked_at for task in tasks))
    parameters = {"tenant": tenant, "judge": tasks[0].judge, "conversations": conversations, "since": since}
    found = dict.fromkeys(tasks, Spent())
    for row in store.rows(_USED, parameters):
        took = Spent(row["InputTokens"], row["OutputTokens"], row["CostUsd"], row["LatencyMs"])
        for task in tasks:
            of_task = (task.conversation_id, task.evaluator) == (row["ConversationId"], row["Evaluator"])
            if of_task and row["called"] >= _milliseconds(task.asked_at):
                found[task] += took
    return found


def judge_uses(store: Store, tenant: str, conversations: Sequence[str], named: Named) -> list[Used]:
    """Which models answered as judge of some conversations of a tenant, as all calls on record tell it.

    `named`: from the model that was asked for and the one that answered to the provider and the version.
    """
    found: dict[str, list[Use]] = {}
    for row in store.rows(_ANSWERED, {"tenant": tenant, "conversations": list(conversations)}):
        uses = found.setdefault(row["ConversationId"], [])
        uses.append(_use(tenant, row, named, len(uses) + 1))
    return [Used(conversation, 1, uses) for conversation, uses in found.items()]


def _use(tenant: str, row: Mapping[str, Any], named: Named, opening: int) -> Use:
    first, last = _moment(row["first"]), _moment(row["last"])
    served, requested = row["JudgeModel"], row["Judge"]
    provider, version = named(requested, served)
    return Use(
        slot=judge_slot(tenant),
        conversation_id=row["ConversationId"],
        version=version,
        provider=provider,
        requested=requested,
        served=served,
        first=first,
        last=last,
        first_trace="",
        calls=row["calls"],
        first_ns=row["first"] * 10**6,
        failed=row["failed"],
        opening=opening,
    )


def task_row(task: Task, now: dt.datetime) -> dict[str, Any]:
    """A row of judge_tasks."""
    return {
        "TenantId": task.tenant,
        "ConversationId": task.conversation_id,
        "Revision": task.revision,
        "Evaluator": task.evaluator,
        "Judge": task.judge,
        "Scoring": task.scoring,
        "State": task.state,
        "Threshold": task.threshold,
        "Attempts": task.attempts,
        "AskedAt": naive(task.asked_at),
        "NextAt": naive(task.next_at),
        "Error": task.error,
        "UpdatedAt": naive(now),
    }


def _call_row(call: Call) -> dict[str, Any]:
    return {
        "TenantId": call.task.tenant,
        "CalledAt": naive(call.at),
        "CallId": call.id,
        "ConversationId": call.task.conversation_id,
        "Evaluator": call.task.evaluator,
        "Judge": call.task.judge,
        "JudgeModel": call.served,
        "JudgePrompt": call.prompt,
        "Content": call.content,
        "Asked": json.dumps(call.asked),
        "Outcome": call.outcome,
        "InputTokens": call.input_tokens,
        "OutputTokens": call.output_tokens,
        "CostUsd": call.cost_usd,
        "LatencyMs": call.latency_ms,
        "Answer": call.answer,
    }


def _task(row: Mapping[str, Any]) -> Task:
    return Task(
        tenant=row["TenantId"],
        conversation_id=row["ConversationId"],
        revision=row["Revision"],
        evaluator=row["Evaluator"],
        judge=row["Judge"],
        threshold=row["Threshold"],
        asked_at=_moment(row["asked"]),
        next_at=_moment(row["next"]),
        scoring=row["Scoring"],
        attempts=row["Attempts"],
        state=row["State"],
        error=row["Error"],
    )


def _values(told: Any) -> tuple[Any, ...]:
    return tuple(told.values() if isinstance(told, dict) else told)


def _moment(milliseconds: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(milliseconds=milliseconds)


def _milliseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(milliseconds=1)


def _insert(store: Store, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        columns = {name: pa.array([row[name] for row in rows], _TYPES.get(name)) for name in rows[0]}
        store.insert(table, pa.table(columns))
