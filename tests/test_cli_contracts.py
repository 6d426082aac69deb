"""Contracts as users meet them: checked, put into force by import and serve, changed while it runs, and shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from spanwitness.cli import app
from spanwitness.testing import chat, framed, trace_request, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from tests.conftest import Serve

LOOSE = (
    "valid_from = 2026-11-01\nname = 'Schedule C'\n"
    "[evaluate]\nevaluators = ['TaskCompletion']\nthresholds = { TaskCompletion = 0.25 }\n"
)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A configuration whose folder holds a contract of tenant acme."""
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "acme.toml").write_text(LOOSE)
    file = tmp_path / "spanwitness.toml"
    file.write_text(f"[contracts]\nfolder = '{tmp_path / 'contracts'}'\n[close]\nsweep = '250ms'\n")
    return file


def rows(store: str, *options: str | Path) -> list[dict[str, Any]]:
    result = run("contracts", "--json", "--store", store, *options)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_check_config_says_what_the_contracts_would_do(settings: Path) -> None:
    result = run("check-config", settings)
    assert result.exit_code == 0
    assert "  declaring  by command; not over HTTP (there is no token); by spans\n" in result.stdout
    begin, end = result.stdout.index("  contracts  "), result.stdout.index("  declaring  ")
    assert [line.strip() for line in result.stdout[begin:end].splitlines()[1:]] == [
        "acme (acme.toml): Schedule C",
        "holds    from 2026-11-01T00:00:00+00:00 until further notice",
        "approved any model",
        "verified no share agreed",
        "notice   none agreed",
        "evaluate TaskCompletion, threshold 0.25",
    ]
    assert "the record decides what is new, and what is in force" in result.stdout
    assert not (settings.parent / ".spanwitness").exists()


@pytest.mark.parametrize("command", ["check-config", "serve", "import"])
def test_what_is_wrong_with_a_contract_is_one_line_before_the_store_is_opened(settings: Path, command: str) -> None:
    (settings.parent / "contracts" / "acme.toml").write_text("notise = '14d'")
    store = settings.parent / "store"
    (settings.parent / "a.otlp").touch()
    files = [settings.parent / "a.otlp"] if command == "import" else []
    result = run(command, *files, "--config", settings, "--store", f"chdb://{store}")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("spanwitness: contract file 'acme.toml': unknown key notise; allowed: tenant, ")
    assert not store.exists()


def test_import_judges_by_the_contract_and_contracts_shows_it(settings: Path) -> None:
    store = f"chdb://{settings.parent / 'store'}"
    recorded = settings.parent / "a.otlp"
    recorded.write_bytes(framed([trace_request([chat(1, 1, 0, "c")])]))
    assert run("import", recorded, "--config", settings, "--store", store).exit_code == 0
    asked = "SELECT Evaluator, Threshold FROM scores"
    scores = run("query", asked, "--store", store, "--format", "json").stdout
    assert json.loads(scores) == {"Evaluator": "TaskCompletion", "Threshold": 0.25}
    (row,) = rows(store)
    assert (row["TenantId"], row["Version"], row["State"], row["Text"]) == ("acme", 1, "in force", LOOSE)
    assert rows(store, "--tenant", "other") == []
    shown = run("contracts", "--store", store).stdout
    assert "version 1, in force: from 2026-11-01 00:00:00 UTC" in shown
    assert "No contract of tenant 'other'" in run("contracts", "--store", store, "--tenant", "other").stdout


def test_a_change_while_serve_runs_is_a_version_and_what_is_invalid_is_told(
    settings: Path, serve: Callable[..., Serve]
) -> None:
    running = serve("--config", str(settings))
    assert [row["Version"] for row in rows(running.store)] == [1]
    file = settings.parent / "contracts" / "acme.toml"
    file.write_text("notice = 3")
    until(lambda: "contract file 'acme.toml': notice = 3" in running.log.read_text())
    file.write_text("notice = '14d'")
    until(lambda: len(rows(running.store)) == 2)
    first, second = rows(running.store)
    assert (first["State"], first["ValidUntil"]) == ("ended", second["ValidFrom"])
    assert second["Changes"][-1] == "notice: none -> 14 d"
    assert running.log.read_text().count("notice = 3") == 1
    assert running.terminate() == 0
