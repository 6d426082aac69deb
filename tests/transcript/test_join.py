from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from spanwitness.model import Message, ToolCall
from spanwitness.transcript.join import joined
from spanwitness.transcript.tools import Run

USER = Message("user", "Where is it?", span_id="m1")


def asking(*calls: ToolCall, span_id: str = "m1") -> Message:
    return Message("assistant", tool_calls=calls, span_id=span_id)


def answer(content: str, call_id: str = "", name: str = "", span_id: str = "m2") -> Message:
    return Message("tool", content, tool_call_id=call_id, name=name, span_id=span_id)


def run(result: str, **others: Any) -> Run:
    known = {
        "span_id": "t1",
        "started_ns": 15,
        "nested": False,
        "name": "find",
        "call_id": "",
        "arguments": "",
        "error": False,
    }
    return Run(**{**known, "result": result, **others})


def join(messages: list[Message], *runs: Run) -> list[Message]:
    return joined(messages, runs, {"m1": 10, "m2": 20, "m3": 30})


def test_an_answer_takes_the_name_of_its_call_and_the_span_and_failure_of_its_run() -> None:
    messages = [USER, asking(ToolCall("c1", "find", "{}")), answer("Try again.", "c1")]
    assert join(messages, run("other words", error=True))[2] == Message(
        "tool", "Try again.", tool_call_id="c1", name="find", error=True, span_id="t1"
    )


def test_a_call_that_nobody_answered_is_answered_from_its_run() -> None:
    messages = [USER, asking(ToolCall("c1", "find", "{}")), Message("assistant", "Bye.", span_id="m2")]
    told = join(messages, run("here", call_id="c1"))
    assert told[2] == Message("tool", "here", tool_call_id="c1", name="find", span_id="t1")
    assert told[3].content == "Bye."


def test_runs_without_ids_go_to_the_call_with_their_arguments_then_by_order() -> None:
    calls = (ToolCall("c1", "find", '{"a": 1}'), ToolCall("c2", "find", '{"a": 2}'), ToolCall("c3", "find", ""))
    told = join(
        [USER, asking(*calls)],
        run("two", arguments='{"a":2}', span_id="t1"),
        run("one", arguments='{ "a": 1 }', span_id="t2"),
        run("three", arguments='{"a":3}', span_id="t3"),
    )
    assert {message.tool_call_id: message.content for message in told[2:]} == {"c1": "one", "c2": "two", "c3": "three"}
    assert told[1].tool_calls[2].arguments == '{"a":3}'


def test_a_bare_argument_is_known_as_the_single_one() -> None:
    calls = (ToolCall("c1", "find", '{"id": "A"}'), ToolCall("c2", "find", '{"id": "B"}'))
    told = join([USER, asking(*calls)], run("b", arguments="B"), run("a", arguments='"A"'))
    assert {message.tool_call_id: message.content for message in told[2:]} == {"c1": "a", "c2": "b"}


def test_an_answer_without_an_id_belongs_to_the_first_open_call() -> None:
    calls = (ToolCall("c1", "find"), ToolCall("c2", "look"))
    told = join([USER, asking(*calls), answer("a"), answer("b")])
    assert [(message.tool_call_id, message.name) for message in told[2:]] == [("c1", "find"), ("c2", "look")]


def test_an_answer_with_an_id_that_no_call_has_belongs_to_the_open_call_of_its_name() -> None:
    """OpenLLMetry's Responses API: the call is told as fc_.., its answer as call_.."""
    calls = (ToolCall("fc_1", "find"), ToolCall("fc_2", "look"))
    told = join([USER, asking(*calls), answer("b", "call_2", "look"), answer("a", "call_1")])
    assert [(message.tool_call_id, message.content) for message in told[2:]] == [("fc_2", "b"), ("fc_1", "a")]


def test_an_answer_without_an_id_is_never_that_of_an_earlier_turn() -> None:
    later = Message("user", "And now?", span_id="m2")
    told = join(
        [USER, asking(ToolCall("c1", "find")), later, asking(ToolCall("c2", "find"), span_id="m2"), answer("b")]
    )
    assert told[-1].tool_call_id == "c2"


def test_ids_that_are_used_again_in_a_later_turn_join_in_order() -> None:
    again = asking(ToolCall("c1", "find", '{"a": 2}'), span_id="m2")
    messages = [USER, asking(ToolCall("c1", "find", '{"a": 1}')), answer("one", "c1"), again]
    told = join(messages, run("one", call_id="c1", span_id="t1"), run("two", call_id="c1", span_id="t2", error=True))
    assert [(message.content, message.error, message.span_id) for message in told if message.role == "tool"] == [
        ("one", False, "t1"),
        ("two", True, "t2"),
    ]


def test_a_call_that_only_the_tools_span_knows_is_put_in_by_its_time() -> None:
    later = Message("assistant", "It is here.", span_id="m2")
    told = join([USER, later], run("here", arguments='{"what": "it"}'))
    assert told == [
        USER,
        Message("assistant", tool_calls=(ToolCall("t1", "find", '{"what": "it"}'),), span_id="t1"),
        Message("tool", "here", tool_call_id="t1", name="find", span_id="t1"),
        later,
    ]


def test_it_does_not_stand_between_a_call_and_its_answer() -> None:
    messages = [
        USER,
        asking(ToolCall("c1", "find", '{"a": 1}')),
        answer("one", "c1"),
        Message("assistant", "Ok", span_id="m2"),
    ]
    told = join(messages, run("x", name="look", started_ns=12))
    assert [message.role for message in told] == ["user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert told[2].tool_call_id == "c1"


def test_the_tools_of_a_sub_agent_are_not_told() -> None:
    assert join([USER], run("inner", nested=True)) == [USER]


def test_runs_whose_content_was_not_captured_make_no_transcript_of_their_own() -> None:
    assert join([], run("")) == []
    assert len(join([USER], run(""))) == 3
    assert len(join([], run("here"))) == 2


def test_a_result_that_tells_a_failure_is_one_without_any_span() -> None:
    messages = [USER, asking(ToolCall("c1", "find")), answer('{"error": "no such claim"}', "c1")]
    assert join(messages)[2].error


def test_a_retried_run_counts_by_its_last() -> None:
    messages = [USER, asking(ToolCall("c1", "find", "{}"))]
    told = join(messages, run("no", call_id="c1", error=True), run("here", call_id="c1", span_id="t2"))
    assert [(message.content, message.error) for message in told[2:]] == [("here", False)]


REFUSED = "unknown claim id '1044': expected the form CLM-YYYY-NNNNN"


def talk(*messages: Message) -> list[bool]:
    """Whether each answer of a tool is taken for a failure."""
    return [message.error for message in joined(messages, [], {}) if message.role == "tool"]


def test_a_refusal_in_words_that_makes_the_agent_ask_again_is_a_failure() -> None:
    first, second = ToolCall("c1", "find", '{"id":"1044"}'), ToolCall("c2", "find", '{"id":"CLM-1044"}')
    told = (USER, asking(first), answer(REFUSED, "c1"), asking(second, span_id="m2"), answer('{"id": 1}', "c2"))
    assert talk(*told) == [True, False]
    # It needs all of it: words of refusal, data from the same tool elsewhere, and a second try before the user speaks.
    assert talk(USER, asking(first), answer("CLM-1044", "c1"), *told[3:]) == [False, False]
    assert talk(*told[:3], asking(second, span_id="m2"), answer("denied", "c2")) == [False, False]
    assert talk(*told[:3], USER, *told[3:]) == [False, False]
    other = ToolCall("c2", "search", "{}")
    assert talk(*told[:3], asking(other, span_id="m2"), answer('{"id": 1}', "c2")) == [False, False]


def test_a_run_goes_to_the_call_of_its_name_where_the_call_has_no_id_of_its_own() -> None:
    """Gemini's calls have none; the tool's span has what the library gave it."""
    for call_id in ("", "find_0"):
        messages = [USER, asking(ToolCall(call_id, "find", '{"a":1}')), answer("here", call_id)]
        told = join(messages, run("here", call_id="adk-5b"))
        assert [message.role for message in told] == ["user", "assistant", "tool"]
        assert told[2].span_id == "t1"


def test_a_run_with_another_id_than_the_call_is_a_call_of_its_own() -> None:
    messages = [USER, asking(ToolCall("c1", "find", '{"a":1}')), answer("here", "c1")]
    told = join(messages, run("there", call_id="c9", arguments='{"a":2}'))
    assert [call.id for message in told for call in message.tool_calls] == ["c1", "c9"]


def test_a_run_goes_to_the_call_in_the_record_before_one_from_before_it() -> None:
    call = ToolCall("c1", "find", '{"a":1}')
    told = [replace(USER, span_id=""), asking(call, span_id=""), answer("then", "c1", span_id=""), USER, asking(call)]
    told = join([*told, answer("now", "c1")], run("now", call_id="c1"))
    assert [(message.content, message.span_id) for message in told if message.role == "tool"] == [
        ("then", ""),
        ("now", "t1"),
    ]


def test_thousands_of_refusals_are_read_once_each() -> None:
    told = [USER]
    for number in range(3000):
        told += [asking(ToolCall(f"c{number}", "find", "{}")), answer(REFUSED, f"c{number}")]
    began = time.process_time()
    assert not any(talk(*told))
    assert time.process_time() - began < 5
