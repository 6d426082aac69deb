"""GET /metrics of a real server: what senders were answered, what the ledger says, and nobody else's doing."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from spanwitness import __version__
from spanwitness.testing import chat, trace_request, until
from tests.conftest import command, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Serve

    Start = Callable[..., Serve]
    Told = dict[tuple[str, frozenset[tuple[str, str]]], float]

PROTOBUF = {"content-type": "application/x-protobuf"}
EXPORT = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"


def send(server: Serve, body: bytes, path: str = "/v1/traces", **headers: str) -> int:
    url = f"http://{server.addresses['http']}{path}"
    return httpx.post(url, content=body, headers=PROTOBUF | headers, timeout=30).status_code


def send_grpc(server: Serve, body: bytes) -> None:
    with grpc.insecure_channel(server.addresses["grpc"]) as channel:
        export: Any = channel.unary_unary(EXPORT.format("trace", "Trace"))
        export(body, timeout=30)


def scrape(server: Serve) -> Told:
    page = httpx.get(f"http://{server.addresses['http']}/metrics").text
    families: Any = text_string_to_metric_families(page)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(told: Told, name: str, **labels: str) -> float | None:
    return told.get((name, frozenset(labels.items())))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, serving: Start) -> Iterator[Serve]:
    started = serving(tmp_path_factory.mktemp("server"), "--idle", "1s")
    yield started
    started.kill()


def test_answers_are_counted_by_transport_signal_and_code(server: Serve) -> None:
    assert send(server, trace_request([chat(1, 1), chat(1, 2)], tenant="counted")) == 200
    assert send(server, b"no request") == 400
    assert send(server, b"", **{"content-type": "text/plain"}) == 415
    assert send(server, b"", "/v1/logs") == 200
    send_grpc(server, trace_request([chat(1, 3)], tenant="counted"))
    with pytest.raises(grpc.RpcError):
        send_grpc(server, b"no request")
    told = scrape(server)
    for transport, signal, answer, code in (
        ("http", "traces", "accepted", "200"),
        ("http", "traces", "refused", "400"),
        ("http", "traces", "refused", "415"),
        ("http", "logs", "accepted", "200"),
        ("grpc", "traces", "accepted", "OK"),
        ("grpc", "traces", "refused", "INVALID_ARGUMENT"),
    ):
        labels = {"transport": transport, "signal": signal, "answer": answer, "code": code}
        assert value(told, "spanwitness_requests_total", **labels) == 1, labels
    assert value(told, "spanwitness_items_accepted_total", signal="traces") == 3
    assert value(told, "spanwitness_build_info", version=__version__) == 1


def test_the_ledger_is_told_after_the_sweep(server: Serve) -> None:
    spans = [
        chat(number, 1, float(number), f"conv-{number}", served=served)
        for number, served in enumerate(["gpt-4o-2024-08-06"] * 10 + ["gpt-4o-mini-2024-07-18"] * 10, 100)
    ]
    assert send(server, trace_request(spans, tenant="swapped")) == 200

    def standing() -> set[str]:
        told = (dict(labels) for name, labels in scrape(server) if name == "spanwitness_swap_standing")
        return {labels["class"] for labels in told if labels["tenant"] == "swapped"}

    def shares() -> dict[str, float]:
        return {
            dict(labels)["version"]: share
            for (name, labels), share in scrape(server).items()
            if name == "spanwitness_version_share" and ("tenant", "swapped") in labels
        }

    until(lambda: "version" in standing(), 60)
    # A page may be asked for between the two, which a sweep tells one after the other.
    until(lambda: shares() == {"openai/gpt-4o-2024-08-06": 0.5, "openai/gpt-4o-mini-2024-07-18": 0.5}, 60)


def test_a_declaration_is_told_once_its_command_has_returned(server: Serve) -> None:
    spans = [
        chat(number, 1, float(number), f"conv-{number}", served=served)
        for number, served in enumerate(["gpt-4o-2024-08-06"] * 10 + ["gpt-4o-mini-2024-07-18"] * 10, 200)
    ]
    assert send(server, trace_request(spans, tenant="late")) == 200

    def severity() -> set[str]:
        told = (dict(labels) for name, labels in scrape(server) if name == "spanwitness_swap_standing")
        return {labels["severity"] for labels in told if (labels["tenant"], labels["class"]) == ("late", "version")}

    until(lambda: severity() == {"page"}, 60)
    declaration = ["--tenant", "late", "--to-model", "gpt-4o-mini", "--from", "2020-01-01T00:00:00Z"]
    line = command("deployment", "declare", *declaration, "--by", "ann", "--reason", "cost", "--store", server.store)
    subprocess.run(line, env=environment(), check=True, timeout=60)  # noqa: S603 - ours
    assert severity() == {"warning"}


def test_openmetrics_is_served_to_whoever_asks(server: Serve) -> None:
    asked = {"accept": "application/openmetrics-text;version=1.0.0"}
    answer = httpx.get(f"http://{server.addresses['http']}/metrics", headers=asked)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_without_a_next_hop_and_receivers_nothing_is_told_of_them(server: Serve) -> None:
    names = {name for name, _ in scrape(server)}
    assert not any(name.startswith(("spanwitness_forward", "spanwitness_alert")) for name in names)


def test_it_can_be_turned_off(tmp_path: Path, serve: Start) -> None:
    config = tmp_path / "quiet.toml"
    config.write_text("[metrics]\nserve = false\n")
    server = serve("--config", str(config))
    assert httpx.get(f"http://{server.addresses['http']}/metrics").status_code == 404
    assert send(server, trace_request([chat(1, 1)])) == 200


def test_the_next_hop_and_the_receivers_of_alerts_are_told_where_there_are_some(tmp_path: Path, serve: Start) -> None:
    config = tmp_path / "more.toml"
    config.write_text(
        '[forward]\nendpoint = "http://127.0.0.1:9"\nanswer = "store"\n'
        f'queue = "{tmp_path / "queue"}"\n[alerts]\nalertmanager = "http://127.0.0.1:9"\n'
    )
    server = serve("--config", str(config))
    assert send(server, trace_request([chat(1, 1), chat(1, 2)])) == 200
    until(lambda: value(scrape(server), "spanwitness_forward_up") == 0)
    told = scrape(server)
    assert value(told, "spanwitness_forward_queue_items") == 2
    assert value(told, "spanwitness_forward_queue_requests") == 1
    assert value(told, "spanwitness_forward_items_sent_total") == 0
    assert value(told, "spanwitness_alerts_firing", receiver="alertmanager") == 0
