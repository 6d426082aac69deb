"""The probe's hook for aiohttp, which Google's client uses for asynchronous calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spanwitness.sdk.lineage import recording_span
from spanwitness.sdk.patching import Patch
from spanwitness.sdk.watching import Watch, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from spanwitness.sdk.watching import Endpoints


def patches(library: Any, endpoints: Endpoints) -> list[Patch]:
    """Wraps `ClientResponse.start`, which ends when the head of an answer is there and its body is not.

    Args:
        library: the module aiohttp.
        endpoints: which requests are looked at.
    """

    def around(start: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def starting(response: Any, *args: Any, **kwargs: Any) -> Any:
            started = await start(response, *args, **kwargs)
            _look(response, endpoints)
            return started

        return starting

    return [Patch(library.ClientResponse, "start", around)]


def _look(response: Any, endpoints: Endpoints) -> None:
    try:
        if not endpoints.are_called(response.method, response.url.host or "", response.url.path):
            return
        span = recording_span()
        # aiohttp decompresses before the bytes come here, unless the session was told not to: then nothing is found.
        found = None if span is None else watch(response.status, response.headers, span, encoded=False)
        if found is not None:
            response.content = _WatchedContent(response.content, found)
    except Exception:  # noqa: BLE001 - the application must not fail for its telemetry
        return


class _WatchedContent:
    """aiohttp's StreamReader, all of it, but for the methods that read: what they give is looked at as it passes."""

    def __init__(self, content: Any, watch: Watch) -> None:
        self._content = content
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    def _seen(self, data: bytes) -> bytes:
        self._watch.see(data)
        if self._content.at_eof():
            self._watch.end()
        return data

    async def read(self, n: int = -1) -> bytes:
        return self._seen(await self._content.read(n))

    async def readany(self) -> bytes:
        return self._seen(await self._content.readany())

    async def readexactly(self, n: int) -> bytes:
        return self._seen(await self._content.readexactly(n))

    async def readline(self, **limit: Any) -> bytes:
        return self._seen(await self._content.readline(**limit))

    async def readuntil(self, separator: bytes = b"\n", **limit: Any) -> bytes:
        return self._seen(await self._content.readuntil(separator, **limit))

    async def readchunk(self) -> tuple[bytes, bool]:
        data, ends_chunk = await self._content.readchunk()
        return self._seen(data), ends_chunk

    def read_nowait(self, n: int = -1) -> bytes:
        return self._seen(self._content.read_nowait(n))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while line := await self.readline():
            yield line

    async def iter_any(self) -> AsyncIterator[bytes]:
        while data := await self.readany():
            yield data

    async def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        while data := await self.read(n):
            yield data

    async def iter_chunks(self) -> AsyncIterator[tuple[bytes, bool]]:
        while (chunk := await self.readchunk()) != (b"", False):
            yield chunk
