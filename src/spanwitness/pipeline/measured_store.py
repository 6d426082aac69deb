"""A store that counts what is written to it, so that neither lane has to."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from spanwitness.errors import StoreError
from spanwitness.metrics import Meters, names
from spanwitness.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

_SIGNALS: Final = dict(zip(("otel_traces", "otel_logs"), names.SIGNALS, strict=True))


class MeasuredStore(Store):
    """Passes everything on to `store`, whose owner closes it.

    What is counted is durable by then, and nothing else is: a sweep that starts over counts what it writes once more
    only where it writes it once more.
    """

    def __init__(self, store: Store, meters: Meters, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(store._engine, store._name)  # noqa: SLF001 - the same store
        self._meters = meters
        self._clock = clock

    def insert(self, table: str, rows: pa.Table, token: str = "") -> None:
        """See Store."""
        begin = self._clock()
        with self._counting("insert"):
            super().insert(table, rows, token)
        if table in _SIGNALS:
            self._items(_SIGNALS[table], len(rows), self._clock() - begin)
        elif table == "conversations":
            self._conversations(rows)
        elif table == "scores":
            self._scores(rows)

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """See Store."""
        with self._counting("query"):
            return super().arrow(sql, parameters)

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """See Store."""
        with self._counting("query"):
            super().command(sql, parameters)

    def _items(self, signal: str, count: int, took_s: float) -> None:
        self._meters.add(names.ACCEPTED, signal, by=count)
        self._meters.observe(names.BATCH_ITEMS, count, signal)
        self._meters.observe(names.BATCH_SECONDS, took_s, signal)

    def _conversations(self, rows: pa.Table) -> None:
        for row in rows.select(["Revision", "CloseReason"]).to_pylist():
            if row["Revision"] == 1:
                self._meters.add(names.CLOSED, row["CloseReason"])
            else:
                self._meters.add(names.REVISED)

    def _scores(self, rows: pa.Table) -> None:
        """What a judge says is counted apart from what the evaluator says itself, as `score shifts` are told apart."""
        for row in rows.select(["Evaluator", "Judge", "Status", "Score", "Passed"]).to_pylist():
            evaluator = f"{row['Evaluator']}/{row['Judge']}" if row["Judge"] else row["Evaluator"]
            self._meters.add(names.SCORES, evaluator, row["Status"])
            if row["Score"] is not None:
                self._meters.observe(names.SCORE, row["Score"], evaluator)
            if row["Passed"] is False:
                self._meters.add(names.BELOW, evaluator)

    @contextmanager
    def _counting(self, operation: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            self._meters.add(names.STORE_ERRORS, operation)
            raise
