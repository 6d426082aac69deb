"""A real server and a judge on loopback: judged after the close, watched itself, and never waited for."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner

from spanwitness.access import reach
from spanwitness.cli import app
from spanwitness.config import parse
from spanwitness.testing import chat, framed, trace_request, until
from tests.judge.model_judge import MODEL, SNAPSHOT, completion, error, model_judge, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Serve
    from tests.judge.model_judge import Json, ModelJudge, Says

    Start = Callable[..., Serve]

PROTOBUF = {"content-type": "application/x-protobuf"}
ASKED = "Where does claim 17 stand?"
ANSWER = "Claim 17 was paid on Monday."


def talk(number: int, tenant: str = "acme") -> bytes:
    told = {
        "gen_ai.input.messages": json.dumps([_said("user", f"{ASKED} ({number})")]),
        "gen_ai.output.messages": json.dumps([_said("assistant", ANSWER)]),
    }
    return trace_request([chat(number, 1, number * 60.0, f"c{number}", attributes=told)], tenant=tenant)


def _said(role: str, text: str) -> Json:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def good(model: str = SNAPSHOT) -> Says:
    proofs = [said(1, ANSWER)]
    outcome = {"outcome": "where the claim stands", "kind": "information", "proofs": proofs, "status": "done"}
    return completion({"outcomes": [outcome], "wrong_changes": []}, model=model)


def asked(store: str, sql: str) -> list[dict[str, Any]]:
    with reach(parse({"store": {"url": store}})) as access:
        return [json.loads(line) for line in access.ask(sql, "JSONEachRow").splitlines()]


def scores(store: str) -> list[dict[str, Any]]:
    columns = "ConversationId, Status, Score, Judge, JudgeModel, Error"
    return asked(store, f"SELECT {columns} FROM scores_latest WHERE Judge != '' ORDER BY ConversationId")


def configured(folder: Path, judge: ModelJudge, **more: object) -> Path:
    file = folder / "spanwitness.toml"
    told = {"url": judge.url, "model": MODEL, "cache": "0s", **more}
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in told.items())
    evaluate = '[evaluate]\nevaluators = ["TaskCompletion"]\njudged = ["TaskCompletion"]'
    file.write_text(f'[judge]\n{keys}\n{evaluate}\n[close]\nsweep = "300ms"\n')
    return file


@contextmanager
def serving(serve: Start, folder: Path, *says: Says, **more: object) -> Iterator[tuple[Serve, ModelJudge]]:
    with model_judge(*says) as judge:
        yield serve("--config", str(configured(folder, judge, **more)), "--idle", "300ms"), judge


def send(server: Serve, body: bytes) -> None:
    url = f"http://{server.addresses['http']}/v1/traces"
    assert httpx.post(url, content=body, headers=PROTOBUF, timeout=5).status_code == 200


def test_a_closed_conversation_is_judged_and_a_swapped_judge_is_told(serve: Start, tmp_path: Path) -> None:
    with serving(serve, tmp_path, good(), good(), error(500), good("judge-small-2026-10-01")) as (server, judge):
        for number in (1, 2, 3):
            send(server, talk(number))
            until(lambda wanted=number: len(judge.requests) >= wanted)  # type: ignore[misc]
        until(lambda: [row["Status"] for row in scores(server.store)] == ["completed"] * 3, 30)
        assert [(row["Score"], row["JudgeModel"]) for row in scores(server.store)] == [
            (1, SNAPSHOT),
            (1, SNAPSHOT),
            (1, "judge-small-2026-10-01"),
        ]
        swaps = "SELECT ServiceName, AgentName, Class, Severity FROM model_swaps WHERE Class = 'version'"
        until(lambda: asked(server.store, swaps) != [])
        (swap,) = asked(server.store, swaps)
        assert list(swap.values()) == ["spanwitness", "judge", "version", "page"]
        page = httpx.get(f"http://{server.addresses['http']}/metrics").text
        assert f'spanwitness_judge_calls_total{{judge="{MODEL}",outcome="answered"}} 3.0' in page
        assert f'spanwitness_judge_calls_total{{judge="{MODEL}",outcome="error"}} 1.0' in page
        assert f'spanwitness_scores_total{{evaluator="TaskCompletion/{MODEL}",status="completed"}} 3.0' in page
        assert server.terminate() == 0
        assert ASKED not in server.log.read_text()
        assert ANSWER not in server.log.read_text()


def test_a_slow_judge_delays_neither_ingestion_nor_sweeps_nor_the_end(serve: Start, tmp_path: Path) -> None:
    with serving(serve, tmp_path, replace(good(), held=True)) as (server, judge):
        send(server, talk(1))
        assert judge.arrived.acquire(timeout=20)
        send(server, talk(2))
        closed = "SELECT toUInt32(count()) AS n FROM conversations"
        until(lambda: asked(server.store, closed)[0]["n"] == 2)
        began = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began < 9, "3 s of grace, and what the others take"
        assert scores(server.store) == []
        judge.says = [good()]
        judge.released.set()
        again = serve("--config", str(tmp_path / "spanwitness.toml"), "--idle", "300ms")
        until(lambda: [row["Status"] for row in scores(again.store)] == ["completed"] * 2, 30)
        assert again.terminate() == 0


def test_killed_while_the_judge_was_asked_the_next_process_asks_again(serve: Start, tmp_path: Path) -> None:
    with serving(serve, tmp_path, replace(good(), held=True), good()) as (server, judge):
        send(server, talk(1))
        assert judge.arrived.acquire(timeout=20)
        server.kill()
        judge.released.set()
        again = serve("--config", str(tmp_path / "spanwitness.toml"), "--idle", "300ms")
        until(lambda: [row["Status"] for row in scores(again.store)] == ["completed"], 30)
        assert len(judge.requests) == 2
        assert again.terminate() == 0


def imported(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["import", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_an_import_has_its_conversations_judged(tmp_path: Path) -> None:
    file, store = tmp_path / "a.otlp", f"chdb://{tmp_path / 'store'}"
    file.write_bytes(framed([talk(1), talk(2)]))
    with model_judge(good(), good()) as judge:
        config = configured(tmp_path, judge)
        assert imported(file, "--config", config, "--store", store) == (
            0,
            "imported 1 file: 2 spans, 2 conversations closed, 2 scores by the judge\n",
            "",
        )
    assert [(row["Status"], row["Score"]) for row in scores(store)] == [("completed", 1)] * 2
    versions = "SELECT ModelVersion FROM model_versions WHERE ServiceName = 'spanwitness'"
    assert asked(store, versions) == [{"ModelVersion": f"unknown/{SNAPSHOT}"}]


def test_an_import_does_not_wait_for_a_judge_that_is_away(tmp_path: Path) -> None:
    file, store = tmp_path / "a.otlp", f"chdb://{tmp_path / 'store'}"
    file.write_bytes(framed([talk(1), talk(2)]))
    with model_judge(error(429, retry_after="3600")) as judge:
        status, told, _ = imported(file, "--config", configured(tmp_path, judge), "--store", store)
    assert status == 0
    assert told.endswith("0 scores by the judge, 2 scores still to be asked for (by serve, or the next import)\n")


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"budget": 5}, "judge.budget has no effect without judge.input_price and judge.output_price"),
        ({"key_env": "NO_SUCH_VARIABLE"}, "judge.key_env = 'NO_SUCH_VARIABLE'"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_told_before_anything_is_opened(
    tmp_path: Path, told: dict[str, object], why: str
) -> None:
    config, store = tmp_path / "spanwitness.toml", tmp_path / "store"
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in told.items())
    config.write_text(f'[judge]\nmodel = "{MODEL}"\n{keys}\n')
    result = CliRunner().invoke(app, ["serve", "--config", str(config), "--store", f"chdb://{store}"])
    assert (result.exit_code, why in result.stderr, store.exists()) == (1, True, False)
