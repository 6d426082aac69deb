"""Receive: OTLP over gRPC and HTTP. Every transport hands the same bytes to one `Ingest` and tells its answer."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from spanwitness.errors import Busy, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


class Signal(StrEnum):
    """What a request carries."""

    TRACES = "traces"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, as far as the transport knows. Nothing here is authenticated yet.

    Attributes:
        transport: "grpc" or "http".
        headers: gRPC metadata or HTTP headers, names in lower case; a repeated one is joined by ", ".
            Binary gRPC metadata (`*-bin`) is left out.
        peer: HOST:PORT of the connection ('' where the transport has none).
    """

    transport: str
    headers: Mapping[str, str]
    peer: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request that was stored. `rejected` items were not; a `reason` alone is a warning."""

    rejected: int = 0
    reason: str = ""


class Ingest(Protocol):
    """Stores one request; the only thing that a transport knows of the rest of the path."""

    async def __call__(self, body: bytes, signal: Signal, caller: Caller) -> Outcome:
        """Returns once the rows of `body`, a serialised Export{Trace,Logs}ServiceRequest, are stored.

        Called many times at once. It is cancelled when a gRPC sender gives up and when `stop` runs out of grace.

        Raises:
            Busy: nothing was stored, the sender keeps its data and retries.
            Rejected: the request can never be stored, the sender must not retry.
            TooLarge: the same, for its size.
            Exception: anything else is a fault of ours; the sender is asked to retry.
        """


class Answered(Protocol):
    """Is told of every answer, for whoever counts them."""

    def __call__(self, transport: str, signal: Signal, code: str) -> None:
        """Takes no time and never raises.

        Args:
            transport: "grpc" or "http".
            signal: what the request carried.
            code: the status code, by name ("OK") or by number ("200").
        """


def untold(transport: str, signal: Signal, code: str) -> None:
    """Nobody counts."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on memory, for each transport.

    Attributes:
        message_bytes: largest request, both as sent and after decompression. 20 MiB is what OTLP's text recommends.
        in_flight_bytes: all requests being received or stored; beyond it senders are told to come back.
    """

    message_bytes: int = 20 * 1024 * 1024
    in_flight_bytes: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        """Raises ConfigError if no request could ever pass."""
        if not 0 < self.message_bytes <= self.in_flight_bytes:
            raise ConfigError(
                f"receive.max_request: {self.message_bytes} is not allowed; "
                f"allowed is 1 to receive.max_in_flight ({self.in_flight_bytes})"
            )


DEFAULT_LIMITS: Final = Limits()


class Room:
    """Counts the bytes in flight, so that memory is bounded by the limit and not by the number of senders."""

    def __init__(self, limits: Limits) -> None:
        self._free = limits.in_flight_bytes

    @contextmanager
    def lease(self) -> Iterator[Callable[[int], None]]:
        """Gives a function that takes bytes, or raises Busy; all taken come back at the end."""
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if size > self._free:
                raise Busy("too many requests in flight")
            self._free -= size
            taken += size

        try:
            yield take
        finally:
            self._free += taken


def fold(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Headers by lower-case name; a repeated one is joined, so that neither of its values can hide the other."""
    folded: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        folded[key] = f"{folded[key]}, {value}" if key in folded else value
    return folded


def host_port(host: str, port: int) -> str:
    """HOST:PORT, with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(key: str, address: str) -> socket.socket:
    """A listening TCP socket on `address`: HOST:PORT or [IPV6]:PORT, port 0 takes a free one.

    Raises:
        ConfigError: naming `key`, when the address is malformed, in use or not ours.
    """
    host, port = _split(key, address)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server((host, port), family=family, backlog=1024, dualstack_ipv6=both)
    except OSError as error:
        # A name that does not resolve has no errno; where there is one, socket adds the address to its text.
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise cannot_listen(key, address, why or "unknown reason") from error


def cannot_listen(key: str, address: str, why: str) -> ConfigError:
    """The error for an address that is well formed but cannot be listened on."""
    return ConfigError(
        f"{key}: cannot listen on {address}: {why}; stop what holds the port or set {key} to another HOST:PORT "
        "(port 0 takes a free one)"
    )


def _split(key: str, address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:  # noqa: PLR2004 - the last port
        raise ConfigError(f"{key}: {address!r} is not an address; allowed is HOST:PORT or [IPV6]:PORT, port 0 to 65535")
    return host.removeprefix("[").removesuffix("]"), int(port)
