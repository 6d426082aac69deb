"""The detector: a reference, the conversations since, and what fires."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spanwitness.drift import evidence, state
from spanwitness.drift.attribution import Signs, attribute, thresholds
from spanwitness.drift.counting import count, tool_names
from spanwitness.drift.evidence import LONGEST, WINDOWS
from spanwitness.drift.explain import strongest
from spanwitness.drift.features import FEATURES, INDEX
from spanwitness.drift.reference import Group, Reference, fit, nothing
from spanwitness.drift.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spanwitness.drift.counting import Counted
    from spanwitness.drift.evidence import Windows
    from spanwitness.drift.verdict import Cause

    Floats = NDArray[np.float64]

# Below this, nothing is said: every estimate of a spread would be a guess.
LEAST_REFERENCE: Final = 30
MOST_REFERENCE: Final = 1_000
_MOST_RATE: Final = 100.0
_SAME_PROMPT: Final = 0.9
# What speaks for another model, averaged: a swap may show in all, or in one.
_PARTS: Final = ("model", "style", "tools", "tokens")
# The group of features behind each cause.
_TOLD: Final[Mapping[Cause, str]] = {"model": "model", "prompt": "prompt", "input": "user", "infrastructure": "latency"}
# Not stood by: times change every day, and must not hide what matters.
_OPEN: Final = ("", "infrastructure")
_A_TOOL_CALL: Final = INDEX["parallel"]  # known of conversations with a tool call alone
_SMALLEST_OVER: Final = 50
_LEAST_ERROR: Final = 1e-9
_ARRAYS: Final = ("columns", "knots", "spread", "centre", "scale", "gram", "cross", "coefficients", "rest", "means")


class DriftDetector:
    """Watches the conversations of one slot, in order of closing, for a change that no name tells of.

    Made by `fit` or `from_bytes`. Not safe for use by several threads at once. Once it has told a cause other than
    'infrastructure' it stands by it; fit another from conversations after the change.
    """

    def __init__(self, reference: Reference, tools: Sequence[str], prompt: str, rate: float) -> None:
        self._reference = reference
        self._tools = tuple(tools)
        self._prompt = prompt  # of the reference, where it was told and was one
        self._rate = rate
        self._thresholds = thresholds(rate)
        self._gram, self._cross = reference.gram, reference.cross
        self._rows = np.empty((0, len(reference.gram)))
        self._scores = np.empty((0, len(reference.columns)))
        self._values = np.empty((0, len(reference.columns)), dtype=np.float32)
        self._seen = 0
        self._other_prompts = 0  # in a row
        self._cause: Cause = ""
        self._since = 0

    @classmethod
    def fit(cls, reference: list[dict[str, Any]], *, false_alarms_per_1000: float = 1.0) -> DriftDetector:
        """Learns a slot from conversations that are known to be of one model.

        `reference`: {"topic"?: str, "prompt_hash"?: str, "prompt_version"?: str, "messages": [{"role": 'system' |
        'user' | 'assistant' | 'tool', "content": str, "tool_calls"?: [{"name", "arguments"}], "usage"?:
        {"input_tokens", "output_tokens", "reasoning_tokens", "cache_read_tokens"}, "latency_ms"?, "finish_reason"?,
        "length"? (of the whole content in characters, where `content` is cut)}]}; of more than 1,000 the last are used.
        `false_alarms_per_1000`: alarms of any cause to be had per 1,000 conversations without any change, at most.

        Raises:
            ValueError: the rate is not above 0 and at most 100.
        """
        if not 0 < false_alarms_per_1000 <= _MOST_RATE:
            raise ValueError(f"false_alarms_per_1000 is {false_alarms_per_1000}: it must be above 0, and at most 100")
        return cls.learn([count(one) for one in list(reference)[-MOST_REFERENCE:]], false_alarms_per_1000)

    @classmethod
    def learn(cls, counted: Sequence[Counted], rate: float) -> DriftDetector:
        """The same, from what was counted of at most 1,000 conversations."""
        if len(counted) < LEAST_REFERENCE:
            return cls(nothing(len(counted)), (), "", rate)
        tools = tool_names(counted)
        prompt, often = Counter(one.prompt for one in counted).most_common(1)[0]
        known = prompt if often >= _SAME_PROMPT * len(counted) else ""
        return cls(fit([replace(one, values=one.valued(tools)) for one in counted]), tools, known, rate)

    def update(self, conversation: dict[str, Any]) -> Verdict:
        """Takes the next conversation in and says what is known now. Never raises."""
        return self.take(count(conversation))

    def take(self, counted: Counted) -> Verdict:
        """The same, with what was counted of it."""
        one = replace(counted, values=counted.valued(self._tools))
        self._seen += 1
        if self._reference.size < LEAST_REFERENCE:
            return Verdict(evidence={"reference": float(self._reference.size), "needed": float(LEAST_REFERENCE)})
        self._remember(one)
        if len(self._rows) < WINDOWS[0]:
            return self._verdict(None, {})
        found = evidence.windows(self._reference, self._gram, self._cross, self._rows, self._scores)
        logs = self._logs(found)
        if self._cause in _OPEN:
            self._decide(found, logs)
        return self._verdict(found, logs)

    def _remember(self, one: Counted) -> None:
        row = self._reference.design(one)
        self._rows = np.vstack([self._rows, row])
        scores = self._reference.score(one, row).astype(np.float32)  # as they are stored
        self._scores = np.vstack([self._scores, scores])
        self._values = np.vstack([self._values, one.values[self._reference.columns].astype(np.float32)])
        self._other_prompts = self._other_prompts + 1 if self._prompt and one.prompt not in ("", self._prompt) else 0
        if len(self._rows) > LONGEST:
            if self._cause in _OPEN:  # what came after a change is no reference
                self._gram = self._gram + np.outer(self._rows[0], self._rows[0])
                self._cross = self._cross + np.outer(self._rows[0], self._scores[0])
            self._rows, self._scores, self._values = self._rows[1:], self._scores[1:], self._values[1:]

    def _logs(self, found: Windows) -> dict[str, Floats]:
        """Per window the log e-value of a change in each of what is told apart."""
        groups = self._reference.groups
        logs = {name: evidence.together(found, group, step=name == "prompt") for name, group in groups.items()}
        for name in ("user", "style", "hand", "model"):
            if name in logs:
                logs[name] = evidence.average([logs[name], evidence.alone(found, groups[name])])
        if "text" in logs:
            logs["single"] = evidence.alone(found, groups["text"])
        parts = [logs[name] for name in _PARTS if name in logs]
        if self._prompt and "prompt" in logs:
            parts.append(logs["prompt"])  # the same prompt by its hash, and yet another size
        if parts:
            logs["model"] = evidence.average(parts)
        return logs

    def _decide(self, found: Windows, logs: Mapping[str, Floats]) -> None:
        signs = Signs(
            total={name: evidence.restarts(found, each) for name, each in logs.items()},
            ago={name: int(found.lengths[evidence.best(found, each)]) for name, each in logs.items()},
            restarts=int(found.lengths[-1]),
            prompt_known=bool(self._prompt),
            other_prompts=self._other_prompts,
            calls_tools=bool(np.isin(_A_TOOL_CALL, self._reference.columns)),
        )
        self._cause, ago = attribute(signs, self._thresholds)
        self._since = self._seen - ago + 1 if self._cause else 0

    def _verdict(self, found: Windows | None, logs: Mapping[str, Floats]) -> Verdict:
        known = self._known(found, logs)
        if not self._cause or found is None:
            return Verdict(bool(self._cause), self._cause, self._since, evidence=known)
        name = _TOLD[self._cause]
        if name not in self._reference.groups:
            return Verdict(alarm=True, cause=self._cause, since=self._since, evidence=known)
        at = int(np.argmin(np.abs(found.lengths - (self._seen - self._since + 1))))
        named = strongest(self._reference, found, at, self._values, name, self._tools)
        return Verdict(alarm=True, cause=self._cause, since=self._since, features=named, evidence=known)

    def _known(self, found: Windows | None, logs: Mapping[str, Floats]) -> dict[str, float]:
        known = {"reference": float(self._reference.size), "conversations": float(self._seen)}
        if found is None:
            return known
        for cause, name in _TOLD.items():
            if name in logs:
                known[cause] = evidence.restarts(found, logs[name]) / math.log(10)
                known[f"{cause} needed"] = self._thresholds[name] / math.log(10)
        if not found.variances.size:
            return known
        # Of all windows the longest says most about the input of late; the agent's features share its error.
        error = max(float(found.variances[-1].max()) - 1 / int(found.lengths[-1]), _LEAST_ERROR)
        known["effective reference"] = 1 / error
        # One feature among those of its family: its e-value must outweigh its neighbours' and the alarm's threshold.
        odds = self._thresholds["model"] + math.log(max(1, len(self._reference.columns)) * 10)
        known["smallest shift"] = math.sqrt(2 * odds * (1 / _SMALLEST_OVER + error))
        return known

    def to_bytes(self) -> bytes:
        """The whole state, for a store; `from_bytes` goes on from it with the same verdicts. Features only, no text."""
        reference = self._reference
        arrays = {name: getattr(reference, name) for name in _ARRAYS}
        arrays |= {"live_gram": self._gram, "live_cross": self._cross}
        arrays |= {"rows": self._rows, "scores": self._scores.astype(np.float32), "values": self._values}
        for name, group in reference.groups.items():
            arrays |= {f"{name}.columns": group.columns, f"{name}.variances": group.variances}
            arrays[f"{name}.axes"] = group.axes.astype(np.float16)
        facts = {
            "features": len(FEATURES),
            "size": reference.size,
            "topics": reference.topics,
            "groups": list(reference.groups),
            "caps": dict(reference.caps),
            "tools": self._tools,
            "prompt": self._prompt,
            "rate": self._rate,
            "seen": self._seen,
            "other_prompts": self._other_prompts,
            "cause": self._cause,
            "since": self._since,
        }
        return state.pack(arrays, facts)

    @classmethod
    def from_bytes(cls, data: bytes) -> DriftDetector:
        """The detector that `to_bytes` wrote.

        Raises:
            ValueError: it is no such state, or one of a release that counted other features: fit again.
        """
        arrays, facts = state.unpack(data)
        if facts.get("features") != len(FEATURES):
            raise ValueError("the state of a drift detector counts other features: fit it again")
        groups = {
            name: Group(arrays[f"{name}.columns"], arrays[f"{name}.axes"].astype(float), arrays[f"{name}.variances"])
            for name in facts["groups"]
        }
        reference = Reference(
            size=facts["size"],
            topics=tuple(facts["topics"]),
            groups=groups,
            caps=facts["caps"],
            **{name: arrays[name] for name in _ARRAYS},
        )
        found = cls(reference, facts["tools"], facts["prompt"], facts["rate"])
        found._gram, found._cross = arrays["live_gram"], arrays["live_cross"]
        found._rows, found._scores, found._values = arrays["rows"], arrays["scores"].astype(float), arrays["values"]
        found._seen, found._other_prompts = facts["seen"], facts["other_prompts"]
        found._cause, found._since = facts["cause"], facts["since"]
        return found
