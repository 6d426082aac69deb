"""Which models a conversation used, and the order in which uses are read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spanwitness.model import Conversation, Slot, SpanRecord, Use
from spanwitness.model_names import relation

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_Alike = tuple[str, ...]


def order(use: Use) -> tuple[object, ...]:
    """Within a slot, total: the order in which uses came decides nothing."""
    return (use.first_ns, use.first, use.conversation_id, *_alike(use))


def _alike(use: Use) -> _Alike:
    names = (use.version, use.requested, use.provider, use.served)
    return (*names, use.fingerprint, use.prompt_version, use.agent_version)


def moment(ns: int) -> dt.datetime:
    """Unix nanoseconds as a time, cut to microseconds."""
    return _EPOCH + dt.timedelta(microseconds=ns // 1000)


@dataclass(slots=True)
class _Calls:
    """Calls of a conversation that are alike."""

    spans: list[SpanRecord] = field(default_factory=list)
    after_failure: int = 0


def uses_of(conversation: Conversation) -> list[Use]:
    """The uses of models in a conversation, by slot and in order of time.

    A use says which calls of a slot stepped in for another model: that which came next after a failed call of it, and
    those that went on from there with the same model. What is tried again is the same model, also where the failed
    call, of course, does not tell which model would have answered it.
    """
    groups: dict[Slot, dict[_Alike, _Calls]] = {}
    last: dict[Slot, tuple[SpanRecord, bool]] = {}
    for step in conversation.steps:
        span = step.span
        if not span.model_version:
            continue
        slot = Slot(conversation.tenant, span.service, span.agent_name, span.role)
        calls = groups.setdefault(slot, {}).setdefault(_key(span), _Calls())
        calls.spans.append(span)
        steps_in = slot in last and _steps_in(*last[slot], span)
        calls.after_failure += steps_in
        last[slot] = span, steps_in
    return [
        use
        for slot, alike in sorted(groups.items())
        for use in _in_order([_use(slot, conversation.conversation_id, calls) for calls in alike.values()])
    ]


def _key(span: SpanRecord) -> _Alike:
    names = (span.model_version, span.requested_model, span.provider, span.served_model)
    return (*names, span.system_fingerprint, span.prompt_version, span.agent_version)


def _failed(span: SpanRecord) -> bool:
    return span.status == "Error"


def _steps_in(before: SpanRecord, stepped_in: bool, span: SpanRecord) -> bool:
    """Whether a call comes next after a failed one of another model, or goes on with the model that did."""
    return _failed(before) if _another(before, span) else stepped_in


def _another(failed: SpanRecord, span: SpanRecord) -> bool:
    if failed.served_model and span.served_model:
        return failed.model_version != span.model_version
    name = span.served_model or span.requested_model
    found = relation(failed.served_model or failed.requested_model, name, span.provider)
    if found == "unknown":
        return failed.requested_model != span.requested_model
    return found == "different"


def _use(slot: Slot, conversation_id: str, calls: _Calls) -> Use:
    first = calls.spans[0]
    return Use(
        slot=slot,
        conversation_id=conversation_id,
        version=first.model_version,
        provider=first.provider,
        requested=first.requested_model,
        served=first.served_model,
        first=moment(first.started_ns),
        last=moment(max(span.started_ns for span in calls.spans)),
        first_trace=first.trace_id,
        calls=len(calls.spans),
        first_ns=first.started_ns,
        fingerprint=first.system_fingerprint,
        prompt_version=first.prompt_version,
        agent_version=first.agent_version,
        failed=sum(map(_failed, calls.spans)),
        after_failure=calls.after_failure,
    )


def _in_order(uses: Sequence[Use]) -> list[Use]:
    return [replace(use, opening=number) for number, use in enumerate(sorted(uses, key=order), 1)]
