"""OTLP requests as OTLP/JSON: proto3's JSON, but ids in hex and enums as numbers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import orjson
from google.protobuf import json_format

if TYPE_CHECKING:
    from google.protobuf.message import Message

_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


def to_json(request: Message) -> bytes:
    """The request as a sender of `application/json` writes it."""
    return orjson.dumps(_hexed(json_format.MessageToDict(request, use_integers_for_enums=True)))


def _hexed(value: Any) -> Any:
    if isinstance(value, list):
        return [_hexed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: base64.b64decode(item).hex() if key in _IDS else _hexed(item) for key, item in value.items()}
