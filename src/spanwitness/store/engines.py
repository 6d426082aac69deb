"""The two ways to reach ClickHouse. Same SQL, same client library; they part where a table of rows goes in."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import clickhouse_connect
import pyarrow as pa

from spanwitness.errors import StoreError, StoreHeldError
from spanwitness.store.location import Embedded, Location, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

READ_SETTINGS = {"final": 1, "readonly": 2}
"""What somebody who asks gets: each row once, as replaced; and no way to write."""


class Engine(ABC):
    """Connections to one store. `client` serves the store's own statements, `reader` what users ask."""

    client: Client
    reader: Client

    @abstractmethod
    def insert(self, table: str, rows: pa.Table, settings: dict[str, str]) -> None:
        """Inserts rows by column name; returns once they are stored."""

    @contextmanager
    def asking(self, client: Client) -> Iterator[None]:  # noqa: ARG002 - for engines to which it matters
        """Held while one of the two clients is asked something."""
        yield

    @abstractmethod
    def close(self) -> None:
        """Lets go of the store."""


class EmbeddedEngine(Engine):
    """chDB in this process."""

    def __init__(self, location: Embedded) -> None:
        # The engine takes its zone from the process. Days (partitions) and hours (keys) must be the same ones wherever
        # a store is opened, and the record tells its times in UTC.
        os.environ["TZ"] = "UTC"
        time.tzset()
        try:
            import chdb
        except ModuleNotFoundError:
            raise StoreError("a chdb:// store needs the embedded engine: pip install 'spanwitness[embedded]'") from None
        self._path = str(location.path)
        try:
            location.path.mkdir(parents=True, exist_ok=True)
            self.client = self._connect({})
            self.reader = self._connect(READ_SETTINGS)
            self._raw: Any = chdb.connect(self._path)  # type: ignore[no-untyped-call]
        except OSError as error:
            raise StoreError(f"cannot use {location}: {error.strerror}") from None
        except Exception as error:
            raise _opening_failed(location, error) from error
        self._lock = threading.Lock()
        self._asking = (threading.Lock(), threading.Lock())

    def _connect(self, settings: dict[str, Any]) -> Client:
        return clickhouse_connect.get_client(interface="chdb", path=self._path, settings=settings)

    @contextmanager
    def asking(self, client: Client) -> Iterator[None]:
        # What a statement had put out before it failed stays with its connection, and would stand before the answer to
        # the next one, whoever asks that. It is taken away while nobody else can ask.
        with self._asking[client is self.reader]:
            try:
                yield
            except Exception:
                with suppress(Exception):
                    client.raw_query("SELECT 1", fmt="TSV")
                raise

    def insert(self, table: str, rows: pa.Table, settings: dict[str, str]) -> None:
        # The driver's insert goes through a temporary file on disk. Arrow from memory costs less, and much less than
        # `INSERT ... SELECT FROM Python(...)`, which plans a cast of every column for each statement.
        columns = ", ".join(f"`{name}`" for name in rows.column_names)
        clause = ", ".join(f"{key} = '{value}'" for key, value in settings.items())
        with _in_memory(rows) as path, self._lock:
            self._raw.query(
                f"INSERT INTO {table} ({columns}) FROM INFILE '{path}' SETTINGS {clause} FORMAT ArrowStream"
            )

    def close(self) -> None:
        self._raw.close()
        self.reader.close()
        self.client.close()


class ServerEngine(Engine):
    """A ClickHouse server over HTTP."""

    def __init__(self, location: Server) -> None:
        try:
            self.client = self._connect(location, {})
            self.reader = self._connect(location, READ_SETTINGS)
        except Exception as error:
            raise StoreError(f"cannot reach {location}: {first_line(error)}") from error

    def _connect(self, location: Server, settings: dict[str, Any]) -> Client:
        return clickhouse_connect.get_client(
            host=location.host,
            port=location.port,
            secure=location.secure,
            username=location.user,
            password=location.password,
            database=location.database,
            settings=settings,
            # One session cannot run two statements at once, and ingestion and review do.
            autogenerate_session_id=False,
        )

    def insert(self, table: str, rows: pa.Table, settings: dict[str, str]) -> None:
        self.client.insert_arrow(table, rows, settings=settings)

    def close(self) -> None:
        self.reader.close()
        self.client.close()


@contextmanager
def _in_memory(rows: pa.Table) -> Iterator[str]:
    """A path under which the engine finds `rows` as an Arrow stream. Nothing is left behind, whatever kills us."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("spanwitness")
        try:
            path = f"/proc/self/fd/{descriptor}"
            _write_stream(path, rows)
            yield path
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile(suffix=".arrow") as file:
        _write_stream(file.name, rows)
        yield file.name


def _write_stream(path: str, rows: pa.Table) -> None:
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)


def open_engine(location: Location) -> Engine:
    """Opens the engine that a location names. Raises StoreError."""
    return EmbeddedEngine(location) if isinstance(location, Embedded) else ServerEngine(location)


def _opening_failed(location: Embedded, error: Exception) -> StoreError:
    text = str(error)
    if "Cannot lock file" in text or "Error initializing EmbeddedServer" in text or "another server instance" in text:
        return StoreHeldError(f"{location} is held by another process; an embedded store has one owner at a time")
    return StoreError(f"cannot open {location}: {first_line(error)}")


def first_line(error: Exception) -> str:
    """An engine's message without its stack and version trailer."""
    lines = str(error).strip().splitlines()
    return lines[0].split(" (version ")[0].strip()[:500] if lines else type(error).__name__
