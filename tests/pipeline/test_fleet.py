"""A fleet of agents, each with a history of its own: the ledger says exactly what happened, however it arrived."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from spanwitness.evaluators import Bundle
from spanwitness.pipeline import ReviewRules
from spanwitness.pipeline.deployment_watch import DeploymentWatch
from spanwitness.store.contracts import insert_contracts
from spanwitness.store.deployments import insert_deployments
from spanwitness.testing import FakeSpan, trace_request
from tests.conftest import Lanes
from tests.pipeline.fleet import BEGIN, CALM, ROUGH, Arrival, Fleet, arrivals
from tests.pipeline.fleet_cast import SCRIPTS, UNDER_CONTRACT, fleet
from tests.pipeline.fleet_feed import Feed, told, wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spanwitness.store import Store
    from tests.pipeline.fleet import Talk

SLOTS, TALKS = len(SCRIPTS) + len(UNDER_CONTRACT) + 6, 100
ON_THE_WIRE = {
    "silent_in_mid_conversation",
    "silent_behind_the_requested_name",
    "declared_in_advance",
    "router",
    "fallback",
    "outage",
    "nobody_tells",
    "prompt_and_model_at_once",
    "release",
    "another_backend",
    "struck_off",
    "too_few_tell",
}
"""Every field of a call that the ledger reads is in one of them."""


@cache
def acted(seed: int) -> Fleet:
    return fleet(seed, SLOTS, TALKS)


def test_the_fleet_plays_every_script_in_several_tenants_and_roles() -> None:
    stories = acted(1).stories
    assert {story.script for story in stories} == {*SCRIPTS, *UNDER_CONTRACT}
    assert {story.slot.tenant for story in stories} == {"acme", "globex", "northwind", "insured"}
    assert {story.slot.step_kind for story in stories} == {"llm", "stt", "tts"}
    assert len({story.slot for story in stories}) == len(stories)
    assert sum(not story.entries for story in stories) > 5
    assert Counter(entry.severity for entry in acted(1).ledger).keys() == {"page", "warning", "info"}


def test_rough_weather_shuffles_delays_revises_and_repeats() -> None:
    talks = acted(1).talks
    found = arrivals(talks, random.Random(1), ROUGH)  # noqa: S311 - the same weather in every run
    assert [one.talk for one in arrivals(talks, random.Random(1), CALM)] == talks  # noqa: S311 - the same
    assert sorted({one.talk.id for one in found if not one.talk.id.startswith("astray")}) == sorted(
        talk.id for talk in talks
    )
    assert max(Counter((one.talk, one.revision) for one in found).values()) == 2
    begun = sorted(range(len(found)), key=lambda at: found[at].talk.begin)
    moved = [abs(at - came) for at, came in enumerate(begun)]
    assert max(moved) > 100
    assert sum(one.revision == 2 for one in found) > len(talks) // 40
    last = {one.talk.id: one.talk for one in sorted(found, key=lambda one: one.revision)}
    assert {name: talk for name, talk in last.items() if talk.calls} == {talk.id: talk for talk in talks}


def test_in_order_the_ledger_says_what_happened_and_a_replay_of_all_of_it_changes_no_row(store: Store) -> None:
    feed = Feed(store, acted(1))
    feed.come(1)
    assert wrong(told(store), acted(1)) == []
    before = feed.rows()
    feed.restart()
    feed.come(3, replace(CALM, window=50, sweep=5000))
    assert feed.rows() == before


def test_what_was_declared_and_never_came_is_told_and_nothing_else(store: Store) -> None:
    feed = Feed(store, acted(3))
    feed.close([Arrival(talk) for talk in acted(3).talks])
    DeploymentWatch(store, dt.timedelta(days=1)).sweep(feed.now + dt.timedelta(days=2))
    found = sorted(row["DeploymentId"] for row in feed.rows() if row["Class"] == "absent")
    assert found == acted(3).absent != []


def test_in_any_order_late_in_parts_twice_and_over_restarts_it_makes_the_same_rows_as_at_once(
    store: Store, lanes_over: Callable[[Store], Lanes]
) -> None:
    feed = Feed(store, acted(2))
    feed.come(2, ROUGH)
    assert wrong(told(store), acted(2)) == []
    bit_by_bit = undated(feed)
    lanes_over(store)
    at_once = Feed(store, acted(2))
    at_once.close([Arrival(talk) for talk in acted(2).talks])
    assert undated(at_once) == bit_by_bit


def undated(feed: Feed) -> list[dict[str, object]]:
    """Without when each line was first told, which is another moment."""
    return [{key: value for key, value in row.items() if key != "DetectedAt"} for row in feed.rows()]


def test_through_receiving_settling_and_closing_it_says_the_same(store: Store) -> None:
    """The whole path. A wrong line here that is right above was made by the review."""
    stories = [story for story in acted(1).stories if story.script in ON_THE_WIRE and story.slot.step_kind == "llm"]
    played = Fleet(tuple(stories), acted(1).contracts)
    lanes = Lanes(store, review_rules=ReviewRules(bundle=Bundle((), {})))
    insert_deployments(store, played.deployments, BEGIN)
    insert_contracts(store, played.contracts, BEGIN)
    talks = list(enumerate(played.talks, start=1))
    random.Random(5).shuffle(talks)  # noqa: S311 - a shuffle
    for begin in range(0, len(talks), 600):
        bodies = [
            trace_request(spans(trace, talk), tenant=talk.slot.tenant, service=talk.slot.service)
            for trace, talk in talks[begin : begin + 600]
        ]
        assert lanes.ingest(bodies) == {}
        lanes.close_everything()
    assert wrong(told(store), played) == []


def spans(trace: int, talk: Talk) -> Iterator[FakeSpan]:
    """The calls of a conversation as an instrumentation sends them."""
    for number, call in enumerate(talk.calls):
        model = call.told
        attributes = {
            "gen_ai.provider.name": model.provider,
            "gen_ai.request.model": model.requested,
            "gen_ai.response.model": model.served,
            "gen_ai.agent.name": talk.slot.agent,
            "gen_ai.agent.version": call.agent,
            "gen_ai.prompt.version": call.prompt,
            "gen_ai.openai.response.system_fingerprint": call.fingerprint,
        }
        yield FakeSpan(
            trace,
            number + 1,
            (talk.begin - BEGIN).total_seconds() + 2 * number,
            talk.id,
            "chat",
            f"chat {model.requested}",
            attributes={key: value for key, value in attributes.items() if value},
            failed=call.failed,
            begin=BEGIN,
        )
