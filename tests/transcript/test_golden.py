"""Real captures: one play, recorded by many libraries, is one and the same transcript."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import pytest

from spanwitness.transcript import rebuild

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spanwitness.model import LogRecord, SpanRecord, Transcript

    Conversations: TypeAlias = list[tuple[list[SpanRecord], list[LogRecord]]]
    Reader: TypeAlias = Callable[[str], Conversations]

CLAIMS = [  # the play of the first group: the user's texts and the calls of each conversation
    (
        [
            "Hi, this is Marta Kowalczyk. What is going on with my claim CLM-2024-00817? It has been three weeks.",
            "Is the damage behind the wall covered too? The pipe burst on the 2nd.",
            "And how long does the review usually take?",
            "Okay, that answers it. Thank you!",
        ],
        [("get_claim_status", False), ("search_policy_documents", False)],
    ),
    (
        [
            "Hello, I only got 310 dollars for my windshield, claim CLM-2024-00932. Why not all of it?",
            "So the 250 is the deductible, right?",
            "Does it apply again if the glass breaks a second time this year?",
            "Got it, thanks a lot.",
        ],
        [("get_claim_status", False), ("search_policy_documents", False), ("search_policy_documents", False)],
    ),
    (
        [
            "My claim CLM-2024-01044 for a stolen bike was denied. Why?",
            "But I did send the police report. Does my policy cover bicycles or not?",
            "That is not what I asked. Is a bicycle covered, yes or no, and where does it say that?",
            "This is useless. I already told you twice.",
        ],
        [("get_claim_status", True), ("get_claim_status", False)],
    ),
    (
        [
            "Hi! Claim CLM-2024-01178, hail on my roof. What do you still need from me?",
            "I uploaded the photos last week. Is hail even covered for a roof that is 8 years old?",
            "You keep repeating yourself. I sent the photos.",
            "Let me speak to a human, please.",
        ],
        [("get_claim_status", False), ("transfer_to_human", False)],
    ),
]
HOMESURE_LAST = ["Thank you, that's all.", "I don't agree with the estimate. I want to talk to a person."] * 2
HOMESURE_CALLS = [
    [("get_claim_status", False), ("search_policy_documents", False)],
    [("get_claim_status", False), ("search_policy_documents", False), ("transfer_to_human", False)],
    [("get_claim_status", True), ("get_claim_status", False), ("search_policy_documents", False)],
    [("get_claim_status", False), ("search_policy_documents", False), ("transfer_to_human", False)],
]
HOMESURE = [
    (
        [
            f"Hi, I filed a claim for a burst pipe, number CLM-200{number}. What is happening with it?",
            "Does my policy cover the damage to the hardwood floor as well?",
            "How long will the payment take?",
            last,
        ],
        calls,
    )
    for number, (last, calls) in enumerate(zip(HOMESURE_LAST, HOMESURE_CALLS, strict=True), start=1)
]
GROUP_A = [
    "openai_v2_latest",
    "openai_v2_legacy",
    "genai_openai",
    "genai_openai_events",
    "genai_openai_handler",
    "genai_langchain",
    "genai_openai_agents",
    "openllmetry_old_openai",
    "strands",
    "vercel_ai",
    "google_adk",
    "pydantic_ai_v6",
]
GROUP_B = [
    "oi_openai_agents",
    "oi_openai_agents_chat",
    "oi_langgraph",
    "oi_openai_chat",
    "fi_openai_agents",
    "fi_langgraph",
    "fi_pinecone",
    "fi_pgvector",
    "livekit_voice",
    "fi_livekit_voice",
]
FAILED_SEARCH = {"fi_pinecone", "fi_pgvector"}  # there the vector store refuses in conversation 3 as well
PLAYS = [(name, CLAIMS) for name in GROUP_A] + [(name, HOMESURE) for name in GROUP_B]

Play: TypeAlias = "list[tuple[list[str], list[tuple[str, bool]]]]"


def users(transcript: Transcript) -> list[str]:
    return [message.content for message in transcript.messages if message.role == "user"]


def calls(transcript: Transcript) -> list[tuple[str, bool]]:
    """Each call with whether its one result is a failure; checks that call and result belong together."""
    asked = [call for message in transcript.messages for call in message.tool_calls]
    answers = {message.tool_call_id: message for message in transcript.messages if message.role == "tool"}
    assert len(answers) == sum(message.role == "tool" for message in transcript.messages) == len(asked)
    assert all(call.arguments.startswith("{") and answers[call.id].content for call in asked)
    assert all(answers[call.id].name == call.name for call in asked)
    return [(call.name, answers[call.id].error) for call in asked]


def expected(name: str, number: int, told: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    search = "search_policy_documents"
    return [(tool, failed or (name in FAILED_SEARCH and number == 3 and tool == search)) for tool, failed in told]


@pytest.mark.parametrize(("name", "play"), PLAYS, ids=[name for name, _ in PLAYS])
def test_every_dialect_tells_the_same_play(name: str, play: Play, conversations: Reader) -> None:
    rebuilt = [rebuild(spans, logs) for spans, logs in conversations(name)]
    assert [users(transcript) for transcript in rebuilt] == [texts for texts, _ in play]
    for number, (transcript, (_, told)) in enumerate(zip(rebuilt, play, strict=True), start=1):
        assert calls(transcript) == expected(name, number, told)


@pytest.mark.parametrize("group", [GROUP_A, GROUP_B], ids=["a", "b"])
def test_what_the_assistant_said_is_the_same_in_every_dialect_too(group: list[str], conversations: Reader) -> None:
    told = {
        name: [
            [(message.role, message.content) for message in rebuild(spans, logs).messages if message.role != "tool"]
            for spans, logs in conversations(name)
        ]
        for name in group
    }
    assert all(told[name] == told[group[0]] for name in group)


@pytest.mark.parametrize("name", GROUP_A + GROUP_B)
def test_a_conversation_is_well_formed(name: str, conversations: Reader) -> None:
    for spans, logs in conversations(name):
        transcript = rebuild(spans, logs)
        seen_on = {span.span_id for span in spans if span.step_kind}
        assert transcript.system_prompt.startswith("You are ")
        assert all(one != other for one, other in pairwise(transcript.messages))
        assert all(message.span_id in seen_on for message in transcript.messages)
        assert transcript.messages[0].role == "user"
        assert transcript.messages[-1].role == "assistant"


@pytest.mark.parametrize("name", ["oi_langgraph", "fi_langgraph"])
def test_what_was_retrieved_is_told_with_its_text(name: str, conversations: Reader) -> None:
    for spans, logs in conversations(name):
        found = rebuild(spans, logs).documents
        assert [document.content[:3] for document in found] == ["4.2", "7.1"]
        assert [document.metadata for document in found] == [
            '{"id": "pol-4.2", "score": 0.91}',
            '{"id": "pol-7.1", "score": 0.77}',
        ]


@pytest.mark.parametrize("name", ["fi_pinecone", "fi_pgvector", "oi_openai_agents"])
def test_a_vector_store_that_tells_no_text_gives_no_document(name: str, conversations: Reader) -> None:
    assert all(rebuild(spans, logs).documents == () for spans, logs in conversations(name))


@pytest.mark.parametrize("name", ["openai_v2_latest_error", "openai_v2_legacy_error", "genai_openai_agents_error"])
def test_a_call_that_failed_still_tells_what_the_user_said(name: str, conversations: Reader) -> None:
    ((spans, logs),) = conversations(name)
    transcript = rebuild(spans, logs)
    assert [message.role for message in transcript.messages] == ["user"]
    assert transcript.system_prompt


@pytest.mark.parametrize("name", ["genai_openai_agents", "fi_langgraph", "livekit_voice", "openai_v2_legacy"])
def test_the_order_of_spans_does_not_matter(name: str, conversations: Reader) -> None:
    for spans, logs in conversations(name):
        assert rebuild(spans[::-1], logs) == rebuild(spans[1::2] + spans[::2], logs) == rebuild(spans, logs)


@pytest.mark.parametrize("name", ["oi_openai_chat", "oi_openai_agents", "oi_langgraph", "fi_openai_agents"])
def test_a_history_that_lost_its_oldest_attributes_changes_nothing(name: str, conversations: Reader) -> None:
    """The SDK keeps 128 attributes and drops the oldest; 30 here, where these conversations are short."""
    for spans, logs in conversations(name):
        cut = [replace(span, attributes=dict(list(span.attributes.items())[-30:])) for span in spans]
        assert users(rebuild(cut, logs)) == users(rebuild(spans, logs))
        assert calls(rebuild(cut, logs)) == calls(rebuild(spans, logs))


def increment(attributes: Mapping[str, str]) -> dict[str, str]:
    """What a server that keeps the history is sent: the system prompt, and what came after the last reply."""
    messages = json.loads(attributes["gen_ai.input.messages"])
    last = max((at for at, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    kept = [message for at, message in enumerate(messages) if at > last or message["role"] == "system"]
    return {**attributes, "gen_ai.input.messages": json.dumps(kept)}


@pytest.mark.parametrize("name", ["openai_v2_latest", "genai_langchain", "genai_openai_agents", "livekit_voice"])
def test_increments_tell_what_histories_tell(name: str, conversations: Reader) -> None:
    for spans, logs in conversations(name):
        sent = [
            replace(span, attributes=increment(span.attributes)) if span.step_kind == "llm" else span for span in spans
        ]
        assert rebuild(sent, logs) == rebuild(spans, logs)


@pytest.mark.parametrize("name", GROUP_A + GROUP_B)
def test_content_that_was_not_captured_gives_an_empty_transcript(name: str, conversations: Reader) -> None:
    for spans, _ in conversations(name):
        bare = [replace(span, attributes={}, events=(), status="Unset", status_message="") for span in spans]
        transcript = rebuild(bare, [])
        assert transcript.messages == ()
        assert transcript.system_prompt == ""
        assert transcript.documents == ()
