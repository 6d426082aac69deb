"""What a report says when it has nothing to report: why, and what to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spanwitness.report.sql import Ask, fetch, matching
from spanwitness.report.text import command, count, line

if TYPE_CHECKING:
    from rich.text import Text

_CLOSED = "SELECT count() AS n FROM conversations_latest WHERE {where}"
_OPEN = """
SELECT count() AS n FROM (
    SELECT sum(Batches) > max(Settled) AS open FROM otel_traces_trace_id_ts WHERE {where} GROUP BY TenantId, TraceId
) WHERE open
"""


def nothing(ask: Ask, missing: str, tenant: str | None = None) -> Text:
    """Why there is nothing. `missing`: what a record with closed conversations lacks, e.g. "no score"."""
    where = matching(TenantId=tenant)
    whose = "" if tenant is None else f" of tenant {tenant!r}"
    closed, open_traces = _number(ask, _CLOSED, where), _number(ask, _OPEN, where)
    if closed:
        return line(f"There is {missing}{whose}, though {count(closed, 'conversation')} closed.")
    if open_traces:
        return line(
            f"Nothing to report yet{whose}: no conversation has closed. Still open:"
            f" {count(open_traces, 'trace')}. A conversation closes after its idle time, or now by"
            f" `{command('close', 'ID')}`."
        )
    return line(
        f"Nothing is recorded yet{whose}. Send spans to `{command('serve')}`, read a file with"
        f" `{command('import', 'FILE')}`, or see an example with `{command('demo')}`."
    )


def _number(ask: Ask, sql: str, where: str) -> int:
    return int(fetch(ask, sql.replace("{where}", where))[0]["n"])
