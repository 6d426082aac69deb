"""Invented talks as closed conversations: what the review lane hands to the watch."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from spanwitness.model import Conversation, Message, SpanRecord, Step, ToolCall
from spanwitness.testing import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.drift.talk import Conversation as Talk

SERVED = "gpt-4o-2024-08-06"


def started(number: int) -> int:
    """When a conversation begins: one a minute. Unix nanoseconds."""
    return int((EPOCH + dt.timedelta(minutes=number)).timestamp()) * 10**9


def closed(number: int, talk: Talk, **how: Any) -> Conversation:
    """The talk as conversation `c<number>`; how its calls are recorded: see `call`."""
    calls: list[SpanRecord] = []
    messages = list(_messages(number, talk, calls, how))
    return Conversation(
        messages=tuple(messages),
        tenant="acme",
        conversation_id=f"c{number}",
        steps=tuple(Step(at, 1, span) for at, span in enumerate(calls, 1)),
        system_prompt=how.get("system", ""),
        intent=talk["topic"],
    )


def call(number: int, at: int, message: dict[str, Any], how: dict[str, Any]) -> SpanRecord:
    """The model call that a message came from. `served`, `agent`, `prompt_version` as given."""
    usage, served = message["usage"], how.get("served", SERVED)
    begin = started(number) + at * 10**9
    return SpanRecord(
        tenant="acme",
        trace_id=f"{number:032x}",
        span_id=f"{number:08x}{at:08x}",
        parent_span_id="",
        name="chat",
        service="claims",
        scope="",
        dialect="otel_genai",
        step_kind="llm",
        started_ns=begin,
        ended_ns=begin + int(message["latency_ms"] * 1e6),
        status="",
        agent_name=how.get("agent", "front"),
        provider="openai",
        requested_model="gpt-4o",
        served_model=served,
        model_version=f"openai/{served}" if served else "openai/gpt-4o?",
        prompt_version=how.get("prompt_version", ""),
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        finish_reason=message.get("finish_reason", ""),
        attributes={"gen_ai.usage.reasoning.output_tokens": str(usage["reasoning_tokens"])},
    )


def _messages(number: int, talk: Talk, calls: list[SpanRecord], how: dict[str, Any]) -> Iterator[Message]:
    for at, message in enumerate(talk["messages"]):
        content, asked = message["content"], message.get("tool_calls", ())
        span_id = ""
        if "usage" in message:
            calls.append(call(number, at, message, how))
            span_id = calls[-1].span_id
        if message["role"] == "tool":
            content = content.ljust(message["length"])
        tools = tuple(ToolCall(f"t{at}", tool["name"], str(tool["arguments"])) for tool in asked)
        answers = f"t{at - 1}" if message["role"] == "tool" else ""
        yield Message(message["role"], content, tools, answers, span_id=span_id)
