"""`rescore` as users and scripts meet it: over a store that nobody holds, and through the server that does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner

from spanwitness.cli import app
from spanwitness.store import open_store, rows
from spanwitness.testing import chat, framed, trace_request, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from tests.conftest import Serve

CALLS = [chat(1, 1, 0, "c"), chat(2, 1, 10, "d")]
JUDGED = {
    "TenantId": "acme",
    "ConversationId": "c",
    "Revision": 1,
    "Evaluator": "Groundedness",
    "EvaluatorVersion": "judge-1",
    "Judge": "model-1",
    "Status": "completed",
    "Score": 1.0,
}
CONFIG = '[evaluate]\nevaluators = ["CustomerAgentHumanEscalation", "Fixed"]\n[evaluators.Fixed]\nclass = "{}:Fixed"\n'
FIXED = """
from dataclasses import dataclass
from typing import ClassVar
from spanwitness.model import Score

@dataclass(frozen=True)
class Fixed:
    says: float = 1.0
    name: ClassVar[str] = "Fixed"
    version: ClassVar[str] = "1"

    def evaluate(self, conversation):
        return Score(self.name, self.version, self.says, "", "completed", "as told")
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(result: Result) -> str:
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def found(result: Result) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(told(result))
    return answer


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with two conversations, of which a judge scored one; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("recorded")
    file, url = folder / "a.otlp", f"chdb://{folder / 'store'}"
    file.write_bytes(framed([trace_request(CALLS)]))
    told(run("import", file, "--store", url))
    store = open_store(url)
    store.insert("scores", rows.table([JUDGED]))
    store.close()
    return url


def test_what_is_the_same_is_said_to_be(recorded: str) -> None:
    answer = told(run("rescore", "--since", "1d", "--evaluator", "TaskCompletion", "--store", recorded))
    assert answer == (
        "2 conversations scored again: 2 scores, 0 changed, 0 new, 2 unchanged, 0 failed\n"
        "  from passed to not passed: 0; from not passed to passed: 0\n"
    )


def test_what_a_judge_scored_is_said_to_stay_as_it_is(recorded: str) -> None:
    asked = ("rescore", "--evaluator", "Groundedness", "--dry-run", "--store", recorded)
    stays = "  1 judged score keeps its threshold and verdict: rescore --judge asks anew"
    assert told(run(*asked)).splitlines()[-1] == stays
    assert found(run(*asked, "--json"))["judged"] == 1
    assert stays not in told(run(*asked, "--conversation", "d"))


@pytest.mark.parametrize(
    ("selection", "conversations"),
    [
        (("--conversation", "c"), 1),
        (("--tenant", "nobody"), 0),
        (("--since", "2000-01-01", "--until", "2000-01-02"), 0),
        (("--tenant", "acme", "--evaluator", "TaskCompletion", "--evaluator", "PII"), 2),
    ],
)
def test_the_rows_are_sums(recorded: str, selection: tuple[str, ...], conversations: int) -> None:
    answer = found(run("rescore", *selection, "--dry-run", "--json", "--store", recorded))
    assert (answer["conversations"], answer["dry_run"], answer.get("changed", 0)) == (conversations, True, 0)


def test_everything_is_not_scored_again_by_mistake(recorded: str) -> None:
    result = run("rescore", "--until", "1d", "--store", recorded)
    assert result.exit_code == 2
    assert "at least one of them" in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--evaluator", "TaskCompletio"), "evaluator 'TaskCompletio' is unknown; allowed: "),
        (("--since", "1d", "--judge"), "there is no judge to be asked: allowed with judge.model in the configuration"),
    ],
)
def test_what_cannot_be_done_is_one_line(recorded: str, options: tuple[str, ...], why: str) -> None:
    result = run("rescore", *options, "--store", recorded)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"spanwitness: {why}")
    assert len(result.stderr.splitlines()) == 1


def test_a_time_that_is_none_is_wrong_usage(recorded: str) -> None:
    assert run("rescore", "--since", "soon", "--store", recorded).exit_code == 2


def test_an_end_before_the_beginning_is_wrong_usage(recorded: str) -> None:
    assert run("rescore", "--since", "1d", "--until", "2d", "--store", recorded).exit_code == 2


def test_through_a_running_server_by_what_it_has_installed(
    serve: Callable[..., Serve], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"fixed_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(FIXED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    config = tmp_path / "spanwitness.toml"
    config.write_text(CONFIG.format(module))
    server = serve("--config", str(config), "--idle", "300ms")
    body = trace_request(CALLS)
    headers = {"content-type": "application/x-protobuf"}
    assert httpx.post(f"http://{server.addresses['http']}/v1/traces", content=body, headers=headers).is_success
    count = ("query", "SELECT toUInt32(count()) AS n FROM scores WHERE Evaluator = 'Fixed'", "--format", "csv")
    until(lambda: run(*count, "--store", server.store).stdout.endswith("\n2\n"))

    selection = ("rescore", "--evaluator", "Fixed", "--json", "--store", server.store)
    assert found(run(*selection))["unchanged"] == 2
    assert server.terminate() == 0
    config.write_text(f"{CONFIG.format(module)}says = 0.5\n")
    changed = serve("--config", str(config), "--idle", "300ms")
    answer = found(run(*selection))
    assert (answer["conversations"], answer["changed"], answer["unchanged"]) == (2, 2, 0)
    assert found(run(*selection))["unchanged"] == 2
    shown = told(run("conversation", "c", "--store", changed.store))
    assert "Earlier verdicts on this revision:" in shown
    assert "  Fixed 1: 1, completed" in shown
