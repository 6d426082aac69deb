"""What judges said, written down: calls first, since they are paid; the task last, since then nothing is done again."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spanwitness.metrics import Meters, names
from spanwitness.model import Conversation, Score, Slot
from spanwitness.model_names import parse
from spanwitness.store import judging
from spanwitness.store.rows import score_row
from spanwitness.store.scores import insert_scores, key_of, last_verdicts, placed
from spanwitness.store.uses import judge_slot, replace_uses
from spanwitness.tag import model_version

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence

    from spanwitness.judge.settings import JudgeSettings
    from spanwitness.pipeline.judge_rules import Done
    from spanwitness.store import Store

    Touched = Callable[[dict[Slot, int]], None]


class JudgeRecord:
    """Writes what became of tasks. Killed in between, the task is still waiting, and its answer is on record.

    Args:
        store: where to.
        settings: of the judge: its prices, and the address by which an unknown model's maker is guessed.
        touched: is told of the slots whose scores or uses have changed, each with its first such moment, Unix
            nanoseconds.
        meters: where calls are counted.
    """

    def __init__(self, store: Store, settings: JudgeSettings, touched: Touched, meters: Meters) -> None:
        self._store = store
        self._host = urlsplit(settings.url).hostname or ""
        self._touched = touched
        self._meters = meters

    def write(self, done: Sequence[Done], now: dt.datetime) -> None:
        """Writes all of it. Raises StoreError: then the tasks are still there to be done again."""
        calls = [one.call for one in done if one.call is not None]
        judging.insert_calls(self._store, calls)
        touched: dict[Slot, int] = {}
        by_tenant: dict[str, list[Done]] = defaultdict(list)
        for one in done:
            by_tenant[one.task.tenant].append(one)
        for tenant, of_tenant in by_tenant.items():
            self._write_uses(tenant, of_tenant, touched)
            self._write_scores(tenant, of_tenant, touched, now)
        judging.insert_tasks(self._store, [one.task for one in done], now)
        if touched:
            self._touched(touched)
        for call in calls:  # only now: what could not be written is written again
            self._count(call)

    def _write_uses(self, tenant: str, done: Iterable[Done], touched: dict[Slot, int]) -> None:
        """From all calls on record: those of a process that died before it came to that are among them."""
        conversations = sorted({one.task.conversation_id for one in done if one.asked})
        used = judging.judge_uses(self._store, tenant, conversations, self._named) if conversations else []
        if used:
            replace_uses(self._store, tenant, used, judges=True)
            touched[judge_slot(tenant)] = min(use.first_ns for one in used for use in one.uses)

    def _named(self, requested: str, served: str) -> tuple[str, str]:
        """Who makes the model that answered, and its version, named as those of agents are."""
        provider = parse(served or requested, self._host).provider
        return provider, model_version(provider, requested, served)

    def _write_scores(self, tenant: str, done: Sequence[Done], touched: dict[Slot, int], now: dt.datetime) -> None:
        scored = [(one, one.score) for one in done if one.score is not None]
        revisions = sorted({(one.task.conversation_id, one.task.revision) for one, _ in scored})
        last = last_verdicts(self._store, tenant, revisions)
        rows = []
        for one, score in scored:
            row = _row(one, score, now)
            again = placed(row, last.get(key_of(row)))
            if again is not None:
                rows.append(again)
                _touch(one.conversation, touched)
        insert_scores(self._store, rows)

    def _count(self, call: judging.Call) -> None:
        judge = call.task.judge
        self._meters.add(names.JUDGE_CALLS, judge, call.outcome)
        self._meters.observe(names.JUDGE_SECONDS, call.latency_ms / 1000, judge)
        self._meters.add(names.JUDGE_TOKENS, judge, "input", by=call.input_tokens)
        self._meters.add(names.JUDGE_TOKENS, judge, "output", by=call.output_tokens)
        self._meters.add(names.JUDGE_COST, judge, by=call.cost_usd)


def _row(one: Done, score: Score, now: dt.datetime) -> dict[str, object]:
    task, talk = one.task, one.conversation
    messages = talk.messages if talk is not None else ()
    key = Conversation(messages, task.tenant, task.conversation_id, task.revision)
    return score_row(key, score, task.threshold, now)


def _touch(conversation: Conversation | None, touched: dict[Slot, int]) -> None:
    """The agents' slots in a conversation that has another score now."""
    for step in conversation.steps if conversation is not None else ():
        span = step.span
        if span.model_version:
            slot = Slot(span.tenant, span.service, span.agent_name, span.role)
            touched[slot] = min(span.started_ns, touched.get(slot, span.started_ns))
