"""Declaring changes as users and scripts do it: with `serve` and without, over HTTP, and what that does to swaps."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner

from spanwitness.cli import app
from spanwitness.testing import chat, framed, trace_request, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typer.testing import Result

    from tests.conftest import Serve

TOKEN = "0123456789abcdef-token"  # noqa: S105 - a test's own
BEARER = {"Authorization": f"Bearer {TOKEN}"}
MINI = "gpt-4o-mini-2024-07-18"
WHO = ("--tenant", "acme", "--by", "jane", "--reason", "CHG-1")
LONG_AGO = "2026-01-01T00:00:00Z"
HOUR = dt.timedelta(hours=1)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["deployment", *arguments])


def good(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def refused(*arguments: str) -> str:
    """What is said of wrong usage."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    return " ".join(result.stderr.replace("│", " ").split())


def failed(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("spanwitness: ")


def listed(store: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in good("list", "--tenant", "acme", "--json", "--store", store).splitlines()]


def swap(store: str) -> dict[str, Any]:
    """The change of model, as `query` tells it."""
    sql = "SELECT SwapId, Severity, Declared, DeploymentId FROM model_swaps WHERE Class = 'version'"
    result = CliRunner().invoke(app, ["query", sql, "--format", "json", "--store", store])
    (found,) = [json.loads(line) for line in result.stdout.splitlines()]
    return dict(found)


class TestUsage:
    @pytest.mark.parametrize("missing", ["--tenant", "--by", "--reason"])
    def test_what_is_required_is_asked_for(self, missing: str) -> None:
        at = WHO.index(missing)
        said = refused("declare", *WHO[:at], *WHO[at + 2 :], "--to-model", "gpt-4o")
        assert f"Missing option '{missing}'" in said

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (
                (),
                "--to-model: is missing: allowed is one of --to-model, --to-prompt, --to-agent-version",
            ),
            (("--to-model", "a", "--to-prompt", "b"), "--to-model: 'a' beside --to-prompt"),
            (
                ("--to-prompt", "b", "--from-model", "a"),
                "--from-model: 'a': allowed beside it is --to-m",
            ),
            (
                ("--to-model", "a", "--from", "noon"),
                "--from: 'noon': allowed is ISO 8601 with its offset",
            ),
            (
                ("--to-model", "a", "--until", LONG_AGO),
                "--until: '2026-01-01T00:00:00Z': allowed is a t",
            ),
            (("--to-model", "a", "--agent", "  "), "--agent: ' ': allowed is a text of 1 to 256"),
        ],
    )
    def test_what_is_not_allowed_is_told_by_its_option(
        self, tmp_path: Path, options: tuple[str, ...], said: str
    ) -> None:
        found = refused("declare", *WHO, *options, "--store", f"chdb://{tmp_path / 'store'}")
        assert f"Invalid value for {said}" in found
        assert not (tmp_path / "store").exists(), "wrong usage opens nothing"

    @pytest.mark.parametrize("command", [(), ("declare",), ("list",), ("withdraw",)])
    def test_every_command_has_help(self, command: tuple[str, ...]) -> None:
        said = good(*command, "--help")
        assert not command or f"spanwitness deployment {command[0]}" in " ".join(said.split())


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Two conversations were imported; the second was answered by another model."""
    file = tmp_path / "a.otlp"
    begin = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    calls = [chat(1, 1, 0, "a", begin=begin), chat(2, 1, 60, "b", served=MINI, begin=begin)]
    file.write_bytes(framed([trace_request(calls)]))
    url = f"chdb://{tmp_path / 'store'}"
    result = CliRunner().invoke(app, ["import", str(file), "--store", url])
    assert result.exit_code == 0, result.output
    return url


class TestWithoutAServer:
    def test_a_swap_on_record_is_told_and_judged_anew(self, store: str) -> None:
        assert swap(store)["Severity"] == "page"
        said = good("declare", *WHO, "--to-model", "gpt-4o-mini", "--from", LONG_AGO, "--store", store)
        found = swap(store)
        assert (found["Severity"], found["Declared"]) == ("warning", True)
        first, second = said.splitlines()
        assert first.startswith(f"{found['DeploymentId']}: declared by jane: model gpt-4o-mini in tenant acme, every")
        assert f"{found['SwapId']} (version to openai/{MINI} since 2026-11-20 12:01:00)" in second

        assert good("withdraw", found["DeploymentId"], "--tenant", "acme", "--store", store).endswith(": withdrawn\n")
        assert swap(store)["Severity"] == "page"
        assert [row["status"] for row in listed(store)] == ["withdrawn"]

    def test_twice_the_same_is_one_record_and_other_content_another(self, store: str) -> None:
        for _ in range(2):
            said = good("declare", *WHO, "--to-model", "gpt-4.1", "--store", store)
        assert "already on record since" in said
        good("declare", *WHO, "--to-model", "gpt-4.1", "--agent", "other", "--store", store)
        assert [row["status"] for row in listed(store)] == ["expected", "expected"]

    def test_an_id_that_stands_for_something_else_is_refused(self, store: str) -> None:
        good("declare", *WHO, "--to-model", "gpt-4.1", "--id", "CHG-1", "--store", store)
        said = failed("declare", *WHO, "--to-model", "gpt-5", "--id", "CHG-1", "--store", store)
        assert said.startswith("id = 'CHG-1': is on record for 'gpt-4.1'")
        assert failed("withdraw", "CHG-2", "--tenant", "acme", "--store", store) == (
            "tenant 'acme' has no deployment 'CHG-2' on record"
        )

    def test_the_list_tells_people_the_same(self, store: str) -> None:
        assert "No change is declared" in good("list", "--store", store)
        over = ("--from", LONG_AGO, "--until", "2026-02-01T00:00:00Z", "--store", store)
        good("declare", *WHO, "--to-model", "gpt-4.1", *over)
        good("declare", *WHO, "--to-model", "gpt-4o-mini", *over)
        said = good("list", "--store", store)
        assert "late: came after it was due" in said
        assert "absent: overdue" in said
        assert "2 declarations, 1 overdue." in said


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Serve]) -> Iterator[Serve]:
    """Closes after half a second of silence, takes declarations over HTTP, misses one within a second."""
    folder = tmp_path_factory.mktemp("declaring")
    (folder / "token").write_text(TOKEN)
    (folder / "config.toml").write_text(
        f'[deployments]\ntoken_file = "{folder / "token"}"\noverdue = "1s"\n[tenant]\nheader = "x-tenant"\n'
        '[close]\nidle = "500ms"\nsweep = "250ms"\n'
    )
    started = serving(folder, "--config", str(folder / "config.toml"))
    yield started
    started.kill()


class Talker:
    """Conversations of one agent of a tenant, each sent as it happens."""

    def __init__(self, server: Serve, tenant: str) -> None:
        self._server = server
        self._tenant = tenant
        self._number = 0

    def talk(self, served: str = "gpt-4o-2024-08-06", *, shifted: dt.timedelta = dt.timedelta()) -> None:
        self._number += 1
        begin = dt.datetime.now(dt.UTC) + shifted
        span = chat(self._number, 1, 0, f"c-{self._number}", served=served, begin=begin)
        headers = {"content-type": "application/x-protobuf"}
        url = f"http://{self._server.addresses['http']}/v1/traces"
        sent = httpx.post(url, content=trace_request([span], tenant=self._tenant), headers=headers)
        assert sent.status_code == 200
        until(lambda: len(self.asked("conversations_latest")) == self._number)

    def asked(self, table: str, columns: str = "*", where: str = "1") -> list[dict[str, Any]]:
        sql = f"SELECT {columns} FROM {table} WHERE TenantId = '{self._tenant}' AND {where}"
        arguments = ["query", sql, "--format", "json", "--store", self._server.store]
        return [json.loads(line) for line in CliRunner().invoke(app, arguments).stdout.splitlines()]

    def severity(self) -> str:
        until(lambda: bool(self.asked("model_swaps", where="Class = 'version'")))
        (found,) = self.asked("model_swaps", "Severity", "Class = 'version'")
        return str(found["Severity"])


def deployments(server: Serve) -> str:
    return f"http://{server.addresses['http']}/v1/deployments"


class TestWithAServer:
    def test_what_is_declared_by_command_before_it_comes_is_information(self, server: Serve) -> None:
        talker = Talker(server, "one")
        talker.talk()
        good("declare", "--tenant", "one", *WHO[2:], "--to-model", "gpt-4o-mini", "--store", server.store)
        talker.talk(MINI)
        assert talker.severity() == "info"

    def test_what_is_declared_by_command_afterwards_is_a_warning_once_the_command_returns(self, server: Serve) -> None:
        talker = Talker(server, "two")
        talker.talk(shifted=-2 * HOUR)
        talker.talk(MINI, shifted=-HOUR)
        assert talker.severity() == "page"
        declare = ("declare", "--tenant", "two", *WHO[2:], "--to-model", "gpt-4o-mini", "--from", LONG_AGO)
        said = good(*declare, "--id", "CHG-2", "--store", server.store)
        assert "Covers 2 swaps on record" in said
        assert talker.severity() == "warning"
        (known,) = talker.asked("model_swaps", "DeploymentId", "Class = 'version'")
        assert known["DeploymentId"] == "CHG-2"
        good("withdraw", "CHG-2", "--tenant", "two", "--store", server.store)
        assert talker.severity() == "page"
        assert failed(*declare, "--id", "CHG-2", "--store", server.store).startswith("id = 'CHG-2': was withdrawn")

    def test_over_http_it_is_the_same(self, server: Serve) -> None:
        talker = Talker(server, "three")
        talker.talk()
        fields = {"tenant": "three", "to_model": "gpt-4o-mini", "by": "ci", "reason": "release 2.4"}
        created = httpx.post(deployments(server), json=fields, headers=BEARER)
        assert (created.status_code, created.json()["covers"]) == (201, [])
        assert httpx.post(deployments(server), json=fields, headers=BEARER).status_code == 200
        talker.talk(MINI)
        assert talker.severity() == "info"
        answered = httpx.get(deployments(server), params={"tenant": "three"}, headers=BEARER).json()
        (row,) = answered["deployments"]
        assert (row["status"], row["source"], row["by"]) == ("seen", "http", "ci")
        gone = httpx.delete(f"{deployments(server)}/{row['id']}", params={"tenant": "three"}, headers=BEARER)
        assert gone.json()["deployment"]["withdrawn"] is True
        until(lambda: talker.severity() == "page")

    @pytest.mark.parametrize(
        ("fields", "headers", "status", "field"),
        [
            ({}, {}, 401, None),
            ({"tenant": "acme"}, BEARER, 400, "by"),
            ({"tenant": "acme", "by": "ci", "reason": "r"}, BEARER, 400, "to_model"),
            ({"tenant": "acme", "by": "ci", "reason": "r", "to_model": "m", "until": "x"}, BEARER, 400, "until"),
            ({"tenant": "acme", "by": "ci", "reason": "r", "to_model": "m", "model": "x"}, BEARER, 400, "model"),
            ({"tenant": "acme"}, {**BEARER, "x-tenant": "globex"}, 403, "tenant"),
        ],
    )
    def test_what_is_refused_names_the_field(
        self, server: Serve, fields: dict[str, str], headers: dict[str, str], status: int, field: str | None
    ) -> None:
        answered = httpx.post(deployments(server), json=fields, headers=headers)
        assert (answered.status_code, answered.json().get("field")) == (status, field)
        assert "allowed" in answered.json()["error"]

    def test_what_is_not_there_or_something_else_is_told_so(self, server: Serve) -> None:
        fields = {"tenant": "four", "to_model": "gpt-4.1", "by": "ci", "reason": "r", "id": "CHG-4"}
        assert httpx.post(deployments(server), json=fields, headers=BEARER).status_code == 201
        other = httpx.post(deployments(server), json={**fields, "to_model": "gpt-5"}, headers=BEARER)
        assert other.status_code == 409
        gone = httpx.delete(f"{deployments(server)}/CHG-5", params={"tenant": "four"}, headers=BEARER)
        assert gone.status_code == 404

    def test_what_never_comes_is_told_by_the_sweep_and_taken_back_when_it_comes(self, server: Serve) -> None:
        talker = Talker(server, "five")
        talker.talk()
        good("declare", "--tenant", "five", *WHO[2:], "--to-model", "gpt-4o-mini", "--store", server.store)
        until(lambda: bool(talker.asked("model_swaps", where="Class = 'absent' AND EndedAt = 0")))
        until(lambda: "Declared change not seen: tenant=five" in server.log.read_text())
        talker.talk(MINI, shifted=dt.timedelta(seconds=5))
        found = good("list", "--tenant", "five", "--json", "--store", server.store)
        assert json.loads(found)["status"] == "late"
        until(lambda: not talker.asked("model_swaps", where="Class = 'absent' AND EndedAt = 0"))
        assert talker.severity() == "info"

    def test_a_span_declares_before_its_sender_is_answered(self, server: Serve) -> None:
        said = {"deployment.id": "1208", "spanwitness.deployment.to_model": "gpt-4o-mini"}
        span = chat(1, 1, 0, "c", attributes=said, begin=dt.datetime.now(dt.UTC))
        headers = {"content-type": "application/x-protobuf"}
        url = f"http://{server.addresses['http']}/v1/traces"
        assert httpx.post(url, content=trace_request([span], tenant="six"), headers=headers).status_code == 200
        found = json.loads(good("list", "--tenant", "six", "--json", "--store", server.store))
        assert (found["id"], found["source"], found["service"]) == ("1208", "span", "claims")


def test_without_a_token_the_path_is_not_there(serve: Callable[..., Serve]) -> None:
    server = serve("--idle", "1h")
    for headers in ({}, BEARER):
        assert httpx.post(deployments(server), json={}, headers=headers).status_code == 404


def test_a_token_that_is_none_keeps_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short")
    (tmp_path / "config.toml").write_text(f'[deployments]\ntoken_file = "{tmp_path / "token"}"\n')
    store = f"chdb://{tmp_path / 'store'}"
    result = CliRunner().invoke(app, ["serve", "--config", str(tmp_path / "config.toml"), "--store", store])
    assert result.exit_code == 1
    assert "allowed in it is one token of at least 16 ASCII characters" in result.stderr
    assert not (tmp_path / "store").exists()
