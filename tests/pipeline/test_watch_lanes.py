"""The watch on the whole path: spans in, conversations closed, the ledger told; and what captures show of slots."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.drift.compact import from_text
from spanwitness.drift.features import INDEX
from spanwitness.model import Deployment
from spanwitness.pipeline import Review, ReviewRules, WatchRules
from spanwitness.pipeline.ledger import Ledger
from spanwitness.store import drift
from spanwitness.store.deployments import insert_deployments
from spanwitness.testing import EPOCH, FakeSpan, chat, trace_request
from tests.drift.talk import OTHER, PLAIN, many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Lanes, Requests
    from tests.drift.talk import Conversation

RULES = ReviewRules(watch=WatchRules(reference=30))
TALKS = many(PLAIN, 42, 1) + many(OTHER, 14, 4)
LEDGER = """
SELECT * EXCEPT (DetectedAt, UpdatedAt, ConversationsAfter) FROM model_swaps FINAL
WHERE Withdrawn = 0 ORDER BY FirstSeenAt
"""


def spans(number: int, talk: Conversation) -> Iterator[FakeSpan]:
    """The talk as one trace: a model call for each answer, each with the history before it."""
    history: list[dict[str, Any]] = []
    for at, message in enumerate(talk["messages"]):
        said = part(at, message)
        if "usage" in message:
            usage = message["usage"]
            told = {
                "gen_ai.usage.input_tokens": usage["input_tokens"],
                "gen_ai.usage.output_tokens": usage["output_tokens"],
                "gen_ai.usage.reasoning.output_tokens": usage["reasoning_tokens"],
                "gen_ai.input.messages": json.dumps(history),
                "gen_ai.output.messages": json.dumps([said]),
            }
            yield chat(number, at + 1, number * 60 + at, f"c{number}", attributes=told)
        history.append(said)


def part(at: int, message: dict[str, Any]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "text", "content": message["content"]}] if message["content"] else []
    parts += [
        {"type": "tool_call", "id": f"t{at}", "name": call["name"], "arguments": call["arguments"]}
        for call in message.get("tool_calls", ())
    ]
    if message["role"] == "tool":
        response = "{".ljust(message["length"])
        parts = [{"type": "tool_call_response", "id": f"t{at - 1}", "response": response}]
    return {"role": message["role"], "parts": parts}


def ingest(lanes: Lanes, begin: int, end: int) -> None:
    lanes.ingest([trace_request(spans(number + 1, TALKS[number])) for number in range(begin, end)])


def test_a_swap_behind_the_name_is_in_the_ledger_after_an_import(lanes: Lanes) -> None:
    ingest(lanes, 0, len(TALKS))
    lanes.ingestion.flush()
    swept = Review(lanes.store, RULES).close_all(lanes.clock(), "import")
    (swap,) = [swap for swap in swept.swaps if swap.swap_class == "disguised"]
    assert swap.severity == "page"
    assert abs(int(swap.first_conversation[1:]) - 43) <= 1
    (row,) = [row for row in lanes.rows(LEDGER) if row["Class"] == "disguised"]
    assert row["FirstTraceId"] == next(spans(int(swap.first_conversation[1:]), TALKS[0])).trace_id


def test_closed_a_few_at_a_time_by_ever_new_processes_it_is_the_same_entry(lanes: Lanes) -> None:
    ingest(lanes, 0, len(TALKS))
    lanes.ingestion.flush()
    Review(lanes.store, RULES).close_all(lanes.clock(), "import")
    at_once = lanes.rows(LEDGER)
    lanes.clear()
    lanes.review_rules = RULES
    for begin in range(0, len(TALKS), 14):
        ingest(lanes, begin, begin + 14)
        lanes.review(lanes.clock.advance(hours=1))
    assert lanes.rows(LEDGER) == at_once
    assert [row["Class"] for row in at_once] == ["disguised"]


def test_a_replay_of_it_all_changes_nothing(lanes: Lanes) -> None:
    lanes.review_rules = RULES
    for _ in range(2):
        ingest(lanes, 0, len(TALKS))
        lanes.close_everything()
    assert [row["Class"] for row in lanes.rows(LEDGER)] == ["disguised"]
    assert lanes.rows("SELECT count() AS n, max(Number) AS last FROM drift_features FINAL") == [{"n": 56, "last": 56}]


def test_a_late_span_does_not_count_its_conversation_again(lanes: Lanes) -> None:
    lanes.review_rules = RULES
    ingest(lanes, 0, 3)
    lanes.close_everything()
    lanes.ingest([trace_request([chat(2, 99, 200, "c2")])])
    assert lanes.close_everything().revised == 1
    assert lanes.rows("SELECT count() AS n FROM drift_features FINAL") == [{"n": 3}]


def test_what_a_review_leaves_is_stored_when_it_finishes(lanes: Lanes) -> None:
    ingest(lanes, 0, 12)
    lanes.ingestion.flush()
    review = Review(lanes.store, RULES)
    review.close_all(lanes.clock(), "import")
    review.finish(lanes.clock.advance(seconds=1))
    (kept,) = drift.watched(lanes.store, "acme")
    assert (kept.phase, kept.learnt, kept.needed, kept.number) == ("learning", 12, 30, 12)


def test_the_ledger_of_names_leaves_its_entries_alone_and_judges_them_by_what_is_declared(lanes: Lanes) -> None:
    lanes.review_rules = RULES
    longer = many(replace(PLAIN, prompt_tokens=3_400), 25, 7)
    told = [trace_request(spans(number, talk)) for number, talk in enumerate(TALKS[:40] + longer, 1)]
    lanes.ingest(told)
    lanes.close_everything()
    lanes.ingest([trace_request([chat(500, 1, 90_000, "later", served="gpt-4o-2024-11-20")])])
    lanes.close_everything()
    assert {(row["Class"], row["ToVersion"]) for row in lanes.rows(LEDGER)} == {
        ("prompt", "unknown"),
        ("version", "openai/gpt-4o-2024-11-20"),
    }
    declared = Deployment("acme", "d1", "unknown", EPOCH, lanes.clock(), kind="prompt", declared_by="ops")
    insert_deployments(lanes.store, [declared], lanes.clock())
    Ledger(lanes.store).sweep(lanes.clock())
    (entry,) = [row for row in lanes.rows(LEDGER) if row["Class"] == "prompt"]
    assert (entry["Severity"], entry["DeploymentId"], entry["Withdrawn"]) == ("warning", "d1", 0)


def test_turned_off_it_keeps_nothing(lanes: Lanes) -> None:
    ingest(lanes, 0, 3)
    lanes.close_everything()
    Review(lanes.store, ReviewRules()).finish(lanes.clock())
    assert lanes.rows("SELECT count() AS n FROM drift_features") == [{"n": 0}]


@pytest.mark.parametrize("name", ["genai_openai_handler", "oi_openai_chat", "langgraph_bare", "livekit_voice"])
def test_captures_show_what_was_said_and_what_it_cost(
    name: str, lanes: Lanes, capture: Callable[[str], Requests]
) -> None:
    lanes.review_rules = RULES
    lanes.ingest_all(capture(name))
    lanes.review(lanes.clock.advance(hours=1))
    rows = lanes.rows("SELECT Features FROM drift_features FINAL")
    assert rows
    for row in rows:
        values = from_text(row["Features"]).values
        assert {each: bool(values[INDEX[each]] == values[INDEX[each]]) for each in ("commas", "output", "latency")} == {
            "commas": True,
            "output": True,
            "latency": True,
        }
