"""The request lane: bytes in, rows stored, passed on where there is a next hop, answer out."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spanwitness import __version__
from spanwitness.decode import decode_logs, decode_spans
from spanwitness.errors import Rejected, StoreError
from spanwitness.metrics import Meters, names
from spanwitness.pipeline.deployments import Register
from spanwitness.pipeline.parcels import Packer
from spanwitness.pipeline.span_declarations import SpanDeclarations, Told, told_by_spans
from spanwitness.pipeline.trace_index import TraceIndex
from spanwitness.receive import Caller, Outcome, Signal
from spanwitness.store.batch import Batcher, BatchLimits, Pending, Work
from spanwitness.store.compact import compact
from spanwitness.tag import TenantRule, index_traces, tag_logs, tag_spans

if TYPE_CHECKING:
    import pyarrow as pa

    from spanwitness.columns import Problem
    from spanwitness.forward import Onward
    from spanwitness.store import Store

Clock = Callable[[], dt.datetime]
_NOT_STORED = ["ConversationTrust", "ConversationEnded"]
_NOT_STORED_OF_LOGS = [*_NOT_STORED, "ConversationIdSource", "Channel"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IngestRules:
    """How requests are taken in.

    Attributes:
        tenant: where the tenant stands.
        tenant_header: a header that binds the caller to a tenant, set by the proxy that authenticated it; '' for none.
        limits: of the batches.
        declare: whether spans may declare changes.
    """

    tenant: TenantRule = field(default_factory=TenantRule)
    tenant_header: str = ""
    limits: BatchLimits = field(default_factory=BatchLimits)
    declare: bool = True


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch ready for the store."""

    table: str
    items: pa.Table
    index: pa.Table
    token: str
    declared: Sequence[Told] = ()


class Ingestion:
    """One `ingest` for every transport and for files.

    Args:
        store: where rows go.
        rules: how requests are taken in.
        clock: what time it is.
        onward: the way to the next hop; None where there is none.
        logs_onward: whether log records go there too.
        meters: where it is counted.
    """

    def __init__(
        self,
        store: Store,
        rules: IngestRules,
        clock: Clock,
        onward: Onward | None = None,
        *,
        logs_onward: bool = True,
        meters: Meters | None = None,
    ) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._onward = onward
        self._meters = meters or Meters()
        packed = {Signal.TRACES, Signal.LOGS} if logs_onward else {Signal.TRACES}
        self._packer = Packer(onward.tally, packed) if onward is not None else None
        self._declarations = SpanDeclarations(Register(store).record_of_spans)
        self.index = TraceIndex(store)
        pass_on = onward.pass_on if onward is not None else None
        self._batchers: dict[Signal, Batcher[Rows]] = {
            signal: Batcher(self._preparer(signal), self.write, rules.limits, pass_on) for signal in Signal
        }

    def start(self) -> None:
        """Starts to take requests; call inside the event loop."""
        for batcher in self._batchers.values():
            batcher.start()

    async def stop(self) -> None:
        """Answers what is in flight, then refuses."""
        for batcher in self._batchers.values():
            await batcher.stop()
        with contextlib.suppress(StoreError):  # what is not written now is caught up with at the next start
            self.flush()

    async def __call__(self, body: bytes, signal: Signal, caller: Caller) -> Outcome:
        """See receive.Ingest."""
        self._meters.add(names.BYTES, caller.transport, signal.value, by=len(body))
        if self._packer is not None and self._onward is not None and self._packer.takes(signal):
            self._onward.check()
        return _outcome(await self._batchers[signal].put(body, self._bound_tenant(caller)))

    def prepare(self, bodies: Sequence[bytes], tenants: Sequence[str], signal: Signal) -> Work[Rows]:
        """Request bodies to rows, and by request what was wrong. `tenants`: what each caller is bound to, or ''."""
        now = self._clock()
        if signal is Signal.TRACES:
            batch = decode_spans(bodies)
            tagged = tag_spans(batch, tenants, self._rules.tenant, now)
            items = tagged.drop_columns(_NOT_STORED)
            declared = told_by_spans(batch, tagged, now) if self._rules.declare else ()
            rows = Rows("otel_traces", items, index_traces(tagged), self._token(bodies, tenants), declared)
        else:
            batch = decode_logs(bodies)
            tagged = tag_logs(batch, tenants, self._rules.tenant, now)
            items = tagged.drop_columns(_NOT_STORED_OF_LOGS)
            rows = Rows("otel_logs", items, index_traces(tagged), self._token(bodies, tenants))
        for problem in batch.problems.values():
            self._meters.add(names.REJECTED, signal.value, names.INVALID, by=problem.rejected)
        if self._packer is None:
            return Work(rows, batch.problems)
        return self._packer.work(rows, bodies, batch, tagged, signal)

    def write(self, rows: Rows) -> None:
        """Stores a batch; durable when this returns. The index comes after: what it counts as arrived can be read."""
        if len(rows.items):
            self._store.insert(rows.table, compact(rows.items), rows.token)
        self._declarations.take(rows.declared)
        if len(rows.index):
            self._indexed(rows.index)

    def _indexed(self, rows: pa.Table) -> None:
        try:
            self.index.add(rows, self._clock())
        except StoreError as error:
            # The spans are stored and stay so: the rows are still held, and are tried again with the next ones.
            log.warning("the trace index lags behind: %s", error)

    def _token(self, bodies: Sequence[bytes], tenants: Sequence[str]) -> str:
        """A digest of what came and of all that decides what is made of it: other rows must have another token."""
        digest = hashlib.sha256(f"{__version__}|{self._rules.tenant}".encode())
        for body, tenant in zip(bodies, tenants, strict=True):
            digest.update(len(body).to_bytes(8, "big") + tenant.encode() + b"\0")
            digest.update(body)
        return digest.hexdigest()

    def flush(self) -> None:
        """Brings the trace index up to date with all that was acknowledged, for a review to see it."""
        self.index.flush()

    def _preparer(self, signal: Signal) -> Callable[[Sequence[Pending]], Work[Rows]]:
        def prepare(group: Sequence[Pending]) -> Work[Rows]:
            return self.prepare([pending.body for pending in group], [pending.tenant for pending in group], signal)

        return prepare

    def _bound_tenant(self, caller: Caller) -> str:
        return caller.headers.get(self._rules.tenant_header, "") if self._rules.tenant_header else ""


def _outcome(problem: Problem | None) -> Outcome:
    if problem is None:
        return Outcome()
    if problem.fatal:
        raise Rejected(problem.reason)
    return Outcome(problem.rejected, problem.reason)
