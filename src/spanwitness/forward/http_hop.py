"""The next hop over OTLP/HTTP, as binary protobuf: connections are kept and used again."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import ssl
from typing import TYPE_CHECKING, Final

import httpx

from spanwitness.forward.replies import refused_http, taken, unreachable

if TYPE_CHECKING:
    from spanwitness.columns import Problem
    from spanwitness.forward import Parcel
    from spanwitness.forward.settings import HopSettings

_PROTOBUF: Final = "application/x-protobuf"
_CONNECTIONS: Final = 64
# Shorter than what servers keep an idle connection for, so that they do not close it while we begin to use it.
_IDLE_S: Final = 20.0
_ANSWER_BYTES: Final = 64 * 1024
_FAST: Final = 1
_OK: Final = range(200, 300)


class HttpHop:
    """See forward.Hop. Connects when first needed; at most 64 requests are on their way, others wait their turn."""

    def __init__(self, settings: HopSettings) -> None:
        self._gzip = settings.gzip
        self._timeout_s = settings.timeout_s
        self._base = settings.endpoint.rstrip("/")
        self._client = httpx.AsyncClient(
            headers={**settings.headers, **_headers(settings)},
            verify=ssl.create_default_context(cadata=settings.ca.decode()) if settings.ca else True,
            timeout=None,  # noqa: S113 - one for the whole request stands around it
            limits=httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_IDLE_S),
            trust_env=settings.by_proxy,
        )

    async def send(self, parcel: Parcel) -> Problem | None:
        """See forward.Hop."""
        body = await asyncio.to_thread(gzip.compress, parcel.body, _FAST) if self._gzip else parcel.body
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(parcel, body)
        except TimeoutError:
            raise unreachable(f"no answer within {self._timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise unreachable(type(error).__name__) from None

    async def _post(self, parcel: Parcel, body: bytes) -> Problem | None:
        async with self._client.stream("POST", f"{self._base}/v1/{parcel.kind}", content=body) as response:
            answer = await _read(response)
            if response.status_code in _OK:
                return taken(parcel.kind, answer)
            after = response.headers.get("retry-after")
            raise refused_http(response.status_code, after, answer, dt.datetime.now(dt.UTC))

    async def close(self) -> None:
        """See forward.Hop."""
        await self._client.aclose()


def _headers(settings: HopSettings) -> dict[str, str]:
    coding = {"content-encoding": "gzip"} if settings.gzip else {}
    # An answer is a few bytes: compressed it would only have to be guarded against growing.
    return {"content-type": _PROTOBUF, "accept-encoding": "identity", "user-agent": settings.agent, **coding}


async def _read(response: httpx.Response) -> bytes:
    """What there is to read of an answer, up to a limit; b"" where it is not protobuf."""
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() != _PROTOBUF:
        return b""
    parts = bytearray()
    async for part in response.aiter_raw():
        parts += part
        if len(parts) > _ANSWER_BYTES:
            return b""
    return bytes(parts)
