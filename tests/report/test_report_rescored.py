"""Which verdicts of a judge stay as they are where conversations are scored again."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from spanwitness.report.rescored import judged

if TYPE_CHECKING:
    from tests.report.conftest import Record

ALL: dict[str, Any] = {"evaluators": (), "tenant": None, "conversation": None, "since": None, "until": None}


@pytest.fixture(scope="module")
def filled(record: Record) -> Record:
    """Two conversations that were judged, of which one was revised, and one that has moved."""
    for identity, revision, minutes in (("a", 1, 0), ("a", 2, 60), ("b", 1, 0), ("moved", 1, 0)):
        closed = {"ClosedAt": record.at(minutes), "CloseReason": "moved" if identity == "moved" else "idle"}
        record.conversation(ConversationId=identity, Revision=revision, **closed)
        record.score(ConversationId=identity, Revision=revision, Judge="gpt")
    record.score(ConversationId="b", Judge="gpt", Scoring=1)
    record.score(ConversationId="b", Judge="gpt", Evaluator="Tone", Status="failed", Score=None, Passed=None)
    record.score(ConversationId="b", Evaluator="PII")
    record.conversation(TenantId="zenith", ConversationId="c", ClosedAt=record.at(0))
    record.score(TenantId="zenith", ConversationId="c", Judge="gpt", Evaluator="Tone")
    return record


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ({}, 3),
        ({"tenant": "acme"}, 2),
        ({"conversation": "a"}, 1),
        ({"evaluators": ("Tone",)}, 1),
        ({"evaluators": ("Tone", "TaskCompletion")}, 3),
        ({"evaluators": ("' OR 1 = 1 --",)}, 0),
        ({"since": 30}, 1),
        ({"until": 60}, 2),
        ({"until": 0}, 0),
    ],
)
def test_those_in_force_of_what_was_asked_for(filled: Record, wanted: dict[str, Any], number: int) -> None:
    selection: dict[str, Any] = {**ALL, **wanted}
    for key in {"since", "until"} & set(wanted):
        selection[key] = filled.at(wanted[key]).replace(tzinfo=dt.UTC)
    assert judged(filled.ask, **selection) == number
