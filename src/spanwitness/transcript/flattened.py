"""Messages flattened into attributes, one for each field.

OpenInference: `llm.input_messages.N.message.content`. traceAI: the same under the convention's name,
`gen_ai.input.messages.N.message.content`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spanwitness.model import LogRecord, Message, SpanRecord
from spanwitness.transcript.forms import Said
from spanwitness.transcript.units import answered, called, role_of, said, units_of
from spanwitness.transcript.values import numbered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_INPUTS: Final = ("llm.input_messages", "gen_ai.input.messages")
_OUTPUTS: Final = ("llm.output_messages", "gen_ai.output.messages")
_CALL: Final = "tool_call."


def read(span: SpanRecord, _logs: Sequence[LogRecord]) -> Said:
    return Said(_messages(span.attributes, _INPUTS), _messages(span.attributes, _OUTPUTS))


def _messages(attributes: Mapping[str, str], prefixes: tuple[str, ...]) -> tuple[Message, ...]:
    groups = next((groups for prefix in prefixes if (groups := numbered(attributes, prefix))), [])
    return tuple(unit for group in groups for unit in _message(group))


def _message(group: Mapping[str, str]) -> list[Message]:
    """The units of one message. Its first fields may be gone (the 128-attribute limit); without a role it is none."""
    role = role_of(group.get("message.role"))
    if role is None:
        return []
    text = group.get("message.content") or "\n".join(_contents(group))
    if role == "tool":
        return [answered(text, group.get("message.tool_call_id", ""), group.get("message.name", ""))]
    units = ([said(role, text)] if text else []) + _calls(group)
    return units or ([Message("assistant")] if role == "assistant" else [])


def _contents(group: Mapping[str, str]) -> list[str]:
    """The blocks of a message. Under the Responses API openai-agents writes all text there, and nothing above."""
    blocks = numbered(group, "message.contents")
    return [unit.content for block in blocks for unit in units_of("user", _block(block))]


def _block(group: Mapping[str, str]) -> dict[str, str]:
    return {key: group.get(f"message_content.{key}", "") for key in ("type", "text")}


def _calls(group: Mapping[str, str]) -> list[Message]:
    calls = [
        (call.get(f"{_CALL}function.name"), call.get(f"{_CALL}function.arguments"), call.get(f"{_CALL}id", ""))
        for call in numbered(group, "message.tool_calls")
    ]
    return [called(name, arguments, call_id) for name, arguments, call_id in calls if name]
