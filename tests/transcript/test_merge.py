"""Histories of every kind. A unit is written as one word: `u:hi`, `a:hello`, `call:find`, `tool:here#id`."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from spanwitness.model import Message, ToolCall
from spanwitness.transcript.calls import ModelCall
from spanwitness.transcript.merge import fold


def unit(word: str) -> Message:
    speaker, _, text = word.partition(":")
    if speaker == "call":
        return Message("assistant", tool_calls=(ToolCall("", text),))
    if speaker == "tool":
        content, _, call_id = text.partition("#")
        return Message("tool", content, tool_call_id=call_id)
    return Message("user" if speaker == "u" else "assistant", text)


def word(message: Message) -> str:
    if message.tool_calls:
        return f"call:{message.tool_calls[0].name}"
    if message.role == "tool":
        return f"tool:{message.content}#{message.tool_call_id}"
    return f"{message.role[0]}:{message.content}"


def call(told: str, said: str, **others: object) -> ModelCall:
    known: dict[str, object] = {
        "span_id": "s",
        "started_ns": 0,
        "ended_ns": 0,
        "nested": False,
        "system": "",
        "gaps": False,
    }
    units = {"told": tuple(map(unit, told.split())), "said": tuple(map(unit, said.split()))}
    return ModelCall(**{**known, **units, **others})  # type: ignore[arg-type]


def folded(*calls: tuple[str, str]) -> str:
    made = [call(told, said, started_ns=at, ended_ns=at) for at, (told, said) in enumerate(calls)]
    return " ".join(map(word, fold(made)))


def test_a_repeated_history_stands_once() -> None:
    assert (
        folded(
            ("u:1", "call:f"),
            ("u:1 call:f tool:x#c1", "a:1"),
            ("u:1 call:f tool:x#c1 a:1 u:2", "a:2"),
        )
        == "u:1 call:f tool:x#c1 a:1 u:2 a:2"
    )


def test_increments_are_appended() -> None:
    assert folded(("u:1", "call:f"), ("tool:x#c1", "a:1"), ("u:2", "a:2")) == "u:1 call:f tool:x#c1 a:1 u:2 a:2"


def test_an_increment_that_repeats_an_earlier_text_is_new() -> None:
    assert folded(("u:yes", "a:sure?"), ("u:yes", "a:really?"), ("u:yes", "a:ok")) == (
        "u:yes a:sure? u:yes a:really? u:yes a:ok"
    )


def test_equal_results_of_two_calls_are_two() -> None:
    assert folded(("u:1", "call:f"), ("tool:ok#c1", "call:f"), ("tool:ok#c2", "a:1")) == (
        "u:1 call:f tool:ok#c1 call:f tool:ok#c2 a:1"
    )


def test_a_history_cut_in_front_is_joined_where_it_overlaps() -> None:
    assert folded(("u:1", "a:1"), ("u:1 a:1 u:2", "a:2"), ("a:1 u:2 a:2 u:3", "a:3"), ("a:3 u:4", "a:4")) == (
        "u:1 a:1 u:2 a:2 u:3 a:3 u:4 a:4"
    )


def test_a_history_whose_beginning_became_a_summary_adds_nothing_of_it() -> None:
    assert folded(("u:1", "a:1"), ("u:1 a:1 u:2", "a:2"), ("u:summary a:2 u:3", "a:3")) == "u:1 a:1 u:2 a:2 u:3 a:3"


def test_a_history_without_tool_traffic_keeps_what_was_seen_of_it() -> None:
    assert folded(("u:1", "call:f"), ("u:1 call:f tool:x#c1", "a:1"), ("u:1 a:1 u:2", "a:2")) == (
        "u:1 call:f tool:x#c1 a:1 u:2 a:2"
    )


def test_a_history_that_keeps_the_users_texts_alone_is_a_history() -> None:
    assert folded(("u:1", "a:1"), ("u:1 u:2", "a:2"), ("u:1 u:2 u:3", "a:3")) == "u:1 a:1 u:2 a:2 u:3 a:3"


def test_a_reply_whose_output_was_lost_comes_from_the_next_history() -> None:
    assert folded(("u:1", ""), ("u:1 a:1 u:2", "a:2")) == "u:1 a:1 u:2 a:2"


def test_a_failed_call_that_is_made_again_changes_nothing() -> None:
    assert folded(("u:1", ""), ("u:1", ""), ("u:1", "a:1")) == "u:1 a:1"


def test_an_interrupted_reply_stands_as_it_was_heard() -> None:
    assert folded(("u:1", "a:long-reply"), ("u:1 a:long u:2", "a:2")) == "u:1 a:long u:2 a:2"


def test_a_question_that_was_heard_in_halves_stands_whole() -> None:
    assert folded(("u:1", "a:1"), ("u:1 a:1 u:where", "a:what?"), ("u:1 a:1 u:where-is-it", "a:here")) == (
        "u:1 a:1 u:where-is-it a:here"
    )


def test_another_question_to_the_same_history_takes_nothing_back() -> None:
    assert folded(
        ("u:1", "a:1"), ("u:1 a:1 u:2", "a:2"), ("u:1 a:1 u:safe?", "a:yes"), ("u:1 a:1 u:2 a:2 u:3", "a:3")
    ) == ("u:1 a:1 u:2 a:2 u:safe? a:yes u:3 a:3")


def test_calls_without_their_tools_in_the_history_go_on_from_the_same_question() -> None:
    """openai-agents-v2 drops tool calls and results from the inputs."""
    assert folded(("u:1", "call:f"), ("u:1", "a:1"), ("u:1 a:1 u:2", "a:2")) == "u:1 call:f a:1 u:2 a:2"


def test_two_calls_at_once_on_one_question_ask_it_once() -> None:
    made = [call("u:1", "a:safe", started_ns=0, ended_ns=9), call("u:1", "a:1", started_ns=1, ended_ns=9)]
    assert " ".join(map(word, fold(made))) == "u:1 a:safe a:1"


def test_one_call_recorded_by_two_instrumentations_is_one() -> None:
    made = [call("u:1", "call:f a:1", started_ns=0, ended_ns=9), call("u:1", "call:f a:1", started_ns=1, ended_ns=8)]
    assert " ".join(map(word, fold(made))) == "u:1 call:f a:1"


def test_a_library_that_keeps_no_calls_in_its_history_is_compared_without_them() -> None:
    made = [
        call("u:1", "call:f"),
        call("u:1 tool:x", "a:1", gaps=True),
        call("u:1 tool:x a:1 u:2", "call:f", gaps=True),
        call("u:1 tool:x a:1 u:2 tool:x", "a:2", gaps=True),
    ]
    assert " ".join(map(word, fold(made))) == "u:1 call:f tool:x# a:1 u:2 call:f tool:x# a:2"


def test_a_sub_agents_own_talk_is_not_the_conversation() -> None:
    made = [
        call("u:1", "call:ask"),
        call("u:task", "call:f", nested=True),
        call("u:task call:f tool:x#c9", "a:inner", nested=True),
        call("u:1 call:ask tool:inner#c1", "a:1"),
    ]
    assert " ".join(map(word, fold(made))) == "u:1 call:ask tool:inner#c1 a:1"


def test_a_nested_call_that_continues_the_conversation_counts() -> None:
    made = [call("u:1", "a:1"), call("u:1 a:1 u:2", "call:f"), call("u:1 a:1 u:2", "a:wait", nested=True)]
    assert " ".join(map(word, fold(made))) == "u:1 a:1 u:2 call:f a:wait"


def test_when_all_calls_are_nested_they_are_the_conversation() -> None:
    assert " ".join(map(word, fold([call("u:1", "a:1", nested=True)]))) == "u:1 a:1"


def test_a_unit_carries_the_span_that_it_was_first_seen_on() -> None:
    made = [call("u:1", "a:1", span_id="s1"), call("u:1 a:1 u:2", "a:2", span_id="s2")]
    assert [message.span_id for message in fold(made)] == ["s1", "s1", "s2", "s2"]


def test_white_space_makes_no_difference() -> None:
    first = call("u:1", "")
    said = ModelCall(
        "s", 0, 0, nested=False, system="", told=first.told, gaps=False, said=(Message("assistant", "a  b\n"),)
    )
    again = ModelCall(
        "s", 1, 1, nested=False, system="", told=(*first.told, Message("assistant", "a b")), gaps=False, said=()
    )
    assert [message.content for message in fold([said, again])] == ["1", "a  b\n"]


@pytest.mark.parametrize("form", ["history", "increments", "gaps", "one word"])
def test_the_cost_grows_with_the_content_alone(form: str) -> None:
    """Sixteen times the content takes nowhere near 256 times as long: even where all texts are the same."""

    def seconds(turns: int, *, whole: bool) -> float:
        made: list[ModelCall] = []
        history = ""
        for turn in range(turns):
            text = "" if form == "one word" else str(turn)
            told = f"{history} u:{text}x" if whole else f"u:{text}x"
            made.append(call(told, f"a:{text}y", gaps=form == "gaps"))
            history = f"{told} a:{text}y"
        began = time.process_time()
        fold(made)
        return time.process_time() - began

    whole = form != "increments"
    small, large = (40, 160) if whole else (400, 6400)  # a history of four times the turns is 16 times the content
    assert min(seconds(large, whole=whole) for _ in range(3)) < 80 * min(seconds(small, whole=whole) for _ in range(3))


def test_what_was_said_before_the_record_began_is_told_but_was_seen_on_no_span() -> None:
    folded = fold([call("u:hi call:find tool:here#1 a:hello u:where", "a:there")])
    assert [(word(message), message.span_id) for message in folded] == [
        ("u:hi", ""),
        ("call:find", ""),
        ("tool:here#1", ""),
        ("a:hello", ""),
        ("u:where", "s"),
        ("a:there", "s"),
    ]


def test_a_record_that_begins_in_the_middle_of_a_turn_saw_that_turn() -> None:
    folded = fold([call("u:hi a:hello u:where call:find tool:here#1", "a:there")])
    assert [message.span_id for message in folded] == ["", "", "s", "s", "s", "s"]


def test_a_history_that_comes_later_is_no_earlier_talk() -> None:
    """A first call without content was in the record all the same: what it said is known from the next one."""
    folded = fold([call("", ""), call("u:hi a:hello u:where", "a:there", span_id="t")])
    assert [message.span_id for message in folded] == ["t", "t", "t", "t"]


def test_what_a_guardrails_model_was_told_before_the_first_call_is_no_earlier_talk() -> None:
    guard = call("u:example a:yes u:hi", "a:safe", nested=True)
    assert [word(message) for message in fold([guard, call("u:hi", "a:hello", started_ns=1)])] == ["u:hi", "a:hello"]


def test_a_question_that_a_router_passes_on_is_asked_once() -> None:
    def made(trace: str, at: int, system: str, said: str) -> ModelCall:
        return call("u:where", said, started_ns=at, ended_ns=at, system=system, trace_id=trace)

    router, expert = made("one", 0, "Route.", "a:claims"), made("one", 2, "Answer.", "a:here")
    assert [word(message) for message in fold([router, expert])] == ["u:where", "a:claims", "a:here"]
    asked_again = "u:where a:claims u:where a:here"
    assert " ".join(map(word, fold([router, made("two", 2, "Answer.", "a:here")]))) == asked_again
    assert " ".join(map(word, fold([router, made("one", 2, "Route.", "a:here")]))) == asked_again


def test_what_a_guardrail_says_is_heard_by_nobody_however_much_it_was_told() -> None:
    talk = [call("u:hi", "a:hello"), call("u:hi a:hello u:where", "a:fine", nested=True, aside=True)]
    assert [word(message) for message in fold(talk)] == ["u:hi", "a:hello"]


def test_a_nested_agent_that_remembers_other_answers_has_a_talk_of_its_own() -> None:
    talk = [call("u:hi", "a:hello"), call("u:hi a:hello u:where", "a:there")]
    inner = call("u:hi a:mine u:where", "a:inner", nested=True)
    assert [word(message) for message in fold([*talk, inner])] == ["u:hi", "a:hello", "u:where", "a:there"]


def test_the_same_tool_called_with_other_arguments_is_another_call() -> None:
    def asking(arguments: str) -> Message:
        return Message("assistant", tool_calls=(ToolCall("", "find", arguments),))

    first = replace(call("u:hi", ""), said=(asking('{"a": 1}'),))
    again = replace(call("u:hi", ""), said=(asking('{"a":1}'),))
    other = replace(call("u:hi", ""), said=(asking('{"a": 2}'),))
    assert len([message for message in fold([first, again]) if message.tool_calls]) == 1
    assert [message.tool_calls[0].arguments for message in fold([first, other]) if message.tool_calls][-1] == '{"a": 2}'
