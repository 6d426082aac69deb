"""Vercel's AI SDK up to 6 (and 7's legacy telemetry): `ai.prompt.messages`, `ai.response.text`, `.toolCalls`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spanwitness.transcript.chat import messages_of
from spanwitness.transcript.forms import Said
from spanwitness.transcript.units import call_unit, said
from spanwitness.transcript.values import entries, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.model import LogRecord, Message, SpanRecord


def read(span: SpanRecord, _logs: Sequence[LogRecord]) -> Said:
    attributes = span.attributes
    history = messages_of(parse(attributes.get("ai.prompt.messages", "")))
    text = attributes.get("ai.response.text", "")
    calls = entries(parse(attributes.get("ai.response.toolCalls", "")))
    answer: list[Message] = [said("assistant", text)] if text else []
    return Said(tuple(history), (*answer, *(unit for call in calls for unit in call_unit(call))))
