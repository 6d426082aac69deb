"""What a closed conversation shows of each slot: its model's answers among the users' messages, as the detector reads.

Text stands in it as long as it is counted, and no longer.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spanwitness.model import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spanwitness.model import Conversation, Message, SpanRecord

_REASONING: Final = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.completion_tokens_details.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "llm.usage.reasoning_tokens",
    "ai.usage.reasoningTokens",
)
_CACHED: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.prompt_tokens_details.cached_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
)
# A prompt is a template, filled anew for each conversation or each day: dates, numbers, ids and addresses are no part
# of what makes it the same one.
_FILLED: Final = re.compile(
    r"\S*[\d@]\S*|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|"
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A conversation as one slot took part in it.

    Attributes:
        version: of the model that answered; '' where it was more than one: such a conversation tells of none.
        talk: as `DriftDetector.update` takes it.
    """

    slot: Slot
    version: str
    prompt_version: str
    started_ns: int
    trace: str
    talk: dict[str, Any]


def shown(conversation: Conversation) -> list[Shown]:
    """What it shows of each slot that a language model answered in, in order of slots; failed calls show nothing."""
    calls: dict[Slot, list[SpanRecord]] = defaultdict(list)
    for step in conversation.steps:
        span = step.span
        if span.step_kind == "llm" and span.model_version and span.status != "Error":
            calls[Slot(conversation.tenant, span.service, span.agent_name, "llm")].append(span)
    spans = [step.span for step in conversation.steps if step.span.step_kind == "llm"]
    alone = len({(span.service, span.agent_name) for span in spans}) == 1
    return [_shown(conversation, slot, own, alone=alone) for slot, own in sorted(calls.items())]


def _shown(conversation: Conversation, slot: Slot, spans: Sequence[SpanRecord], *, alone: bool) -> Shown:
    prompts = {span.prompt_version for span in spans if span.prompt_version}
    prompt = next(iter(prompts)) if len(prompts) == 1 else ""
    talk: dict[str, Any] = {"topic": conversation.intent, "messages": list(_messages(conversation, spans, alone=alone))}
    if prompt:
        talk["prompt_version"] = prompt
    if alone and conversation.system_prompt:  # of several agents, it is that of the last one
        talk["prompt_hash"] = prompt_hash(conversation.system_prompt)
    return Shown(slot, _version(spans), prompt, spans[0].started_ns, spans[0].trace_id, talk)


def prompt_hash(prompt: str) -> str:
    """Equal for equal templates, as far as what is filled into them can be told by its looks."""
    template = " ".join(_FILLED.sub(" ", prompt).split())
    return hashlib.sha256(template.encode("utf-8", "replace")).hexdigest()[:16]


def _version(spans: Sequence[SpanRecord]) -> str:
    """The one version of the calls, told ones first: what is told of some holds for those that tell nothing."""
    told = {span.model_version for span in spans if span.served_model}
    found = told or {span.model_version for span in spans}
    return next(iter(found)) if len(found) == 1 else ""


def _messages(conversation: Conversation, spans: Sequence[SpanRecord], *, alone: bool) -> Iterator[dict[str, Any]]:
    """The users' messages, the slot's own answers, and the results of its tool calls."""
    own = _owners(conversation.messages, spans, alone=alone)
    if not any(message.role == "assistant" for message in conversation.messages):
        # Nothing of what was said was captured: what is left are the counts of tokens and the times.
        yield from ({"role": "assistant", "content": "", **_measures(span)} for span in spans)
        return
    told: set[str] = set()
    asked: set[str] = set()
    for message in conversation.messages:
        if message.role == "user" or (message.role == "tool" and (alone or message.tool_call_id in asked)):
            yield {"role": message.role, "content": message.content}
        elif message.role == "assistant" and message.span_id and (alone or message.span_id in own):
            asked |= {call.id for call in message.tool_calls if call.id}
            span = None if message.span_id in told else own.get(message.span_id)
            told.add(message.span_id)
            yield {**_said(message), **(_measures(span) if span else {})}


def _owners(messages: Sequence[Message], spans: Sequence[SpanRecord], *, alone: bool) -> Mapping[str, SpanRecord]:
    """By the span that a message was first seen on, the call that it came from.

    Two instrumentations may tell of one call: a message is then seen on one of their spans, and the step is the other.
    An agent that is alone has said all of it, call by call.
    """
    own = {span.span_id: span for span in spans}
    seen = list(dict.fromkeys(m.span_id for m in messages if m.role == "assistant" and m.span_id))
    if alone and len(seen) == len(spans) and not any(span_id in own for span_id in seen):
        return dict(zip(seen, spans, strict=True))
    return own


def _said(message: Message) -> dict[str, Any]:
    calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    return {"role": "assistant", "content": message.content, **({"tool_calls": calls} if calls else {})}


def _measures(span: SpanRecord) -> dict[str, Any]:
    """Usage, time and how it finished, as far as the call tells. Zero tokens are none told."""
    usage = {"input_tokens": span.input_tokens, "output_tokens": span.output_tokens}
    usage |= {"reasoning_tokens": _number(span, _REASONING), "cache_read_tokens": _number(span, _CACHED)}
    told: dict[str, Any] = {"usage": {name: number for name, number in usage.items() if number}}
    if span.ended_ns > span.started_ns:
        told["latency_ms"] = (span.ended_ns - span.started_ns) / 1e6
    if span.finish_reason:
        told["finish_reason"] = span.finish_reason
    return told


def _number(span: SpanRecord, names: Sequence[str]) -> int:
    text = next((span.attributes[name] for name in names if span.attributes.get(name)), "")
    return int(text) if text.isdecimal() else 0
