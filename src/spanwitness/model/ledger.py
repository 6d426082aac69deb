"""Who used which model where, and what changed: frozen values, no I/O."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

SwapClass = Literal[
    "version", "mismatch", "unapproved", "unverified", "fingerprint", "disguised", "prompt", "agent", "absent"
]
Severity = Literal["page", "warning", "info"]
Traffic = Literal["all", "part", "fallback", "none"]


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """Where one model is expected: an agent's calls in one role.

    Attributes:
        step_kind: the role: llm, or of speech stt or tts, which are different models by design; `judge` of what judges.
    """

    tenant: str
    service: str
    agent: str
    step_kind: str


@dataclass(frozen=True, slots=True)
class Use:
    """The calls of one conversation in a slot that are alike in all that is told of model, prompt and agent.

    Attributes:
        version: `<provider>/<served>`, `<provider>/<requested>?` where nobody tells what answered.
        served: '' where nobody tells.
        failed: how many of its calls failed.
        after_failure: how many of its calls came next after a failed call of another model in the same conversation, or
            went on from there with the same model.
        opening: 1 for the first use of its conversation in the slot, 2 for the next, and so on, in order of time.
    """

    slot: Slot
    conversation_id: str
    version: str
    provider: str
    requested: str
    served: str
    first: dt.datetime
    last: dt.datetime
    first_trace: str
    calls: int
    first_ns: int = 0
    fingerprint: str = ""
    prompt_version: str = ""
    agent_version: str = ""
    failed: int = 0
    after_failure: int = 0
    opening: int = 1


@dataclass(frozen=True, slots=True)
class Swap:
    """One change, as the ledger tells it.

    Attributes:
        swap_class: `version`: another model answers; `mismatch`: not the one asked for; `unapproved`: not on the
            contract's list; `unverified`: too few calls tell which model answered; `fingerprint`: another backend;
            `disguised`: the same name, other behaviour; `prompt`, `agent`: another version of the prompt or the agent;
            `absent`: declared, and never seen.
        from_version: what answered before; '' where nothing did.
        occurrence: 1 for the first change from the one to the other, 2 when it happens again.
        before: conversations on `from_version` before it.
        after: conversations on `to_version` since.
        share_now: of the slot's last 50 conversations, the share in which `to_version` answered.
        traffic: what it took over: `all` of the slot's conversations of late; a `part` (canary, router); as a
            `fallback`, most of its calls after a failed one; `none`: the slot has returned.
        ended_ns: when the slot had returned, Unix nanoseconds; 0 while the change stands.
        deployment_id: the declared change that covers it; '' where none does.
    """

    slot: Slot
    swap_class: SwapClass
    from_version: str
    to_version: str
    occurrence: int
    first_seen: dt.datetime
    first_seen_ns: int
    first_trace: str
    first_conversation: str
    before: int
    after: int
    severity: Severity
    evidence: dict[str, object]
    share_now: float = 1.0
    traffic: Traffic = "all"
    ended_ns: int = 0
    deployment_id: str = ""
    declared_by: str = ""

    @property
    def id(self) -> str:
        """Names it as long as the record exists."""
        key = (*_key_of(self.slot), self.swap_class, self.from_version, self.to_version, self.occurrence)
        return swap_id(key)


def _key_of(slot: Slot) -> tuple[str, str, str, str]:
    return slot.tenant, slot.service, slot.agent, slot.step_kind


def swap_id(key: Sequence[str | int]) -> str:
    """What makes a swap the same one (tenant, service, agent, role, class, from, to, occurrence) as a short digest."""
    return hashlib.sha256(json.dumps(list(key), ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class VersionUse:
    """A version's record in a slot. `verified`: the share of its calls whose served model was told."""

    slot: Slot
    version: str
    first: dt.datetime
    last: dt.datetime
    conversations: int
    calls: int
    verified: float
