"""A closed conversation in order: numbers, turns, agents, counts, and what makes it a new revision."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.model import Conversation, Document, Event, Message, SpanRecord, Step, ToolCall, Transcript
from spanwitness.settle import digest, facts, is_escalation, settle

NOTHING_SAID = Transcript()


def span(identity: str, at: int, kind: str = "llm", **fields: Any) -> SpanRecord:
    """A span of trace `t` that starts at `at` and lasts one nanosecond."""
    usual = {
        "tenant": "acme",
        "trace_id": "t",
        "span_id": identity,
        "parent_span_id": "",
        "name": kind,
        "service": "claims",
        "scope": "scope",
        "dialect": "otel_genai",
        "step_kind": kind,
        "started_ns": at,
        "ended_ns": at + 1,
        "status": "Unset",
        "actor": "ai" if kind else "",
    }
    return SpanRecord(**{**usual, **fields})


def heard(*span_ids: str) -> Transcript:
    """The customer said something new on each of these calls."""
    return Transcript(tuple(Message("user", f"on {span_id}", span_id=span_id) for span_id in span_ids))


def numbered(steps: tuple[Step, ...]) -> list[tuple[int, str]]:
    return [(step.number, step.span.span_id) for step in steps]


def turns(steps: tuple[Step, ...]) -> dict[str, int]:
    return {step.span.span_id: step.turn for step in steps}


def agents(steps: tuple[Step, ...]) -> dict[str, str]:
    return {step.span.span_id: step.span.agent_name for step in steps}


def conversation(*steps: SpanRecord, messages: tuple[Message, ...] = (), **fields: Any) -> Conversation:
    return Conversation(messages=messages, steps=settle(steps, NOTHING_SAID), **fields)


# Numbers.

TIED = [
    span("b", 5),
    span("a", 5),
    span("d", 5, ended_ns=5),
    span("c", 5, ended_ns=100),
    span("first", 1, ended_ns=1_000),
    span("other", 3, trace_id="u"),
    span("last", 9, "tool"),
    span("root", 0, ""),
]


@settings(deadline=None)
@given(st.permutations(TIED))
def test_steps_are_numbered_by_start_then_end_then_id_over_all_traces(spans: list[SpanRecord]) -> None:
    order = ["first", "other", "d", "a", "b", "c", "last"]
    assert numbered(settle(spans, NOTHING_SAID)) == list(enumerate(order, 1))


def test_equal_span_ids_of_two_traces_have_an_order() -> None:
    twins = [span("a", 1, trace_id=trace_id) for trace_id in ("u", "t")]
    assert [step.span.trace_id for step in settle(twins, NOTHING_SAID)] == ["t", "u"]


def test_containers_are_no_steps() -> None:
    assert settle([span("root", 0, "")], NOTHING_SAID) == ()
    assert settle([], NOTHING_SAID) == ()


# Turns.


def test_a_turn_begins_where_the_customer_says_something_new() -> None:
    steps = settle([span("a", 1), span("b", 2), span("c", 3), span("d", 4)], heard("a", "c"))
    assert turns(steps) == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_what_comes_before_the_first_word_belongs_to_the_first_turn() -> None:
    steps = settle([span("greeting", 1), span("answer", 2, trace_id="u")], heard("answer"))
    assert turns(steps) == {"greeting": 1, "answer": 2}


def test_the_assistants_words_and_words_from_nowhere_begin_no_turn() -> None:
    said = Transcript(
        (Message("user", "hi", span_id="a"), Message("assistant", "ho", span_id="b"), Message("user", "?"))
    )
    assert turns(settle([span("a", 1), span("b", 2)], said)) == {"a": 1, "b": 1}


def test_a_retrieval_before_the_first_call_of_a_turn_belongs_to_it() -> None:
    spans = [
        span("a", 1, trace_id="one"),
        span("look-up", 2, "retrieval", trace_id="two"),
        span("guard", 3, "guardrail", trace_id="two"),
        span("b", 4, trace_id="two"),
    ]
    assert turns(settle(spans, heard("a", "b"))) == {"a": 1, "look-up": 2, "guard": 2, "b": 2}


def test_a_retrieval_after_a_call_of_the_same_trace_stays_in_its_turn() -> None:
    spans = [span("a", 1), span("look-up", 2, "retrieval"), span("b", 3)]
    assert turns(settle(spans, heard("a", "b"))) == {"a": 1, "look-up": 1, "b": 2}


def test_the_model_calls_of_a_guardrail_lead_to_the_agents_own() -> None:
    spans = [
        span("guard", 1, "guardrail"),
        span("between", 1, "", parent_span_id="guard"),
        span("judge", 2, parent_span_id="between"),
        span("a", 3),
        span("look-up", 4, "retrieval", trace_id="two"),
        span("rewriter", 5, trace_id="two", parent_span_id="look-up"),
        span("b", 6, trace_id="two"),
    ]
    told = {"guard": 1, "judge": 1, "a": 1, "look-up": 2, "rewriter": 2, "b": 2}
    assert turns(settle(spans, heard("a", "b"))) == told


def test_a_retrieval_in_another_trace_stays_where_it_was() -> None:
    spans = [span("a", 1), span("look-up", 2, "retrieval", trace_id="u"), span("b", 3)]
    assert turns(settle(spans, heard("a", "b"))) == {"a": 1, "look-up": 1, "b": 2}


def test_in_a_voice_call_a_turn_begins_with_the_customers_speech() -> None:
    spans = [
        span("hello", 1, "speech", actor="ai"),
        span("first", 2, "speech", actor="customer"),
        span("a", 3),
        span("answer", 4, "speech", actor="ai"),
        span("second", 5, "speech", actor="customer"),
        span("b", 6),
    ]
    told = {"hello": 1, "first": 2, "a": 2, "answer": 2, "second": 3, "b": 3}
    assert turns(settle(spans, NOTHING_SAID)) == told
    assert turns(settle(spans, heard("a", "b"))) == told


def test_without_words_a_turn_is_a_trace() -> None:
    spans = [span("a", 1, trace_id="one"), span("b", 2, trace_id="one"), span("c", 3, trace_id="two")]
    assert turns(settle(spans, NOTHING_SAID)) == {"a": 1, "b": 1, "c": 2}


@pytest.mark.parametrize("reason", ["tool_calls", "tool_call", "tool-calls", "tool_use", "function_call"])
def test_a_trace_that_brings_the_results_of_pending_calls_goes_on_with_the_turn(reason: str) -> None:
    spans = [
        span("ask", 1, trace_id="one", finish_reason=reason),
        span("answer", 2, trace_id="two", finish_reason="stop"),
        span("next", 3, trace_id="three"),
    ]
    assert turns(settle(spans, NOTHING_SAID)) == {"ask": 1, "answer": 1, "next": 2}


def test_a_tool_between_does_not_end_the_wait_for_its_result() -> None:
    spans = [
        span("ask", 1, trace_id="one", finish_reason="tool_calls"),
        span("tool", 2, "tool", trace_id="one"),
        span("answer", 3, trace_id="two", finish_reason="stop"),
    ]
    assert turns(settle(spans, NOTHING_SAID)) == {"ask": 1, "tool": 1, "answer": 1}


# Agents.


def test_a_step_has_the_agent_of_the_nearest_span_above_it_that_names_one() -> None:
    spans = [
        span("root", 0, "", agent_name="triage"),
        span("inner", 1, "", parent_span_id="root", agent_name="claims"),
        span("node", 2, "", parent_span_id="inner"),
        span("deep", 3, parent_span_id="node"),
        span("shallow", 4, parent_span_id="root"),
        span("own", 5, parent_span_id="node", agent_name="mine"),
    ]
    assert agents(settle(spans, NOTHING_SAID)) == {"deep": "claims", "shallow": "triage", "own": "mine"}


def test_in_a_trace_with_one_agent_every_step_is_its() -> None:
    spans = [span("agent", 0, "", agent_name="claims"), span("a", 1, parent_span_id="lost")]
    assert agents(settle(spans, NOTHING_SAID)) == {"a": "claims"}


def test_in_a_trace_with_two_agents_a_step_of_neither_is_nobodys() -> None:
    spans = [
        span("one", 0, "", agent_name="triage"),
        span("two", 1, "", agent_name="claims"),
        span("a", 2, parent_span_id="lost"),
    ]
    assert agents(settle(spans, NOTHING_SAID)) == {"a": ""}


def test_an_agent_does_not_reach_into_another_trace() -> None:
    spans = [span("root", 0, "", agent_name="claims"), span("a", 1, trace_id="u", parent_span_id="root")]
    assert agents(settle(spans, NOTHING_SAID)) == {"a": ""}


def test_spans_that_are_each_others_parents_have_an_end() -> None:
    spans = [
        span("a", 1, "tool", tool_name="one", parent_span_id="b"),
        span("b", 2, "tool", tool_name="two", parent_span_id="a"),
        span("self", 3, parent_span_id="self"),
    ]
    assert agents(settle(spans, NOTHING_SAID)) == {"a": "", "b": "", "self": ""}


def test_a_deep_trace_is_walked_once() -> None:
    chain = [span(f"s{at}", at, "" if at % 2 else "tool", parent_span_id=f"s{at - 1}") for at in range(1, 4000)]
    began = time.process_time()
    assert set(agents(settle([span("s0", 0, agent_name="claims"), *chain], NOTHING_SAID)).values()) == {"claims"}
    assert time.process_time() - began < 3


def test_a_turn_that_a_wrapper_heard_begins_with_the_call_that_stands_for_it() -> None:
    spans = [span("a", 1, ended_ns=9), span("b", 2, ended_ns=8, parent_span_id="a"), span("c", 10)]
    assert turns(settle(spans, heard("a", "c"))) == {"b": 1, "c": 2}


def test_a_tool_whose_result_tells_that_it_failed_has_failed() -> None:
    spans = [span("a", 1, "tool", tool_name="get_claim"), span("b", 2, "tool", tool_name="get_claim")]
    told = Transcript((Message("tool", '{"error": "no"}', error=True, span_id="a"), Message("tool", "", span_id="b")))
    assert [step.span.status for step in settle(spans, told)] == ["Error", spans[1].status]


def test_a_failure_told_on_the_inner_span_of_a_tool_is_the_outer_ones() -> None:
    spans = [
        span("a", 1, "tool", tool_name="get_claim"),
        span("b", 2, "tool", tool_name="get_claim", parent_span_id="a"),
    ]
    (step,) = settle(spans, Transcript((Message("tool", "no", error=True, span_id="b"),)))
    assert (step.span.span_id, step.span.status) == ("a", "Error")


# How sure the recogniser was.


@pytest.mark.parametrize(
    ("told", "sure"),
    [
        ({"lk.transcript_confidence": "0.97"}, 0.97),
        ({"spanwitness.recognition.confidence": "0.5", "lk.transcript_confidence": "0.97"}, 0.5),
        ({"lk.transcript_confidence": "1"}, 1.0),
        ({"lk.transcript_confidence": "97"}, None),
        ({"lk.transcript_confidence": "nan"}, None),
        ({"lk.transcript_confidence": "sure"}, None),
        ({}, None),
    ],
)
def test_a_step_that_heard_the_customer_keeps_how_sure_it_was(told: dict[str, str], sure: float | None) -> None:
    (step,) = settle([span("a", 1, "speech", actor="customer", attributes=told)], NOTHING_SAID)
    assert step.confidence == sure


def test_what_the_agent_says_has_no_confidence() -> None:
    told = {"lk.transcript_confidence": "0.97"}
    steps = settle([span("a", 1, "speech", attributes=told), span("b", 2, attributes=told)], NOTHING_SAID)
    assert [step.confidence for step in steps] == [None, None]


def test_hearing_and_speaking_are_two_roles() -> None:
    heard_, spoken = span("a", 1, "speech", actor="customer"), span("b", 2, "speech", actor="ai")
    assert (heard_.role, spoken.role, span("c", 3).role) == ("stt", "tts", "llm")


# What is counted.


def test_steps_are_counted() -> None:
    counted = facts(
        conversation(
            span("a", 1, agent_name="one", model_version="m/1", prompt_version="p1", input_tokens=10, output_tokens=1),
            span("b", 2, "tool", agent_name="one", tool_name="get_claim", status="Error"),
            span("c", 3, "handoff", agent_name="one"),
            span("d", 4, agent_name="two", model_version="m/2", prompt_version="p1", input_tokens=5, output_tokens=2),
            span("e", 5, "speech", agent_name="two", model_version="stt/1?", service="voice"),
            span("f", 6, model_version="m/1", agent_name="two"),
        )
    )
    assert (counted.tool_calls, counted.tool_errors, counted.escalations) == (2, 1, 0)
    assert (counted.input_tokens, counted.output_tokens, counted.turns) == (15, 3, 1)
    assert (counted.agents, counted.versions, counted.prompts) == (("one", "two"), ("m/1", "m/2"), ("p1",))
    assert counted.services == ("claims", "voice")


def test_an_empty_conversation_counts_nothing() -> None:
    counted = facts(conversation())
    assert (counted.turns, counted.tool_calls, counted.tool_errors, counted.escalations) == (0, 0, 0, 0)
    assert (counted.agents, counted.versions) == ((), ())


CALLS = (
    Message("assistant", tool_calls=(ToolCall("1", "get_claim"), ToolCall("2", "transfer_to_human")), span_id="a"),
    Message("tool", "failed", tool_call_id="1", error=True, span_id="a"),
    Message("tool", "done", tool_call_id="2", span_id="a"),
)


def test_calls_that_messages_alone_tell_of_are_counted() -> None:
    counted = facts(conversation(span("a", 1), messages=CALLS))
    assert (counted.tool_calls, counted.tool_errors, counted.escalations) == (2, 1, 1)


def test_what_was_called_before_the_record_began_is_not_counted() -> None:
    earlier = tuple(replace(message, span_id="") for message in CALLS)
    counted = facts(conversation(span("a", 1), messages=earlier))
    assert (counted.tool_calls, counted.tool_errors, counted.escalations) == (0, 0, 0)


def test_calls_that_spans_and_messages_tell_of_are_counted_once() -> None:
    tools = [span("a", 1, "tool", tool_name="get_claim", status="Error"), span("b", 2, "tool", tool_name="escalate")]
    counted = facts(conversation(*tools, messages=CALLS))
    assert (counted.tool_calls, counted.tool_errors, counted.escalations) == (2, 1, 1)


@pytest.mark.parametrize(
    ("kind", "tool", "escalation"),
    [
        ("human", "", True),
        ("tool", "transfer_to_human", True),
        ("handoff", "transfer_to_human", True),
        ("tool", "get_claim", False),
        ("llm", "transfer_to_human", False),
        ("handoff", "", False),
    ],
)
def test_an_escalation_is_a_persons_step_or_a_tool_of_such_a_name(kind: str, tool: str, escalation: object) -> None:
    assert is_escalation(span("a", 1, kind, tool_name=tool)) is escalation


# What makes a revision.

SAID = (Message("user", "hello", span_id="a"), Message("assistant", "hi", span_id="a"))
TOLD = conversation(span("a", 1), span("b", 2, "tool"), messages=SAID, system_prompt="be kind")


@pytest.mark.parametrize(
    "other",
    [
        replace(TOLD, revision=7),
        conversation(span("b", 2, "tool"), span("a", 1), messages=SAID, system_prompt="be kind"),
        conversation(span("a", 1), span("b", 2, "tool"), span("root", 0, ""), messages=SAID, system_prompt="be kind"),
        conversation(
            span("a", 1, attributes={"late": "attribute"}, events=(Event(1, "e"),)),
            span("b", 2, "tool"),
            messages=SAID,
            system_prompt="be kind",
        ),
        conversation(
            span("a", 1, system_fingerprint="fp_1"), span("b", 2, "tool"), messages=SAID, system_prompt="be kind"
        ),
    ],
    ids=[
        "a revision's number",
        "another order",
        "a container more",
        "content that was judged as messages",
        "what an earlier release did not read",
    ],
)
def test_what_says_nothing_new_is_no_new_revision(other: Conversation) -> None:
    assert digest(other) == digest(TOLD)


@pytest.mark.parametrize(
    "other",
    [
        conversation(span("a", 1), messages=SAID, system_prompt="be kind"),
        conversation(span("a", 1), span("b", 3, "tool"), messages=SAID, system_prompt="be kind"),
        conversation(span("a", 1, model_version="m/2"), span("b", 2, "tool"), messages=SAID, system_prompt="be kind"),
        conversation(span("a", 1), span("b", 2, "tool", status="Error"), messages=SAID, system_prompt="be kind"),
        replace(TOLD, messages=SAID[:1]),
        replace(TOLD, messages=(replace(SAID[0], content="bye"), SAID[1])),
        replace(TOLD, system_prompt="be quick"),
        replace(TOLD, documents=(Document("policy"),)),
        conversation(
            span("a", 1),
            span("b", 2, "tool"),
            span("root", 0, "", agent_name="claims"),
            messages=SAID,
            system_prompt="be kind",
        ),
    ],
    ids=[
        "a step less",
        "a later step",
        "another model",
        "a failure",
        "a message less",
        "another word",
        "another prompt",
        "a document",
        "a container that names the steps' agent",
    ],
)
def test_what_says_something_new_is_a_new_revision(other: Conversation) -> None:
    assert digest(other) != digest(TOLD)


def test_an_upgrade_alone_makes_no_revision() -> None:
    """What stands in records already. Where this fails, every conversation that is looked at again is revised."""
    assert digest(TOLD) == "d002344f571daab4130faa4e873fc3715742260f67d29c8c1abb65b984fdc189"


def test_a_message_that_no_utf8_can_hold_has_a_digest() -> None:
    assert len(digest(conversation(span("a", 1), messages=(Message("user", "\ud800"),)))) == 64
