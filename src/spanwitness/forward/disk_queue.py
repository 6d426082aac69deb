"""Requests for the next hop, on disk until it took them: what `put` returned for survives the death of this process."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spanwitness.errors import Busy, ConfigError
from spanwitness.forward import Parcel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

# EXCLUSIVE: a second process is refused, and gone with this one, however it ends. FULL: a commit is on the disk.
_OPEN: Final = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA journal_size_limit = 67108864",
    (
        "CREATE TABLE IF NOT EXISTS parcels (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, "
        "items INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL)"
    ),
)
_TOTALS: Final = "SELECT count(*), coalesce(sum(size), 0), coalesce(sum(items), 0) FROM parcels"
_FULL: Final = "the queue for the next hop is full"


@dataclass(frozen=True, slots=True)
class Queued:
    """A parcel in the queue. `number` goes up with each."""

    number: int
    parcel: Parcel


class DiskQueue:
    """First in, first out. Not for several threads at once.

    Args:
        path: the file; made where there is none.
        max_bytes: of requests that wait; beyond it `put` is Busy.

    Raises:
        ConfigError: the file cannot be opened, is no queue, or belongs to another process.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max = max_bytes
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
            try:
                for statement in _OPEN:
                    self._db.execute(statement)
                self.requests, self.bytes, self.items = self._db.execute(_TOTALS).fetchone()
            except sqlite3.Error:
                self._db.close()
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            why = "another process has it" if "locked" in str(error) else error
            key = f"forward.queue = {str(self._path)!r}"
            raise ConfigError(f"{key}: {why}; allowed is a file of this process alone that can be written") from None

    def check(self, size: int = 1, before: int = 0) -> None:
        """Raises Busy if so many bytes, and those `before` them, are too many. One request is taken whatever its size.

        May be asked from another thread.
        """
        waiting = self.bytes + before
        if waiting and waiting + size > self._max:
            raise Busy(_FULL, retry_after_s=5.0)

    def put(self, parcels: Sequence[Parcel]) -> list[Busy | None]:
        """Keeps those for which there is room; by parcel, whether there was none. On the disk when this returns.

        Raises:
            Busy: the disk refused all of them.
        """
        answers: list[Busy | None] = []
        kept: list[Parcel] = []
        size = 0
        for parcel in parcels:
            try:
                self.check(len(parcel.body), size)
            except Busy as busy:
                answers.append(busy)
            else:
                answers.append(None)
                kept.append(parcel)
                size += len(parcel.body)
        if kept:
            with self._written("INSERT INTO parcels (kind, items, size, body) VALUES (?, ?, ?, ?)") as write:
                write([(parcel.kind, parcel.items, len(parcel.body), parcel.body) for parcel in kept])
            self._count(kept, 1)
        return answers

    def head(self, max_bytes: int) -> list[Queued]:
        """The oldest parcels: one, and those after it that are of its kind and fit into so many bytes with it."""
        found: list[Queued] = []
        size = 0
        for number, kind, items, body in self._db.execute("SELECT id, kind, items, body FROM parcels ORDER BY id"):
            size += len(body)
            if found and (kind != found[0].parcel.kind or size > max_bytes):
                break
            found.append(Queued(number, Parcel(kind, body, items)))
        return found

    def remove(self, gone: Sequence[Queued]) -> None:
        """Forgets parcels. Raises Busy if the disk refuses: they will be sent again."""
        with self._written("DELETE FROM parcels WHERE id = ?") as write:
            write([(one.number,) for one in gone])
        self._count([one.parcel for one in gone], -1)

    def close(self) -> None:
        """Lets go of the file."""
        self._db.close()

    def _count(self, parcels: Sequence[Parcel], sign: int) -> None:
        self.requests += sign * len(parcels)
        self.bytes += sign * sum(len(parcel.body) for parcel in parcels)
        self.items += sign * sum(parcel.items for parcel in parcels)

    @contextmanager
    def _written(self, statement: str) -> Iterator[Callable[[Sequence[tuple[Any, ...]]], object]]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield lambda rows: self._db.executemany(statement, rows)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise Busy(f"the queue for the next hop cannot be written ({type(error).__name__})") from error
