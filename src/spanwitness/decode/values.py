"""AnyValue columns to text columns, as the Collector's exporter writes them.

Strings stay as they are, numbers and booleans get JSON's spelling, arrays and maps become JSON, bytes base64, an empty
value ''.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

if TYPE_CHECKING:
    from collections.abc import Callable

_EMPTY = pa.scalar("", pa.string())


def text_of(values: pa.StructArray) -> pa.StringArray:
    """One text a value; never null."""
    strings = values.field("string_value")
    missing = np.flatnonzero(strings.is_null().to_numpy(zero_copy_only=False))
    if not len(missing):
        return strings
    others = _texts(values.take(pa.array(missing)))
    source = np.arange(len(strings), dtype=np.int64)
    source[missing] = np.arange(len(strings), len(strings) + len(missing))
    return pa.concat_arrays([strings, others]).take(pa.array(source))


def _texts(values: pa.StructArray) -> pa.StringArray:
    parts: list[tuple[np.ndarray[Any, Any], pa.Array]] = []
    for name, convert in _CONVERTERS.items():
        column = values.field(name)
        rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        if len(rows):
            parts.append((rows, convert(column.take(pa.array(rows)))))
    if not parts:
        return pa.repeat(_EMPTY, len(values))
    source = np.full(len(values), -1, dtype=np.int64)
    start = 0
    for rows, texts in parts:
        source[rows] = np.arange(start, start + len(texts))
        start += len(texts)
    gathered = pa.concat_arrays([texts for _, texts in parts]).take(pa.array(source, mask=source < 0))
    return gathered.fill_null("") if gathered.null_count else gathered


def _integers(column: pa.Array) -> pa.StringArray:
    return pc.cast(column, pa.string())


def _booleans(column: pa.Array) -> pa.StringArray:
    return pc.if_else(column, "true", "false")


def _doubles(column: pa.Array) -> pa.StringArray:
    return pa.array([double_text(value) for value in column.to_pylist()], pa.string())


def double_text(value: float) -> str:
    """The shortest text that reads back as `value`; whole numbers without a fraction, as Go's exporter does."""
    if math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)  # noqa: PLR2004 - beyond this float digits are not exact
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _each_distinct(convert: Callable[[bytes], str]) -> Callable[[pa.Array], pa.StringArray]:
    def apply(column: pa.Array) -> pa.StringArray:
        # finish_reasons and the like repeat in every span: each distinct value is decoded once.
        encoded = column.dictionary_encode()
        texts = pa.array([convert(raw) for raw in encoded.dictionary.to_pylist()], pa.string())
        return texts.take(encoded.indices)

    return apply


def _array_json(raw: bytes) -> str:
    return _json([plain(value) for value in ArrayValue.FromString(raw).values])


def _map_json(raw: bytes) -> str:
    return _json({item.key: plain(item.value) for item in KeyValueList.FromString(raw).values})


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a number beyond 64 bits cannot come from OTLP, so this is nesting beyond orjson's depth
        return ""


def plain(value: AnyValue) -> Any:
    """An AnyValue as Python's own values; bytes as base64 text; NaN and infinities as text, since JSON has none."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: plain(item.value) for item in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    found = getattr(value, kind)
    return double_text(found) if isinstance(found, float) and not math.isfinite(found) else found


_CONVERTERS: dict[str, Callable[[pa.Array], pa.StringArray]] = {
    "int_value": _integers,
    "double_value": _doubles,
    "bool_value": _booleans,
    "array_value": _each_distinct(_array_json),
    "kvlist_value": _each_distinct(_map_json),
    "bytes_value": _each_distinct(lambda raw: base64.b64encode(raw).decode()),
}
