"""Scores after their conversation has closed: each at least once, over whatever ends a process."""

from __future__ import annotations

import asyncio
import datetime as dt
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from spanwitness.errors import Busy, Rejected, StoreError
from spanwitness.evaluators import BUNDLE
from spanwitness.forward.direct import Direct
from spanwitness.model import Conversation, JudgeUse, Score
from spanwitness.pipeline import Review, ReviewRules, ScoreForwarding
from spanwitness.store import onward
from spanwitness.store.rows import score_row
from spanwitness.store.scores import insert_scores
from spanwitness.testing import EPOCH, FakeSpan, chat, trace_request
from tests.forward.conftest import MemoryHop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.model import Status
    from tests.conftest import Lanes


class Outbox:
    """Scores on their way, over a store that is really there."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.hop = MemoryHop()
        self.traces = count(10)
        self.restart()

    def restart(self) -> None:
        """Another process takes over."""
        self.scores = ScoreForwarding(self.lanes.store, self.onward(), self.lanes.clock, together=2)
        self.scores.begin()

    def onward(self) -> Direct:
        direct = Direct(lambda: self.hop)
        asyncio.run(direct.start())
        return direct

    def run(self) -> int:
        return asyncio.run(self.scores.run())

    def events(self) -> list[Any]:
        """All that the hop took, and forgets."""
        requests = [ExportLogsServiceRequest.FromString(one.body) for one in self.hop.taken]
        self.hop.taken = []
        return [
            event
            for request in requests
            for part in request.resource_logs
            for scope in part.scope_logs
            for event in scope.log_records
        ]

    def closed(self, *conversations: str) -> None:
        spans = [chat(next(self.traces), 1, number, name) for number, name in enumerate(conversations)]
        self.lanes.ingest([trace_request(spans)])
        self.lanes.close_everything()


@pytest.fixture
def outbox(lanes: Lanes) -> Outbox:
    return Outbox(lanes)


def revisions(events: Sequence[Any]) -> list[tuple[str, int, str]]:
    found = []
    for event in events:
        values = {pair.key: pair.value for pair in event.attributes}
        found.append(
            (
                values["spanwitness.conversation.id"].string_value,
                values["spanwitness.conversation.revision"].int_value,
                values["gen_ai.evaluation.name"].string_value,
            )
        )
    return sorted(found)


def every(*of: tuple[str, int]) -> list[tuple[str, int, str]]:
    return sorted((*one, evaluator.name) for one in of for evaluator in BUNDLE.evaluators)


class TestScores:
    def test_every_score_of_every_closed_conversation_goes_once(self, outbox: Outbox) -> None:
        outbox.closed("a", "b", "c")
        assert outbox.run() == 3 * len(BUNDLE.evaluators)
        assert revisions(outbox.events()) == every(("a", 1), ("b", 1), ("c", 1))
        assert outbox.run() == 0
        outbox.restart()
        assert outbox.run() == 0

    def test_a_new_revision_is_new_scores(self, outbox: Outbox) -> None:
        outbox.closed("a")
        outbox.run()
        outbox.events()
        outbox.lanes.ingest([trace_request([chat(10, 2, 5, "a")])])
        outbox.lanes.close_everything()
        outbox.run()
        assert revisions(outbox.events()) == every(("a", 2))

    def test_a_conversation_that_was_closed_by_hand_has_scores_like_any_other(self, outbox: Outbox) -> None:
        outbox.lanes.ingest([trace_request([chat(1, 1, 0, "a")])])
        outbox.lanes.ingestion.flush()
        Review(outbox.lanes.store, ReviewRules()).close_one("a", outbox.lanes.clock.advance(seconds=1))
        outbox.run()
        assert revisions(outbox.events()) == every(("a", 1))

    def test_what_an_import_closed_was_never_passed_on_so_neither_are_its_scores(self, outbox: Outbox) -> None:
        outbox.lanes.ingest([trace_request([chat(1, 1, 0, "a")])])
        outbox.lanes.ingestion.flush()
        Review(outbox.lanes.store, ReviewRules()).close_all(outbox.lanes.clock.advance(seconds=1), "import")
        assert outbox.run() == 0

    def test_they_stand_on_the_root_of_the_first_trace(self, outbox: Outbox) -> None:
        spans = [
            FakeSpan(1, 1, 0, "a"),
            chat(1, 2, 1, "a", parent=1),
            FakeSpan(2, 1, 5, "a"),
            chat(2, 2, 6, "a", parent=1),
        ]
        outbox.lanes.ingest([trace_request(spans)])
        outbox.lanes.close_everything()
        outbox.run()
        links = {(event.trace_id.hex(), event.span_id.hex()) for event in outbox.events()}
        assert links == {(spans[0].trace_id, spans[0].span_id)}

    def test_or_on_the_first_step_where_the_root_is_somebody_elses(self, outbox: Outbox) -> None:
        spans = [chat(1, 3, 2, "a", parent=7), chat(1, 2, 1, "a", parent=7)]
        outbox.lanes.ingest([trace_request(spans)])
        outbox.lanes.close_everything()
        outbox.run()
        links = {(event.trace_id.hex(), event.span_id.hex()) for event in outbox.events()}
        assert links == {(spans[1].trace_id, spans[1].span_id)}

    def test_a_hop_that_is_away_gets_them_later(self, outbox: Outbox) -> None:
        outbox.closed("a", "b", "c")
        outbox.hop.answers = [None, Busy("away")]
        with pytest.raises(Busy):
            outbox.run()
        assert revisions(outbox.events()) == every(("a", 1), ("b", 1))
        outbox.restart()
        outbox.run()
        assert revisions(outbox.events()) == every(("c", 1))

    def test_killed_before_it_was_noted_they_go_again_with_the_same_uid(
        self, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outbox.closed("a")

        def killed(*_: object) -> None:
            raise StoreError("killed")

        with monkeypatch.context() as patch:
            patch.setattr("spanwitness.store.onward.sent", killed)
            with pytest.raises(StoreError):
                outbox.run()
        first = outbox.events()
        outbox.restart()
        outbox.run()
        assert outbox.events() == first, "to the byte, so that a receiver that goes by content drops them too"
        assert len(first) == len(BUNDLE.evaluators)

    def test_a_refusal_for_good_does_not_block_those_behind_it(self, outbox: Outbox) -> None:
        outbox.closed("a", "b", "c")
        outbox.hop.answers = [Rejected("the next hop refused the request for good (400)")]
        outbox.run()
        assert revisions(outbox.events()) == every(("c", 1))
        assert outbox.run() == 0

    def test_they_go_in_requests_that_any_hop_takes(self, outbox: Outbox) -> None:
        outbox.closed("a", "b")
        outbox.scores = ScoreForwarding(outbox.lanes.store, outbox.onward(), outbox.lanes.clock, most_bytes=2_000)
        assert outbox.run() == 2 * len(BUNDLE.evaluators)
        assert len(outbox.hop.taken) > 1
        assert all(len(parcel.body) <= 2_000 for parcel in outbox.hop.taken)
        assert revisions(outbox.events()) == every(("a", 1), ("b", 1))

    def test_one_that_is_larger_than_a_request_may_be_goes_alone(self, outbox: Outbox) -> None:
        outbox.closed("a")
        outbox.scores = ScoreForwarding(outbox.lanes.store, outbox.onward(), outbox.lanes.clock, most_bytes=1)
        outbox.run()
        assert [parcel.items for parcel in outbox.hop.taken] == [1] * len(BUNDLE.evaluators)

    def test_history_from_before_scores_were_sent_at_all_stays_here(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "old")])])
        lanes.close_everything()
        lanes.clock.advance(seconds=1)
        outbox = Outbox(lanes)
        outbox.closed("new")
        outbox.run()
        assert revisions(outbox.events()) == every(("new", 1))

    def test_what_closed_while_nobody_was_there_to_send_it_is_sent_at_the_next_start(self, outbox: Outbox) -> None:
        outbox.closed("a")
        outbox.lanes.clock.advance(hours=30)
        outbox.restart()
        outbox.run()
        assert revisions(outbox.events()) == every(("a", 1))

    def test_the_mark_moves_on_and_nothing_is_sent_again_for_it(self, outbox: Outbox) -> None:
        for number in range(4):
            outbox.closed(f"c{number}")
            outbox.lanes.clock.advance(hours=2)
            outbox.run()
            outbox.restart()
        assert revisions(outbox.events()) == every(*((f"c{number}", 1) for number in range(4)))
        (mark,) = outbox.lanes.rows(
            "SELECT toUnixTimestamp(max(ClosedAt)) AS at FROM forwarded_scores WHERE ConversationId = ''"
        )
        assert dt.datetime.fromtimestamp(mark["at"], dt.UTC) == outbox.lanes.clock() - dt.timedelta(hours=1)

    def test_a_conversation_that_moved_away_has_no_scores(self, outbox: Outbox) -> None:
        outbox.lanes.ingest([trace_request([chat(1, 1, 0)])])
        outbox.lanes.close_everything()
        outbox.run()
        outbox.events()
        outbox.lanes.ingest([trace_request([FakeSpan(1, 2, 1, "late")])])
        outbox.lanes.close_everything()
        outbox.run()
        assert revisions(outbox.events()) == every(("late", 1))


class TestLaterScores:
    """What a judge says, and verdicts given again."""

    @staticmethod
    def told(outbox: Outbox) -> list[tuple[Any, ...]]:
        outbox.run()
        found = []
        for event in outbox.events():
            values = {pair.key: pair.value for pair in event.attributes}
            judge, scoring = values.get("spanwitness.evaluation.judge"), values.get("spanwitness.evaluation.scoring")
            found.append(
                (
                    values["gen_ai.evaluation.name"].string_value,
                    judge.string_value if judge else "",
                    scoring.int_value if scoring else 0,
                    values["spanwitness.evaluation.status"].string_value,
                    values["log.record.uid"].string_value,
                )
            )
        return found

    @staticmethod
    def give(outbox: Outbox, *, judge: str = "", scoring: int = 0, failed: bool = False) -> None:
        status: Status = "failed" if failed else "completed"
        use = JudgeUse(judge, served=f"{judge}-1") if judge else None
        score = Score("TaskCompletion", "1", None if failed else 1.0, "", status, "", judge=use)
        talk = Conversation((), "acme", "a")
        row = {**score_row(talk, score, 1.0, outbox.lanes.clock.advance(minutes=1)), "Scoring": scoring}
        insert_scores(outbox.lanes.store, [row])

    def test_each_goes_once_and_after_those_of_its_revision(self, outbox: Outbox) -> None:
        outbox.closed("a")
        self.give(outbox, judge="gpt-4o")
        self.give(outbox, scoring=1)
        told = self.told(outbox)
        assert len(told) == len(BUNDLE.evaluators) + 2
        assert [row[:4] for row in told[-2:]] == [
            ("TaskCompletion", "gpt-4o", 0, "completed"),
            ("TaskCompletion", "", 1, "completed"),
        ]
        assert len({row[4] for row in told}) == len(told)
        outbox.restart()
        assert self.told(outbox) == []

    def test_a_judges_failure_goes_once_and_its_verdict_after_it(self, outbox: Outbox) -> None:
        outbox.closed("a")
        self.told(outbox)
        uids = set()
        for failed, expected in ((True, 1), (True, 0), (False, 1), (False, 0)):
            self.give(outbox, judge="gpt-4o", failed=failed)
            told = self.told(outbox)
            assert len(told) == expected
            uids |= {row[4] for row in told}
        assert len(uids) == 2

    def test_they_stand_on_the_same_span_as_the_first(self, outbox: Outbox) -> None:
        outbox.closed("a")
        outbox.run()
        first = {(event.trace_id, event.span_id) for event in outbox.events()}
        self.give(outbox, scoring=1)
        outbox.run()
        assert {(event.trace_id, event.span_id) for event in outbox.events()} == first

    def test_those_of_what_an_import_closed_stay_here(self, outbox: Outbox) -> None:
        outbox.lanes.ingest([trace_request([chat(1, 1, 0, "a")])])
        outbox.lanes.ingestion.flush()
        Review(outbox.lanes.store, ReviewRules()).close_all(outbox.lanes.clock.advance(seconds=1), "import")
        self.give(outbox, judge="gpt-4o")
        assert self.told(outbox) == []

    def test_a_later_score_does_not_stand_for_its_revision(self, outbox: Outbox) -> None:
        outbox.closed("a")
        self.give(outbox, judge="gpt-4o")
        outbox.hop.answers = [Busy("away")]
        with pytest.raises(Busy):
            outbox.run()
        onward.sent_later(outbox.lanes.store, onward.later(outbox.lanes.store, EPOCH, 10), outbox.lanes.clock())
        assert len(self.told(outbox)) == len(BUNDLE.evaluators)
