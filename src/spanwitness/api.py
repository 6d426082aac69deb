"""The HTTP APIs of a running server: the local one, its client in the other commands, and the one for declarations.

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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spanwitness.errors import ConfigError, SpanWitnessError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.config import DeploymentsConfig

POINTER: Final = "spanwitness.serve.json"
_TIMEOUT_S: Final = 300.0
_ALIVE_TIMEOUT_S: Final = 30.0
DEPLOYMENTS: Final = "/v1/deployments"
_MOST_BODY: Final = 64 * 1024
_LEAST_TOKEN: Final = 16

Query = Callable[[str, str], bytes]
Close = Callable[[str, str | None], Awaitable[dict[str, int]]]
Calibrate = Callable[[dict[str, Any]], dict[str, Any]]
"""Records a calibration, as plain data tells it; the one then in force. Raises SpanWitnessError."""

Rescore = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Scores a page of conversations again, as plain data tells which. Raises SpanWitnessError."""


class Desk(Protocol):
    """Where declarations are taken. Each raises SpanWitnessError."""

    async def declare(self, fields: Mapping[str, Any], source: Any, *, wait: bool) -> dict[str, Any]:
        """Records one. `wait`: until what it covers is judged anew."""

    async def withdraw(self, tenant: str, identity: str, *, wait: bool) -> dict[str, Any]:
        """Takes one back."""

    async def listed(self, tenant: str | None) -> list[dict[str, Any]]:
        """All of a tenant, or of every one."""

    def refusal(self, error: SpanWitnessError) -> tuple[int, dict[str, str]]:
        """How an error is told over HTTP."""


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


def api(token: str, query: Query, close: Close, desk: Desk, calibrate: Calibrate, rescore: Rescore) -> Starlette:
    """The local application: POST only, and only with `Authorization: Bearer TOKEN`."""

    async def ask(request: Request) -> Response:
        told = await request.json()
        answer = await run_in_threadpool(query, str(told["sql"]), str(told["format"]))
        return Response(answer, media_type="application/octet-stream")

    async def shut(request: Request) -> Response:
        told = await request.json()
        return JSONResponse(await close(str(told["conversation"]), told.get("tenant")))

    async def declare(request: Request) -> Response:
        return JSONResponse(await desk.declare(dict((await request.json())["fields"]), "cli", wait=True))

    async def withdraw(request: Request) -> Response:
        asked = await request.json()
        return JSONResponse(await desk.withdraw(str(asked["tenant"]), str(asked["id"]), wait=True))

    async def deployments(request: Request) -> Response:
        tenant = (await request.json())["tenant"]
        return JSONResponse(await desk.listed(None if tenant is None else str(tenant)))

    async def calibrated(request: Request) -> Response:
        told = dict((await request.json())["calibration"])
        return JSONResponse(await run_in_threadpool(calibrate, told))

    async def rescored(request: Request) -> Response:
        return JSONResponse(await rescore(dict((await request.json())["rescore"])))

    async def alive(_request: Request) -> Response:
        # Without the store: somebody's long query must not make a server look dead.
        return JSONResponse({"pid": os.getpid()})

    return Starlette(
        routes=[
            Route("/api/alive", _guarded(token, alive), methods=["POST"]),
            Route("/api/query", _guarded(token, ask), methods=["POST"]),
            Route("/api/close", _guarded(token, shut), methods=["POST"]),
            Route("/api/declare", _guarded(token, declare), methods=["POST"]),
            Route("/api/withdraw", _guarded(token, withdraw), methods=["POST"]),
            Route("/api/deployments", _guarded(token, deployments), methods=["POST"]),
            Route("/api/calibrate", _guarded(token, calibrated), methods=["POST"]),
            Route("/api/rescore", _guarded(token, rescored), methods=["POST"]),
        ]
    )


Handler = Callable[[Request], Awaitable[Response]]


def _guarded(token: str, handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        if not _bears(request, token):
            return JSONResponse({"error": "not allowed"}, 401)
        try:
            return await handler(request)
        except (KeyError, ValueError, TypeError, AttributeError):
            return JSONResponse({"error": "the request is not one of this API"}, 400)
        except SpanWitnessError as error:
            return JSONResponse({"error": str(error)}, 422)

    return guarded


def _bears(request: Request, token: str) -> bool:
    """Whether it has the token; how long the answer takes does not tell how much of it was right."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return secrets.compare_digest(given.strip().encode(), token.encode()) and scheme.lower() == "bearer"


def deployment_token(config: DeploymentsConfig) -> str:
    """What whoever declares changes over HTTP must bring; '' where nobody may.

    Raises:
        ConfigError: it cannot be read, or is none. Never shows it.
    """
    if not (config.token_file or config.token_env):
        return ""
    key = "token_env" if config.token_env else "token_file"
    where = f"deployments.{key} = {config.token_env or config.token_file!r}"
    try:
        token = (os.environ[config.token_env] if config.token_env else Path(config.token_file).read_text()).strip()
    except OSError as error:
        raise ConfigError(f"{where}: {error.strerror}; allowed is a file that can be read") from None
    except KeyError:
        raise ConfigError(f"{where}: allowed is an environment variable that is set") from None
    except UnicodeDecodeError:
        token = ""
    if len(token) < _LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"{where}: allowed in it is one token of at least {_LEAST_TOKEN} ASCII characters, no spaces")
    return token


def deployment_routes(token: str, desk: Desk, tenant_header: str = "") -> list[Route]:
    """`POST` and `GET /v1/deployments`, `DELETE /v1/deployments/ID`, each with `Authorization: Bearer TOKEN`.

    Args:
        token: of whoever may declare.
        desk: where declarations are taken.
        tenant_header: binds its caller to one tenant where it is set, as it does on OTLP; '' for none.
    """

    async def declare(request: Request) -> Response:
        fields = await _fields(request)
        fields["tenant"] = _tenant(request, fields.get("tenant"), tenant_header)
        done = await desk.declare(fields, "http", wait=False)
        return JSONResponse(done, 201 if done["new"] else 200)

    async def listed(request: Request) -> Response:
        tenant = _tenant(request, request.query_params.get("tenant"), tenant_header)
        return JSONResponse({"deployments": await desk.listed(tenant)})

    async def withdraw(request: Request) -> Response:
        tenant = _tenant(request, request.query_params.get("tenant"), tenant_header)
        if not tenant:
            raise _Refused(400, "tenant is missing: allowed is ?tenant=NAME", "tenant")
        return JSONResponse({"deployment": await desk.withdraw(tenant, request.path_params["identity"], wait=False)})

    handlers = {"POST": declare, "GET": listed}

    async def either(request: Request) -> Response:
        return await handlers[request.method](request)

    return [
        Route(DEPLOYMENTS, _answered(token, desk, either), methods=["GET", "POST"]),
        Route(f"{DEPLOYMENTS}/{{identity:path}}", _answered(token, desk, withdraw), methods=["DELETE"]),
    ]


class _Refused(Exception):  # noqa: N818 - an answer
    def __init__(self, status: int, why: str, field: str = "") -> None:
        super().__init__(why)
        self.status = status
        self.told = {"error": why, "field": field} if field else {"error": why}


def _answered(token: str, desk: Desk, handler: Handler) -> Handler:
    async def answered(request: Request) -> Response:
        if not _bears(request, token):
            told = {"error": "authorization: allowed is Bearer and the token of [deployments]"}
            return JSONResponse(told, 401, {"WWW-Authenticate": "Bearer"})
        try:
            return await handler(request)
        except _Refused as refused:
            return JSONResponse(refused.told, refused.status)
        except SpanWitnessError as error:
            status, told = desk.refusal(error)
            return JSONResponse(told, status)

    return answered


async def _fields(request: Request) -> dict[str, Any]:
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BODY:
                raise _Refused(413, f"the body is too large: allowed are {_MOST_BODY:,} bytes")
    except ClientDisconnect:
        raise _Refused(400, "the body broke off") from None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise _Refused(400, "the body is no JSON: allowed is an object of fields") from None
    if not isinstance(found, dict):
        raise _Refused(400, f"the body is a JSON {type(found).__name__}: allowed is an object of fields")
    return found


def _tenant(request: Request, asked: Any, header: str) -> Any:
    """The tenant that a request is about: the one that its caller is bound to, and no other."""
    bound = request.headers.get(header, "") if header else ""
    if bound and asked not in (None, "", bound):
        raise _Refused(403, f"tenant = {str(asked)[:100]!r}: allowed is {bound!r}, which {header} says", "tenant")
    return bound or asked


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

    def declare(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Records a declaration: it (`deployment`), whether it is `new`, and the swaps that it `covers`."""
        return dict(json.loads(self._answer("/api/declare", {"fields": dict(fields)})))

    def withdraw(self, tenant: str, identity: str) -> dict[str, Any]:
        """Takes a declaration back."""
        return dict(json.loads(self._answer("/api/withdraw", {"tenant": tenant, "id": identity})))

    def deployments(self, tenant: str | None) -> list[dict[str, Any]]:
        """What was declared, and what came of it."""
        return list(json.loads(self._answer("/api/deployments", {"tenant": tenant})))

    def calibrate(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Records a calibration, in force from now on; it, or the same one that was there already."""
        return dict(json.loads(self._answer("/api/calibrate", {"calibration": dict(told)})))

    def rescore(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Scores a page of conversations again; what became of it, and after which conversation the next begins."""
        return dict(json.loads(self._answer("/api/rescore", {"rescore": dict(told)})))

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
