"""What is said, taken apart: a unit is a Message that holds one thing, a text, one tool call or one tool result.

Libraries cut the same turn differently (text and calls in one message or in several, parallel calls together or
apart), so histories are compared unit by unit, and messages are put together at the end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spanwitness.model import Message, Role, ToolCall
from spanwitness.transcript.values import compact, fields, first, string, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}
_CALLS: Final = frozenset(
    {"tool_call", "tool-call", "tool_use", "function_call", "custom_tool_call", "server_tool_call"},
)
_RESULTS: Final = frozenset(
    {
        "tool_call_response",
        "tool-result",
        "tool_result",
        "function_call_output",
        "custom_tool_call_output",
        "server_tool_call_response",
    },
)
_UNSAID: Final = frozenset({"reasoning", "thinking", "redacted_thinking", "compaction"})
"""Parts that nobody hears: the model's thoughts, and the summary of a history."""
_MEDIA: Final[Mapping[str, str]] = {
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "audio": "audio",
    "input_audio": "audio",
    "video": "video",
    "document": "document",
    "file": "document",
    "input_file": "document",
    "blob": "document",
    "uri": "document",
}
_CALL_IDS: Final = ("call_id", "tool_call_id", "toolCallId", "toolUseId", "id")
_RESULT_IDS: Final = ("tool_call_id", "call_id", "tool_use_id", "toolCallId", "toolUseId", "id")
_OUTPUTS: Final = ("response", "result", "output", "content", "server_tool_call_response")
"""`response` is the convention's schema, `result` stands in its own example and in Pydantic AI."""


def role_of(name: object) -> Role | None:
    return ROLES.get(string(name).lower())


def said(role: Role, text: str) -> Message:
    return Message(role, content=text)


def called(name: str, arguments: object, call_id: str = "") -> Message:
    return Message("assistant", tool_calls=(ToolCall(call_id, name, text_of(arguments)),))


def answered(content: object, call_id: str = "", name: str = "", *, error: bool = False) -> Message:
    return Message("tool", content=result_text(content), tool_call_id=call_id, name=name, error=error)


def grouped(units: Iterable[Message]) -> list[Message]:
    """The units as messages: a call joins the assistant's message before it when both were first seen together."""
    messages: list[Message] = []
    for unit in units:
        before = messages[-1] if messages else None
        if before and unit.tool_calls and before.role == "assistant" and before.span_id == unit.span_id:
            messages[-1] = replace(before, tool_calls=before.tool_calls + unit.tool_calls)
        else:
            messages.append(unit)
    return messages


def units_of(role: Role, content: object) -> list[Message]:
    """The units of a message's content: a text, a block, or a list of both."""
    if isinstance(content, str):
        return [said(role, content)] if content else []
    if isinstance(content, list):
        return [unit for block in content for unit in _block(role, block)]
    return _block(role, content)


def result_text(value: object) -> str:
    """A tool's result as text: of text blocks (MCP, Anthropic, Bedrock) the texts, else the JSON."""
    plain = plain_text(value)
    return text_of(value) if plain is None else plain


def plain_text(value: object) -> str | None:
    """The texts of a list that holds nothing but text blocks; None for anything else."""
    texts = [_plain(block) for block in value] if isinstance(value, list) else []
    whole = [text for text in texts if text is not None]
    return "\n".join(whole) if whole and len(whole) == len(texts) else None


def with_calls(units: list[Message], calls: Iterable[Message]) -> list[Message]:
    """The units, and those calls that do not stand among them: LangChain and Anthropic write a call in both places."""
    known = {(call.id or call.name) for unit in units for call in unit.tool_calls}
    return units + [unit for unit in calls if (unit.tool_calls[0].id or unit.tool_calls[0].name) not in known]


def call_unit(block: Mapping[str, object]) -> list[Message]:
    """A tool call in any of the libraries' spellings; none when it has no name."""
    inner = fields(block.get("function")) or block
    name = string(first(inner, "name", "toolName") or block.get("name"))
    arguments = first(inner, "arguments", "args", "input", "server_tool_call")
    return [called(name, arguments, string(first(block, *_CALL_IDS)))] if name else []


def result_unit(block: Mapping[str, object], name: str = "") -> Message:
    output = first(block, *_OUTPUTS)
    error = _failed(block)
    if isinstance(output, dict) and {"type", "value"} == output.keys():  # the AI SDK's {"type": "json", "value": ..}
        error = error or string(output["type"]).startswith("error")
        output = output["value"]
    call_id = string(first(block, *_RESULT_IDS))
    return answered(output, call_id, string(first(block, "name", "toolName")) or name, error=error)


def _block(role: Role, block: object) -> list[Message]:
    if isinstance(block, str):
        return [said(role, block)] if block else []
    if not isinstance(block, dict):
        return []
    kind = string(block.get("type"))
    if kind in _CALLS:
        return call_unit(block)
    if kind in _RESULTS:
        return [result_unit(block)]
    return _nested(block) or ([] if kind in _UNSAID else _text(role, kind, block))


def _nested(block: Mapping[str, object]) -> list[Message]:
    """Blocks that name their kind by a key: Bedrock's toolUse, Gemini's function_call (there null when absent)."""
    for key in ("toolUse", "function_call", "functionCall"):
        if isinstance(inner := block.get(key), dict):
            return call_unit(inner)
    for key in ("toolResult", "function_response", "functionResponse"):
        if isinstance(inner := block.get(key), dict):
            return [result_unit(inner)]
    return []


def _text(role: Role, kind: str, block: Mapping[str, object]) -> list[Message]:
    if kind in _MEDIA:
        modality = string(block.get("modality")) or _MEDIA[kind]
        return [said(role, string(block.get("transcript")) or f"[{modality}]")]
    text = string(first(block, "text", "content", "refusal"))
    return [said(role, text)] if text else []


def _plain(block: object) -> str | None:
    """The text of a block that is nothing but text; None for one that is data."""
    if not isinstance(block, dict):
        return None
    if block.keys() == {"json"}:
        return compact(block["json"])
    if block.keys() == {"text"} or (block.get("type") == "text" and block.keys() <= {"type", "text", "annotations"}):
        return string(block.get("text"))
    return None


def _failed(block: Mapping[str, object]) -> bool:
    return block.get("is_error") is True or block.get("isError") is True or block.get("status") == "error"
