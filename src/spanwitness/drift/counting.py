"""Conversations as numbers: habits of writing, of calling tools and of counting tokens. No text is kept.

Every value is a rate, a ratio or a logarithm; NaN where the conversation cannot tell (no usage, no tool call, no text).
"""

from __future__ import annotations

import json
import math
import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spanwitness.drift.features import COVARIATES, FEATURES, INDEX, TOOL_SLOTS
from spanwitness.drift.reading import MOST_CALLS, MOST_LABEL, MOST_OF_A_MESSAGE, as_text, number, read, size_of
from spanwitness.drift.writing import asking, mean, spread, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from spanwitness.drift.reading import Reading

_MOST_TOOLS: Final = 32
_MOST_VALUE: Final = 1e15


@dataclass(frozen=True, slots=True)
class Counted:
    """What is known of a conversation: `values` as FEATURES, `covariates` as COVARIATES, the rest for attribution.

    `prompt` is a checksum of the system prompt, or of the hash or version it came with; empty where none was given.
    `tools`: how often each tool was called, most used first; what stands beyond the first 32 names is under ''.
    """

    values: NDArray[np.float64]
    covariates: NDArray[np.float64]
    topic: str
    prompt: str
    tools: tuple[tuple[str, int], ...] = ()

    def valued(self, tools: Sequence[str]) -> NDArray[np.float64]:
        """The values with those of the features `tool:0` and following, which these are the names of."""
        made = sum(number for _, number in self.tools)
        if not made:
            return self.values
        values = self.values.copy()
        names = dict(self.tools)
        for slot, name in enumerate(tools):
            values[INDEX[f"tool:{slot}"]] = names.get(name, 0) / made
        values[INDEX["other_tools"]] = sum(number for name, number in self.tools if name not in tools) / made
        return values


def count(conversation: Mapping[str, Any]) -> Counted:
    """The numbers of one conversation. Never raises: what has an odd shape counts as absent."""
    reading = read(conversation)
    found: dict[str, float] = {}
    texts = [call.text for call in reading.calls if call.text]
    if texts:
        found = writing(texts)
        found["messages"] = len(texts) / max(1, len(reading.users))
    found |= _calling(reading) | _finishing(reading) | _token_counts(reading) | _times(reading)
    if reading.users and reading.users[0]:
        found |= asking(reading.users[0], reading.sizes[0])
    values = np.full(len(FEATURES), np.nan)
    for name, value in found.items():
        values[INDEX[name]] = value
    values[~(np.abs(values) < _MOST_VALUE)] = np.nan  # not finite, or a quotient of nonsense
    topic, prompt = _label(conversation, "topic"), _prompt(conversation, reading.system)
    return Counted(values, _covariates(reading), topic, prompt, _tools(reading))


def tool_names(counted: Iterable[Counted]) -> tuple[str, ...]:
    """The tools that get a feature of their own: the most used of a reference, most used first."""
    used = Counter[str]()
    for one in counted:
        used.update(dict(one.tools))
    return tuple(name for name, _ in _most_used(used)[:TOOL_SLOTS])


def _tools(reading: Reading) -> tuple[tuple[str, int], ...]:
    used = _most_used(Counter(name for call in reading.calls for name, _ in call.tools))
    rest = sum(number for _, number in used[_MOST_TOOLS:])
    return (*used[:_MOST_TOOLS], *((("", rest),) if rest else ()))


def _most_used(used: Counter[str]) -> list[tuple[str, int]]:
    return sorted(used.items(), key=lambda item: (-item[1], item[0]))


def _label(conversation: Mapping[str, Any], key: str) -> str:
    value = conversation.get(key) if hasattr(conversation, "get") else None
    return value[:MOST_LABEL] if isinstance(value, str) else ""


def _prompt(conversation: Mapping[str, Any], system: str) -> str:
    told = _label(conversation, "prompt_hash") or _label(conversation, "prompt_version") or system
    return f"{zlib.crc32(told.encode(errors='replace')):08x}" if told else ""


def _calling(reading: Reading) -> dict[str, float]:
    calls = reading.calls
    if not calls:
        return {}
    calling = [call for call in calls if call.tools]
    found = {
        "calls": sum(len(call.tools) for call in calls) / max(1, len(reading.users)),
        "calling": len(calling) / len(calls),
        "calls_first": next((at for at, call in enumerate(calls) if call.tools), len(calls)),
    }
    if not calling:
        return found
    made = [(name, arguments) for call in calling for name, arguments in call.tools]
    names = Counter(name for name, _ in made)
    return (
        found
        | _arguments([arguments for _, arguments in made])
        | {
            "parallel": 1 - len(calling) / len(made),
            "talks_calling": mean([bool(call.text) for call in calling]),
            "repeated": 1 - len({(name, as_text(arguments)) for name, arguments in made}) / len(made),
            "tools_used": len(names),
        }
    )


def _arguments(made: list[Any]) -> dict[str, float]:
    texts = [as_text(arguments)[:MOST_OF_A_MESSAGE] for arguments in made]
    read = [_as_mapping(arguments) for arguments in made]
    values = [list(islice(one.values(), MOST_CALLS)) for one in read]
    return {
        "arguments": mean([len(one) for one in read]),
        "argument_length": mean([math.log1p(len(text)) for text in texts]),
        "empty_arguments": mean([sum(value in ("", None) or value == [] for value in one) for one in values]),
        "numbers_as_text": mean([sum(isinstance(value, str) and value.isdigit() for value in one) for one in values]),
        "fractions": mean([sum(isinstance(value, float) for value in one) for one in values]),
        "spaced_json": mean([isinstance(raw, str) and ('": ' in raw or '", ' in raw) for raw in made]),
    }


def _as_mapping(arguments: Any) -> Mapping[str, Any]:
    if isinstance(arguments, str) and len(arguments) <= MOST_OF_A_MESSAGE:
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return {}
    return arguments if isinstance(arguments, dict) else {}


def _finishing(reading: Reading) -> dict[str, float]:
    told = [call for call in reading.calls if call.finish]
    if not told:
        return {}
    usual = ("stop", "end_turn", "tool_calls", "tool_use", "function_call")
    return {
        "finish_length": mean([call.finish in ("length", "max_tokens") for call in told]),
        "finish_other": mean([call.finish not in (*usual, "length", "max_tokens") for call in told]),
        "finish_stop_calling": mean([call.finish in usual[:2] and bool(call.tools) for call in told]),
    }


def _token_counts(reading: Reading) -> dict[str, float]:
    outputs, texts, arguments, grown, reasons = [], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0, 0.0]
    before = math.nan
    found: dict[str, float] = {}
    for at, call in enumerate(reading.calls):
        tokens_in, output = number(call.usage.get("input_tokens")), number(call.usage.get("output_tokens"))
        reasoning = number(call.usage.get("reasoning_tokens"), 0.0)
        if at == 0:
            # Four characters a token is near enough: what is looked for is a step, not the size of the prompt.
            found["first_input"] = tokens_in - call.new_input / 4
        elif tokens_in > before:
            grown = [grown[0] + call.new_input, grown[1] + tokens_in - before]
        before = tokens_in
        if output > 0:
            outputs.append(math.log1p(output))
            reasons = [reasons[0] + reasoning, reasons[1] + output, reasons[2] + (reasoning > 0)]
            visible, size = output - min(reasoning, output), sum(size_of(one) for _, one in call.tools)
            kind = texts if call.text and not size else arguments if size and not call.text else [0.0, 0.0]
            kind[0] += size or len(call.text)
            kind[1] += visible
    if outputs:
        found |= {"output": mean(outputs), "output_spread": spread(outputs)}
        found |= {"reasoning": reasons[0] / reasons[1], "any_reasoning": reasons[2] / len(outputs)}
    ratios = {"text_per_token": texts, "argument_per_token": arguments, "input_per_token": grown}
    return found | {name: math.log(size / tokens) for name, (size, tokens) in ratios.items() if size > 0 and tokens > 0}


def _times(reading: Reading) -> dict[str, float]:
    timed = [call for call in reading.calls if call.latency >= 0]
    found = {"latency": mean([math.log1p(call.latency) for call in timed])} if timed else {}
    per = [call.latency / (number(call.usage.get("output_tokens")) + 5) for call in timed]
    told = [each for each in per if each >= 0]
    if told:
        found["latency_per_token"] = mean([math.log1p(each) for each in told])
    cached = sum(number(call.usage.get("cache_read_tokens"), 0.0) for call in reading.calls)
    whole = sum(number(call.usage.get("input_tokens"), 0.0) for call in reading.calls)
    return found | ({"cached": cached / whole} if whole > 0 else {})


def _covariates(reading: Reading) -> NDArray[np.float64]:
    asked = reading.users[0] if reading.users else ""
    plain = asked.lower()
    found = {
        "user_size": math.log1p(sum(reading.sizes)),
        "user_messages": math.log1p(len(reading.users)),
        "result_size": math.log1p(sum(reading.results) / max(1, len(reading.results))),
        "user_code": math.log1p(sum(map(plain.count, "{}<>=;_`"))),
        "user_list": math.log1p(sum(map(plain.count, ("list", "step", "how", "write", "give", "\n")))),
        "user_ask": float("?" in asked),
    }
    return np.array([found[name] for name in COVARIATES])
