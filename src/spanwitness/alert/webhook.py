"""Alerts as a webhook gets them: JSON by docs/alert.schema.json, signed."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

import orjson

from spanwitness.alert import text

if TYPE_CHECKING:
    from spanwitness.alert import Alert, Row

VERSION: Final = 1
DELIVERY: Final = "X-SpanWitness-Delivery"
TIMESTAMP: Final = "X-SpanWitness-Timestamp"
SIGNATURE: Final = "X-SpanWitness-Signature"


def body(alert: Alert) -> bytes:
    """What is posted."""
    told = {
        "version": VERSION,
        "delivery": alert.delivery,
        "status": alert.status,
        "severity": alert.severity,
        "previous_severity": alert.told_as if alert.told_as not in {"", alert.severity} else None,
        "class": alert.row["Class"],
        "swap": _swap(alert.row),
        "text": text.told(alert),
        "next": [{"why": step.why, "command": step.command} for step in text.next_steps(alert.row)],
    }
    return orjson.dumps(told)


def headers(delivery: str, content: bytes, secret: str, now: dt.datetime) -> dict[str, str]:
    """What goes with it. `secret`: '' for no signature."""
    stamp = str(int(now.timestamp()))
    found = {
        "content-type": "application/json",
        "idempotency-key": delivery,
        DELIVERY: delivery,
        TIMESTAMP: stamp,
    }
    return {**found, SIGNATURE: signature(secret, stamp, content)} if secret else found


def signature(secret: str, stamp: str, content: bytes) -> str:
    """`sha256=` and the HMAC of `<stamp>.<content>`: whoever replays a body cannot make it look new."""
    return "sha256=" + hmac.new(secret.encode(), f"{stamp}.".encode() + content, hashlib.sha256).hexdigest()


def _swap(row: Row) -> dict[str, Any]:
    return {
        "id": row["SwapId"],
        "tenant": row["TenantId"],
        "service": row["ServiceName"],
        "agent": row["AgentName"],
        "role": row["StepKind"],
        "from_version": row["FromVersion"],
        "to_version": row["ToVersion"],
        "occurrence": row["Occurrence"],
        "first_seen_at": _iso(row["FirstSeenAt"]),
        "detected_at": _iso(row["DetectedAt"]),
        "ended_at": None if row["EndedAt"] is None else _iso(row["EndedAt"]),
        "withdrawn": bool(row["Withdrawn"]),
        "first_conversation": row["FirstConversationId"],
        "first_trace": row["FirstTraceId"],
        "conversations_before": row["ConversationsBefore"],
        "conversations_after": row["ConversationsAfter"],
        "share_now": row["ShareNow"],
        "traffic": row["Traffic"],
        "severity": row["Severity"],
        "declared": bool(row["Declared"]),
        "declared_by": row["DeclaredBy"],
        "deployment_id": row["DeploymentId"],
        "evidence": orjson.loads(row["Evidence"] or "{}"),
        "score_shift": orjson.loads(row["ScoreShift"] or "{}"),
    }


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
