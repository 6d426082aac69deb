"""Real server processes, one behind the other: what a sender was answered for gets to the end, whoever dies."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.access import reach
from spanwitness.api import Pointer, ServeClient
from spanwitness.config import parse
from spanwitness.evaluators import BUNDLE
from spanwitness.testing import chat, trace_request, until
from tests.conftest import command, environment
from tests.forward.conftest import Answer, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Requests, Serve

PROTOBUF = {"content-type": "application/x-protobuf"}
TAGS = (
    "cityHash64(TraceId, SpanId, TenantId, ConversationId, StepKind, Actor, RequestedModel, ServedModel, "
    "ServedModelSource, ModelVersion, Dialect, ToolName, AgentName, InputTokens, OutputTokens)"
)


class Backend:
    """A next hop that outlives its senders: a server in a thread of its own."""

    def __init__(self) -> None:
        self.server = Server()
        self.endpoint = ""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, scheme: str = "http", port: int = 0) -> None:
        self._stop.clear()
        self._ready.clear()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(scheme, port),))
        self._thread.start()
        assert self._ready.wait(10)

    async def _run(self, scheme: str, port: int) -> None:
        async with self.server.grpc(port) if scheme == "grpc" else self.server.http(port) as self.endpoint:
            self._ready.set()
            await self._stop.wait()
        open_ones = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        self.stop()
        self._loop.close()

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    def spans(self) -> list[bytes]:
        """The ids of all spans that it took, repeated ones too."""
        bodies = [one.body for one in list(self.server.taken) if one.kind == "traces"]
        requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
        return [
            span.trace_id + span.span_id
            for request in requests
            for part in request.resource_spans
            for scope in part.scope_spans
            for span in scope.spans
        ]

    def events(self) -> list[tuple[str, str]]:
        """Conversation and uid of all scores that it took."""
        bodies = [one.body for one in list(self.server.taken) if one.kind == "logs"]
        records = [
            {pair.key: pair.value.string_value for pair in record.attributes}
            for body in bodies
            for part in ExportLogsServiceRequest.FromString(body).resource_logs
            for scope in part.scope_logs
            for record in scope.log_records
            if record.event_name == "gen_ai.evaluation.result"
        ]
        return [(told["spanwitness.conversation.id"], told["log.record.uid"]) for told in records]


@pytest.fixture
def backend() -> Iterator[Backend]:
    started = Backend()
    yield started
    started.close()


@dataclass
class Sites:
    """Servers, each in a folder of its own."""

    folder: Path
    serving: Callable[..., Serve]
    started: list[Serve] = field(default_factory=list)

    def serve(self, name: str, endpoint: str = "", *options: str, **keys: Any) -> Serve:
        place = self.folder / name
        place.mkdir(exist_ok=True)
        self.started.append(self.serving(place, "--config", str(configured(place, endpoint, **keys)), *options))
        return self.started[-1]


@pytest.fixture
def sites(tmp_path: Path, serving: Callable[..., Serve]) -> Iterator[Sites]:
    found = Sites(tmp_path, serving)
    yield found
    for server in found.started:
        server.kill()


def configured(folder: Path, endpoint: str, **keys: Any) -> Path:
    """A configuration file in a folder."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"endpoint": endpoint, **keys}.items()]
    file = folder / "spanwitness.toml"
    file.write_text("\n".join(['ingest.wait = "5ms"', 'close.sweep = "250ms"', "[forward]", *lines]))
    return file


def send(server: Serve, body: bytes, kind: str = "traces", within_s: float = 10.0) -> httpx.Response:
    return httpx.post(f"http://{server.addresses['http']}/v1/{kind}", content=body, headers=PROTOBUF, timeout=within_s)


def status(server: Serve) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"http://{server.addresses['http']}/health").json()["forward"]
    return told


def asked(server: Serve, sql: str) -> list[dict[str, Any]]:
    with reach(parse({"store": {"url": server.store}})) as access:
        return [json.loads(line) for line in access.ask(sql, "JSONEachRow").splitlines()]


def close(server: Serve, conversation: str) -> None:
    pointer = Pointer.read(server.log.parent / "store")
    assert pointer is not None
    ServeClient(pointer).close(conversation, None)


def test_a_chain_of_three_says_the_same_of_every_span(sites: Sites, capture: Callable[[str], Requests]) -> None:
    """SpanWitness behind SpanWitness: all records agree, and the scores of the first stand in the others' logs."""
    last = sites.serve("last", "", "--idle", "1h")
    middle = sites.serve("middle", f"grpc://{last.addresses['grpc']}", "--idle", "1h", scores=False)
    first = sites.serve("first", f"http://{middle.addresses['http']}", "--idle", "1h", compression="gzip")
    chain = (first, middle, last)
    for name in ("genai_openai_events", "oi_openai_agents"):
        for kind, body in capture(name):
            answer = send(first, body, kind)
            assert (answer.status_code, answer.content) == (200, b"")
    tags, *others = (
        asked(server, f"SELECT toString({TAGS}) AS tags FROM otel_traces ORDER BY ALL") for server in chain
    )
    assert others == [tags, tags]
    as_they_came = "SELECT toString(cityHash64(* EXCEPT (IngestedAt, Version))) AS row FROM otel_traces ORDER BY ALL"
    assert asked(middle, as_they_came) == asked(last, as_they_came), "the second one had nothing to add"
    (told,) = asked(
        last,
        "SELECT toUInt32(countIf(SpanAttributes['spanwitness.model.version'] != ModelVersion)) AS models, "
        "toUInt32(countIf(SpanAttributes['tenant.id'] != TenantId)) AS tenants, toUInt32(count()) AS n "
        "FROM otel_traces",
    )
    assert (told["models"], told["tenants"], told["n"]) == (0, 0, len(tags))
    assert status(first)["sent"] == told["n"] + asked(last, "SELECT toUInt32(count()) AS n FROM otel_logs")[0]["n"]

    (conversation,) = asked(
        first, "SELECT ConversationId AS id FROM otel_traces WHERE ConversationId != '' ORDER BY id LIMIT 1"
    )
    close(first, conversation["id"])
    events = "SELECT LogAttributes['gen_ai.evaluation.name'] AS name FROM otel_logs WHERE EventName LIKE '%evaluation%'"
    until(lambda: len(asked(last, events)) == len(BUNDLE.evaluators))
    close(last, conversation["id"])
    scores = "SELECT Evaluator, Score, Label FROM scores ORDER BY ALL"
    assert asked(first, scores) == asked(last, scores)
    assert not any("Traceback" in server.log.read_text() for server in chain)


def test_a_hop_that_is_down_at_the_start_is_no_reason_not_to_start(sites: Sites, backend: Backend) -> None:
    backend.start()
    endpoint, port = backend.endpoint, backend.port
    backend.stop()
    server = sites.serve("here", endpoint)
    body = trace_request([chat(1, 1, 0, "c")])
    refused = send(server, body)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert status(server)["up"] is False
    backend.start("http", port)
    until(lambda: send(server, body).status_code == 200)
    assert backend.spans() == [bytes.fromhex(chat(1, 1).trace_id + chat(1, 1).span_id)]
    assert asked(server, "SELECT toUInt32(count()) AS n FROM otel_traces") == [{"n": 1}]
    assert status(server)["up"] is True
    assert server.terminate() == 0
    assert (
        "passed on since the start: answer=both up=True sent=1 rejected=0 failed=0 retries=" in server.log.read_text()
    )


def test_the_time_that_the_hop_asks_for_is_passed_through(sites: Sites, backend: Backend) -> None:
    backend.server.answers = [Answer(429, headers={"retry-after": "17"})]
    backend.start()
    server = sites.serve("here", backend.endpoint)
    assert send(server, trace_request([chat(1, 1)])).headers["retry-after"] == "17"
    assert 10 < int(send(server, trace_request([chat(1, 2)])).headers["retry-after"]) <= 17
    assert len(backend.server.taken) == 1, "it is left alone for as long as it asked"


def test_what_waits_in_the_queue_survives_kill_9_and_arrives_in_order(sites: Sites, backend: Backend) -> None:
    backend.start()
    endpoint, port = backend.endpoint, backend.port
    backend.stop()
    queue = str(sites.folder / "queue" / "forward.queue")
    acknowledged: list[bytes] = []
    for _ in range(2):
        server = sites.serve("here", endpoint, "--idle", "1h", answer="store", queue=queue, scores=False)
        for _ in range(5):
            span = chat(1, len(acknowledged) + 1, 0, "c")
            assert send(server, trace_request([span])).status_code == 200
            acknowledged.append(bytes.fromhex(span.trace_id + span.span_id))
        assert status(server)["queued"] == len(acknowledged)
        server.kill()
    backend.start("http", port)
    server = sites.serve("here", endpoint, "--idle", "1h", answer="store", queue=queue, scores=False)
    until(lambda: status(server)["queued"] == 0)
    assert backend.spans() == acknowledged
    assert server.terminate() == 0


class Sender:
    """Sends one span a request and keeps each until it is acknowledged, over restarts, as an SDK's exporter does."""

    def __init__(self, number: int, server: Serve) -> None:
        self.server = server
        self.acknowledged: list[bytes] = []
        self._number = number
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for at in count(1):
            trace = self._number * 100_000 + at // 5
            span = chat(trace, at, at, f"c{trace}")
            while not self._sent(trace_request([span])):
                if self._stop.wait(0.02):
                    return
            self.acknowledged.append(bytes.fromhex(span.trace_id + span.span_id))

    def _sent(self, body: bytes) -> bool:
        with suppress(httpx.TransportError):
            return not self._stop.is_set() and send(self.server, body, within_s=5).status_code == 200
        return False


@pytest.mark.parametrize("answer", ["both", "store"])
def test_killed_again_and_again_while_it_forwards_nothing_acknowledged_is_lost(
    sites: Sites, backend: Backend, answer: str
) -> None:
    """Spans and scores; the next hop may get some twice, and can tell by span id and uid."""
    backend.start("grpc")

    def start() -> Serve:
        queue = str(sites.folder / "forward.queue")
        return sites.serve("here", backend.endpoint, "--idle", "300ms", answer=answer, queue=queue)

    server = start()
    senders = [Sender(number, server) for number in (1, 2, 3)]
    try:
        for _ in range(2):
            for sender in senders:
                wanted = len(sender.acknowledged) + 4
                until(lambda sender=sender, wanted=wanted: len(sender.acknowledged) >= wanted)  # type: ignore[misc]
            server.kill()
            server = start()
            for sender in senders:
                sender.server = server
    finally:
        for sender in senders:
            sender.stop()

    acknowledged = {identity for sender in senders for identity in sender.acknowledged}
    until(lambda: acknowledged <= set(backend.spans()))
    ids = asked(server, "SELECT concat(TraceId, SpanId) AS id FROM otel_traces")
    assert set(backend.spans()) <= {bytes.fromhex(row["id"]) for row in ids}, "nothing goes on that is not recorded"

    def scores() -> int:
        return int(asked(server, "SELECT toUInt32(count()) AS n FROM scores")[0]["n"])

    until(lambda: asked(server, "SELECT SpanId FROM otel_traces WHERE TrajectoryStep = 0 LIMIT 1") == [])
    until(lambda: len(set(backend.events())) == scores() > 0)


def test_wrong_values_are_refused_before_the_store_is_touched(tmp_path: Path) -> None:
    config = configured(tmp_path, "grpc://127.0.0.1:1", headers_env="SURELY_NOT_SET")
    line = command("serve", "--config", str(config), "--store", f"chdb://{tmp_path / 'store'}")
    ended = subprocess.run(line, capture_output=True, text=True, check=False, env=environment())  # noqa: S603 - ours
    assert ended.returncode == 1
    assert "forward.headers_env = 'SURELY_NOT_SET': allowed is an environment variable that is set" in ended.stderr
    assert not (tmp_path / "store").exists()
