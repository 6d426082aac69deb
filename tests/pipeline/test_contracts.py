"""Contract files taken into the record, watched while the server runs, and what they say of evaluators."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

import pytest

from spanwitness.contract.document import parse
from spanwitness.errors import ConfigError, StoreError
from spanwitness.evaluators import BUNDLE, Bundle, evaluators_by_name
from spanwitness.model import Contract, Conversation, Message
from spanwitness.pipeline.bundles import Configured
from spanwitness.pipeline.contracts import ContractBook, drafts_in, explained_in, record
from spanwitness.store import Store
from spanwitness.store.contracts import contracts_of, insert_contracts

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

HOUR = dt.timedelta(hours=1)
NOW = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
LOOSE = "[evaluate]\nevaluators = ['TaskCompletion']\nthresholds = { TaskCompletion = 0.25 }\n"
STRICT = "[evaluate]\nevaluators = ['TaskCompletion']\nthresholds = { TaskCompletion = 0.75 }\n"

FURTHER = """judged = ["TaskCompletion"]
[evaluate.parameters.TaskCompletion]
max_agent_turns = 40
writes = ["send_message"]
[evaluate.by_channel.voice]
evaluators = ["TaskCompletion", "ConversationResolution"]
thresholds = { TaskCompletion = 0.5 }
"""


class Meddled(Store):
    """A store in which another process writes a version right after each of ours, and takes its place."""

    def __init__(self, store: Store, theirs: list[Contract]) -> None:
        self.rows = store.rows  # type: ignore[method-assign]
        self._store = store
        self._theirs = theirs

    def insert(self, table: str, rows: pa.Table, token: str = "") -> None:
        self._store.insert(table, rows, token)
        if self._theirs:
            theirs = self._theirs.pop(0)
            insert_contracts(self._store, [theirs], NOW + theirs.version * HOUR)


class Away(Store):
    """A store that refuses rows while it is told to."""

    def __init__(self, store: Store) -> None:
        self.rows = store.rows  # type: ignore[method-assign]
        self.refuses = False
        self._store = store

    def insert(self, table: str, rows: pa.Table, token: str = "") -> None:
        if self.refuses:
            raise StoreError("away")
        self._store.insert(table, rows, token)


class Folder:
    """A folder of contracts and the book that watches it."""

    def __init__(self, path: Path, store: Store, configured: Bundle = BUNDLE) -> None:
        self.path = path
        self.store = store
        self.book = ContractBook(store, configured, str(path))
        self.now = NOW

    def put(self, text: str, name: str = "acme.toml") -> None:
        (self.path / name).write_text(text)

    def look(self) -> list[int]:
        """The versions that two further looks, an hour apart, bring."""
        found = []
        for _ in range(2):
            self.now += HOUR
            found += [contract.version for contract in self.book.look(self.now)]
        return found

    def history(self, tenant: str = "acme") -> list[tuple[int, dt.datetime, dt.datetime | None]]:
        return [(one.version, one.valid_from, one.valid_until) for one in contracts_of(self.store, tenant)]


@pytest.fixture
def folder(tmp_path: Path, store: Store) -> Folder:
    return Folder(tmp_path, store)


def versions(made: list[Contract]) -> list[tuple[str, int]]:
    return [(contract.tenant, contract.version) for contract in made]


class TestLoading:
    def test_each_file_becomes_the_first_version_of_its_tenant(self, folder: Folder) -> None:
        folder.put(LOOSE)
        folder.put("tenant = 'northwind'\nvalid_from = 2026-11-01", "b.toml")
        assert versions(folder.book.load(NOW)) == [("acme", 1), ("northwind", 1)]
        assert folder.history() == [(1, NOW, None)]
        assert folder.history("northwind") == [(1, dt.datetime(2026, 11, 1, tzinfo=dt.UTC), None)]
        (kept,) = contracts_of(folder.store, "acme")
        assert (kept.text, kept.source, kept.recorded_at) == (LOOSE, "acme.toml", NOW)

    def test_the_same_file_read_again_is_the_same_version(self, folder: Folder) -> None:
        folder.put(LOOSE)
        folder.book.load(NOW)
        again = ContractBook(folder.store, BUNDLE, str(folder.path))
        assert again.load(NOW + HOUR) == []
        assert again.look(NOW + 2 * HOUR) == []
        assert again.look(NOW + 3 * HOUR) == []
        assert folder.history() == [(1, NOW, None)]

    def test_a_contract_that_has_run_out_does_not_stop_the_next_start(self, folder: Folder) -> None:
        folder.put("valid_until = 2026-11-22")
        folder.book.load(NOW)
        assert ContractBook(folder.store, BUNDLE, str(folder.path)).load(NOW + 100 * HOUR) == []

    def test_another_text_is_another_version_and_ends_the_one_before(self, folder: Folder) -> None:
        folder.put(LOOSE)
        folder.book.load(NOW)
        folder.put(STRICT)
        assert versions(folder.book.load(NOW + HOUR)) == [("acme", 2)]
        folder.put(LOOSE)
        assert versions(folder.book.load(NOW + 2 * HOUR)) == [("acme", 3)]
        assert folder.history() == [(1, NOW, NOW + HOUR), (2, NOW + HOUR, NOW + 2 * HOUR), (3, NOW + 2 * HOUR, None)]
        assert [one.recorded_at for one in contracts_of(folder.store, "acme")] == [NOW, NOW + HOUR, NOW + 2 * HOUR]

    def test_a_version_to_come_ends_the_one_before_when_it_begins(self, folder: Folder) -> None:
        folder.put(LOOSE)
        folder.book.load(NOW)
        folder.put("valid_from = 2027-01-01\n" + STRICT)
        folder.book.load(NOW + HOUR)
        begin = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
        assert folder.history() == [(1, NOW, begin), (2, begin, None)]

    def test_an_end_that_was_agreed_before_stays(self, folder: Folder) -> None:
        folder.put("valid_until = 2026-12-01")
        folder.book.load(NOW)
        folder.put("valid_from = 2027-01-01")
        folder.book.load(NOW + HOUR)
        assert folder.history()[0] == (1, NOW, dt.datetime(2026, 12, 1, tzinfo=dt.UTC))

    def test_what_begins_before_the_newest_version_is_refused(self, folder: Folder) -> None:
        folder.put("valid_from = 2026-11-10")
        folder.book.load(NOW)
        folder.put("valid_from = 2026-11-09")
        with pytest.raises(ConfigError) as caught:
            folder.book.load(NOW)
        assert str(caught.value) == (
            "contract file 'acme.toml': valid_from = 2026-11-09T00:00:00+00:00: allowed is from "
            "2026-11-10T00:00:00+00:00 on, when version 1 begins, since what is on record is not rewritten "
            "(spanwitness contracts)"
        )
        assert len(folder.history()) == 1

    def test_one_without_a_beginning_is_refused_while_the_newest_is_to_come(self, folder: Folder) -> None:
        folder.put("valid_from = 2027-01-01")
        folder.book.load(NOW)
        folder.put(STRICT)
        with pytest.raises(ConfigError, match=r"valid_from = 2026-11-21T09:30:00\+00:00 \(none stands there: now\)"):
            folder.book.load(NOW)

    def test_one_in_the_past_is_allowed_and_told_by_when_it_was_recorded(self, folder: Folder) -> None:
        folder.put("valid_from = 2026-11-01")
        folder.book.load(NOW)
        folder.put("valid_from = 2026-11-01\n" + STRICT)
        folder.book.load(NOW + HOUR)
        begin = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
        assert folder.history() == [(1, begin, begin), (2, begin, None)]
        assert contracts_of(folder.store, "acme")[1].recorded_at == NOW + HOUR

    def test_one_that_would_end_before_it_is_read_is_refused(self, folder: Folder) -> None:
        folder.put("valid_until = 2026-11-01")
        with pytest.raises(ConfigError, match=r"valid_until = 2026-11-01T00:00:00\+00:00: allowed is a time after"):
            folder.book.load(NOW)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (
                "[evaluate]\nevaluators = ['TaskCompetion']",
                "evaluator 'TaskCompetion' is unknown; allowed: ASRAccuracy, Conversation",
            ),
            (
                "[evaluate]\nevaluators = ['TaskCompletion']\nthresholds = { ConversationResolution = 0.5 }",
                "threshold for 'ConversationResolution', which is not in the bundle; allowed: TaskCompletion",
            ),
            (
                "[evaluate]\nthresholds = { Own = 0.5 }",
                "threshold for 'Own', which is not in the bundle; allowed: Task",
            ),
            (
                "[evaluate]\nevaluators = ['TaskCompletion', 'TaskCompletion']",
                "bundle holds TaskCompletion more than once",
            ),
        ],
    )
    def test_evaluators_that_are_not_there_are_refused(self, folder: Folder, text: str, told: str) -> None:
        folder.put(text)
        with pytest.raises(ConfigError) as caught:
            folder.book.load(NOW)
        assert str(caught.value).startswith(f"contract file 'acme.toml', evaluate: {told}")

    def test_two_files_of_one_tenant_are_refused_by_name(self, folder: Folder) -> None:
        folder.put("")
        folder.put("tenant = 'acme'", "b.toml")
        with pytest.raises(ConfigError, match=r"contract file 'b.toml': tenant = 'acme', as 'acme.toml' has it"):
            folder.book.load(NOW)

    def test_without_a_folder_nothing_is_taken_in_and_the_record_counts(self, store: Store) -> None:
        book = ContractBook(store)
        insert_contracts(store, [Contract("acme", 1, NOW)], NOW)
        assert book.load(NOW) == []
        assert book.look(NOW) == []
        assert book.contract("acme", NOW) is not None

    def test_whoever_records_at_the_same_moment_is_found_out(self, store: Store) -> None:
        theirs = Contract("acme", 1, NOW, text=STRICT)
        made = record(Meddled(store, [theirs]), parse(LOOSE, "acme.toml", NOW), NOW)
        assert made is not None
        assert made.version == 2
        assert [(one.version, one.text) for one in contracts_of(store, "acme")] == [(1, STRICT), (2, LOOSE)]

    def test_the_same_text_from_two_at_the_same_moment_is_one_version(self, store: Store) -> None:
        theirs = Contract("acme", 1, NOW, text=LOOSE)
        made = record(Meddled(store, [theirs]), parse(LOOSE, "acme.toml", NOW), NOW)
        assert made is not None
        assert [(one.version, one.text) for one in contracts_of(store, "acme")] == [(1, LOOSE)]

    def test_others_that_never_stop_recording_are_told(self, store: Store) -> None:
        theirs = [Contract("acme", number, NOW, text=f"# {number}") for number in range(1, 9)]
        with pytest.raises(StoreError, match="others record contracts of this tenant all the time"):
            record(Meddled(store, theirs), parse(LOOSE, "acme.toml", NOW), NOW)


class TestWatching:
    def test_a_change_counts_once_two_looks_found_it_the_same(self, folder: Folder) -> None:
        folder.put(LOOSE)
        folder.book.load(NOW)
        folder.put(STRICT)
        assert folder.book.look(NOW + HOUR) == []
        assert versions(folder.book.look(NOW + 2 * HOUR)) == [("acme", 2)]
        assert folder.look() == []
        assert folder.history() == [(1, NOW, NOW + 2 * HOUR), (2, NOW + 2 * HOUR, None)]

    def test_a_file_that_is_still_being_written_waits(self, folder: Folder) -> None:
        folder.book.load(NOW)
        for text in ("notice = '1d'", "notice = '1d'\n" + LOOSE, "notice = '1d'\n" + STRICT):
            folder.put(text)
            assert folder.book.look(NOW) == []
        assert versions(folder.book.look(NOW)) == [("acme", 1)]
        assert contracts_of(folder.store, "acme")[0].text == "notice = '1d'\n" + STRICT

    def test_a_touched_file_is_no_version(self, folder: Folder) -> None:
        folder.put(LOOSE)
        folder.book.load(NOW)
        (folder.path / "acme.toml").touch()
        assert folder.look() == []

    def test_a_file_that_becomes_invalid_is_told_once_and_its_contract_stays(
        self, folder: Folder, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder.put(LOOSE)
        folder.book.load(NOW)
        folder.put("notice = 3")
        assert folder.look() + folder.look() == []
        (told,) = caplog.messages
        assert told.startswith("contract file 'acme.toml': notice = 3: allowed is a duration")
        assert told.endswith("; the contracts on record stay in force")
        assert folder.history() == [(1, NOW, None)]
        folder.put(STRICT)
        assert folder.look() == [2]

    def test_a_file_that_is_removed_ends_nothing_and_is_told_once(
        self, folder: Folder, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder.put(LOOSE)
        folder.book.load(NOW)
        (folder.path / "acme.toml").unlink()
        assert folder.look() + folder.look() == []
        (told,) = caplog.messages
        assert told.startswith("contract file 'acme.toml' is gone, tenant 'acme': that contract stays in force; to end")
        assert folder.history() == [(1, NOW, None)]

    def test_a_renamed_file_is_the_same_version(self, folder: Folder) -> None:
        folder.put("tenant = 'acme'\n" + LOOSE, "old.toml")
        folder.book.load(NOW)
        (folder.path / "old.toml").rename(folder.path / "new.toml")
        assert folder.look() == []
        assert len(folder.history()) == 1

    def test_a_file_that_changes_its_tenant_is_told(self, folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
        folder.put("tenant = 'acme'", "a.toml")
        folder.book.load(NOW)
        folder.put("tenant = 'acme-two'", "a.toml")
        assert folder.look() == [1]
        assert any(
            "contract file 'a.toml' was that of tenant 'acme': that contract stays" in told for told in caplog.messages
        )
        assert len(folder.history()) == len(folder.history("acme-two")) == 1

    def test_a_second_file_of_a_tenant_is_told_and_does_not_count(
        self, folder: Folder, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder.put(LOOSE)
        folder.book.load(NOW)
        folder.put("tenant = 'acme'\n" + STRICT, "b.toml")
        assert folder.look() == []
        assert any("contract file 'b.toml': tenant = 'acme', as 'acme.toml' has it" in told for told in caplog.messages)

    def test_a_folder_that_cannot_be_looked_into_is_told_once(
        self, folder: Folder, caplog: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        folder.path = tmp_path / "contracts"
        folder.path.mkdir()
        folder.book = ContractBook(folder.store, BUNDLE, str(folder.path))
        folder.put(LOOSE)
        folder.book.load(NOW)
        folder.path.rename(tmp_path / "away")
        assert folder.look() + folder.look() == []
        (told,) = caplog.messages
        assert told.endswith("TENANT.toml files; the contracts on record stay in force")
        (tmp_path / "away").rename(folder.path)
        folder.put(STRICT)
        assert folder.look() == [2]

    def test_a_change_that_could_not_be_stored_is_stored_at_the_next_look(self, folder: Folder) -> None:
        away = Away(folder.store)
        folder.book = ContractBook(away, BUNDLE, str(folder.path))
        folder.put(LOOSE)
        folder.book.load(NOW)
        folder.put(STRICT)
        folder.book.look(NOW)
        away.refuses = True
        with pytest.raises(StoreError):
            folder.book.look(NOW + HOUR)
        away.refuses = False
        assert versions(folder.book.look(NOW + 2 * HOUR)) == [("acme", 2)]

    def test_a_new_version_is_told_in_the_log(self, folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
        folder.put(LOOSE)
        with caplog.at_level(logging.INFO):
            folder.book.load(NOW)
        assert caplog.messages == [
            "contract of tenant 'acme': version 1, from acme.toml, is in force from 2026-11-21T09:30:00+00:00 on"
        ]


class TestExplaining:
    def test_a_folder_is_explained_without_the_record(self, tmp_path: Path) -> None:
        (tmp_path / "acme.toml").write_text("name = 'Schedule C'\n" + LOOSE)
        ((whose, lines),) = explained_in(str(tmp_path), Configured(), NOW)
        assert whose == "acme (acme.toml): Schedule C"
        assert lines[-1] == ("evaluate", "TaskCompletion, threshold 0.25")
        assert explained_in("", Configured(), NOW) == []
        assert [draft.contract.tenant for draft in drafts_in(tmp_path, Configured(), NOW)] == ["acme"]

    def test_it_tells_of_channels_parameters_and_judges(self, tmp_path: Path) -> None:
        (tmp_path / "acme.toml").write_text(LOOSE + FURTHER)
        ((_, lines),) = explained_in(str(tmp_path), Configured(judges=("TaskCompletion",)), NOW)
        assert lines[-5:] == [
            ("fields", "TaskCompletion.max_agent_turns = 40"),
            ("fields", 'TaskCompletion.writes = ["send_message"]'),
            ("evaluate", "TaskCompletion, threshold 0.25, judged as well"),
            ("", "channel voice: TaskCompletion, threshold 0.5, judged as well"),
            ("", "channel voice: ConversationResolution, threshold 0.5"),
        ]

    def test_policy_rules_are_told_by_the_version_that_their_scores_name(self, tmp_path: Path) -> None:
        (tmp_path / "acme.toml").write_text(
            "[evaluate]\nevaluators = ['CustomerAgentPromptConformance']\n"
            "[[evaluate.parameters.CustomerAgentPromptConformance.rules]]\n"
            "name = 'no-promises'\nforbid_phrase = ['guaranteed']\n"
        )
        (draft,) = drafts_in(tmp_path, Configured(), NOW)
        ((_, lines),) = explained_in(str(tmp_path), Configured(), NOW)
        rules = draft.contract.parameters["CustomerAgentPromptConformance"]["rules"]
        (evaluator,) = evaluators_by_name(
            ["CustomerAgentPromptConformance"], {"CustomerAgentPromptConformance": {"rules": rules}}
        )
        talk = Conversation(messages=(Message("user", "Is it safe?"), Message("assistant", "It is guaranteed.")))
        version = evaluator.evaluate(talk).details["rules_version"]
        assert lines[-1] == ("evaluate", f"CustomerAgentPromptConformance, threshold 1.0, rules version {version}")

    def test_a_file_whose_evaluators_do_not_take_it_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "acme.toml").write_text("[evaluate.parameters.TaskCompletion]\nmax_agent_turns = 'many'\n")
        with pytest.raises(ConfigError) as told:
            drafts_in(tmp_path, Configured(), NOW)
        assert str(told.value) == (
            "contract file 'acme.toml', evaluate: parameters.TaskCompletion.max_agent_turns = 'many': "
            "allowed is a whole number"
        )
