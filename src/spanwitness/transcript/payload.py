"""A model call's request and response as the client library had them, dumped as JSON into one attribute.

Read where nothing better is: OpenInference and traceAI drop the output of a streamed openai-agents call, traceAI drops
LangChain's tool calls, MLflow, ADK's legacy schema, Langfuse, LangSmith, Pipecat and
older Logfire have nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from spanwitness.transcript.chat import message_of, messages_of
from spanwitness.transcript.forms import NOTHING, Said
from spanwitness.transcript.units import said, units_of
from spanwitness.transcript.values import entries, fields, first, first_text, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spanwitness.model import LogRecord, Message, SpanRecord

_REQUESTS: Final = (
    "input.value",
    "mlflow.spanInputs",
    "gcp.vertex.agent.llm_request",
    "langfuse.observation.input",
    "gen_ai.prompt",
    "request_data",
    "input",
)
_RESPONSES: Final = (
    "output.value",
    "mlflow.spanOutputs",
    "gcp.vertex.agent.llm_response",
    "langfuse.observation.output",
    "gen_ai.completion",
    "response_data",
    "output",
)


_PRINTED_OBJECT: Final = re.compile(r"<[\w. ]+ at 0x[0-9a-f]+>")
"""What a stream or a coroutine looks like that an instrumentation printed instead of reading it."""


def read(span: SpanRecord, _logs: Sequence[LogRecord]) -> Said:
    if span.attributes.get("embedding.model_name"):  # an embedding's input is no message
        return NOTHING
    request = parse(first_text(span.attributes, _REQUESTS))
    response = first_text(span.attributes, _RESPONSES)
    return Said(tuple(_request(request)), tuple(_response(response)))


def knows_calls(span: SpanRecord) -> bool:
    """Whether the response names tool calls, told without parsing it."""
    return "tool_calls" in first_text(span.attributes, _RESPONSES)


def _request(value: object) -> list[Message]:
    """OpenAI chat and LangChain: `messages`. Responses API: `instructions`, `input`. Gemini: `contents`. Or a list."""
    if isinstance(value, list):
        return messages_of(value)
    request = fields(value)
    instructions = first(request, "instructions") or fields(request.get("config")).get("system_instruction")
    told = first(request, "messages", "input", "contents")
    history = [said("user", told)] if isinstance(told, str) else messages_of(_one_of_batch(told))
    return [*units_of("system", instructions), *history]


def _one_of_batch(value: object) -> object:
    """LangChain's models take a batch of histories; a traced call has one."""
    return value[0] if isinstance(value, list) and value and isinstance(value[0], list) else value


def _response(text: str) -> list[Message]:
    value = parse(text)
    if isinstance(value, str):
        return [said("assistant", value)] if value else []
    if value is None:  # traceAI puts the bare reply here; cut JSON is no reply
        bare = text.strip()
        silent = not bare or bare[0] in "[{" or bare == "null" or _PRINTED_OBJECT.fullmatch(bare)
        return [] if silent else [said("assistant", bare)]
    return [unit for entry in entries(value) for unit in _answer(entry)]


def _answer(value: Mapping[str, object]) -> list[Message]:
    if "generations" in value:
        return _generation(value["generations"])
    if "choices" in value:
        return [unit for choice in entries(value["choices"])[:1] for unit in _choice(choice)]
    if isinstance(value.get("output"), list):
        return messages_of(value["output"], "assistant")
    return message_of(value, "assistant")


def _choice(choice: Mapping[str, object]) -> list[Message]:
    """OpenInference rebuilds a streamed reply as a chunk, whose message is called delta."""
    return message_of({"role": "assistant", **fields(choice.get("message") or choice.get("delta"))})


def _generation(value: object) -> list[Message]:
    """LangChain's `generations[0][0]`: a chat message, or for a completion model a text."""
    for generation in entries(_one_of_batch(value))[:1]:
        message = generation.get("message")
        return message_of(fields(message) or generation, "assistant")
    return []
