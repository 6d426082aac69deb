"""Alerts as Alertmanager's API v2 wants them: `POST /api/v2/alerts`.

An alert there is its labels. So they never change while it stands, but for the severity, which routes it: where that
changes, the alert under the old one is told to have ended, together with the new one.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import orjson

from spanwitness.alert import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.alert import Alert, Row

PATH: Final = "/api/v2/alerts"
STANDS_FOR: Final = 4
"""An alert ends by itself where it is not sent again within so many times the usual interval."""
LONGEST: Final = 200
"""Characters of a label's value."""

NAMES: Final = {
    "version": "SpanWitnessModelSwap",
    "mismatch": "SpanWitnessModelMismatch",
    "unapproved": "SpanWitnessModelUnapproved",
    "unverified": "SpanWitnessModelUnverified",
    "fingerprint": "SpanWitnessBackendChange",
    "disguised": "SpanWitnessDisguisedSwap",
    "prompt": "SpanWitnessPromptChange",
    "agent": "SpanWitnessAgentChange",
    "absent": "SpanWitnessDeclaredChangeAbsent",
}
"""The label `alertname`, by class."""


def payload(alerts: Sequence[Alert], now: dt.datetime, resend: dt.timedelta) -> bytes:
    """The body of a request. At most two entries for each alert."""
    found = []
    for alert in alerts:
        if alert.told_as not in {"", alert.severity}:
            found.append(_entry(alert.row, alert.told_as, max(now, alert.row["FirstSeenAt"])))
        found.append(_entry(alert.row, alert.severity, _end(alert, now, resend)))
    return orjson.dumps(found)


def labels(row: Row, severity: str) -> dict[str, str]:
    """What makes an alert the same one. Alertmanager knows no empty values, so what is not told is not there."""
    found = {
        "alertname": NAMES.get(row["Class"], "SpanWitnessChange"),
        "severity": severity,
        "tenant": row["TenantId"],
        "service": row["ServiceName"],
        "agent": row["AgentName"],
        "role": row["StepKind"],
        "class": row["Class"],
        "swap_id": row["SwapId"],
        "from_version": row["FromVersion"],
        "to_version": row["ToVersion"],
    }
    return {name: _cut(value) for name, value in found.items() if value}


def notes(row: Row) -> dict[str, str]:
    """The annotations: what is told of it, and may change from one sending to the next."""
    found = {
        "summary": text.summary(row),
        "description": text.description(row),
        "since": _iso(row["FirstSeenAt"]),
        "share": text.share(row),
        "first_conversation": row["FirstConversationId"],
        "first_trace": row["FirstTraceId"],
        "next": "\n".join(step.command for step in text.next_steps(row) if step.command),
    }
    return {name: value for name, value in found.items() if value}


def _end(alert: Alert, now: dt.datetime, resend: dt.timedelta) -> dt.datetime:
    if alert.status == "firing":
        return now + STANDS_FOR * resend
    began: dt.datetime = alert.row["FirstSeenAt"]
    return max(began, alert.row["EndedAt"] or now)  # an end before the beginning would be refused


def _entry(row: Row, severity: str, ends: dt.datetime) -> dict[str, Any]:
    return {
        "labels": labels(row, severity),
        "annotations": notes(row),
        "startsAt": _iso(row["FirstSeenAt"]),
        "endsAt": _iso(ends),
    }


def _cut(label: str) -> str:
    """As the metrics cut it: an alert of Prometheus's rules is to be the same one."""
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
