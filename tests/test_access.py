"""How a command that has the store to itself scores again."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from spanwitness.access import _Direct, rescore_request
from spanwitness.config import Config, EvaluateConfig
from spanwitness.evaluators import Bundle
from spanwitness.model import Conversation, Score
from spanwitness.pipeline import ReviewRules
from spanwitness.testing import EPOCH, chat, trace_request
from tests.conftest import Lanes

if TYPE_CHECKING:
    from spanwitness.store import Store

MINI = "gpt-4o-mini-2024-07-18"


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts how often it was made."""

    name: ClassVar[str] = "Counted"
    version: ClassVar[str] = "1"
    made: ClassVar[list[str]] = []

    def __post_init__(self) -> None:
        self.made.append(self.name)

    def evaluate(self, _conversation: Conversation) -> Score:
        return Score(self.name, self.version, 1.0, "", "completed", "")


CONFIG = Config(
    evaluate=EvaluateConfig(evaluators=("Counted",)), evaluators={"Counted": {"class": f"{__name__}:Counted"}}
)


def asked(*, dry_run: bool = False) -> dict[str, Any]:
    since = EPOCH - dt.timedelta(days=1)
    return rescore_request(since=since, until=None, tenant=None, conversation=None, dry_run=dry_run)


@pytest.fixture
def direct(store: Store) -> _Direct:
    """Over a record in which a model was swapped and nothing was scored."""
    lanes = Lanes(store, review_rules=ReviewRules(bundle=Bundle((), {})))
    lanes.ingest([trace_request([chat(1, 1, 0.0, "a"), chat(2, 1, 60.0, "b", served=MINI)])])
    lanes.close_everything()
    return _Direct(store, CONFIG)


def written(store: Store) -> list[dict[str, Any]]:
    return store.rows("SELECT Class, ScoreShift, UpdatedAt FROM model_swaps FINAL ORDER BY Class")


def test_a_dry_run_leaves_the_ledger_as_it_is(direct: _Direct, store: Store) -> None:
    late = "'acme', 'b', 1, 'Late', '1', 'completed', 0.5"
    columns = "TenantId, ConversationId, Revision, Evaluator, EvaluatorVersion, Status, Score"
    store.command(f"INSERT INTO scores ({columns}) VALUES ({late})")
    before = written(store)
    assert direct.rescore(asked(dry_run=True))["conversations"] == 2
    assert written(store) == before
    direct.rescore(asked())
    (swap,) = (row for row in written(store) if row["Class"] == "version")
    assert "Late" in swap["ScoreShift"]
    assert "Counted" in swap["ScoreShift"]


def test_evaluators_are_made_once_for_all_pages(direct: _Direct) -> None:
    first = asked()
    assert direct.rescore(first)["new"] == 2
    made = len(Counted.made)
    assert direct.rescore({**first, "after": ["acme", "a"]})["unchanged"] == 1
    assert made > 0
    assert len(Counted.made) == made
