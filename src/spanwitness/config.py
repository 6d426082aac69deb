"""The configuration: one TOML file, every key checked at start, every error naming key, value and what is allowed."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from spanwitness.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_STORE: Final = "chdb://.spanwitness/store"
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>ms|s|m|h|d)")
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(r"(?P<number>[0-9]+)\s*(?P<unit>[KMG]i?B|B|)")


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where the record is kept: chdb://PATH or clickhouse://HOST:PORT/DATABASE."""

    url: str = DEFAULT_STORE


@dataclass(frozen=True, slots=True)
class ReceiveConfig:
    """Where OTLP is accepted. Port 0 binds a free one; '' turns a transport off."""

    grpc: str = "127.0.0.1:4317"
    http: str = "127.0.0.1:4318"
    max_request: int = 20 * 2**20
    max_in_flight: int = 256 * 10**6


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """When a batch is stored: at this size or after this wait. `buffer`: beyond it senders are told to come back."""

    batch: int = 16 * 10**6
    wait: dt.timedelta = dt.timedelta(milliseconds=200)
    buffer: int = 128 * 10**6


@dataclass(frozen=True, slots=True)
class TenantConfig:
    """Who owns a span: the header that an authenticating proxy sets, else the first of the attributes, else default."""

    attributes: tuple[str, ...] = ("tenant.id",)
    header: str = ""
    default: str = "default"


@dataclass(frozen=True, slots=True)
class CloseConfig:
    """When a conversation is over. Zero `idle` closes at the next sweep."""

    idle: dt.timedelta = dt.timedelta(minutes=15)
    max_age: dt.timedelta = dt.timedelta(hours=24)
    end_grace: dt.timedelta = dt.timedelta(seconds=10)
    sweep: dt.timedelta = dt.timedelta(seconds=5)
    idle_by_channel: Mapping[str, dt.timedelta] = field(default_factory=dict)
    idle_by_tenant: Mapping[str, dt.timedelta] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """Which evaluators run, and the threshold that each score is held against. Empty: the default bundle."""

    evaluators: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForwardConfig:
    """Where OTLP goes on to, and when its sender is answered. Without an endpoint nothing is passed on.

    `answer`: "both", once our store has it and the next hop took it; "store", once our store has it and it is in a
    queue on disk for the next hop.
    """

    endpoint: str = ""
    answer: str = "both"
    compression: str = "none"
    timeout: dt.timedelta = dt.timedelta(seconds=4)
    headers_file: str = ""
    headers_env: str = ""
    ca: str = ""
    logs: bool = True
    scores: bool = True
    queue: str = ".spanwitness/forward.queue"
    queue_max: int = 10**9


@dataclass(frozen=True, slots=True)
class ContractsConfig:
    """Where the contracts stand: a folder with one TOML file a tenant; '' for none."""

    folder: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentsConfig:
    """Who may declare changes over HTTP: whoever has the token. '' in both: nobody may.

    `overdue`: a declared change without an end that nobody has seen so long after its beginning is told as absent.
    """

    token_file: str = ""
    token_env: str = ""
    overdue: dt.timedelta = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class DriftConfig:
    """The watch for disguised swaps: whether, from how many conversations it learns a slot, how often it may err."""

    watch: bool = True
    reference: int = 100
    false_alarms_per_1000: float = 1.0


@dataclass(frozen=True, slots=True)
class AlertsConfig:
    """Who is told of swaps. '' in both: nobody is.

    `severities`: which are sent. `resend`: how often Alertmanager hears of what still stands. `max_age`: what began
    longer ago than this is not sent any more.
    """

    alertmanager: str = ""
    webhook: str = ""
    headers_file: str = ""
    headers_env: str = ""
    secret_file: str = ""
    secret_env: str = ""
    severities: tuple[str, ...] = ("page", "warning", "info")
    timeout: dt.timedelta = dt.timedelta(seconds=10)
    resend: dt.timedelta = dt.timedelta(minutes=1)
    max_age: dt.timedelta = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Whether GET /metrics of the OTLP/HTTP address answers, and how many series of one name it may have."""

    serve: bool = True
    max_series: int = 2000


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. Without a file, the defaults."""

    store: StoreConfig = field(default_factory=StoreConfig)
    receive: ReceiveConfig = field(default_factory=ReceiveConfig)
    ingest: IngestConfig = field(default_factory=IngestConfig)
    tenant: TenantConfig = field(default_factory=TenantConfig)
    close: CloseConfig = field(default_factory=CloseConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    forward: ForwardConfig = field(default_factory=ForwardConfig)
    contracts: ContractsConfig = field(default_factory=ContractsConfig)
    deployments: DeploymentsConfig = field(default_factory=DeploymentsConfig)
    drift: DriftConfig = field(default_factory=DriftConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)

    def __post_init__(self) -> None:
        """Raises ConfigError for what no section can tell alone."""
        _check_forward(self.forward, self.receive)


def load(path: Path | None) -> Config:
    """Reads a configuration file; the defaults where there is none.

    Raises:
        ConfigError: the file cannot be read, or a key or value in it is not allowed.
    """
    if path is None:
        return Config()
    try:
        return parse(tomllib.loads(path.read_text()))
    except OSError as error:
        raise ConfigError(f"config file {str(path)!r}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {str(path)!r} is not TOML: {error}") from None
    except ConfigError as error:
        raise ConfigError(f"config file {str(path)!r}: {error}") from None


def parse(tree: Mapping[str, Any]) -> Config:
    """Checked settings from a TOML document's tree."""
    _known("", tree, _SECTIONS)
    return Config(**{name: _section(name, tree[name]) for name in tree})


def _check_forward(forward: ForwardConfig, receive: ReceiveConfig) -> None:
    """What no key can say alone."""
    target = urlsplit(forward.endpoint)
    here = receive.grpc if target.scheme in {"grpc", "grpcs"} else receive.http
    if target.netloc and here and _meets(target.hostname or "", target.port or 0, here):
        raise ConfigError(f"forward.endpoint = {forward.endpoint!r}: is where we listen ourselves; allowed is another")
    if forward.ca and target.scheme not in {"https", "grpcs"}:
        raise ConfigError(f"forward.ca = {forward.ca!r}: allowed with an endpoint of https:// or grpcs:// only")


def _meets(host: str, port: int, listening: str) -> bool:
    at, _, listens = listening.rpartition(":")
    if port != int(listens):
        return False
    return host == at.strip("[]") or (_is_here(host) and _is_here(at.strip("[]")))


def _is_here(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def duration(text: Any) -> dt.timedelta:
    """`250ms`, `30s`, `15m`, `2h`, `1d`. Raises ValueError with what is allowed."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    try:
        if found is not None:
            return dt.timedelta(seconds=float(found["number"]) * _UNITS[found["unit"]])
    except OverflowError:  # more days than Python counts
        pass
    raise ValueError("a duration such as '250ms', '30s', '15m', '2h' or '1d'")


def _positive_duration(text: Any) -> dt.timedelta:
    value = duration(text)
    if not value:
        raise ValueError("a duration above zero")
    return value


def _size(value: Any) -> int:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    number = int(found["number"]) * _SIZES[found["unit"]] if found else value
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        raise ValueError("a number of bytes above zero, or a size such as '20MiB' or '16MB'")
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")  # noqa: TRY004 - told to the user as a ConfigError
    return value


def _name(value: Any) -> str:
    if not _text(value):
        raise ValueError("a text that is not empty")
    return str(value)


def _header(value: Any) -> str:
    return _text(value).lower()


def _address(value: Any) -> str:
    host, _, port = _text(value).rpartition(":")
    if value and not (host and port.isdecimal() and int(port) <= 65535):  # noqa: PLR2004 - the last port
        raise ValueError("HOST:PORT, such as '127.0.0.1:4317' (port 0 takes a free one), or '' for off")
    return str(value)


def _endpoint(value: Any) -> str:
    text = _text(value)
    try:
        url = urlsplit(text)
        complete = bool(url.hostname and url.port) and not any(map(str.isspace, text))
    except ValueError:  # a port that is no number, a bracket too few
        url, complete = urlsplit(""), False
    known = url.scheme in {"http", "https"} or (url.scheme in {"grpc", "grpcs"} and url.path in {"", "/"})
    if text and not (complete and known and not (url.query or url.fragment or "@" in url.netloc)):
        allowed = "'http://HOST:PORT', 'https://HOST:PORT', 'grpc://HOST:PORT', 'grpcs://HOST:PORT', or '' for off"
        if "@" in text:  # what stands before it may be a password, and is not told
            shown = f"forward.endpoint = '...@{text.rpartition('@')[2]}'"
            raise ConfigError(f"{shown} (credentials go into headers_file or headers_env): allowed is {allowed}")
        raise ValueError(allowed)
    return text


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def apply(value: Any) -> str:
        if value not in allowed:
            raise ValueError(" or ".join(repr(name) for name in allowed))
        return str(value)

    return apply


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - told to the user as a ConfigError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError("a list of texts")
    return tuple(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ValueError("a number")
    return float(value)


def _count(least: int, most: int) -> Callable[[Any], int]:
    def apply(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return apply


def _rate(value: Any) -> float:
    rate = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    if not 0 < rate <= 100:  # noqa: PLR2004 - one in ten is no alarm any more
        raise ValueError("a number above 0 and at most 100")
    return float(rate)


def _some_of(*allowed: str) -> Callable[[Any], tuple[str, ...]]:
    def apply(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not set(value) <= set(allowed):
            raise ValueError("a list of " + ", ".join(repr(name) for name in allowed))
        return tuple(value)

    return apply


def _url(name: str) -> Callable[[Any], str]:
    """Of a URL that is not allowed nothing is told: its path may be a secret, as chat services have it."""

    def apply(value: Any) -> str:
        text = _text(value)
        try:
            url = urlsplit(text)
            complete = bool(url.hostname) and (url.port or 1) > 0 and not any(map(str.isspace, text))
        except ValueError:  # a port that is no number, a bracket too few
            url, complete = urlsplit(""), False
        if text and not (complete and url.scheme in {"http", "https"} and "@" not in url.netloc):
            allowed = "'http://HOST[:PORT][/PATH]' or 'https://...' without a password in it, or ''"
            raise ConfigError(f"{name} = '...': allowed is {allowed}")
        return text

    return apply


def _table_of(convert: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    def apply(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError("a table of NAME = VALUE")  # noqa: TRY004 - the same
        return {name: convert(entry) for name, entry in value.items()}

    return apply


_SECTIONS: Final[dict[str, tuple[type, dict[str, Callable[[Any], Any]]]]] = {
    "store": (StoreConfig, {"url": _name}),
    "receive": (
        ReceiveConfig,
        {"grpc": _address, "http": _address, "max_request": _size, "max_in_flight": _size},
    ),
    "ingest": (IngestConfig, {"batch": _size, "wait": duration, "buffer": _size}),
    "tenant": (TenantConfig, {"attributes": _texts, "header": _header, "default": _name}),
    "close": (
        CloseConfig,
        {
            "idle": duration,
            "max_age": _positive_duration,
            "end_grace": duration,
            "sweep": _positive_duration,
            "idle_by_channel": _table_of(duration),
            "idle_by_tenant": _table_of(duration),
        },
    ),
    "evaluate": (EvaluateConfig, {"evaluators": _texts, "thresholds": _table_of(_number)}),
    "forward": (
        ForwardConfig,
        {
            "endpoint": _endpoint,
            "answer": _one_of("both", "store"),
            "compression": _one_of("none", "gzip"),
            "timeout": _positive_duration,
            "headers_file": _text,
            "headers_env": _text,
            "ca": _text,
            "logs": _switch,
            "scores": _switch,
            "queue": _name,
            "queue_max": _size,
        },
    ),
    "contracts": (ContractsConfig, {"folder": _text}),
    "deployments": (
        DeploymentsConfig,
        {"token_file": _text, "token_env": _text, "overdue": _positive_duration},
    ),
    "drift": (DriftConfig, {"watch": _switch, "reference": _count(30, 1000), "false_alarms_per_1000": _rate}),
    "alerts": (
        AlertsConfig,
        {
            "alertmanager": _url("alerts.alertmanager"),
            "webhook": _url("alerts.webhook"),
            "headers_file": _text,
            "headers_env": _text,
            "secret_file": _text,
            "secret_env": _text,
            "severities": _some_of("page", "warning", "info"),
            "timeout": _positive_duration,
            "resend": _positive_duration,
            "max_age": _positive_duration,
        },
    ),
    "metrics": (MetricsConfig, {"serve": _switch, "max_series": _count(10, 100_000)}),
}


def _section(name: str, tree: Any) -> Any:
    kind, keys = _SECTIONS[name]
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{name} = {tree!r}: allowed is a table [{name}]")
    _known(f"{name}.", tree, keys)
    values = {key: _value(f"{name}.{key}", value, keys[key]) for key, value in tree.items()}
    if name == "forward" and values and "endpoint" not in values:
        first = next(iter(values))
        raise ConfigError(f"forward.{first} has no effect without forward.endpoint; '' turns forwarding off")
    return kind(**values)


def _value(key: str, value: Any, convert: Callable[[Any], Any]) -> Any:
    try:
        return convert(value)
    except ValueError as error:
        raise ConfigError(f"{key} = {value!r}: allowed is {error}") from None


def _known(prefix: str, tree: Mapping[str, Any], allowed: Mapping[str, Any]) -> None:
    for key in tree:
        if key not in allowed:
            raise ConfigError(f"unknown key {prefix}{key}; allowed: {', '.join(prefix + name for name in allowed)}")
