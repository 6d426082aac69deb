from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from spanwitness.model import Event, LogRecord, Message, SpanRecord, ToolCall
from spanwitness.transcript import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Span = Callable[..., SpanRecord]


def message(role: str, *part: Mapping[str, object]) -> dict[str, object]:
    return {"role": role, "parts": list(part)}


def read(span: Span, *messages: dict[str, object]) -> tuple[Message, ...]:
    return parts.read(span("llm", {"gen_ai.input.messages": json.dumps(messages)}), ()).input


def test_texts_calls_and_results_become_one_unit_each(span: Span) -> None:
    history = read(
        span,
        message("system", {"type": "text", "content": "Be kind."}),
        message("user", {"type": "text", "content": "Where is it?"}),
        message(
            "assistant",
            {"type": "text", "content": "Let me see."},
            {"type": "tool_call", "id": "c1", "name": "find", "arguments": {"what": "it"}},
        ),
        message("tool", {"type": "tool_call_response", "id": "c1", "response": "here"}),
    )
    assert history == (
        Message("system", "Be kind."),
        Message("user", "Where is it?"),
        Message("assistant", "Let me see."),
        Message("assistant", tool_calls=(ToolCall("c1", "find", '{"what":"it"}'),)),
        Message("tool", "here", tool_call_id="c1"),
    )


@pytest.mark.parametrize("key", ["response", "result"])
@pytest.mark.parametrize("role", ["tool", "user"])
def test_a_result_is_read_under_both_names_and_both_roles(key: str, role: str, span: Span) -> None:
    history = read(span, message(role, {"type": "tool_call_response", "id": "c1", "name": "f", key: {"a": 1}}))
    assert history == (Message("tool", '{"a":1}', tool_call_id="c1", name="f"),)


def test_a_text_beside_a_result_of_a_tool_message_only_repeats_it(span: Span) -> None:
    text, result = {"type": "text", "content": "42"}, {"type": "tool_call_response", "id": "c1", "result": "42"}
    assert read(span, message("tool", text, result)) == (Message("tool", "42", tool_call_id="c1"),)


def test_arguments_that_are_json_text_stay_as_sent(span: Span) -> None:
    call = {"type": "tool_call", "id": "c1", "name": "f", "arguments": '{"a":  1}'}
    assert read(span, message("assistant", call))[0].tool_calls[0].arguments == '{"a":  1}'


def test_thoughts_are_not_said_and_media_leave_a_mark(span: Span) -> None:
    history = read(
        span,
        message("user", {"type": "uri", "modality": "image", "uri": "https://x/y.png"}),
        message("user", {"type": "blob", "modality": "audio", "content": "AAAA", "transcript": "Hello?"}),
        message("assistant", {"type": "reasoning", "content": "Hm."}, {"type": "text", "content": "Yes."}),
    )
    assert [unit.content for unit in history] == ["[image]", "Hello?", "Yes."]


def test_an_assistant_whose_message_was_not_kept_stands_as_an_empty_unit(span: Span) -> None:
    assert read(span, message("assistant")) == (Message("assistant"),)


def test_a_call_printed_as_a_python_object_is_a_call(span: Span) -> None:
    arguments = repr('{"a": "name=\'x\'"}')
    text = f"ResponseFunctionToolCall(arguments={arguments}, call_id='c1', name='f', id='fc_1', status=None)"
    (unit,) = read(span, message("assistant", {"type": "text", "content": text}))
    assert unit.tool_calls == (ToolCall("c1", "f", '{"a": "name=\'x\'"}'),)


def test_a_text_block_printed_as_a_python_dict_is_its_text(span: Span) -> None:
    text = "{'annotations': [], 'text': \"It's done.\", 'type': 'output_text', 'logprobs': []}"
    assert read(span, message("assistant", {"type": "text", "content": text})) == (Message("assistant", "It's done."),)


@pytest.mark.parametrize(
    "instructions",
    ['[{"type": "text", "content": "Be kind."}]', "Be kind.", '"Be kind."', '["Be kind."]'],
)
def test_the_system_instructions_are_parts_or_a_bare_text(instructions: str, span: Span) -> None:
    assert parts.read(span("llm", {"gen_ai.system_instructions": instructions}), ()).input == (
        Message("system", "Be kind."),
    )


@pytest.mark.parametrize(
    "text", ["", "[", "17", "null", '"x"', "[1, null, []]", '[{"role": "user"}]', '[{"parts": 3}]']
)
def test_what_is_no_list_of_messages_is_left_out(text: str, span: Span) -> None:
    attributes = {"gen_ai.input.messages": text, "gen_ai.output.messages": text, "gen_ai.system_instructions": text[:1]}
    assert all(not unit.content for unit in parts.read(span("llm", attributes), ()).input if unit.role != "system")


def test_details_come_from_log_records_and_from_several_span_events(span: Span) -> None:
    asked = {"gen_ai.input.messages": json.dumps([message("user", {"type": "text", "content": "Hi"})])}
    reply = {"gen_ai.output.messages": json.dumps([message("assistant", {"type": "text", "content": "Hello"})])}
    log = LogRecord("trace", "span-0000", 1, parts.DETAILS, "", {**asked, **reply})
    events = (Event(1, parts.DETAILS, asked), Event(2, parts.DETAILS, reply), Event(3, "exception", asked))
    expected = ((Message("user", "Hi"),), (Message("assistant", "Hello"),))
    for said in (parts.read_details(span("llm"), [log]), parts.read_details(span("llm", events=events), ())):
        assert (said.input, said.output) == expected


def answer(span: Span, *messages: object) -> tuple[Message, ...]:
    return parts.read(span("llm", {"gen_ai.output.messages": json.dumps(messages)}), ()).output


def test_a_choice_around_a_message_is_opened(span: Span) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Here."}}
    assert answer(span, choice) == (Message("assistant", "Here."),)


def test_a_message_printed_into_a_text_part_is_that_message(span: Span) -> None:
    printed = str(
        {
            "content": None,
            "role": "assistant",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}],
        }
    )
    told = answer(span, message("assistant", {"type": "text", "content": printed}))
    assert told == (Message("assistant", tool_calls=(ToolCall("c1", "find", '{"a": 1}'),)),)


@pytest.mark.parametrize("text", ["{'tool_calls': ", "{'tool_calls': open('x')}", "{'a': 1}", "{'output': 'x'}"])
def test_a_text_that_only_looks_printed_stays_a_text(text: str, span: Span) -> None:
    told = answer(span, message("assistant", {"type": "text", "content": text}))
    assert told == (Message("assistant", text),)
