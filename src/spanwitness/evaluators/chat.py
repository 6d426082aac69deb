"""Chat dicts to the values that evaluators read. A refusal names the place and what is allowed, never the content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from spanwitness.model import Conversation, Document, Message, Role, ToolCall

ROLES: Final[tuple[Role, ...]] = ("system", "user", "assistant", "tool")
_DEVELOPER: Final = "developer"  # OpenAI's newer name of the system role
_PAIR: Final = 2
_A_ROLE: Final = re.compile(r"[A-Za-z_]{1,20}")
_LARGEST: Final = 1e300  # keeps out infinity, not-a-number and integers that no float holds


def conversation_of(messages: object) -> Conversation:
    """The conversation of `{role, content, tool_calls?, tool_call_id?, name?, error?}` dicts; other keys are ignored.

    `content` is text, None, or a list of parts of which those with a "text" are read. A call is
    `{id?, name, arguments}` with arguments as a dict or as JSON text, or the same under "function", as OpenAI nests it.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        raise _refusal("conversation", messages, "a Conversation or a list of chat messages")
    read = tuple(_message(f"conversation[{i}]", each) for i, each in enumerate(messages))
    prompt = "\n\n".join(message.content for message in read if message.role == "system")
    return Conversation(messages=read, system_prompt=prompt)


def calls(place: str, given: object) -> tuple[ToolCall, ...]:
    return tuple(
        each if isinstance(each, ToolCall) else _call(f"{place}[{i}]", each)
        for i, each in enumerate(_list(place, given))
    )


def documents(given: object) -> tuple[Document, ...]:
    return tuple(_document(f"documents[{i}]", each) for i, each in enumerate(_list("documents", given)))


def texts(place: str, given: object) -> tuple[str, ...]:
    return tuple(text(f"{place}[{i}]", each) for i, each in enumerate(_list(place, given)))


def text(place: str, given: object) -> str:
    if not isinstance(given, str):
        raise _refusal(place, given, "text")
    return given


def nbest(given: object) -> tuple[tuple[str, float], ...]:
    return tuple(_hypothesis(f"nbest[{i}]", each) for i, each in enumerate(_list("nbest", given)))


def _hypothesis(place: str, given: object) -> tuple[str, float]:
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) == _PAIR:
        said, posterior = given
        if isinstance(said, str) and isinstance(posterior, (int, float)) and abs(posterior) < _LARGEST:
            return said, float(posterior)
    raise _refusal(place, given, "[hypothesis, posterior], a text and a finite number")


def _message(place: str, given: object) -> Message:
    if isinstance(given, Message):
        return given
    fields = _mapping(place, given, "{role, content, tool_calls?, tool_call_id?, name?, error?}")
    return Message(
        role=_role(place, fields.get("role")),
        content=_content(f"{place}.content", fields.get("content")),
        tool_calls=calls(f"{place}.tool_calls", fields.get("tool_calls") or ()),
        tool_call_id=_optional(f"{place}.tool_call_id", fields.get("tool_call_id")),
        name=_optional(f"{place}.name", fields.get("name")),
        error=_flag(f"{place}.error", fields.get("error")),
    )


def _role(place: str, given: object) -> Role:
    for role in ROLES:
        if given == role or (given == _DEVELOPER and role == "system"):
            return role
    # One short word is a role that we do not know; anything else may be what somebody said.
    shown = repr(given) if isinstance(given, str) and _A_ROLE.fullmatch(given) else _kind(given)
    raise ValueError(f"{place}.role is {shown}; allowed: {', '.join(ROLES)}")


def _content(place: str, given: object) -> str:
    if given is None or isinstance(given, str):
        return given or ""
    if not isinstance(given, (list, tuple)):
        raise _refusal(place, given, "text, None or a list of parts")
    parts = (_mapping(f"{place}[{i}]", each, "a part {type, text?}").get("text") for i, each in enumerate(given))
    return "\n".join(part for part in parts if isinstance(part, str))


def _call(place: str, given: object) -> ToolCall:
    fields = _mapping(place, given, "a call {id?, name, arguments}")
    inner = _mapping(f"{place}.function", fields.get("function", fields), "{name, arguments}")
    return ToolCall(
        id=_optional(f"{place}.id", fields.get("id")),
        name=text(f"{place}.name", inner.get("name")),
        arguments=_arguments(f"{place}.arguments", inner.get("arguments")),
    )


def _arguments(place: str, given: object) -> str:
    if given is None or isinstance(given, str):
        return given or ""
    allowed = "a dict of JSON values, or JSON text"
    try:
        return json.dumps(dict(_mapping(place, given, allowed)))
    except (TypeError, RecursionError):
        raise ValueError(f"{place} holds what JSON cannot; allowed: {allowed}") from None


def _document(place: str, given: object) -> Document:
    if isinstance(given, Document):
        return given
    if isinstance(given, str):
        return Document(given)
    fields = _mapping(place, given, "a Document, text or {content, metadata?}")
    return Document(
        content=text(f"{place}.content", fields.get("content")),
        metadata=_arguments(f"{place}.metadata", fields.get("metadata")),
    )


def _list(place: str, given: object) -> list[Any]:
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise _refusal(place, given, "a list")
    return list(given)


def _mapping(place: str, given: object, allowed: str) -> Mapping[str, object]:
    if not isinstance(given, Mapping):
        raise _refusal(place, given, allowed)
    return given


def _optional(place: str, given: object) -> str:
    return "" if given is None else text(place, given)


def _flag(place: str, given: object) -> bool:
    if given is None or isinstance(given, bool):
        return bool(given)
    raise _refusal(place, given, "true or false")


def _refusal(place: str, given: object, allowed: str) -> ValueError:
    return ValueError(f"{place} is {_kind(given)}; allowed: {allowed}")


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
