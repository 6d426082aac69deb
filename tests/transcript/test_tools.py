from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.model import Event, SpanRecord
from spanwitness.transcript.tools import tool_runs
from spanwitness.transcript.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    Span = Callable[..., SpanRecord]

ARGUMENTS, RESULT = '{"what": "it"}', '{"it": "here"}'


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "gen_ai.tool.name": "find",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": ARGUMENTS,
            "gen_ai.tool.call.result": RESULT,
        },
        {
            "lk.function_tool.name": "find",
            "lk.function_tool.id": "c1",
            "lk.pii.function_tool.arguments": ARGUMENTS,
            "lk.pii.function_tool.output": RESULT,
        },
        {
            "ai.toolCall.name": "find",
            "ai.toolCall.id": "c1",
            "ai.toolCall.args": ARGUMENTS,
            "ai.toolCall.result": RESULT,
        },
        {"gen_ai.tool.name": "find", "gen_ai.tool.call.id": "c1", "tool_arguments": ARGUMENTS, "tool_response": RESULT},
    ],
    ids=["conventions", "livekit", "ai sdk", "pydantic ai 2"],
)
def test_a_run_is_read_from_every_dialect_with_ids(attributes: dict[str, str], span: Span) -> None:
    (run,) = tool_runs(Tree([span("tool", attributes)]))
    assert (run.name, run.call_id, run.arguments, run.result) == ("find", "c1", ARGUMENTS, RESULT)
    assert not run.error


@pytest.mark.parametrize(
    "attributes",
    [
        {"tool.name": "find", "input.value": ARGUMENTS, "output.value": RESULT},
        {"traceloop.entity.name": "find", "traceloop.entity.input": ARGUMENTS, "traceloop.entity.output": RESULT},
        {"mlflow.spanInputs": ARGUMENTS, "mlflow.spanOutputs": RESULT},
    ],
    ids=["openinference", "openllmetry", "mlflow"],
)
def test_a_run_is_read_from_every_dialect_without_ids(attributes: dict[str, str], span: Span) -> None:
    (run,) = tool_runs(Tree([span("tool", attributes, name="find")]))
    assert (run.name, run.call_id, run.arguments, run.result) == ("find", "", ARGUMENTS, RESULT)


def test_strands_tells_arguments_and_result_by_events(span: Span) -> None:
    told = (
        Event(1, "gen_ai.tool.message", {"content": ARGUMENTS, "id": "c1"}),
        Event(2, "gen_ai.choice", {"message": '[{"text": "here"}]'}),
    )
    (run,) = tool_runs(Tree([span("tool", {"gen_ai.tool.name": "find"}, events=told)]))
    assert (run.arguments, run.result) == (ARGUMENTS, "here")


@pytest.mark.parametrize(
    ("status", "attributes"),
    [
        ("Error", {}),
        ("STATUS_CODE_ERROR", {}),
        ("Unset", {"lk.function_tool.is_error": "true"}),
        ("Ok", {"gen_ai.tool.status": "error"}),
        ("Ok", {"error.type": "tool_error"}),
        (
            "Unset",
            {"output.value": '{"type": "tool", "data": {"content": "no", "tool_call_id": "c", "status": "error"}}'},
        ),
        ("Unset", {"gen_ai.tool.call.result": '{"error": "no such claim"}'}),
    ],
)
def test_a_failure_is_known_by_whatever_tells_it(status: str, attributes: dict[str, str], span: Span) -> None:
    (run,) = tool_runs(Tree([span("tool", attributes, status=status)]))
    assert run.error


def test_a_tool_that_raised_has_the_reason_as_its_result(span: Span) -> None:
    raised = span("tool", {}, status="Error", status_message="ValueError('no')\nTraceback ...")
    assert tool_runs(Tree([raised]))[0].result == "ValueError('no')"


def test_adks_span_around_parallel_calls_is_no_run(span: Span) -> None:
    assert tool_runs(Tree([span("tool", {"gen_ai.tool.name": "(merged tools)"})])) == []


def test_what_a_tools_span_leaves_out_is_told_by_the_span_of_the_same_tool_below(span: Span) -> None:
    outer = span("tool", {"tool.name": "find", "input.value": ARGUMENTS}, span_id="outer")
    inner = span(
        "tool",
        {"gen_ai.tool.name": "find", "gen_ai.tool.call.id": "c1", "gen_ai.tool.call.result": '{"error": "no"}'},
        span_id="inner",
        parent_span_id="outer",
    )
    (run,) = tool_runs(Tree([outer, inner]))
    assert (run.span_id, run.call_id, run.arguments, run.error) == ("outer", "c1", ARGUMENTS, True)
