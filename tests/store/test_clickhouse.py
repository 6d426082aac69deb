"""What the store promises, on the embedded engine and on a server: one suite, since both are to be the same."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.errors import Busy, StoreError, StoreHeldError
from spanwitness.pipeline import Ingestion, IngestRules
from spanwitness.receive import Caller, Outcome, Signal
from spanwitness.store import open_store, rows
from spanwitness.testing import EPOCH, FakeSpan, ManualClock, chat, log_request, trace_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from spanwitness.store import Store
    from tests.conftest import Lanes
    from tests.store.conftest import Endpoint

CALLS = [chat(1, number, number, "c") for number in range(1, 6)]
INTO_SPANS = "INSERT INTO otel_traces"
OPEN = """
import sys
from spanwitness.errors import StoreHeldError
from spanwitness.store import open_store
try:
    store = open_store(sys.argv[1])
except StoreHeldError as error:
    print("held:", error)
"""


@pytest.fixture(scope="module", params=["embedded", "server"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "server":
        started: Endpoint = request.getfixturevalue("endpoint")
        return started.url
    return f"chdb://{tmp_path_factory.mktemp('store')}"


@pytest.fixture(scope="module")
def opened_store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.close()


def count(store: Store, table: str) -> tuple[int, int]:
    """Rows as they lie there, and as they are seen."""
    (raw,), (final,) = (store.rows(f"SELECT count() AS n FROM {table}{how}") for how in ("", " FINAL"))
    return raw["n"], final["n"]


class TestOnce:
    def test_the_same_request_twice_is_stored_once(self, lanes: Lanes) -> None:
        for _ in range(2):
            lanes.ingest([trace_request(CALLS)])
        assert count(lanes.store, "otel_traces") == (5, 5)

    def test_the_same_logs_twice_are_stored_once(self, lanes: Lanes) -> None:
        for _ in range(2):
            lanes.ingest([log_request("hello", trace=1, span=1)], Signal.LOGS)
        assert count(lanes.store, "otel_logs") == (1, 1)

    def test_spans_sent_again_among_others_are_one_row_each(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request(CALLS)])
        lanes.ingest([trace_request(CALLS[2:]), trace_request([chat(2, 1, 9, "c")])])
        assert count(lanes.store, "otel_traces") == (9, 6)

    def test_logs_sent_again_among_others_are_one_row_each(self, lanes: Lanes) -> None:
        first, second = (log_request(text, trace=1, span=1) for text in ("hello", "again"))
        lanes.ingest([first], Signal.LOGS)
        lanes.ingest([second, first], Signal.LOGS)
        assert count(lanes.store, "otel_logs") == (3, 2)

    def test_the_same_request_through_two_clients_is_stored_once(self, lanes: Lanes, url: str) -> None:
        lanes.ingest([trace_request(CALLS)])
        second = open_store(url)
        try:
            type(lanes)(second).ingest([trace_request(CALLS)])
        finally:
            second.close()
        assert count(lanes.store, "otel_traces") == (5, 5)

    def test_two_senders_at_once_are_stored_once(self, lanes: Lanes) -> None:
        work = lanes.ingestion.prepare([trace_request(CALLS)], [""], Signal.TRACES)
        senders = [threading.Thread(target=lanes.ingestion.write, args=(work.rows,)) for _ in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert count(lanes.store, "otel_traces") == (5, 5)

    def test_other_rows_never_get_the_same_token(self, lanes: Lanes) -> None:
        one, other = trace_request(CALLS[:1]), trace_request(CALLS[1:2])
        batches = [
            ([one], [""]),
            ([other], [""]),
            ([one, other], ["", ""]),
            ([other, one], ["", ""]),
            ([one], ["acme"]),
        ]
        tokens = {lanes.ingestion.prepare(bodies, tenants, Signal.TRACES).rows.token for bodies, tenants in batches}
        assert len(tokens) == len(batches)

    def test_a_span_sent_again_with_its_conversation_is_one_row(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1)])])
        lanes.ingest([trace_request([chat(1, 1, 0, "c")])])
        assert count(lanes.store, "otel_traces") == (2, 1)
        lanes.close_everything()
        (row,) = lanes.rows("SELECT ConversationId, TrajectoryStep FROM otel_traces FINAL")
        assert row == {"ConversationId": "c", "TrajectoryStep": 1}

    def test_a_span_sent_again_under_another_name_is_one_row(self, lanes: Lanes) -> None:
        for name in ("started", "done"):
            lanes.ingest([trace_request([FakeSpan(1, 1, name=name)])])
        assert count(lanes.store, "otel_traces") == (2, 1)

    def test_a_settled_row_outranks_a_later_delivery_of_the_unsettled_one(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request(CALLS)])
        lanes.close_everything()
        lanes.ingest([trace_request(list(reversed(CALLS)))])
        found = lanes.rows("SELECT TrajectoryStep FROM otel_traces FINAL ORDER BY Timestamp")
        assert [row["TrajectoryStep"] for row in found] == [1, 2, 3, 4, 5]
        lanes.store.command("OPTIMIZE TABLE otel_traces FINAL")
        assert count(lanes.store, "otel_traces") == (5, 5)
        assert lanes.rows("SELECT TrajectoryStep FROM otel_traces ORDER BY Timestamp") == found

    def test_a_hundred_and_fifty_days_in_one_request_are_all_stored(self, lanes: Lanes) -> None:
        spans = [chat(n, 1, 0, "c", begin=EPOCH - dt.timedelta(days=n)) for n in range(150)]
        lanes.ingest([trace_request(spans)])
        assert count(lanes.store, "otel_traces") == (150, 150)
        lanes.close_everything()
        (row,) = lanes.rows("SELECT Steps FROM conversations FINAL")
        assert row["Steps"] == 150
        (settled,) = lanes.rows(
            "SELECT uniqExact(TrajectoryStep) AS n, max(TrajectoryStep) AS last FROM otel_traces FINAL"
        )
        assert settled == {"n": 150, "last": 150}

    def test_a_score_written_twice_is_one_row(self, store: Store) -> None:
        score = {
            "TenantId": "t",
            "ConversationId": "c",
            "Revision": 1,
            "Evaluator": "E",
            "EvaluatorVersion": "1",
            "Judge": "",
            "Score": 0.5,
            "ScoredAt": dt.datetime(2026, 11, 20),  # noqa: DTZ001 - as the column has it
        }
        for _ in range(2):
            store.insert("scores", rows.table([score]))
        store.insert("scores", rows.table([{**score, "Score": 1.0, "ScoredAt": dt.datetime(2026, 11, 21)}]))  # noqa: DTZ001
        assert count(store, "scores") == (2, 1)
        assert store.rows("SELECT Score FROM scores FINAL") == [{"Score": 1.0}]


class TestAsk:
    def test_each_row_is_seen_as_it_stands_now(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request(CALLS)])
        lanes.close_everything()
        answer = lanes.store.ask("SELECT count() AS n, max(TrajectoryStep) AS last FROM otel_traces", "JSONEachRow")
        assert json.loads(answer) == {"n": 5, "last": 5}

    @pytest.mark.parametrize(
        "sql",
        [
            "DROP TABLE otel_traces",
            "TRUNCATE TABLE otel_traces",
            "ALTER TABLE otel_traces DELETE WHERE 1",
            "INSERT INTO schema_versions (Version) VALUES (7)",
            "CREATE TABLE x (a Int8) ENGINE = Memory",
            "OPTIMIZE TABLE otel_traces",
            "SET readonly = 0",
            "SELECT 1 SETTINGS readonly = 0",
            "SELECT 1; DROP TABLE otel_traces",
        ],
    )
    def test_nothing_can_be_written_and_later_questions_are_answered(self, lanes: Lanes, sql: str) -> None:
        lanes.ingest([trace_request(CALLS)])
        with pytest.raises(StoreError):
            lanes.store.ask(sql, "CSV")
        assert lanes.store.ask("SELECT count() FROM otel_traces", "CSV") == b"5\n"

    def test_what_asks_read_only_does_not_bind_the_lanes(self, lanes: Lanes) -> None:
        lanes.store.ask("SELECT 1", "CSV")
        lanes.ingest([trace_request(CALLS)])
        assert count(lanes.store, "otel_traces") == (5, 5)

    @pytest.mark.parametrize("sql", ["SELEC 1", "SELECT a FROM nowhere", "SELECT throwIf(1)", ""])
    def test_an_error_is_one_line_that_names_the_store_and_no_password(self, store: Store, url: str, sql: str) -> None:
        with pytest.raises(StoreError) as told:
            store.ask(sql, "CSV")
        shown = url.replace("writer:hunter2@", "")
        assert str(told.value).startswith(f"query on {shown}: ")
        assert "\n" not in str(told.value)
        assert "hunter2" not in str(told.value)

    @pytest.mark.parametrize(
        "fails", ["SELECT number, throwIf(number = 3000000) FROM numbers(9000000)", "SELECT 1; SELEC"]
    )
    def test_what_a_question_answered_before_it_failed_is_not_told_to_the_next(self, store: Store, fails: str) -> None:
        for _ in range(2):
            with pytest.raises(StoreError):
                store.ask(fails, "CSV")
            assert store.ask("SELECT 5", "CSV") == b"5\n"
            with pytest.raises(StoreError):
                store.rows(fails)
            assert store.rows("SELECT 6 AS n") == [{"n": 6}]

    def test_many_questions_at_once_get_their_own_answers(self, store: Store) -> None:
        wrong: list[str] = []

        def ask(number: int) -> None:
            for again in range(5):
                if number % 2:
                    with pytest.raises(StoreError):
                        store.ask("SELECT number, throwIf(number = 1000000) FROM numbers(9000000)", "CSV")
                elif store.ask(f"SELECT {number}, {again}", "CSV") != f"{number},{again}\n".encode():
                    wrong.append(f"{number} {again}")

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


class TestValues:
    @pytest.mark.parametrize(
        "value", ["it's", "\\", "'; DROP TABLE scores; --", "{tenant:String}", "a\tb\nc", "保険 🚗", ""]
    )
    def test_a_bound_value_is_a_value(self, store: Store, value: str) -> None:
        assert store.rows("SELECT {v:String} AS v", {"v": value}) == [{"v": value}]
        assert store.rows("SELECT {v:Array(String)} AS v", {"v": [value, "x"]}) == [{"v": [value, "x"]}]

    def test_a_moment_is_bound_in_utc(self, store: Store) -> None:
        found = store.rows("SELECT toUnixTimestamp({t:DateTime}) AS t", {"t": EPOCH})
        assert found == [{"t": int(EPOCH.timestamp())}]

    def test_text_and_nanoseconds_come_back_as_they_went_in(self, lanes: Lanes) -> None:
        told = {"text": "it's\t\\ 保険 🚗\x00 \n", "empty": ""}
        lanes.ingest([trace_request([FakeSpan(1, 1, 0.123456789, attributes=told)])])
        (row,) = lanes.rows(
            "SELECT SpanAttributes['text'] AS text, mapContains(SpanAttributes, 'empty') AS has, "
            "toUnixTimestamp64Nano(Timestamp) AS at FROM otel_traces"
        )
        assert row == {"text": told["text"], "has": 1, "at": int(EPOCH.timestamp()) * 10**9 + 123456789}

    def test_no_rows_are_no_insert(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([])])
        assert count(lanes.store, "otel_traces") == (0, 0)

    def test_a_column_that_is_not_there_is_a_store_error(self, store: Store) -> None:
        with pytest.raises(StoreError, match="insert into scores on "):
            store.insert("scores", rows.table([{"Nonsense": "x"}]))


class TestOpening:
    def test_opening_again_changes_nothing(self, lanes: Lanes, url: str) -> None:
        lanes.ingest([trace_request(CALLS)])
        applied = "SELECT * FROM schema_versions ORDER BY Version"
        versions = lanes.rows(applied)
        again = open_store(url)
        assert again.rows(applied) == versions
        again.close()
        assert count(lanes.store, "otel_traces") == (5, 5)


class TestEmbedded:
    def test_a_store_that_another_process_owns_is_told_as_held(self, tmp_path: Path) -> None:
        paths = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        owner = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-c", OPEN + 'print("open", flush=True); sys.stdin.read()', f"chdb://{tmp_path}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=paths,
        )
        with owner:
            assert owner.stdout is not None
            assert owner.stdout.readline() == "open\n"
            second = subprocess.run(  # noqa: S603 - ours
                [sys.executable, "-c", OPEN, f"chdb://{tmp_path}"],
                capture_output=True,
                text=True,
                env=paths,
                check=True,
            )
            owner.communicate()
        assert second.stdout.strip() == (
            f"held: chdb://{tmp_path} is held by another process; an embedded store has one owner at a time"
        )

    def test_held_is_a_kind_of_store_error(self) -> None:
        assert issubclass(StoreHeldError, StoreError)

    def test_a_path_that_is_a_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match="cannot use chdb://"):
            open_store(f"chdb://{tmp_path / 'file'}")


@pytest.fixture
def server(endpoint: Endpoint, lanes_over: Callable[[Store], Lanes]) -> Iterator[Lanes]:
    store = open_store(endpoint.url)
    yield lanes_over(store)
    store.close()


class TestFaults:
    def test_an_insert_without_an_answer_that_was_applied_is_stored_once_when_it_is_sent_again(
        self, endpoint: Endpoint, server: Lanes
    ) -> None:
        endpoint.fault("cut", INTO_SPANS)
        with pytest.raises(StoreError) as told:
            server.ingest([trace_request(CALLS)])
        assert count(server.store, "otel_traces") == (5, 5), "it was applied"
        assert "hunter2" not in str(told.value)
        server.ingest([trace_request(CALLS)])
        assert count(server.store, "otel_traces") == (5, 5)

    def test_an_insert_that_failed_after_it_was_applied_is_stored_once_when_it_is_sent_again(
        self, endpoint: Endpoint, server: Lanes
    ) -> None:
        endpoint.fault("error", INTO_SPANS, times=2)
        for _ in range(2):
            with pytest.raises(StoreError, match="Timeout exceeded"):
                server.ingest([trace_request(CALLS)])
        server.ingest([trace_request(CALLS)])
        assert count(server.store, "otel_traces") == (5, 5)

    def test_an_insert_that_is_refused_stores_nothing(self, endpoint: Endpoint, server: Lanes) -> None:
        endpoint.fault("refuse", INTO_SPANS)
        with pytest.raises(StoreError, match="insert into otel_traces on clickhouse://127"):
            server.ingest([trace_request(CALLS)])
        assert count(server.store, "otel_traces") == (0, 0)

    def test_an_insert_returns_no_sooner_than_it_is_answered(self, endpoint: Endpoint, server: Lanes) -> None:
        endpoint.fault("slow", INTO_SPANS)
        done = threading.Event()

        def ingest() -> None:
            server.ingest([trace_request(CALLS)])
            done.set()

        thread = threading.Thread(target=ingest)
        thread.start()
        assert not done.wait(0.5)
        endpoint.release()
        assert done.wait(20)
        thread.join()

    @pytest.mark.parametrize("kind", ["cut", "error", "refuse"])
    def test_a_sender_is_told_to_come_back_and_its_spans_are_stored_once(
        self, endpoint: Endpoint, server: Lanes, kind: str
    ) -> None:
        """The whole request lane: nothing is acknowledged by the first answer, everything by the second."""
        endpoint.fault(kind, INTO_SPANS)
        answers = asyncio.run(self._send_twice(server.store))
        assert [type(answer) for answer in answers] == [Busy, Outcome]
        assert count(server.store, "otel_traces") == (5, 5)

    async def _send_twice(self, store: Store) -> list[Any]:
        ingestion = Ingestion(store, IngestRules(), ManualClock())
        ingestion.start()
        answers: list[Any] = []
        for _ in range(2):
            try:
                answers.append(await ingestion(trace_request(CALLS), Signal.TRACES, Caller("http", {}, "")))
            except Busy as busy:
                answers.append(busy)
        await ingestion.stop()
        return answers

    @pytest.mark.parametrize("statement", ["INSERT INTO steps", "INSERT INTO conversations", "t.* REPLACE ("])
    def test_a_review_that_is_cut_is_done_by_the_next(self, endpoint: Endpoint, server: Lanes, statement: str) -> None:
        server.ingest([trace_request(CALLS)])
        endpoint.fault("cut", statement)
        with pytest.raises(StoreError):
            server.close_everything()
        server.close_everything()
        server.close_everything()
        assert [row["Revision"] for row in server.rows("SELECT Revision FROM conversations FINAL")] == [1]
        steps = server.rows("SELECT TrajectoryStep FROM otel_traces FINAL ORDER BY Timestamp")
        assert [row["TrajectoryStep"] for row in steps] == [1, 2, 3, 4, 5]


class TestAway:
    def test_a_server_that_is_not_there_is_told_without_the_password(self, own_endpoint: Endpoint) -> None:
        own_endpoint.kill()
        with pytest.raises(StoreError) as told:
            open_store(own_endpoint.url)
        assert str(told.value).startswith(f"cannot reach clickhouse://127.0.0.1:{own_endpoint.port}/default: ")
        assert "hunter2" not in str(told.value)

    def test_a_server_that_goes_away_is_told_by_every_method(self, own_endpoint: Endpoint) -> None:
        store = open_store(own_endpoint.url)
        own_endpoint.kill()
        table = rows.table([{"Version": 7}])
        for attempt in (
            lambda: store.rows("SELECT 1"),
            lambda: store.command("SELECT 1"),
            lambda: store.ask("SELECT 1", "CSV"),
            lambda: store.insert("schema_versions", table),
        ):
            with pytest.raises(StoreError) as told:
                attempt()
            assert f"on clickhouse://127.0.0.1:{own_endpoint.port}/default: " in str(told.value)
            assert "hunter2" not in str(told.value)
        store.close()
