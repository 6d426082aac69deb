"""Decoded telemetry as columns: what the request lane's stages hand to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

IntArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


class Attributes:
    """The attributes of `n` owners (spans, resources, events, log records), all values as text.

    Kept as flat key and value columns; a key becomes a column of its own when somebody asks for it.
    """

    def __init__(self, offsets: IntArray, keys: pa.StringArray, values: pa.StringArray) -> None:
        self.offsets = offsets
        self.keys = keys
        self.values = values
        self.n = len(offsets) - 1
        self._codes: IntArray | None = None
        self._code_of: dict[str, int] = {}
        self._owners: IntArray | None = None

    def maps(self) -> pa.MapArray:
        """One map an owner, keys in the order in which they came."""
        return pa.MapArray.from_arrays(pa.array(self.offsets.astype(np.int32)), self.keys, self.values)

    def column(self, key: str) -> pa.StringArray | None:
        """The value of `key` for each owner, null where it has none; None when no owner has it.

        A key that an owner has twice gives the last value (OTLP forbids it; some exporters do it).
        """
        codes = self._index()
        code = self._code_of.get(key)
        if code is None:
            return None
        positions = np.flatnonzero(codes == code)
        row_of = np.full(self.n, -1, dtype=np.int64)
        row_of[self._owner()[positions]] = positions
        return self.values.take(pa.array(row_of, mask=row_of < 0))

    def holds(self, keys: Collection[str]) -> BoolArray:
        """Whether each owner has any of these keys."""
        found = np.zeros(self.n, np.bool_)
        codes = self._index()
        wanted = [self._code_of[key] for key in keys if key in self._code_of]
        if wanted:
            found[self._owner()[np.isin(codes, wanted)]] = True
        return found

    def _owner(self) -> IntArray:
        if self._owners is None:
            self._owners = np.repeat(np.arange(self.n, dtype=np.int64), np.diff(self.offsets))
        return self._owners

    def _index(self) -> IntArray:
        if self._codes is None:
            encoded = self.keys.dictionary_encode()
            self._codes = encoded.indices.to_numpy()
            self._code_of = {key: code for code, key in enumerate(encoded.dictionary.to_pylist())}
        return self._codes


@dataclass(frozen=True, slots=True)
class Problem:
    """What a sender is told: how many of its items were refused, and why. `fatal`: nothing of the request is usable."""

    rejected: int
    reason: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Spans or log records of several requests as columns, one row an item.

    Attributes:
        request: the request that each item came in.
        resource: the row of `resources` that belongs to each item.
        columns: what the wire says, under the names of the store's columns. Ids are lower hex.
        problems: by request, what was refused.
        refused: by request, which of its items were: their places among them all, from 0, in the order of the wire.
    """

    n: int
    request: IntArray
    resource: IntArray
    resources: Attributes
    attributes: Attributes
    columns: dict[str, pa.Array]
    problems: dict[int, Problem]
    refused: Mapping[int, frozenset[int]] = field(default_factory=dict)

    def of_resource(self, key: str) -> pa.StringArray | None:
        """The value of a resource attribute for each item, like Attributes.column."""
        found = self.resources.column(key)
        return None if found is None else found.take(pa.array(self.resource))
