"""What a swap did to scores, as it comes to stand beside the swap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import pytest

from spanwitness.evaluators import Bundle
from spanwitness.model import Conversation, Score, Slot
from spanwitness.pipeline import ReviewRules
from spanwitness.pipeline.score_shift import STAGES, ScoreShifts
from spanwitness.store.score_shift import swaps_of
from spanwitness.testing import chat, trace_request
from tests.conftest import Lanes

if TYPE_CHECKING:
    from spanwitness.store import Store

MINI = "gpt-4o-mini-2024-07-18"
SLOT = Slot("acme", "claims", "", "llm")
RECORD = ("otel_traces", "otel_traces_trace_id_ts", "conversations", "steps", "scores", "model_uses", "model_swaps")
WHEN_WRITTEN = ("ScoreShift", "UpdatedAt")


@dataclass(frozen=True, slots=True)
class FullAnswers:
    """1 where the full model answered all calls."""

    name: ClassVar[str] = "FullAnswers"
    version: ClassVar[str] = "1"

    def evaluate(self, conversation: Conversation) -> Score:
        full = all(step.span.served_model != MINI for step in conversation.steps)
        return Score(self.name, self.version, float(full), "", "completed", "")


class FullAnswersAnew(FullAnswers):
    """The same, in a later version."""

    version: ClassVar[str] = "2"


@dataclass(frozen=True, slots=True)
class ByRules(FullAnswers):
    """The same, by rules that a contract may change."""

    rules: str = ""

    def evaluate(self, conversation: Conversation) -> Score:
        score = FullAnswers.evaluate(self, conversation)
        return replace(score, details={"rules_version": self.rules})


def lanes_of(store: Store, evaluator: FullAnswers | None = None) -> Lanes:
    bundle = Bundle((evaluator or FullAnswers(),), {"FullAnswers": 0.5})
    return Lanes(store, review_rules=ReviewRules(bundle=bundle))


def answer(lanes: Lanes, number: int, served: str = "gpt-4o-2024-08-06") -> None:
    """A conversation of one call, closed and judged."""
    lanes.ingest([trace_request([chat(number, 1, number * 60.0, f"c-{number}", served=served)])])
    lanes.close_everything()


def swap_of(store: Store) -> dict[str, Any]:
    sql = "SELECT * FROM model_swaps FINAL WHERE Class = 'version'"
    (row,) = store.rows(sql)
    return row


def shift_of(store: Store) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(swap_of(store)["ScoreShift"])["FullAnswers"]
    return found


def test_it_is_worked_out_at_each_stage_and_not_between(store: Store) -> None:
    lanes = lanes_of(store)
    lanes.ingest([trace_request([chat(number, 1, number * 60.0, f"c-{number}") for number in range(3)])])
    lanes.close_everything()
    seen = []
    for number in range(3, 9):
        answer(lanes, number, MINI)
        assert swap_of(store)["ConversationsAfter"] == number - 2
        seen.append(shift_of(store)["conversations"])
    assert seen == [max(stage for stage in STAGES if stage <= after) for after in range(1, 7)]
    shift = shift_of(store)
    assert (shift["n_before"], shift["before"], shift["n_after"], shift["after"]) == (3, 1.0, 5, 0.0)
    assert (shift["low"], shift["difference"]) == (-1.0, -1.0)
    assert shift["high"] < 0
    assert (shift["passed_before"], shift["passed_after"]) == (1.0, 0.0)


def test_a_conversation_with_both_models_counts_after_and_not_before(store: Store) -> None:
    lanes = lanes_of(store)
    answer(lanes, 0)
    lanes.ingest([trace_request([chat(1, 1, 60, "both"), chat(1, 2, 61, "both", served=MINI)])])
    lanes.close_everything()
    assert (shift_of(store)["n_before"], shift_of(store)["n_after"]) == (1, 1)


def test_scores_of_another_version_of_the_evaluator_are_not_compared(store: Store) -> None:
    answer(lanes_of(store), 0)
    later = lanes_of(store, FullAnswersAnew())
    answer(later, 1, MINI)
    shift = shift_of(store)
    assert (shift["compared"], shift["n_before"], shift["n_after"], shift["difference"]) == (False, 1, 1, None)


@pytest.mark.parametrize(("rules", "compared"), [("bbbb2222", False), ("aaaa1111", True)])
def test_what_other_rules_did_is_not_told_of_the_swap(store: Store, rules: str, compared: bool) -> None:
    answer(lanes_of(store, ByRules("aaaa1111")), 0)
    answer(lanes_of(store, ByRules(rules)), 1, MINI)
    shift = shift_of(store)
    version = "1 (rules aaaa1111)" if compared else ""
    assert (shift["compared"], shift["evaluator_version"], shift["n_before"], shift["n_after"]) == (
        compared,
        version,
        1,
        1,
    )
    assert (shift["difference"] is not None) == compared


def test_only_the_newest_revision_is_scored(store: Store) -> None:
    lanes = lanes_of(store)
    answer(lanes, 0)
    answer(lanes, 1, MINI)
    lanes.ingest([trace_request([chat(1, 2, 61.0, "c-1", served=MINI)])])
    lanes.close_everything()
    answer(lanes, 2, MINI)
    assert (shift_of(store)["n_after"], shift_of(store)["conversations"]) == (2, 2)


def test_nothing_else_of_the_entry_is_touched(store: Store) -> None:
    lanes = Lanes(store, review_rules=ReviewRules(bundle=Bundle((), {})))
    answer(lanes, 0)
    answer(lanes, 1, MINI)
    before = swap_of(store)
    assert before["ScoreShift"] == "{}"
    judged = {"TenantId": "acme", "ConversationId": "c-1", "Revision": 1, "Evaluator": "Late", "EvaluatorVersion": "1"}
    columns, values = ", ".join(judged), ", ".join(repr(value) for value in judged.values())
    store.command(f"INSERT INTO scores ({columns}, Status, Score) VALUES ({values}, 'completed', 0.5)")
    assert ScoreShifts(store).refresh("acme", [SLOT], lanes.clock()) == 2  # and the mismatch
    after = swap_of(store)
    assert "Late" in orjson.loads(after["ScoreShift"])
    assert {name: value for name, value in after.items() if name not in WHEN_WRITTEN} == {
        name: value for name, value in before.items() if name not in WHEN_WRITTEN
    }


def test_the_ledger_keeps_it_when_it_writes_the_entry_again(store: Store) -> None:
    lanes = lanes_of(store)
    answer(lanes, 0)
    for number in range(1, 4):
        answer(lanes, number, MINI)
    assert (swap_of(store)["ConversationsAfter"], shift_of(store)["conversations"]) == (3, 2)


def test_where_no_evaluator_ran_it_is_asked_once_a_stage(store: Store) -> None:
    lanes = Lanes(store, review_rules=ReviewRules(bundle=Bundle((), {})))
    answer(lanes, 0)
    answer(lanes, 1, MINI)
    shifts = ScoreShifts(store)
    row = next(row for row in swaps_of(store, "acme", [SLOT], ("version",)))
    assert shifts._due(row, {})  # noqa: SLF001 - that it does not ask again cannot be seen from outside
    assert shifts.refresh("acme", [SLOT], lanes.clock()) == 0
    assert not shifts._due(row, {})  # noqa: SLF001
    assert shifts._due({**row, "ConversationsAfter": 2}, {})  # noqa: SLF001


def test_what_comes_late_or_is_revised_is_compared_too(store: Store) -> None:
    """The same as if it had all come in order."""
    shifts = []
    for order in ([0, 1, 2, 3, 4], [0, 3, 4, 2, 1]):
        lanes = lanes_of(store)
        for number in order:
            answer(lanes, number, "gpt-4o-2024-08-06" if number < 2 else MINI)
        shifts.append(shift_of(store))
        for table in RECORD:
            store.command(f"TRUNCATE TABLE {table}")
    assert shifts[0] == shifts[1]
    assert (shifts[0]["n_before"], shifts[0]["n_after"], shifts[0]["conversations"]) == (2, 2, 2)


@pytest.mark.parametrize("slots", [[], [Slot("acme", "other", "", "llm")]])
def test_other_slots_are_left_alone(store: Store, slots: list[Slot]) -> None:
    lanes = lanes_of(store)
    answer(lanes, 0)
    answer(lanes, 1, MINI)
    assert ScoreShifts(store).refresh("acme", slots, lanes.clock()) == 0
