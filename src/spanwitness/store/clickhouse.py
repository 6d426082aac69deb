"""What the rest of SpanWitness asks of a store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanwitness.errors import StoreError
from spanwitness.store.engines import Engine, first_line, open_engine
from spanwitness.store.location import Location, parse_location
from spanwitness.store.schema import steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PARTITIONED_BY = ("Timestamp", "LastIngestedAt")
_DAYS_AN_INSERT = 90  # ClickHouse refuses more than 100 partitions in one insert (max_partitions_per_insert_block)


class Store:
    """An open store. Methods may be called from several threads; each raises StoreError."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name

    def insert(self, table: str, rows: pa.Table, token: str = "") -> None:
        """Stores rows; returns once they are durable against the death of this process.

        Args:
            table: where to.
            rows: columns by the table's names.
            token: a digest of the content. The same token a second time stores nothing, within the table's window.
        """
        for number, part in enumerate(_by_days(rows)):
            # Rows that replace each other are told apart when they are read or merged: once, not at each insert too.
            settings = {
                "async_insert": "0",
                "optimize_on_insert": "0",
                "insert_deduplication_token": f"{token}-{number}" if token else _digest(part),
            }
            with self._told(f"insert into {table}"):
                self._engine.insert(table, part, settings)

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The answer to a statement of our own."""
        with self._told("query"), self._engine.asking(self._engine.client):
            return self._engine.client.query_arrow(sql, parameters=dict(parameters or {}), use_strings=True)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The same, as one dict a row."""
        return list(self.arrow(sql, parameters).to_pylist())

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """A statement of our own without an answer."""
        with self._told("statement"), self._engine.asking(self._engine.client):
            self._engine.client.command(sql, parameters=dict(parameters or {}))

    def ask(self, sql: str, fmt: str) -> bytes:
        """What a user asks, in one of ClickHouse's formats. Read only; replaced rows are left out (final=1)."""
        with self._told("query"), self._engine.asking(self._engine.reader):
            return bytes(self._engine.reader.raw_query(sql, fmt=fmt))

    def migrate(self) -> None:
        """Brings the schema up to date: each numbered file once."""
        self.command(
            "CREATE TABLE IF NOT EXISTS schema_versions (Version UInt32, AppliedAt DateTime DEFAULT now()) "
            "ENGINE = MergeTree ORDER BY Version"
        )
        applied = {row["Version"] for row in self.rows("SELECT Version FROM schema_versions")}
        for step in steps():
            if step.version not in applied:
                for statement in step.statements:
                    self.command(statement)
                self.command(f"INSERT INTO schema_versions (Version) VALUES ({step.version})")

    def close(self) -> None:
        """Lets go of the store."""
        self._engine.close()

    def _told(self, what: str) -> _Told:
        return _Told(f"{what} on {self._name}")


class _Told:
    """Turns an engine's error into one line that names the store and what was tried."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, StoreError):
            raise StoreError(f"{self._what}: {first_line(error)}") from error


def open_store(url: str | Location) -> Store:
    """Opens a store and brings its schema up to date.

    Raises:
        ConfigError: the URL is none.
        StoreHeldError: another process owns the embedded store.
        StoreError: it cannot be reached.
    """
    location = parse_location(url) if isinstance(url, str) else url
    store = Store(open_engine(location), str(location))
    try:
        store.migrate()
    except StoreError:
        store.close()
        raise
    return store


def _by_days(rows: pa.Table) -> Iterator[pa.Table]:
    """Rows in parts that no insert refuses for touching too many days; none where there are no rows."""
    if not len(rows):
        return
    partitioned = next((name for name in _PARTITIONED_BY if name in rows.column_names), None)
    if partitioned is None:
        yield rows
        return
    day = pc.floor_temporal(rows[partitioned], unit="day").combine_chunks().dictionary_encode()
    if len(day.dictionary) <= _DAYS_AN_INSERT:
        yield rows
        return
    group = day.indices.to_numpy() // _DAYS_AN_INSERT
    for number in range(int(group.max()) + 1):
        yield rows.take(pa.array(np.flatnonzero(group == number)))


def _digest(rows: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return hashlib.sha256(sink.getvalue()).hexdigest()
