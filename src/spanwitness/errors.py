"""What can go wrong, named by what the caller must do; and the one table from that to both transports."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final


class SpanWitnessError(Exception):
    """Base of all errors that are told to a user as one line."""


class ConfigError(SpanWitnessError):
    """A setting is unknown or has a value that is not allowed. The message names key, value and what is allowed."""


class StoreError(SpanWitnessError):
    """The store refused or could not be reached. The message says which store and why."""


class StoreHeldError(StoreError):
    """Another process owns the embedded store."""


class Busy(SpanWitnessError):  # noqa: N818 - names a state, as in the field's BackPressure
    """Nothing was stored and the same request may succeed later. The sender keeps its data.

    Attributes:
        retry_after_s: seconds the sender is asked to wait.
    """

    def __init__(self, reason: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Rejected(SpanWitnessError):  # noqa: N818 - the same
    """The request can never be stored as it is. The sender must not retry it."""


class TooLarge(Rejected):
    """The request is over the size limit, before or after decompression."""


@dataclass(frozen=True, slots=True)
class WireCode:
    """How one kind of error is told on each transport."""

    grpc: str
    http: int


# Retryable and final codes as OTLP's specification lists them (docs/specification.md, "Failures").
WIRE_CODES: Final[dict[type[Exception], WireCode]] = {
    Busy: WireCode("UNAVAILABLE", 503),
    TooLarge: WireCode("RESOURCE_EXHAUSTED", 413),
    Rejected: WireCode("INVALID_ARGUMENT", 400),
}


def fault(error: BaseException) -> str:
    """What and where an unforeseen error was, for a log: never its message, which may quote a customer."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def wire_code(error: Exception) -> WireCode:
    """The codes of `error`; anything unforeseen is retryable, so that no sender drops its data for a fault of ours."""
    for kind in type(error).__mro__:
        if kind in WIRE_CODES:
            return WIRE_CODES[kind]
    return WIRE_CODES[Busy]
