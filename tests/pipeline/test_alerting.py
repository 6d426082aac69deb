"""Alerts from the ledger to receivers that are really there: each state once, over whatever fails or ends a process."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.alert.sending import receivers
from spanwitness.alert.settings import AlertSettings
from spanwitness.errors import StoreError
from spanwitness.pipeline import Alerting, AlertRules
from spanwitness.testing import EPOCH, ManualClock
from tests.alert.swaps import SEEN, A, Answer, Listener, a_swap, listening, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spanwitness.store import Store

    Start = Callable[..., "Process"]

ALL = AlertRules()


class Process:
    """SpanWitness as far as alerts go, over a store that is really there."""

    def __init__(self, store: Store, settings: AlertSettings, rules: AlertRules, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.alerting = Alerting(store, receivers(settings, clock), rules, clock)
        self._runner = asyncio.Runner()

    def run(self, **later: float) -> int:
        """One pass of all lanes, so much later."""
        self.clock.advance(**later)
        return self._runner.run(self.alerting.run())

    def end(self) -> None:
        self._runner.run(self.alerting.close())
        self._runner.close()

    def ledger(self, *rows: dict[str, Any]) -> None:
        """The ledger is brought up to date."""
        self.clock.advance(seconds=1)
        write(self.store, *({**row, "UpdatedAt": self.clock()} for row in rows))

    def known(self, *columns: str) -> list[tuple[Any, ...]]:
        """What receivers know, in order of receiver and agent's age."""
        rows = self.store.rows(f"SELECT {', '.join(columns)} FROM alerts FINAL ORDER BY Receiver, TenantId, SwapId")
        return [tuple(row.values()) for row in rows]


@pytest.fixture
def hook() -> Iterator[Listener]:
    with listening() as found:
        yield found


@pytest.fixture
def manager() -> Iterator[Listener]:
    with listening() as found:
        yield found


@pytest.fixture
def start(store: Store, hook: Listener, manager: Listener) -> Iterator[Start]:
    """Starts processes one after the other; the clock goes on. Keys are those of the settings."""
    clock = ManualClock()
    running: list[Process] = []

    def started(rules: AlertRules = ALL, **keys: Any) -> Process:
        clock.advance(seconds=1)
        where = {"webhook": hook.url, "alertmanager": manager.url}
        running.append(Process(store, AlertSettings(**{**where, "timeout_s": 5.0, **keys}), rules, clock))
        return running[-1]

    yield started
    for one in running:
        one.end()


@pytest.fixture
def process(start: Start) -> Process:
    """With a webhook alone."""
    return start(alertmanager="")


def states(hook: Listener) -> list[tuple[str, str]]:
    return [(told["status"], told["severity"]) for told in hook.told()]


def counted(**told: Any) -> dict[str, Any]:
    """A status; what is not told is nothing."""
    return {**dict.fromkeys(("firing", "waiting", "refused", "sent", "failed"), 0), "last_error": "", **told}


def killed_before_noting(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise StoreError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("spanwitness.pipeline.alerting._taken", killed)
        with pytest.raises(StoreError):
            process.run()


class TestWebhook:
    def test_each_state_is_told_once(self, process: Process, hook: Listener) -> None:
        process.ledger(a_swap())
        assert [process.run(), process.run(hours=2)] == [1, 0]
        process.ledger(a_swap(ConversationsAfter=99, ShareNow=1.0))
        assert process.run(hours=2) == 0
        process.ledger(a_swap(Severity="warning", Declared=True))
        assert [process.run(), process.run(hours=2)] == [1, 0]
        process.ledger(a_swap(Severity="warning", Declared=True, EndedAt=EPOCH))
        assert [process.run(), process.run(hours=2)] == [1, 0]
        assert states(hook) == [("firing", "page"), ("firing", "warning"), ("resolved", "warning")]

    def test_and_not_again_after_a_restart(self, start: Start, hook: Listener) -> None:
        process = start(alertmanager="")
        process.ledger(a_swap())
        process.run()
        assert start(alertmanager="").run(minutes=5) == 0
        process.ledger(a_swap(EndedAt=EPOCH))
        assert [start(alertmanager="").run(), start(alertmanager="").run()] == [1, 0]
        assert states(hook) == [("firing", "page"), ("resolved", "page")]

    def test_what_comes_back_fires_again_under_another_name(self, process: Process, hook: Listener) -> None:
        for ended in (None, EPOCH, None, EPOCH):
            process.ledger(a_swap(EndedAt=ended))
            process.run()
        told = hook.told()
        assert [one["status"] for one in told] == ["firing", "resolved"] * 2
        assert len({one["delivery"] for one in told}) == 4
        assert len({one["swap"]["id"] for one in told}) == 1

    def test_what_was_withdrawn_is_resolved(self, process: Process, hook: Listener) -> None:
        process.ledger(a_swap())
        process.run()
        process.ledger(a_swap(Withdrawn=1))
        process.run()
        _, told = hook.told()
        assert (told["status"], told["swap"]["withdrawn"]) == ("resolved", True)

    def test_severities_that_are_not_wanted_are_not_told_and_end_what_was(self, start: Start, hook: Listener) -> None:
        process = start(AlertRules(severities=("page",)), alertmanager="")
        process.ledger(a_swap(), a_swap(AgentName="b", Severity="info"))
        process.run()
        process.ledger(a_swap(Severity="info", Declared=True))
        process.run()
        told = hook.told()
        assert [(one["status"], one["severity"]) for one in told] == [("firing", "page"), ("resolved", "page")]
        assert told[1]["text"].startswith("Resolved, it is info by now, which is not sent: ")

    def test_history_pages_nobody(self, start: Start, hook: Listener) -> None:
        process = start(AlertRules(max_age=dt.timedelta(hours=3)), alertmanager="")
        process.ledger(a_swap(), a_swap(AgentName="old", FirstSeenAt=SEEN - dt.timedelta(hours=3)))
        assert process.run() == 1
        process.ledger(a_swap(EndedAt=EPOCH))
        assert process.run(days=1) == 1
        assert states(hook) == [("firing", "page"), ("resolved", "page")]

    def test_more_than_are_looked_up_at_once_are_all_told(self, process: Process, hook: Listener) -> None:
        process.ledger(*(a_swap(AgentName=f"agent {number}") for number in range(230)))
        assert process.run() == 230
        assert len({told["delivery"] for told in hook.told()}) == 230


class TestFailures:
    def test_a_receiver_that_is_away_is_left_alone_for_longer_and_longer(
        self, process: Process, hook: Listener, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING, "httpx")
        caplog.set_level(logging.INFO, "spanwitness")
        hook.answers = [Answer(503)] * 9
        process.ledger(a_swap())
        process.run()
        waits = []
        while hook.answers:
            waits.append(0)
            before = len(hook.posts)
            while len(hook.posts) == before:
                process.run(seconds=10)
                waits[-1] += 10
        assert waits == [10, 20, 40, 80, 160, 300, 300, 300]
        assert process.run(minutes=5) == 1
        assert len({told["delivery"] for told in hook.told()}) == 1
        assert [record.getMessage() for record in caplog.records] == [
            "webhook did not take an alert (status 503); it will be tried again",
            "webhook takes alerts again",
        ]

    @pytest.mark.parametrize(("wanted", "waited"), [("3", 3), ("120", 120), ("0", 1), ("999999", 3600)])
    def test_it_is_tried_again_when_it_wants(self, process: Process, hook: Listener, wanted: str, waited: int) -> None:
        hook.answers = [Answer(429, {"retry-after": wanted})]
        process.ledger(a_swap())
        process.run()
        assert process.run(seconds=waited - 0.5) == 0
        assert len(hook.posts) == 1
        assert process.run(seconds=0.5) == 1

    def test_the_wait_of_a_message_outlasts_a_restart(self, start: Start, hook: Listener) -> None:
        hook.answers = [Answer(429, {"retry-after": "600"})]
        process = start(alertmanager="")
        process.ledger(a_swap())
        process.run()
        again = start(alertmanager="")
        assert again.run(seconds=500) == 0
        assert len(hook.posts) == 1
        assert again.run(seconds=100) == 1

    def test_a_connection_that_is_cut_may_have_delivered_so_it_is_said_again_under_the_same_name(
        self, process: Process, hook: Listener
    ) -> None:
        hook.answers = [Answer(cut=True)]
        process.ledger(a_swap())
        process.run()
        assert process.known("State", "Attempts", "Error") == [("pending", 1, "RemoteProtocolError")]
        process.run(seconds=10)
        first, second = hook.told()
        assert first == second
        assert process.known("State", "Attempts", "Error") == [("firing", 0, "")]

    def test_and_is_resolved_even_if_no_answer_ever_came(self, process: Process, hook: Listener) -> None:
        hook.answers = [Answer(cut=True)]
        process.ledger(a_swap())
        process.run()
        process.ledger(a_swap(EndedAt=EPOCH))
        process.run(seconds=10)
        assert states(hook) == [("firing", "page"), ("resolved", "page")]

    def test_a_slow_receiver_holds_up_no_other(self, start: Start, hook: Listener, manager: Listener) -> None:
        gate = threading.Event()
        hook.answers = [Answer(held=gate)] * 2
        process = start(timeout_s=0.3)
        process.ledger(a_swap(), a_swap(AgentName="b"))
        try:
            assert process.run() == 2
        finally:
            gate.set()
        assert len(manager.posts) == 1
        assert len(hook.posts) == 1, "the second would have waited as long"
        assert process.alerting.status()["webhook"]["last_error"] == "no answer within 0.3 s"

    def test_a_message_that_a_receiver_fails_on_holds_up_no_other(self, process: Process, hook: Listener) -> None:
        hook.answers = [Answer(500)]
        process.ledger(a_swap(), a_swap(AgentName="b"), a_swap(AgentName="c"))
        assert process.run() == 2
        assert process.run(seconds=9) == 0
        assert process.run(seconds=1) == 1

    def test_a_refusal_is_told_once_and_tried_again_after_an_hour(
        self, process: Process, hook: Listener, caplog: pytest.LogCaptureFixture
    ) -> None:
        hook.answers = [Answer(401)] * 3
        process.ledger(a_swap(), a_swap(AgentName="b"))
        assert [process.run(), process.run(minutes=59)] == [0, 0]
        assert process.known("State", "Error") == [("refused", "status 401")] * 2
        assert len(hook.posts) == 2
        assert process.run(minutes=1) == 1
        assert [record.getMessage() for record in caplog.records] == [
            "webhook refused an alert for good (status 401); it is tried again in an hour"
        ]
        assert hook.url not in caplog.text

    def test_a_refused_message_is_tried_again_at_once_when_it_changes_and_after_a_restart(
        self, start: Start, hook: Listener
    ) -> None:
        hook.answers = [Answer(422)] * 3
        process = start(alertmanager="")
        process.ledger(a_swap())
        process.run()
        process.ledger(a_swap(Severity="warning"))
        process.run()
        again = start(alertmanager="")
        assert [again.run(), again.run(minutes=5)] == [0, 0]
        assert states(hook) == [("firing", "page"), ("firing", "warning"), ("firing", "warning")]
        assert start(alertmanager="").run() == 1

    def test_a_row_that_cannot_be_told_keeps_no_other_from_being_told(
        self, start: Start, hook: Listener, manager: Listener, caplog: pytest.LogCaptureFixture
    ) -> None:
        process = start()
        process.ledger(*(a_swap(AgentName=name) for name in "abc"), a_swap(AgentName="d", ScoreShift="customer said"))
        assert process.run() == 6
        told = [entry["labels"]["agent"] for entries in manager.told() for entry in entries]
        assert sorted(told) == ["a", "b", "c"]
        assert sorted(post["swap"]["agent"] for post in hook.told()) == ["a", "b", "c"]
        assert "JSONDecodeError" in caplog.text
        assert "customer" not in caplog.text

    def test_a_clock_that_is_set_back_does_not_make_it_try_for_ever(self, process: Process, hook: Listener) -> None:
        hook.answers = [Answer(403)] * 5
        process.ledger(a_swap())
        process.run(hours=-5)
        assert len(hook.posts) == 1

    def test_killed_before_it_was_noted_it_goes_again_under_the_same_name(
        self, start: Start, hook: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = start(alertmanager="")
        process.ledger(a_swap())
        killed_before_noting(process, monkeypatch)
        assert process.known("State", "Attempts") == [("pending", 0)]
        again = start(alertmanager="")
        assert [again.run(), again.run(hours=1)] == [1, 0]
        first, second = hook.told()
        assert first == second

    def test_killed_before_it_was_noted_and_over_by_then_it_is_resolved(
        self, start: Start, hook: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = start(alertmanager="")
        process.ledger(a_swap())
        killed_before_noting(process, monkeypatch)
        process.ledger(a_swap(EndedAt=EPOCH))
        start(alertmanager="").run()
        assert states(hook) == [("firing", "page"), ("resolved", "page")]


class TestAlertmanager:
    @pytest.fixture
    def process(self, start: Start) -> Process:
        return start(webhook="")

    def test_it_hears_every_minute_of_what_stands_and_once_of_what_is_over(
        self, process: Process, manager: Listener
    ) -> None:
        process.ledger(a_swap())
        assert [process.run(), process.run(seconds=59), process.run(seconds=1)] == [1, 0, 1]
        process.ledger(a_swap(EndedAt=EPOCH - dt.timedelta(minutes=2)))
        assert [process.run(), process.run(minutes=5)] == [1, 0]
        ends = [entry["endsAt"] for (entry,) in manager.told()]
        assert ends == ["2026-11-20T12:04:02.000Z", "2026-11-20T12:05:02.000Z", "2026-11-20T11:58:00.000Z"]

    def test_many_go_in_requests_of_at_most_a_hundred_entries(self, process: Process, manager: Listener) -> None:
        swaps = [{"AgentName": f"agent {number}"} for number in range(130)]
        process.ledger(*(a_swap(**one) for one in swaps))
        assert process.run() == 130
        process.ledger(*(a_swap(**one, Severity="info", Declared=True) for one in swaps))
        assert process.run() == 130
        told = manager.told()
        assert max(len(entries) for entries in told) == 100
        severities = [entry["labels"]["severity"] for entries in told[3:] for entry in entries]
        assert (severities.count("page"), severities.count("info")) == (130, 130)

    def test_the_one_that_it_refuses_is_refused_alone(self, process: Process, manager: Listener) -> None:
        manager.refusing = b'"agent 7"'
        process.ledger(*(a_swap(AgentName=f"agent {number}") for number in range(20)))
        assert process.run() == 19
        assert sorted(process.known("State")) == [("firing",)] * 19 + [("refused",)]

    def test_while_it_is_away_it_is_asked_before_its_alerts_run_out(self, process: Process, manager: Listener) -> None:
        process.ledger(a_swap())
        process.run()
        manager.told()
        manager.answers = [Answer(503)] * 20
        for _ in range(60):
            process.run(seconds=10)
        assert len(manager.posts) >= 10

    def test_a_severity_that_changed_twice_while_it_was_away_leaves_nothing_standing(
        self, process: Process, manager: Listener
    ) -> None:
        process.ledger(a_swap())
        process.run()
        manager.answers = [Answer(503)]
        process.ledger(a_swap(Severity="warning"))
        process.run()
        process.ledger(a_swap(Severity="info"))
        process.run(seconds=10)
        *_, last = manager.told()
        assert [entry["labels"]["severity"] for entry in last] == ["page", "info"]
        assert process.known("State", "Severity") == [("firing", "info")]


class TestStatus:
    def test_what_each_receiver_knows_and_what_was_wrong(self, start: Start, hook: Listener) -> None:
        hook.answers = [Answer(), Answer(404), Answer(503)]
        process = start()
        process.ledger(*(a_swap(AgentName=name) for name in "abc"))
        process.run()
        assert process.alerting.status() == {
            "alertmanager": counted(up=True, firing=3, sent=3),
            "webhook": counted(up=False, firing=1, waiting=1, refused=1, sent=1, failed=2, last_error="status 503"),
        }

    def test_without_receivers_there_is_nothing_to_do(self, start: Start) -> None:
        process = start(alertmanager="", webhook="")
        process.ledger(a_swap(), a_swap(ToVersion=A))
        assert process.run() == 0
        assert process.alerting.status() == {}
        assert process.known("State") == []
