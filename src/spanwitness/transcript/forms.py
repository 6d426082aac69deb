"""What every reader of a message form is given and gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from spanwitness.model import LogRecord, Message, SpanRecord


@dataclass(frozen=True, slots=True)
class Said:
    """The units of one model call as one form tells them.

    Attributes:
        input: what the model was given, system messages included. An assistant message of which the library kept
            nothing stands as an empty unit, so that the gap is known.
        output: what it answered.
    """

    input: tuple[Message, ...] = ()
    output: tuple[Message, ...] = ()


NOTHING = Said()

Reader: TypeAlias = Callable[[SpanRecord, Sequence[LogRecord]], Said]
"""Reads one form from a model call's span and the log records that belong to it. Never raises; `NOTHING` when the
form is not there. What cannot be read is left out."""
