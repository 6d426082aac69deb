"""Stamps every span with what only the agent's own process knows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import Span, SpanProcessor

from spanwitness import attributes
from spanwitness.sdk.context import current_conversation

if TYPE_CHECKING:
    from opentelemetry.context import Context

_log = logging.getLogger(__name__)


class SpanWitnessProcessor(SpanProcessor):
    """Sets, on the start of each span, the tenant, the versions, the channel and the current conversation.

    What the span has already is left alone, and an instrumentation may still set its own value later. What is '' is
    not set. Never raises: telemetry that fails is logged, the application goes on.

    Register it before the exporting processor or after; it only acts on the start.

    Args:
        tenant: who owns the telemetry. A server that knows the tenant by the sender's credentials overrules it.
        agent_version: version of the agent.
        prompt_version: version of the prompt template.
        channel: how the customer reached the agent: voice, chat, email, ...
    """

    def __init__(
        self, *, tenant: str = "", agent_version: str = "", prompt_version: str = "", channel: str = ""
    ) -> None:
        stamps = {
            attributes.TENANT: tenant,
            attributes.AGENT_VERSION: agent_version,
            attributes.PROMPT_VERSION: prompt_version,
            attributes.CHANNEL: channel,
        }
        self._stamps = {name: value for name, value in stamps.items() if value}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        try:
            self._stamp(span, parent_context)
        except Exception:  # noqa: BLE001 - the application must not fail for its telemetry
            _log.exception("A span could not be stamped")

    def _stamp(self, span: Span, parent_context: Context | None) -> None:
        # A span may be started under a context of its own, such as one extracted from a request. What that says
        # counts first; it often says nothing, and then the code's own conversation holds.
        conversation_id = current_conversation(parent_context) or current_conversation()
        held = span.attributes or {}
        for name, value in {**self._stamps, attributes.CONVERSATION: conversation_id}.items():
            if value and name not in held:
                span.set_attribute(name, value)
