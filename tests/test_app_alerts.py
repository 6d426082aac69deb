"""A running server tells a webhook of a swap in its traffic, once, and that it is over when the slot has returned."""

from __future__ import annotations

import json
import subprocess
import threading
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from spanwitness.testing import chat, trace_request, until
from tests.alert.swaps import A, Answer, B, Listener, listening
from tests.conftest import command, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from spanwitness.testing import Value
    from tests.conftest import Serve

    Start = Callable[..., Serve]

SECRET = "s3cr3t"  # noqa: S105 - of this test
OLD, NEW = (name.removeprefix("openai/") for name in (A, B))


@pytest.fixture
def hook() -> Iterator[Listener]:
    with listening() as found:
        yield found


def config(folder: Path, **alerts: Any) -> str:
    """A configuration file that tells of alerts."""
    path = folder / "spanwitness.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in alerts.items()]
    path.write_text("\n".join(['[close]\nidle = "400ms"\nmax_age = "36500d"\n[alerts]\nmax_age = "36500d"', *lines]))
    return str(path)


def talk(server: Serve, numbers: Sequence[int], served: str, told: Iterable[Mapping[str, Value]] = ()) -> None:
    """A conversation of one call for each number, in this order. `told`: what each call tells besides."""
    spans = [
        chat(number, 1, number, f"c{number}", served=served, attributes=more)
        for number, more in zip_longest(numbers, told)
    ]
    httpx.post(
        f"http://{server.addresses['http']}/v1/traces",
        content=trace_request(spans),
        headers={"content-type": "application/x-protobuf"},
    ).raise_for_status()


def alerts_of(server: Serve) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"http://{server.addresses['http']}/health").json()["alerts"]
    return found


def states(hook: Listener) -> list[str]:
    return [post.json["status"] for post in hook.posts]


def test_a_swap_fires_once_over_restarts_and_is_resolved_when_the_slot_returns(
    serve: Start, hook: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    settings = config(tmp_path, webhook=f"{hook.url}/{SECRET}", secret_env="HOOK_SECRET", severities=["page"])  # noqa: S106
    server = serve("--config", settings)
    talk(server, range(1, 31), OLD)
    talk(server, range(31, 36), NEW)
    until(lambda: bool(hook.posts))
    until(lambda: alerts_of(server)["webhook"]["firing"] == 1)
    told = hook.posts[0].json
    assert (told["status"], told["severity"], told["class"]) == ("firing", "page", "version")
    assert (told["swap"]["from_version"], told["swap"]["to_version"]) == (A, B)
    assert told["swap"]["first_conversation"] == "c31"
    assert hook.posts[0].headers["x-spanwitness-signature"].startswith("sha256=")

    server.kill()
    server = serve("--config", settings)
    talk(server, range(36, 101), OLD)
    until(lambda: len(hook.posts) > 1)
    until(lambda: alerts_of(server)["webhook"]["firing"] == 0)
    assert states(hook) == ["firing", "resolved"]
    assert hook.posts[1].json["swap"]["id"] == told["swap"]["id"]
    assert server.terminate() == 0
    log = server.log.read_text()
    assert f"Silent model swap: tenant=acme service=claims agent=- role=llm: {A} -> {B} since" in log
    assert SECRET not in log
    assert "Traceback" not in log


def test_a_receiver_that_is_away_does_not_keep_a_server_from_its_work_or_its_end(serve: Start, tmp_path: Path) -> None:
    with listening() as gone:
        settings = config(tmp_path, webhook=f"{gone.url}/{SECRET}")
    server = serve("--config", settings)
    talk(server, range(1, 31), OLD)
    talk(server, range(31, 36), NEW)
    until(lambda: not alerts_of(server)["webhook"]["up"])
    assert alerts_of(server)["webhook"]["last_error"] == "ConnectError"
    talk(server, range(36, 40), NEW)
    assert server.terminate() == 0
    log = server.log.read_text()
    assert log.count("webhook did not take an alert (ConnectError); it will be tried again") == 1
    assert SECRET not in log


def test_a_long_round_is_counted_on_the_way(serve: Start, hook: Listener, tmp_path: Path) -> None:
    gate = threading.Event()
    hook.answers = [Answer()] * 100 + [Answer(held=gate)]
    server = serve("--config", config(tmp_path, webhook=hook.url, severities=["page"], timeout="30s"))
    for served, first, last in ((OLD, 1, 770), (NEW, 771, 990)):
        agents = ({"gen_ai.agent.name": f"agent {number % 110}"} for number in range(first, last + 1))
        talk(server, range(first, last + 1), served, agents)
    try:
        until(lambda: alerts_of(server)["webhook"]["firing"] == 100, 90)
        assert alerts_of(server)["webhook"]["sent"] == 100
    finally:
        gate.set()
    until(lambda: alerts_of(server)["webhook"]["firing"] == 110, 60)


def test_without_receivers_health_says_nothing_of_alerts(serve: Start) -> None:
    assert httpx.get(f"http://{serve().addresses['http']}/health").json() == {"status": "ok"}


def test_a_wrong_setting_is_told_before_the_store_is_touched(tmp_path: Path) -> None:
    settings = config(tmp_path, webhook="http://127.0.0.1:1", secret_env="SURELY_NOT_SET")  # noqa: S106 - a name
    line = command("serve", "--config", settings, "--store", f"chdb://{tmp_path / 'store'}")
    ended = subprocess.run(line, capture_output=True, text=True, env=environment(), timeout=60, check=False)  # noqa: S603
    assert ended.returncode != 0
    assert "alerts.secret_env = 'SURELY_NOT_SET': allowed is an environment variable that is set" in ended.stderr
    assert not (tmp_path / "store").exists()
