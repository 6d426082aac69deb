"""Next hops: real servers on free ports that answer as they are told, and keep what they took."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from spanwitness.errors import Busy
from spanwitness.forward import Parcel
from spanwitness.testing import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from spanwitness.columns import Problem
    from spanwitness.forward import Kind

CERTIFICATE = Path(__file__).parent / "localhost.pem"
"""For localhost, with its key: worth nothing anywhere else."""
_PATHS: Mapping[str, Kind] = {"/v1/traces": "traces", "/v1/logs": "logs"}


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs `async def` tests, each in a loop of its own and within half a minute."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), 30))
    return True


@dataclass
class MemoryHop:
    """A next hop without a wire. `answers` are given in order, and then None for ever."""

    answers: list[Problem | Exception | None] = field(default_factory=list)
    taken: list[Parcel] = field(default_factory=list)
    closed: bool = False

    async def send(self, parcel: Parcel) -> Problem | None:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        self.taken.append(parcel)
        return answer

    async def close(self) -> None:
        self.closed = True


@dataclass(frozen=True)
class Answer:
    """What a server says. `status`: an HTTP status or the name of a gRPC code; `cut`: it hangs up instead."""

    status: int | str = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class Server:
    """A server that answers with `answers` in order, and then that all is well."""

    answers: list[Answer] = field(default_factory=list)
    gate: asyncio.Event | None = None
    taken: list[Parcel] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    connections: int = 0
    together: int = 0
    _now: int = 0

    async def take(self, kind: Kind, body: bytes, headers: Mapping[str, str]) -> Answer:
        self._now += 1
        self.together = max(self.together, self._now)
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self._now -= 1
        self.headers.append(headers)
        self.taken.append(Parcel(kind, body, 0))
        return self.answers.pop(0) if self.answers else Answer()

    @asynccontextmanager
    async def http(self, port: int = 0, tls: bool = False) -> AsyncIterator[str]:
        """Speaks OTLP/HTTP; its base address."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            try:
                while await self._exchange(reader, writer):
                    pass
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
        server = await asyncio.start_server(talk, "127.0.0.1", port, ssl=context)
        try:
            yield "http{}://127.0.0.1:{}".format("s" if tls else "", server.sockets[0].getsockname()[1])
        finally:
            server.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        answer = await self.take(_PATHS[head[0].split()[1]], body, headers)
        if answer.cut:
            return False
        told = {"content-type": "application/x-protobuf", "content-length": str(len(answer.body)), **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} Whatever", *(f"{name}: {value}" for name, value in told.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        await writer.drain()
        return True

    @asynccontextmanager
    async def grpc(self, port: int = 0, tls: bool = False) -> AsyncIterator[str]:
        """Speaks OTLP/gRPC; its address."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        if tls:
            pem = CERTIFICATE.read_bytes()
            port = server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(pem, pem)]))
        else:
            port = server.add_insecure_port(f"127.0.0.1:{port}")
        services: Mapping[Kind, str] = {"traces": "trace.v1.TraceService", "logs": "logs.v1.LogsService"}
        for kind, name in services.items():
            handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self._export(kind))
            service = f"opentelemetry.proto.collector.{name}"
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Export": handler})])
        await server.start()
        try:
            yield f"grpc{'s' if tls else ''}://127.0.0.1:{port}"
        finally:
            await server.stop(0)

    def _export(self, kind: Kind) -> Any:
        async def export(body: bytes, context: Any) -> bytes:
            metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            answer = await self.take(kind, body, metadata)
            if isinstance(answer.status, str):
                details = (("grpc-status-details-bin", answer.body),) if answer.body else ()
                await context.abort(grpc.StatusCode[answer.status], answer.headers.get("message", ""), details)
            return answer.body

        return export


async def reached(condition: Callable[[], bool]) -> None:
    """Returns once `condition` holds, while the loop goes on."""
    await asyncio.to_thread(until, condition, pause_s=0.002)


async def busy(awaitable: Any) -> Busy:
    """The Busy that this ends with."""
    with pytest.raises(Busy) as told:
        await awaitable
    return told.value
