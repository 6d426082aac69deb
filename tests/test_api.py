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
from starlette.applications import Starlette

from spanwitness.access import running_server
from spanwitness.api import (
    POINTER,
    Pointer,
    ServeClient,
    api,
    deployment_routes,
    deployment_token,
    forget,
    new_token,
)
from spanwitness.config import DeploymentsConfig
from spanwitness.errors import ConfigError, SpanWitnessError, StoreError
from spanwitness.receive.otlp_http import HttpReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from starlette.types import ASGIApp

TOKEN = "the right one"  # noqa: S105 - a test's own


def answer(sql: str, fmt: str) -> bytes:
    """Stands where the store's `ask` stands in a server."""
    if "nowhere" in sql:
        raise StoreError("query on chdb://store: no table nowhere")
    return f"{fmt}: {sql}".encode()


async def close(conversation: str, tenant: str | None) -> dict[str, int]:
    return {"closed": int(conversation == "open"), "revised": 0, "unchanged": int(tenant == "acme")}


class RefusedError(SpanWitnessError):
    """Stands for what a desk refuses, told with its own status."""


class Notes:
    """A desk that keeps what it is told in memory."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    async def declare(self, fields: Mapping[str, Any], source: Any, *, wait: bool) -> dict[str, Any]:
        if "to_model" not in fields:
            raise RefusedError("to_model is missing")
        record = {**fields, "source": source, "waited": wait}
        new = record not in self.kept
        if new:
            self.kept.append(record)
        return {"deployment": record, "new": new, "covers": []}

    async def withdraw(self, tenant: str, identity: str, *, wait: bool) -> dict[str, Any]:
        return {"id": identity, "tenant": tenant, "withdrawn": True, "waited": wait}

    async def listed(self, tenant: str | None) -> list[dict[str, Any]]:
        return [{"tenant": tenant}]

    def refusal(self, error: SpanWitnessError) -> tuple[int, dict[str, str]]:
        return 418, {"error": str(error), "field": "to_model"}


async def again(told: dict[str, Any]) -> dict[str, Any]:
    return told


@contextmanager
def serving(token: str = TOKEN, app: ASGIApp | None = None) -> Iterator[str]:
    """A real server in a thread of its own; its address."""
    started, stop, found = threading.Event(), asyncio.Event(), list[str]()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        receiver = HttpReceiver(app or api(token, answer, close, Notes(), dict, again), "127.0.0.1:0")
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

    def test_a_declaration_is_taken_and_waited_for(self, client: ServeClient) -> None:
        done = client.declare({"tenant": "acme", "to_model": "gpt-4o"})
        record = {"tenant": "acme", "to_model": "gpt-4o", "source": "cli", "waited": True}
        assert done == {"deployment": record, "new": True, "covers": []}

    def test_a_declaration_that_is_refused_is_the_desks_own_message(self, client: ServeClient) -> None:
        with pytest.raises(StoreError, match=r"^to_model is missing$"):
            client.declare({"tenant": "acme"})

    def test_a_declaration_is_withdrawn(self, client: ServeClient) -> None:
        assert client.withdraw("acme", "a/b") == {"id": "a/b", "tenant": "acme", "withdrawn": True, "waited": True}

    def test_declarations_are_listed_for_one_tenant_or_all(self, client: ServeClient) -> None:
        assert client.deployments("acme") == [{"tenant": "acme"}]
        assert client.deployments(None) == [{"tenant": None}]

    def test_a_calibration_is_taken(self, client: ServeClient) -> None:
        assert client.calibrate({"tenant": "acme", "model": {}}) == {"tenant": "acme", "model": {}}

    def test_what_the_store_refuses_is_its_own_message(self, client: ServeClient) -> None:
        with pytest.raises(StoreError, match=r"^query on chdb://store: no table nowhere$"):
            client.ask("SELECT 1 FROM nowhere", "CSV")

    @pytest.mark.parametrize(
        "path", ["/api/query", "/api/close", "/api/declare", "/api/withdraw", "/api/deployments", "/api/alive"]
    )
    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}])
    def test_without_the_token_nothing_is_answered(self, address: str, path: str, headers: dict[str, str]) -> None:
        message = {"sql": "SELECT 1", "format": "CSV", "conversation": "open"}
        refused = httpx.post(f"http://{address}{path}", json=message, headers=headers)
        assert (refused.status_code, refused.json()) == (401, {"error": "not allowed"})

    @pytest.mark.parametrize("message", [{}, {"sql": "SELECT 1"}, [], 5, "text", None])
    @pytest.mark.parametrize("path", ["/api/query", "/api/close", "/api/declare", "/api/withdraw", "/api/deployments"])
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


DECLARED = {"tenant": "acme", "to_model": "gpt-4o"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(app=Starlette(routes=deployment_routes(TOKEN, Notes(), "x-tenant"))) as bound:
        yield f"http://{bound}/v1/deployments"


class TestDeployments:
    """The way for those who are not on this machine."""

    def test_a_declaration_is_created_once_and_not_waited_for(self, url: str) -> None:
        for status in (201, 200):
            answered = httpx.post(url, json=DECLARED, headers=BEARER)
            assert answered.status_code == status
            assert answered.json()["deployment"] == {**DECLARED, "source": "http", "waited": False}

    @pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
    @pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
    def test_without_the_token_nothing_is_answered(self, url: str, method: str, given: str | None) -> None:
        headers = {} if given is None else {"Authorization": given}
        target = f"{url}/d-1?tenant=acme" if method == "DELETE" else url
        answered = httpx.request(method, target, headers=headers)
        assert (answered.status_code, answered.headers["www-authenticate"]) == (401, "Bearer")
        assert answered.json() == {"error": "authorization: allowed is Bearer and the token of [deployments]"}

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
    def test_the_scheme_may_be_written_in_any_way(self, url: str, scheme: str) -> None:
        assert httpx.get(url, headers={"Authorization": f"{scheme} {TOKEN}"}).status_code == 200

    def test_what_the_desk_refuses_has_its_status(self, url: str) -> None:
        answered = httpx.post(url, json={"tenant": "acme"}, headers=BEARER)
        assert (answered.status_code, answered.json()) == (418, {"error": "to_model is missing", "field": "to_model"})

    @pytest.mark.parametrize(
        ("body", "status", "why"),
        [
            (b"", 400, "no JSON"),
            (b"{", 400, "no JSON"),
            (b"\xff\xfe", 400, "no JSON"),
            (b"[" * 60_000, 400, "no JSON"),
            (b"[]", 400, "a JSON list: allowed is an object of fields"),
            (b"5", 400, "a JSON int: allowed is an object of fields"),
            (b"x" * 70_000, 413, "too large: allowed are 65,536 bytes"),
        ],
    )
    def test_a_body_of_another_kind_is_refused(self, url: str, body: bytes, status: int, why: str) -> None:
        answered = httpx.post(url, content=body, headers=BEARER)
        assert answered.status_code == status
        assert why in answered.json()["error"]

    def test_a_caller_that_is_bound_to_a_tenant_declares_for_no_other(self, url: str) -> None:
        bound = {**BEARER, "x-tenant": "globex"}
        expected = {"error": "tenant = 'acme': allowed is 'globex', which x-tenant says", "field": "tenant"}
        for answered in (
            httpx.post(url, json=DECLARED, headers=bound),
            httpx.get(url, params={"tenant": "acme"}, headers=bound),
            httpx.delete(f"{url}/d-1", params={"tenant": "acme"}, headers=bound),
        ):
            assert (answered.status_code, answered.json()) == (403, expected)

    def test_a_caller_that_is_bound_need_not_say_so_again(self, url: str) -> None:
        bound = {**BEARER, "X-Tenant": "globex"}
        created = httpx.post(url, json={"to_model": "gpt-4o"}, headers=bound)
        assert created.json()["deployment"]["tenant"] == "globex"
        assert httpx.get(url, headers=bound).json() == {"deployments": [{"tenant": "globex"}]}
        assert httpx.delete(f"{url}/d-1", headers=bound).json()["deployment"]["tenant"] == "globex"

    def test_a_caller_that_is_not_bound_may_ask_for_every_tenant(self, url: str) -> None:
        assert httpx.get(url, headers=BEARER).json() == {"deployments": [{"tenant": None}]}

    def test_a_withdrawal_names_tenant_and_id(self, url: str) -> None:
        answered = httpx.delete(f"{url}/a%2Fb", params={"tenant": "acme"}, headers=BEARER)
        expected = {"id": "a/b", "tenant": "acme", "withdrawn": True, "waited": False}
        assert (answered.status_code, answered.json()) == (200, {"deployment": expected})
        refused = httpx.delete(f"{url}/d-1", headers=BEARER)
        assert (refused.status_code, refused.json()["field"]) == (400, "tenant")


class TestToken:
    def test_without_any_there_is_none(self) -> None:
        assert deployment_token(DeploymentsConfig()) == ""

    def test_it_stands_in_a_file_or_in_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "token").write_text("0123456789abcdef\n")
        monkeypatch.setenv("DEPLOYMENTS_TOKEN", "fedcba9876543210")
        assert deployment_token(DeploymentsConfig(token_file=str(tmp_path / "token"))) == "0123456789abcdef"
        assert deployment_token(DeploymentsConfig(token_env="DEPLOYMENTS_TOKEN")) == "fedcba9876543210"  # noqa: S106 - a name

    @pytest.mark.parametrize("content", [b"", b"short", b"with a space in it 0123", b"\xff" * 20, "ü".encode() * 20])
    def test_what_is_no_token_is_refused_and_never_shown(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "token").write_bytes(content)
        with pytest.raises(ConfigError, match=r"^deployments.token_file = .*: allowed in it is one token") as refused:
            deployment_token(DeploymentsConfig(token_file=str(tmp_path / "token")))
        shown = content.decode("utf-8", "ignore")
        assert not shown or shown not in str(refused.value)

    @pytest.mark.parametrize(
        ("config", "why"),
        [
            ({"token_file": "/nowhere"}, "deployments.token_file = '/nowhere': No such file or directory; allowed is"),
            ({"token_env": "NOT_SET"}, "deployments.token_env = 'NOT_SET': allowed is an environment variable that"),
            ({"token_file": "/nowhere", "token_env": "NOT_SET"}, "deployments.token_env = 'NOT_SET': allowed is"),
        ],
    )
    def test_where_it_cannot_be_read_is_told(self, config: dict[str, Any], why: str) -> None:
        with pytest.raises(ConfigError, match=f"^{why}"):
            deployment_token(DeploymentsConfig(**config))


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
