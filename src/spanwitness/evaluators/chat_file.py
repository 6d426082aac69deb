"""Chat transcripts in a file: a JSON line each, a list of messages or an object with what else is known.

Read one line at a time: a file may be larger than memory. A line that is not right is told by its number and why,
never by what it holds, and the next one is read.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import zlib
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any, Final

from spanwitness.errors import SpanWitnessError
from spanwitness.evaluators import chat
from spanwitness.evaluators.contract import Inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from spanwitness.model import Conversation

STDIN: Final = "-"
LONGEST: Final = 64 * 1024 * 1024
"""Bytes of a line; a longer one is refused."""

_GZIP: Final = b"\x1f\x8b"
_ALLOWED: Final = "a list of messages, or an object with messages"


@dataclass(frozen=True, slots=True)
class ChatLine:
    """A transcript, what is known besides, and the other keys of its line as they came.

    Attributes:
        number: from 1.
        id: "line N" where the line names none.
    """

    number: int
    id: str
    inputs: Inputs
    others: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be read, and why."""

    number: int
    why: str


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """The bytes of a file, or of stdin for "-", unpacked where they are gzip; and how many were read of it so far.

    Raises:
        SpanWitnessError: the file cannot be read, or ends in the middle of what was packed.
    """
    try:
        if str(path) == STDIN:
            yield _unpacked(sys.stdin.buffer), lambda: 0
            return
        with path.open("rb") as file:
            yield _unpacked(file), file.tell
    except BrokenPipeError:  # of whoever reads what we write
        raise
    except OSError as error:
        raise SpanWitnessError(f"{path}: {error.strerror or 'is damaged gzip'}") from None
    except (EOFError, zlib.error):
        raise SpanWitnessError(f"{path}: is damaged gzip; allowed is JSON lines, or gzip of them") from None


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(file)  # type: ignore[type-var]
    return gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == _GZIP else buffered  # type: ignore[return-value]


def chat_lines(file: IO[bytes]) -> Iterator[ChatLine | BadLine]:
    """The transcripts of a file in its order; blank lines count and give nothing."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST)
            yield BadLine(number, f"is longer than {LONGEST:,} bytes")
        elif line.strip():
            yield _read(number, line)


def _read(number: int, line: bytes) -> ChatLine | BadLine:
    try:
        return _chat_line(number, json.loads(line))
    except json.JSONDecodeError as error:
        return BadLine(number, f"is no JSON: {error.msg} at column {error.colno}")
    except UnicodeDecodeError:
        return BadLine(number, "is not UTF-8")
    except RecursionError:
        return BadLine(number, "is nested too deep")
    except ValueError as error:
        # Python's own words for a number of thousands of digits tell how to set up the interpreter.
        return BadLine(number, "holds too long a number" if "set_int_max_str_digits" in str(error) else str(error))


def _chat_line(number: int, given: object) -> ChatLine:
    fields: Mapping[str, Any] = {"messages": given} if isinstance(given, list) else _object(given)
    messages = fields.get("messages", fields.get("conversation"))
    if messages is None:
        raise ValueError(f"holds no messages; allowed: {_ALLOWED}")
    named = fields.get("id")
    return ChatLine(
        number,
        f"line {number}" if named in (None, "") else _name("id", named),
        Inputs(_conversation(messages, fields), **_known(fields)),
        {key: value for key, value in fields.items() if key not in _READ},
    )


def _object(given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError(f"is a JSON {type(given).__name__}; allowed: {_ALLOWED}")  # noqa: TRY004 - as chat tells it
    return given


def _conversation(messages: object, fields: Mapping[str, Any]) -> Conversation:
    told = chat.conversation_of(messages)
    changed: dict[str, Any] = {
        key: chat.text(key, fields[key])
        for key in ("system_prompt", "channel", "intent", "language")
        if fields.get(key) is not None
    }
    if fields.get("documents") is not None:
        changed["documents"] = chat.documents(fields["documents"])
    return replace(told, **changed)


_INPUTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "expected_actions": lambda given: chat.calls("expected_actions", given),
    "required_outputs": lambda given: chat.texts("required_outputs", given),
    "reference": lambda given: chat.text("reference", given),
    "nbest": chat.nbest,
}
_READ: Final = frozenset(
    {"messages", "conversation", "system_prompt", "documents", "channel", "intent", "language", "id", *_INPUTS}
)


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: read(fields[key]) for key, read in _INPUTS.items() if fields.get(key) is not None}


def _name(key: str, given: object) -> str:
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        raise ValueError(f"{key} is a JSON {type(given).__name__}; allowed: text or a whole number")  # noqa: TRY004
    return str(given)
