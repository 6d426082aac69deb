"""The hidden swap, found: what the probe stamped in LiveKit's and strands' processes, on the server's whole path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

OLD, NEW = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"
CAPTURES = ("livekit_text_probe", "strands_probe")


@pytest.fixture(params=CAPTURES)
def reviewed(request: pytest.FixtureRequest, lanes: Any, capture: Callable[[str], Any]) -> Any:
    lanes.ingest_all(capture(request.param))
    lanes.close_everything()
    return lanes


def test_every_call_tells_its_model_and_that_the_probe_says_so(reviewed: Any) -> None:
    rows = reviewed.rows(
        "SELECT ConversationId, RequestedModel, ServedModel, ServedModelSource, SystemFingerprint, count() AS Calls "
        "FROM otel_traces FINAL WHERE StepKind = 'llm' GROUP BY ALL ORDER BY ConversationId"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("conv-probe-0001", "gpt-4o", OLD, "probe", "fp_831e067d82", 3),
        ("conv-probe-0002", "gpt-4o", OLD, "probe", "fp_831e067d82", 3),
        ("conv-probe-0003", "gpt-4o", NEW, "probe", "fp_0aa8d3e20b", 3),
        ("conv-probe-0004", "gpt-4o", NEW, "probe", "fp_0aa8d3e20b", 3),
    ]


def test_the_swap_is_found_and_dated(reviewed: Any) -> None:
    (version,) = reviewed.rows("SELECT * FROM model_swaps FINAL WHERE Class = 'version' AND Withdrawn = 0")
    # LiveKit takes the server's address for the provider.
    assert [version[key].partition("/")[2] for key in ("FromVersion", "ToVersion")] == [OLD, NEW]
    assert version["FirstConversationId"] == "conv-probe-0003"
    (mismatch,) = reviewed.rows("SELECT * FROM model_swaps FINAL WHERE Class = 'mismatch' AND Withdrawn = 0")
    assert mismatch["FirstConversationId"] == "conv-probe-0003"


def test_the_server_counts_the_steps_as_the_process_did(reviewed: Any) -> None:
    rows = reviewed.rows(
        "SELECT TrajectoryStep, toUInt32OrZero(SpanAttributes['agent.trajectory.step']) AS Own "
        "FROM otel_traces FINAL WHERE StepKind IN ('llm', 'tool')"
    )
    assert len(rows) == 16
    assert all(row["TrajectoryStep"] == row["Own"] for row in rows)
