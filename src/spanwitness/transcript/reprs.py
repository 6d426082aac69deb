"""Python reprs that libraries put where JSON belongs. Nothing is evaluated but literals."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from spanwitness.transcript.units import called, said

if TYPE_CHECKING:
    from spanwitness.model import Message

_PAIR: Final = re.compile(r"""(\w+)=('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,)]*)""", re.DOTALL)
_CALL: Final = "ResponseFunctionToolCall("


def keywords(text: str) -> dict[str, str]:
    """The `name='..'` pairs of a repr whose values are strings. The first of a name counts.

    Literals are stepped over whole, so that a pair inside a quoted text is not one.
    """
    pairs: dict[str, str] = {}
    for found in _PAIR.finditer(text):
        value = _literal(found.group(2)) if found.group(2)[:1] in {"'", '"'} else None
        if isinstance(value, str):
            pairs.setdefault(found.group(1), _clean(value))
    return pairs


def printed(text: str) -> Message | None:
    """The unit that openai-agents-v2 prints into a text part: the client's call object, or a Responses API text block.

    `ResponseFunctionToolCall(arguments='..', call_id='..', name='..', ..)`; `{'text': '..', 'type': 'output_text'}`.
    """
    if text.startswith(_CALL):
        pairs = keywords(text[len(_CALL) :])
        name = pairs.get("name")
        return called(name, pairs.get("arguments"), pairs.get("call_id", "")) if name else None
    block = _literal(text) if text.startswith("{'") and "'output_text'" in text else None
    inner = block.get("text") if isinstance(block, dict) else None
    return said("assistant", _clean(inner)) if isinstance(inner, str) else None


def printed_fields(text: str) -> dict[str, object]:
    """The dict that `text` prints, with strings that can be stored; empty when it prints none."""
    value = _literal(text) if text.startswith("{'") and text.endswith("}") else None
    cleaned = _cleaned(value)
    return cleaned if isinstance(cleaned, dict) else {}


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _cleaned(item) for key, item in value.items() if isinstance(key, str)}
    return value if isinstance(value, int | float | bool) else None


def _literal(text: str) -> object:
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value


def _clean(text: str) -> str:
    """Without halves of surrogate pairs, which an escape may spell and no store can write."""
    return text.encode("utf-8", "replace").decode()
