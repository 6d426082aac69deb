"""Rule files: the rules of a policy in TOML, and tests of them beside."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from spanwitness.errors import ConfigError
from spanwitness.evaluators import chat
from spanwitness.evaluators.policy.fields import Fields, choice, refusal, text
from spanwitness.evaluators.policy.reading import policy_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spanwitness.evaluators.policy.language import Policy
    from spanwitness.evaluators.policy.running import State
    from spanwitness.model import Conversation

STATES: Final[tuple[State, ...]] = ("kept", "broken", "not_triggered", "undecided")
_KEYS: Final = ("now", "now_after", "lookups", "rules", "tests")
_ABOUT: Final = ("system_prompt", "channel", "intent", "language")
_LARGEST: Final = 2**20  # bytes
_NONE: Final[tuple[Mapping[str, Any], ...]] = ()


@dataclass(frozen=True, slots=True)
class RuleTest:
    """A small conversation, and what is to become of the rules that are named."""

    name: str
    conversation: Conversation
    expect: Mapping[str, State]


@dataclass(frozen=True, slots=True)
class RuleFile:
    policy: Policy
    tests: tuple[RuleTest, ...]


def read(path: Path) -> RuleFile:
    """The rules and tests of a file.

    Raises:
        ConfigError: it cannot be read, is no TOML, or holds a key or value that is not allowed.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"rules file {str(path)!r}: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise ConfigError(f"rules file {str(path)!r} is too large; allowed are {_LARGEST:,} bytes")
    try:
        return parse(data.decode())
    except UnicodeDecodeError:
        raise ConfigError(f"rules file {str(path)!r} is not UTF-8") from None
    except ConfigError as error:
        raise ConfigError(f"rules file {str(path)!r}: {error}") from None


def parse(written: str) -> RuleFile:
    """The rules and tests of a text. Raises ConfigError."""
    try:
        tree = tomllib.loads(written)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"is not TOML: {error}") from None
    fields = Fields("", tree)
    fields.know(_KEYS)
    policy = policy_of(
        fields.optional("rules", _tables, _NONE),
        lookups=tree.get("lookups"),
        now=tree.get("now", ""),
        now_after=tree.get("now_after", ""),
    )
    names = {rule.name for rule in policy.rules}
    tests = fields.optional("tests", _tables, _NONE)
    return RuleFile(policy, tuple(_test(number, each, names) for number, each in enumerate(tests, 1)))


def expected(place: str, given: object, names: set[str]) -> dict[str, State]:
    """What is to become of rules, by their names. Raises ConfigError."""
    fields = Fields.of(place, given)
    for name in fields.table:
        if name not in names:
            raise refusal(place, name, f"the name of a rule: {', '.join(sorted(names)) or 'there are none'}")
    return {name: fields.required(name, lambda key, value: choice(key, value, STATES)) for name in fields.table}


def _tables(key: str, value: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list):
        raise refusal(key, value, f"tables, each under [[{key}]]")
    return tuple(value)


def _test(number: int, given: object, names: set[str]) -> RuleTest:
    fields = Fields.of(f"tests[{number}]", given)
    fields.know(("name", "messages", "expect", *_ABOUT))
    about: dict[str, Any] = {key: fields.required(key, text) for key in _ABOUT if fields.has(key)}
    return RuleTest(
        fields.required("name", text),
        replace(fields.required("messages", _conversation), **about),
        fields.required("expect", lambda key, value: expected(key, value, names)),
    )


def _conversation(key: str, value: object) -> Conversation:
    if not isinstance(value, list):
        raise refusal(key, value, "a list of messages")
    told: list[Mapping[str, object]] = []
    for number, each in enumerate(value, 1):
        told += _messages(Fields.of(f"{key}[{number}]", each), number)
    try:
        return chat.conversation_of(told)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None


def _messages(fields: Fields, number: int) -> list[Mapping[str, object]]:
    """{customer = "..."}, {agent = "..."}, {call, arguments, result, failed}, or a chat message as it is."""
    if fields.has("role"):
        return [fields.table]
    kind = fields.only_one_of(("customer", "agent", "call"))
    if kind != "call":
        fields.know((kind,))
        return [{"role": "user" if kind == "customer" else "assistant", "content": fields.required(kind, text)}]
    fields.know(("call", "arguments", "result", "failed"))
    call = {"id": f"call-{number}", "name": fields.required("call", text), "arguments": fields.table.get("arguments")}
    told: list[Mapping[str, object]] = [{"role": "assistant", "content": "", "tool_calls": [call]}]
    if fields.has("result") or fields.has("failed"):
        result = fields.table.get("result", "")
        content = result if isinstance(result, str) else json.dumps(result, default=str)
        failed = fields.table.get("failed", False)
        told.append({"role": "tool", "content": content, "tool_call_id": f"call-{number}", "error": failed})
    return told
