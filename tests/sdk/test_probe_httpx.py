"""Bodies as they pass: in order, undelayed, and the same whatever they are."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai
import pytest

from spanwitness.sdk import probe
from tests.sdk.asking import ASKED, HELLO, openai_at
from tests.sdk.model_server import OLD, Answer, ModelServer, chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.sdk.tracing import Tracing


@pytest.mark.usefixtures("installed")
def test_a_chunk_is_handed_on_before_the_next_is_sent(server: ModelServer, tracing: Tracing) -> None:
    has_come = [threading.Event() for _ in range(3)]

    def dribble(_path: str, body: Any) -> Answer:
        whole_answer = chat(OLD, body, streamed=True)

        def pieces() -> Iterator[bytes]:
            for number, piece in enumerate(whole_answer.pieces):
                if number:
                    assert has_come[number - 1].wait(30), "the client is still waiting for what was sent"
                yield piece

        return Answer(pieces(), whole_answer.content_type)

    server.answer = dribble
    with openai_at(server) as client, tracing.tracer.start_as_current_span("chat gpt-4o") as span:
        stream = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
        for number, _ in enumerate(stream):
            assert span.attributes["spanwitness.served.model"] == OLD[0]  # type: ignore[attr-defined] # with the first
            has_come[number].set()
    assert all(event.is_set() for event in has_come)


@pytest.mark.usefixtures("installed")
def test_a_chunk_is_handed_on_before_the_next_is_sent_in_async_code(server: ModelServer, tracing: Tracing) -> None:
    has_come = [threading.Event() for _ in range(50)]

    def dribble(_path: str, _body: Any) -> Answer:
        def pieces() -> Iterator[bytes]:
            for number in range(50):
                if number:
                    assert has_come[number - 1].wait(30), "the client is still waiting for what was sent"
                yield b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % number

        return Answer(pieces(), "text/event-stream")

    async def main() -> None:
        address = f"{server.address}/v1/chat/completions"
        async with httpx2.AsyncClient() as client, client.stream("POST", address, json=ASKED) as response:
            number = 0
            async for _ in response.aiter_raw():
                has_come[number].set()
                number += 1

    server.answer = dribble
    with tracing.tracer.start_as_current_span("chat gpt-4o"):
        asyncio.run(main())
    assert all(event.is_set() for event in has_come)
    assert tracing.served() == (None, None)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "answer",
    [
        Answer([b'{"error":{"message":"too long"},"model":"gpt-4o"}'], status=400),
        Answer([b'{"model":"gpt-4o"}'], status=500),
        Answer([b"<html>gpt-4o</html>"], "text/html"),
        Answer([b'{"model":"gpt-4o"}'], "application/octet-stream"),
        Answer([b"not json"]),
        Answer([b'{"model":']),
        Answer([b'{"model":"' + b"x" * 1000 + b'"}']),
        Answer([b'{"model":"a\\u0000b"}']),
        Answer([b'data: {"model":\xff\xfe\n\n'], "text/event-stream"),
        Answer([b'data: {"choices":[]}\n\n'], "text/event-stream", cut=True),
        Answer([b'{"model":"gpt-4o","choices":['], cut=True),
        Answer([b"plain"], headers={"Content-Encoding": "gzip"}),
        Answer([b"\x1f\x8b\x08plain"], headers={"Content-Encoding": "gzip"}),
        Answer([b'{"model":"gpt-4o"}'], headers={"Content-Encoding": "br"}),
        Answer([b""]),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_names_no_model_changes_nothing(
    server: ModelServer, tracing: Tracing, answer: Answer, *, streamed: bool
) -> None:
    def ask() -> object:
        try:
            with (
                httpx2.Client() as client,
                client.stream("POST", f"{server.address}/v1/chat/completions", json=ASKED) as response,
            ):
                return response.status_code, response.read() if streamed else b"".join(response.iter_raw())
        except httpx2.HTTPError as error:
            return type(error), str(error)

    server.answer = lambda *_: answer
    with tracing.tracer.start_as_current_span("chat gpt-4o"):
        watched = ask()
    probe.uninstall()
    assert watched == ask()
    assert tracing.served() == (None, None) or answer.headers == {"Content-Encoding": "br"}


@pytest.mark.usefixtures("installed")
def test_a_stream_that_is_cut_after_it_named_its_model_still_tells(server: ModelServer, tracing: Tracing) -> None:
    server.answer = lambda _, body: Answer(
        list(chat(OLD, body, streamed=True).pieces)[:1], "text/event-stream", cut=True
    )
    with tracing.tracer.start_as_current_span("chat gpt-4o"), openai_at(server) as client:
        stream = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
        with pytest.raises(openai.APIConnectionError):
            list(stream)
    assert tracing.served() == OLD


@pytest.mark.usefixtures("installed")
def test_a_stream_that_is_left_early_is_closed_as_ever(server: ModelServer, tracing: Tracing) -> None:
    with tracing.tracer.start_as_current_span("chat gpt-4o"), openai_at(server) as client:
        with client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True) as stream:
            next(iter(stream))
        assert stream.response.is_closed
    assert tracing.served() == OLD


class Dripping(httpx2.AsyncByteStream, httpx2.AsyncBaseTransport):
    """A body that tells when its generator is closed."""

    closed = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:  # noqa: ARG002 - httpx2's own
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: {}\n\n"
        finally:
            self.closed = True


@pytest.mark.parametrize("watched", [False, True])
def test_who_stops_to_read_httpx2_closes_all_that_is_behind_at_once(tracing: Tracing, watched: bool) -> None:
    async def main() -> bool:
        body = Dripping()
        async with (
            httpx2.AsyncClient(transport=body) as client,
            client.stream("POST", "http://model/v1/chat/completions") as response,
        ):
            chunks = response.aiter_raw()
            assert await anext(chunks)
            await chunks.aclose()
            return body.closed

    if watched:
        probe.install()
    try:
        with tracing.tracer.start_as_current_span("chat gpt-4o"):
            assert asyncio.run(main())
    finally:
        probe.uninstall()


@pytest.mark.parametrize("make", [openai_at, lambda server: httpx.Client(base_url=f"{server.address}/v1")])
def test_one_client_can_be_hooked_alone(server: ModelServer, tracing: Tracing, make: Callable[..., Any]) -> None:
    with make(server) as client, make(server) as other:
        unhook = probe.hooks(client)
        for name, asking in (("hooked", client), ("other", other)):
            with tracing.tracer.start_as_current_span(name):
                asking.post(
                    "/chat/completions",
                    **({"json": ASKED} if make is not openai_at else {"body": ASKED, "cast_to": object}),
                )
        unhook()
        with tracing.tracer.start_as_current_span("after"):
            client.post(
                "/chat/completions",
                **({"json": ASKED} if make is not openai_at else {"body": ASKED, "cast_to": object}),
            )
    assert tracing.served("hooked") == OLD
    assert tracing.served("other") == tracing.served("after") == (None, None)


def test_an_async_client_can_be_hooked_alone_and_beside_the_rest(server: ModelServer, tracing: Tracing) -> None:
    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="none", base_url=f"{server.address}/v1") as client:
            unhook = probe.hooks(client)
            for name, streamed in (("hooked", False), ("streamed", True)):
                with tracing.tracer.start_as_current_span(name):
                    answer: Any = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=streamed)
                    if streamed:
                        assert len([chunk async for chunk in answer]) == 3
            probe.install()
            with tracing.tracer.start_as_current_span("both"):
                await client.chat.completions.create(model="gpt-4o", messages=HELLO)
            unhook()

    try:
        asyncio.run(main())
    finally:
        probe.uninstall()
    assert tracing.served("hooked") == tracing.served("streamed") == tracing.served("both") == OLD
