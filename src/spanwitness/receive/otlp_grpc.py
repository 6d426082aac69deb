"""OTLP/gRPC: TraceService and LogsService, unary Export. Other services answer UNIMPLEMENTED."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import unquote

import grpc
import grpc.aio

from spanwitness.receive import (
    DEFAULT_LIMITS,
    Answered,
    Caller,
    Ingest,
    Limits,
    Room,
    Signal,
    cannot_listen,
    fold,
    host_port,
    listen,
    untold,
)
from spanwitness.receive.statuses import Refusal, acknowledgement, refusal_of

if TYPE_CHECKING:
    # The generic parameters exist in the stubs alone. Bodies are bytes: they are not parsed in Python.
    Context = grpc.aio.ServicerContext[bytes, bytes]

KEY: Final = "receive.grpc"
SERVICES: Final = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
}


class GrpcReceiver:
    """One gRPC server. Many calls are in flight at once; gzip and deflate are inflated by gRPC, within the limit."""

    def __init__(
        self, ingest: Ingest, address: str, limits: Limits = DEFAULT_LIMITS, *, answered: Answered = untold
    ) -> None:
        self._ingest = ingest
        self._address = address
        self._limits = limits
        self._answered = answered
        self._room = Room(limits)
        self._server: grpc.aio.Server | None = None

    async def start(self) -> str:
        """Accepts requests from now on; returns the bound HOST:PORT.

        Raises:
            ConfigError: the address is malformed or cannot be listened on.
        """
        server = grpc.aio.server(options=_options(self._limits))
        server.add_generic_rpc_handlers([self._service(signal) for signal in Signal])
        bound = _bind(server, self._address)
        await server.start()
        self._server = server
        return bound

    async def stop(self, grace_s: float) -> None:
        """Refuses new requests and answers those in flight; what is left after `grace_s` is cut off, unacknowledged."""
        if self._server is not None:
            await self._server.stop(grace_s)

    def _service(self, signal: Signal) -> grpc.GenericRpcHandler:
        # Without a deserialiser gRPC hands over the bytes as they came.
        export: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(partial(self._export, signal))
        return grpc.method_handlers_generic_handler(SERVICES[signal], {"Export": export})

    async def _export(self, signal: Signal, body: bytes, context: Context) -> bytes:
        try:
            with self._room.lease() as take:
                take(len(body))
                outcome = await self._ingest(body, signal, _caller(context))
        except Exception as error:  # noqa: BLE001 - a fault of ours must reach the sender as retryable
            refusal = refusal_of(error)
            self._answered("grpc", signal, refusal.grpc)
            return await _refuse(context, refusal)
        self._answered("grpc", signal, "OK")
        return acknowledgement(signal, outcome).SerializeToString()


def _options(limits: Limits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limits.message_bytes),
        # By default a second server could take the same port and half of its requests.
        ("grpc.so_reuseport", 0),
    ]


def _bind(server: grpc.aio.Server, address: str) -> str:
    # gRPC logs a failed bind at length and tells no reason: a plain socket asks first.
    with listen(KEY, address) as probe:
        host = probe.getsockname()[0]
    wanted = host_port(host, int(address.rpartition(":")[2]))
    try:
        return host_port(host, server.add_insecure_port(wanted))
    except RuntimeError as error:
        raise cannot_listen(KEY, address, "taken meanwhile") from error


def _caller(context: Context) -> Caller:
    metadata = context.invocation_metadata() or ()
    headers = fold((key, value) for key, value in metadata if isinstance(value, str))
    # The peer stands behind a family, and an IPv6 one is quoted: "ipv6:%5B::1%5D:5000".
    return Caller("grpc", headers, unquote(context.peer().partition(":")[2]))


async def _refuse(context: Context, refusal: Refusal) -> NoReturn:
    details = ("grpc-status-details-bin", refusal.status().SerializeToString())
    await context.abort(grpc.StatusCode[refusal.grpc], refusal.reason, (details,))
