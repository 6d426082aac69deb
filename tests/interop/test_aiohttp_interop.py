"""aiohttp, which Google's client and LiteLLM use for asynchronous calls."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.attributes import SERVED_MODEL
from spanwitness.sdk import probe
from tests.sdk.model_server import OLD, Answer, chat, model_server
from tests.sdk.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

aiohttp = pytest.importorskip("aiohttp")

ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
SENT = list(chat(OLD, ASKED, streamed=True).pieces)


async def whole(response: Any) -> bytes:
    return bytes(await response.read())


async def by_line(response: Any) -> bytes:
    return b"".join([line async for line in response.content])


async def by_any(response: Any) -> bytes:
    return b"".join([data async for data in response.content.iter_any()])


async def by_size(response: Any) -> bytes:
    return b"".join([data async for data in response.content.iter_chunked(11)])


async def by_chunk(response: Any) -> bytes:
    return b"".join([data async for data, _ in response.content.iter_chunks()])


async def exactly(response: Any) -> bytes:
    return bytes(await response.content.readexactly(len(b"".join(SENT))))


async def until(response: Any) -> bytes:
    found = b""
    while part := await response.content.readuntil(b"}"):
        found += part
    return found


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    assert "aiohttp" in probe.install()
    yield
    probe.uninstall()


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
@pytest.mark.parametrize("read", [whole, by_line, by_any, by_size, by_chunk, exactly, until])
def test_however_it_is_read_the_model_is_stamped_and_the_body_the_same(
    read: Callable[[Any], Any], encoding: str
) -> None:
    tracing = Tracing()

    async def main(address: str) -> bytes:
        asked = {**ASKED, "stream": True}
        with tracing.tracer.start_as_current_span("chat gpt-4o"):
            async with aiohttp.ClientSession() as session, session.post(address, json=asked) as response:
                return bytes(await read(response))

    with model_server() as server:
        server.encoding = encoding
        assert asyncio.run(main(f"{server.address}/v1/chat/completions")) == b"".join(SENT)
    assert tracing.served() == OLD


def test_a_whole_answer_is_read_as_json() -> None:
    tracing = Tracing()

    async def main(address: str) -> Any:
        with tracing.tracer.start_as_current_span("chat gpt-4o"):
            async with aiohttp.ClientSession() as session, session.post(address, json=ASKED) as response:
                return await response.json()

    with model_server() as server:
        body = asyncio.run(main(f"{server.address}/v1/chat/completions"))
    assert body == json.loads(b"".join(chat(OLD, ASKED, streamed=False).pieces))
    assert tracing.served() == OLD


def test_a_chunk_is_handed_on_before_the_next_is_sent() -> None:
    tracing = Tracing()
    has_come = [threading.Event() for _ in SENT]

    def pieces() -> Iterator[bytes]:
        for number, piece in enumerate(SENT):
            if number:
                assert has_come[number - 1].wait(30), "the client is still waiting for what was sent"
            yield piece

    async def read(response: Any) -> AsyncIterator[bytes]:
        async for data in response.content.iter_any():
            yield data

    async def main(address: str) -> None:
        with tracing.tracer.start_as_current_span("chat gpt-4o") as span:
            async with aiohttp.ClientSession() as session, session.post(address, json=ASKED) as response:
                number = 0
                async for _ in read(response):
                    assert span.attributes[SERVED_MODEL] == OLD[0]  # type: ignore[attr-defined] # with the first
                    has_come[number].set()
                    number += 1

    with model_server() as server:
        server.answer = lambda *_: Answer(pieces(), "text/event-stream")
        asyncio.run(main(f"{server.address}/v1/chat/completions"))
    assert all(event.is_set() for event in has_come)


@pytest.mark.parametrize("answer", [Answer([b"not json"]), Answer([b'{"model":"x"}'], status=500), Answer([b""])])
def test_an_answer_that_names_no_model_changes_nothing(answer: Answer) -> None:
    tracing = Tracing()

    async def main(address: str) -> bytes:
        with tracing.tracer.start_as_current_span("chat gpt-4o"):
            async with aiohttp.ClientSession() as session, session.post(address, json=ASKED) as response:
                return bytes(await response.read())

    with model_server() as server:
        server.answer = lambda *_: answer
        assert asyncio.run(main(f"{server.address}/v1/chat/completions")) == b"".join(answer.pieces)
    assert tracing.served() == (None, None)
