"""The probe's hooks for httpx, and for httpx2, which is built alike and which OpenAI's and Anthropic's clients use."""

from __future__ import annotations

import functools
import sys
from types import AsyncGeneratorType
from typing import TYPE_CHECKING, Any

from spanwitness.sdk.lineage import recording_span
from spanwitness.sdk.patching import Patch
from spanwitness.sdk.watching import Watch, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from opentelemetry.sdk.trace import Span

    from spanwitness.sdk.watching import Endpoints


def patches(library: Any, endpoints: Endpoints) -> list[Patch]:
    """Wraps `send`, through which every request of every client goes.

    Args:
        library: the module httpx or httpx2.
        endpoints: which requests are looked at.
    """

    def around(send: Callable[..., Any]) -> Callable[..., Any]:
        def sending(client: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            span = _span_for(request, endpoints)
            response = send(client, request, *args, **kwargs)
            if span is not None:
                _look(response, span)
            return response

        return sending

    def around_async(send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def sending(client: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            span = _span_for(request, endpoints)
            response = await send(client, request, *args, **kwargs)
            if span is not None:
                _look(response, span)
            return response

        return sending

    return [Patch(library.Client, "send", around), Patch(library.AsyncClient, "send", around_async)]


def hook(client: Any, endpoints: Endpoints) -> Callable[[], None]:
    """Adds an event hook to one client, or to the one inside it; see `probe.hooks`."""
    inner = client if hasattr(client, "event_hooks") else getattr(client, "_client", None)
    found = getattr(inner, "event_hooks", None)
    if inner is None or not isinstance(found, dict):
        raise TypeError(f"{type(client).__name__} has no event hooks; an httpx or httpx2 client is wanted")

    def look(response: Any) -> None:
        span = _span_for(response.request, endpoints)
        if span is not None:
            _look(response, span)

    async def look_async(response: Any) -> None:
        look(response)

    added = look_async if hasattr(inner, "aclose") else look
    inner.event_hooks = {**found, "response": [*found.get("response", ()), added]}

    def remove() -> None:
        now = inner.event_hooks
        inner.event_hooks = {**now, "response": [kept for kept in now["response"] if kept is not added]}

    return remove


def _span_for(request: Any, endpoints: Endpoints) -> Span | None:
    try:
        if endpoints.are_called(request.method, request.url.host, request.url.path):
            return recording_span()
    except Exception:  # noqa: BLE001 - the application must not fail for its telemetry
        return None
    return None


def _look(response: Any, span: Span) -> None:
    try:
        if isinstance(response.stream, _Watched):
            return
        if response.is_stream_consumed:
            _look_at_all(response, span)
        elif (found := watch(response.status_code, response.headers, span, encoded=True)) is not None:
            library = type(response).__module__.partition(".")[0]
            response.stream = _passing(response.stream, library, found)
    except Exception:  # noqa: BLE001 - the same
        return


def _look_at_all(response: Any, span: Span) -> None:
    found = watch(response.status_code, response.headers, span, encoded=False)
    if found is not None:
        found.see(response.content)
        found.end()


class _Watched:
    """A body that passes through: each chunk is looked at and handed on at once."""

    def __init__(self, stream: Any, watch: Watch) -> None:
        self._stream = stream
        self._watch = watch

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._watch.see(chunk)
            yield chunk
        self._watch.end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._stream)
        try:
            async for chunk in chunks:
                self._watch.see(chunk)
                yield chunk
        finally:  # httpx2 closes the generators that it reads, from the outermost on: it must get to those behind us
            if isinstance(chunks, AsyncGeneratorType):
                await chunks.aclose()
        self._watch.end()

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


def _passing(stream: Any, library: str, watch: Watch) -> _Watched:
    """The body, watched. The library asks what a body is an instance of, so it stays what it was."""
    module = sys.modules[library]
    bases = tuple(base for base in (module.SyncByteStream, module.AsyncByteStream) if isinstance(stream, base))
    return _class_over(bases)(stream, watch)


@functools.cache
def _class_over(bases: tuple[type, ...]) -> type[_Watched]:
    return type("Watched", (_Watched, *bases), {})
