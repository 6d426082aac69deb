"""When a conversation is closed, what is closed again, and what a crash in the middle leaves behind: nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.close import ClosePolicy
from spanwitness.errors import StoreError
from spanwitness.evaluators import BUNDLE
from spanwitness.pipeline import Review, ReviewRules
from spanwitness.receive import Signal
from spanwitness.store import Store
from spanwitness.testing import EPOCH, FakeSpan, chat, log_request, tool, trace_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from tests.conftest import Lanes, Requests

    Reader = Callable[[str], Requests]

ENDED = {"spanwitness.conversation.ended": True}
MINI = "gpt-4o-mini-2024-07-18"


def revisions(lanes: Lanes) -> list[tuple[str, int, int, str]]:
    rows = lanes.rows(
        "SELECT ConversationId, Revision, Steps, CloseReason FROM conversations FINAL ORDER BY ConversationId, Revision"
    )
    return [(row["ConversationId"], row["Revision"], row["Steps"], row["CloseReason"]) for row in rows]


def scored(lanes: Lanes) -> dict[tuple[str, int], int]:
    rows = lanes.rows("SELECT ConversationId, Revision, count() AS n FROM scores FINAL GROUP BY ALL ORDER BY ALL")
    return {(row["ConversationId"], row["Revision"]): row["n"] for row in rows}


def numbered(lanes: Lanes) -> list[tuple[str, int]]:
    rows = lanes.rows("SELECT ConversationId, TrajectoryStep FROM otel_traces FINAL ORDER BY Timestamp, SpanId")
    return [(row["ConversationId"], row["TrajectoryStep"]) for row in rows]


class TestClosing:
    def test_silence_closes_and_not_a_second_earlier(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "c")])])
        assert lanes.review(lanes.clock.now + dt.timedelta(minutes=14, seconds=59)).closed == 0
        assert lanes.review(lanes.clock.now + dt.timedelta(minutes=15)).closed == 1
        assert revisions(lanes) == [("c", 1, 1, "idle")]

    def test_silence_counts_from_what_arrived_last(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "c")])])
        lanes.clock.advance(minutes=10)
        lanes.ingest([trace_request([chat(2, 1, 600, "c")])])
        assert lanes.review(lanes.clock.advance(minutes=10)).closed == 0
        assert lanes.review(lanes.clock.advance(minutes=5)).closed == 1
        assert revisions(lanes) == [("c", 1, 2, "idle")]

    def test_an_explicit_end_closes_after_its_grace(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "c"), FakeSpan(1, 2, 1, attributes=ENDED)])])
        assert lanes.review(lanes.clock.advance(seconds=9)).closed == 0
        assert lanes.review(lanes.clock.advance(seconds=1)).closed == 1
        assert revisions(lanes) == [("c", 1, 1, "ended")]

    def test_spans_of_the_moment_of_the_end_still_belong_to_it(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "c", attributes=ENDED)])])
        lanes.clock.advance(seconds=8)
        lanes.ingest([trace_request([chat(1, 2, 1, "c")])])
        assert lanes.review(lanes.clock.advance(seconds=8)).closed == 0
        assert lanes.review(lanes.clock.advance(seconds=2)).closed == 1
        assert revisions(lanes) == [("c", 1, 2, "ended")]

    def test_a_voice_session_that_says_it_closed_is_closed_after_the_grace(self, lanes: Lanes, capture: Reader) -> None:
        lanes.ingest_all(capture("livekit_voice"))
        assert lanes.review(lanes.clock.advance(seconds=9)).closed == 0
        assert lanes.review(lanes.clock.advance(seconds=1)).closed == 4
        assert {reason for _, _, _, reason in revisions(lanes)} == {"ended"}

    def test_a_conversation_that_never_falls_silent_is_closed_at_its_age(self, lanes: Lanes) -> None:
        for number in range(1, 27):
            lanes.ingest([trace_request([chat(number, 1, number * 3600, "c")])])
            lanes.clock.advance(minutes=55)
            closed = lanes.review(lanes.clock.now - dt.timedelta(minutes=50)).closed
            lanes.clock.advance(minutes=5)
            assert closed == (number == 25), f"after {number} hours"
        assert revisions(lanes) == [("c", 1, 25, "max_age")]

    def test_idle_times_of_a_channel_and_a_tenant_go_first(self, lanes: Lanes) -> None:
        minute = dt.timedelta(minutes=1)
        lanes.review_rules = ReviewRules(
            ClosePolicy(idle_by_channel={"voice": minute}, idle_by_tenant={"slow": 60 * minute})
        )
        voice = chat(1, 1, 0, "v", attributes={"spanwitness.channel": "voice"})
        lanes.ingest(
            [trace_request([voice, chat(2, 1, 0, "chat")]), trace_request([replace(voice, trace=3)], tenant="slow")]
        )
        assert lanes.review(lanes.clock.advance(minutes=1)).closed == 1
        assert lanes.review(lanes.clock.advance(minutes=14)).closed == 1
        assert lanes.review(lanes.clock.advance(minutes=44)).closed == 0
        assert lanes.review(lanes.clock.advance(minutes=1)).closed == 1

    def test_one_conversation_is_closed_on_request_and_the_others_stay_open(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "c"), chat(2, 1, 0, "other")])])
        lanes.ingestion.flush()
        review = Review(lanes.store, ReviewRules())
        assert review.close_one("c", lanes.clock()).closed == 1
        assert review.close_one("c", lanes.clock()).closed == 0
        assert review.close_one("nobody", lanes.clock()).closed == 0
        assert revisions(lanes) == [("c", 1, 1, "requested")]

    def test_a_trace_that_names_no_conversation_is_one_under_its_own_id(self, lanes: Lanes) -> None:
        span = chat(1, 1)
        lanes.ingest([trace_request([span])])
        lanes.close_everything()
        (row,) = lanes.rows("SELECT ConversationId, ConversationIdSource FROM conversations FINAL")
        assert row == {"ConversationId": span.trace_id, "ConversationIdSource": "trace"}

    def test_a_trace_without_a_step_is_no_conversation_and_is_looked_at_once(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([FakeSpan(1, 1, 0, "c")])])
        lanes.close_everything()
        assert revisions(lanes) == []
        swept = lanes.close_everything()
        assert (swept.closed, swept.unchanged) == (0, 0)

    def test_two_tenants_with_the_same_conversation_id_stay_apart(self, lanes: Lanes) -> None:
        mine, theirs = chat(1, 1, 0, "c"), [chat(2, 1, 0, "c"), tool(2, 2, 1, "c")]
        lanes.ingest([trace_request([mine], tenant="a"), trace_request(theirs, tenant="b")])
        lanes.close_everything()
        rows = lanes.rows("SELECT TenantId, Steps, Revision FROM conversations FINAL ORDER BY TenantId")
        assert [(row["TenantId"], row["Steps"], row["Revision"]) for row in rows] == [("a", 1, 1), ("b", 2, 1)]

    def test_two_tenants_with_the_same_trace_and_span_ids_stay_apart(self, lanes: Lanes) -> None:
        span = chat(1, 1, 0, "c")
        lanes.ingest([trace_request([span], tenant="a"), trace_request([span], tenant="b")])
        lanes.review_rules = ReviewRules(ClosePolicy(idle_by_tenant={"b": dt.timedelta(days=1)}))
        assert lanes.close_everything().closed == 1
        rows = lanes.rows("SELECT TenantId, TrajectoryStep FROM otel_traces FINAL ORDER BY TenantId")
        assert [(row["TenantId"], row["TrajectoryStep"]) for row in rows] == [("a", 1), ("b", 0)]


class TestLateSpans:
    def test_a_late_step_gives_a_new_revision_and_the_earlier_one_stays(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "c"), chat(1, 3, 2, "c")])])
        lanes.close_everything()
        before = lanes.rows("SELECT * FROM steps FINAL ORDER BY Step")
        lanes.ingest([trace_request([tool(1, 2, 1, "c")])])
        swept = lanes.close_everything()

        assert (swept.closed, swept.revised) == (0, 1)
        assert revisions(lanes) == [("c", 1, 2, "idle"), ("c", 2, 3, "idle")]
        assert lanes.rows("SELECT * FROM steps FINAL WHERE Revision = 1 ORDER BY Step") == before
        assert scored(lanes) == {("c", 1): len(BUNDLE.evaluators), ("c", 2): len(BUNDLE.evaluators)}
        assert numbered(lanes) == [("c", 1), ("c", 2), ("c", 3)]
        (latest,) = lanes.rows("SELECT Revision, ToolCalls FROM conversations_latest")
        assert latest == {"Revision": 2, "ToolCalls": 1}
        assert len(lanes.rows("SELECT * FROM steps_latest")) == 3
        assert len(lanes.rows("SELECT * FROM scores_latest")) == len(BUNDLE.evaluators)

    def test_a_late_trace_of_a_closed_conversation_reopens_it(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "c")])])
        lanes.close_everything()
        lanes.ingest([trace_request([chat(2, 1, 10, "c")])])
        lanes.close_everything()
        assert revisions(lanes) == [("c", 1, 1, "idle"), ("c", 2, 2, "idle")]
        assert numbered(lanes) == [("c", 1), ("c", 2)]

    def test_a_late_container_is_settled_and_is_no_revision(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 1, "c", parent=9)])])
        lanes.close_everything()
        before = lanes.record("conversations", "steps", "scores", "model_versions", "model_swaps")
        lanes.ingest([trace_request([FakeSpan(1, 9, 0, "")])])
        swept = lanes.close_everything()

        assert (swept.closed, swept.revised, swept.unchanged) == (0, 0, 1)
        assert lanes.record("conversations", "steps", "scores", "model_versions", "model_swaps") == before
        assert numbered(lanes) == [("c", 0), ("c", 1)]

    def test_a_replay_after_the_close_changes_nothing(self, lanes: Lanes, capture: Reader) -> None:
        requests = capture("genai_openai_agents")
        lanes.ingest_all(requests)
        lanes.close_everything()
        before = lanes.record()
        lanes.ingest_all(requests[3:] + requests[:3])
        assert lanes.record("otel_traces") == {"otel_traces": before["otel_traces"]}, "settled rows outrank the replay"
        swept = lanes.close_everything()
        assert (swept.closed, swept.revised) == (0, 0)
        assert lanes.record() == before

    def test_a_replay_in_part_changes_nothing(self, lanes: Lanes) -> None:
        first, second = chat(1, 1, 0, "c"), tool(1, 2, 1, "c")
        lanes.ingest([trace_request([first, second])])
        lanes.close_everything()
        before = lanes.record()
        lanes.ingest([trace_request([second])])
        lanes.close_everything()
        assert lanes.record() == before

    def test_a_late_log_record_is_read_with_the_spans_it_belongs_to(self, lanes: Lanes, capture: Reader) -> None:
        requests = capture("openai_v2_legacy")
        lanes.ingest_all([request for request in requests if request[0] is Signal.TRACES])
        lanes.close_everything()
        assert {reason for _, revision, _, reason in revisions(lanes) if revision == 1} == {"idle"}
        lanes.ingest_all([request for request in requests if request[0] is Signal.LOGS])
        assert lanes.close_everything().revised == 4
        turns = lanes.rows("SELECT Turns, ToolCalls FROM conversations_latest ORDER BY StartedAt")
        assert [(row["Turns"], row["ToolCalls"]) for row in turns] == [(4, 2), (4, 3), (4, 2), (4, 2)]

    def test_a_log_record_that_belongs_to_no_span_is_no_conversation(self, lanes: Lanes) -> None:
        lanes.ingest([log_request("hello", trace=5, span=5)], Signal.LOGS)
        lanes.close_everything()
        assert revisions(lanes) == []
        assert lanes.close_everything().unchanged == 0

    def test_the_root_that_names_the_conversation_may_come_after_the_close(self, lanes: Lanes) -> None:
        call = chat(1, 1, 1, parent=9)
        lanes.ingest([trace_request([call, chat(2, 1, 50, "c")])])
        lanes.close_everything()
        assert revisions(lanes) == [(call.trace_id, 1, 1, "idle"), ("c", 1, 1, "idle")]
        lanes.ingest([trace_request([FakeSpan(1, 9, 0, "c")])])
        lanes.close_everything()

        assert revisions(lanes) == [
            (call.trace_id, 1, 1, "idle"),
            (call.trace_id, 2, 0, "moved"),
            ("c", 1, 1, "idle"),
            ("c", 2, 2, "idle"),
        ]
        (moved,) = lanes.rows(
            f"SELECT * FROM conversations FINAL WHERE ConversationId = '{call.trace_id}' AND Revision = 2"
        )
        assert (moved["Outcome"], list(moved["TraceIds"])) == ("moved to c", [])
        assert numbered(lanes) == [("c", 0), ("c", 1), ("c", 2)]
        assert lanes.rows(f"SELECT * FROM steps_latest WHERE ConversationId = '{call.trace_id}'") == []

    def test_what_a_swap_rests_on_follows_what_arrives_later(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "c1"), chat(2, 1, 60, "c2", served=MINI)])])
        lanes.close_everything()
        lanes.ingest([trace_request([chat(2, 2, 61, "c2", served=MINI)])])
        lanes.close_everything()
        (swap,) = lanes.rows("SELECT Evidence FROM model_swaps FINAL WHERE Withdrawn = 0 AND Class = 'version'")
        assert '"calls_in_first_conversation":2' in swap["Evidence"]

    def test_a_better_id_moves_one_trace_out_of_a_conversation_that_keeps_the_others(self, lanes: Lanes) -> None:
        session = {"session.id": "s"}
        lanes.ingest([trace_request([chat(1, 1, 1, attributes=session, parent=9), chat(2, 1, 50, attributes=session)])])
        lanes.close_everything()
        assert revisions(lanes) == [("s", 1, 2, "idle")]
        lanes.ingest([trace_request([FakeSpan(1, 9, 0, "c")])])
        lanes.close_everything()
        assert [entry[:3] for entry in revisions(lanes)] == [("c", 1, 1), ("s", 1, 2), ("s", 2, 1)]
        assert numbered(lanes) == [("c", 0), ("c", 1), ("s", 1)]

    def test_a_step_whose_agent_is_told_later_leaves_no_trace_in_the_other_slot(self, lanes: Lanes) -> None:
        calls = [chat(1, 1, 1, "a", parent=9), chat(2, 1, 50, "b", served=MINI, parent=9)]
        lanes.ingest([trace_request(calls)])
        lanes.close_everything()
        assert {row["AgentName"] for row in lanes.record("model_swaps")["model_swaps"]} == {""}
        named = {"gen_ai.agent.name": "claims"}
        lanes.ingest([trace_request([FakeSpan(number, 9, at, attributes=named) for number, at in ((1, 0), (2, 49))])])
        lanes.close_everything()
        for table in ("model_versions", "model_swaps"):
            assert {row["AgentName"] for row in lanes.record(table)[table]} == {"claims"}


class FailingStore(Store):
    """A store whose `fails_at`th write fails: before anything of it was stored, or after all of it was."""

    def __init__(self, store: Store, fails_at: int, *, applied: bool) -> None:
        self._store = store
        self._left = fails_at
        self._applied = applied

    def insert(self, table: str, rows: pa.Table, token: str = "") -> None:
        self._written(lambda: self._store.insert(table, rows, token))

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        self._written(lambda: self._store.command(sql, parameters))

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        return self._store.arrow(sql, parameters)

    def _written(self, write: Callable[[], None]) -> None:
        self._left -= 1
        if self._left or self._applied:
            write()
        if not self._left:
            raise StoreError("killed here")


def swapped(lanes: Lanes) -> None:
    """Three conversations, the last two answered by another model; nothing closed yet."""
    spans = [
        chat(1, 1, 0, "a"),
        tool(1, 2, 1, "a"),
        chat(2, 1, 100, "b", served=MINI, parent=9),
        chat(3, 1, 200, served=MINI, parent=9),
    ]
    lanes.ingest([trace_request(spans)])


def moved(lanes: Lanes) -> None:
    """The same, closed; and then the spans that name an agent and the conversation of the third trace."""
    swapped(lanes)
    lanes.close_everything()
    named = {"gen_ai.agent.name": "claims"}
    late = [FakeSpan(2, 9, 99, attributes=named), FakeSpan(3, 9, 199, "b", attributes=named), tool(1, 3, 2, "a")]
    lanes.ingest([trace_request(late)])


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("prepare", [swapped, moved])
def test_killed_at_any_write_the_next_sweep_makes_the_same_record(
    lanes: Lanes, prepare: Callable[[Lanes], None], applied: bool
) -> None:
    prepare(lanes)
    lanes.close_everything()
    undisturbed = lanes.record()

    for fails_at in range(1, 100):
        lanes.clear()
        prepare(lanes)
        lanes.ingestion.flush()
        now = lanes.clock.advance(hours=1)
        try:
            Review(FailingStore(lanes.store, fails_at, applied=applied), ReviewRules()).sweep(now)
        except StoreError:
            lanes.review(now + dt.timedelta(seconds=5))
            assert lanes.record() == undisturbed, f"killed at write {fails_at}"
        else:
            assert fails_at > 7, "there are fewer writes than thought"
            assert lanes.record() == undisturbed
            return
    pytest.fail("no end of writes")


def test_a_sweep_that_is_done_twice_at_once_is_done_once(lanes: Lanes) -> None:
    """Two replicas with the same share: the second starts before the first has said that it is done."""
    swapped(lanes)
    lanes.close_everything()
    undisturbed = lanes.record()
    lanes.clear()
    swapped(lanes)
    lanes.ingestion.flush()
    now = lanes.clock.advance(hours=1)
    last_write = 8
    with pytest.raises(StoreError):
        Review(FailingStore(lanes.store, last_write, applied=False), ReviewRules()).sweep(now)
    for _ in range(2):
        lanes.review(now)
    assert lanes.record() == undisturbed


@pytest.mark.parametrize("name", ["oi_langgraph", "livekit_voice", "genai_openai_events"])
def test_small_chunks_make_the_same_record(name: str, lanes: Lanes, capture: Reader) -> None:
    lanes.ingest_all(capture(name))
    lanes.close_everything()
    whole = lanes.record()
    lanes.clear()
    lanes.review_rules = ReviewRules(chunk_spans=10)
    lanes.ingest_all(capture(name))
    lanes.close_everything()
    assert lanes.record() == whole


def test_progress_is_told_chunk_by_chunk(lanes: Lanes) -> None:
    lanes.ingest([trace_request([chat(number, 1, number, f"c{number}") for number in range(1, 5)])])
    lanes.ingestion.flush()
    told: list[tuple[int, int]] = []
    rules = ReviewRules(chunk_spans=2)
    Review(lanes.store, rules).close_all(EPOCH, "import", progress=lambda done, total: told.append((done, total)))
    assert told == [(2, 4), (4, 4)]


class TestAfterACrash:
    def test_what_was_stored_and_not_indexed_is_caught_up_with(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 1, "c", parent=9), FakeSpan(1, 9, 0)])])
        lanes.restart()
        assert lanes.close_everything().closed == 0
        lanes.ingestion.index.catch_up(lanes.clock())
        assert lanes.close_everything().closed == 1
        assert numbered(lanes) == [("c", 0), ("c", 1)]

    def test_catching_up_with_what_is_settled_changes_nothing(self, lanes: Lanes, capture: Reader) -> None:
        lanes.ingest_all(capture("genai_openai_events"))
        lanes.close_everything()
        before = lanes.record()
        for _ in range(2):
            lanes.restart()
            lanes.ingestion.index.catch_up(lanes.clock())
            swept = lanes.close_everything()
            assert (swept.closed, swept.revised) == (0, 0)
        assert lanes.record() == before


def test_in_a_hurry_what_is_left_stays_open(lanes: Lanes) -> None:
    lanes.ingest([trace_request([chat(number, 1, number, f"c-{number}") for number in range(3)])])
    assert lanes.review().closed == 0
    now = lanes.clock.advance(hours=1)
    review = Review(lanes.store, ReviewRules(chunk_spans=1))
    swept = review.sweep(now, lambda _done, _all: review.hurry())
    assert (swept.closed, swept.waiting) == (1, 0)
    assert Review(lanes.store, ReviewRules()).sweep(now).closed == 2
