"""What fires tells the cause.

| fires                                              | cause                                            |
|----------------------------------------------------|--------------------------------------------------|
| the first user message                             | input: the users changed, the rest may follow    |
| the first call's input tokens, or the prompt's hash | prompt; model if the writing changes *at once* too |
| writing or tools                                   | model; prompt if it is what a prompt prescribes  |
| token counts alone                                 | prompt (or the accounting of tokens)             |
| times and caching alone                            | infrastructure                                   |
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.drift.verdict import Cause

# How the false alarms allowed are shared out. A page is worth most of them.
_SHARES: Final[Mapping[str, float]] = {"model": 0.5, "prompt": 0.2, "user": 0.2, "latency": 0.1}
# Odds of 20 to 1 are no alarm, but too much to be ignored where causes are told apart.
_HINT: Final = math.log(20)
# Conversations after a change by which its cause is told. A swap that comes with a changed first call has shown in the
# writing by then (4 to 8 in the development data); what a prompt does to the writing takes longer (15 and more).
SETTLING: Final = 12
_PROMPTS_TOLD: Final = 3
_OPEN: Final[tuple[Cause, int]] = ("", 0)


@dataclass(frozen=True, slots=True)
class Signs:
    """The evidence of one moment.

    `total`: log Shiryaev-Roberts statistic of each group; `ago`: conversations since the change it points at;
    `restarts`: over how many; `other_prompts`: how many conversations in a row came with another prompt than the
    reference's, where that is told; `calls_tools`: most conversations of the reference have a tool call.
    """

    total: Mapping[str, float]
    ago: Mapping[str, int]
    restarts: int
    prompt_known: bool
    other_prompts: int
    calls_tools: bool = False


def thresholds(rate: float) -> dict[str, float]:
    """The log statistics at which each cause fires, so that all together stay below `rate` per 1,000 conversations."""
    return {name: math.log(1000 / (rate * share)) for name, share in _SHARES.items()}


def attribute(signs: Signs, needed: Mapping[str, float]) -> tuple[Cause, int]:
    """The cause, and how many conversations ago it came; ('', 0) while nothing has fired or its cause is open."""
    fired = {name: signs.total.get(name, -math.inf) >= limit for name, limit in needed.items()}
    if signs.other_prompts >= _PROMPTS_TOLD:
        return "prompt", signs.other_prompts
    if fired["user"]:
        return "input", signs.ago["user"]
    writing = signs.total.get("text", -math.inf) >= needed["model"]
    if fired["prompt"] and not signs.prompt_known:
        return _stepped(signs, writing=writing)
    if fired["model"]:
        return _changed(signs, writing=writing)
    if fired["latency"] and signs.ago["latency"] >= SETTLING:
        return "infrastructure", signs.ago["latency"]
    return _OPEN


def _stepped(signs: Signs, *, writing: bool) -> tuple[Cause, int]:
    """The first call's input jumped: another prompt, or another model with its own way of laying it out."""
    ago = signs.ago["prompt"]
    if _hint(signs, "user"):
        return _OPEN
    if writing and ago <= SETTLING:
        return "model", signs.ago["text"]
    return ("prompt", ago) if ago >= SETTLING else _OPEN


def _changed(signs: Signs, *, writing: bool) -> tuple[Cause, int]:
    """The agent behaves otherwise, and the first call is as before."""
    ago = signs.ago["model"]
    if _hint(signs, "user") or (_hint(signs, "prompt") and not signs.prompt_known and not writing):
        return _OPEN
    if _hint(signs, "style") or _hint(signs, "tools"):
        if _prescribed(signs):
            return ("prompt", ago) if ago >= 2 * SETTLING else _OPEN
        return "model", ago
    return ("prompt", ago) if ago >= SETTLING else _OPEN  # token counts alone are no other model


def _prescribed(signs: Signs) -> bool:
    """Nothing tells of the prompt, and what changed is what a prompt prescribes: what is done, and a few set phrases.

    Another model writes otherwise in a hundred small ways. Here what no prompt asks for (marks, layout, function words)
    speaks against a change, and in the writing as a whole so does everything, or all but single features.
    """
    if signs.prompt_known or "prompt" in signs.total or not signs.calls_tools or "hand" not in signs.total:
        return False
    even = math.log(signs.restarts)
    sparse = signs.total["single"] > signs.total["text"]
    return signs.total["hand"] < even and (signs.total["text"] < even or sparse)


def _hint(signs: Signs, name: str) -> bool:
    return signs.total.get(name, -math.inf) - math.log(signs.restarts) >= _HINT
