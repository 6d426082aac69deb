"""The configuration: one TOML file, every key checked at start, every error naming key, value and what is allowed."""

from __future__ import annotations

import datetime as dt
import ipaddress
import tomllib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from spanwitness.config import evaluate, values
from spanwitness.config.evaluate import EvaluateConfig
from spanwitness.config.values import duration
from spanwitness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = [
    "DEFAULT_STORE",
    "AlertsConfig",
    "CloseConfig",
    "Config",
    "ContractsConfig",
    "DeploymentsConfig",
    "DriftConfig",
    "EvaluateConfig",
    "ForwardConfig",
    "IngestConfig",
    "JudgeConfig",
    "MetricsConfig",
    "ReceiveConfig",
    "StoreConfig",
    "TenantConfig",
    "duration",
    "load",
    "parse",
]

DEFAULT_STORE: Final = "chdb://.spanwitness/store"


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
class JudgeConfig:
    """The language model that scores what `evaluate.judged` names. Without a model nothing is judged.

    `url`: the base URL of an OpenAI-compatible endpoint. `concurrency`: calls at once. `attempts`: of each score,
    before it is given up. `redact`: personal data is taken out of what is sent. Prices: USD per million tokens,
    budgets in USD per tenant and UTC day; zero: none. `cache`: for how long an answer counts for the same question.
    """

    url: str = "https://api.openai.com/v1"
    model: str = ""
    key_file: str = ""
    key_env: str = ""
    timeout: dt.timedelta = dt.timedelta(seconds=60)
    concurrency: int = 4
    attempts: int = 8
    redact: bool = True
    input_price: float = 0.0
    output_price: float = 0.0
    budget: float = 0.0
    budget_by_tenant: Mapping[str, float] = field(default_factory=dict)
    cache: dt.timedelta = dt.timedelta(days=30)


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

    `from_spans`: whether spans declare too. `overdue`: a declared change without an end that nobody has seen so long
    after its beginning is told as absent.
    """

    token_file: str = ""
    token_env: str = ""
    from_spans: bool = True
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
    """All settings. Without a file, the defaults. `evaluators`: the fields of each, by its name."""

    store: StoreConfig = field(default_factory=StoreConfig)
    receive: ReceiveConfig = field(default_factory=ReceiveConfig)
    ingest: IngestConfig = field(default_factory=IngestConfig)
    tenant: TenantConfig = field(default_factory=TenantConfig)
    close: CloseConfig = field(default_factory=CloseConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    evaluators: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    judge: JudgeConfig = field(default_factory=JudgeConfig)
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
    values.known("", tree, {each.name: each for each in fields(Config)})
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


_EVALUATORS: Final = "evaluators"
_SECTIONS: Final[dict[str, tuple[type, dict[str, Callable[[Any], Any]]]]] = {
    "store": (StoreConfig, {"url": values.name}),
    "receive": (
        ReceiveConfig,
        {"grpc": values.address, "http": values.address, "max_request": values.size, "max_in_flight": values.size},
    ),
    "ingest": (IngestConfig, {"batch": values.size, "wait": values.duration, "buffer": values.size}),
    "tenant": (TenantConfig, {"attributes": values.texts, "header": values.header, "default": values.name}),
    "close": (
        CloseConfig,
        {
            "idle": values.duration,
            "max_age": values.positive_duration,
            "end_grace": values.duration,
            "sweep": values.positive_duration,
            "idle_by_channel": values.table_of(duration),
            "idle_by_tenant": values.table_of(duration),
        },
    ),
    "evaluate": (EvaluateConfig, evaluate.KEYS),
    "judge": (
        JudgeConfig,
        {
            "url": values.url("judge.url"),
            "model": values.text,
            "key_file": values.text,
            "key_env": values.text,
            "timeout": values.positive_duration,
            "concurrency": values.count(1, 64),
            "attempts": values.count(1, 100),
            "redact": values.switch,
            "input_price": values.amount,
            "output_price": values.amount,
            "budget": values.amount,
            "budget_by_tenant": values.table_of(values.amount),
            "cache": values.duration,
        },
    ),
    "forward": (
        ForwardConfig,
        {
            "endpoint": values.endpoint,
            "answer": values.one_of("both", "store"),
            "compression": values.one_of("none", "gzip"),
            "timeout": values.positive_duration,
            "headers_file": values.text,
            "headers_env": values.text,
            "ca": values.text,
            "logs": values.switch,
            "scores": values.switch,
            "queue": values.name,
            "queue_max": values.size,
        },
    ),
    "contracts": (ContractsConfig, {"folder": values.text}),
    "deployments": (
        DeploymentsConfig,
        {
            "token_file": values.text,
            "token_env": values.text,
            "from_spans": values.switch,
            "overdue": values.positive_duration,
        },
    ),
    "drift": (
        DriftConfig,
        {"watch": values.switch, "reference": values.count(30, 1000), "false_alarms_per_1000": values.rate},
    ),
    "alerts": (
        AlertsConfig,
        {
            "alertmanager": values.url("alerts.alertmanager"),
            "webhook": values.url("alerts.webhook"),
            "headers_file": values.text,
            "headers_env": values.text,
            "secret_file": values.text,
            "secret_env": values.text,
            "severities": values.some_of("page", "warning", "info"),
            "timeout": values.positive_duration,
            "resend": values.positive_duration,
            "max_age": values.positive_duration,
        },
    ),
    "metrics": (MetricsConfig, {"serve": values.switch, "max_series": values.count(10, 100_000)}),
}


_NEEDED: Final = {"forward": ("endpoint", "turns forwarding off"), "judge": ("model", "asks nobody")}
"""Without which key a section has no effect."""


def _section(name: str, tree: Any) -> Any:
    if name == _EVALUATORS:
        return values.setting(name, tree, evaluate.parameters)
    kind, keys = _SECTIONS[name]
    read = values.section(name, keys, tree)
    needed, off = _NEEDED.get(name, ("", ""))
    if needed and read and needed not in read:
        first = next(iter(read))
        raise ConfigError(f"{name}.{first} has no effect without {name}.{needed}; '' {off}")
    return kind(**read)
