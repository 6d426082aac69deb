"""The conventions' message events up to 1.36: one record a message, as log records or as span events.

`gen_ai.{system,user,assistant,tool}.message` and `gen_ai.choice`. Log records hold a body (openai-v2, agent-framework,
ADK's legacy schema: Gemini contents); span events hold attributes (Strands: Bedrock content blocks as JSON text).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from spanwitness.transcript.chat import message_of
from spanwitness.transcript.forms import Said
from spanwitness.transcript.values import fields, parse, text_of

if TYPE_CHECKING:
    from spanwitness.model import LogRecord, Message, Role, SpanRecord

_SPEAKERS: Final[Mapping[str, Role]] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE: Final = "gen_ai.choice"

Record: TypeAlias = tuple[str, Mapping[str, object]]


def read(span: SpanRecord, logs: Sequence[LogRecord]) -> Said:
    records = [*_events(span), *_logs(logs)]
    return Said(
        tuple(unit for name, body in records if name in _SPEAKERS for unit in message_of(body, _SPEAKERS[name])),
        tuple(unit for name, body in records if name == _CHOICE for unit in _choice(body)),
    )


def _events(span: SpanRecord) -> Iterator[Record]:
    for event in span.events:
        yield event.name, {key: _blocks(value) for key, value in event.attributes.items()}


def _logs(logs: Sequence[LogRecord]) -> Iterator[Record]:
    for log in logs:
        body = parse(log.body)
        name = log.event_name or log.attributes.get("event.name", "")
        yield name, fields(body) if isinstance(body, dict) else {"content": body or log.body}


def _blocks(text: str) -> object:
    """A span event's attribute: JSON text of content blocks, or (Strands, on agent spans) the plain text."""
    value = parse(text)
    return value if isinstance(value, list | dict) else text


def _choice(body: Mapping[str, object]) -> list[Message]:
    """The message of the first choice; the others are alternatives that nobody heard."""
    if text_of(body.get("index")) not in {"", "0"}:
        return []
    message = body.get("message")
    if isinstance(message, dict):
        return message_of({"role": "assistant", **message})
    return message_of({**body, "content": message} if message is not None else body, "assistant")
