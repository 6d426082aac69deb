"""The watch: what it tells the ledger of changes that no name tells, once, whatever happens in between."""

from __future__ import annotations

import datetime as dt
import json
import logging
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.errors import StoreError
from spanwitness.model import Deployment
from spanwitness.pipeline import WatchRules
from spanwitness.pipeline.disguised import rejudge
from spanwitness.pipeline.watch import Watch
from spanwitness.store import Store, drift
from spanwitness.store.deployments import insert_deployments
from spanwitness.testing import EPOCH
from tests.drift.closed import SERVED, closed, started
from tests.drift.talk import OTHER, PLAIN, many

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from spanwitness.model import Conversation, Swap

RULES = WatchRules(reference=40)
VERSION = f"openai/{SERVED}"
QUIET, SWAPPED, BACK = many(PLAIN, 70, 1), many(OTHER, 60, 4), many(PLAIN, 80, 9)
ROWS = """
SELECT Class, FromVersion, ToVersion, Occurrence, FirstConversationId, FirstTraceId, ConversationsBefore,
       ConversationsAfter, Severity, Declared, Traffic, toUnixTimestamp64Nano(EndedAt) AS ended, Evidence
FROM model_swaps FINAL WHERE Withdrawn = 0 ORDER BY FirstSeenAt, Class
"""


def record(talks: Sequence[dict[str, Any]], begin: int = 1, **how: Any) -> list[Conversation]:
    return [closed(number, talk, **how) for number, talk in enumerate(talks, begin)]


def run(watch: Watch, conversations: Sequence[Conversation], *, at_once: int = 20) -> list[Swap]:
    found = []
    for at in range(0, len(conversations), at_once):
        found += watch.take(conversations[at : at + at_once], EPOCH)
    return found


def entries(store: Store) -> list[dict[str, Any]]:
    return [{**row, "Evidence": json.loads(row["Evidence"])} for row in store.rows(ROWS)]


def near(one: Any, other: Any) -> bool:
    """Equal, but for the last digits of what was computed: on several threads sums are not always made in one order."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[key], other[key]) for key in one if key != "says")
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=0.01, abs_tol=0.01)
    return bool(one == other)


class TestAnotherModelBehindTheName:
    def test_it_is_told_once_dated_and_explained(self, store: Store) -> None:
        (swap,) = run(Watch(store, RULES), record([*QUIET, *SWAPPED]))
        assert (swap.swap_class, swap.from_version, swap.to_version) == ("disguised", VERSION, VERSION)
        assert swap.severity == "page"
        assert abs(int(swap.first_conversation[1:]) - 71) <= 1
        assert swap.first_seen.replace(second=0) == EPOCH + dt.timedelta(minutes=int(swap.first_conversation[1:]))
        assert swap.before == int(swap.first_conversation[1:]) - 1

    def test_its_entry_says_what_an_investigator_asks(self, store: Store) -> None:
        run(Watch(store, RULES), record([*QUIET, *SWAPPED]))
        (entry,) = entries(store)
        evidence = entry["Evidence"]
        assert (entry["Class"], entry["Occurrence"], entry["ended"]) == ("disguised", 1, 0)
        assert evidence["source"] == "watch"
        assert evidence["cause"] == "model"
        assert evidence["since"]["conversation"] == entry["FirstConversationId"]
        assert evidence["since"]["trace"] == entry["FirstTraceId"]
        assert len(evidence["features"]) == 5
        assert " before, " in evidence["features"][0]["says"]
        assert evidence["odds"] > evidence["odds_needed"]
        assert evidence["false_alarms_per_1000"] == 1.0
        assert evidence["quiet_before"] == entry["ConversationsBefore"] - 40
        assert 0 < evidence["smallest_shift"] < 3

    def test_it_holds_no_word_of_what_was_said(self, store: Store) -> None:
        run(Watch(store, RULES), record([*QUIET, *SWAPPED], system="Be kind to KETTLE owners."))
        kept = json.dumps(store.rows("SELECT * EXCEPT (StartedAt, TakenAt) FROM drift_features FINAL")).lower()
        kept += json.dumps(store.rows("SELECT State FROM drift_states FINAL")).lower() + str(entries(store)).lower()
        for word in ("kettle", "invoice", "be kind"):
            assert word not in kept

    def test_how_far_it_has_spread_is_kept_up_to_date(self, store: Store) -> None:
        run(Watch(store, RULES), record([*QUIET, *SWAPPED]))
        (entry,) = entries(store)
        assert entry["ConversationsBefore"] + entry["ConversationsAfter"] == len(QUIET) + len(SWAPPED)

    def test_quiet_traffic_makes_no_entry(self, store: Store) -> None:
        assert run(Watch(store, RULES), record([*QUIET, *BACK])) == []
        assert entries(store) == []

    def test_a_served_model_that_nobody_tells_is_watched_under_the_requested_name(self, store: Store) -> None:
        (swap,) = run(Watch(store, RULES), record([*QUIET, *SWAPPED], served=""))
        assert swap.to_version == "openai/gpt-4o?"

    def test_a_second_change_is_told_too_and_ends_the_first(self, store: Store) -> None:
        third = replace(OTHER, opening="Well -", bullets=0.0, curly=0.0, chatty=1.0, look_twice=0.0)
        swaps = run(Watch(store, RULES), record([*QUIET, *SWAPPED, *many(third, 60, 5)]))
        assert [swap.occurrence for swap in swaps] == [1, 2]
        first, second = entries(store)
        assert first["ended"] == swaps[1].first_seen_ns
        assert second["ended"] == 0

    def test_a_return_ends_it_once_fifty_conversations_agree_with_the_reference_before(self, store: Store) -> None:
        watch = Watch(store, RULES)
        begin = len(QUIET) + len(SWAPPED) + 1
        run(watch, record([*QUIET, *SWAPPED]))
        run(watch, record(BACK[:40], begin))
        assert entries(store)[-1]["ended"] == 0
        run(watch, record(BACK[40:], begin + 40))
        assert all(entry["ended"] for entry in entries(store))
        assert entries(store)[-1]["Traffic"] == "none"
        assert run(watch, record(many(PLAIN, 60, 12), begin + 80)) == []

    def test_a_model_that_goes_on_does_not_count_as_returned(self, store: Store) -> None:
        run(Watch(store, RULES), record([*QUIET, *SWAPPED, *many(OTHER, 100, 6)]))
        (entry,) = entries(store)
        assert entry["ended"] == 0


class TestNames:
    def test_another_name_is_learnt_by_itself_and_is_no_disguise(self, store: Store) -> None:
        other = record(SWAPPED, len(QUIET) + 1, served="gpt-4o-mini")
        assert run(Watch(store, RULES), [*record(QUIET), *other]) == []

    def test_a_canary_is_no_part_of_the_reference_and_is_watched_by_itself(self, store: Store) -> None:
        watch = Watch(store, RULES)
        canary = record(SWAPPED[:10], 500, served="gpt-4o-mini")
        mixed = [*record(QUIET[:20]), *canary, *record(QUIET[20:], 21)]
        assert run(watch, mixed, at_once=5) == []
        assert run(watch, record(SWAPPED, 71))[0].to_version == VERSION
        assert {kept.version: kept.conversations for kept in drift.watched(store, "acme")} == {
            VERSION: len(QUIET) + len(SWAPPED),
            "openai/gpt-4o-mini": 10,
        }

    def test_an_entry_ends_where_the_name_changed(self, store: Store) -> None:
        watch = Watch(store, RULES)
        run(watch, record([*QUIET, *SWAPPED]))
        later = record(many(OTHER, 55, 8), 200, served="gpt-4o-mini")
        run(watch, later[:45])
        assert entries(store)[0]["ended"] == 0
        run(watch, later[45:])
        assert entries(store)[0]["ended"] == later[0].steps[0].span.started_ns

    def test_a_conversation_that_two_models_answered_in_tells_of_neither(self, store: Store) -> None:
        one = closed(1, QUIET[0])
        step = one.steps[0]
        mixed = replace(step, span=replace(step.span, served_model="o3", model_version="openai/o3"))
        Watch(store, RULES).take([replace(one, steps=(mixed, *one.steps[1:]))], EPOCH)
        assert store.rows("SELECT * FROM drift_features") == []

    def test_slots_are_judged_apart(self, store: Store) -> None:
        billing = [closed(number, talk, agent="billing") for number, talk in enumerate(SWAPPED[:30], 300)]
        front = record(QUIET)
        assert run(Watch(store, RULES), [*front[:50], *billing, *front[50:]]) == []
        assert {kept.slot.agent for kept in drift.watched(store, "acme")} == {"front", "billing"}


def declaration(declared_at: dt.datetime, to_version: str = "gpt-4o") -> Deployment:
    return Deployment("acme", "d1", to_version, EPOCH, declared_at, declared_by="ops", reason="new weights")


class TestDeclarations:
    def test_one_made_before_makes_it_information(self, store: Store) -> None:
        insert_deployments(store, [declaration(EPOCH)], EPOCH)
        (swap,) = run(Watch(store, RULES), record([*QUIET, *SWAPPED[:20]]))
        assert (swap.severity, swap.deployment_id, swap.declared_by) == ("info", "d1", "ops")
        assert entries(store)[0]["Declared"]

    def test_one_made_afterwards_makes_it_a_warning(self, store: Store) -> None:
        run(Watch(store, RULES), record([*QUIET, *SWAPPED[:20]]))
        insert_deployments(store, [declaration(EPOCH + dt.timedelta(days=1))], EPOCH)
        rejudge(store, "acme", EPOCH)
        assert [entry["Severity"] for entry in entries(store)] == ["warning"]
        assert entries(store)[0]["ended"] == 0

    def test_once_declared_it_ends_with_the_new_reference(self, store: Store) -> None:
        watch = Watch(store, RULES)
        insert_deployments(store, [declaration(EPOCH)], EPOCH)
        run(watch, record([*QUIET, *SWAPPED[:30]]))
        assert entries(store)[0]["ended"] == 0
        run(watch, record(SWAPPED[30:], len(QUIET) + 31))
        assert entries(store)[0]["ended"] > started(len(QUIET) + 31)
        assert [kept.phase for kept in drift.watched(store, "acme")] == ["watching"]

    def test_one_of_another_model_covers_nothing(self, store: Store) -> None:
        insert_deployments(store, [declaration(EPOCH, "gpt-4o-mini")], EPOCH)
        (swap,) = run(Watch(store, RULES), record([*QUIET, *SWAPPED[:20]]))
        assert swap.severity == "page"


LONGER = replace(PLAIN, prompt_tokens=3_400)


class TestOtherCauses:
    def test_a_prompt_that_nothing_names_is_told_by_what_it_costs(self, store: Store) -> None:
        (swap,) = run(Watch(store, RULES), record([*QUIET, *many(LONGER, 30, 7)]))
        assert (swap.swap_class, swap.from_version, swap.to_version) == ("prompt", "", "unknown")
        assert swap.severity == "warning"

    def test_a_prompt_known_by_its_text_is_told_by_its_hash(self, store: Store) -> None:
        before, after = record(QUIET, system="Be brief."), record(BACK[:10], 71, system="Be kind.")
        (swap,) = run(Watch(store, RULES), [*before, *after])
        assert swap.swap_class == "prompt"
        assert swap.to_version.startswith("hash:")
        assert len(swap.to_version) == len("hash:") + 8
        assert swap.first_conversation == "c71"

    def test_a_prompt_that_is_filled_anew_each_day_is_the_same_one(self, store: Store) -> None:
        days = [closed(n, talk, system=f"Be brief. Today is Monday, May {n // 20}.") for n, talk in enumerate(QUIET, 1)]
        assert run(Watch(store, RULES), days) == []

    def test_a_prompt_version_tells_it_already_and_the_watch_learns_anew(self, store: Store) -> None:
        before, after = record(QUIET, prompt_version="v1"), record(BACK[:30], 71, prompt_version="v2")
        watch = Watch(store, RULES)
        assert run(watch, [*before, *after]) == []
        watch.flush(EPOCH)
        (kept,) = drift.watched(store, "acme")
        assert (kept.phase, kept.learnt, kept.needed) == ("learning", 30, 40)

    def test_other_users_make_no_entry_and_the_watch_learns_anew(
        self, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            assert run(Watch(store, RULES), record([*QUIET, *many(PLAIN, 30, 7, curt=True)])) == []
        assert entries(store) == []
        assert re.search(r"the users ask otherwise since conversation c(69|70|71|72);", caplog.text)

    def test_slower_answers_are_nothing(self, store: Store) -> None:
        assert run(Watch(store, RULES), record([*QUIET, *many(replace(PLAIN, milliseconds=4_000.0), 60, 8)])) == []


class Killed(Store):
    """A store whose `fails_at`th write is its last: before anything of it was stored, or after all of it was."""

    def __init__(self, store: Store, fails_at: int, *, applied: bool) -> None:
        self._store, self._left, self._applied = store, fails_at, applied

    def insert(self, table: str, rows: pa.Table, token: str = "") -> None:
        self._left -= 1
        if self._left or self._applied:
            self._store.insert(table, rows, token)
        if not self._left:
            raise StoreError("killed here")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def arrow(self, sql: str, parameters: Any = None) -> pa.Table:
        return self._store.arrow(sql, parameters)


TALKS = [*QUIET, *SWAPPED]


@pytest.fixture(scope="module")
def expected(opened_store: Store) -> list[dict[str, Any]]:
    """The ledger of a quiet run."""
    for table in ("drift_features", "drift_states", "model_swaps"):
        opened_store.command(f"TRUNCATE TABLE {table}")
    run(Watch(opened_store, RULES), record(TALKS), at_once=10)
    return entries(opened_store)


class TestEndings:
    @pytest.mark.parametrize("at_once", [1, 7, 130])
    def test_however_conversations_come_together_the_ledger_is_the_same(
        self, expected: list[dict[str, Any]], store: Store, at_once: int
    ) -> None:
        run(Watch(store, RULES), record(TALKS), at_once=at_once)
        assert near(entries(store), expected)

    def test_a_process_for_every_few_conversations_comes_to_the_same(
        self, expected: list[dict[str, Any]], store: Store
    ) -> None:
        conversations = record(TALKS)
        for at in range(0, len(conversations), 10):
            Watch(store, RULES).take(conversations[at : at + 10], EPOCH)
        assert near(entries(store), expected)

    @pytest.mark.parametrize("applied", [False, True])
    @pytest.mark.parametrize(("fails_at", "kills"), [(1, 13), (2, 4)])
    def test_killed_at_any_write_the_next_process_comes_to_the_same(
        self, expected: list[dict[str, Any]], store: Store, fails_at: int, kills: int, *, applied: bool
    ) -> None:
        conversations, killed = record(TALKS), 0
        for at in range(0, len(conversations), 10):
            batch = conversations[at : at + 10]
            try:
                Watch(Killed(store, fails_at, applied=applied), RULES).take(batch, EPOCH)
            except StoreError:
                killed += 1
            Watch(store, RULES).take(batch, EPOCH)
        assert killed >= kills
        assert near(entries(store), expected)

    def test_a_store_that_fails_leaves_memory_no_further_than_the_record(
        self, expected: list[dict[str, Any]], store: Store
    ) -> None:
        conversations = record(TALKS)
        watch = Watch(Killed(store, 12, applied=False), RULES)
        for at in range(0, len(conversations), 10):
            try:
                watch.take(conversations[at : at + 10], EPOCH)
            except StoreError:
                watch.take(conversations[at : at + 10], EPOCH)
        assert near(entries(store), expected)

    def test_a_conversation_counts_once_in_whatever_revision(
        self, expected: list[dict[str, Any]], store: Store
    ) -> None:
        watch, conversations = Watch(store, RULES), record(TALKS)
        for at in range(0, len(conversations), 10):
            watch.take(conversations[at : at + 10], EPOCH)
            watch.take([replace(one, revision=2) for one in conversations[at : at + 10]], EPOCH)
        assert near(entries(store), expected)

    def test_within_a_sweep_they_are_taken_in_order_of_their_beginning(
        self, expected: list[dict[str, Any]], store: Store
    ) -> None:
        Watch(store, RULES).take(reversed(record(TALKS)), EPOCH)
        assert near(entries(store), expected)

    def test_a_state_of_another_release_is_learnt_anew(self, store: Store, caplog: pytest.LogCaptureFixture) -> None:
        watch = Watch(store, RULES)
        run(watch, record(QUIET))
        watch.flush(EPOCH)
        (kept,) = drift.watched(store, "acme")
        drift.keep(store, [replace(kept, state="{}")], EPOCH)
        again = Watch(store, RULES)
        assert run(again, record(SWAPPED[:30], 71)) == []
        again.flush(EPOCH)
        assert [(kept.phase, kept.learnt) for kept in drift.watched(store, "acme")] == [("learning", 30)]
        assert "learns openai/gpt-4o-2024-08-06 of" in caplog.text


def test_states_are_stored_at_the_first_conversation_then_every_25_then_at_the_end(store: Store) -> None:
    watch, numbers = Watch(store, RULES), []
    for one in record(QUIET):
        watch.take([one], EPOCH)
        numbers.append(drift.watched(store, "acme")[0].number)
    assert sorted(set(numbers)) == [1, 26, 51]
    watch.flush(EPOCH)
    assert drift.watched(store, "acme")[0].number == 70
