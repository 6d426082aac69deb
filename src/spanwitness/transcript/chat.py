"""One chat message, in any of the shapes that libraries write as JSON, taken apart into units.

Known shapes: the GenAI conventions' parts; OpenAI chat; Responses API items; LangChain's serialised messages; the
AI SDK; Bedrock and Gemini contents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from spanwitness.model import Message, Role
from spanwitness.transcript.reprs import printed, printed_fields
from spanwitness.transcript.units import call_unit, result_unit, role_of, units_of, with_calls
from spanwitness.transcript.values import entries, fields, first, string

Raw: TypeAlias = Mapping[str, object]

_ITEMS: Final = frozenset({"function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"})
"""Responses API items that stand in the list of messages, without a role."""


def messages_of(value: object, role: Role | None = None) -> list[Message]:
    """The units of a list of messages (or of one); `role` is for those that do not name theirs."""
    return [unit for raw in entries(value) for unit in message_of(raw, role)]


def message_of(raw: Raw, role: Role | None = None) -> list[Message]:
    """The units of one message; an assistant that says nothing gives one empty unit, an unknown role gives none."""
    raw = _unwrapped(raw)
    if string(raw.get("type")) in _ITEMS:
        return units_of("assistant", raw)
    speaker = role_of(raw.get("role")) or role_of(raw.get("type")) or role
    if speaker is None:
        return []
    if speaker == "tool":
        return _tool(raw)
    whole = [repaired for unit in units_of(speaker, _content(raw)) for repaired in _repaired(unit)]
    units = with_calls(whole, _calls(raw))
    return units or ([Message("assistant")] if speaker == "assistant" else [])


def _unwrapped(raw: Raw) -> Raw:
    """LangChain's `{"lc": 1, "kwargs": {..}}` and `{"type": "ai", "data": {..}}`, OpenAI's choice, Gemini's content."""
    inner = fields(raw.get("kwargs")) if "lc" in raw else fields(raw.get("data"))
    if not inner and "role" not in raw and "finish_reason" in raw:
        inner = fields(raw.get("message"))
    if inner:
        return inner
    content = fields(raw.get("content"))
    return {**raw, **content} if "parts" in content else raw


def _content(raw: Raw) -> object:
    return first(raw, "parts", "content", "text")


def _calls(raw: Raw) -> list[Message]:
    calls = [unit for call in entries(raw.get("tool_calls")) for unit in call_unit(call)]
    legacy = raw.get("function_call")
    return calls + (call_unit(legacy) if isinstance(legacy, dict) else [])


def _tool(raw: Raw) -> list[Message]:
    """Results as parts, else the whole content as one result. A text beside a result part only repeats it."""
    name = string(raw.get("name"))
    content = _content(raw)
    results = [unit for unit in units_of("user", content) if unit.role == "tool"]
    return results or [result_unit({**raw, "content": content, "response": None, "result": None}, name)]


def _repaired(unit: Message) -> list[Message]:
    """What openai-agents-v2 printed into a text part, as what it was."""
    if unit.role != "assistant" or not unit.content:
        return [unit]
    whole = printed_fields(unit.content)
    if "tool_calls" in whole or isinstance(whole.get("output"), list):
        inner = message_of(whole, "assistant") if "tool_calls" in whole else messages_of(whole["output"], "assistant")
        return [part for part in inner if part.content or part.tool_calls]
    return [printed(unit.content) or unit]
