"""The local HTTP API of a running server, and the client that the other commands reach it with.

An embedded store has one owner. While `serve` is it, a file inside the store says where it listens and holds a token
that only the same user can read; whoever can open the store's files could read the store itself.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spanwitness.errors import SpanWitnessError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

POINTER: Final = "spanwitness.serve.json"
_TIMEOUT_S: Final = 300.0
_ALIVE_TIMEOUT_S: Final = 30.0

Query = Callable[[str, str], bytes]
Close = Callable[[str, str | None], Awaitable[dict[str, int]]]


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a server that owns an embedded store listens."""

    address: str
    token: str
    pid: int

    def write(self, folder: Path) -> None:
        """Leaves the pointer inside the store, readable by its owner alone."""
        path = folder / POINTER
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"address": self.address, "token": self.token, "pid": self.pid}, file)

    @classmethod
    def read(cls, folder: Path) -> Pointer | None:
        """The pointer that a server left, None where there is none or it is unreadable."""
        try:
            found = json.loads((folder / POINTER).read_text())
            return cls(str(found["address"]), str(found["token"]), int(found["pid"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def forget(folder: Path) -> None:
    """Takes a pointer away."""
    (folder / POINTER).unlink(missing_ok=True)


def new_token() -> str:
    """A secret for one run of a server."""
    return secrets.token_urlsafe(32)


def api(token: str, query: Query, close: Close) -> Starlette:
    """The application: POST /api/query and /api/close, both with `Authorization: Bearer TOKEN`."""

    async def ask(request: Request) -> Response:
        told = await request.json()
        answer = await run_in_threadpool(query, str(told["sql"]), str(told["format"]))
        return Response(answer, media_type="application/octet-stream")

    async def shut(request: Request) -> Response:
        told = await request.json()
        return JSONResponse(await close(str(told["conversation"]), told.get("tenant")))

    async def alive(_request: Request) -> Response:
        # Without the store: somebody's long query must not make a server look dead.
        return JSONResponse({"pid": os.getpid()})

    return Starlette(
        routes=[
            Route("/api/alive", _guarded(token, alive), methods=["POST"]),
            Route("/api/query", _guarded(token, ask), methods=["POST"]),
            Route("/api/close", _guarded(token, shut), methods=["POST"]),
        ]
    )


Handler = Callable[[Request], Awaitable[Response]]


def _guarded(token: str, handler: Handler) -> Handler:
    expected = f"Bearer {token}".encode()

    async def guarded(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not secrets.compare_digest(given, expected):
            return JSONResponse({"error": "not allowed"}, 401)
        try:
            return await handler(request)
        except (KeyError, ValueError, TypeError, AttributeError):
            return JSONResponse({"error": "the request is not one of this API"}, 400)
        except SpanWitnessError as error:
            return JSONResponse({"error": str(error)}, 422)

    return guarded


class ServeClient:
    """The commands' way to a running server."""

    def __init__(self, pointer: Pointer) -> None:
        self._pointer = pointer

    def alive(self) -> bool:
        """Whether the server that left the pointer still answers to its token."""
        try:
            status, _ = self._send("/api/alive", {}, _ALIVE_TIMEOUT_S)
        except (OSError, http.client.HTTPException, ValueError):
            return False  # the port is nobody's by now, or somebody else's
        return status == 200  # noqa: PLR2004 - OK

    def ask(self, sql: str, fmt: str) -> bytes:
        """As Store.ask. Raises StoreError."""
        return self._answer("/api/query", {"sql": sql, "format": fmt})

    def close(self, conversation: str, tenant: str | None) -> dict[str, int]:
        """Closes an open conversation now; how many were closed, revised and left as they were."""
        return dict(json.loads(self._answer("/api/close", {"conversation": conversation, "tenant": tenant})))

    def _answer(self, path: str, message: dict[str, Any]) -> bytes:
        try:
            status, body = self._send(path, message)
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(f"the running server at {self._pointer.address} does not answer: {error}") from None
        if status != 200:  # noqa: PLR2004 - OK
            raise StoreError(_told(body))
        return body

    def _send(self, path: str, message: dict[str, Any], timeout_s: float = _TIMEOUT_S) -> tuple[int, bytes]:
        host, _, port = self._pointer.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
        try:
            headers = {"Authorization": f"Bearer {self._pointer.token}", "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(message), headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _told(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return "the running server gave an answer that is not understood"
