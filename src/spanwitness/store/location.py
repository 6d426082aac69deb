"""Where a store is: `chdb://PATH` (embedded) or `clickhouse://HOST` (a server), taken apart and checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from spanwitness.errors import ConfigError

_SERVER_SCHEMES = {"clickhouse": (False, 8123), "clickhouses": (True, 8443)}
_ALLOWED = "chdb://PATH, clickhouse://[USER@]HOST[:PORT][/DATABASE] or clickhouses://... (TLS)"
_OPTIONS = {"password_file"}
PASSWORD_VARIABLE = "CLICKHOUSE_PASSWORD"  # noqa: S105 - the name of a variable, not a password


@dataclass(frozen=True, slots=True)
class Embedded:
    """A folder that one process at a time owns."""

    path: Path

    def __str__(self) -> str:
        return f"chdb://{self.path}"


@dataclass(frozen=True, slots=True)
class Server:
    """A ClickHouse server's HTTP interface. The password is never shown."""

    host: str
    port: int
    secure: bool
    database: str
    user: str
    password: str

    def __str__(self) -> str:
        return f"clickhouse{'s' if self.secure else ''}://{self.host}:{self.port}/{self.database}"

    def __repr__(self) -> str:
        return f"Server({self})"


Location = Embedded | Server


def parse_location(url: str) -> Location:
    """Takes a store's URL apart.

    A server's password comes from `?password_file=FILE`, else the URL, else the environment (CLICKHOUSE_PASSWORD).

    Raises:
        ConfigError: it is no such URL. The message never shows a password.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "chdb" and rest:
        return Embedded(Path(rest).expanduser().resolve())
    if separator and scheme in _SERVER_SCHEMES:
        return _server(url, *_SERVER_SCHEMES[scheme])
    raise ConfigError(f"store = {_shown(url)!r}: allowed are {_ALLOWED}")


def _server(url: str, secure: bool, default_port: int) -> Server:
    parts = urlsplit(url)
    options = parse_qs(parts.query, keep_blank_values=True)
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise ConfigError(f"store: unknown option {unknown[0]!r}; allowed: {', '.join(sorted(_OPTIONS))}")
    try:
        port = parts.port or default_port
    except ValueError:
        raise ConfigError(f"store = {_shown(url)!r}: the port is not a number from 1 to 65535") from None
    if not parts.hostname:
        raise ConfigError(f"store = {_shown(url)!r}: no host; allowed are {_ALLOWED}")
    return Server(
        host=parts.hostname,
        port=port,
        secure=secure,
        database=parts.path.strip("/") or "default",
        user=unquote(parts.username or "default"),
        password=_password(unquote(parts.password or ""), options.get("password_file", [""])[0]),
    )


def _password(given: str, file: str) -> str:
    if file:
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            raise ConfigError(f"store: password_file = {file!r}: {error.strerror}") from None
    return given or os.environ.get(PASSWORD_VARIABLE, "")


def _shown(url: str) -> str:
    before, at, after = url.rpartition("@")
    scheme, separator, _ = before.partition("://")
    return f"{scheme if separator else ''}{separator}...@{after}" if at else url
