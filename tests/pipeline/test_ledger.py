"""The ledger says the same whatever it remembers: in any order, late, revised, over restarts and failures."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.errors import StoreError
from spanwitness.model import Contract, Deployment, Slot, Swap, Use
from spanwitness.model_names import relation
from spanwitness.pipeline import Review
from spanwitness.pipeline.ledger import Ledger
from spanwitness.store import Store, rows
from spanwitness.store.contracts import insert_contracts
from spanwitness.store.deployments import insert_deployments
from spanwitness.store.uses import Used, replace_uses
from spanwitness.swap import Terms, find_swaps, version_uses
from spanwitness.testing import FakeSpan, chat, trace_request
from tests.swap.built import BEGIN, FULL, MINI, NEW, SERVED, use

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from tests.conftest import Lanes

TENANTS = itertools.count()
SWAPS = """
SELECT Class, FromVersion, ToVersion, Occurrence, SwapId, FirstConversationId, ConversationsBefore, ConversationsAfter,
       ShareNow, Traffic, toUnixTimestamp64Nano(EndedAt) AS EndedAt, DeploymentId, Evidence, Severity, AgentName
FROM model_swaps FINAL WHERE TenantId = {tenant:String} ORDER BY AgentName, Class, FromVersion, ToVersion, Occurrence
"""
VERSIONS = """
SELECT AgentName, ModelVersion, Conversations, Calls, VerifiedShare FROM model_versions FINAL
WHERE TenantId = {tenant:String} ORDER BY AgentName, ModelVersion
"""


@dataclass
class Book:
    """A tenant of its own in a store, and what should be known of it."""

    store: Store
    tenant: str = field(default_factory=lambda: f"tenant-{next(TENANTS)}")
    now: dt.datetime = BEGIN
    talks: dict[str, tuple[int, Sequence[Use]]] = field(default_factory=dict)
    contracts: list[Contract] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)

    def slot(self, agent: str = "assistant") -> Slot:
        return Slot(self.tenant, "claims", agent, "llm")

    def talk(self, number: int, letter: str, agent: str = "assistant", **fields: Any) -> list[Use]:
        return [use(number, SERVED.get(letter, ""), slot=self.slot(agent), **{"requested": "", **fields})]

    def record(self, talks: Mapping[str, Sequence[Use]]) -> None:
        """Conversations close, or are revised."""
        used = []
        for name, uses in talks.items():
            revision = self.talks.get(name, (0, ()))[0] + 1
            self.talks[name] = (revision, uses)
            used.append(Used(name, revision, uses))
        replace_uses(self.store, self.tenant, used)

    def update(self, ledger: Ledger, *agents: str) -> list[Swap]:
        self.now += dt.timedelta(minutes=1)
        return ledger.update(self.tenant, {self.slot(agent) for agent in agents or ("assistant",)}, self.now)

    def told(self) -> list[dict[str, Any]]:
        return self.store.rows(SWAPS, {"tenant": self.tenant})

    def versions(self) -> list[dict[str, Any]]:
        return self.store.rows(VERSIONS, {"tenant": self.tenant})

    def check(self) -> None:
        """What is on record is what follows from all uses at once."""
        uses = [one for _, talk in self.talks.values() for one in talk]
        found = find_swaps(uses, relation, Terms(tuple(self.contracts), tuple(self.deployments)))
        wanted = [rows.swap_row(swap, self.now, self.now) for swap in found]
        names = ("AgentName", "Class", "FromVersion", "ToVersion", "Occurrence")
        wanted.sort(key=lambda row: tuple(row[name] for name in names))
        assert self.told() == [
            {name: row[name] for name in told} for row, told in zip(wanted, self.told(), strict=True)
        ]
        assert [tuple(row.values()) for row in self.versions()] == sorted(
            (one.slot.agent, one.version, one.conversations, one.calls, one.verified) for one in version_uses(uses)
        )


def closed(uses: Sequence[Use]) -> dict[str, list[Use]]:
    found: dict[str, list[Use]] = {}
    for one in uses:
        found.setdefault(one.conversation_id, []).append(one)
    return found


def letters(book: Book, text: str, begin: int = 0, **fields: Any) -> dict[str, list[Use]]:
    return closed([one for at, letter in enumerate(text) for one in book.talk(begin + at, letter, **fields)])


HISTORIES = st.lists(st.tuples(st.sampled_from("ABC?"), st.integers(1, 25)), min_size=1, max_size=6)


@settings(max_examples=25)
@given(st.data())
def test_in_any_order_revised_and_over_restarts_it_is_what_all_uses_at_once_say(opened_store: Store, data: Any) -> None:
    store, book = opened_store, Book(opened_store)  # a tenant of its own to each example
    text = "".join(letter * count for letter, count in data.draw(HISTORIES))
    talks = list(letters(book, text, requested=data.draw(st.sampled_from(["", "gpt-4o"]))).items())
    order = data.draw(st.permutations(talks)) if data.draw(st.booleans()) else talks
    ledgers = [Ledger(store), Ledger(store, kept_bytes=data.draw(st.sampled_from([0, 10_000])))]
    at = 0
    while at < len(order):
        size = data.draw(st.integers(1, 40))
        book.record(dict(order[at : at + size]))
        at += size
        if data.draw(st.booleans()):  # one that is known turns out to be another
            name = data.draw(st.sampled_from(sorted(book.talks)))
            revised = [replace(one, calls=7, fingerprint="fp") for one in book.talks[name][1]]
            book.record({name: revised if data.draw(st.booleans()) else []})
        book.update(data.draw(st.sampled_from([*ledgers, Ledger(store)])))
    book.check()


def test_far_more_uses_than_are_read_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spanwitness.pipeline.ledger._PAGE", 50)
    book = Book(store)
    book.record(letters(book, "A" * 120 + "B" * 120 + "A" * 61))
    book.record(letters(book, "A" * 30 + "C" * 30, 500, agent="triage"))
    book.update(Ledger(store), "assistant", "triage")
    book.check()


def test_what_is_late_by_little_or_by_much_goes_in_its_place(store: Store) -> None:
    book, ledger = Book(store), Ledger(store)
    everything = letters(book, "A" * 300 + "B" * 300)
    late = {name: everything.pop(name) for name in ("c0100", "c0305", "c0595")}
    for at in range(0, 600, 50):
        book.record(dict(list(everything.items())[at : at + 50]))
        book.update(ledger)
    for name, uses in late.items():
        book.record({name: uses})
        book.update(ledger)
        book.check()


def test_an_entry_that_late_data_disprove_is_withdrawn(store: Store) -> None:
    book, ledger = Book(store), Ledger(store)
    book.record(letters(book, "A" * 10 + "B" * 10, 10))
    assert [swap.to_version for swap in book.update(ledger)] == [f"openai/{MINI}"]
    book.record(letters(book, "B" * 10))
    assert [swap.to_version for swap in book.update(ledger)] == [f"openai/{FULL}"]
    book.record(letters(book, "B" * 30))
    assert book.update(ledger) == []
    assert book.told() == []
    book.check()


def test_a_version_that_no_conversation_has_any_more_is_gone(store: Store) -> None:
    book, ledger = Book(store), Ledger(store)
    book.record(letters(book, "AAB"))
    book.update(ledger)
    assert len(book.versions()) == 2
    book.record(letters(book, "A", 2))
    book.update(ledger)
    assert [row["ModelVersion"] for row in book.versions()] == [f"openai/{FULL}"]
    assert book.told() == []


class Counted(Store):
    """A store that counts rows written, and fails when it is told to."""

    written = 0
    fails: str = ""

    def insert(self, table: str, rows: pa.Table, token: str = "") -> None:
        if table == self.fails:
            raise StoreError(f"no {table} today")
        self.written += len(rows)
        super().insert(table, rows, token)


@pytest.fixture
def counted(store: Store) -> Counted:
    return Counted(store._engine, store._name)  # noqa: SLF001 - the same store


def test_without_news_nothing_is_written(counted: Counted) -> None:
    book, ledger = Book(counted), Ledger(counted)
    talks = letters(book, "A" * 20 + "B" * 20)
    book.record(talks)
    assert len(book.update(ledger)) == 1
    before = counted.written
    replace_uses(counted, book.tenant, [Used(name, 9, uses) for name, uses in talks.items()])
    assert book.update(ledger) == book.update(Ledger(counted)) == []
    assert counted.written == before


@pytest.mark.parametrize("table", ["model_uses", "model_versions", "model_swaps"])
def test_a_store_that_fails_in_between_loses_nothing(counted: Counted, table: str) -> None:
    book, ledger = Book(counted), Ledger(counted)
    book.record(letters(book, "A" * 20))
    book.update(ledger)

    def sweep() -> list[Swap]:
        book.record(letters(book, "B" * 20, 20))
        return book.update(ledger)

    counted.fails = table
    with pytest.raises(StoreError):
        sweep()
    counted.fails = ""
    assert len(sweep()) == 1
    book.check()


def test_what_others_wrote_into_the_ledger_stays(store: Store) -> None:
    book, ledger = Book(store), Ledger(store)
    book.record(letters(book, "A" * 20 + "B" * 20))
    (swap,) = book.update(ledger)
    shift = {**rows.swap_row(swap, book.now, book.now), "ScoreShift": '{"x":1}'}
    others = [
        {**rows.swap_row(replace(swap, swap_class=name), book.now, book.now), "ScoreShift": "{}"}
        for name in ("disguised", "absent")
    ]
    store.insert("model_swaps", rows.table([shift, *others]))
    detected = book.now
    book.record(letters(book, "B", 40))
    assert book.update(ledger) == []
    found = store.rows(
        "SELECT Class, ScoreShift, ConversationsAfter, toUnixTimestamp(DetectedAt) AS detected FROM model_swaps FINAL"
        " WHERE TenantId = {tenant:String} ORDER BY Class",
        {"tenant": book.tenant},
    )
    assert [row["Class"] for row in found] == ["absent", "disguised", "version"]
    assert (found[-1]["ScoreShift"], found[-1]["ConversationsAfter"]) == ('{"x":1}', 21)
    assert found[-1]["detected"] == int(detected.timestamp())


class TestTerms:
    def declare(self, book: Book, **fields: Any) -> None:
        declared = Deployment(book.tenant, "d-1", MINI, BEGIN, book.now, declared_by="ann", **fields)
        book.deployments = [declared]
        insert_deployments(book.store, [declared], book.now)

    def test_a_declaration_after_the_fact_judges_again_though_no_conversation_closed(self, store: Store) -> None:
        book, ledger = Book(store), Ledger(store)
        book.record(letters(book, "A" * 20 + "B" * 20))
        book.update(ledger)
        book.now += dt.timedelta(days=1)
        self.declare(book)
        assert ledger.sweep(book.now) == []
        assert [row["Severity"] for row in book.told()] == ["warning"]
        book.check()
        self.declare(book, withdrawn=True)
        Ledger(store).sweep(book.now)
        assert [row["Severity"] for row in book.told()] == ["page"]

    def test_a_new_contract_judges_every_slot_again(self, store: Store) -> None:
        book, ledger = Book(store), Ledger(store)
        book.record(letters(book, "A" * 20 + "B" * 20))
        book.record(letters(book, "C" * 20, 50, agent="triage"))
        book.update(ledger, "assistant", "triage")
        book.contracts = [Contract(book.tenant, 1, BEGIN, approved=(FULL, MINI))]
        insert_contracts(store, book.contracts, book.now)
        (swap,) = ledger.update(book.tenant, (), book.now)
        assert (swap.swap_class, swap.to_version, swap.slot.agent) == ("unapproved", f"openai/{NEW}", "triage")
        book.check()

    def test_a_restart_neither_misses_nor_redoes_it(self, counted: Counted) -> None:
        book = Book(counted)
        book.record(letters(book, "A" * 20 + "B" * 20))
        book.update(Ledger(counted))
        self.declare(book)
        counted.fails = "model_swaps"
        with pytest.raises(StoreError):
            Ledger(counted).sweep(book.now)
        counted.fails = ""
        Ledger(counted).sweep(book.now)
        assert [row["DeploymentId"] for row in book.told()] == ["d-1"]
        before = counted.written
        Ledger(counted).sweep(book.now)
        Ledger(counted).rejudge(book.tenant, book.now)
        assert counted.written == before


def test_entries_of_an_earlier_schema_get_their_names(store: Store) -> None:
    book = Book(store)
    book.record(letters(book, "A" * 20 + "B" * 20))
    (swap,) = book.update(Ledger(store))
    old = {**rows.swap_row(swap, book.now, book.now), "SwapId": "", "Traffic": "", "EndedAt": 0}
    store.insert("model_swaps", rows.table([old]))
    Ledger(store).sweep(book.now)
    assert [row["SwapId"] for row in book.told()] == [swap.id]
    book.check()


class TestThroughTheReview:
    def uses(self, lanes: Lanes) -> list[tuple[str, str, int]]:
        found = lanes.rows("SELECT ConversationId, ServedModel, Calls FROM model_uses FINAL ORDER BY 1, 2")
        return [(row["ConversationId"], row["ServedModel"], row["Calls"]) for row in found]

    def test_what_a_late_span_adds_is_counted_once(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "c")])])
        lanes.close_everything()
        lanes.ingest([trace_request([chat(1, 2, 1, "c"), chat(1, 3, 2, "c", served=MINI)])])
        lanes.close_everything()
        assert self.uses(lanes) == [("c", FULL, 2), ("c", MINI, 1)]
        assert [row["Calls"] for row in lanes.rows("SELECT Calls FROM model_versions FINAL ORDER BY ModelVersion")] == [
            2,
            1,
        ]

    def test_a_conversation_that_moved_away_uses_nothing_any_more(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "", attributes={"session.id": "P"})])])
        lanes.close_everything()
        assert self.uses(lanes) == [("P", FULL, 1)]
        lanes.ingest([trace_request([FakeSpan(1, 9, -1, "Q")])])
        lanes.close_everything()
        assert self.uses(lanes) == [("Q", FULL, 1)]

    def test_a_process_that_dies_after_the_uses_leaves_none_that_did_not_come_to_be(self, lanes: Lanes) -> None:
        lanes.ingest([trace_request([chat(1, 1, 0, "c", served=MINI, parent=9)])])
        lanes.ingestion.flush()
        dying = Counted(lanes.store._engine, lanes.store._name)  # noqa: SLF001 - the same store
        dying.fails = "conversations"
        with pytest.raises(StoreError):
            Review(dying, lanes.review_rules).sweep(lanes.clock.advance(hours=1))
        assert self.uses(lanes) == [("c", MINI, 1)]
        agent = FakeSpan(1, 9, -1, "c", attributes={"gen_ai.agent.name": "billing"})
        lanes.ingest([trace_request([agent])])  # told before anybody tries again
        lanes.close_everything()
        assert self.uses(lanes) == [("c", MINI, 1)]
        assert lanes.rows(
            "SELECT AgentName, Revision FROM conversations_latest ARRAY JOIN AgentNames AS AgentName"
        ) == [{"AgentName": "billing", "Revision": 1}]
        assert lanes.rows("SELECT AgentName FROM model_uses FINAL") == [{"AgentName": "billing"}]
        assert lanes.rows("SELECT AgentName FROM model_versions FINAL") == [{"AgentName": "billing"}]
