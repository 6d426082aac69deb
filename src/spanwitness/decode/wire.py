"""Wire bytes to nested Arrow columns, several requests at once."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

MessageName = Literal["Traces", "Logs"]
_WHOLE: dict[MessageName, Any] = {"Traces": ExportTraceServiceRequest, "Logs": ExportLogsServiceRequest}


@functools.cache
def _handlers() -> dict[str, Any]:
    import ptars
    from google.protobuf import descriptor_pb2, descriptor_pool

    raw = resources.files(__package__).joinpath("otlp_columns.binpb").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorSet.FromString(raw).file[0]
    pool.AddSerializedFile(file.SerializeToString())
    handlers = ptars.HandlerPool([pool.FindFileByName(file.name)])
    return {
        name: handlers.get_for_message(pool.FindMessageTypeByName(f"{file.package}.{name}"))
        for name in ("Traces", "Logs")
    }


def to_arrow(bodies: Sequence[bytes], message: MessageName) -> pa.Array:
    """One row a body: the list of its resource_spans / resource_logs.

    Raises:
        ValueError: a body is not this message. Which one is found by trying them alone.
    """
    return _handlers()[message].list_to_record_batch(list(bodies)).column(0)


def undecodable(bodies: Sequence[bytes], message: MessageName) -> list[int]:
    """Indexes of the bodies that are not this message, looked at in all their depth."""
    return [index for index, body in enumerate(bodies) if not _decodes(body, message)]


def _decodes(body: bytes, message: MessageName) -> bool:
    try:
        to_arrow([body], message)
        _WHOLE[message].FromString(body)  # columns keep arrays and maps as bytes, whatever these hold
    except (ValueError, DecodeError):
        return False
    return True
