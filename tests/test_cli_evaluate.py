"""Evaluators on chat transcripts from the command line."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from spanwitness.cli import app
from spanwitness.evaluators import BUNDLE
from tests.judge.model_judge import MODEL, model_judge, refuses_to_say

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

CANCEL = {"name": "cancel_order", "arguments": {"order": 4}}
DONE = {
    "id": "done",
    "messages": [
        {"role": "user", "content": "Please cancel order 4."},
        {"role": "assistant", "tool_calls": [{"id": "1", **CANCEL}]},
        {"role": "tool", "tool_call_id": "1", "content": "ok"},
        {"role": "assistant", "content": "Your order has been cancelled."},
        {"role": "user", "content": "Thanks."},
    ],
    "expected_actions": [CANCEL],
}
GREETING = [{"role": "user", "content": "hi"}]


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    path = tmp_path / "talks.jsonl"
    path.write_text(f"{json.dumps(DONE)}\n{json.dumps(GREETING)}\n")
    return path


def run(*arguments: str | Path, given: bytes = b"") -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)], input=given)


def objects(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_transcripts_are_scored_without_a_store(talks: Path) -> None:
    result = run(talks, "--evaluators", "TaskCompletion,ConversationResolution")
    assert result.exit_code == 0, result.output
    assert [line.split()[:4] for line in result.stdout.splitlines()[1:3]] == [
        ["done", "TaskCompletion", "1", "completed"],
        ["done", "ConversationResolution", "1", "resolved"],
    ]
    assert [line.split()[3] for line in result.stdout.splitlines()[3:5]] == ["-", "-"]
    assert not (talks.parent / ".spanwitness").exists()


def test_the_coverage_and_the_mean_with_its_n_stand_at_the_end(talks: Path) -> None:
    result = run(talks, "--evaluators", "TaskCompletion")
    last, passed = result.stdout.splitlines()[-2:]
    assert last.split() == ["TaskCompletion", "1", "1", "0", "1", "(1)"]
    assert passed.strip() == "1 of 1 (>= 1)"


def test_where_nothing_was_scored_nothing_failed(talks: Path) -> None:
    talks.write_text(f"{json.dumps(GREETING)}\n")
    assert run(talks, "--evaluators", "TaskCompletion").stdout.splitlines()[-1].strip() == "0 of 0 (>= 1)"


def test_at_80_columns_the_names_of_all_stand_whole_beside_ten_thousand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "talks.jsonl"
    path.write_text(f"{json.dumps(GREETING)}\n" * 10_000)
    summary = run(path, "--evaluators", "PII,CustomerAgentConversationQuality").stdout.splitlines()[20_001:]
    assert [line.split()[0] for line in summary[3::2]] == ["PII", "CustomerAgentConversationQuality"]
    assert max(map(len, summary)) <= 80


def test_a_file_without_transcripts_is_told(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    path.write_text("\n\n")
    result = run(path, "--evaluators", "PII", "--json")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"spanwitness: {path}: holds no transcript\n")


def test_an_empty_id_is_none_and_a_number_without_end_is_told_plainly(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    path.write_text(f"{json.dumps({'id': '', 'messages': GREETING})}\n[{'9' * 5000}]\n")
    result = run(path, "--evaluators", "PII", "--json")
    assert json.loads(result.stdout)["id"] == "line 1"
    assert result.stderr == f"spanwitness: {path}, line 2: holds too long a number\n"


def test_a_row_is_a_line_that_fits_and_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    path.write_text(json.dumps({"id": "\x1b[31m" + "長" * 60, "messages": DONE["messages"]}) + "\n")
    result = run(path, "--evaluators", "TaskCompletion,ConversationResolution")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert all(cell_len(line) <= 100 for line in result.stdout.splitlines())


def test_as_json_each_transcript_has_all_its_scores(talks: Path) -> None:
    done, greeting = objects(run(talks, "--json"))
    assert (done["id"], done["line"], greeting["id"]) == ("done", 1, "line 2")
    assert done["scores"].keys() == set(BUNDLE.thresholds)
    score = done["scores"]["TaskCompletion"]
    assert (score["score"], score["label"], score["mode"], score["threshold"], score["passed"]) == (
        1.0,
        "completed",
        "reference",
        1.0,
        True,
    )
    assert score["evidence"] == [{"rule": "expected_call", "message_index": 1, "span_id": ""}]
    assert greeting["scores"]["TaskCompletion"]["passed"] is None


def test_half_a_surrogate_pair_goes_out_as_json_and_as_a_row(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    path.write_text('{"id": "a\\ud800", "messages": [{"role": "user", "content": "\\ud800"}]}\n')
    (found,) = objects(run(path, "--json"))
    assert found["id"] == "a\ud800"
    assert run(path).exit_code == 0


def test_a_bad_line_is_told_and_the_others_are_scored(talks: Path) -> None:
    talks.write_text(f"nonsense\n{json.dumps(DONE)}\n")
    result = run(talks, "--json")
    assert result.exit_code == 1
    assert result.stderr == f"spanwitness: {talks}, line 1: is no JSON: Expecting value at column 1\n"
    assert json.loads(result.stdout)["id"] == "done"


def test_stdin_may_be_read_packed_or_not(talks: Path) -> None:
    for given in (talks.read_bytes(), gzip.compress(talks.read_bytes())):
        assert [found["line"] for found in objects(run("-", "--json", given=given))] == [1, 2]


def test_a_limit_is_one_of_transcripts(talks: Path) -> None:
    assert len(objects(run(talks, "--json", "--limit", "1"))) == 1


def test_parameters_and_thresholds_are_those_of_the_configuration(talks: Path, tmp_path: Path) -> None:
    config = tmp_path / "spanwitness.toml"
    config.write_text(
        "[evaluate]\nevaluators = ['TaskCompletion']\nthresholds = { TaskCompletion = 0.25 }\n"
        "[evaluators.TaskCompletion]\nreads = ['cancel_order']\n"
    )
    done, _ = objects(run(talks, "--json", "--config", config))
    assert list(done["scores"]) == ["TaskCompletion"]
    assert done["scores"]["TaskCompletion"]["threshold"] == 0.25
    assert done["scores"]["TaskCompletion"]["details"]["expected"] == 0
    named, _ = objects(run(talks, "--json", "--config", config, "--evaluators", "PII,TaskCompletion"))
    assert list(named["scores"]) == ["PII", "TaskCompletion"]
    assert named["scores"]["TaskCompletion"]["threshold"] == 0.25


def test_a_language_model_is_asked_beside_them(talks: Path, tmp_path: Path) -> None:
    config = tmp_path / "spanwitness.toml"
    with model_judge(refuses_to_say("no")) as judge:
        config.write_text(f"[judge]\nurl = '{judge.url}'\nmodel = '{MODEL}'\nredact = false\n")
        done, _ = objects(run(talks, "--json", "--judge", "--config", config, "--evaluators", "TaskCompletion,PII"))
        table = run(talks, "--judge", "--config", config, "--evaluators", "TaskCompletion", "--limit", "1").stdout
    assert list(done["scores"]) == ["TaskCompletion", "PII"]
    assert list(done["judged"]) == ["TaskCompletion"], "a language model is not asked for personal data"
    judged = done["judged"]["TaskCompletion"]
    assert (judged["status"], judged["label"], judged["judge"]["judge"]) == ("failed", "refused", MODEL)
    assert table.splitlines()[2].split()[:5] == ["done", "TaskCompletion,", "judged", "error", "refused"]


@pytest.mark.parametrize(
    ("options", "status", "why"),
    [
        (("--evaluators", "TaskCompletoin"), 1, "evaluator 'TaskCompletoin' is unknown; allowed: "),
        (("--evaluators", " , "), 2, "names no evaluator"),
        (("--judge",), 1, "judge.model = '': allowed is one"),
        (("--limit", "0"), 2, "--limit"),
    ],
)
def test_what_is_wrong_is_told(talks: Path, options: tuple[str, ...], status: int, why: str) -> None:
    result = run(talks, *options)
    assert result.exit_code == status
    assert why in " ".join(result.stderr.split())


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere.jsonl")
    assert (result.exit_code, result.stderr) == (
        1,
        f"spanwitness: {tmp_path}/nowhere.jsonl: No such file or directory\n",
    )
