"""Where the next hop is and how it is reached, checked before anything is opened."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from spanwitness import __version__
from spanwitness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.config import ForwardConfig


@dataclass(frozen=True, slots=True)
class HopSettings:
    """The way to the next hop.

    Attributes:
        endpoint: http://HOST:PORT[/PREFIX], https://, grpc://HOST:PORT or grpcs://.
        timeout_s: for one request, all in all.
        ca: certificates that its own is checked against, as PEM; None: those of the system.
        headers: sent with every request; their values are never shown.
    """

    endpoint: str
    gzip: bool = False
    timeout_s: float = 4.0
    ca: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def secure(self) -> bool:
        """Whether it is spoken to over TLS."""
        return urlsplit(self.endpoint).scheme in {"https", "grpcs"}

    @property
    def over_grpc(self) -> bool:
        """Whether it is spoken to over gRPC."""
        return urlsplit(self.endpoint).scheme in {"grpc", "grpcs"}

    @property
    def by_proxy(self) -> bool:
        """Whether the environment's proxy settings count; never for this machine itself."""
        host = urlsplit(self.endpoint).hostname or ""
        return not (host in {"localhost", "::1"} or host.startswith("127."))

    @property
    def agent(self) -> str:
        """Who we say we are."""
        return f"spanwitness/{__version__}"


def hop_settings(config: ForwardConfig) -> HopSettings:
    """The settings, with what stands in files and in the environment.

    Raises:
        ConfigError: a file cannot be read, a variable is not set, or what it holds is no header.
    """
    headers = {**_from_file(config.headers_file), **_from_environment(config.headers_env)}
    return HopSettings(
        endpoint=config.endpoint,
        gzip=config.compression == "gzip",
        timeout_s=config.timeout.total_seconds(),
        ca=_certificates(config.ca) if config.ca else None,
        headers=headers,
    )


def _read(key: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{key} = {path!r}: {error.strerror}; allowed is a file that can be read") from None


def _certificates(path: str) -> bytes:
    found = _read("forward.ca", path)
    try:
        ssl.create_default_context(cadata=found.decode() or "none")  # an empty text would stand for the system's own
    except (ssl.SSLError, ValueError):
        raise ConfigError(f"forward.ca = {path!r}: allowed is a file of certificates as PEM") from None
    return found


def _from_file(path: str) -> dict[str, str]:
    """One `Name: value` a line; empty lines and those that begin with # are passed over."""
    if not path:
        return {}
    try:
        lines = _read("forward.headers_file", path).decode().splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"forward.headers_file = {path!r}: allowed is text, one `Name: value` a line") from None
    pairs = [(number, line.partition(":")) for number, line in enumerate(lines, 1) if line.strip()[:1] not in {"", "#"}]
    return dict(
        _header(name, value, f"forward.headers_file = {path!r}: line {number}: allowed is `Name: value`")
        for number, (name, _, value) in pairs
    )


def _from_environment(variable: str) -> dict[str, str]:
    """`name=value,name=value`, percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS has it."""
    if not variable:
        return {}
    text = os.environ.get(variable)
    if text is None:
        raise ConfigError(f"forward.headers_env = {variable!r}: allowed is an environment variable that is set")
    allowed = f"forward.headers_env = {variable!r}: allowed in it is name=value,name=value"
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    return dict(_header(name, unquote(value), allowed) for name, _, value in pairs)


def _cannot_be_set(name: str) -> bool:
    """Of the request's own frame; or, to gRPC, not text: every request would fail."""
    return name in {"content-length", "transfer-encoding"} or name.endswith("-bin")


def _header(name: str, value: str, allowed: str) -> tuple[str, str]:
    name, value = name.strip().lower(), value.strip()
    plain = name.isascii() and name.replace("-", "").replace("_", "").replace(".", "").isalnum()
    if not plain or _cannot_be_set(name) or not value or not value.isascii() or not value.isprintable():
        raise ConfigError(allowed)  # without what stands there: it may be a credential
    return name, value
