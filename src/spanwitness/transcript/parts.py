"""The GenAI conventions' messages: JSON in `gen_ai.input.messages`, `.output.messages`, `.system_instructions`.

On spans (OpenTelemetry's own instrumentations, OpenLLMetry, Pydantic AI, LiveKit, MLflow, agent-framework, the AI
SDK 7), and on `gen_ai.client.inference.operation.details` log records and span events (util-genai, ADK, Strands).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spanwitness.transcript.chat import messages_of
from spanwitness.transcript.forms import Said
from spanwitness.transcript.units import said, units_of
from spanwitness.transcript.values import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spanwitness.model import LogRecord, Message, SpanRecord

DETAILS: Final = "gen_ai.client.inference.operation.details"


def read(span: SpanRecord, _logs: Sequence[LogRecord]) -> Said:
    return _from(span.attributes)


def read_details(span: SpanRecord, logs: Sequence[LogRecord]) -> Said:
    """The same from the call's details events. Strands spreads one call over several of them."""
    found = [_from(event.attributes) for event in span.events if event.name == DETAILS]
    found += [_from(log.attributes) for log in logs if DETAILS in {log.event_name, log.attributes.get("event.name")}]
    return Said(
        tuple(unit for part in found for unit in part.input),
        tuple(unit for part in found for unit in part.output),
    )


def _from(attributes: Mapping[str, str]) -> Said:
    history = messages_of(parse(attributes.get("gen_ai.input.messages", "")))
    answer = messages_of(parse(attributes.get("gen_ai.output.messages", "")), "assistant")
    return Said((*_instructions(attributes.get("gen_ai.system_instructions", "")), *history), tuple(answer))


def _instructions(text: str) -> list[Message]:
    """A JSON list of parts; OpenLLMetry also writes the bare text."""
    value = parse(text)
    if value is None and not text.lstrip().startswith(("[", "{")):
        value = text.strip()
    return [said("system", unit.content) for unit in units_of("system", value) if unit.content]
