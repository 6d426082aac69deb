"""The review lane: what is open in the store, closed, settled, evaluated, compared, and written back.

Everything is computed from deduplicated reads and keyed by revision, and a trace counts as reviewed only after all of
it is written: killed anywhere, the next sweep does the same again and nothing is there twice.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from spanwitness.close import ClosePolicy, Due, by_conversation, due
from spanwitness.errors import StoreError, fault
from spanwitness.evaluators import BUNDLE, Bundle, run
from spanwitness.model import Conversation, LogRecord, OpenTrace, Score, Slot, SpanRecord, Swap
from spanwitness.pipeline.contracts import ContractBook
from spanwitness.pipeline.gathering import by_identity, chunks, conversation_of, group, source_of
from spanwitness.pipeline.judge_rules import tasks_of
from spanwitness.pipeline.ledger import Ledger
from spanwitness.pipeline.score_shift import ScoreShifts
from spanwitness.pipeline.touched import Touched, touched_by
from spanwitness.pipeline.watch import Watch, WatchRules
from spanwitness.settle import digest, facts
from spanwitness.store import Store, record, rows
from spanwitness.store.judging import Task, insert_tasks
from spanwitness.store.uses import Used, replace_uses
from spanwitness.swap import uses_of

if TYPE_CHECKING:
    import datetime as dt

    from spanwitness.pipeline.bundles import Configured

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]

_REWRITE = """
INSERT INTO otel_traces
SELECT t.* REPLACE (s.ConversationId AS ConversationId, s.ConversationIdSource AS ConversationIdSource,
                    s.TrajectoryStep AS TrajectoryStep, s.Version AS Version)
FROM (
    SELECT * FROM otel_traces FINAL
    WHERE TenantId = {tenant:String} AND TraceId IN (SELECT TraceId FROM span_settlements WHERE Sweep = {sweep:String})
      AND toStartOfHour(Timestamp) >= toStartOfHour({start:DateTime}) AND Timestamp <= {end:DateTime} + 1
) AS t
INNER JOIN (SELECT * FROM span_settlements WHERE Sweep = {sweep:String}) AS s
    ON t.TenantId = s.TenantId AND t.TraceId = s.TraceId AND t.SpanId = s.SpanId
SETTINGS max_partitions_per_insert_block = 0  -- a conversation may go on for more days than the 100 allowed
"""


@dataclass(frozen=True, slots=True)
class ReviewRules:
    """How conversations are closed and judged.

    Attributes:
        bundle: what judges where no contract says otherwise.
        chunk_spans: about how many spans are held in memory at once.
        watch: how slots are watched for disguised swaps; None: not at all.
        judge: the model that is asked for what a bundle has judged; '': none is.
    """

    close: ClosePolicy = field(default_factory=ClosePolicy)
    bundle: Bundle | Configured = BUNDLE
    chunk_spans: int = 5_000
    watch: WatchRules | None = None
    judge: str = ""


@dataclass(slots=True)
class Sweep:
    """What one pass of the review lane did. `waiting`: the traces that it left open, where it looked at all of them."""

    closed: int = 0
    revised: int = 0
    unchanged: int = 0
    failed: int = 0
    waiting: int | None = None
    scores: int = 0
    swaps: list[Swap] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """What became of the conversations."""
        return {name: getattr(self, name) for name in ("closed", "revised", "unchanged", "failed")}


@dataclass(slots=True)
class _Written:
    """Rows of one chunk, by table."""

    conversations: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    settlements: list[rows.Settlement] = field(default_factory=list)
    slots: set[Slot] = field(default_factory=set)
    moved_from: dict[str, str] = field(default_factory=dict)
    judged: set[str] = field(default_factory=set)
    uses: list[Used] = field(default_factory=list)
    new: list[Conversation] = field(default_factory=list)
    again: bool = False


class Review:
    """Closes what is over. One instance a store; not for several threads at once."""

    def __init__(self, store: Store, rules: ReviewRules, contracts: ContractBook | None = None) -> None:
        self._store = store
        self._rules = rules
        self._contracts = contracts or ContractBook(store, rules.bundle)
        self._ledger = Ledger(store)
        self._hurried = threading.Event()
        self._score_shifts = ScoreShifts(store, self._hurried.is_set)
        self._watch = Watch(store, rules.watch) if rules.watch is not None else None
        self.touched = Touched(store)
        self._looked_through = False

    def sweep(self, now: dt.datetime, progress: Progress = lambda _done, _all: None) -> Sweep:
        """Closes every conversation that is over at `now`."""
        found = self._open(now)
        over = due(found, now, self._rules.close)
        swept = self._close(over, now, progress)
        swept.waiting = len(found) - sum(len(one.traces) for one in over)
        self._looked_through = True
        return swept

    def _open(self, now: dt.datetime) -> list[OpenTrace]:
        """What is open. The first look goes through the whole index; later ones through what can still be open."""
        close = self._rules.close
        longest = max(close.max_age, close.idle, *close.idle_by_channel.values(), *close.idle_by_tenant.values())
        return record.open_traces(self._store, now - 2 * longest if self._looked_through else None)

    def close_all(
        self,
        now: dt.datetime,
        reason: Any,
        traces: set[tuple[str, str]] | None = None,
        progress: Progress | None = None,
    ) -> Sweep:
        """Closes every open conversation, or those that have one of some traces (tenant, trace id)."""
        groups = by_conversation(record.open_traces(self._store))
        wanted = [
            Due(tenant, identity, reason, tuple(group))
            for (tenant, identity), group in groups.items()
            if traces is None or any((tenant, trace.trace_id) in traces for trace in group)
        ]
        return self._close(wanted, now, progress or (lambda _done, _all: None))

    def close_one(self, conversation_id: str, now: dt.datetime, tenant: str | None = None) -> Sweep:
        """Closes the open conversation of this id now, in one tenant or in each that has it."""
        groups = by_conversation(record.open_traces(self._store))
        wanted = [
            Due(owner, identity, "requested", tuple(group))
            for (owner, identity), group in groups.items()
            if identity == conversation_id and tenant in (None, owner)
        ]
        return self._close(wanted, now, lambda _done, _all: None)

    def rejudge(self, tenant: str, now: dt.datetime) -> list[Swap]:
        """See Ledger.rejudge. Raises StoreError."""
        return self._ledger.rejudge(tenant, now)

    def hurry(self) -> None:
        """Has a pass that runs end after what it is at; the rest stays open. From any thread."""
        self._hurried.set()

    def finish(self, now: dt.datetime) -> None:
        """Stores what a next process would else have to read again. Raises StoreError: nothing is lost by it."""
        if self._watch is not None:
            self._watch.flush(now)

    def _close(self, wanted: Sequence[Due], now: dt.datetime, progress: Progress) -> Sweep:
        sweep, done = Sweep(), 0
        self._contracts.refresh()
        sweep.swaps += self._ledger.sweep(now) + self.touched.refresh(self._ledger, self._score_shifts, now)
        for chunk in chunks(wanted, self._rules.chunk_spans):
            if self._hurried.is_set():
                break
            self._settle_all(chunk, now, sweep)
            done += len(chunk)
            progress(done, len(wanted))
        return sweep

    def _settle_all(self, chunk: Sequence[Due], now: dt.datetime, sweep: Sweep) -> None:
        """Settles a chunk. A conversation that we cannot handle stays open and is told; it holds up no other one."""
        try:
            self._settle(chunk, now, sweep)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other conversations are none of its business
            if len(chunk) > 1:
                for one in chunk:
                    self._settle_all([one], now, sweep)
                return
            sweep.failed += 1
            one = chunk[0]
            log.error(
                "conversation %s of tenant %s could not be reviewed and stays open: %s",
                one.conversation_id,
                one.tenant,
                fault(error),
            )

    def _settle(self, chunk: Sequence[Due], now: dt.datetime, sweep: Sweep) -> None:
        tenant = chunk[0].tenant
        last = record.last_revisions(self._store, tenant, [one.conversation_id for one in chunk])
        traces = self._traces(tenant, chunk, last)
        if len(chunk) > 1 and sum(trace.spans for trace in traces) > 4 * self._rules.chunk_spans:
            # Little of them is new, but all of it is judged: as much as is held at once is bounded all the same.
            for part in (chunk[: len(chunk) // 2], chunk[len(chunk) // 2 :]):
                self._settle(part, now, sweep)
            return
        if not traces:  # what was open has meanwhile turned out to belong to another conversation
            return
        written = self._judge(chunk, traces, last, now, sweep)
        also = self._resettle(written, now, sweep, tenant) if written.moved_from else []
        if self._watch is not None:  # before a revision counts: what it passed over would not come again
            sweep.swaps += self._watch.take(written.new, now)
        self._write(written, tenant, now)
        sweep.swaps += self._ledger.update(tenant, written.slots, now)
        self._score_shifts.refresh(tenant, written.slots, now, touched_by(written.uses, written.slots, written.again))
        # The spans themselves come after all that is derived from them: until they are rewritten, a sweep that starts
        # over sees from where each of them moved.
        self._rewrite_spans(written, tenant, [*traces, *also])
        self._store.insert("otel_traces_trace_id_ts", rows.table([rows.reviewed_row(trace, now) for trace in traces]))

    def _traces(self, tenant: str, chunk: Sequence[Due], last: Mapping[str, record.LastRevision]) -> list[OpenTrace]:
        """The traces of some conversations: the open ones and those of their newest revisions, as they are now."""
        ids = {trace.trace_id for one in chunk for trace in one.traces}
        ids |= {trace for revision in last.values() for trace in revision.traces}
        wanted = {one.conversation_id for one in chunk}
        found = record.traces_by_id(self._store, tenant, sorted(ids))
        return [trace for trace in found if trace.conversation_id in wanted]

    def _judge(
        self,
        chunk: Sequence[Due],
        traces: Sequence[OpenTrace],
        last: Mapping[str, record.LastRevision],
        now: dt.datetime,
        sweep: Sweep,
    ) -> _Written:
        tenant = chunk[0].tenant
        spans = group(record.load_spans(self._store, tenant, traces), traces, lambda stored: stored.span.trace_id)
        logs = group(record.load_logs(self._store, tenant, traces), traces, lambda entry: entry.trace_id)
        own = by_identity(traces)
        # A slot that a conversation leaves, since its agent was told later, is looked at again as well.
        written = _Written(slots=record.slots_of(self._store, tenant, list(last)))
        for one in chunk:
            identity = one.conversation_id
            self._judge_one(
                one,
                own.get(identity, ()),
                spans.get(identity, []),
                logs.get(identity, []),
                last.get(identity, record.LastRevision()),
                written,
                now,
                sweep,
            )
        return written

    def _judge_one(
        self,
        one: Due,
        traces: Sequence[OpenTrace],
        spans: Sequence[record.StoredSpan],
        logs: Sequence[LogRecord],
        last: record.LastRevision,
        written: _Written,
        now: dt.datetime,
        sweep: Sweep,
    ) -> None:
        source = source_of(traces)
        conversation = conversation_of(one, spans, logs, source)
        if not conversation.steps:
            return
        written.judged.add(one.conversation_id)
        content = digest(conversation)
        unchanged = content == last.digest
        conversation = replace(conversation, revision=last.number + (not unchanged))
        written.slots |= {_slot(step.span) for step in conversation.steps if step.span.model_version}
        _settlements(conversation, spans, source, written)
        if unchanged:
            sweep.unchanged += 1
            written.again = True
            return
        sweep.scores += self._record(conversation, one.reason, source, content, written, now)
        written.new += [conversation] if self._watch is not None else []
        sweep.closed += last.number == 0
        sweep.revised += last.number > 0

    def _record(
        self, conversation: Conversation, reason: str, source: str, content: str, written: _Written, now: dt.datetime
    ) -> int:
        bundle = self._contracts.bundle(conversation)
        scores = [run(evaluator, conversation) for evaluator in bundle.evaluators]
        closed = rows.Closed(
            conversation=conversation,
            facts=facts(conversation),
            source=source,
            reason=reason,
            outcome=_outcome(scores),
            digest=content,
            traces=tuple(sorted({step.span.trace_id for step in conversation.steps})),
        )
        written.conversations.append(rows.conversation_row(closed, now))
        written.uses.append(Used(conversation.conversation_id, conversation.revision, uses_of(conversation)))
        written.steps += [rows.step_row(conversation, step, now) for step in conversation.steps]
        written.scores += [
            rows.score_row(conversation, score, bundle.threshold(score.evaluator), now) for score in scores
        ]
        if self._rules.judge:
            written.tasks += tasks_of(conversation, bundle, self._rules.judge, now)
        return len(scores)

    def _resettle(self, written: _Written, now: dt.datetime, sweep: Sweep, tenant: str) -> list[OpenTrace]:
        """Conversations that lost a trace, since its true id arrived later, get a revision without it.

        Those that were due themselves have it already. Returns the traces that they keep: their steps are renumbered.
        """
        moved = {old: new for old, new in written.moved_from.items() if old not in written.judged}
        last = record.last_revisions(self._store, tenant, list(moved))
        before = [Due(tenant, identity, "requested", ()) for identity in moved]
        traces = self._traces(tenant, before, last)
        left = by_identity(traces)
        written.slots |= record.slots_of(self._store, tenant, list(last))
        for identity, new in moved.items():
            if identity not in left and identity in last and last[identity].digest:
                written.conversations.append(rows.emptied_row(tenant, identity, last[identity].number + 1, now, new))
                written.uses.append(Used(identity, last[identity].number + 1, ()))
                sweep.revised += 1
        again = [Due(tenant, identity, "requested", tuple(group)) for identity, group in left.items()]
        if again:
            more = self._judge(again, traces, last, now, sweep)
            written.conversations += more.conversations
            written.steps += more.steps
            written.scores += more.scores
            written.tasks += more.tasks
            written.settlements += more.settlements
            written.slots |= more.slots
            written.uses += more.uses
        return traces

    def _write(self, written: _Written, tenant: str, now: dt.datetime) -> None:
        """The conversation's own row goes last: it is what makes a revision count."""
        replace_uses(self._store, tenant, written.uses)
        insert_tasks(self._store, written.tasks, now)
        tables = (("steps", written.steps), ("scores", written.scores), ("conversations", written.conversations))
        for table, entries in tables:
            if entries:
                self._store.insert(table, rows.table(entries))

    def _rewrite_spans(self, written: _Written, tenant: str, traces: Sequence[OpenTrace]) -> None:
        if not written.settlements:
            return
        name = uuid.uuid4().hex
        entries = [rows.settlement_row(settlement, name) for settlement in written.settlements]
        self._store.insert("span_settlements", rows.table(entries))
        span = {"start": min(trace.start for trace in traces), "end": max(trace.end for trace in traces)}
        self._store.command(_REWRITE, {"tenant": tenant, "sweep": name, **span})


def _slot(span: SpanRecord) -> Slot:
    return Slot(span.tenant, span.service, span.agent_name, span.role)


def _settlements(
    conversation: Conversation, spans: Sequence[record.StoredSpan], source: str, written: _Written
) -> None:
    """What becomes of each span's row. Every step's is written once at least, so that it says whose it was.

    Its agent stays as the span told it: what is inferred from others stands in `steps`, and may change with them.
    """
    steps = {(step.span.trace_id, step.span.span_id): step.number for step in conversation.steps}
    for stored in spans:
        number = steps.get((stored.span.trace_id, stored.span.span_id), 0)
        if stored.version and stored.conversation_id != conversation.conversation_id:
            written.moved_from[stored.conversation_id] = conversation.conversation_id
        wanted = (conversation.conversation_id, source, number)
        if wanted != (stored.conversation_id, stored.source, stored.step) or (number and not stored.version):
            version = max(conversation.revision, stored.version + 1)
            written.settlements.append(
                rows.Settlement(conversation.tenant, stored.span.trace_id, stored.span.span_id, *wanted, version)
            )


def _outcome(scores: Iterable[Score]) -> str:
    """How the conversation ended, as ConversationResolution has it; '' where it did not run."""
    return next((score.label for score in scores if score.evaluator == "ConversationResolution"), "")
