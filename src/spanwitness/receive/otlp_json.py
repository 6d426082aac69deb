"""OTLP/JSON to protobuf bytes.

`google.protobuf.json_format` is not used: OTLP's JSON differs from proto3's in its ids (hex), in its keys (snake_case
is none of them), and it must not lose a whole request for one bad id. The message descriptors drive the reading
instead, so that every field of the schema is known without being named here.

Tolerated on purpose, though OTLP does not ask for it: enums by their schema name ("SPAN_KIND_CLIENT"; an unknown name
is the unspecified value), `null` for an absent value, half a surrogate pair (U+FFFD; clients that shorten strings cut
emoji in two), URL-safe and unpadded base64.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import orjson
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.errors import Rejected
from spanwitness.receive import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

    # From a JSON value and the levels that may still follow to what a protobuf constructor takes.
    _Reader = Callable[[Any, int], Any]

_REQUESTS: Final[dict[Signal, type[Message]]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
_ENVELOPES: Final = {Signal.TRACES: "resourceSpans", Signal.LOGS: "resourceLogs"}
_FOREIGN: Final = ("resourceSpans", "resourceLogs", "resourceMetrics", "resourceProfiles")
_IDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
# An id that cannot be read. Of no id's length, so that decoding refuses its span; an empty parent would mean a root.
_NO_ID: Final = b"\x00"
# Messages inside messages; readers of protobuf refuse more.
_DEPTH: Final = 100
# Of a path as deep as that, the beginning tells enough.
_PATH_CHARS: Final = 200
_WHOLE: Final = re.compile(r"-?[0-9]{1,20}")
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SPECIAL: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_RANGES: Final = {
    FieldDescriptor.CPPTYPE_INT32: range(-(2**31), 2**31),
    FieldDescriptor.CPPTYPE_INT64: range(-(2**63), 2**63),
    FieldDescriptor.CPPTYPE_UINT32: range(2**32),
    FieldDescriptor.CPPTYPE_UINT64: range(2**64),
}
# A pair of surrogates, a lone one, any other escape (so that an escaped backslash is not taken for one's start).
_ESCAPES: Final = re.compile(rb"(\\u[dD][89abAB]..\\u[dD][c-fC-F]..)|(\\u[dD][89a-fA-F]..)|(\\.)")


class _WrongError(Exception):
    """A value that its field cannot hold; gathers the way to it on the way out. Names keys, never values."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.path = ""

    def below(self, step: str) -> _WrongError:
        self.path = f"{step}.{self.path}" if self.path and not self.path.startswith("[") else f"{step}{self.path}"
        return self


def to_protobuf(body: bytes, signal: Signal) -> bytes:
    """The request in `body` as protobuf bytes.

    Ids that are not hex, or not of an id's length, stay wrong in the result, for decoding to reject item by item.

    Raises:
        Rejected: not JSON, not an object, another signal's request, or a value that its field cannot hold.
    """
    value = _parse(body)
    if not isinstance(value, dict):
        raise Rejected("an OTLP/JSON request is an object")
    _check_signal(value, signal)
    request = _REQUESTS[signal]
    try:
        fields = _message(request.DESCRIPTOR, value, _DEPTH)
    except _WrongError as error:
        raise Rejected(f"OTLP/JSON: {error.path[:_PATH_CHARS]} must be {error.wanted}") from None
    return request(**fields).SerializeToString()


def _parse(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        mended = _ESCAPES.sub(lambda match: rb"\ufffd" if match[2] else match[0], body)
        if mended == body:
            raise Rejected(f"not JSON: {error.msg} at byte {error.pos}") from None
    return _parse(mended)


def _check_signal(request: dict[str, object], signal: Signal) -> None:
    # An unknown key is ignored, but to acknowledge and drop a whole request of another signal would lose it silently.
    if _ENVELOPES[signal] in request:
        return
    for key in _FOREIGN:
        if key in request:
            raise Rejected(f"{key} sent to the endpoint for {signal}")


def _message(kind: Any, value: object, levels: int) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _WrongError("an object")
    if not levels:
        raise _WrongError(f"nested less than {_DEPTH} deep")
    readers = _readers(kind)
    fields: dict[str, object] = {}
    for key, item in value.items():
        if item is None or key not in readers:
            continue
        name, read = readers[key]
        try:
            fields[name] = read(item, levels - 1)
        except _WrongError as error:
            raise error.below(key) from None
    return fields


@cache
def _readers(kind: Descriptor) -> dict[str, tuple[str, _Reader]]:
    return {field.json_name: (field.name, _reader(field)) for field in kind.fields}


def _reader(field: FieldDescriptor) -> _Reader:
    # The one sign of a repeated field that all protobuf releases share.
    repeated = isinstance(field.default_value, list)
    return partial(_list, _single(field)) if repeated else _single(field)


def _single(field: FieldDescriptor) -> _Reader:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        return partial(_message, field.message_type)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return partial(_enum, field.enum_type)
    if kind in _RANGES:
        return partial(_integer, _RANGES[kind])
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return _string_reader(field)
    return _boolean if kind == FieldDescriptor.CPPTYPE_BOOL else _double


def _string_reader(field: FieldDescriptor) -> _Reader:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text
    return _id if field.name in _IDS else _base64


def _list(read: _Reader, value: object, levels: int) -> list[object]:
    if not isinstance(value, list):
        raise _WrongError("an array")
    items: list[object] = []
    for index, item in enumerate(value):
        try:
            items.append(read({} if item is None else item, levels))
        except _WrongError as error:
            raise error.below(f"[{index}]") from None
    return items


def _id(value: object, _levels: int) -> bytes:
    try:
        return binascii.unhexlify(value) if isinstance(value, str) else _NO_ID
    except ValueError:
        return _NO_ID


def _base64(value: object, _levels: int) -> bytes:
    plain = _text(value, _levels).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raise _WrongError("base64") from None


def _text(value: object, _levels: int) -> str:
    if not isinstance(value, str):
        raise _WrongError("a string")
    return value


def _boolean(value: object, _levels: int) -> bool:
    if not isinstance(value, bool):
        raise _WrongError("true or false")
    return value


def _integer(allowed: range, value: Any, _levels: int) -> int:
    textual = isinstance(value, str) and _WHOLE.fullmatch(value)
    if textual or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise _WrongError(f"a whole number from {allowed.start} to {allowed.stop - 1}")
    return value


def _enum(kind: Any, value: object, levels: int) -> int:
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        named = kind.values_by_name.get(value)
        return named.number if named else 0
    return _integer(_RANGES[FieldDescriptor.CPPTYPE_INT32], value, levels)


def _double(value: object, _levels: int) -> float:
    if isinstance(value, str):
        return _double_of_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongError("a number")
    return float(value)


def _double_of_text(value: str) -> float:
    if value in _SPECIAL:
        return _SPECIAL[value]
    if not _NUMBER.fullmatch(value):
        raise _WrongError("a number, NaN, Infinity or -Infinity")
    return float(value)
