"""What is counted of both lanes, and what is read from the ledger, on the real engine."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import pytest

from spanwitness.errors import Rejected, StoreError
from spanwitness.evaluators import BUNDLE, Bundle
from spanwitness.metrics import Meters, names
from spanwitness.pipeline import Ingestion, IngestRules, MeasuredStore, Measures, ReviewRules, Sweep
from spanwitness.receive import Caller, Signal
from spanwitness.testing import EPOCH, ManualClock, chat, trace_request
from tests.conftest import Lanes, requests_of

if TYPE_CHECKING:
    from spanwitness.store import Store

MOST = 2000
SLOT = ("acme", "claims", "", "llm")
A, B = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"
# Ten thousand slots, each used a second after the last, each with a swap, of which every third is a page.
_SLOTS = """(SELECT number, concat('service-', toString(number)) AS service,
                   toDateTime64('2026-11-20 12:00:00', 9) + number AS at FROM numbers(10000))"""
_MANY_SLOTS = (
    f"""INSERT INTO model_versions
        SELECT 'acme', service, 'triage', 'llm', 'openai/a', at, at, 1, 1, 1, now64(3), 0 FROM {_SLOTS}""",
    f"""INSERT INTO model_uses (TenantId, ServiceName, AgentName, StepKind, ConversationId, ModelVersion, FirstAt,
                                Calls)
        SELECT 'acme', service, 'triage', 'llm', concat('conv-', toString(number)), 'openai/a', at, 1 FROM {_SLOTS}""",
    f"""INSERT INTO model_swaps (TenantId, ServiceName, AgentName, StepKind, Class, FromVersion, ToVersion, Occurrence,
                                 FirstSeenAt, Severity)
        SELECT 'acme', service, 'triage', 'llm', 'version', 'openai/b', 'openai/a', 1, at,
               ['info', 'warning', 'page'][number % 3 + 1] FROM {_SLOTS}""",
)


@pytest.fixture
def meters() -> Meters:
    return Meters()


@pytest.fixture
def measured(store: Store, meters: Meters) -> Lanes:
    return Lanes(MeasuredStore(store, meters))


@pytest.fixture
def measures(measured: Lanes, meters: Meters) -> Measures:
    return Measures(measured.store, meters, MOST)


class Seconds:
    """A clock on which everything takes `each` seconds."""

    def __init__(self, each: float) -> None:
        self.each = each
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self.each
        return self.now


def talk(lanes: Lanes, served: str, first: int, count: int) -> None:
    """Conversations of one call each, a second apart."""
    spans = [chat(number, 1, float(number), f"conv-{number}", served=served) for number in range(first, first + count)]
    lanes.ingest([trace_request(spans)])


def test_what_a_capture_leaves_in_the_store_is_what_is_counted(measured: Lanes, meters: Meters) -> None:
    measured.ingest_all(requests_of("genai_openai_events"))
    swept = measured.close_everything()
    for signal, table in (("traces", "otel_traces"), ("logs", "otel_logs")):
        (row,) = measured.rows(f"SELECT toUInt32(count()) AS n FROM {table} FINAL")
        assert meters.values(names.ACCEPTED)[signal,] == row["n"] > 0
    assert meters.values(names.CLOSED) == {("idle",): swept.closed}
    assert meters.values(names.REVISED) == {}
    scored = measured.rows(
        "SELECT Evaluator, Status, toUInt32(count()) AS n FROM scores FINAL GROUP BY Evaluator, Status"
    )
    assert meters.values(names.SCORES) == {(row["Evaluator"], row["Status"]): row["n"] for row in scored}
    means = measured.rows("SELECT Evaluator, sum(Score) AS total FROM scores FINAL WHERE Score IS NOT NULL GROUP BY 1")
    spreads = meters.spreads(names.SCORE)
    assert {labels[0]: pytest.approx(spread[-1]) for labels, spread in spreads.items()} == {
        row["Evaluator"]: row["total"] for row in means
    }


def test_a_score_below_its_threshold_is_counted(store: Store, meters: Meters) -> None:
    strict = ReviewRules(bundle=Bundle(BUNDLE.evaluators, {"ConversationResolution": 0.9}))
    lanes = Lanes(MeasuredStore(store, meters), review_rules=strict)
    lanes.ingest_all(requests_of("genai_openai_handler"))
    lanes.close_everything()
    assert lanes.rows("SELECT Evaluator, toUInt32(count()) AS n FROM scores FINAL WHERE Passed = 0 GROUP BY 1") == [
        {"Evaluator": "ConversationResolution", "n": 1}
    ]
    assert meters.values(names.BELOW) == {("ConversationResolution",): 1.0}


def test_a_late_span_revises(measured: Lanes, meters: Meters) -> None:
    talk(measured, A, 1, 1)
    measured.close_everything()
    measured.ingest([trace_request([chat(1, 2, 3.0, "conv-1")])])
    measured.close_everything()
    assert meters.values(names.CLOSED) == {("idle",): 1.0}
    assert meters.values(names.REVISED) == {(): 1.0}


def test_an_insert_is_timed_and_counted(store: Store, meters: Meters) -> None:
    talk(Lanes(MeasuredStore(store, meters, Seconds(0.5))), A, 1, 11)
    assert meters.spreads(names.BATCH_ITEMS) == {("traces",): [0, 1, 0, 0, 0, 11]}
    assert meters.spreads(names.BATCH_SECONDS) == {("traces",): [0, 0, 0, 0, 1, 0, 0, 0, 0.5]}


def test_what_the_store_refuses_is_counted_and_raised(measured: Lanes, meters: Meters) -> None:
    with pytest.raises(StoreError):
        measured.store.rows("SELECT * FROM nowhere")
    with pytest.raises(StoreError):
        measured.store.command("TRUNCATE TABLE nowhere")
    assert meters.values(names.STORE_ERRORS) == {("query",): 2.0}


def test_a_users_question_that_is_wrong_is_no_error_of_the_store(measured: Lanes, meters: Meters) -> None:
    with pytest.raises(StoreError):
        measured.store.ask("SELECT * FROM nowhere", "JSONEachRow")
    assert meters.values(names.STORE_ERRORS) == {}


async def _sent(ingestion: Ingestion, body: bytes) -> None:
    ingestion.start()
    try:
        await ingestion(body, Signal.TRACES, Caller("grpc", {}, ""))
    finally:
        await ingestion.stop()


def test_a_span_that_breaks_the_rules_is_counted_as_rejected(store: Store, meters: Meters) -> None:
    body = trace_request([chat(1, 0)])  # a span id that is all zero
    ingestion = Ingestion(MeasuredStore(store, meters), IngestRules(), ManualClock(), meters=meters)
    with pytest.raises(Rejected):
        asyncio.run(_sent(ingestion, body))
    assert meters.values(names.REJECTED) == {("traces", "invalid"): 1.0}
    assert meters.values(names.BYTES) == {("grpc", "traces"): len(body)}
    assert meters.values(names.ACCEPTED) == {}


def test_answers_are_told_apart_by_what_the_sender_does_next(measures: Measures, meters: Meters) -> None:
    for transport, code in (("grpc", "OK"), ("grpc", "UNAVAILABLE"), ("http", "503"), ("http", "413"), ("http", "200")):
        measures.answered(transport, "traces", code)
    assert {labels[2:] for labels in meters.values(names.REQUESTS)} == {
        ("accepted", "OK"),
        ("accepted", "200"),
        ("busy", "UNAVAILABLE"),
        ("busy", "503"),
        ("refused", "413"),
    }


def test_a_sweep_is_timed_and_tells_what_it_left_open(measured: Lanes, meters: Meters) -> None:
    measures = Measures(measured.store, meters, MOST, Seconds(2.0))
    measures.begin(EPOCH)
    assert meters.values(names.SWEEP_SUCCESS) == {(): EPOCH.timestamp()}
    talk(measured, A, 1, 3)
    measures.sweep(measured.review, measured.clock)
    assert meters.values(names.OPEN) == {(): 3.0}
    measured.clock.advance(hours=1)
    measures.sweep(measured.review, measured.clock)
    assert meters.values(names.OPEN) == {(): 0.0}
    assert meters.values(names.SWEEP_SUCCESS) == {(): measured.clock().timestamp()}
    assert meters.spreads(names.SWEEP_SECONDS)[()] == [0, 0, 0, 2, 0, 0, 0, 0, 4.0]


def test_a_sweep_that_fails_is_counted_and_is_no_success(measured: Lanes, measures: Measures, meters: Meters) -> None:
    def fails() -> Sweep:
        raise StoreError("away")

    measures.begin(EPOCH)
    measured.clock.advance(minutes=1)
    with pytest.raises(StoreError):
        measures.sweep(fails, measured.clock)
    assert meters.values(names.SWEEP_FAILURES) == {(): 1.0}
    assert meters.values(names.SWEEP_SUCCESS) == {(): EPOCH.timestamp()}


def test_closing_one_conversation_says_nothing_of_the_others(
    measured: Lanes, measures: Measures, meters: Meters
) -> None:
    measures.sweep(lambda: Sweep(closed=1), measured.clock)
    assert meters.values(names.OPEN) == {}


def test_a_swap_is_told_while_it_stands_and_with_the_shares_of_the_last_fifty(
    measured: Lanes, measures: Measures, meters: Meters
) -> None:
    talk(measured, A, 1, 60)
    talk(measured, B, 61, 20)
    measured.clock.advance(hours=1)
    measures.sweep(measured.review, measured.clock)
    swap = next(labels for labels in meters.values(names.STANDING) if labels[4] == "version")
    assert swap[:7] == (*SLOT, "version", "page", "false")
    assert swap[8:] == (f"openai/{A}", f"openai/{B}")
    key = ("acme", swap[7])
    assert meters.values(names.SWAP_CONVERSATIONS)[key] == 20.0
    assert meters.values(names.SWAP_FIRST_SEEN)[key] == EPOCH.timestamp() + 61
    assert meters.values(names.SWAP_SHARE)[key] == pytest.approx(0.4)
    assert meters.values(names.DETECTED)["version", "page"] == 1.0
    assert meters.values(names.VERSION_SHARE) == {(*SLOT, f"openai/{A}"): 0.6, (*SLOT, f"openai/{B}"): 0.4}
    assert meters.values(names.VERIFIED_SHARE) == {SLOT: 1.0}
    assert meters.values(names.LEDGER_READ) == {(): measured.clock().timestamp()}

    measured.store.command(
        "ALTER TABLE model_swaps UPDATE EndedAt = FirstSeenAt + 100 WHERE 1 SETTINGS mutations_sync = 2"
    )
    measures.refresh(measured.clock.advance(minutes=1))
    assert meters.values(names.STANDING) == {}
    assert meters.values(names.SWAP_INFO) == {}


def test_ten_thousand_slots_stay_within_the_bound(measured: Lanes, measures: Measures, meters: Meters) -> None:
    for statement in _MANY_SLOTS:
        measured.store.command(statement)
    measures.refresh(EPOCH)
    assert len(meters.values(names.VERSION_SHARE)) == len(meters.values(names.STANDING)) == MOST
    assert {labels[5] for labels in meters.values(names.STANDING)} == {"page"}  # 3,333 of them: nothing less is told
    assert meters.values(names.SLOTS) == {(): 10_000.0}
    assert set(meters.values(names.DROPPED).values()) == {8_000.0}
    told = {labels[1] for labels in meters.values(names.VERIFIED_SHARE)}
    assert told == {f"service-{number}" for number in range(8_000, 10_000)}  # those in use last


def test_the_ledger_is_read_after_a_change_and_now_and_then(measures: Measures, meters: Meters) -> None:
    def read_at(moment: dt.datetime, *, changed: bool) -> float:
        measures.refresh(moment, changed=changed)
        return meters.values(names.LEDGER_READ)[()] - EPOCH.timestamp()

    assert read_at(EPOCH, changed=False) == 0  # the first time in any case
    assert read_at(EPOCH + dt.timedelta(seconds=29), changed=False) == 0
    assert read_at(EPOCH + dt.timedelta(seconds=29), changed=True) == 29
    assert read_at(EPOCH + dt.timedelta(seconds=58), changed=False) == 29
    assert read_at(EPOCH + dt.timedelta(seconds=59), changed=False) == 59


def test_shares_are_read_seldom_enough_to_cost_a_twentieth_of_the_time(measured: Lanes, meters: Meters) -> None:
    measures = Measures(measured.store, meters, MOST, Seconds(1.0))  # reading takes a second
    measures.refresh(EPOCH)
    talk(measured, A, 1, 1)
    measured.close_everything()
    measures.refresh(EPOCH + dt.timedelta(seconds=19))
    assert meters.values(names.SLOTS) == {(): 0.0}
    measures.refresh(EPOCH + dt.timedelta(seconds=20))
    assert meters.values(names.SLOTS) == {(): 1.0}


def test_what_cannot_be_read_is_told_as_it_was(store: Store, meters: Meters) -> None:
    class Away(MeasuredStore):
        away = False

        def rows(self, sql: str, parameters: object = None) -> list[dict[str, object]]:
            if self.away:
                raise StoreError("query on clickhouse://there: away")
            return super().rows(sql, parameters)  # type: ignore[arg-type]

    opened = Away(store, meters)
    lanes = Lanes(opened)
    measures = Measures(opened, meters, MOST)
    talk(lanes, A, 1, 10)
    talk(lanes, B, 11, 10)
    lanes.close_everything()
    measures.refresh(EPOCH)
    standing = meters.values(names.STANDING)
    opened.away = True
    measures.refresh(EPOCH + dt.timedelta(minutes=1))
    assert meters.values(names.STANDING) == standing != {}
    assert meters.values(names.LEDGER_READ) == {(): EPOCH.timestamp()}


def test_where_nobody_asks_the_ledger_is_not_read(measured: Lanes, meters: Meters) -> None:
    measures = Measures(measured.store, meters, 0)
    measures.sweep(lambda: Sweep(closed=1), measured.clock)
    assert meters.values(names.LEDGER_READ) == {}
    assert meters.values(names.SLOTS) == {}


def test_the_watch_for_disguised_swaps_is_told_by_phase(measured: Lanes, measures: Measures, meters: Meters) -> None:
    measured.store.command(
        "INSERT INTO drift_states (TenantId, ServiceName, AgentName, StepKind, ModelVersion, Phase) VALUES "
        "('acme', 'a', '', 'llm', 'x', 'learning'), ('acme', 'b', '', 'llm', 'x', 'learning'), "
        "('acme', 'c', '', 'llm', 'x', 'alarmed')"
    )
    measures.refresh(EPOCH)
    assert meters.values(names.DRIFT) == {("learning",): 2.0, ("watching",): 0.0, ("alarmed",): 1.0}
