"""Who is told of alerts and how they are reached, checked before anything is opened."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from spanwitness import __version__
from spanwitness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.config import AlertsConfig

_LONGEST_RESEND: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """The receivers. Whatever of it may be a credential is never shown: a webhook's path and query often are one.

    Attributes:
        alertmanager: http://HOST[:PORT][/PREFIX] or https://; '' for none.
        webhook: a URL; '' for none.
        secret: bodies of the webhook are signed with it; '' for no signature.
        timeout_s: for one request, all in all.
        resend: how often Alertmanager hears of what still stands.
        headers: sent with every request.
    """

    alertmanager: str = ""
    webhook: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    timeout_s: float = 10.0
    resend: dt.timedelta = dt.timedelta(minutes=1)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def agent(self) -> str:
        """Who we say we are."""
        return f"spanwitness/{__version__}"

    @property
    def in_the_clear(self) -> list[str]:
        """Receivers that get a credential of ours, or a signed body, over a network without TLS."""
        found = {"alerts.alertmanager": self.alertmanager if self.headers else ""}
        found["alerts.webhook"] = self.webhook if self.headers or self.secret else ""
        return [key for key, url in found.items() if urlsplit(url).scheme == "http" and not is_here(url)]


def alert_settings(config: AlertsConfig) -> AlertSettings:
    """The settings, with what stands in files and in the environment.

    Raises:
        ConfigError: a file cannot be read, a variable is not set, what it holds is not allowed, or nobody would use it.
    """
    _used(config)
    _fits(config)
    return AlertSettings(
        alertmanager=config.alertmanager.rstrip("/"),
        webhook=config.webhook,
        secret=_secret(config),
        timeout_s=config.timeout.total_seconds(),
        resend=config.resend,
        headers={**_from_file(config.headers_file), **_from_environment(config.headers_env)},
    )


def is_here(url: str) -> bool:
    """Whether a URL leads to this machine itself."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _used(config: AlertsConfig) -> None:
    for key, needs in (
        ("headers_file", config.alertmanager or config.webhook),
        ("headers_env", config.alertmanager or config.webhook),
        ("secret_file", config.webhook),
        ("secret_env", config.webhook),
    ):
        if getattr(config, key) and not needs:
            other = "alerts.webhook" if key.startswith("secret") else "alerts.alertmanager or alerts.webhook"
            raise ConfigError(f"alerts.{key} has no effect without {other}")


def _fits(config: AlertsConfig) -> None:
    url = urlsplit(config.alertmanager)
    if url.query or url.fragment:
        raise ConfigError("alerts.alertmanager: allowed is an address without ? and #, such as 'http://HOST:9093'")
    if config.resend > _LONGEST_RESEND:
        raise ConfigError(f"alerts.resend = {str(config.resend)!r}: allowed is a duration up to '1d'")


def _secret(config: AlertsConfig) -> str:
    if config.secret_env:
        key, found = f"alerts.secret_env = {config.secret_env!r}", _variable("secret_env", config.secret_env)
    elif config.secret_file:
        key, found = f"alerts.secret_file = {config.secret_file!r}", _text("secret_file", config.secret_file)
    else:
        return ""
    if not found.strip():
        raise ConfigError(f"{key}: allowed in it is a secret that is not empty")
    return found.strip()


def _variable(key: str, name: str) -> str:
    found = os.environ.get(name)
    if found is None:
        raise ConfigError(f"alerts.{key} = {name!r}: allowed is an environment variable that is set")
    return found


def _text(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"alerts.{key} = {path!r}: {error.strerror}; allowed is a file that can be read") from None
    except UnicodeDecodeError:
        raise ConfigError(f"alerts.{key} = {path!r}: allowed is a file of text in UTF-8") from None


def _from_file(path: str) -> dict[str, str]:
    """One `Name: value` a line; empty lines and those that begin with # are passed over."""
    if not path:
        return {}
    lines = _text("headers_file", path).splitlines()
    pairs = [(number, line.partition(":")) for number, line in enumerate(lines, 1) if line.strip()[:1] not in {"", "#"}]
    return dict(
        _header(name, value, f"alerts.headers_file = {path!r}: line {number}: allowed is `Name: value`")
        for number, (name, _, value) in pairs
    )


def _from_environment(variable: str) -> dict[str, str]:
    """`name=value,name=value`, percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS has it."""
    if not variable:
        return {}
    allowed = f"alerts.headers_env = {variable!r}: allowed in it is name=value,name=value"
    pairs = [part.partition("=") for part in _variable("headers_env", variable).split(",") if part.strip()]
    return dict(_header(name, unquote(value), allowed) for name, _, value in pairs)


def _header(name: str, value: str, allowed: str) -> tuple[str, str]:
    name, value = name.strip().lower(), value.strip()
    plain = name.isascii() and name.replace("-", "").replace("_", "").replace(".", "").isalnum()
    frame = name in {"content-length", "transfer-encoding", "content-type"}
    if not plain or frame or not value or not value.isascii() or not value.isprintable():
        raise ConfigError(allowed)  # without what stands there: it may be a credential
    return name, value
