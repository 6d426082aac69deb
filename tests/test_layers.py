"""Who may import whom. That the SDK stays light in a running process is proved beside its other tests."""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import spanwitness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(spanwitness.__file__).parent
OURS = "spanwitness"

BASE = {
    "attributes",
    "columns",
    "comparison",
    "config",
    "each_once",
    "errors",
    "identity",
    "model",
    "model_names",
    "score_shift",
    "tool_names",
}
STAGES = {
    "receive",
    "decode",
    "tag",
    "store",
    "close",
    "settle",
    "swap",
    "transcript",
    "evaluators",
    "judge",
    "calibration",
    "peers",
    "report",
    "forward",
    "contract",
    "deployment",
    "alert",
    "metrics",
}
MAY_IMPORT: dict[str, set[str]] = {
    **{name: set() for name in BASE},
    "model": {"attributes"},
    "comparison": {"identity", "model"},
    "each_once": {"model"},
    "config": {"errors", "model"},
    "sdk": {"attributes"},
    "drift": BASE,
    **dict.fromkeys(STAGES | {"testing", "api", "terminal"}, BASE),  # never each other
    "swap": BASE | {"contract", "deployment"},  # what was agreed and declared is part of the judgement
    "judge": BASE | {"evaluators"},  # the same questions, asked of a language model
    "calibration": BASE | {"evaluators"},  # fits what an evaluator then reads
    "peers": BASE | {"evaluators"},
    "pipeline": BASE | STAGES - {"peers", "report"} | {"drift"},
    "importer": BASE | {"receive"},
    "app": BASE | STAGES | {"api", "drift", "pipeline"},
    "access": BASE | {"api", "app", "calibration", "deployment", "pipeline", "store"},
    "importing": BASE | {"app", "contract", "importer", "pipeline", "receive", "store"},
    "demo": BASE | {"access", "api", "app", "importer", "receive", "report", "store"},
    "cli": BASE
    | {
        "access",
        "app",
        "calibration",
        "demo",
        "deployment",
        "evaluators",
        "importing",
        "judge",
        "report",
        "store",
        "terminal",
    },
    "__main__": {"cli"},
}
# What is heavy, or could be exchanged, is met in one place.
ONLY_IN: dict[str, set[str]] = {
    "grpc": {"receive.otlp_grpc", "forward.grpc_hop", "demo.send"},
    "httpx": {"alert.sending", "forward.http_hop"},
    "sklearn": {"calibration.fitting"},
    "sqlite3": {"forward.disk_queue"},
    "starlette": {"receive.otlp_http", "api", "app"},
    "uvicorn": {"receive.otlp_http"},
    "chdb": {"store.engines"},
    "clickhouse_connect": {"store.engines"},
    "prometheus_client": {"metrics.page"},
    "openai": {"judge.endpoint"},
    "ptars": {"decode.wire"},
    "typer": {
        "cli.calibrating",
        "cli.common",
        "cli.deployment",
        "cli.evaluating",
        "cli.policy",
        "cli.reading",
        "cli.rescoring",
        "cli.serving",
        "cli.swaps",
    },
}


def modules() -> dict[str, str]:
    """Every module of the package, by its name below it, with its source."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


SOURCES = modules()
PACKAGES = {name for name in SOURCES if any(other.startswith(f"{name}.") for other in SOURCES)}


def imports(module: str, source: str) -> Iterator[str]:
    """The full names that a module imports, wherever in its text, for types too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            begin = _absolute(module, node)
            yield from (f"{begin}.{alias.name}" for alias in node.names)


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    here = [OURS, *module.split(".")] + (["__init__"] if module in PACKAGES else [])
    return ".".join([*here[: -node.level], *([node.module] if node.module else [])])


def ours(module: str, source: str) -> set[str]:
    """Which modules of the package a module imports."""
    found = set()
    for name in imports(module, source):
        top, _, rest = name.partition(".")
        while rest and rest not in SOURCES:
            rest = rest.rpartition(".")[0]
        if top == OURS and rest:
            found.add(rest)
    return found


def part(module: str) -> str:
    return module.partition(".")[0]


def violations(module: str, source: str) -> list[str]:
    if part(module) not in MAY_IMPORT:
        return [f"{part(module)} is not in the table"]
    allowed = MAY_IMPORT[part(module)] | {part(module)}
    wrong = [f"{module} imports {other}" for other in ours(module, source) if part(other) not in allowed]
    for name in sorted({part(name) for name in imports(module, source)}):
        if module not in ONLY_IN.get(name, {module}):
            wrong.append(f"{module} imports {name}")
        if part(module) == "sdk" and name not in {OURS, "opentelemetry", *sys.stdlib_module_names}:
            wrong.append(f"{module} imports {name}")
    return wrong


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("module", sorted(SOURCES.keys() - {""}))
def test_a_module_imports_only_what_its_layer_may(module: str) -> None:
    assert violations(module, SOURCES[module]) == []


def test_the_package_itself_imports_nothing() -> None:
    assert list(imports("", SOURCES[""])) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert cycle({module: ours(module, source) - {module} for module, source in SOURCES.items()}) == []


def test_every_part_in_the_table_exists() -> None:
    assert {part(module) for module in SOURCES} - {""} == MAY_IMPORT.keys()


def test_every_place_of_a_heavy_library_imports_it() -> None:
    for library, places in ONLY_IN.items():
        for place in places:
            assert library in {part(name) for name in imports(place, SOURCES[place])}, place


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tag.reader", "from spanwitness.store import Store"),
        ("tag", "from spanwitness import store"),
        ("close", "import spanwitness.evaluators.cues"),
        ("store.rows", "from ..tag.reader import read"),
        ("store", "from ..tag import TenantRule"),
        ("settle", "from .swap import find_swaps"),
        ("forward.splice", "from spanwitness.decode.wire import to_arrow"),
        ("forward.direct", "import httpx"),
        ("receive.otlp_http", "def late():\n    from spanwitness.pipeline import Review"),
        ("decode.wire", "if TYPE_CHECKING:\n    from spanwitness.tag import TenantRule"),
        ("swap", "from spanwitness import model_names, report"),
        ("report.text", "from spanwitness.store import Store"),
        ("transcript.join", "import spanwitness.settle as settle"),
        ("errors", "from spanwitness.config import Config"),
        ("model", "from spanwitness.errors import Busy"),
        ("attributes", "from spanwitness import errors"),
        ("pipeline.review", "from spanwitness.report import scores"),
        ("pipeline.ingestion", "from spanwitness.app import serve"),
        ("app", "from spanwitness.cli import main"),
        ("importer", "from spanwitness.store import open_store"),
        ("testing", "from spanwitness.pipeline import Ingestion"),
        ("sdk.context", "from spanwitness.config import Config"),
        ("sdk.context", "from spanwitness import errors"),
        ("sdk.processor", "import google.protobuf"),
        ("sdk.processor", "from numpy import array"),
        ("receive.statuses", "import grpc.aio"),
        ("store.clickhouse", "import chdb"),
        ("decode", "from ptars import HandlerPool"),
        ("a_new_part", "import os"),
    ],
)
def test_a_planted_violation_is_caught(module: str, source: str) -> None:
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tag.reader", "from spanwitness.tag.dialect import From\nfrom . import dialects\nimport pyarrow"),
        ("store.rows", "from spanwitness import __version__, model\nfrom spanwitness.errors import StoreError"),
        ("pipeline.review", "from spanwitness.close import due\nfrom spanwitness.store.record import load_spans"),
        ("config", "from spanwitness.errors import ConfigError"),
        ("sdk.context", "import functools\nfrom opentelemetry import baggage\nfrom spanwitness import attributes"),
        ("receive.otlp_grpc", "import grpc.aio"),
    ],
)
def test_what_the_table_allows_is_not_caught(module: str, source: str) -> None:
    assert violations(module, source) == []


@pytest.mark.parametrize(
    ("graph", "circle"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a"}}, ["a", "b", "a"]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}}, ["a", "c", "b", "a"]),
    ],
)
def test_a_planted_circle_is_caught(graph: dict[str, set[str]], circle: list[str]) -> None:
    assert cycle(graph) == circle
