"""The ledger looks at what is new alone, and still says what all uses at once say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.pipeline.ledger import Ledger
from spanwitness.store import Store
from spanwitness.store.uses import Used, replace_uses
from tests.pipeline.test_ledger import Book, letters
from tests.swap.built import FULL, use

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


class Asked(Store):
    """A store that counts how often the past of a slot was read."""

    past = 0

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        self.past += "model_uses FINAL" in sql
        return super().arrow(sql, parameters)


class TestNewsAlone:
    """What was inserted since the last look is enough, until it touches the past."""

    @pytest.fixture
    def asked(self, store: Store) -> Asked:
        return Asked(store._engine, store._name)  # noqa: SLF001 - the same store

    def merge(self, store: Store) -> None:
        store.command("OPTIMIZE TABLE model_uses FINAL")

    def test_later_conversations_leave_the_past_unread(self, asked: Asked) -> None:
        book, ledger = Book(asked), Ledger(asked)
        book.record(letters(book, "A" * 20))
        book.update(ledger)
        before = asked.past
        for at, text in ((20, "A" * 80), (100, "B" * 20), (120, ""), (120, "B" * 5)):
            book.record(letters(book, text, at))
            self.merge(asked)
            book.update(ledger)
        assert asked.past == before
        book.check()

    @pytest.mark.parametrize("merged", [False, True])
    def test_late_conversations_of_another_process_are_seen(self, asked: Asked, *, merged: bool) -> None:
        book, ledger, other = Book(asked), Ledger(asked), Ledger(asked)
        book.record(letters(book, "A" * 20, 40))
        book.update(ledger)
        book.record(letters(book, "B" * 10, 10))
        book.update(other)
        book.record(letters(book, "A" * 10, 60))
        if merged:
            self.merge(asked)
        book.update(ledger)
        book.check()

    @pytest.mark.parametrize("merged", [False, True])
    @pytest.mark.parametrize("late", [False, True])
    def test_a_use_that_turns_out_to_have_begun_later_is_not_counted_twice(
        self, store: Store, *, merged: bool, late: bool
    ) -> None:
        book, ledger = Book(store), Ledger(store)
        book.record(letters(book, "A" * 20))
        book.update(ledger)
        (last,) = book.talks["c0019"][1]
        moved = use(19, FULL, slot=last.slot, requested="", at=19 * 60 + (600 if late else 1))
        assert moved.first_ns > last.first_ns
        book.record({"c0019": [moved]})
        if merged:  # of where it stood before nothing is left
            self.merge(store)
        book.update(ledger)
        book.check()

    @pytest.mark.parametrize("gone", [[], ["c0007"], ["c0019"]])
    def test_what_was_taken_back_is_seen_after_a_merge(self, store: Store, gone: list[str]) -> None:
        book, ledger = Book(store), Ledger(store)
        book.record(letters(book, "A" * 19 + "B"))
        book.update(ledger)
        book.record({name: [] for name in gone})
        self.merge(store)
        book.update(ledger)
        book.check()

    def test_uses_that_a_dying_process_left_are_one_conversation_with_what_came_later(self, asked: Asked) -> None:
        book, ledger = Book(asked), Ledger(asked)
        book.record(letters(book, "A" * 20))
        book.update(ledger)
        first, later = book.talk(20, "A"), book.talk(20, "A", at=900, fingerprint="fp")
        for uses in (first, [*first, *later]):
            replace_uses(asked, book.tenant, [Used("c0020", 1, uses)])  # the same revision: it did not come to be
            book.talks["c0020"] = (1, uses)
            book.update(ledger)
        book.check()

    def test_much_that_is_new_is_read_in_pages(self, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("spanwitness.pipeline.ledger._PAGE", 50)
        book, ledger = Book(asked), Ledger(asked)
        book.record(letters(book, "A" * 20))
        book.update(ledger)
        book.record(letters(book, "B" * 120, 20))
        before = asked.past
        book.update(ledger)
        assert asked.past > before
        book.check()

    def test_rows_deleted_by_hand_are_missed_after_a_while(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("spanwitness.pipeline.ledger._LOOKS", 3)
        book, ledger = Book(store), Ledger(store)
        book.record(letters(book, "A" * 20))
        book.update(ledger)
        store.command(
            "ALTER TABLE model_uses DELETE WHERE TenantId = {tenant:String} AND ConversationId = 'c0005' "
            "SETTINGS mutations_sync = 1",
            {"tenant": book.tenant},
        )
        del book.talks["c0005"]
        for _ in range(4):
            book.update(ledger)
        book.check()

    @settings(max_examples=10)
    @given(st.data())
    def test_whoever_writes_whatever_is_merged(self, opened_store: Store, data: Any) -> None:
        store, book = opened_store, Book(opened_store)
        ledgers = [Ledger(store), Ledger(store)]
        for at in range(0, data.draw(st.integers(20, 80)), 20):
            book.record(letters(book, data.draw(st.sampled_from(["A" * 20, "B" * 20, "AB" * 10, "CCC??" * 4])), at))
            if data.draw(st.booleans()):
                name = data.draw(st.sampled_from(sorted(book.talks)))
                moved = data.draw(st.integers(-40, 40))
                again = book.talk(int(name[1:]), "A", at=60 * moved, fingerprint="fp")
                book.record({name: data.draw(st.sampled_from([[], again, [*book.talks[name][1][:1], *again]]))})
            if data.draw(st.booleans()):
                self.merge(store)
            for ledger in data.draw(st.lists(st.sampled_from(ledgers), max_size=2)):
                book.update(ledger)
        book.update(ledgers[0])
        book.check()
