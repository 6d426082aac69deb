"""The next hop over OTLP/gRPC: one channel, many calls on it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import grpc
import grpc.aio

from spanwitness.forward.replies import refused_grpc, taken

if TYPE_CHECKING:
    from spanwitness.columns import Problem
    from spanwitness.errors import Busy, Rejected
    from spanwitness.forward import Kind, Parcel
    from spanwitness.forward.settings import HopSettings

_METHODS: Final[dict[Kind, str]] = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_DETAILS: Final = "grpc-status-details-bin"


class GrpcHop:
    """See forward.Hop. Connects when it is first needed, and again when the hop has been away."""

    def __init__(self, settings: HopSettings) -> None:
        self._timeout_s = settings.timeout_s
        self._metadata = tuple(settings.headers.items())
        self._channel = _channel(settings)
        # Without serialisers gRPC takes and gives bytes as they are.
        self._exports: dict[Kind, Any] = {kind: self._channel.unary_unary(path) for kind, path in _METHODS.items()}

    async def send(self, parcel: Parcel) -> Problem | None:
        """See forward.Hop."""
        export = self._exports[parcel.kind]
        try:
            answer = await export(parcel.body, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise _told(error) from None
        return taken(parcel.kind, answer)

    async def close(self) -> None:
        """See forward.Hop."""
        await self._channel.close()


def _channel(settings: HopSettings) -> grpc.aio.Channel:
    target = urlsplit(settings.endpoint).netloc
    compression = grpc.Compression.Gzip if settings.gzip else grpc.Compression.NoCompression
    if settings.secure:
        credentials = grpc.ssl_channel_credentials(settings.ca)
        return grpc.aio.secure_channel(target, credentials, _options(settings), compression)
    return grpc.aio.insecure_channel(target, _options(settings), compression)


def _options(settings: HopSettings) -> list[tuple[str, int | str]]:
    return [
        ("grpc.primary_user_agent", settings.agent),
        ("grpc.enable_http_proxy", int(settings.by_proxy)),
        # By itself gRPC tries again after two minutes at last: a hop that is back would be away for us all that time.
        ("grpc.initial_reconnect_backoff_ms", 500),
        ("grpc.min_reconnect_backoff_ms", 500),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.keepalive_time_ms", 60_000),
    ]


def _told(error: grpc.aio.AioRpcError) -> Busy | Rejected:
    details = next((value for key, value in error.trailing_metadata() or () if key == _DETAILS), b"")
    raw = details if isinstance(details, bytes) else b""
    return refused_grpc(error.code().name, error.details() or "", raw)
