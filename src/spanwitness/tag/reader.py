"""The one reader that evaluates a dialect's declarations for many spans at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, Kind, Sources, Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spanwitness.columns import Batch, BoolArray, IntArray


class Rows:
    """Some spans of a batch, seen as columns. `rows` None: all of them."""

    def __init__(self, batch: Batch, rows: IntArray | None = None) -> None:
        self._batch = batch
        self._rows = None if rows is None else pa.array(rows)
        self.n = batch.n if rows is None else len(rows)
        self._seen: dict[str, pa.StringArray | None] = {}

    def of_resource(self, key: str) -> pa.StringArray | None:
        """The values of a resource attribute, like `column`."""
        whole = self._batch.of_resource(key)
        return whole if whole is None or self._rows is None else whole.take(self._rows)

    def status(self) -> pa.StringArray:
        """Unset, Ok or Error, as the spans tell it."""
        whole = self._batch.columns["StatusCode"]
        return whole if self._rows is None else whole.take(self._rows)

    def column(self, key: str) -> pa.StringArray | None:
        """The values of an attribute, null where there is none; None when no span has it."""
        if key not in self._seen:
            whole = self._batch.columns["SpanName"] if key == SPAN_NAME else self._batch.attributes.column(key)
            self._seen[key] = whole if whole is None or self._rows is None else whole.take(self._rows)
        return self._seen[key]


def empty(n: int) -> pa.StringArray:
    """A text column of n times ''."""
    return pa.repeat(pa.scalar("", pa.string()), n)


def read(rows: Rows, sources: Sources, requested: pa.StringArray | None = None) -> pa.StringArray:
    """The first source that says something, '' where none does."""
    found: pa.StringArray | None = None
    for source in sources:
        column = _read_one(rows, source, requested)
        if column is not None:
            found = column if found is None else pc.coalesce(found, column)
            if not found.null_count:
                break
    return empty(rows.n) if found is None else found.fill_null("")


def read_with_source(
    rows: Rows,
    sources: Sources,
    requested: pa.StringArray,
    label: Callable[[From], str],
    *,
    never: tuple[str, ...] = (),
    nothing: tuple[str, ...] = (),
) -> tuple[pa.StringArray, pa.StringArray]:
    """As `read`, and beside each value the label of the source that gave it ('' where none did).

    A value that begins with one of `never`, or is one of `nothing`, is none: the next source is asked.
    """
    empties = pa.array(nothing, pa.string())
    value = pa.nulls(rows.n, pa.string())
    origin = pa.nulls(rows.n, pa.string())
    for source in sources:
        column = _read_one(rows, source, requested)
        if column is not None:
            if nothing:
                column = pc.if_else(pc.is_in(column, empties), pa.scalar(None, pa.string()), column)
            for begin in never:
                column = pc.if_else(pc.starts_with(column, begin), pa.scalar(None, pa.string()), column)
            fresh = pc.and_(value.is_null(), column.is_valid())
            origin = pc.if_else(fresh, label(source), origin)
            value = pc.coalesce(value, column)
            if not value.null_count:
                break
    return value.fill_null(""), origin.fill_null("")


def classify(rows: Rows, kinds: Sequence[Kind]) -> pa.StringArray:
    """The first kind that answers, '' where none does."""
    found: pa.StringArray | None = None
    for kind in kinds:
        column = _read_one(rows, kind.source, None)
        if column is not None:
            steps = _map_distinct(column, partial(_lookup, kind.steps))
            found = steps if found is None else pc.coalesce(found, steps)
            if not found.null_count:
                break
    return empty(rows.n) if found is None else found.fill_null("")


def _read_one(rows: Rows, source: From, requested: pa.StringArray | None) -> pa.StringArray | None:
    column = rows.column(source.key)
    if column is None:
        return None
    keep = _conditions(rows, source)
    if keep is not None:
        if not keep.any():
            return None
        column = _only(column, keep)
    if source.path or source.quoted:
        column = _dig(column, source.path)
    if source.unless_requested and requested is not None:
        # A name that only repeats the request, with its router's prefix or without, or that stands where no request
        # is known, proves nothing.
        differs = pc.and_(pc.not_equal(_bare(column), _bare(requested)), pc.not_equal(requested, ""))
        column = _only(column, differs.fill_null(False).to_numpy(zero_copy_only=False))
    return _only(column, pc.not_equal(column, "").fill_null(False).to_numpy(zero_copy_only=False))


def _bare(models: pa.StringArray) -> pa.StringArray:
    """`gpt-4o` of `openai/gpt-4o`."""
    if not pc.any(pc.match_substring(models, "/")).as_py():
        return models
    return _map_distinct(models, lambda name: name.rpartition("/")[2])


def _conditions(rows: Rows, source: From) -> BoolArray | None:
    keep: BoolArray | None = None
    if source.spans:
        keep = pc.is_in(rows.column(SPAN_NAME), pa.array(source.spans)).to_numpy(zero_copy_only=False)
    if source.beside:
        other = ~pc.is_in(rows.column(SPAN_NAME), pa.array(source.beside)).to_numpy(zero_copy_only=False)
        keep = other if keep is None else keep & other
    if source.where is not None:
        column = rows.column(source.where[0])
        held = (
            np.zeros(rows.n, dtype=np.bool_)
            if column is None
            else pc.equal(column, source.where[1]).fill_null(False).to_numpy(zero_copy_only=False)
        )
        keep = held if keep is None else keep & held
    if source.without and (column := rows.column(source.without)) is not None:
        bare = column.is_null().to_numpy(zero_copy_only=False)
        keep = bare if keep is None else keep & bare
    return keep


def _only(column: pa.StringArray, keep: BoolArray) -> pa.StringArray:
    return column if keep.all() else pc.if_else(pa.array(keep), column, pa.scalar(None, pa.string()))


def _map_distinct(column: pa.StringArray, convert: Callable[[str], str | None]) -> pa.StringArray:
    encoded = column.dictionary_encode()
    texts = pa.array([convert(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return texts.take(encoded.indices)


def _lookup(steps: Steps, value: str) -> str | None:
    if value in steps:
        return steps[value]
    return next((kind for name, kind in steps.items() if _matches(name, value)), None)


def _matches(name: str, value: str) -> bool:
    if name.endswith("*"):
        return value.startswith(name[:-1])
    return name.startswith("*") and value.endswith(name[1:])


def _dig(column: pa.StringArray, path: tuple[str | int, ...]) -> pa.StringArray:
    return _map_distinct(column, lambda text: dig(text, path))


def dig(text: str | None, path: tuple[str | int, ...]) -> str | None:
    """The text or whole number at `path` inside a JSON text; None where there is neither."""
    if text is None:
        return None
    try:
        value: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    for part in path:
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and part < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def detect(batch: Batch, dialects: Sequence[Dialect]) -> IntArray:
    """The index of each span's dialect; the last dialect takes what no other does."""
    scopes = batch.columns["ScopeName"].dictionary_encode()
    names = scopes.dictionary.to_pylist()
    scope_of: IntArray = scopes.indices.to_numpy().astype(np.int64)
    found = np.full(batch.n, len(dialects) - 1, dtype=np.int64)
    known = np.zeros(batch.n, dtype=np.bool_)
    for index in range(len(dialects) - 1, -1, -1):
        dialect = dialects[index]
        by_scope = np.array([speaks(dialect, name) for name in names], dtype=np.bool_)
        if not by_scope.any():
            continue
        taken = by_scope[scope_of]
        if dialect.requires:
            taken &= _any_present(batch, dialect.requires)
        found[taken] = index
        known |= taken
    return _by_markers(batch, dialects, found, ~known)


def _by_markers(batch: Batch, dialects: Sequence[Dialect], found: IntArray, unknown: BoolArray) -> IntArray:
    if not unknown.any():
        return found
    for index in range(len(dialects) - 1, -1, -1):
        if dialects[index].markers:
            found[unknown & _any_present(batch, dialects[index].markers)] = index
    return found


def _any_present(batch: Batch, names: Sequence[str]) -> BoolArray:
    present = np.zeros(batch.n, dtype=np.bool_)
    for name in names:
        column = batch.attributes.column(name)
        if column is not None:
            present |= column.is_valid().to_numpy(zero_copy_only=False)
    return present


def speaks(dialect: Dialect, scope: str) -> bool:
    """Whether a dialect claims an instrumentation scope by name."""
    return any(scope.startswith(name[:-1]) if name.endswith("*") else scope == name for name in dialect.scopes)


def distinct(columns: Mapping[str, pa.StringArray]) -> tuple[list[tuple[str, ...]], IntArray]:
    """The distinct rows over several columns, and for each row which of them it is.

    Model names and their like repeat in every span: what is computed on them is computed once a distinct row.
    """
    codes: IntArray | None = None
    for column in columns.values():
        indices = column.dictionary_encode().indices.to_numpy().astype(np.int64)
        if codes is None:
            codes = indices
        else:
            _, codes = np.unique(codes * (int(indices.max(initial=0)) + 1) + indices, return_inverse=True)
    if codes is None or not len(codes):
        return [], np.zeros(0, dtype=np.int64)
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    picked = [column.take(pa.array(first)).to_pylist() for column in columns.values()]
    return list(zip(*picked, strict=True)), inverse
