"""The local API of a running server: who may ask, what it answers, and the pointer that other commands find it by."""

from __future__ import annotations

import asyncio
import socket
import stat
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from spanwitness.access import running_server
from spanwitness.api import POINTER, Pointer, ServeClient, api, forget, new_token
from spanwitness.errors import StoreError
from spanwitness.receive.otlp_http import HttpReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "the right one"  # noqa: S105 - a test's own


def answer(sql: str, fmt: str) -> bytes:
    """Stands where the store's `ask` stands in a server."""
    if "nowhere" in sql:
        raise StoreError("query on chdb://store: no table nowhere")
    return f"{fmt}: {sql}".encode()


async def close(conversation: str, tenant: str | None) -> dict[str, int]:
    return {"closed": int(conversation == "open"), "revised": 0, "unchanged": int(tenant == "acme")}


@contextmanager
def serving(token: str = TOKEN) -> Iterator[str]:
    """A real server in a thread of its own; its address."""
    started, stop, found = threading.Event(), asyncio.Event(), list[str]()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        receiver = HttpReceiver(api(token, answer, close), "127.0.0.1:0")
        found.append(await receiver.start())
        started.set()
        await stop.wait()
        await receiver.stop(1)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert started.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as bound:
        yield bound


@pytest.fixture
def client(address: str) -> ServeClient:
    return ServeClient(Pointer(address, TOKEN, 1))


def post(address: str, path: str, message: Any, token: str = TOKEN) -> httpx.Response:
    return httpx.post(f"http://{address}{path}", json=message, headers={"Authorization": f"Bearer {token}"})


class TestApi:
    def test_a_query_is_answered_in_the_format_asked_for(self, client: ServeClient) -> None:
        assert client.ask("SELECT 1", "CSV") == b"CSV: SELECT 1"

    def test_a_conversation_is_closed(self, client: ServeClient) -> None:
        assert client.close("open", None) == {"closed": 1, "revised": 0, "unchanged": 0}
        assert client.close("other", "acme") == {"closed": 0, "revised": 0, "unchanged": 1}

    def test_what_the_store_refuses_is_its_own_message(self, client: ServeClient) -> None:
        with pytest.raises(StoreError, match=r"^query on chdb://store: no table nowhere$"):
            client.ask("SELECT 1 FROM nowhere", "CSV")

    @pytest.mark.parametrize("path", ["/api/query", "/api/close"])
    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}])
    def test_without_the_token_nothing_is_answered(self, address: str, path: str, headers: dict[str, str]) -> None:
        message = {"sql": "SELECT 1", "format": "CSV", "conversation": "open"}
        refused = httpx.post(f"http://{address}{path}", json=message, headers=headers)
        assert (refused.status_code, refused.json()) == (401, {"error": "not allowed"})

    @pytest.mark.parametrize("message", [{}, {"sql": "SELECT 1"}, [], 5, "text", None])
    @pytest.mark.parametrize("path", ["/api/query", "/api/close"])
    def test_a_message_of_another_kind_is_refused(self, address: str, path: str, message: Any) -> None:
        assert post(address, path, message).status_code == 400

    def test_a_body_that_is_no_json_is_refused(self, address: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for content in (b"", b"{", b"\xff\xfe"):
            assert httpx.post(f"http://{address}/api/query", content=content, headers=headers).status_code == 400

    def test_a_token_with_bytes_beyond_ascii_is_refused(self, address: str) -> None:
        headers = {b"Authorization": "Bearer ü".encode("latin-1")}
        assert httpx.post(f"http://{address}/api/query", json={}, headers=headers).status_code == 401

    def test_only_posts_are_answered(self, address: str) -> None:
        assert httpx.get(f"http://{address}/api/query").status_code == 405


class TestPointer:
    def test_only_its_owner_can_read_it(self, tmp_path: Path) -> None:
        Pointer("127.0.0.1:1", TOKEN, 7).write(tmp_path)
        assert stat.S_IMODE((tmp_path / POINTER).stat().st_mode) == 0o600

    def test_an_older_one_is_replaced_whatever_its_mode(self, tmp_path: Path) -> None:
        (tmp_path / POINTER).write_text("{}")
        (tmp_path / POINTER).chmod(0o644)
        Pointer("127.0.0.1:1", TOKEN, 7).write(tmp_path)
        assert stat.S_IMODE((tmp_path / POINTER).stat().st_mode) == 0o600
        assert Pointer.read(tmp_path) == Pointer("127.0.0.1:1", TOKEN, 7)

    def test_a_link_that_somebody_laid_there_is_not_followed(self, tmp_path: Path) -> None:
        target = tmp_path / "target"
        (tmp_path / POINTER).symlink_to(target)
        Pointer("127.0.0.1:1", TOKEN, 7).write(tmp_path)
        assert not target.exists()

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", '{"address": "x"}', '{"address": "x", "token": "t", "pid": "p"}']
    )
    def test_one_that_is_damaged_is_none(self, tmp_path: Path, content: str) -> None:
        (tmp_path / POINTER).write_text(content)
        assert Pointer.read(tmp_path) is None

    def test_one_that_is_not_there_is_none_and_forgetting_it_is_no_error(self, tmp_path: Path) -> None:
        assert Pointer.read(tmp_path) is None
        forget(tmp_path)

    def test_tokens_differ(self) -> None:
        assert len({new_token() for _ in range(100)}) == 100


class TestRunningServer:
    def test_a_server_that_answers_to_its_token_is_found(self, tmp_path: Path, address: str) -> None:
        Pointer(address, TOKEN, 1).write(tmp_path)
        found = running_server(f"chdb://{tmp_path}")
        assert found is not None
        assert found.ask("SELECT 1", "CSV") == b"CSV: SELECT 1"

    def test_a_pointer_whose_server_is_gone_counts_as_none(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            free = listening.getsockname()[1]
        Pointer(f"127.0.0.1:{free}", TOKEN, 1).write(tmp_path)
        assert running_server(f"chdb://{tmp_path}") is None

    def test_a_pointer_whose_port_belongs_to_another_server_now_counts_as_none(
        self, tmp_path: Path, address: str
    ) -> None:
        Pointer(address, "an older token", 1).write(tmp_path)
        assert running_server(f"chdb://{tmp_path}") is None

    @pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.6\r\n", b""])
    def test_a_port_that_speaks_something_else_counts_as_none(self, tmp_path: Path, greeting: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def greet() -> None:
                connection, _ = listening.accept()
                connection.sendall(greeting)
                connection.close()

            thread = threading.Thread(target=greet)
            thread.start()
            Pointer(f"127.0.0.1:{listening.getsockname()[1]}", TOKEN, 1).write(tmp_path)
            assert running_server(f"chdb://{tmp_path}") is None
            thread.join()

    def test_an_address_that_is_none_counts_as_no_server(self, tmp_path: Path) -> None:
        Pointer("nonsense", TOKEN, 1).write(tmp_path)
        assert running_server(f"chdb://{tmp_path}") is None

    def test_a_server_store_has_no_pointer(self) -> None:
        assert running_server("clickhouse://localhost") is None

    def test_a_server_that_stops_while_it_is_asked_is_a_store_error(self) -> None:
        with serving() as bound:
            client = ServeClient(Pointer(bound, TOKEN, 1))
            assert client.alive()
        with pytest.raises(StoreError, match="does not answer"):
            client.ask("SELECT 1", "CSV")
