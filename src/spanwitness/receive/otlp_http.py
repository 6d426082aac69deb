"""OTLP/HTTP: protobuf and JSON, plain or compressed, as Starlette routes; and the server that carries them."""

from __future__ import annotations

import asyncio
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import uvicorn
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from spanwitness.errors import Busy
from spanwitness.receive import (
    DEFAULT_LIMITS,
    Answered,
    Caller,
    Ingest,
    Limits,
    Outcome,
    Room,
    Signal,
    fold,
    host_port,
    listen,
    untold,
)
from spanwitness.receive.inflate import CODINGS, Coding, Inflater
from spanwitness.receive.otlp_json import to_protobuf
from spanwitness.receive.statuses import Encoding, Refusal, acknowledgement, encode, refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from socket import socket

    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Receive, Scope, Send

KEY: Final = "receive.http"
PATHS: Final = {
    "/v1/traces": Signal.TRACES,
    "/v1/logs": Signal.LOGS,
    # Where traceAI's exporter posts to, whatever path its user configured.
    "/tracer/v1/traces": Signal.TRACES,
}
_BAD_METHOD: Final = Refusal("UNIMPLEMENTED", 405, "OTLP/HTTP is POST")
_BAD_TYPE: Final = Refusal("INVALID_ARGUMENT", 415, f"content-type must be {' or '.join(Encoding)}")
_BAD_CODING: Final = Refusal("INVALID_ARGUMENT", 415, f"content-encoding must be one of {', '.join(CODINGS)}")
_UNKNOWN: Final = Refusal("NOT_FOUND", 404, f"unknown path; OTLP/HTTP is served at {', '.join(PATHS)}")
# Smaller JSON is converted at once, larger in a thread so that the loop goes on.
_SMALL_JSON: Final = 64 * 1024
# Collectors keep a connection for a minute between exports, SDKs for five seconds: closing at their pace would race.
_KEEP_ALIVE_S: Final = 75


@dataclass(frozen=True, slots=True)
class _Export:
    """The ASGI endpoint of one path. `converting` lets one large JSON body at a time use memory and processor."""

    signal: Signal
    ingest: Ingest
    limits: Limits
    room: Room
    converting: asyncio.Lock
    answered: Answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A sender that went away while its body was read waits for no answer.
        with suppress(ClientDisconnect):
            response = await self._answer(Request(scope, receive))
            self.answered("http", self.signal, str(response.status_code))
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        encoding = _encoding(request.headers)
        if request.method != "POST":
            return _refused(_BAD_METHOD, encoding, allow="POST")
        if encoding is None:
            return _refused(_BAD_TYPE, encoding)
        coding = request.headers.get("content-encoding", "").strip().lower()
        if coding not in {*CODINGS, "", "identity"}:
            return _refused(_BAD_CODING, encoding, accept_encoding=", ".join(CODINGS))
        return await self._stored(request, encoding, CODINGS.get(coding))

    async def _stored(self, request: Request, encoding: Encoding, coding: Coding | None) -> Response:
        try:
            outcome = await self._store(request, encoding, coding)
        except ClientDisconnect:
            raise
        except asyncio.CancelledError:
            # stop() ran out of grace. Uncaught it would become a 500, which tells senders to drop their data.
            return _refused(refusal_of(Busy("shutting down")), encoding)
        except Exception as error:  # noqa: BLE001 - a fault of ours must reach the sender as retryable
            return _refused(refusal_of(error), encoding)
        return Response(encode(acknowledgement(self.signal, outcome), encoding), media_type=encoding)

    async def _store(self, request: Request, encoding: Encoding, coding: Coding | None) -> Outcome:
        with self.room.lease() as take:
            body = await self._read(request, coding, take)
            if encoding is Encoding.JSON:
                body = await self._converted(body)
            return await self.ingest(body, self.signal, _caller(request))

    async def _read(self, request: Request, coding: Coding | None, take: Callable[[int], None]) -> bytes:
        inflater = Inflater(coding, self.limits.message_bytes)
        inflater.announce(int(request.headers.get("content-length", "0")))
        parts: list[bytes] = []
        async for chunk in request.stream():
            for part in inflater.feed(chunk):
                take(len(part))
                parts.append(part)
        inflater.finish()
        return b"".join(parts)

    async def _converted(self, body: bytes) -> bytes:
        if len(body) <= _SMALL_JSON:
            return to_protobuf(body, self.signal)
        async with self.converting:
            return await asyncio.to_thread(to_protobuf, body, self.signal)


def otlp_routes(
    ingest: Ingest,
    limits: Limits = DEFAULT_LIMITS,
    *,
    allowed_origins: Sequence[str] = (),
    answered: Answered = untold,
) -> list[Route]:
    """The routes of OTLP/HTTP, to stand in an application beside others.

    Args:
        ingest: stores a request.
        limits: bounds on memory, shared by the routes.
        allowed_origins: web pages that may send (CORS): "*", or origins in which * stands for any part. Empty: none.
        answered: is told of every answer.
    """
    room, converting = Room(limits), asyncio.Lock()
    middleware = [_cors(allowed_origins)] if allowed_origins else []
    return [
        Route(path, _Export(signal, ingest, limits, room, converting, answered), name=path, middleware=middleware)
        for path, signal in PATHS.items()
    ]


async def unknown_path(request: Request, _error: Exception) -> Response:
    """An application's exception handler for 404: the answer that OTLP asks for, a Status in the request's form."""
    return _refused(_UNKNOWN, _encoding(request.headers))


def _encoding(headers: Headers) -> Encoding | None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return Encoding(kind) if kind in set(Encoding) else None


def _refused(refusal: Refusal, encoding: Encoding | None, **headers: str) -> Response:
    # Whoever sent neither form is most likely a person.
    form = encoding or Encoding.JSON
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(encode(refusal.status(), form), refusal.http, refusal.headers() | named, media_type=form)


def _caller(request: Request) -> Caller:
    peer = host_port(request.client.host, request.client.port) if request.client else ""
    return Caller("http", fold(request.headers.items()), peer)


def _cors(origins: Sequence[str]) -> Middleware:
    # A * ends where the host ends: "https://*.example.com" must not fit "https://elsewhere.com/.example.com".
    return Middleware(
        CORSMiddleware,
        allow_origins=["*"] if "*" in origins else [],
        allow_origin_regex="|".join(re.escape(origin).replace(r"\*", "[^/@]*") for origin in origins),
        allow_methods=["POST"],
        allow_headers=["*"],
        expose_headers=["retry-after"],
    )


class HttpReceiver:
    """One HTTP/1.1 server in the running loop. It serves `app` alone: no signal handlers, no lifespan events."""

    def __init__(self, app: ASGIApp, address: str, *, header_timeout_s: float = 60.0) -> None:
        self._app = app
        self._address = address
        self._protocol = type("_Protocol", (_Watched,), {"header_timeout_s": header_timeout_s})
        self._running: tuple[uvicorn.Server, socket, asyncio.Task[None]] | None = None

    async def start(self) -> str:
        """Accepts requests from now on; returns the bound HOST:PORT.

        Raises:
            ConfigError: the address is malformed or cannot be listened on.
        """
        bound = listen(KEY, self._address)
        host, port = bound.getsockname()[:2]
        server = await _started(self._config(), bound)
        self._running = server, bound, asyncio.create_task(server.main_loop())
        return host_port(host, port)

    async def stop(self, grace_s: float) -> None:
        """Closes the listener and idle connections, answers what is being read or stored, the rest with 503 at last."""
        running, self._running = self._running, None
        if running is None:
            return
        server, bound, ticking = running
        # First no more is accepted, then the listener goes: asyncio forgets a connection that comes between the two.
        asyncio.get_running_loop().remove_reader(bound)
        server.config.timeout_graceful_shutdown = math.ceil(grace_s)
        server.should_exit = True
        await ticking
        await asyncio.sleep(0)
        await server.shutdown([bound])
        await asyncio.gather(*server.server_state.tasks, return_exceptions=True)

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            http=self._protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            # The peer is who connected, not who a header says.
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )


async def _started(config: uvicorn.Config, bound: socket) -> uvicorn.Server:
    # The steps of Server.serve, which would also take the process's signals, and could not say when it accepts.
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup([bound])
    return server


class _Watched(H11Protocol):
    """Closes a connection that is slow to say what it wants, or to end a body already answered: uvicorn never would."""

    header_timeout_s: ClassVar[float]
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def _look(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()
        elif self._watch is None:
            self._watch = self.loop.call_later(self.header_timeout_s, self.timeout_keep_alive_handler)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
