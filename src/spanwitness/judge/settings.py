"""Who judges and how they are reached, checked before anybody is asked."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from spanwitness.config import values
from spanwitness.errors import ConfigError

if TYPE_CHECKING:
    from spanwitness.config import JudgeConfig

_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """The judge. Its key is never shown.

    Attributes:
        url: base URL of an OpenAI-compatible endpoint, as its makers give it: most end in /v1.
        model: as the endpoint names it; the record names the judge so.
        key: '' where the endpoint wants none.
        timeout_s: for one question, all in all.
        redact: personal data is taken out of what is sent.
        input_price: USD per million tokens; likewise `output_price`. 0: not known.

    Raises:
        ConfigError: one of them is not allowed. Of a URL and a key that are not, nothing is told.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    timeout_s: float = 60.0
    redact: bool = True
    input_price: float = 0.0
    output_price: float = 0.0

    def __post_init__(self) -> None:
        """Checks what would else fail with every question, or be logged with the address by the client."""
        if not values.url("judge.url")(self.url) or set("?#") & set(self.url):
            allowed = "'http://HOST[:PORT][/PATH]' or 'https://...' without a password or a query in it"
            raise ConfigError(f"judge.url = '...': allowed is {allowed}")
        if not self.model:
            raise ConfigError("judge.model = '': allowed is a model that the endpoint knows")
        if self.key and not _is_key(self.key):
            raise ConfigError("the judge's key: allowed is printable ASCII without blanks, which is not told here")
        for name, least in (("timeout_s", math.ulp(0.0)), ("input_price", 0.0), ("output_price", 0.0)):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= least):
                raise ConfigError(f"judge {name} = {value!r}: allowed is a number {'above' if least else 'from'} 0")

    @property
    def is_here(self) -> bool:
        """Whether the endpoint is on this machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:  # a name, which may begin with 127. as well
            return host == "localhost"

    @property
    def origin(self) -> str:
        """Where the endpoint is, for the record: of the URL scheme, host and port, since a path may be a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def url_digest(self) -> str:
        """8 hex digits of the SHA-256 of the whole URL, which tell two endpoints of one origin apart."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:8]

    @property
    def in_the_clear(self) -> list[str]:
        """The key `judge.url` where conversations, and the endpoint's key, cross a network without TLS."""
        return ["judge.url"] if urlsplit(self.url).scheme == "http" and not self.is_here else []

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """What so many tokens cost, by the configured prices."""
        return (input_tokens * self.input_price + output_tokens * self.output_price) / _MILLION


def judge_settings(config: JudgeConfig) -> JudgeSettings | None:
    """The settings, with the key that stands in the environment or else in a file; None without a model.

    Raises:
        ConfigError: a variable is not set, a file cannot be read, or what either holds is no key; a model without an
            endpoint.
    """
    if not config.model:
        return None
    if not config.url:
        raise ConfigError("judge.url = '': allowed with judge.model is the base URL of an endpoint")
    return JudgeSettings(
        url=config.url.rstrip("/"),
        model=config.model,
        key=_key(config),
        timeout_s=config.timeout.total_seconds(),
        redact=config.redact,
        input_price=config.input_price,
        output_price=config.output_price,
    )


def _key(config: JudgeConfig) -> str:
    if config.key_env:
        key, found = f"judge.key_env = {config.key_env!r}", os.environ.get(config.key_env)
        if found is None:
            raise ConfigError(f"{key}: allowed is an environment variable that is set")
    elif config.key_file:
        key, found = f"judge.key_file = {config.key_file!r}", _text(config.key_file)
    else:
        return ""
    found = found.strip()
    if not _is_key(found):
        raise ConfigError(f"{key}: allowed in it is a key of printable ASCII, which is not told here")
    return found


def _is_key(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"judge.key_file = {path!r}: {error.strerror}; allowed is a file that can be read") from None
    except UnicodeDecodeError:
        raise ConfigError(f"judge.key_file = {path!r}: allowed is a file of text in UTF-8") from None
