"""Real captures: what the record says of one play, told by many libraries.

The truth is the script that the play followed; where a library hides a part of it, the record says so and invents
nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from spanwitness.evaluators import BUNDLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Lanes, Requests

    Reader = Callable[[str], Requests]

BEFORE, AFTER = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"
SERVED = (BEFORE, BEFORE, AFTER, AFTER)
CLAIMS_IDS = tuple(f"conv-7d1f0a52-000{n}" for n in range(1, 5))
ACME_IDS = tuple(f"conv-acme-000{n}" for n in range(1, 5))


@dataclass(frozen=True)
class Play:
    """What is true of a capture, by conversation where it is a tuple.

    Attributes:
        source: the attribute that names the conversation.
        tool_spans: tool calls that have a span of their own; `tool_calls` were made, whether they have one or not.
        served: by conversation, '' where the library tells the requested name alone.
        served_source: where the served model stands.
        version: the provider, in ModelVersion.
        requested: '' where the library overwrites it with the served one.
        others: retrievals, or what was heard and spoken.
        failed_calls: model calls that were refused.
        loose_spans: spans that belong to no conversation.
    """

    ids: tuple[str, ...]
    source: str
    tokens: tuple[tuple[int, int], ...]
    spans: int
    tool_spans: tuple[int, ...]
    tenant: str = "default"
    reason: str = "idle"
    calls: tuple[int, ...] = (6, 6, 6, 6)
    tool_calls: tuple[int, ...] = (2, 3, 2, 2)
    tool_errors: tuple[int, ...] = (0, 0, 1, 0)
    escalations: tuple[int, ...] = (0, 0, 0, 1)
    others: tuple[int, ...] = (0, 0, 0, 0)
    served: tuple[str, ...] = SERVED
    served_source: str = "response"
    requested: str = "gpt-4o"
    provider: str = "openai"
    failed_calls: tuple[int, ...] = (0, 0, 0, 0)
    loose_spans: int = 0

    @property
    def steps(self) -> tuple[int, ...]:
        parts = zip(self.calls, self.failed_calls, self.tool_spans, self.others, strict=True)
        return tuple(sum(counts) for counts in parts)


CLAIMS_TOKENS = ((2262, 228), (2411, 217), (1934, 150), (1965, 164))
NO_TOOL_SPANS = (0, 0, 0, 0)
CLAIMS_TOOLS, ACME_TOOLS = (2, 3, 2, 2), (2, 3, 3, 3)
CLAIMS = Play(CLAIMS_IDS, "session.id", CLAIMS_TOKENS, 40, NO_TOOL_SPANS, "northwind-mutual")
ACME = Play(
    ACME_IDS,
    "session.id",
    ((2403, 154), (2996, 177), (2642, 109), (2756, 114)),
    113,
    ACME_TOOLS,
    "acme-insurance",
    calls=(6, 7, 7, 7),
    tool_calls=ACME_TOOLS,
    escalations=(0, 1, 0, 1),
    requested="",
)
ACME_CHAT_TOKENS = ((2427, 154), (3024, 177), (2622, 109), (2784, 114))
OWN_ID = "gen_ai.conversation.id"
ONE_EACH = (1, 1, 1, 1)
# Streamed calls of LangChain tell no tokens: conversation 4 is streamed.
GRAPH = replace(
    ACME,
    tokens=((2361, 154), (2936, 177), (2652, 109), (0, 0)),
    spans=177,
    others=ONE_EACH,
    served_source="payload",
    requested="gpt-4o",
)
VOICE = replace(
    ACME,
    source="lk.room_sid",
    tokens=ACME_CHAT_TOKENS,
    spans=320,
    reason="ended",
    others=(8, 8, 8, 8),
    served=("", "", "", ""),
    requested="gpt-4o",
    provider="127.0.0.1:18080",
)
VECTORS = replace(ACME, tenant="default", source=OWN_ID, others=ONE_EACH, tool_errors=(0, 0, 2, 0))

PLAYS = {
    "openai_v2_latest": CLAIMS,
    "openai_v2_legacy": CLAIMS,
    "genai_openai": CLAIMS,
    "genai_openai_events": CLAIMS,
    "genai_openai_handler": replace(CLAIMS, source=OWN_ID, tool_spans=CLAIMS_TOOLS, spans=49),
    "genai_openai_agents": replace(
        CLAIMS,
        source=OWN_ID,
        tool_spans=CLAIMS_TOOLS,
        spans=65,
        tokens=((2002, 178), (2013, 142), (1638, 100), (1773, 114)),
    ),
    # Here a streamed call tells no tokens.
    "genai_langchain": replace(
        CLAIMS,
        source=OWN_ID,
        tool_spans=CLAIMS_TOOLS,
        spans=49,
        tokens=((2258, 228), (1477, 191), (1917, 150), (1965, 164)),
    ),
    "oi_openai_agents": ACME,
    # The third turn of conversation 3 is streamed: no tokens.
    "oi_openai_agents_chat": replace(
        ACME, tokens=((2427, 154), (3024, 177), (2198, 97), (2784, 114)), served=("", "", "", ""), requested="gpt-4o"
    ),
    "oi_langgraph": GRAPH,
    # One call of conversation 3 asks for a model that does not exist.
    "oi_openai_chat": replace(
        ACME,
        tokens=((2427, 154), (3024, 177), (2658, 109), (2784, 114)),
        tool_spans=NO_TOOL_SPANS,
        spans=32,
        requested="gpt-4o",
        failed_calls=(0, 0, 1, 0),
    ),
    "fi_openai_agents": replace(ACME, tenant="default", source=OWN_ID),
    "fi_langgraph": replace(GRAPH, tenant="default", source=OWN_ID),
    "fi_pgvector": replace(VECTORS, tokens=((2430, 154), (3032, 177), (2501, 109), (2792, 114)), spans=117),
    # Three spans fill the index before anybody calls.
    "fi_pinecone": replace(
        VECTORS, tokens=((2409, 154), (3004, 177), (2501, 109), (2764, 114)), spans=120, loose_spans=3
    ),
    "livekit_voice": replace(
        VOICE, ids=("SRM_355ce2dcf9d3", "SRM_540e285d37b5", "SRM_a73b290420d9", "SRM_4e1045563b44")
    ),
    "fi_livekit_voice": replace(
        VOICE,
        ids=("SRM_408d688e27f6", "SRM_8632a300cb6b", "SRM_68129019ce5f", "SRM_94e4371a551f"),
        tenant="default",
        spans=324,
    ),
}
HIDES_THE_SERVED_MODEL = {"oi_openai_agents_chat", "livekit_voice", "fi_livekit_voice"}
ERRORS = {
    "openai_v2_latest_error": "session.id",
    "openai_v2_legacy_error": "session.id",
    "genai_openai_agents_error": OWN_ID,
}

all_plays = pytest.mark.parametrize("name", PLAYS)


@pytest.fixture
def told(name: str, lanes: Lanes, capture: Reader) -> Lanes:
    """Both lanes, after a capture has gone through them."""
    lanes.ingest_all(capture(name))
    swept = lanes.close_everything()
    assert (swept.closed, swept.revised, swept.unchanged) == (len(PLAYS[name].ids), 0, 0)
    return lanes


@all_plays
def test_a_play_is_recorded_as_it_was(name: str, told: Lanes) -> None:
    """One test of many figures: a capture is read once."""
    play = PLAYS[name]
    _conversations_are_as_scripted(told, play)
    _steps_are_numbered_without_holes(told, play)
    _every_call_tells_what_was_asked_and_what_answered(told, play)
    _spans_carry_what_was_settled(told, play)
    _each_evaluator_judged_each_conversation_once(told, play)
    _the_swap_is_dated_where_it_can_be_seen(told, name, play)


def _conversations_are_as_scripted(told: Lanes, play: Play) -> None:
    rows = told.rows("SELECT * FROM conversations FINAL ORDER BY StartedAt")
    assert [row["ConversationId"] for row in rows] == list(play.ids)
    assert {(row["TenantId"], row["ConversationIdSource"], row["Revision"]) for row in rows} == {
        (play.tenant, play.source, 1)
    }
    assert {row["CloseReason"] for row in rows} == {play.reason}
    assert [row["Turns"] for row in rows] == [4, 4, 4, 4]
    assert [row["Steps"] for row in rows] == list(play.steps)
    assert [row["ToolCalls"] for row in rows] == list(play.tool_calls)
    assert [row["ToolErrors"] for row in rows] == list(play.tool_errors)
    assert [row["Escalations"] for row in rows] == list(play.escalations)
    assert [(row["InputTokens"], row["OutputTokens"]) for row in rows] == list(play.tokens)
    for row, served in zip(rows, play.served, strict=True):
        version = f"{play.provider}/{served}" if served else f"{play.provider}/{play.requested}?"
        assert version in row["ModelVersions"]


def _steps_are_numbered_without_holes(told: Lanes, play: Play) -> None:
    for identity, count in zip(play.ids, play.steps, strict=True):
        rows = told.rows(
            f"SELECT Step, Turn, StartedAt, TraceId, SpanId FROM steps FINAL WHERE ConversationId = '{identity}' "
            "ORDER BY Step"
        )
        assert [row["Step"] for row in rows] == list(range(1, count + 1))
        assert [row["Turn"] for row in rows] == sorted(row["Turn"] for row in rows)
        assert {row["Turn"] for row in rows} == {1, 2, 3, 4}
        assert [row["StartedAt"] for row in rows] == sorted(row["StartedAt"] for row in rows)
        assert len({(row["TraceId"], row["SpanId"]) for row in rows}) == count


def _every_call_tells_what_was_asked_and_what_answered(told: Lanes, play: Play) -> None:
    for number, identity in enumerate(play.ids):
        rows = told.rows(
            "SELECT StepKind, Status, RequestedModel, ServedModel, ServedModelSource, ModelVersion, InputTokens "
            f"FROM steps FINAL WHERE ConversationId = '{identity}'"
        )
        kinds = Counter(row["StepKind"] for row in rows)
        assert kinds["llm"] == play.calls[number] + play.failed_calls[number]
        assert kinds["tool"] == play.tool_spans[number]
        assert kinds["retrieval"] + kinds["speech"] == play.others[number]
        calls = [row for row in rows if row["StepKind"] == "llm"]
        answered = [row for row in calls if row["Status"] != "Error"]
        assert len(calls) - len(answered) == play.failed_calls[number]
        served = play.served[number]
        assert {(row["RequestedModel"], row["ServedModel"]) for row in answered} == {(play.requested, served)}
        assert {row["ServedModelSource"] for row in answered} == {play.served_source if served else "unknown"}
        assert all(row["ServedModelSource"] == "unknown" for row in calls if row["Status"] == "Error")
        assert not any(row["InputTokens"] for row in rows if row["StepKind"] != "llm")


def _spans_carry_what_was_settled(told: Lanes, play: Play) -> None:
    rows = told.rows(
        "SELECT TenantId, TraceId, SpanId, ConversationId, StepKind, TrajectoryStep FROM otel_traces FINAL"
    )
    assert len(rows) == len({(row["TraceId"], row["SpanId"]) for row in rows}) == play.spans
    assert {row["TenantId"] for row in rows} == {play.tenant}
    loose = [row for row in rows if not row["ConversationId"]]
    assert (len(loose), any(row["StepKind"] for row in loose)) == (play.loose_spans, False)
    assert {row["ConversationId"] for row in rows if row["ConversationId"]} == set(play.ids)
    assert all(bool(row["TrajectoryStep"]) == bool(row["StepKind"]) for row in rows)
    numbered = {(row["ConversationId"], row["TrajectoryStep"]): row["SpanId"] for row in rows if row["StepKind"]}
    steps = told.rows("SELECT ConversationId, Step, SpanId FROM steps FINAL")
    assert numbered == {(row["ConversationId"], row["Step"]): row["SpanId"] for row in steps}


def _each_evaluator_judged_each_conversation_once(told: Lanes, play: Play) -> None:
    rows = told.rows("SELECT ConversationId, Revision, Evaluator, EvaluatorVersion, Status, Score FROM scores FINAL")
    judged = Counter((row["ConversationId"], row["Revision"], row["Evaluator"]) for row in rows)
    assert judged == {(identity, 1, evaluator.name): 1 for identity in play.ids for evaluator in BUNDLE.evaluators}
    assert not [row for row in rows if row["Status"] == "failed"]
    assert all((row["Score"] is None) == (row["Status"] == "not_applicable") for row in rows)


def _the_swap_is_dated_where_it_can_be_seen(told: Lanes, name: str, play: Play) -> None:
    swaps = told.rows("SELECT * FROM model_swaps FINAL WHERE Withdrawn = 0 AND Class = 'version'")
    if name in HIDES_THE_SERVED_MODEL:
        assert told.rows("SELECT * FROM model_swaps FINAL WHERE Withdrawn = 0") == []
        return
    (swap,) = swaps
    assert (swap["FromVersion"], swap["ToVersion"]) == (f"openai/{BEFORE}", f"openai/{AFTER}")
    assert (swap["TenantId"], swap["FirstConversationId"], swap["Occurrence"]) == (play.tenant, play.ids[2], 1)
    assert (swap["ConversationsBefore"], swap["ConversationsAfter"]) == (2, 2)
    (first,) = told.rows(
        f"SELECT TraceId, StartedAt FROM steps FINAL WHERE ServedModel = '{AFTER}' ORDER BY StartedAt LIMIT 1"
    )
    assert (swap["FirstTraceId"], swap["FirstSeenAt"]) == (first["TraceId"], first["StartedAt"])


@pytest.mark.parametrize("name", ERRORS)
def test_a_refused_call_is_one_failed_step_whose_served_model_is_unknown(
    name: str, lanes: Lanes, capture: Reader
) -> None:
    lanes.ingest_all(capture(name))
    lanes.close_everything()

    (conversation,) = lanes.rows("SELECT * FROM conversations FINAL")
    (step,) = lanes.rows("SELECT * FROM steps FINAL")
    assert (conversation["ConversationId"], conversation["Turns"]) == ("conv-7d1f0a52-0099", 1)
    assert (conversation["ConversationIdSource"], conversation["TenantId"]) == (ERRORS[name], "northwind-mutual")
    assert (step["StepKind"], step["Status"], step["RequestedModel"]) == ("llm", "Error", "gpt-4o")
    assert (step["ServedModel"], step["ServedModelSource"]) == ("", "unknown")
    assert step["ModelVersion"] == "openai/gpt-4o?"
    assert lanes.rows("SELECT * FROM model_swaps FINAL") == []
