"""What an agent did: its tool calls, each with what became of it, and whether it could change anything."""

from __future__ import annotations

import json
import re
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spanwitness.model import Message, ToolCall

_FAILED: Final = re.compile(r"\s*\W?(?:error|exception|traceback|failed|failure)\b", re.IGNORECASE)
# A JSON result is parsed only when it holds one of these; a "status" of error or failed starts so too.
_FAULT_MARKS: Final = ('"error', '"ERROR', '"fail', '"FAIL', '"success"', '"isError"', '"is_error"')
_FAULT_STATES: Final = frozenset({"error", "failed", "failure"})
_LONGEST_RESULT: Final = 65_536  # a result whose fault is not said in its first words is parsed up to this length


@dataclass(frozen=True, slots=True)
class Action:
    """A call, where it was asked for, and what came back (None: no result was recorded, which is not a failure)."""

    index: int
    call: ToolCall
    result: Message | None = None
    failed: bool = False


def agent_actions(messages: Iterable[Message]) -> tuple[Action, ...]:
    """The agent's calls in order, paired with their results by id, or by order where the result has no id."""
    return _agent_actions(tuple(messages))


@lru_cache(maxsize=1)  # for the evaluators of a bundle, which read one conversation after the other
def _agent_actions(messages: tuple[Message, ...]) -> tuple[Action, ...]:
    asked: list[tuple[int, ToolCall]] = []
    results: dict[int, Message] = {}
    waiting: OrderedDict[int, None] = OrderedDict()
    by_id: defaultdict[str, deque[int]] = defaultdict(deque)
    for i, message in enumerate(messages):
        if message.role == "tool":
            _settle(message, results, waiting, by_id)
        for call in message.tool_calls:
            number = len(asked)
            # A customer may use tools too; those calls take their own results and are not the agent's.
            asked.append((i, call))
            waiting[number] = None
            by_id[call.id].append(number)
    return tuple(
        _action(i, call, results.get(number))
        for number, (i, call) in enumerate(asked)
        if messages[i].role == "assistant"
    )


def _action(index: int, call: ToolCall, result: Message | None) -> Action:
    return Action(index, call, result, failed=result is not None and result_failed(result))


def _settle(
    message: Message, results: dict[int, Message], waiting: OrderedDict[int, None], by_id: defaultdict[str, deque[int]]
) -> None:
    """Give a result to the oldest waiting call of its id; without an id, to the oldest waiting call of all."""
    if message.tool_call_id:
        queue = by_id.get(message.tool_call_id, deque())
        while queue and queue[0] not in waiting:
            queue.popleft()
        number = queue.popleft() if queue else None
    else:
        number = next(iter(waiting), None)
    if number is not None:
        del waiting[number]
        results[number] = message


def result_failed(result: Message) -> bool:
    """Whether a tool's result says that the call failed: the span's own mark, its first word, or its JSON fields."""
    if result.error or _FAILED.match(result.content):
        return True
    content = result.content
    if len(content) > _LONGEST_RESULT or content[:1] != "{" or not any(mark in content for mark in _FAULT_MARKS):
        return False
    value = parsed(content)
    return isinstance(value, dict) and _says_fault(value)


def _says_fault(value: dict[str, Any]) -> bool:
    return (
        bool(value.get("error"))
        or value.get("success") is False
        or value.get("isError") is True
        or value.get("is_error") is True
        or str(value.get("status")).casefold() in _FAULT_STATES
    )


def canonical(arguments: str) -> str:
    """Arguments in one spelling, for comparing: case, spacing, order of keys and of lists, 1 and 1.0 do not matter.

    The order of lists is dropped because agents name the same items in any order. It also drops which item stands
    beside which in two parallel lists.
    """
    try:
        return _spelled(json.loads(arguments))
    except (ValueError, RecursionError):
        return " ".join(arguments.casefold().split())


def _spelled(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{key!r}:{_spelled(each)}" for key, each in value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted(map(_spelled, value))) + "]"
    if isinstance(value, str):
        return repr(" ".join(value.casefold().split()))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def parsed(text: str) -> Any:
    """JSON text as a value; None when it is none, or nested too deep to read."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def shown(tool: str) -> str:
    """A tool's name as an explanation may hold it: short, printable, storable."""
    name = tool[:64].encode("utf-8", "replace").decode("utf-8")
    return name if name.isprintable() else ascii(name)[1:-1]
