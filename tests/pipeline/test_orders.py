"""However telemetry is cut into requests, and in whatever order and how often these come: the record is the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.receive import Signal
from spanwitness.testing import span_by_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.conftest import Lanes, Requests

    Reader = Callable[[str], Requests]

CAPTURES = [
    "fi_langgraph",
    "fi_livekit_voice",
    "fi_openai_agents",
    "fi_pgvector",
    "fi_pinecone",
    "genai_langchain",
    "genai_openai",
    "genai_openai_agents",
    "genai_openai_events",
    "genai_openai_handler",
    "livekit_voice",
    "oi_langgraph",
    "oi_openai_agents",
    "oi_openai_agents_chat",
    "oi_openai_chat",
    "openai_v2_latest",
    "openai_v2_legacy",
]
SEEDED = [(name, seed) for seed, name in enumerate(CAPTURES)]


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """What the record says of each capture when it comes as one batch; filled as it is asked for."""
    return {}


def as_one_batch(name: str, lanes: Lanes, capture: Reader, undisturbed: dict[str, Any]) -> dict[str, Any]:
    if name not in undisturbed:
        lanes.ingest_all(capture(name))
        assert lanes.close_everything().closed == 4
        undisturbed[name] = lanes.record()
        lanes.clear()
    return dict(undisturbed[name])


def one_by_one(requests: Requests) -> Requests:
    """Each span in a request of its own; log requests stay as they are."""
    return [
        (signal, part)
        for signal, body in requests
        for part in (span_by_span(body) if signal is Signal.TRACES else [body])
    ]


def in_groups(chance: random.Random, requests: Requests, largest: int) -> Iterable[Requests]:
    at = 0
    while at < len(requests):
        size = chance.randint(1, largest)
        yield requests[at : at + size]
        at += size


@pytest.mark.parametrize(("name", "seed"), SEEDED)
def test_shuffled_repeated_and_batched_anew(
    name: str, seed: int, lanes: Lanes, capture: Reader, undisturbed: dict[str, Any]
) -> None:
    expected = as_one_batch(name, lanes, capture, undisturbed)
    chance = random.Random(seed)  # noqa: S311 - a shuffle
    spans = one_by_one(capture(name))
    chance.shuffle(spans)
    for group in in_groups(chance, spans, len(spans) // 3):
        again = chance.sample(spans, 3)
        lanes.ingest_all([*group, *again])
        assert lanes.review(lanes.clock.advance(seconds=1)).closed == 0
    lanes.close_everything()

    assert lanes.record() == expected


@pytest.mark.parametrize("name", ["genai_openai_handler", "openai_v2_legacy"])
def test_every_span_alone_and_from_last_to_first(
    name: str, lanes: Lanes, capture: Reader, undisturbed: dict[str, Any]
) -> None:
    expected = as_one_batch(name, lanes, capture, undisturbed)
    for request in reversed(one_by_one(capture(name))):
        lanes.ingest_all([request])
    lanes.close_everything()

    assert lanes.record() == expected


@pytest.mark.parametrize(("name", "seed"), SEEDED[::3])
def test_closed_too_early_again_and_again(
    name: str, seed: int, lanes: Lanes, capture: Reader, undisturbed: dict[str, Any]
) -> None:
    """Each sweep closes what has come so far. The last word is the same; earlier revisions are all that is more."""
    expected = as_one_batch(name, lanes, capture, undisturbed)
    chance = random.Random(seed)  # noqa: S311 - a shuffle
    spans = one_by_one(capture(name))
    chance.shuffle(spans)
    for group in in_groups(chance, spans, len(spans) // 3):
        lanes.ingest_all(group)
        lanes.close_everything()

    assert last_word(lanes.record()) == last_word(expected)


def last_word(record: dict[str, Any]) -> dict[str, Any]:
    """The newest revision of every conversation that was not moved, and all else, without revision numbers."""
    newest: dict[tuple[str, str], int] = {}
    for row in record["conversations"]:
        newest[row["TenantId"], row["ConversationId"]] = row["Revision"]
    kept = {
        table: [
            {key: value for key, value in row.items() if key not in {"Revision", "CloseReason"}}
            for row in record[table]
            if newest.get((row["TenantId"], row["ConversationId"])) == row["Revision"] and not moved(row)
        ]
        for table in ("conversations", "steps", "scores")
    }
    swaps = [{key: value for key, value in row.items() if key != "Evidence"} for row in record["model_swaps"]]
    return {**record, **kept, "model_swaps": swaps}


def moved(row: dict[str, Any]) -> bool:
    return bool(row.get("CloseReason") == "moved")
