"""The messages of a conversation, put apart by who made them, whatever shape they come in."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# What is looked at of a conversation, so that a huge one costs no more than a long one.
MOST_MESSAGES: Final = 200
MOST_CALLS: Final = 50
MOST_OF_A_MESSAGE: Final = 6_000
MOST_TEXT: Final = 30_000
MOST_LABEL: Final = 64
_MOST_NUMBER: Final = 1e12


@dataclass(slots=True)
class Call:
    """One answer of the agent: a model call."""

    text: str
    tools: list[tuple[str, Any]]
    usage: Mapping[str, Any]
    latency: float
    finish: str
    new_input: int  # characters that came since the call before, its own answer included


@dataclass(slots=True)
class Reading:
    """The messages of a conversation, put apart by who made them."""

    users: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    system: str = ""


def read(conversation: Mapping[str, Any]) -> Reading:
    """Never raises: what has an odd shape counts as absent."""
    reading, since, left = Reading(), 0, MOST_TEXT
    messages = conversation.get("messages") if hasattr(conversation, "get") else None
    for message in islice(messages if isinstance(messages, (list, tuple)) else (), MOST_MESSAGES):
        if not isinstance(message, dict):
            continue
        content = message.get("content")
        text = content if isinstance(content, str) else ""
        size = int(max(len(text), number(message.get("length"), 0.0)))
        role = message.get("role")
        since += size
        if role == "user":
            reading.users.append(text[:MOST_OF_A_MESSAGE])
            reading.sizes.append(size)
        elif role == "tool":
            reading.results.append(size)
        elif role == "system" and not reading.system:
            reading.system = text
        elif role == "assistant" and (reading.users or message.get("tool_calls") or "usage" in message):
            # What stands before the first user message without any usage is a fixed greeting, no model's.
            call = _call(message, text[: min(left, MOST_OF_A_MESSAGE)], since - size)
            left -= len(call.text)
            reading.calls.append(call)
            since = size + sum(size_of(arguments) for _, arguments in call.tools)
    return reading


def _call(message: Mapping[str, Any], text: str, new_input: int) -> Call:
    usage, finish, calls = message.get("usage"), message.get("finish_reason"), message.get("tool_calls")
    tools = []
    for call in islice(calls if isinstance(calls, (list, tuple)) else (), MOST_CALLS):
        if isinstance(call, dict):
            name = call.get("name")
            tools.append((name[:MOST_LABEL] if isinstance(name, str) else "", call.get("arguments")))
    return Call(
        text=text.strip(" \r\n\t"),
        tools=tools,
        usage=usage if isinstance(usage, dict) else {},
        latency=number(message.get("latency_ms")),
        finish=finish if isinstance(finish, str) else "",
        new_input=new_input,
    )


def number(value: object, otherwise: float = math.nan) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _MOST_NUMBER:
        return float(value)
    return otherwise


def size_of(arguments: object) -> int:
    return len(as_text(arguments))


def as_text(arguments: object) -> str:
    if isinstance(arguments, str):
        return arguments
    try:
        return json.dumps(arguments, ensure_ascii=False) if arguments is not None else ""
    except (TypeError, ValueError, RecursionError):
        return ""
