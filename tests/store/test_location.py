"""A store's URL taken apart: what is allowed, what is told of what is not, and that no password is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanwitness.errors import ConfigError
from spanwitness.store.location import PASSWORD_VARIABLE, Embedded, Server, parse_location


@pytest.fixture(autouse=True)
def _no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("chdb:///var/lib/spanwitness", Path("/var/lib/spanwitness")),
        ("chdb://data/store", Path.cwd() / "data" / "store"),
        ("chdb://~/store", Path.home() / "store"),
        ("chdb:///a/../b", Path("/b")),
        ("chdb:///with space?and=more", Path("/with space?and=more")),
    ],
)
def test_an_embedded_store_is_a_folder(url: str, path: Path) -> None:
    assert parse_location(url) == Embedded(path)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("clickhouse://db", Server("db", 8123, False, "default", "default", "")),
        ("clickhouse://db:9000/agents", Server("db", 9000, False, "agents", "default", "")),
        ("clickhouse://me@db/agents/", Server("db", 8123, False, "agents", "me", "")),
        ("clickhouse://me:p%40ss%2Fword@db", Server("db", 8123, False, "default", "me", "p@ss/word")),
        ("clickhouses://db", Server("db", 8443, True, "default", "default", "")),
        ("clickhouse://[::1]:1", Server("::1", 1, False, "default", "default", "")),
    ],
)
def test_a_server_has_its_parts(url: str, server: Server) -> None:
    assert parse_location(url) == server


def test_a_password_file_goes_before_the_url_and_that_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("of the file\n")
    monkeypatch.setenv(PASSWORD_VARIABLE, "of the environment")
    found = [
        parse_location(url)
        for url in (f"clickhouse://me:url@db?password_file={file}", "clickhouse://me:url@db", "clickhouse://me@db")
    ]
    assert [one.password for one in found if isinstance(one, Server)] == ["of the file", "url", "of the environment"]


def test_a_password_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"password_file = '.*nowhere': No such file or directory"):
        parse_location(f"clickhouse://db?password_file={tmp_path / 'nowhere'}")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "allowed are chdb://PATH, clickhouse://"),
        ("store", "allowed are"),
        ("chdb://", "allowed are"),
        ("chdb:/one", "allowed are"),
        ("postgres://db", "store = 'postgres://db': allowed are"),
        ("clickhouse://", "no host"),
        ("clickhouse:///agents", "no host"),
        ("clickhouse://db:port", "the port is not a number from 1 to 65535"),
        ("clickhouse://db:70000", "the port is not a number from 1 to 65535"),
        ("clickhouse://db?sslmode=on", "unknown option 'sslmode'; allowed: password_file"),
    ],
)
def test_what_is_no_url_of_a_store_is_told_with_what_is_allowed(url: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_location(url)
    assert told in str(error.value)


@pytest.mark.parametrize(
    "url", ["clickhous://me:hunter2@db", "clickhouse://me:hunter2@db:port", "clickhouse://me:hunter2@", "x:hunter2@y"]
)
def test_no_message_shows_a_password(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_location(url)
    assert "hunter2" not in str(error.value)


def test_neither_text_nor_repr_shows_a_password() -> None:
    server = parse_location("clickhouses://me:hunter2@db/agents")
    assert str(server) == "clickhouses://db:8443/agents"
    assert "hunter2" not in repr(server)


def test_an_embedded_store_reads_as_its_url(tmp_path: Path) -> None:
    assert str(parse_location(f"chdb://{tmp_path}")) == f"chdb://{tmp_path}"
