"""The demo, as a user runs it: real servers in processes of their own, the bundled recordings, a store in a folder."""

from __future__ import annotations

import datetime as dt
import io
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rich.console import Console

from spanwitness import demo
from spanwitness.demo.cast import AGENTS, CAPTURES, TENANT, Agent
from spanwitness.demo.otlp_json import to_json
from spanwitness.demo.play import REQUESTS, Part, items, play, trace_ids
from spanwitness.demo.send import FORMS, Form, Sender
from spanwitness.demo.server import ServerStoppedError, serving
from spanwitness.errors import SpanWitnessError, StoreHeldError
from spanwitness.importer import Recording
from spanwitness.receive import Signal
from spanwitness.receive.otlp_json import to_protobuf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
RECORDED = (b"conv-7d1f0a52", b"conv-acme", b"acme-insurance", b"SRM_")
COMMAND = [sys.executable, "-m", "spanwitness"]

each_agent = pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.service)


def spans(parts: list[Part]) -> list[Span]:
    return [
        span
        for part in parts
        if isinstance(part.request, ExportTraceServiceRequest)
        for group in part.request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def recorded(agent: Agent) -> list[Part]:
    return [
        Part(one.signal, REQUESTS[one.signal].FromString(one.body))
        for path in agent.files()
        for one in Recording(path).requests()
    ]


def kept(message: Message) -> list[object]:
    """All that is no string, no id, no time and no resource: which fields are set, and what they hold."""
    found: list[object] = []
    for field, value in message.ListFields():
        if isinstance(value, Message):
            found.append((field.name, kept(value) if field.name != "resource" else None))
        elif isinstance(value, int | float) and not field.name.endswith("_unix_nano"):
            found.append((field.name, value))
        else:
            below = [] if isinstance(value, str | bytes | int | float) else value
            found.append((field.name, [kept(item) for item in below if isinstance(item, Message)]))
    return found


class TestPlay:
    @each_agent
    def test_no_name_of_the_recording_is_left(self, agent: Agent) -> None:
        for part in play(agent, "run", NOW):
            sent = part.request.SerializeToString()
            assert not [name for name in RECORDED if name in sent]

    @each_agent
    def test_the_agent_speaks_of_four_conversations_in_its_own_name(self, agent: Agent) -> None:
        sent = b"".join(part.request.SerializeToString() for part in play(agent, "run", NOW))
        named = {found.decode() for found in re.findall(rb"claims-[a-z]+-run-\d{4}", sent)}
        assert named == {f"{agent.service}-run-000{number}" for number in (1, 2, 3, 4)}

    @each_agent
    def test_nothing_but_strings_ids_and_times_differs_from_the_recording(self, agent: Agent) -> None:
        assert [kept(part.request) for part in play(agent, "run", NOW)] == [
            kept(part.request) for part in recorded(agent)
        ]

    @each_agent
    def test_it_ends_now_and_goes_as_it_went(self, agent: Agent) -> None:
        before, played = spans(recorded(agent)), spans(play(agent, "run", NOW))
        assert 0 <= NOW_NS - max(span.end_time_unix_nano for span in played) < 10**9
        pairs = list(zip(before, played, strict=True))
        assert len({new.start_time_unix_nano - old.start_time_unix_nano for old, new in pairs}) == 1
        assert all(
            new.end_time_unix_nano - new.start_time_unix_nano == old.end_time_unix_nano - old.start_time_unix_nano
            for old, new in pairs
        )

    @each_agent
    def test_parents_and_log_records_still_find_their_spans(self, agent: Agent) -> None:
        parts = play(agent, "run", NOW)
        known = {(span.trace_id, span.span_id) for span in spans(parts)}
        assert all((span.trace_id, span.parent_span_id) in known for span in spans(parts) if span.parent_span_id)
        logs = [part.request for part in parts if isinstance(part.request, ExportLogsServiceRequest)]
        records = [
            r for log in logs for group in log.resource_logs for scope in group.scope_logs for r in scope.log_records
        ]
        assert all((record.trace_id, record.span_id) in known for record in records)
        assert bool(records) is (agent.service == "claims-email")

    @each_agent
    def test_tenant_and_service_stand_on_every_resource(self, agent: Agent) -> None:
        for part in play(agent, "run", NOW):
            assert isinstance(part.request, ExportTraceServiceRequest | ExportLogsServiceRequest)
            groups = (
                part.request.resource_spans
                if isinstance(part.request, ExportTraceServiceRequest)
                else part.request.resource_logs
            )
            for group in groups:
                told = {attribute.key: attribute.value.string_value for attribute in group.resource.attributes}
                assert told["tenant.id"] == TENANT
                assert agent.service in (told.get("service.name"), told.get("project_name"))

    def test_no_two_agents_and_no_two_runs_share_a_trace(self) -> None:
        traces = [trace_ids(play(agent, run, NOW)) for agent in AGENTS for run in ("one", "two")]
        assert len(set().union(*traces)) == sum(map(len, traces)) > 0

    def test_the_same_arguments_give_the_same_play(self) -> None:
        one, other = play(AGENTS[0], "run", NOW), play(AGENTS[0], "run", NOW)
        assert one == other

    def test_a_damaged_recording_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = (CAPTURES / "oi_openai_agents.otlp.gz").read_bytes()
        (tmp_path / "oi_openai_agents.otlp.gz").write_bytes(whole[: len(whole) // 2])
        monkeypatch.setattr("spanwitness.demo.cast.CAPTURES", tmp_path)
        with pytest.raises(SpanWitnessError, match="recording is damaged"):
            play(AGENTS[2], "run", NOW)

    def test_the_recordings_are_small_enough_to_ship(self) -> None:
        assert sum(path.stat().st_size for path in CAPTURES.glob("*.otlp.gz")) < 700_000


@each_agent
def test_json_says_the_same_as_protobuf(agent: Agent) -> None:
    for part in play(agent, "run", NOW):
        back = type(part.request).FromString(to_protobuf(to_json(part.request), part.signal))
        assert back == part.request


def test_half_of_the_requests_go_over_each_transport() -> None:
    assert [form.transport for form in FORMS].count("gRPC") * 2 == len(FORMS)
    assert {(form.json, form.gzip) for form in FORMS if form.transport == "HTTP"} == {
        (False, False),
        (False, True),
        (True, False),
        (True, True),
    }


def said(store: Path) -> str:
    """What the demo prints when its output is no terminal."""
    output = io.StringIO()
    demo.run(f"chdb://{store}", Console(file=output, width=120, highlight=False))
    return output.getvalue()


def asked(command: str) -> str:
    """What a command of the demo's output prints, from a shell."""
    words = shlex.split(command)
    assert words[0] == "spanwitness"
    done = subprocess.run([*COMMAND, *words[1:]], capture_output=True, text=True, check=True, timeout=120)  # noqa: S603 - ours
    return done.stdout


def query(store: Path, sql: str) -> str:
    return asked(f"spanwitness query {shlex.quote(sql)} --format csv --store chdb://{store}")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store on which the demo ran once, and what it said."""
    store = tmp_path_factory.mktemp("demo") / "store"
    return store, said(store)


class TestRun:
    def test_every_conversation_is_closed_and_scored_before_it_returns(self, first: tuple[Path, str]) -> None:
        store, text = first
        assert f"closed   {4 * len(AGENTS)} conversations" in text
        counts = query(
            store,
            "SELECT ServiceNames[1], count(), sum(Turns) FROM conversations_latest"
            f" WHERE TenantId = '{TENANT}' GROUP BY ALL ORDER BY ALL",
        )
        assert counts.splitlines()[1:] == [f'"{name}",4,16' for name in sorted(agent.service for agent in AGENTS)]
        assert int(query(store, "SELECT uniqExact(ConversationId) FROM scores_latest").split()[1]) == 4 * len(AGENTS)

    def test_every_swap_that_can_be_known_is_found_and_no_other(self, first: tuple[Path, str]) -> None:
        store, text = first
        found = query(
            store, "SELECT ServiceName, FirstConversationId FROM model_swaps WHERE Class = 'version' ORDER BY 1"
        )
        swapped = re.findall(r'"(claims-\w+)","claims-\w+-(?:\w+)-(\d+)"', found)
        assert swapped == [(name, "0003") for name in sorted(a.service for a in AGENTS) if name != "claims-voice"]
        assert f"Another model answers {len(AGENTS) - 1} of {len(AGENTS)} agents" in text

    def test_the_output_tells_versions_swaps_scores_and_a_trajectory(self, first: tuple[Path, str]) -> None:
        _, text = first
        assert "openai/gpt-4o-mini-2024-07-18" in text
        assert "page  version: another model answers" in text
        assert "swaps begun here" in text
        assert "-> gpt-4o-mini-2024-07-18" in text
        assert re.search(r"\d+ of \d+ scores, the lowest first", text)

    def test_what_an_instrumentation_hides_is_said_and_not_guessed(self, first: tuple[Path, str]) -> None:
        store, text = first
        assert "claims-voice: its instrumentation repeats the requested model" in text
        served = query(
            store,
            "SELECT DISTINCT ServedModel, ServedModelSource FROM steps_latest WHERE StepKind = 'llm'"
            " AND ServiceName = 'claims-voice'",
        )
        assert served.splitlines()[1:] == ['"","unknown"']

    def test_the_commands_it_names_work(self, first: tuple[Path, str]) -> None:
        _, text = first
        commands = [line.strip() for line in text.splitlines() if line.startswith("  spanwitness ")]
        assert len(commands) == 3
        assert all(asked(command) for command in commands)

    def test_all_of_it_was_stored_whatever_way_it_travelled(self, first: tuple[Path, str]) -> None:
        store, text = first
        played = [part for agent in AGENTS for part in play(agent, "run", NOW)]
        sent = {one: sum(items(part.request) for part in played if part.signal is one) for one in Signal}
        assert f"{sent[Signal.TRACES]:,} spans and {sent[Signal.LOGS]:,} log records in {len(played)} requests" in text
        assert int(query(store, "SELECT count() FROM otel_traces").split()[1]) == sent[Signal.TRACES]
        assert int(query(store, "SELECT count() FROM otel_logs").split()[1]) == sent[Signal.LOGS]

    def test_a_second_run_adds_conversations_and_reports_no_swap_again(self, first: tuple[Path, str]) -> None:
        store, _ = first
        before = query(store, "SELECT Class, ServiceName, FirstConversationId FROM model_swaps ORDER BY ALL")
        text = said(store)
        assert "This run brought no new swap" in text
        assert query(store, "SELECT Class, ServiceName, FirstConversationId FROM model_swaps ORDER BY ALL") == before
        assert int(query(store, "SELECT count() FROM conversations_latest").split()[1]) == 8 * len(AGENTS)
        # The store is free again: nothing holds it any more.
        assert not (store / "spanwitness.serve.json").exists()


@contextmanager
def running(store: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that somebody else runs."""
    addresses = ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    command = [*COMMAND, "serve", "--store", f"chdb://{store}", *addresses]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - ours
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(b"ready ")
            yield process
        finally:
            process.terminate()


def send_one(store: Path, part: Part, form: Form, *, kill: bool = False) -> None:
    """Sends to a server of the demo's kind, which may just have died."""
    with serving(f"chdb://{store}", "3s") as server, closing(Sender(server.addresses, server.pause)) as sender:
        if kill:
            os.kill(server.pid, signal.SIGKILL)
        sender.send(part, form)


class TestTrouble:
    def test_a_store_in_use_is_refused_in_one_line(self, tmp_path: Path) -> None:
        with running(tmp_path / "store") as process, pytest.raises(StoreHeldError) as error:
            said(tmp_path / "store")
        assert f"in use by a running spanwitness serve, process {process.pid}" in str(error.value)
        assert "\n" not in str(error.value)

    def test_a_server_that_does_not_start_says_why(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ServerStoppedError, match=r"exit status 1; its log: spanwitness: cannot use chdb://"):
            said(tmp_path / "file")

    def test_a_server_that_dies_is_told_by_the_end_of_its_log(self, tmp_path: Path) -> None:
        part = play(AGENTS[0], "run", NOW)[0]
        with pytest.raises(ServerStoppedError, match=r"exit status -9; its log: "):
            send_one(tmp_path / "store", part, Form("gRPC"), kill=True)

    @pytest.mark.parametrize("form", [Form("gRPC"), Form("HTTP"), Form("HTTP", json=True)], ids=str)
    def test_a_span_that_is_refused_is_told(self, form: Form, tmp_path: Path) -> None:
        part = play(AGENTS[0], "run", NOW)[0]
        spans([part])[0].trace_id = b"short"
        with pytest.raises(SpanWitnessError, match=f"refused a part of a request over {form.transport}: .*1"):
            send_one(tmp_path / "store", part, form)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_who_stops_the_demo_stops_its_server(self, number: signal.Signals, tmp_path: Path) -> None:
        command = [*COMMAND, "demo", "--store", f"chdb://{tmp_path / 'store'}"]
        with subprocess.Popen(  # noqa: S603 - ours
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        ) as process:
            assert process.stdout is not None
            server = next(
                int(found[1]) for line in process.stdout if (found := re.match(rb"serving +process (\d+)", line))
            )
            process.send_signal(number)
            process.communicate(timeout=60)
            assert process.returncode != 0
        with pytest.raises(ProcessLookupError):
            os.kill(server, 0)
