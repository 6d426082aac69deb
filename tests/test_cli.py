"""The commands as users and scripts meet them: what they print, where, and with which exit status."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import typer.main
from typer.testing import CliRunner

from spanwitness import __version__
from spanwitness.api import POINTER
from spanwitness.cli import app
from spanwitness.testing import chat, framed, trace_request, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typer.testing import Result

    from tests.conftest import Serve

CAPTURES = Path(__file__).parent / "captures"
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
CALLS = [chat(1, 1, 0, "c"), chat(1, 2, 1, "c"), chat(2, 1, 0, "d", served="gpt-4o-mini-2024-07-18")]

HOLD = """
import sys
from spanwitness.store import open_store
store = open_store(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
store.close()
"""


def run(*arguments: str | Path, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


def told(result: Result, status: int = 1) -> str:
    """The one line that a command failed with."""
    assert (result.exit_code, result.stdout) == (status, ""), result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("spanwitness: ")
    return lines[0].removeprefix("spanwitness: ")


def refused(result: Result) -> str:
    """What a command says of wrong usage, as one text without the frame around it."""
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.replace("│", " ").split())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store into which three calls of two conversations were imported."""
    folder = tmp_path_factory.mktemp("recorded")
    file = folder / "a.otlp.gz"
    file.write_bytes(gzip.compress(framed([trace_request(CALLS)])))
    url = f"chdb://{folder / 'store'}"
    result = run("import", file, "--store", url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("imported 1 file: 3 spans, 2 conversations closed")
    return url


@contextlib.contextmanager
def held(url: str) -> Iterator[None]:
    """Another process owns the store."""
    line = [sys.executable, "-c", HOLD, url]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=paths) as process:  # noqa: S603 - ours
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "held"
        yield
        process.communicate(timeout=30)


class TestHelp:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_shows_an_example_of_itself(self, name: str) -> None:
        result = run(name, "--help")
        assert result.exit_code == 0
        assert "Example" in result.stdout
        assert f"spanwitness {name}" in " ".join(result.stdout.split()) or name == "deployment"

    def test_the_commands_of_the_promise_are_there(self) -> None:
        assert {
            "serve",
            "import",
            "query",
            "versions",
            "swaps",
            "scores",
            "conversation",
            "close",
            "check-config",
        } <= set(COMMANDS)

    def test_without_a_command_the_help_is_shown(self) -> None:
        assert "check-config" in run().output

    def test_the_version_is_told(self) -> None:
        assert run("--version").stdout == f"spanwitness {__version__}\n"

    @pytest.mark.parametrize("arguments", [["nonsense"], ["query"], ["import"], ["query", "SELECT 1", "--nonsense"]])
    def test_wrong_usage_is_status_two(self, arguments: list[str]) -> None:
        refused(run(*arguments))


class TestQuery:
    SQL = "SELECT ConversationId, Steps, ModelVersions, InputTokens FROM conversations ORDER BY ConversationId"

    def test_json_is_one_object_a_row(self, recorded: str) -> None:
        result = run("query", self.SQL, "--format", "json", "--store", recorded)
        assert (result.exit_code, result.stderr) == (0, "")
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        assert rows == [
            {"ConversationId": "c", "Steps": 2, "ModelVersions": ["openai/gpt-4o-2024-08-06"], "InputTokens": 200},
            {"ConversationId": "d", "Steps": 1, "ModelVersions": ["openai/gpt-4o-mini-2024-07-18"], "InputTokens": 100},
        ]

    def test_csv_has_a_header(self, recorded: str) -> None:
        result = run(
            "query",
            "SELECT ConversationId, Steps FROM conversations ORDER BY 1",
            "--format",
            "csv",
            "--store",
            recorded,
        )
        assert list(csv.reader(io.StringIO(result.stdout))) == [["ConversationId", "Steps"], ["c", "2"], ["d", "1"]]

    def test_a_table_has_a_header_and_the_number_of_rows(self, recorded: str) -> None:
        lines = run("query", self.SQL, "--store", recorded).stdout.splitlines()
        assert lines[0].split() == ["ConversationId", "Steps", "ModelVersions", "InputTokens"]
        assert lines[-1] == "2 rows"

    def test_a_table_of_one_row_and_of_none(self, recorded: str) -> None:
        assert run("query", "SELECT 1 AS n", "--store", recorded).stdout.splitlines()[-1] == "1 row"
        assert run("query", "SELECT 1 AS n WHERE 0", "--store", recorded).stdout.splitlines()[-1] == "0 rows"

    def test_a_null_is_a_dash_and_markup_is_text(self, recorded: str) -> None:
        result = run("query", "SELECT NULL AS a, '[bold]x[/bold]' AS b, '[/]' AS `[/c]`", "--store", recorded)
        assert [line.split() for line in result.stdout.splitlines()[:2]] == [
            ["a", "b", "[/c]"],
            ["-", "[bold]x[/bold]", "[/]"],
        ]

    @pytest.mark.parametrize("sql", ["SELECT 1 AS n;", "  SELECT 1 AS n ;\n", "SELECT 1 AS n -- a comment"])
    def test_a_semicolon_or_a_comment_at_the_end_does_no_harm(self, recorded: str, sql: str) -> None:
        result = run("query", sql, "--format", "json", "--store", recorded)
        assert result.stdout == '{"n":1}\n'

    @pytest.mark.parametrize(
        "sql", ["-- which?\nSELECT 1 AS n;", "/* a; b */ SELECT 1 AS n; -- c; d", "--\nSELECT 1 AS n"]
    )
    def test_sql_may_begin_with_a_comment_as_it_does_in_the_documentation(self, recorded: str, sql: str) -> None:
        result = run("query", sql, "--format", "json", "--store", recorded)
        assert (result.stdout, result.stderr) == ('{"n":1}\n', "")

    @pytest.mark.parametrize("fmt", ["table", "json", "csv"])
    def test_several_statements_are_wrong_usage(self, recorded: str, fmt: str) -> None:
        text = refused(run("query", "SELECT 1; SELECT 2", "--format", fmt, "--store", recorded))
        assert "one statement at a time" in text

    def test_a_semicolon_in_quotes_is_part_of_a_statement(self, recorded: str) -> None:
        sql = """SELECT 'a;\\';b''; c' AS x, 1 AS "y;z", 2 AS `w;v`;"""
        result = run("query", sql, "--format", "json", "--store", recorded)
        assert json.loads(result.stdout) == {"x": "a;';b'; c", "y;z": 1, "w;v": 2}

    def test_each_row_is_seen_once_as_it_stands_now(self, recorded: str) -> None:
        sql = "SELECT count() AS n, countIf(TrajectoryStep > 0) AS settled FROM otel_traces"
        assert run("query", sql, "--format", "json", "--store", recorded).stdout == '{"n":3,"settled":3}\n'

    @pytest.mark.parametrize(
        "sql",
        [
            "DROP TABLE conversations",
            "TRUNCATE TABLE conversations",
            "ALTER TABLE conversations DELETE WHERE 1",
            "INSERT INTO schema_versions (Version) VALUES (99)",
            "CREATE TABLE x (a Int8) ENGINE = Memory",
            "SET readonly = 0",
            "SELECT 1 SETTINGS readonly = 0",
        ],
    )
    def test_nothing_can_be_written(self, recorded: str, sql: str) -> None:
        told(run("query", sql, "--store", recorded))
        left = run("query", "SELECT count() AS n FROM conversations", "--format", "json", "--store", recorded)
        assert left.stdout == '{"n":2}\n'

    @pytest.mark.parametrize(
        ("sql", "why"),
        [("SELEC 1", "Syntax error"), ("SELECT a FROM nowhere", "nowhere"), ("SELECT nope()", "nope"), ("", "")],
    )
    @pytest.mark.parametrize("fmt", ["table", "json", "csv"])
    def test_wrong_sql_is_one_line(self, recorded: str, sql: str, why: str, fmt: str) -> None:
        line = told(run("query", sql, "--format", fmt, "--store", recorded))
        assert line.startswith(f"query on {recorded}: ")
        assert why in line

    def test_a_wrong_format_names_the_right_ones(self, recorded: str) -> None:
        text = refused(run("query", "SELECT 1", "--format", "xml", "--store", recorded))
        assert "--format" in text
        assert "'xml': allowed are table, json, csv" in text

    def test_the_store_may_come_from_the_environment(self, recorded: str) -> None:
        result = run(
            "query", "SELECT count() AS n FROM steps", "--format", "json", environment={"SPANWITNESS_STORE": recorded}
        )
        assert result.stdout == '{"n":3}\n'

    def test_a_reader_that_has_seen_enough_ends_it_quietly(self, recorded: str) -> None:
        line = [sys.executable, "-m", "spanwitness", "query", "SELECT * FROM numbers(3000000)", "--format", "csv"]
        paths = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with subprocess.Popen(  # noqa: S603 - ours
            [*line, "--store", recorded], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=paths
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == b'"number"\n'
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(30) == 0


class TestStoreUrl:
    @pytest.mark.parametrize("command", [["query", "SELECT 1"], ["serve"], ["import", "a.otlp"], ["close", "c"]])
    @pytest.mark.parametrize(
        "url", ["nonsense", "postgres://x", "chdb://", "clickhouse://h:port", "clickhouse://h?a=b"]
    )
    def test_a_wrong_url_is_wrong_usage(self, command: list[str], url: str) -> None:
        assert "--store" in refused(run(*command, "--store", url))

    def test_a_password_in_a_wrong_url_is_not_shown(self) -> None:
        result = run("query", "SELECT 1", "--store", "clickhous://me:hunter2@host")
        assert "hunter2" not in result.output

    def test_a_server_that_is_away_is_one_line_without_the_password(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        line = told(run("query", "SELECT 1", "--store", f"clickhouse://me:hunter2@127.0.0.1:{port}/agents"))
        assert line.startswith(f"cannot reach clickhouse://127.0.0.1:{port}/agents: ")
        assert "hunter2" not in line

    def test_a_folder_that_cannot_be_made_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        assert "cannot use chdb://" in told(
            run("query", "SELECT 1", "--store", f"chdb://{tmp_path / 'file' / 'store'}")
        )


class TestHeldStore:
    def test_a_store_that_another_process_holds_is_told(self, tmp_path: Path) -> None:
        url = f"chdb://{tmp_path / 'store'}"
        with held(url):
            assert told(run("query", "SELECT 1", "--store", url)) == (
                f"{url} is held by another process; an embedded store has one owner at a time"
            )
            (tmp_path / "a.otlp").write_bytes(framed([trace_request(CALLS)]))
            line = told(run("import", tmp_path / "a.otlp", "--store", url))
            assert line.endswith("is held by another process; an embedded store has one owner at a time")
            assert "is held by another process" in told(run("serve", "--store", url))
        assert run("query", "SELECT 1", "--store", url).exit_code == 0

    def test_commands_reach_the_store_through_the_server_that_holds_it(self, serve: Callable[..., Serve]) -> None:
        server = serve("--idle", "1h")
        url = f"http://{server.addresses['http']}/v1/traces"
        headers = {"content-type": "application/x-protobuf"}
        assert httpx.post(url, content=trace_request(CALLS), headers=headers).status_code == 200
        sql = "SELECT count() AS n FROM otel_traces"
        answers = {
            fmt: run("query", sql, "--format", fmt, "--store", server.store).stdout for fmt in ("json", "csv", "table")
        }
        assert answers["json"] == '{"n":3}\n'
        assert answers["csv"] == '"n"\n3\n'
        assert answers["table"].split() == ["n", "3", "1", "row"]

        assert run("close", "c", "--store", server.store).stdout == "c: closed\n"
        assert "no open conversation 'c'" in told(run("close", "c", "--store", server.store))
        closed = run(
            "query", "SELECT ConversationId, CloseReason FROM conversations", "--format", "csv", "--store", server.store
        )
        assert closed.stdout.splitlines()[1:] == ['"c","requested"']
        told(run("query", "DROP TABLE conversations", "--store", server.store))
        assert told(run("query", "SELECT a FROM nowhere", "--store", server.store)).startswith(
            f"query on {server.store}: "
        )
        for report in (["versions"], ["swaps"], ["scores"], ["conversation", "c"]):
            assert run(*report, "--store", server.store).exit_code == 0

        file = Path(server.store.removeprefix("chdb://")).parent / "a.otlp"
        file.write_bytes(b"")
        for command in (["import", file], ["serve"]):
            line = told(run(*command, "--store", server.store))
            assert f"is held by a running spanwitness serve, process {server.process.pid}; stop it" in line
        assert server.terminate() == 0
        assert run("query", sql, "--format", "json", "--store", server.store).stdout == '{"n":3}\n'

    def test_a_pointer_that_a_killed_server_left_does_not_matter(self, serve: Callable[..., Serve]) -> None:
        server = serve()
        server.kill()
        assert (Path(server.store.removeprefix("chdb://")) / POINTER).exists()
        result = run("query", "SELECT 1 AS n", "--format", "json", "--store", server.store)
        assert (result.exit_code, result.stdout) == (0, '{"n":1}\n')


class TestServe:
    @pytest.mark.parametrize("option", ["--grpc", "--http"])
    def test_a_port_in_use_is_one_line_that_names_it(self, tmp_path: Path, option: str) -> None:
        other = "--http" if option == "--grpc" else "--grpc"
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = f"127.0.0.1:{listening.getsockname()[1]}"
            result = run("serve", "--store", f"chdb://{tmp_path / 'store'}", option, address, other, "127.0.0.1:0")
            assert address in result.stderr
        line = told_last(result)
        assert f"cannot listen on {address}: Address already in use" in line
        assert not (tmp_path / "store" / POINTER).exists()

    def test_a_duration_that_is_none_is_wrong_usage(self) -> None:
        text = refused(run("serve", "--idle", "soon"))
        assert "'soon': allowed is a duration such as '250ms'" in text

    def test_an_address_that_is_none_is_one_line(self, tmp_path: Path) -> None:
        result = run("serve", "--store", f"chdb://{tmp_path / 'store'}", "--grpc", "nonsense", "--http", "127.0.0.1:0")
        assert "allowed is HOST:PORT" in told_last(result)


def told_last(result: Result) -> str:
    """The line that `serve` failed with; what it logged before stands above it."""
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1].removeprefix("spanwitness: ")


class TestImport:
    def test_a_broken_file_is_status_one_and_the_rest_is_read(self, tmp_path: Path) -> None:
        broken, whole = tmp_path / "broken.otlp", tmp_path / "whole.otlp"
        broken.write_bytes(b"\x00\x00\x00\x10nothing of use")
        whole.write_bytes(framed([trace_request(CALLS)]))
        result = run("import", broken, whole, "--store", f"chdb://{tmp_path / 'store'}")
        assert result.exit_code == 1
        assert result.stderr == f"spanwitness: {broken}: offset 0: no whole request; 18 bytes skipped\n"
        assert "3 spans, 2 conversations closed" in result.stdout

    def test_a_file_that_is_not_there_is_status_one(self, tmp_path: Path) -> None:
        result = run("import", tmp_path / "no.otlp", "--store", f"chdb://{tmp_path / 'store'}")
        assert (result.exit_code, result.stderr) == (
            1,
            f"spanwitness: {tmp_path / 'no.otlp'}: No such file or directory\n",
        )

    def test_a_capture_gives_its_four_conversations_and_the_swap(self, tmp_path: Path) -> None:
        url = f"chdb://{tmp_path / 'store'}"
        files = [CAPTURES / "genai_openai_events.otlp.gz", CAPTURES / "genai_openai_events.logs.otlp.gz"]
        result = run("import", *files, "--store", url)
        assert result.exit_code == 0
        assert "4 conversations closed, 1 new model swap (spanwitness swaps)" in result.stdout
        rows = [json.loads(line) for line in run("swaps", "--json", "--store", url).stdout.splitlines()]
        versions = [(row["FromVersion"], row["ToVersion"]) for row in rows if row["Class"] == "version"]
        assert versions == [("openai/gpt-4o-2024-08-06", "openai/gpt-4o-mini-2024-07-18")]


class TestConfig:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("[close]\nidel = '5m'", "unknown key close.idel; allowed: close.idle, close.max_age"),
            ("[cloze]\n", "unknown key cloze; allowed: store, receive"),
            ("[close]\nidle = 'soon'", "close.idle = 'soon': allowed is a duration such as '250ms'"),
            ("close = 3", "close = 3: allowed is a table [close]"),
            ("[ingest]\nbatch = 0", "ingest.batch = 0: allowed is a number of bytes above zero"),
            ("= broken", "is not TOML"),
        ],
    )
    @pytest.mark.parametrize("command", [["check-config"], ["query", "SELECT 1", "--config"], ["serve", "--config"]])
    def test_an_error_names_key_value_and_what_is_allowed(
        self, tmp_path: Path, command: list[str], content: str, message: str
    ) -> None:
        file = tmp_path / "spanwitness.toml"
        file.write_text(content)
        assert message in told(run(*command, file))

    @pytest.mark.parametrize("command", ["check-config", "serve"])
    def test_an_evaluator_that_does_not_exist_is_told_before_anything_is_opened(
        self, tmp_path: Path, command: str
    ) -> None:
        file = tmp_path / "spanwitness.toml"
        file.write_text(f"[store]\nurl = 'chdb://{tmp_path}/store'\n[evaluate]\nevaluators = ['Nonsense']")
        line = told(run("check-config", file) if command == "check-config" else run("serve", "--config", file))
        assert "Nonsense" in line
        assert not (tmp_path / "store").exists()

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        line = told(run("check-config", tmp_path / "no.toml"))
        assert line == f"config file '{tmp_path / 'no.toml'}': No such file or directory"

    def test_check_config_says_what_the_defaults_mean(self) -> None:
        result = run("check-config", environment={"SPANWITNESS_CONFIG": ""})
        lines = result.stdout.splitlines()
        assert (result.exit_code, lines[0]) == (0, "defaults: ok")
        assert "  receive    grpc 127.0.0.1:4317, http 127.0.0.1:4318" in lines
        assert "  close      after 15m of silence, 1d of age, 10s after an end" in lines

    def test_check_config_says_what_a_file_means_and_shows_no_password(self, tmp_path: Path) -> None:
        file = tmp_path / "spanwitness.toml"
        file.write_text(
            '[store]\nurl = "clickhouse://me:hunter2@db:8123/agents"\n[receive]\nhttp = ""\n'
            '[tenant]\nheader = "X-Tenant"\ndefault = "acme"\n[close]\nidle = "5m"\n'
            'idle_by_channel = { voice = "30s" }\n'
        )
        text = run("check-config", file).stdout
        assert "store      clickhouse://db:8123/agents" in text
        assert "hunter2" not in text
        assert "http off" in text
        assert "header x-tenant, then tenant.id, else 'acme'" in text
        assert "channel voice: after 30s of silence" in text
        assert "  judge      no language model is asked" in text.splitlines()

    def test_check_config_says_who_judges_in_which_channel(self, tmp_path: Path) -> None:
        file = tmp_path / "spanwitness.toml"
        file.write_text(
            '[evaluate]\nevaluators = ["TaskCompletion", "PII"]\njudged = ["TaskCompletion"]\n'
            '[evaluate.by_channel.sms]\nevaluators = ["PII"]\nthresholds = { PII = 0.5 }\n'
            '[evaluators.TaskCompletion]\nwrites = ["send"]\n'
            '[judge]\nmodel = "model-1"\nurl = "https://models.internal/t0ken/v1"\nbudget = 2.5\n'
            "input_price = 1\noutput_price = 2\nbudget_by_tenant = { b = 5, a = 1 }\n"
        )
        lines = run("check-config", file).stdout.splitlines()
        assert [line for line in lines if "evaluate" in line or "judge" in line] == [
            "  evaluate   TaskCompletion, threshold 1.0, judged as well",
            "  evaluate   PII, threshold 1.0",
            "  evaluate   channel sms: PII, threshold 0.5",
            '  evaluate   with TaskCompletion.writes = ["send"]',
            (
                "  judge      model-1 at models.internal, at most 2.5 USD a tenant and day, but of its own for a, b, "
                "cards, phones and the like taken out"
            ),
        ]


def test_polling_gives_up_at_its_deadline() -> None:
    with pytest.raises(TimeoutError):
        until(lambda: False, 0.1)
