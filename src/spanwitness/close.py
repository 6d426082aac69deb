"""Which conversations are over: from stored facts and `now`, nothing else."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spanwitness.model import OpenTrace

CloseReason = Literal["ended", "idle", "max_age", "requested", "import"]


@dataclass(frozen=True, slots=True)
class ClosePolicy:
    """When silence means the end.

    Attributes:
        idle: silence after which a conversation is over.
        max_age: age at which it is closed even while it goes on.
        end_grace: silence after an explicit end: spans of the same moment may still be on their way.
        idle_by_channel: idle time of a channel, e.g. voice.
        idle_by_tenant: idle time of a tenant; goes before the channel's.
    """

    idle: dt.timedelta = dt.timedelta(minutes=15)
    max_age: dt.timedelta = dt.timedelta(hours=24)
    end_grace: dt.timedelta = dt.timedelta(seconds=10)
    idle_by_channel: Mapping[str, dt.timedelta] = field(default_factory=dict)
    idle_by_tenant: Mapping[str, dt.timedelta] = field(default_factory=dict)

    def idle_of(self, tenant: str, channel: str) -> dt.timedelta:
        """The idle time that holds for a conversation."""
        return self.idle_by_tenant.get(tenant, self.idle_by_channel.get(channel, self.idle))


@dataclass(frozen=True, slots=True)
class Due:
    """A conversation to be closed, and its traces that are open."""

    tenant: str
    conversation_id: str
    reason: CloseReason
    traces: tuple[OpenTrace, ...]


def due(traces: Iterable[OpenTrace], now: dt.datetime, policy: ClosePolicy) -> list[Due]:
    """The conversations that are over at `now`, in order of their beginning."""
    found = []
    for (tenant, identity), group in by_conversation(traces).items():
        reason = _reason(tenant, group, now, policy)
        if reason is not None:
            found.append(Due(tenant, identity, reason, tuple(group)))
    return found


def by_conversation(traces: Iterable[OpenTrace]) -> dict[tuple[str, str], list[OpenTrace]]:
    """Traces by tenant and conversation, each group and the groups in order of time."""
    groups: dict[tuple[str, str], list[OpenTrace]] = defaultdict(list)
    for trace in sorted(traces, key=lambda trace: (trace.start, trace.trace_id)):
        groups[trace.tenant, trace.conversation_id].append(trace)
    return groups


def _reason(tenant: str, group: list[OpenTrace], now: dt.datetime, policy: ClosePolicy) -> CloseReason | None:
    silence = now - max(trace.last for trace in group)
    channel = max(trace.channel for trace in group)
    idle = policy.idle_of(tenant, channel)
    if any(trace.ended for trace in group) and silence >= min(policy.end_grace, idle):
        return "ended"
    if silence >= idle:
        return "idle"
    return "max_age" if now - min(trace.since for trace in group) >= policy.max_age else None
