"""`spanwitness serve` as a process of its own, started for the demo and stopped with it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn

from spanwitness.errors import SpanWitnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_START_S: Final = 60.0
_STOP_S: Final = 45.0
_TAIL_BYTES: Final = 4_000
_TAIL_LINES: Final = 3


class ServerStoppedError(SpanWitnessError):
    """The server is no more. The message has the end of its log."""


class Serving:
    """A running server.

    Attributes:
        pid: its process id.
        addresses: HOST:PORT by transport, "grpc" and "http".
    """

    def __init__(self, process: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
        self._process = process
        self._stderr = stderr
        self.pid = process.pid
        self.addresses: Mapping[str, str] = self._await_ready()

    def pause(self, seconds: float) -> None:
        """Waits. Raises ServerStoppedError at once when the server stops meanwhile."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise _stopped(self._process, self._stderr)

    def tail(self) -> str:
        """The last lines of its log."""
        return _tail(self._stderr)

    def _await_ready(self) -> dict[str, str]:
        deadline = time.monotonic() + _START_S
        line = b""
        while not line.endswith(b"\n"):
            output = self._process.stdout
            if output is None or not select.select([output], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise SpanWitnessError(f"the server was not ready within {_START_S:.0f} s; its log: {self.tail()}")
            read = os.read(output.fileno(), 4096)
            if not read:
                self._process.wait()
                raise _stopped(self._process, self._stderr)
            line += read
        return dict(pair.split("=", 1) for pair in line.decode().split()[1:])


@contextmanager
def serving(store_url: str, idle: str) -> Iterator[Serving]:
    """A server on this store and on free ports, for as long as the block runs, whatever ends it.

    Args:
        store_url: where it keeps the record.
        idle: the silence that ends a conversation, as `serve --idle` takes it.

    Raises:
        SpanWitnessError: it does not start, stops by itself, or does not end well. The message has the end of its log.
    """
    command = [sys.executable, "-m", "spanwitness", "serve", "--store", store_url, "--idle", idle]
    command += ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    # What is configured for another server, such as a tenant's own idle time, is not for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPANWITNESS_")}
    with (
        _terminable(),
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environment) as process,  # noqa: S603 - ours
        _ended(process),
    ):
        try:
            yield Serving(process, stderr)
        except ServerStoppedError:
            raise
        except SpanWitnessError as error:
            # Whoever talks to the server learns of its end as a connection that fails.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
                raise _stopped(process, stderr) from error
            raise
        process.terminate()
        if process.wait(_STOP_S):
            raise _stopped(process, stderr)


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Lets no server outlive the block: asked to stop first, killed where it does not."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_S)
            finally:
                process.kill()


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that what it started is stopped."""

    def end(number: int, _frame: Any) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stopped(process: subprocess.Popen[bytes], log: IO[bytes]) -> ServerStoppedError:
    return ServerStoppedError(f"the server stopped, exit status {process.returncode}; its log: {_tail(log)}")


def _tail(log: IO[bytes]) -> str:
    # The place where the server writes next is shared with it: read without moving it.
    size = os.fstat(log.fileno()).st_size
    text = os.pread(log.fileno(), _TAIL_BYTES, max(size - _TAIL_BYTES, 0)).decode(errors="replace")
    return " | ".join(line.strip() for line in text.splitlines()[-_TAIL_LINES:]) or "(empty)"
