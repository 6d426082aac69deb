"""Stamps every span with what only the agent's own process knows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import get_current
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.trace import get_current_span

from spanwitness import attributes
from spanwitness.attributes import CONVERSATION, TRAJECTORY_STEP
from spanwitness.sdk.context import current_conversation
from spanwitness.sdk.kinds import STEPS, Kind, kind_of
from spanwitness.sdk.lineage import is_local, note, remember
from spanwitness.sdk.steps import StepCounter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context

_log = logging.getLogger(__name__)
# Python 3.11 looks a member up by its name each time, which costs a tenth of a microsecond.
_MODEL, _UNKNOWN, _NO_STEPS = Kind.MODEL, Kind.UNKNOWN, (Kind.OTHER, Kind.PART)


class SpanWitnessProcessor(SpanProcessor):
    """Sets, on the start of each span, the tenant, the versions, the channel, the current conversation and the step.

    What the span has already is left alone, and an instrumentation may still set its own value later. What is '' is
    not set. Never raises: telemetry that fails is logged, the application goes on.

    Register it before the exporting processor or after; it only acts on the start. Register it after processors that
    set a conversation of their own, so that their steps are numbered.

    Args:
        tenant: who owns the telemetry. A server that knows the tenant by the sender's credentials overrules it.
        agent_version: version of the agent.
        prompt_version: version of the prompt template.
        channel: how the customer reached the agent: voice, chat, email, ...
        intent: what the customer wants, where one process serves one intent.
        language: language of the conversations, BCP 47.
    """

    def __init__(
        self,
        *,
        tenant: str = "",
        agent_version: str = "",
        prompt_version: str = "",
        channel: str = "",
        intent: str = "",
        language: str = "",
    ) -> None:
        stamps = {
            attributes.TENANT: tenant,
            attributes.AGENT_VERSION: agent_version,
            attributes.PROMPT_VERSION: prompt_version,
            attributes.CHANNEL: channel,
            attributes.INTENT: intent,
            attributes.LANGUAGE: language,
        }
        # As text, whatever they were given as: an exporter fails for a value of another type, with all that it sends.
        self._stamps: dict[str, Any] = {name: str(value) for name, value in stamps.items() if value}
        self._most = len(self._stamps) + 2  # with the conversation and the step
        self._clear_of = self._stamps.keys().isdisjoint
        self._steps = StepCounter()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        try:
            self._stamp(span, parent_context)
        except Exception:  # noqa: BLE001 - the application must not fail for its telemetry
            _log.exception("A span could not be stamped")

    def _stamp(self, span: Span, parent_context: Context | None) -> None:
        context = get_current() if parent_context is None else parent_context
        above = get_current_span(context)
        parent = above if is_local(above, span) else None
        if parent is not None:
            remember(span, parent)
        note(span)
        conversation_id = current_conversation(context)
        if not conversation_id and parent_context is not None:
            # A span may be started under a context of its own, such as one extracted from a request. What that says
            # counts first; it often says nothing, and then the code's own conversation holds.
            conversation_id = current_conversation()
        own = _own_dict(getattr(span, "_attributes", None), self._most)
        held = dict(span.attributes or {}) if own is None else own
        found = {} if own is None else own
        found.update(self._stamps if self._clear_of(held) else self._missing(held))
        if CONVERSATION in held:
            conversation_id = str(held[CONVERSATION])
        elif conversation_id:
            found[CONVERSATION] = conversation_id
        if conversation_id and TRAJECTORY_STEP not in held:
            number = self._number(span, parent, held, conversation_id)
            if number:
                found[TRAJECTORY_STEP] = number
        if own is None:
            span.set_attributes(found)

    def _missing(self, held: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in self._stamps.items() if name not in held}

    def _number(self, span: Span, parent: Span | None, held: Mapping[str, Any], conversation_id: str) -> int:
        """The number to stamp now; 0 for none."""
        kind = _kind(span, held)
        if kind in _NO_STEPS:
            return 0
        if kind is _MODEL and parent is not None and _is_open_call(parent):
            return 0
        number = self._steps.take(conversation_id, span.start_time or 0)
        if kind is _UNKNOWN and number:
            _decide_at_end(span, number)
            return 0
        return number


def _kind(span: Span, held: Mapping[str, Any]) -> Kind:
    scope = span.instrumentation_scope
    return kind_of(span.name, "" if scope is None else scope.name, held)


def _is_open_call(parent: Span) -> bool:
    """Several libraries make two spans of one model call. It is one step, the outer span's."""
    return parent.is_recording() and _kind(parent, _held(parent)) is _MODEL


def _decide_at_end(span: Span, number: int) -> None:
    """Keeps a number for a span that does not say yet what it is, and stamps it if it turns out to be a step.

    Several instrumentations say so just before the end. The SDK's own hook for that moment comes too late: it is called
    once the attributes are sealed. So this span's `end` is taken over, once.
    """
    end = span.end

    def ending(end_time: int | None = None) -> None:
        vars(span).pop("end", None)
        try:
            held = _held(span)
            if span.is_recording() and TRAJECTORY_STEP not in held and _kind(span, held) in STEPS:
                span.set_attribute(TRAJECTORY_STEP, number)
        except Exception:  # noqa: BLE001 - the application must not fail for its telemetry
            _log.exception("A step could not be numbered")
        end(end_time)

    span.end = ending  # type: ignore[method-assign]


def _held(span: Span) -> Mapping[str, Any]:
    own = _own_dict(getattr(span, "_attributes", None))
    return dict(span.attributes or {}) if own is None else own.copy()


def _own_dict(bounded: Any, room: int = 0) -> dict[str, Any] | None:
    """The dict in which the SDK keeps a span's attributes.

    None where it is built otherwise, cuts long values, or has no room for so many more.

    Reading and setting through the public methods takes about a microsecond an attribute, since each value is cleaned.
    Ours are short text and numbers, and on its start a span is nobody else's yet.
    """
    if type(bounded) is not BoundedAttributes or bounded.max_value_len is not None:
        return None
    inner = getattr(bounded, "_dict", None)
    if type(inner) is not dict or (bounded.maxlen is not None and len(inner) + room > bounded.maxlen):
        return None
    return inner
