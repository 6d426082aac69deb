"""What is left as it is where conversations are scored again: the verdicts of a judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spanwitness.report.sql import Ask, fetch, literal, matching

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence


def judged(
    ask: Ask,
    *,
    evaluators: Sequence[str],
    tenant: str | None,
    conversation: str | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
) -> int:
    """How many scores of a judge are in force for conversations, selected as `rescore` does.

    Args:
        ask: the record.
        evaluators: by these alone; none: by any.
        tenant: whose; None: anybody's.
        conversation: this alone; None: any.
        since: the newest revision closed from then on.
        until: and before then.
    """
    where = matching(TenantId=tenant, ConversationId=conversation)
    named = f" AND Evaluator IN ({', '.join(map(literal, evaluators))})" if evaluators else ""
    closed = "".join(
        f" AND argMax(ClosedAt, (Revision, ClosedAt)) {sign} fromUnixTimestamp64Milli({int(moment.timestamp() * 1000)})"
        for moment, sign in ((since, ">="), (until, "<"))
        if moment is not None
    )
    sql = f"""
SELECT count() AS Judged FROM scores_latest
WHERE {where}{named} AND Judge != '' AND Status = 'completed' AND (TenantId, ConversationId) IN (
    SELECT TenantId, ConversationId FROM conversations WHERE {where} GROUP BY TenantId, ConversationId
    HAVING argMax(CloseReason, (Revision, ClosedAt)) != 'moved'{closed})"""
    return int(fetch(ask, sql)[0]["Judged"])
