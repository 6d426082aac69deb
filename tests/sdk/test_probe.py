"""The probe in a process that asks a model with the providers' own clients, and with plain HTTP."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import anthropic
import httpx
import httpx2
import openai
import pytest
import requests

from spanwitness.sdk import probe
from tests.sdk.asking import ASKED, HELLO, ask_httpx, openai_at
from tests.sdk.model_server import NEW, OLD, Answer, ModelServer, chat, whole
from tests.sdk.tracing import CALL, Tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def anthropic_at(server: ModelServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="none", base_url=server.address, max_retries=0)


def ask_chat(server: ModelServer) -> None:
    with openai_at(server) as client:
        client.chat.completions.create(model="gpt-4o", messages=HELLO)


def ask_chat_streamed(server: ModelServer) -> None:
    with openai_at(server) as client:
        assert len(list(client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))) == 3


def ask_responses(server: ModelServer) -> None:
    with openai_at(server) as client:
        client.responses.create(model="gpt-4o", input="hello")


def ask_responses_streamed(server: ModelServer) -> None:
    with openai_at(server) as client:
        assert len(list(client.responses.create(model="gpt-4o", input="hello", stream=True))) == 2


def ask_messages(server: ModelServer) -> None:
    with anthropic_at(server) as client:
        client.messages.create(model="claude-test", max_tokens=9, messages=HELLO)


def ask_messages_streamed(server: ModelServer) -> None:
    with anthropic_at(server) as client:
        stream = client.messages.create(model="claude-test", max_tokens=9, messages=HELLO, stream=True)
        assert len(list(stream)) == 6


def ask_async(server: ModelServer) -> None:
    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="none", base_url=f"{server.address}/v1", max_retries=0) as client:
            await client.chat.completions.create(model="gpt-4o", messages=HELLO)

    asyncio.run(main())


def ask_async_streamed(server: ModelServer) -> None:
    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="none", base_url=f"{server.address}/v1", max_retries=0) as client:
            stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
            assert len([chunk async for chunk in stream]) == 3

    asyncio.run(main())


def ask_messages_async(server: ModelServer) -> None:
    async def main() -> None:
        async with (
            anthropic.AsyncAnthropic(api_key="none", base_url=server.address, max_retries=0) as client,
            client.messages.stream(model="claude-test", max_tokens=9, messages=HELLO) as stream,
        ):
            assert await stream.get_final_text() == "Your claim is open."

    asyncio.run(main())


def ask_httpx_streamed(server: ModelServer) -> None:
    with httpx.stream("POST", f"{server.address}/v1/chat/completions", json={**ASKED, "stream": True}) as response:
        assert response.read().endswith(b"[DONE]\n\n")


def ask_requests(server: ModelServer) -> None:
    requests.post(f"{server.address}/v1/chat/completions", json=ASKED, timeout=30)


WITH_FINGERPRINT = (
    ask_chat,
    ask_chat_streamed,
    ask_async,
    ask_async_streamed,
    ask_httpx,
    ask_httpx_streamed,
    ask_requests,
)
WITHOUT = (ask_responses, ask_responses_streamed, ask_messages, ask_messages_streamed, ask_messages_async)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
@pytest.mark.parametrize("ask", [*WITH_FINGERPRINT, *WITHOUT])
def test_the_span_of_the_call_says_what_was_served(
    server: ModelServer, tracing: Tracing, ask: Callable[[ModelServer], None], encoding: str
) -> None:
    server.encoding = encoding
    with tracing.tracer.start_as_current_span("old", attributes=CALL):
        ask(server)
    server.served = NEW
    with tracing.tracer.start_as_current_span("new", attributes=CALL):
        ask(server)
    fingerprinted = ask in WITH_FINGERPRINT
    assert tracing.served("old") == (OLD[0], OLD[1] if fingerprinted else None)
    assert tracing.served("new") == (NEW[0], NEW[1] if fingerprinted else None)


@pytest.mark.usefixtures("installed")
def test_a_retry_counts_with_its_last_answer(server: ModelServer, tracing: Tracing) -> None:
    failing = iter([Answer([b'{"model":"broken"}'], status=500, headers={"retry-after-ms": "1"})])
    server.answer = lambda _, body: next(failing, None) or chat(NEW, body, streamed=False)
    with tracing.tracer.start_as_current_span("chat gpt-4o"):
        openai_at(server).with_options(max_retries=1).chat.completions.create(model="gpt-4o", messages=HELLO)
    assert (len(server.asked), tracing.served()) == (2, NEW)


@pytest.mark.usefixtures("installed")
def test_a_session_that_streams_gets_the_head_before_the_body(server: ModelServer, tracing: Tracing) -> None:
    head_is_there = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b'{"model": '
        assert head_is_there.wait(10), "the client is still waiting for what was sent"
        yield b'"gpt-4o"}'

    server.answer = lambda *_: Answer(pieces())
    with requests.Session() as session, tracing.tracer.start_as_current_span("chat gpt-4o"):
        session.stream, session.trust_env = True, False
        asked = requests.Request("POST", f"{server.address}/v1/chat/completions", json=ASKED)
        with session.send(session.prepare_request(asked)) as response:
            head_is_there.set()
            assert response.json() == {"model": "gpt-4o"}


def test_addresses_and_hosts_can_be_chosen(server: ModelServer, tracing: Tracing) -> None:
    probe.install(paths=["/gateway/ask"], hosts=[r"127\.0\.0\.\d"])
    try:
        with tracing.tracer.start_as_current_span("left out"):
            ask_httpx(server)
        server.answer = lambda *_: whole({"model": "own-1"})
        with tracing.tracer.start_as_current_span("chosen"):
            httpx.post(f"{server.address}/gateway/ask", json={})
        probe.install(hosts=["api.openai.com"])
        with tracing.tracer.start_as_current_span("other host"):
            ask_httpx(server)
    finally:
        probe.uninstall()
    assert tracing.served("left out") == (None, None)
    assert tracing.served("chosen") == ("own-1", None)
    assert tracing.served("other host") == (None, None)


def test_without_a_span_or_with_one_that_records_nothing_all_goes_on(server: ModelServer) -> None:
    probe.install()
    try:
        ask_chat(server)
        ask_chat_streamed(server)
    finally:
        probe.uninstall()
    assert len(server.asked) == 2


def test_it_gives_everything_back() -> None:
    places = [(httpx.Client, "send"), (httpx.AsyncClient, "send"), (httpx2.Client, "send"), (requests.Session, "send")]
    before = [getattr(owner, name) for owner, name in places]
    assert set(probe.install()) >= {"httpx", "httpx2", "requests"}
    assert all(getattr(owner, name) is not found for (owner, name), found in zip(places, before, strict=True))
    probe.install()
    probe.uninstall()
    probe.uninstall()
    assert [getattr(owner, name) for owner, name in places] == before


def test_a_broken_pattern_is_refused_and_changes_nothing() -> None:
    before = httpx.Client.send
    with pytest.raises(ValueError, match=r"path '/chat\[' of the probe is no regular expression"):
        probe.install(paths=["/chat["])
    assert httpx.Client.send is before


def test_what_has_no_event_hooks_is_refused() -> None:
    with pytest.raises(TypeError, match="Session has no event hooks"):
        probe.hooks(requests.Session())
