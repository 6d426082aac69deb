"""Personal data and secrets taken out: each value becomes a placeholder, the same value the same one throughout."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from spanwitness.evaluators.pii_find import Entity, find, find_again, may_hold, normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.model import Conversation, Document, Message

# Per kind, the values met so far and the number of each. It holds the values themselves: keep it no longer than needed.
Seen: TypeAlias = dict[str, dict[str, int]]

_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*')
_KEY_FOLLOWS: Final = re.compile(r"\s*:")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LONGEST_KEY: Final = 64


def redact(text: str, seen: Seen | None = None) -> str:
    """The text with each value that `find` finds replaced: <PHONE_NUMBER_1>, <PHONE_NUMBER_2>, ...

    Args:
        text: any.
        seen: pass the same dict for all texts of a conversation, and a value has one placeholder in all of them. It is
            added to. None: this text alone.

    Nothing that `find` finds is left, and redacting twice changes nothing more.
    """
    seen = {} if seen is None else seen
    while found := find(text):  # without one value, the words beside it may tell what another is
        text = _replaced(text, found, seen)
    return text


def redact_json(text: str, seen: Seen | None = None) -> str:
    """As `redact`, for text that may be JSON, which then stays JSON: a number that is a value becomes a string.

    Only what holds a value is written anew. Text that is no JSON, or nested too deep to be read, is redacted as text.
    """
    return _redact_json(text, _Tokens({} if seen is None else seen))


def _redact_json(text: str, tokens: _Tokens) -> str:
    seen = tokens.seen
    if not _is_json(text):
        return redact(text, seen)
    text = tokens.redacted(text)
    while found := find(text):  # told by what stands in another token, as "call" in one and the number in the next
        text = _whole_tokens(text, found, seen)
    return text


def redact_conversation(conversation: Conversation, seen: Seen | None = None) -> Conversation:
    """The conversation with every text in it redacted: messages, calls' arguments, results, documents, system prompt.

    Names of tools, ids, and the steps with their spans stay as they are. One value has one placeholder throughout, and
    in all else that is redacted with the same `seen`.
    """
    tokens = _Tokens({} if seen is None else seen)
    return replace(
        conversation,
        system_prompt=_prompt(conversation.system_prompt, tokens.seen),
        messages=tuple(_message(message, tokens) for message in conversation.messages),
        documents=tuple(_document(document, tokens) for document in conversation.documents),
    )


def _prompt(text: str, seen: Seen) -> str:
    found = find_again(text)
    return redact(_replaced(text, found, seen), seen) if found else text


def _message(message: Message, tokens: _Tokens) -> Message:
    calls = tuple(replace(call, arguments=_redact_json(call.arguments, tokens)) for call in message.tool_calls)
    text = message.content
    text = _redact_json(text, tokens) if message.role == "tool" else redact(text, tokens.seen)
    return replace(message, content=text, tool_calls=calls)


def _document(document: Document, tokens: _Tokens) -> Document:
    content, metadata = redact(document.content, tokens.seen), _redact_json(document.metadata, tokens)
    return replace(document, content=content, metadata=metadata)


def _replaced(text: str, found: Sequence[Entity], seen: Seen) -> str:
    parts, done = [], 0
    for entity in found:
        parts += [text[done : entity.start], _placeholder(entity.kind, text[entity.start : entity.end], seen)]
        done = entity.end
    return "".join([*parts, text[done:]])


def _placeholder(kind: str, value: str, seen: Seen) -> str:
    numbers = seen.setdefault(kind, {})
    return f"<{kind}_{numbers.setdefault(normal(kind, value), len(numbers) + 1)}>"


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=len, parse_float=len)  # a number of any length; its value is not needed
    except (ValueError, RecursionError):
        return False
    return True


class _Tokens:
    """Redacts JSON string by string and number by number, each read beside its key, which often tells what it is.

    One for all texts of a conversation, whose results tell the same thing again and again: each is worked out once.
    """

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self._beside = ""
        self._keys: dict[str, tuple[str, str]] = {}
        self._written: dict[tuple[str, str], str] = {}

    def redacted(self, text: str) -> str:
        self._beside = ""
        return _TOKEN.sub(self._token, text)

    def _token(self, match: re.Match[str]) -> str:
        token = match.group()
        if token[0] == '"' and _KEY_FOLLOWS.match(match.string, match.end()):
            if token not in self._keys:
                self._keys[token] = self._key(token)
            written, self._beside = self._keys[token]
            return written
        place = (self._beside, token)
        if place not in self._written:
            value = _meant(token)
            redacted = self._value(value)
            self._written[place] = token if redacted == value else json.dumps(redacted)
        return self._written[place]

    def _key(self, token: str) -> tuple[str, str]:
        """How it is written, and how it is read beside its value."""
        key = _meant(token)
        redacted = redact(key, self.seen)
        beside = _HUMP.sub(" ", redacted[-_LONGEST_KEY:]) + ": "
        return token if redacted == key else json.dumps(redacted), beside

    def _value(self, value: str) -> str:
        if not may_hold(value):  # and then no entity ends in it
            return value
        known = len(self._beside)
        while found := [entity for entity in find(self._beside + value) if entity.end > known]:
            moved = [Entity(kind, max(start - known, 0), end - known) for kind, start, end in found]
            value = _replaced(value, moved, self.seen)
        return value


def _meant(token: str) -> str:
    if token[0] != '"':
        return token
    text: str = json.loads(token) if "\\" in token else token[1:-1]
    return text


def _whole_tokens(text: str, found: Sequence[Entity], seen: Seen) -> str:
    """Each string or number that holds any of an entity becomes one placeholder."""
    waiting = list(reversed(found))

    def token(match: re.Match[str]) -> str:
        while waiting and waiting[-1].end <= match.start():
            waiting.pop()
        if not waiting or waiting[-1].start >= match.end():
            return match.group()
        entity = waiting[-1]
        return json.dumps(_placeholder(entity.kind, text[entity.start : entity.end], seen))

    return _TOKEN.sub(token, text)
