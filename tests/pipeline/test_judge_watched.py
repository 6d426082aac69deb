"""A judge can be swapped too: what answered as judge stands in the ledger, and nobody else's record changes for it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from spanwitness.identity import is_judge
from spanwitness.model import Contract, Slot
from spanwitness.pipeline import Register, Review
from spanwitness.pipeline.ledger import Ledger
from spanwitness.pipeline.score_shift import ScoreShifts
from spanwitness.pipeline.touched import Touched
from spanwitness.store.contracts import insert_contracts
from spanwitness.tag.dialects import DIALECTS
from spanwitness.testing import EPOCH, chat, trace_request
from tests.pipeline.judges import MODEL, SERVED, Bench, failure

if TYPE_CHECKING:
    from tests.conftest import Lanes

MINI = "gpt-4o-mini-2024-07-18"
AGENTS = "ServiceName = 'claims'"
JUDGES = "ServiceName = 'spanwitness' AND StepKind = 'judge'"
NAMESAKES = "ServiceName = 'spanwitness' AND StepKind = 'llm'"


def talk(number: int) -> bytes:
    return trace_request([chat(number, 1, number * 10.0, f"c{number:02}")])


@pytest.fixture
def bench(lanes: Lanes) -> Bench:
    return Bench(lanes)


def judged(bench: Bench, *numbers: int) -> None:
    for number in numbers:
        bench.close(talk(number))
        bench.turns()
        bench.sweep()


def swaps(bench: Bench, where: str = JUDGES) -> list[dict[str, Any]]:
    columns = "TenantId, AgentName, StepKind, Class, FromVersion, ToVersion, Severity, Declared, FirstConversationId"
    sql = f"SELECT {columns}, ScoreShift FROM model_swaps FINAL WHERE Withdrawn = 0 AND {where} ORDER BY Class DESC"
    return bench.lanes.rows(sql)


def versions(bench: Bench, where: str) -> list[tuple[Any, ...]]:
    sql = f"""SELECT AgentName, StepKind, ModelVersion, Conversations, Calls, VerifiedShare
        FROM model_versions FINAL WHERE Gone = 0 AND {where} ORDER BY ModelVersion"""
    return [tuple(row.values()) for row in bench.lanes.rows(sql)]


def test_what_answered_as_judge_is_a_version_in_a_slot_of_its_own(bench: Bench) -> None:
    judged(bench, 1, 2)
    assert versions(bench, JUDGES) == [("judge", "judge", f"openai/{SERVED}", 2, 2, 1.0)]
    assert versions(bench, AGENTS) == [("", "llm", "openai/gpt-4o-2024-08-06", 2, 2, 1.0)]


def test_a_judge_that_is_swapped_is_told_and_pages(bench: Bench) -> None:
    judged(bench, 1, 2, 3)
    assert swaps(bench) == []
    bench.judge.served, bench.judge.answers = MINI, ["no", "no", "no"]
    judged(bench, 4, 5, 6)
    version, mismatch = swaps(bench)
    told = ("TenantId", "AgentName", "Class", "FromVersion", "ToVersion", "Severity", "Declared", "FirstConversationId")
    assert [version[name] for name in told] == [
        *("acme", "judge", "version", f"openai/{SERVED}", f"openai/{MINI}", "page", False, "c04")
    ]
    assert [mismatch[name] for name in ("Class", "FromVersion", "Severity")] == [
        *("mismatch", f"openai/{MODEL}", "warning")
    ]
    assert swaps(bench, AGENTS) == []
    shifts = orjson.loads(version["ScoreShift"])
    assert list(shifts) == [f"TaskCompletion/{MODEL}"], "the judge has no part in the other scores"
    shift = shifts[f"TaskCompletion/{MODEL}"]
    assert (shift["before"], shift["after"], shift["n_before"]) == (1.0, 0.0, 3)


def test_a_contract_is_about_agents_and_not_about_the_judge(bench: Bench) -> None:
    contract = Contract("acme", 1, EPOCH - dt.timedelta(days=1), approved=("gpt-4o-2024-08-06",), min_verified=1.0)
    insert_contracts(bench.lanes.store, [contract], EPOCH)
    bench.judge.served = MINI
    judged(bench, 1, 2)
    assert [row["Class"] for row in swaps(bench)] == ["mismatch"]
    bench.judge.served = ""
    bench.close(*map(talk, range(3, 30)))
    bench.turns()
    bench.sweep()
    assert {row["Class"] for row in swaps(bench)} == {"mismatch"}


def test_an_agent_that_is_named_like_the_judge_is_held_to_its_contract_and_told_apart(bench: Bench) -> None:
    contract = Contract("acme", 1, EPOCH - dt.timedelta(days=1), approved=("gpt-4o-2024-08-06",))
    insert_contracts(bench.lanes.store, [contract], EPOCH)
    span = chat(1, 1, 10.0, "c01", served=MINI, attributes={"gen_ai.agent.name": "judge"})
    bench.close(trace_request([span], service="spanwitness"))
    bench.turns()
    bench.sweep()
    assert versions(bench, NAMESAKES) == [("judge", "llm", f"openai/{MINI}", 1, 1, 1.0)]
    assert versions(bench, JUDGES) == [("judge", "judge", f"openai/{SERVED}", 1, 1, 1.0)]
    assert {row["Class"] for row in swaps(bench, NAMESAKES)} == {"unapproved", "mismatch"}
    assert swaps(bench) == []


def test_no_span_can_have_the_judges_role() -> None:
    kinds = {kind for dialect in DIALECTS for way in dialect.kinds for kind in way.steps.values()}
    assert "llm" in kinds
    assert not any(map(is_judge, kinds | {"stt", "tts"}))


def test_an_answer_that_cannot_be_used_tells_all_the_same_who_gave_it(bench: Bench) -> None:
    bench.judge.answers = [failure("unusable", served=MINI), failure("timeout")]
    bench.close(talk(1))
    bench.turns()
    bench.lanes.clock.advance(seconds=5)
    bench.turns()
    bench.lanes.clock.advance(seconds=20)
    bench.turns()
    bench.sweep()
    assert {version: calls for _, _, version, _, calls, _ in versions(bench, JUDGES)} == {
        f"openai/{SERVED}": 1,
        f"openai/{MINI}": 1,
    }


def test_a_revision_takes_away_what_agents_used_and_not_what_judged(bench: Bench) -> None:
    judged(bench, 1)
    before = versions(bench, JUDGES)
    bench.lanes.ingest([trace_request([chat(1, 2, 12.0, "c01", served=MINI)])])
    bench.lanes.close_everything()
    assert versions(bench, JUDGES) == before
    assert [row[2] for row in versions(bench, AGENTS)] == ["openai/gpt-4o-2024-08-06", f"openai/{MINI}"]
    bench.turns()
    bench.sweep()
    assert [row[4] for row in versions(bench, JUDGES)] == [2]
    assert [row[2] for row in versions(bench, AGENTS)] == ["openai/gpt-4o-2024-08-06", f"openai/{MINI}"]


def test_killed_before_the_ledger_was_brought_up_to_date_the_next_process_does_it(bench: Bench) -> None:
    bench.close(talk(1))
    bench.turns()
    assert versions(bench, JUDGES) == []
    Review(bench.lanes.store, bench.review_rules).sweep(bench.lanes.clock())
    assert [row[2] for row in versions(bench, JUDGES)] == [f"openai/{SERVED}"]


def test_the_score_shift_of_an_agents_swap_has_the_judges_scores_once_they_are_there(bench: Bench) -> None:
    bench.judge.answers = ["yes", "no"]
    bench.close(talk(1))
    bench.turns()
    bench.close(trace_request([chat(2, 1, 20.0, "c02", served=MINI)]))
    (swap,) = (row for row in swaps(bench, AGENTS) if row["Class"] == "version")
    assert orjson.loads(swap["ScoreShift"])[f"TaskCompletion/{MODEL}"]["n_after"] == 0
    bench.turns()
    bench.sweep()
    (swap,) = (row for row in swaps(bench, AGENTS) if row["Class"] == "version")
    shift = orjson.loads(swap["ScoreShift"])[f"TaskCompletion/{MODEL}"]
    assert (shift["before"], shift["after"], shift["n_before"], shift["n_after"]) == (1.0, 0.0, 1, 1)


def shift_of_agents(bench: Bench) -> tuple[int, Any]:
    """How many scores of the judge are told after the agents' swap, and when an entry was last written."""
    (swap,) = (row for row in swaps(bench, AGENTS) if row["Class"] == "version")
    (written,) = bench.lanes.rows(f"SELECT max(UpdatedAt) AS at FROM model_swaps WHERE {AGENTS}")
    return orjson.loads(swap["ScoreShift"])[f"TaskCompletion/{MODEL}"]["n_after"], written["at"]


def swapped(bench: Bench) -> None:
    """The agents' model was swapped, and the judge has not been asked yet about what came since."""
    judged(bench, 1)
    bench.close(trace_request([chat(2, 1, 20.0, "c02", served=MINI)]))
    assert shift_of_agents(bench)[0] == 0


def test_killed_before_the_score_shift_was_brought_up_to_date_the_next_process_does_it(bench: Bench) -> None:
    swapped(bench)
    bench.turns()
    Review(bench.lanes.store, bench.review_rules).sweep(bench.lanes.clock.advance(seconds=1))
    known, written = shift_of_agents(bench)
    assert known == 1
    Review(bench.lanes.store, bench.review_rules).sweep(bench.lanes.clock.advance(seconds=1))
    assert shift_of_agents(bench) == (1, written), "what has not changed is not written again"


def test_a_sweep_in_a_hurry_leaves_the_score_shift_to_the_next(bench: Bench) -> None:
    swapped(bench)
    store, now = bench.lanes.store, bench.lanes.clock()
    touched = Touched(store)
    touched.refresh(Ledger(store), ScoreShifts(store), now)
    bench.turns()
    touched.add({Slot("acme", "claims", "", "llm"): 0})
    touched.refresh(Ledger(store), ScoreShifts(store, lambda: True), now)
    assert shift_of_agents(bench)[0] == 0
    touched.refresh(Ledger(store), ScoreShifts(store), now)
    assert shift_of_agents(bench)[0] == 1


def test_a_change_of_the_judge_is_declared_as_any_other(bench: Bench) -> None:
    judged(bench, 1, 2)
    told = {
        "tenant": "acme",
        "service": "spanwitness",
        "agent": "judge",
        "to_model": MINI,
        "from": EPOCH.isoformat(),
        "by": "jane",
        "reason": "cheaper",
    }
    Register(bench.lanes.store).declare(told, EPOCH, "cli")
    bench.judge.served = MINI
    judged(bench, 3)
    version = next(row for row in swaps(bench) if row["Class"] == "version")
    assert (version["Declared"], version["Severity"]) == (True, "info")
