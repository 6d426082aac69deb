"""OpenLLMetry before 0.50: `gen_ai.prompt.N.content`, `gen_ai.completion.N.tool_calls.M.name`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spanwitness.model import LogRecord, Message, Role, SpanRecord
from spanwitness.transcript.forms import Said
from spanwitness.transcript.units import answered, called, role_of, units_of, with_calls
from spanwitness.transcript.values import entries, numbered, parse, string

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BLOCKS: Final = frozenset({"text", "input_text", "output_text", "image_url", "image", "tool_use", "tool_result"})


def read(span: SpanRecord, _logs: Sequence[LogRecord]) -> Said:
    prompt = numbered(span.attributes, "gen_ai.prompt")
    completion = numbered(span.attributes, "gen_ai.completion")
    return Said(
        tuple(unit for group in prompt for unit in _message(group, None)),
        tuple(unit for group in completion for unit in _message(group, "assistant")),
    )


def _message(group: Mapping[str, str], default: Role | None) -> list[Message]:
    role = role_of(group.get("role")) or default
    if role is None:
        return []
    text = group.get("content", "")
    if role == "tool":
        return [answered(text, group.get("tool_call_id", ""))]
    units = with_calls(units_of(role, _content(text)), _calls(group))
    return units or ([Message("assistant")] if role == "assistant" else [])


def _content(text: str) -> object:
    """The text, or the content blocks that it spells: a list is written as JSON, and so is an empty text."""
    if text == '""':
        return ""
    blocks = parse(text) if text.startswith("[{") else None
    known = [block for block in entries(blocks) if string(block.get("type")) in _BLOCKS]
    return blocks if known and known == blocks else text


def _calls(group: Mapping[str, str]) -> list[Message]:
    calls = numbered(group, "tool_calls")
    return [called(call["name"], call.get("arguments"), call.get("id", "")) for call in calls if call.get("name")]
