"""Python reprs that libraries put where JSON belongs. Nothing is evaluated but single string literals."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from spanwitness.transcript.units import called

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
        value = _literal(found.group(2))
        if value is not None:
            pairs.setdefault(found.group(1), value)
    return pairs


def printed_call(text: str) -> Message | None:
    """The call in openai-agents-v2's `ResponseFunctionToolCall(arguments='..', call_id='..', name='..', ..)`."""
    if not text.startswith(_CALL):
        return None
    pairs = keywords(text[len(_CALL) :])
    return called(pairs["name"], pairs.get("arguments"), pairs.get("call_id", "")) if "name" in pairs else None


def _literal(quoted: str) -> str | None:
    if quoted[:1] not in {"'", '"'}:
        return None
    try:
        value = ast.literal_eval(quoted)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    # An escape may spell half of a surrogate pair, which no store can write.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None
