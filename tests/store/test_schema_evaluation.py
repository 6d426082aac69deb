"""Scores of before judges and repeated scorings: what was there stays, and the last verdict is the one that is read."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.model import Conversation, JudgeUse, Score
from spanwitness.store.clickhouse import Store
from spanwitness.store.engines import open_engine
from spanwitness.store.location import parse_location
from spanwitness.store.rows import score_row
from spanwitness.store.schema import steps
from spanwitness.store.scores import insert_scores
from spanwitness.testing import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spanwitness.model import Status

BEFORE = [step for step in steps() if step.version < 5]
(FIFTH,) = (step for step in steps() if step.version == 5)
OLD = """
INSERT INTO scores (TenantId, ConversationId, Revision, Evaluator, EvaluatorVersion, Judge, Status, Score, ScoredAt)
VALUES ('t', 'old', 1, 'A', '1', '', 'completed', 0.5, '2026-11-01')
"""
SENT = "INSERT INTO forwarded_scores VALUES ('t', 'old', 1, '2026-11-01', '2026-11-01')"
CONVERSATION = (
    "INSERT INTO conversations (TenantId, ConversationId, Revision, ClosedAt) VALUES ('t', '{}', {}, now64(3))"
)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store as the release before left it, with a score in it, brought up to date again and again."""
    store = Store(open_engine(parse_location(f"chdb://{tmp_path_factory.mktemp('earlier')}")), "earlier")
    for statement in (statement for step in BEFORE for statement in step.statements):
        store.command(statement)
    for statement in (OLD, SENT, CONVERSATION.format("old", 1)):
        store.command(statement)
    for killed_after in range(len(FIFTH.statements) + 1):
        for statement in FIFTH.statements[:killed_after]:
            store.command(statement)
    store.migrate()
    yield store
    store.close()


def test_what_was_there_is_read_as_a_first_verdict_that_no_judge_gave(earlier: Store) -> None:
    columns = "ConversationId, Evaluator, Judge, JudgeModel, Scoring, Score"
    assert earlier.rows(f"SELECT {columns} FROM scores_latest WHERE ConversationId = 'old'") == [
        {"ConversationId": "old", "Evaluator": "A", "Judge": "", "JudgeModel": "", "Scoring": 0, "Score": 0.5}
    ]
    columns = "ConversationId, Evaluator, Judge, Scoring, Failed"
    assert earlier.rows(f"SELECT {columns} FROM forwarded_scores FINAL") == [
        {"ConversationId": "old", "Evaluator": "", "Judge": "", "Scoring": 0, "Failed": 0}
    ]


def test_verdicts_given_again_do_not_replace_each_other(earlier: Store) -> None:
    keys = earlier.rows(
        "SELECT name, sorting_key FROM system.tables WHERE name IN ('scores', 'forwarded_scores') ORDER BY name"
    )
    assert [row["sorting_key"] for row in keys] == [
        "TenantId, ConversationId, Revision, Evaluator, Judge, Scoring, Failed",
        "TenantId, ConversationId, Revision, Evaluator, EvaluatorVersion, Judge, Scoring",
    ]


def test_what_waits_and_what_came_last_are_found_without_reading_all(earlier: Store) -> None:
    found = earlier.rows(
        "SELECT table, name, type, expr FROM system.data_skipping_indices "
        "WHERE table IN ('scores', 'judge_tasks') AND database = currentDatabase() ORDER BY table"
    )
    assert [tuple(row.values()) for row in found] == [
        ("judge_tasks", "idx_state", "set", "State"),
        ("scores", "idx_scored_at", "minmax", "ScoredAt"),
    ]


class Talk:
    """A conversation that is scored from minute to minute."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        self.now = EPOCH

    def close(self, revision: int = 1) -> None:
        self.store.command(CONVERSATION.format(self.name, revision))

    def score(
        self,
        evaluator: str,
        value: float | None,
        *,
        judge: str = "",
        scoring: int = 0,
        revision: int = 1,
        version: str = "1",
    ) -> None:
        self.now += dt.timedelta(minutes=1)
        status: Status = "failed" if value is None else "completed"
        use = JudgeUse(judge) if judge else None
        score = Score(evaluator, version, value, "", status, "", judge=use)
        row = score_row(Conversation((), "t", self.name, revision), score, None, self.now)
        insert_scores(self.store, [{**row, "Scoring": scoring}])

    def latest(self) -> list[tuple[Any, ...]]:
        sql = f"""SELECT Revision, Evaluator, Judge, Scoring, Score FROM scores_latest
            WHERE ConversationId = '{self.name}' ORDER BY Evaluator, Judge, Scoring"""
        return [tuple(row.values()) for row in self.store.rows(sql)]


@pytest.mark.parametrize("merged", [False, True])
def test_the_last_verdict_of_each_evaluator_and_judge_on_the_newest_revision(earlier: Store, merged: bool) -> None:
    talk = Talk(earlier, f"c{merged}")
    talk.close()
    talk.score("A", 0.1)
    talk.score("B", 0.2)
    talk.score("A", None, judge="m")

    def seen() -> list[tuple[Any, ...]]:
        if merged:
            earlier.command("OPTIMIZE TABLE scores FINAL")
        return talk.latest()

    assert seen() == [(1, "A", "", 0, 0.1), (1, "A", "m", 0, None), (1, "B", "", 0, 0.2)]
    talk.score("A", 0.9, judge="m")
    assert seen() == [(1, "A", "", 0, 0.1), (1, "A", "m", 0, 0.9), (1, "B", "", 0, 0.2)], "in place of the error"
    talk.score("A", 0.3, scoring=1, version="2")
    talk.score("A", 0.4, scoring=2, version="1")
    talk.score("A", 0.8, judge="m", scoring=1)
    assert seen() == [(1, "A", "", 2, 0.4), (1, "A", "m", 1, 0.8), (1, "B", "", 0, 0.2)]
    talk.close(2)
    talk.score("A", 0.5, revision=2)
    assert seen() == [(2, "A", "", 0, 0.5)], "what is said of it is said of its newest revision"
    everything = earlier.rows(f"SELECT count() AS n FROM scores FINAL WHERE ConversationId = '{talk.name}'")
    assert everything[0]["n"] == 7, "nothing of it is lost"
