"""Declarations against the ledger, on the real path: what was said beforehand pages nobody, what never came is told."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.pipeline import DeploymentWatch, Register
from spanwitness.testing import EPOCH, chat, trace_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spanwitness.model import Deployment
    from tests.conftest import Lanes

    Row = dict[str, Any]

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
WEEK = 7 * DAY
MINI = "gpt-4o-mini-2024-07-18"
FIELDS = {"tenant": "acme", "to_model": "gpt-4o-mini", "by": "jane", "reason": "CHG-1"}


class Fleet:
    """One agent's conversations, an hour apart, each closed before the next; and the watch over what was declared."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.register = Register(lanes.store)
        self.watch = DeploymentWatch(lanes.store, WEEK)
        self._numbers: Iterator[int] = iter(range(1, 1000))

    def talk(self, served: str = "gpt-4o-2024-08-06", *, at: dt.datetime | None = None, times: int = 1) -> None:
        for _ in range(times):
            number = next(self._numbers)
            body = trace_request([chat(number, 1, 0, f"c-{number}", served=served, begin=at or self.lanes.clock())])
            assert self.lanes.ingest([body]) == {}
            self.lanes.close_everything()

    def declare(self, given: Mapping[str, str] = FIELDS, /, **other: Any) -> Deployment:
        return self.register.declare({**given, **other}, self.lanes.clock(), "cli").deployment

    def sweep(self, **later: float) -> list[Any]:
        now = self.lanes.clock.advance(**later)
        self.lanes.review(now)
        return self.watch.sweep(now)

    def restart(self) -> None:
        self.watch = DeploymentWatch(self.lanes.store, WEEK)

    def swaps(self, which: str = "Class = 'version'") -> list[Row]:
        found = self.lanes.rows(
            "SELECT Class, Severity, Declared, DeclaredBy, DeploymentId, Evidence, FromVersion, ToVersion, Occurrence,"
            " DetectedAt, FirstSeenAt, toUnixTimestamp64Nano(EndedAt) AS ended, Withdrawn, ServiceName, AgentName,"
            f" StepKind FROM model_swaps FINAL WHERE {which} ORDER BY FirstSeenAt, Occurrence"
        )
        return [{**row, "Evidence": json.loads(row["Evidence"])} for row in found]

    def severity(self) -> str:
        (swap,) = self.swaps("Class = 'version' AND Withdrawn = 0")
        return str(swap["Severity"])

    def absent(self) -> list[Row]:
        return self.swaps("Class = 'absent'")


@pytest.fixture
def fleet(lanes: Lanes) -> Fleet:
    return Fleet(lanes)


class TestSwaps:
    def test_what_was_not_declared_is_a_page(self, fleet: Fleet) -> None:
        fleet.talk()
        fleet.talk(MINI)
        fleet.sweep()
        assert fleet.severity() == "page"

    def test_what_was_declared_before_it_came_is_information(self, fleet: Fleet) -> None:
        fleet.talk()
        one = fleet.declare()
        fleet.talk(MINI)
        fleet.sweep()
        (swap,) = fleet.swaps()
        assert (swap["Severity"], swap["Declared"], swap["DeclaredBy"]) == ("info", True, "jane")
        assert swap["DeploymentId"] == one.deployment_id

    def test_what_was_declared_only_then_becomes_a_warning_at_the_next_sweep(self, fleet: Fleet) -> None:
        fleet.talk()
        begin = fleet.lanes.clock()
        fleet.talk(MINI)
        fleet.sweep()
        assert fleet.severity() == "page"
        fleet.declare(**{"from": begin.isoformat()})
        fleet.sweep()
        (swap,) = fleet.swaps()
        assert (swap["Severity"], swap["Declared"]) == ("warning", True)
        assert swap["Evidence"]["deployment"]["declared_late"] is True

    def test_a_declaration_from_now_on_does_not_cover_what_came_before(self, fleet: Fleet) -> None:
        fleet.talk()
        fleet.talk(MINI)
        fleet.declare()
        fleet.sweep()
        assert fleet.severity() == "page"

    def test_once_it_is_withdrawn_it_is_a_page_again(self, fleet: Fleet) -> None:
        fleet.talk()
        one = fleet.declare()
        fleet.talk(MINI)
        fleet.sweep()
        fleet.register.withdraw("acme", one.deployment_id, fleet.lanes.clock())
        fleet.sweep()
        (swap,) = fleet.swaps()
        assert (swap["Severity"], swap["Declared"], swap["DeploymentId"]) == ("page", False, "")

    def test_a_declaration_of_another_tenant_or_agent_does_not_count(self, fleet: Fleet) -> None:
        fleet.talk()
        fleet.declare(tenant="globex")
        fleet.declare(agent="another")
        fleet.talk(MINI)
        fleet.sweep()
        assert fleet.severity() == "page"

    def test_a_declaration_tells_at_once_what_it_covers(self, fleet: Fleet) -> None:
        fleet.talk()
        begin = fleet.lanes.clock()
        fleet.talk(MINI)
        fields = {**FIELDS, "from": begin.isoformat()}
        told = fleet.register.declare(fields, fleet.lanes.clock(), "cli").told()
        (swap,) = [one for one in told["covers"] if one["class"] == "version"]
        assert (swap["to"], swap["service"]) == (f"openai/{MINI}", "claims")
        (row,) = fleet.lanes.rows("SELECT SwapId FROM model_swaps FINAL WHERE Class = 'version'")
        assert swap["id"] == row["SwapId"]


class TestAbsence:
    def test_what_never_came_is_told_once_its_time_is_over(self, fleet: Fleet) -> None:
        fleet.talk()
        one = fleet.declare(agent="", service="claims", until=(EPOCH + DAY).isoformat(), from_model="gpt-4o")
        assert fleet.sweep() == []
        assert fleet.absent() == []
        (found,) = fleet.sweep(days=1)
        (told,) = fleet.absent()
        assert found.id
        assert (told["Severity"], told["ended"], told["Withdrawn"]) == ("warning", 0, 0)
        assert (told["ServiceName"], told["AgentName"], told["StepKind"]) == ("claims", "", "llm")
        assert (told["FromVersion"], told["ToVersion"]) == ("gpt-4o", "gpt-4o-mini")
        assert told["DeploymentId"] == one.deployment_id
        assert told["Evidence"]["reason"] == "CHG-1"
        assert told["Evidence"]["due"] == "2026-11-21T12:00:00.000Z"

    def test_without_an_end_it_is_told_when_it_is_overdue(self, fleet: Fleet) -> None:
        fleet.declare()
        assert fleet.sweep(days=6, hours=23) == []
        (found,) = fleet.sweep(hours=1)
        assert found.swap_class == "absent"

    @pytest.mark.parametrize(("kind", "version"), [("to_prompt", "p-8"), ("to_agent_version", "2.5")])
    def test_prompts_and_agents_are_missed_as_well(self, fleet: Fleet, kind: str, version: str) -> None:
        fleet.talk()
        fleet.declare({**FIELDS, "to_model": "", kind: version})
        fleet.sweep(days=7)
        assert [row["ToVersion"] for row in fleet.absent()] == [version]

    def test_what_came_in_time_is_not_told(self, fleet: Fleet) -> None:
        fleet.declare()
        fleet.talk(MINI)
        assert fleet.sweep(days=8) == []
        assert fleet.absent() == []

    def test_it_is_told_once_whoever_looks_however_often(self, fleet: Fleet) -> None:
        fleet.declare()
        fleet.sweep(days=7)
        told = fleet.absent()
        rows = fleet.lanes.rows("SELECT count() AS n FROM model_swaps")
        for _ in range(3):
            fleet.restart()
            assert fleet.sweep(minutes=10) == []
        assert fleet.absent() == told
        assert fleet.lanes.rows("SELECT count() AS n FROM model_swaps") == rows

    def test_what_comes_late_ends_it(self, fleet: Fleet) -> None:
        fleet.talk()
        fleet.declare()
        fleet.sweep(days=7)
        begin = fleet.lanes.clock()
        fleet.talk(MINI)
        assert fleet.sweep() == []
        (told,) = fleet.absent()
        assert told["ended"] == int(begin.timestamp()) * 10**9
        assert told["Withdrawn"] == 0
        fleet.restart()
        fleet.sweep(days=1)
        assert fleet.absent() == [told]

    def test_late_spans_that_show_that_it_came_in_time_take_it_back(self, fleet: Fleet) -> None:
        fleet.declare()
        fleet.sweep(days=7)
        fleet.talk(MINI, at=EPOCH + HOUR)
        fleet.sweep()
        assert fleet.absent() == [], "withdrawn, since it never was so"

    def test_a_withdrawal_ends_it_when_it_was_made(self, fleet: Fleet) -> None:
        one = fleet.declare()
        fleet.sweep(days=7)
        fleet.register.withdraw("acme", one.deployment_id, fleet.lanes.clock.advance(hours=1))
        at = fleet.lanes.clock()
        fleet.restart()
        assert fleet.sweep(hours=1) == []
        (told,) = fleet.absent()
        assert told["ended"] == int(at.timestamp()) * 10**9
        fleet.restart()
        fleet.sweep(days=1)
        assert fleet.absent() == [told]

    def test_the_same_change_declared_for_two_times_is_missed_twice(self, fleet: Fleet) -> None:
        for day in (1, 2):
            begin, end = EPOCH + day * DAY, EPOCH + (day + 0.5) * DAY
            fleet.declare(**{"from": begin.isoformat(), "until": end.isoformat()})
        fleet.sweep(days=3)
        assert sorted(row["Occurrence"] for row in fleet.absent()) == [1, 2]

    def test_what_closes_later_in_the_same_slot_leaves_it_as_it_is(self, fleet: Fleet) -> None:
        fleet.talk()
        fleet.declare(service="claims", from_model="gpt-4o")
        fleet.sweep(days=7)
        told = fleet.absent()
        fleet.talk(times=3)
        fleet.sweep(hours=1)
        assert fleet.absent() == told

    def test_a_declaration_that_nobody_needs_is_listed_for_what_it_is(self, fleet: Fleet) -> None:
        fleet.talk()
        gone = fleet.declare(reason="withdrawn", **{"from": "2026-12-01T00:00:00Z"})
        fleet.register.withdraw("acme", gone.deployment_id, fleet.lanes.clock())
        fleet.declare(reason="seen")
        fleet.talk(MINI)
        fleet.declare({**FIELDS, "to_model": "gpt-4.1"}, reason="absent")
        fleet.sweep(days=7)
        fleet.declare({**FIELDS, "to_model": "gpt-4.1"}, reason="expected")
        fleet.declare(reason="late", **{"from": EPOCH.isoformat(), "until": (EPOCH + MINUTE).isoformat()})
        fleet.sweep(hours=1)
        found = {row["reason"]: row for row in fleet.watch.listed(None, fleet.lanes.clock())}
        assert {reason: row["status"] for reason, row in found.items()} == {
            reason: reason for reason in ("withdrawn", "seen", "late", "absent", "expected")
        }
        assert len(found["seen"]["swaps"]) == 2, "the change, and that gpt-4o is still asked for"
        assert found["seen"]["seen_at"] is not None
        assert found["absent"]["swaps"] == []
        assert found["withdrawn"]["withdrawn_at"] is not None, "when it ceased to cover is part of the record"
        assert found["seen"]["withdrawn_at"] is None


class Counting:
    """A store that counts what it is asked."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked = 0

    def rows(self, *arguments: Any) -> Any:
        self.asked += 1
        return self._store.rows(*arguments)

    def insert(self, *arguments: Any) -> None:
        self.asked += 1
        self._store.insert(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_sweep_that_has_nothing_to_look_at_asks_one_question(lanes: Lanes) -> None:
    fleet = Fleet(lanes)
    fleet.talk()
    store: Any = Counting(lanes.store)
    fleet.watch = DeploymentWatch(store, WEEK)
    fleet.sweep()
    assert store.asked == 1, "nothing is declared"
    for number in range(20):
        fleet.declare(reason=f"CHG-{number}")
    fleet.sweep(seconds=5)
    store.asked = 0
    fleet.sweep(minutes=5)
    assert store.asked == 1, "nothing is due"
    fleet.sweep(days=7)
    store.asked = 0
    fleet.sweep(seconds=5)
    assert store.asked == 1, "what is missed is looked for once a minute"
    fleet.watch.sweep(fleet.lanes.clock(), {"acme"})
    assert store.asked > 2, "and where there is news"
