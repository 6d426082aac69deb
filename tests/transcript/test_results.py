from __future__ import annotations

import json

import pytest

from spanwitness.transcript.results import Result, arguments_of, complains, tells_failure, unwrap

STORED = {"content": "it's here", "type": "tool", "name": "find", "tool_call_id": "c1", "status": "success"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"type": "tool", "data": STORED}),
        json.dumps({"output": {"lc": 1, "type": "constructor", "kwargs": STORED}, "kwargs": {"color": "green"}}),
        json.dumps({"lc": 1, "type": "constructor", "kwargs": STORED}),
        json.dumps({"output": "content=\"it's here\" name='find' tool_call_id='c1'"}),
        json.dumps({"output": "content='it\\'s here' name='find' tool_call_id='c1'"}),
    ],
)
def test_a_langchain_tool_message_is_unwrapped(text: str) -> None:
    assert unwrap(text) == Result("it's here", "c1", "find")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"type": "tool", "data": {**STORED, "status": "error"}}),
        json.dumps({"output": "content=\"it's here\" name='find' tool_call_id='c1' status='error'"}),
    ],
)
def test_a_tool_message_tells_that_the_tool_failed(text: str) -> None:
    assert unwrap(text).error


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('"plain"', "plain"),
        ("plain", "plain"),
        ('{"output": "yes"}', '{"output": "yes"}'),
        ('[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]', "a\nb"),
        ('[{"json": {"a": 1}}]', '{"a":1}'),
        ('[{"text": "[a]"}]', "[a]"),
        ('[{"doc": "4.2", "text": "hail"}]', '[{"doc": "4.2", "text": "hail"}]'),
        ('{"output": "content=[1] name=\'find\'"}', '{"output": "content=[1] name=\'find\'"}'),
        ("{", "{"),
        ("", ""),
    ],
)
def test_a_result_of_any_other_shape_stays_or_is_its_text(text: str, content: str) -> None:
    assert unwrap(text) == Result(content)


def test_a_printed_text_is_read_with_its_escapes_and_nothing_in_it_is_run() -> None:
    text = json.dumps({"output": r"""content='a\n"b" name=\'x\' __import__("os")' name='f' tool_call_id='c1'"""})
    assert unwrap(text) == Result('a\n"b" name=\'x\' __import__("os")', "c1", "f")


@pytest.mark.parametrize("content", ['{"error": "no"}', '{"error_message": "no"}', ' {"isError": true}'])
def test_a_result_may_tell_its_failure_itself(content: str) -> None:
    assert tells_failure(content)


@pytest.mark.parametrize(
    "content",
    [
        "Error: claim id '2003' is not of the form CLM-NNNN",
        "error executing tool find: timed out",
        "Traceback (most recent call last):\n  File ...",
        "ValueError: no such claim",
        "An error occurred while running the tool. Please try again.",
        "An internal error occurred",
        "Tool call failed: 404",
        '{"result": "{\\"error\\": \\"unknown claim\\"}"}',
        '{"result": {"error": "unknown claim"}}',
        '{"status": "error", "message": "unknown claim"}',
        "{'error': 'unknown claim'}",
        "{'status': 'error', 'error_message': 'unknown claim'}",
    ],
)
def test_a_result_that_says_error_tells_a_failure(content: str) -> None:
    assert tells_failure(content)


@pytest.mark.parametrize(
    "content",
    [
        "Errors are covered by clause 4.",
        "Exceptional damage is covered.",
        "The error code means that the pipe burst.",
        "Tool rental is covered.",
        '{"result": "error free"}',
        '{"result": {"error": null}, "status": "ok"}',
        '{"error": "none", "claim": 1044}',
        "Error: none",
        '{"job": 7, "status": "error"}',
        "{'claim': 1044, 'error': None}",
    ],
)
def test_a_result_that_speaks_of_errors_tells_none(content: str) -> None:
    assert not tells_failure(content)


def test_a_complaint_is_told_by_its_first_word() -> None:
    assert complains(" unknown claim id '1044': expected the form CLM-YYYY-NNNNN")
    assert complains("Could not find it")
    assert not complains("The claim is unknown")
    assert not complains("Missingno")


@pytest.mark.parametrize(
    "content", ['{"error": null}', '{"errors": 0}', "error", "", "{", '["error"]', '{"status": "error"}']
)
def test_nothing_else_is_taken_for_a_failure(content: str) -> None:
    assert not tells_failure(content)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"input_str": "{\'a\': 1}", "tags": [], "inputs": {"a": 1}}', '{"a":1}'),
        ('{"args": [], "kwargs": {"a": 1}}', '{"a":1}'),
        ('{"args": [1], "kwargs": {}}', '{"args": [1], "kwargs": {}}'),
        ('{"a":  1}', '{"a":  1}'),
        ("CLM-1", "CLM-1"),
        ("", ""),
    ],
)
def test_arguments_are_freed_of_the_callbacks_wrapping(text: str, expected: str) -> None:
    assert arguments_of(text) == expected
