"""The configuration: every key, and what a user is told about a wrong one."""

from __future__ import annotations

import dataclasses
import datetime as dt
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.config import Config, duration, load, parse
from spanwitness.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

EVERY_KEY = """
[store]
url = "clickhouse://db:8123/witness"

[receive]
grpc = "0.0.0.0:4317"
http = ""
max_request = "4MiB"
max_in_flight = 1000000

[ingest]
batch = "8MB"
wait = "100ms"
buffer = "1GiB"

[tenant]
attributes = ["customer", "tenant.id"]
header = "X-Tenant"
default = "nobody"

[close]
idle = "10m"
max_age = "2d"
end_grace = "0s"
sweep = "1.5s"
[close.idle_by_channel]
voice = "30s"
[close.idle_by_tenant]
acme = "1h"

[evaluate]
evaluators = ["TaskCompletion"]
judged = ["TaskCompletion"]
[evaluate.thresholds]
TaskCompletion = 0.5
Other = 1
[evaluate.by_channel.voice]
evaluators = ["TaskCompletion", "ASRAccuracy"]
thresholds = { ASRAccuracy = 0.8 }
judged = ["TaskCompletion"]
[evaluate.by_channel.email]
thresholds = { TaskCompletion = 0.6 }

[evaluators.TaskCompletion]
reads = ["ask_the_oracle"]
max_agent_turns = 40
[evaluators.Politeness]
class = "acme_quality:Politeness"

[judge]
url = "http://localhost:8000/v1"
model = "judge-1"
key_file = "key.txt"
key_env = "JUDGE_KEY"
timeout = "20s"
concurrency = 2
attempts = 3
redact = false
input_price = 2.5
output_price = 10
budget = 5
budget_by_tenant = { acme = 1.5 }
cache = "1d"

[forward]
endpoint = "grpcs://next:443"
answer = "store"
compression = "gzip"
timeout = "10s"
headers_file = "/run/secrets/headers"
headers_env = "NEXT_HEADERS"
ca = "/etc/ca.pem"
logs = false
scores = false
queue = "/var/lib/spanwitness/forward.queue"
queue_max = "2GiB"

[contracts]
folder = "/etc/spanwitness/contracts"

[deployments]
token_file = "/run/secrets/declare"
token_env = "DECLARE_TOKEN"
from_spans = false
overdue = "3d"

[drift]
watch = false
reference = 200
false_alarms_per_1000 = 0.5

[alerts]
alertmanager = "http://alertmanager:9093"
webhook = "https://pager.example/hook"
headers_file = "/run/secrets/alert-headers"
headers_env = "ALERT_HEADERS"
secret_file = "/run/secrets/webhook"
secret_env = "WEBHOOK_SECRET"
severities = ["page"]
timeout = "3s"
resend = "2m"
max_age = "2d"

[metrics]
serve = false
max_series = 500
"""
URL = "'http://HOST[:PORT][/PATH]' or 'https://...' without a password in it, or ''"
ENDPOINT = "'http://HOST:PORT', 'https://HOST:PORT', 'grpc://HOST:PORT', 'grpcs://HOST:PORT', or '' for off"
SOME = "a list of texts, one at least; leave the key out for what runs without it"
DURATION = "a duration such as '250ms', '30s', '15m', '2h' or '1d'"
ABOVE_ZERO = "a duration above zero"
SIZE = "a number of bytes above zero, or a size such as '20MiB' or '16MB'"
ADDRESS = "HOST:PORT, such as '127.0.0.1:4317' (port 0 takes a free one), or '' for off"


def test_every_key_is_read(tmp_path: Path) -> None:
    file = tmp_path / "spanwitness.toml"
    file.write_text(EVERY_KEY)
    assert dataclasses.asdict(load(file)) == {
        "store": {"url": "clickhouse://db:8123/witness"},
        "receive": {"grpc": "0.0.0.0:4317", "http": "", "max_request": 4 * 2**20, "max_in_flight": 10**6},
        "ingest": {"batch": 8 * 10**6, "wait": dt.timedelta(milliseconds=100), "buffer": 2**30},
        "tenant": {"attributes": ("customer", "tenant.id"), "header": "x-tenant", "default": "nobody"},
        "close": {
            "idle": dt.timedelta(minutes=10),
            "max_age": dt.timedelta(days=2),
            "end_grace": dt.timedelta(),
            "sweep": dt.timedelta(seconds=1.5),
            "idle_by_channel": {"voice": dt.timedelta(seconds=30)},
            "idle_by_tenant": {"acme": dt.timedelta(hours=1)},
        },
        "evaluate": {
            "evaluators": ("TaskCompletion",),
            "thresholds": {"TaskCompletion": 0.5, "Other": 1.0},
            "judged": ("TaskCompletion",),
            "by_channel": {
                "voice": {
                    "evaluators": ("TaskCompletion", "ASRAccuracy"),
                    "thresholds": {"ASRAccuracy": 0.8},
                    "judged": ("TaskCompletion",),
                },
                "email": {"evaluators": (), "thresholds": {"TaskCompletion": 0.6}, "judged": ()},
            },
        },
        "evaluators": {
            "TaskCompletion": {"reads": ["ask_the_oracle"], "max_agent_turns": 40},
            "Politeness": {"class": "acme_quality:Politeness"},
        },
        "judge": {
            "url": "http://localhost:8000/v1",
            "model": "judge-1",
            "key_file": "key.txt",
            "key_env": "JUDGE_KEY",
            "timeout": dt.timedelta(seconds=20),
            "concurrency": 2,
            "attempts": 3,
            "redact": False,
            "input_price": 2.5,
            "output_price": 10.0,
            "budget": 5.0,
            "budget_by_tenant": {"acme": 1.5},
            "cache": dt.timedelta(days=1),
        },
        "forward": {
            "endpoint": "grpcs://next:443",
            "answer": "store",
            "compression": "gzip",
            "timeout": dt.timedelta(seconds=10),
            "headers_file": "/run/secrets/headers",
            "headers_env": "NEXT_HEADERS",
            "ca": "/etc/ca.pem",
            "logs": False,
            "scores": False,
            "queue": "/var/lib/spanwitness/forward.queue",
            "queue_max": 2 * 2**30,
        },
        "contracts": {"folder": "/etc/spanwitness/contracts"},
        "deployments": {
            "token_file": "/run/secrets/declare",
            "token_env": "DECLARE_TOKEN",
            "from_spans": False,
            "overdue": dt.timedelta(days=3),
        },
        "drift": {"watch": False, "reference": 200, "false_alarms_per_1000": 0.5},
        "alerts": {
            "alertmanager": "http://alertmanager:9093",
            "webhook": "https://pager.example/hook",
            "headers_file": "/run/secrets/alert-headers",
            "headers_env": "ALERT_HEADERS",
            "secret_file": "/run/secrets/webhook",
            "secret_env": "WEBHOOK_SECRET",
            "severities": ("page",),
            "timeout": dt.timedelta(seconds=3),
            "resend": dt.timedelta(minutes=2),
            "max_age": dt.timedelta(days=2),
        },
        "metrics": {"serve": False, "max_series": 500},
    }


def test_every_setting_can_be_set() -> None:
    """A field that no key reaches would stay at its default here."""
    default, read = Config(), parse_text(EVERY_KEY)
    for section in dataclasses.fields(Config):
        before, after = getattr(default, section.name), getattr(read, section.name)
        assert before != after, section.name
        for setting in dataclasses.fields(before) if dataclasses.is_dataclass(before) else ():
            assert getattr(before, setting.name) != getattr(after, setting.name), f"{section.name}.{setting.name}"


def parse_text(text: str) -> Config:
    return parse(tomllib.loads(text))


def test_without_a_file_the_defaults_hold() -> None:
    assert load(None) == Config() == parse({})


def test_an_empty_file_and_empty_sections_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "empty.toml"
    file.write_text("")
    assert load(file) == Config()
    assert parse({"store": {}, "close": {}}) == Config()


def test_what_is_not_set_keeps_its_default() -> None:
    config = parse({"close": {"idle": "1m"}})
    assert config.close.max_age == Config().close.max_age
    assert config.receive == Config().receive


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            {"stores": {}},
            f"unknown key stores; allowed: {', '.join(field.name for field in dataclasses.fields(Config))}",
        ),
        ({"judge": {"redact": False}}, "judge.redact has no effect without judge.model; '' asks nobody"),
        ({"judge": {"budget": -1}}, "judge.budget = -1: allowed is a number of USD, zero or more"),
        ({"judge": {"concurrency": 0}}, "judge.concurrency = 0: allowed is a whole number from 1 to 64"),
        ({"judge": {"url": "http://me:word@host"}}, f"judge.url = '...': allowed is {URL}"),
        ({"drift": {"reference": 29}}, "drift.reference = 29: allowed is a whole number from 30 to 1000"),
        ({"drift": {"reference": True}}, "drift.reference = True: allowed is a whole number from 30 to 1000"),
        (
            {"drift": {"false_alarms_per_1000": 0}},
            "drift.false_alarms_per_1000 = 0: allowed is a number above 0 and at most 100",
        ),
        (
            {"alerts": {"severities": ["loud"]}},
            "alerts.severities = ['loud']: allowed is a list of 'page', 'warning', 'info'",
        ),
        ({"alerts": {"webhook": "pager.example/T0KEN"}}, f"alerts.webhook = '...': allowed is {URL}"),
        ({"alerts": {"alertmanager": "http://me:word@host"}}, f"alerts.alertmanager = '...': allowed is {URL}"),
        ({"store": {"uri": "x"}}, "unknown key store.uri; allowed: store.url"),
        (
            {"tenant": {"attribute": []}},
            "unknown key tenant.attribute; allowed: tenant.attributes, tenant.header, tenant.default",
        ),
        ({"store": "chdb://x"}, "store = 'chdb://x': allowed is a table [store]"),
        ({"store": []}, "store = []: allowed is a table [store]"),
        ({"store": {"url": ""}}, "store.url = '': allowed is a text that is not empty"),
        ({"store": {"url": 5}}, "store.url = 5: allowed is a text"),
        ({"receive": {"grpc": "4317"}}, f"receive.grpc = '4317': allowed is {ADDRESS}"),
        ({"receive": {"grpc": ":4317"}}, f"receive.grpc = ':4317': allowed is {ADDRESS}"),
        ({"receive": {"http": "host:"}}, f"receive.http = 'host:': allowed is {ADDRESS}"),
        ({"receive": {"http": "host:65536"}}, f"receive.http = 'host:65536': allowed is {ADDRESS}"),
        ({"receive": {"http": "host:-1"}}, f"receive.http = 'host:-1': allowed is {ADDRESS}"),
        ({"receive": {"http": "host:²"}}, f"receive.http = 'host:²': allowed is {ADDRESS}"),
        ({"receive": {"http": 4318}}, "receive.http = 4318: allowed is a text"),
        ({"receive": {"max_request": 0}}, f"receive.max_request = 0: allowed is {SIZE}"),
        ({"receive": {"max_request": -1}}, f"receive.max_request = -1: allowed is {SIZE}"),
        ({"receive": {"max_request": True}}, f"receive.max_request = True: allowed is {SIZE}"),
        ({"receive": {"max_in_flight": 1.5}}, f"receive.max_in_flight = 1.5: allowed is {SIZE}"),
        ({"ingest": {"batch": "16 megabytes"}}, f"ingest.batch = '16 megabytes': allowed is {SIZE}"),
        ({"ingest": {"buffer": "0MB"}}, f"ingest.buffer = '0MB': allowed is {SIZE}"),
        ({"ingest": {"wait": 200}}, f"ingest.wait = 200: allowed is {DURATION}"),
        ({"ingest": {"wait": "200"}}, f"ingest.wait = '200': allowed is {DURATION}"),
        ({"tenant": {"attributes": "tenant.id"}}, "tenant.attributes = 'tenant.id': allowed is a list of texts"),
        ({"tenant": {"attributes": [1]}}, "tenant.attributes = [1]: allowed is a list of texts"),
        ({"tenant": {"attributes": [""]}}, "tenant.attributes = ['']: allowed is a list of texts"),
        ({"tenant": {"header": 1}}, "tenant.header = 1: allowed is a text"),
        ({"tenant": {"default": ""}}, "tenant.default = '': allowed is a text that is not empty"),
        ({"close": {"idle": "-1m"}}, f"close.idle = '-1m': allowed is {DURATION}"),
        ({"close": {"idle": "15 minutes"}}, f"close.idle = '15 minutes': allowed is {DURATION}"),
        ({"close": {"idle": "9999999999d"}}, f"close.idle = '9999999999d': allowed is {DURATION}"),
        ({"close": {"max_age": "0s"}}, f"close.max_age = '0s': allowed is {ABOVE_ZERO}"),
        ({"close": {"sweep": "0ms"}}, f"close.sweep = '0ms': allowed is {ABOVE_ZERO}"),
        ({"close": {"idle_by_channel": "1m"}}, "close.idle_by_channel = '1m': allowed is a table of NAME = VALUE"),
        (
            {"close": {"idle_by_tenant": {"acme": "soon"}}},
            f"close.idle_by_tenant = {{'acme': 'soon'}}: allowed is {DURATION}",
        ),
        ({"evaluate": {"evaluators": ["A", 2]}}, "evaluate.evaluators = ['A', 2]: allowed is a list of texts"),
        ({"evaluate": {"evaluators": []}}, f"evaluate.evaluators = []: allowed is {SOME}"),
        (
            {"evaluate": {"by_channel": {"chat": {"judged": []}}}},
            f"evaluate.by_channel.chat.judged = []: allowed is {SOME}",
        ),
        ({"evaluate": {"thresholds": {"A": "half"}}}, "evaluate.thresholds = {'A': 'half'}: allowed is a number"),
        ({"evaluate": {"thresholds": {"A": True}}}, "evaluate.thresholds = {'A': True}: allowed is a number"),
        ({"evaluate": {"thresholds": {"A": float("nan")}}}, "evaluate.thresholds = {'A': nan}: allowed is a number"),
        ({"evaluate": {"judged": "A"}}, "evaluate.judged = 'A': allowed is a list of texts"),
        (
            {"evaluate": {"by_channel": ["chat"]}},
            "evaluate.by_channel = ['chat']: allowed is a table [evaluate.by_channel.NAME]",
        ),
        (
            {"evaluate": {"by_channel": {"chat": 1}}},
            "evaluate.by_channel.chat = 1: allowed is a table [evaluate.by_channel.chat]",
        ),
        (
            {"evaluate": {"by_channel": {"chat": {"judge": []}}}},
            "unknown key evaluate.by_channel.chat.judge; allowed: "
            + ", ".join(f"evaluate.by_channel.chat.{key}" for key in ("evaluators", "thresholds", "judged")),
        ),
        (
            {"evaluate": {"by_channel": {"chat": {"thresholds": {"A": "half"}}}}},
            "evaluate.by_channel.chat.thresholds = {'A': 'half'}: allowed is a number",
        ),
        ({"evaluators": ["A"]}, "evaluators = ['A']: allowed is a table [evaluators.NAME] for each evaluator"),
        ({"evaluators": {"A": 1}}, "evaluators = {'A': 1}: allowed is a table [evaluators.NAME] for each evaluator"),
        ({"forward": {"answer": "maybe"}}, "forward.answer = 'maybe': allowed is 'both' or 'store'"),
        ({"forward": {"answer": ["both"]}}, "forward.answer = ['both']: allowed is 'both' or 'store'"),
        ({"forward": {"compression": "zstd"}}, "forward.compression = 'zstd': allowed is 'none' or 'gzip'"),
        ({"forward": {"timeout": "0s"}}, f"forward.timeout = '0s': allowed is {ABOVE_ZERO}"),
        (
            {"forward": {"answer": "store"}},
            "forward.answer has no effect without forward.endpoint; '' turns forwarding off",
        ),
        ({"forward": {"logs": "yes"}}, "forward.logs = 'yes': allowed is true or false"),
        ({"forward": {"scores": 1}}, "forward.scores = 1: allowed is true or false"),
        ({"forward": {"queue": ""}}, "forward.queue = '': allowed is a text that is not empty"),
        ({"forward": {"queue_max": 0}}, f"forward.queue_max = 0: allowed is {SIZE}"),
        ({"forward": {"headers_file": 1}}, "forward.headers_file = 1: allowed is a text"),
        (
            {"forward": {"endpoint": "grpc://next:4317", "ca": "ca.pem"}},
            "forward.ca = 'ca.pem': allowed with an endpoint of https:// or grpcs:// only",
        ),
    ],
)
def test_a_wrong_setting_is_told_with_its_key_its_value_and_what_is_allowed(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse(tree)
    assert str(told.value) == message


@pytest.mark.parametrize(
    "endpoint",
    [
        *("next:4317", "grpc://next", "grpc://:4317", "grpc://next:0", "grpc://next:65536", "grpc://next:http"),
        *(
            "ftp://next:21",
            "grpc://next:4317/v1",
            "http://me:secret@next:4318",
            "grpc://me:secret@next",
            "http://ne xt:4318",
            "http://next:4318?key=1",
            "http://[::1",
        ),
        *("http://next:4318#x", 4317),
    ],
)
def test_an_endpoint_names_how_and_where(endpoint: object) -> None:
    with pytest.raises(ConfigError, match=r"^forward\.endpoint = ") as told:
        parse({"forward": {"endpoint": endpoint}})
    assert str(told.value).endswith(ENDPOINT if isinstance(endpoint, str) else "a text")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "endpoint",
    ["", "grpc://next:4317", "grpcs://next:443", "http://[::1]:4319", "https://next:443/otlp", "http://10.0.0.1:4318"],
)
def test_an_endpoint_may_be_any_of_these(endpoint: str) -> None:
    assert parse({"forward": {"endpoint": endpoint}}).forward.endpoint == endpoint


@pytest.mark.parametrize(
    ("endpoint", "listening"),
    [
        ("grpc://localhost:4317", {}),
        ("http://127.0.0.1:4318", {}),
        ("http://[::1]:4318", {"http": "[::1]:4318"}),
        ("grpc://127.0.0.1:5000", {"grpc": "0.0.0.0:5000"}),
        ("grpc://me.internal:5000", {"grpc": "me.internal:5000"}),
    ],
)
def test_a_next_hop_that_is_ourselves_is_refused(endpoint: str, listening: dict[str, str]) -> None:
    """A span would go round for ever."""
    with pytest.raises(ConfigError, match=r"is where we listen ourselves; allowed is another$"):
        parse({"receive": listening, "forward": {"endpoint": endpoint}})


@pytest.mark.parametrize(
    ("endpoint", "listening"),
    [
        ("grpc://localhost:4318", {}),  # the port of the other transport: that is told by the first answer
        ("grpc://next:4317", {}),
        ("grpc://127.0.0.1:4317", {"grpc": "127.0.0.1:0"}),
        ("grpc://127.0.0.1:4317", {"grpc": ""}),
        ("grpc://127.0.0.1:4317", {"grpc": "10.0.0.1:4317"}),
    ],
)
def test_a_next_hop_elsewhere_is_not(endpoint: str, listening: dict[str, str]) -> None:
    assert parse({"receive": listening, "forward": {"endpoint": endpoint}}).forward.endpoint == endpoint


def test_a_number_that_no_computer_holds_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^evaluate\.thresholds = .*: allowed is a number$"):
        parse({"evaluate": {"thresholds": {"A": 10**400}}})


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:65535", "[::1]:4317", "collector.internal:4317", ""])
def test_an_address_is_host_and_port_or_nothing(address: str) -> None:
    assert parse({"receive": {"grpc": address}}).receive.grpc == address


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("0.5s", 0.5),
        ("30s", 30),
        ("15m", 900),
        ("1.5h", 5400),
        ("2h", 7200),
        ("1d", 86_400),
        ("0s", 0),
        ("100000d", 100_000 * 86_400),
    ],
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert duration(text) == dt.timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", " 5s", "5s ", "5S", ".5s", "5.s", "1m30s", "-5s", "1e3s", "٣s"])
def test_a_duration_is_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match=DURATION):
        duration(text)


@pytest.mark.parametrize("digits", [20, 400])
def test_a_duration_of_more_days_than_can_be_counted_is_refused(digits: int) -> None:
    with pytest.raises(ValueError, match=DURATION):
        duration("9" * digits + "d")


@pytest.mark.parametrize(
    ("size", "count"),
    [
        (1, 1),
        ("1", 1),
        ("1B", 1),
        ("2KB", 2_000),
        ("2KiB", 2_048),
        ("16MB", 16_000_000),
        ("20 MiB", 20 * 2**20),
        ("3GB", 3 * 10**9),
        ("1GiB", 2**30),
    ],
)
def test_a_size_is_a_number_of_bytes(size: object, count: int) -> None:
    assert parse({"ingest": {"batch": size}}).ingest.batch == count


def test_a_header_is_compared_in_lower_case() -> None:
    assert parse({"tenant": {"header": "X-Scope-OrgID"}}).tenant.header == "x-scope-orgid"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[store", "is not TOML: "),
        (b"[store]\nurl = 5", ": store.url = 5: allowed is a text"),
        (b"\xff", "is not TOML: "),
        (b"idle = '5m'", ": unknown key idle; allowed: store"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "spanwitness.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as told:
        load(file)
    assert str(told.value).startswith(f"config file {str(file)!r}")
    assert message in str(told.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "nowhere.toml"
    with pytest.raises(ConfigError) as told:
        load(file)
    assert str(told.value) == f"config file {str(file)!r}: No such file or directory"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)
