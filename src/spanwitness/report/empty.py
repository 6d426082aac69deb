"""What a report says when it has nothing to report: why, and what to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spanwitness.report.sql import Ask, fetch, matching
from spanwitness.report.text import command, count, line

if TYPE_CHECKING:
    from rich.text import Text

_CLOSED: Final = "SELECT count() AS closed FROM conversations_latest WHERE {where}"
_TRACES: Final = """
SELECT count() AS all, countIf(Open) AS open FROM (
    SELECT sum(Batches) > max(Settled) AS Open FROM otel_traces_trace_id_ts WHERE {where} GROUP BY TenantId, TraceId
)
"""
_SPANS: Final = "SELECT count() AS some FROM (SELECT 1 FROM otel_traces WHERE {where} LIMIT 1)"
_WHAT_ARRIVED: Final = "SELECT ScopeName, SpanName, count() FROM otel_traces GROUP BY ALL"


def nothing(ask: Ask, missing: str, tenant: str | None = None) -> Text:
    """Why there is nothing. `missing`: what a record with closed conversations lacks, e.g. "no score"."""
    where = matching(TenantId=tenant)
    whose = "" if tenant is None else f" of tenant {tenant!r}"
    closed = fetch(ask, _CLOSED.replace("{where}", where))[0]["closed"]
    if closed:
        return line(f"There is {missing}{whose}, though {count(closed, 'conversation')} closed.")
    traces = fetch(ask, _TRACES.replace("{where}", where))[0]
    # The index of traces is written a little behind the spans.
    just_arrived = not traces["all"] and fetch(ask, _SPANS.replace("{where}", where))[0]["some"]
    if traces["open"] or just_arrived:
        still = "what has just arrived" if just_arrived else count(traces["open"], "trace")
        return line(
            f"Nothing to report yet{whose}: no conversation has closed. Still open: {still}."
            f" A conversation closes after its idle time, or now by `{command('close', 'ID')}`."
        )
    if traces["all"]:
        return line(
            f"Nothing to report{whose}: none of the spans stored ({count(traces['all'], 'trace')}) is a step of an"
            f" agent, that is, a call of a model, a tool and so on, as far as their instrumentation tells. What"
            f" arrived: `{command('query', _WHAT_ARRIVED)}`."
        )
    return line(
        f"Nothing is recorded yet{whose}. Send spans to `{command('serve')}`, read a file with"
        f" `{command('import', 'FILE')}`, or see an example with `{command('demo')}`."
    )
