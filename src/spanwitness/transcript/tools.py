"""Tool executions, from the spans of the tools themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from spanwitness.transcript.results import Result, arguments_of, tells_failure, unwrap
from spanwitness.transcript.values import first_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.model import Event, SpanRecord
    from spanwitness.transcript.tree import Tree

_NAMES: Final = ("gen_ai.tool.name", "tool.name", "lk.function_tool.name", "ai.toolCall.name", "traceloop.entity.name")
_IDS: Final = ("gen_ai.tool.call.id", "lk.function_tool.id", "ai.toolCall.id", "tool_call.id")
_ARGUMENTS: Final = (
    "gen_ai.tool.call.arguments",
    "lk.pii.function_tool.arguments",
    "lk.function_tool.arguments",
    "ai.toolCall.args",
    "tool_arguments",  # Pydantic AI before 5
    "gcp.vertex.agent.tool_call_args",
    "traceloop.entity.input",
    "mlflow.spanInputs",
    "input.value",
)
_RESULTS: Final = (
    "gen_ai.tool.call.result",
    "lk.pii.function_tool.output",
    "lk.function_tool.output",
    "ai.toolCall.result",
    "tool_response",
    "gcp.vertex.agent.tool_response",
    "traceloop.entity.output",
    "mlflow.spanOutputs",
    "output.value",
)
_MERGED: Final = "(merged tools)"
"""ADK's extra span around parallel calls; each of them has its own."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a tool. `call_id` is '' where the library does not tell (OpenInference, openai-agents)."""

    span_id: str
    started_ns: int
    nested: bool
    name: str
    call_id: str
    arguments: str
    result: str
    error: bool

    @property
    def told(self) -> bool:
        """Whether its content was captured."""
        return bool(self.arguments or self.result)


def tool_runs(tree: Tree) -> list[Run]:
    """The tool executions of the conversation, in order."""
    runs = [_whole(span, tree) for span in tree.steps("tool")]
    return [run for run in runs if run.name != _MERGED]


def _whole(span: SpanRecord, tree: Tree) -> Run:
    """The run as its span tells it, and what that leaves out as the spans below tell it."""
    run = _run(span, nested=tree.nested(span))
    for other in tree.others(span):
        inner = _run(other, nested=run.nested)
        run = replace(
            run,
            call_id=run.call_id or inner.call_id,
            arguments=run.arguments or inner.arguments,
            result=run.result or inner.result,
            error=run.error or inner.error,
        )
    return run


def _run(span: SpanRecord, *, nested: bool) -> Run:
    name = span.tool_name or first_text(span.attributes, _NAMES)
    result = unwrap(first_text(span.attributes, _RESULTS) or _event(span.events, "gen_ai.choice", "message"))
    arguments = first_text(span.attributes, _ARGUMENTS) or _event(span.events, "gen_ai.tool.message", "content")
    return Run(
        span.span_id,
        span.started_ns,
        nested,
        name or result.name or span.name.removeprefix("execute_tool "),
        first_text(span.attributes, _IDS) or result.call_id,
        arguments_of(arguments),
        result.content or span.status_message.partition("\n")[0],  # a tool that raised has no result, but a reason
        _failed(span, result),
    )


def _event(events: tuple[Event, ...], name: str, key: str) -> str:
    """Strands tells a tool's arguments and result by span events."""
    return next((event.attributes.get(key, "") for event in events if event.name == name), "")


def _failed(span: SpanRecord, result: Result) -> bool:
    """Whether anything tells that the tool failed. Few libraries set the status: LiveKit and LangGraph do not."""
    return result.error or _flagged(span.status, span.attributes) or tells_failure(result.content)


def _flagged(status: str, attributes: Mapping[str, str]) -> bool:
    return (
        status.lower().endswith("error")  # "Error", or the older exporters' STATUS_CODE_ERROR
        or attributes.get("lk.function_tool.is_error") == "true"
        or attributes.get("gen_ai.tool.status") == "error"
        or bool(attributes.get("error.type"))
    )
