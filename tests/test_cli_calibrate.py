"""Labels to a calibration in force, or to a refusal that says what would help."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from spanwitness.cli import app
from tests.calibration.talks import labelled, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from tests.conftest import Serve


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such as can be learnt from, with a line among them that is none."""
    path = written(tmp_path_factory.mktemp("labels") / "labels.jsonl", labelled(60, groups=20))
    path.write_text(path.read_text() + "nonsense\n")
    return path


def test_what_can_be_learnt_is_recorded_shown_and_told(labels: Path, tmp_path: Path) -> None:
    store = f"chdb://{tmp_path / 'store'}"
    result = run("calibrate", labels, "--tenant", "acme", "--store", store)
    assert result.exit_code == 0, result.output
    assert result.stderr == (f"spanwitness: {labels}, line 61: is no JSON: Expecting value at column 1; left out\n")
    first, figures, *_, since, older = result.stdout.splitlines()
    assert first == "60 labelled conversations, 30 completed, in 19 groups"
    assert figures.startswith("AUC 0.")
    assert figures.endswith("on groups left out; needed: the lower end above 0.6")
    assert since.startswith("calibration 1 of tenant 'acme' scores what begins from 20")
    assert older.endswith("spanwitness rescore --evaluator TaskCompletion --tenant acme")
    (row,) = [json.loads(line) for line in run("calibrate", "--list", "--json", "--store", store).stdout.splitlines()]
    assert (row["TenantId"], row["Version"], row["Labels"], row["State"]) == ("acme", 1, 60, "in force")
    assert row["Source"].endswith("labels.jsonl")
    assert "in force" in run("calibrate", "--list", "--store", store).stdout


def test_while_serve_holds_the_store_it_is_recorded_through_it(labels: Path, serve: Callable[..., Serve]) -> None:
    store = serve().store
    options = ("--tenant", "acme", "--store", store, "--json", "--name", "q3")
    made: dict[str, Any] = json.loads(run("calibrate", labels, *options).stdout)
    assert (made["version"], made["tenant"], made["source"], made["recorded"]) == (1, "acme", "q3", True)
    (row,) = [json.loads(line) for line in run("calibrate", "--list", "--json", "--store", store).stdout.splitlines()]
    assert row["ValidFrom"][:19] == made["valid_from"][:19]


def test_a_dry_run_stores_nothing_and_opens_nothing(labels: Path, tmp_path: Path) -> None:
    result = run("calibrate", labels, "--tenant", "acme", "--store", f"chdb://{tmp_path / 'store'}", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.endswith("nothing was stored (--dry-run)\n")
    assert not (tmp_path / "store").exists()


def test_what_cannot_be_learnt_is_refused_with_its_figures_and_what_would_help(tmp_path: Path) -> None:
    lines = labelled(60, told=False)
    path = written(tmp_path / "labels.jsonl", lines)
    result = run("calibrate", path, "--tenant", "acme", "--store", f"chdb://{tmp_path / 'store'}")
    assert result.exit_code == 1
    warning, refusal = result.stderr.splitlines()
    assert warning.startswith("spanwitness: 60 conversations name no group, and each counts as its own: where several")
    assert refusal.startswith("spanwitness: calibration refused: AUC 0.")
    assert "60 labels, 30 of them completed, in 60 groups; the lower end must be above 0.6" in refusal
    assert "give expected_actions (mode reference)" in refusal or "it would do" in refusal
    assert refusal.endswith("What is in force stays")
    assert result.stdout == ""
    assert not (tmp_path / "store").exists()


def test_too_few_labels_are_refused(tmp_path: Path) -> None:
    result = run("calibrate", written(tmp_path / "labels.jsonl", labelled(10)), "--tenant", "acme")
    assert result.exit_code == 1
    assert "10 labelled conversations, 5 completed and 5 not; needed: 30" in result.stderr


def test_groups_of_one_doubled_conversations_and_what_is_left_out_are_told(tmp_path: Path) -> None:
    lines = labelled(60)
    alone = [{**line, "group": number} for number, line in enumerate(lines)]
    path = written(tmp_path / "labels.jsonl", alone)
    told = run("calibrate", path, "--tenant", "acme", "--dry-run").stderr.splitlines()
    assert told[0].startswith("spanwitness: every group holds one conversation: where several are of one customer")
    twice = [*alone, *({**line, "group": f"again {number}"} for number, line in enumerate(lines))]
    written(path, [*twice, *({**line, "completed": "yes"} for line in lines)])
    told = run("calibrate", path, "--tenant", "acme", "--dry-run").stderr.splitlines()
    assert len(told) == 22
    assert told[20] == f"spanwitness: {path}: 40 more lines left out"
    assert told[21].startswith("spanwitness: 60 conversations are word for word one of another group, and counted in")


def test_a_contract_that_asks_for_certainty_is_told_loudly_and_stays(labels: Path, tmp_path: Path) -> None:
    config, store = tmp_path / "spanwitness.toml", f"chdb://{tmp_path / 'store'}"
    config.write_text("[evaluate.by_channel.voice.thresholds]\nTaskCompletion = 1.0\n")
    result = run("calibrate", labels, "--tenant", "acme", "--store", store, "--config", config)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[-1] == (
        "spanwitness: WARNING: configuration: evaluate.by_channel.voice.thresholds.TaskCompletion = 1.0, and no "
        "probability reaches that: every calibrated score of TaskCompletion will be 'not passed', since what was "
        "agreed is not changed; agree on a number below 1 there, such as 0.5"
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--tenant", "acme"), "allowed is a file of labelled transcripts, or --list"),
        (("labels.jsonl",), "allowed is the tenant whose labels these are"),
        (("labels.jsonl", "--list"), "allowed is LABELS or --list"),
    ],
)
def test_a_wrong_use_is_told(arguments: tuple[str, ...], why: str) -> None:
    result = run("calibrate", *arguments)
    assert result.exit_code == 2
    assert why in " ".join(result.stderr.replace("│", " ").split())
