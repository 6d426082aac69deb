"""Invented conversations of an agent in a shop: its way of writing, calling tools, counting tokens; and its users."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

Conversation = dict[str, Any]
_NOUNS: Final = ("order", "refund", "parcel", "address", "invoice", "jacket", "kettle", "delivery", "card", "lamp")


@dataclass(frozen=True, slots=True)
class Agent:
    """Habits. `bullets`, `curly`: chances a sentence; `chatty`: sentences an answer; `reasons`: share of tokens."""

    opening: str = "Certainly,"
    bullets: float = 0.1
    curly: float = 0.0
    chatty: float = 3.0
    per_token: float = 4.4
    reasons: float = 0.0
    prompt_tokens: int = 3_000
    look_twice: float = 0.1
    milliseconds: float = 900.0


PLAIN: Final = Agent()
OTHER: Final = Agent(opening="Thanks —", bullets=0.6, curly=0.7, chatty=6.0, per_token=3.9, reasons=0.5, look_twice=0.6)


def talk(agent: Agent, dice: random.Random, *, topic: str = "", curt: bool = False, usage: bool = True) -> Conversation:
    """One conversation; `curt` users neither greet nor punctuate."""
    messages: list[Conversation] = [{"role": "assistant", "content": "Hi! How can I help?"}]
    tokens = agent.prompt_tokens
    for turn in range(dice.randint(2, 5)):
        asked = _asks(dice, curt=curt, first=turn == 0)
        messages.append({"role": "user", "content": asked})
        tokens += len(asked) // 4
        for _ in range(1 + (dice.random() < agent.look_twice)):
            arguments = {"order_id": f"W{dice.randint(1000, 9999)}"}
            call = {"role": "assistant", "content": "", "tool_calls": [{"name": "find_order", "arguments": arguments}]}
            messages.append(_counted(call, tokens, 20, agent, dice, usage=usage))
            result = dice.randint(200, 900)
            messages.append({"role": "tool", "content": "{", "length": result})
            tokens += 20 + result // 4
        text = _says(agent, dice)
        message = {"role": "assistant", "content": text, "finish_reason": "stop"}
        messages.append(_counted(message, tokens, len(text) / agent.per_token, agent, dice, usage=usage))
        tokens += len(text) // 4
    return {"topic": topic, "messages": messages}


def many(agent: Agent, number: int, seed: int, **how: Any) -> list[Conversation]:
    dice = random.Random(seed)  # noqa: S311 - a draw that can be repeated
    return [talk(agent, dice, **how) for _ in range(number)]


def _counted(
    message: Conversation, before: int, visible: float, agent: Agent, dice: random.Random, *, usage: bool
) -> Conversation:
    if not usage:
        return message
    visible = max(1, round(visible * dice.uniform(0.95, 1.05)))
    thought = round(visible * agent.reasons / (1 - agent.reasons) * dice.uniform(0.5, 1.5))
    told = {"input_tokens": before, "output_tokens": visible + thought, "reasoning_tokens": thought}
    return message | {"usage": told, "latency_ms": agent.milliseconds * dice.uniform(0.5, 2)}


def _asks(dice: random.Random, *, curt: bool, first: bool) -> str:
    wish = f"I need help with my {dice.choice(_NOUNS)} and the {dice.choice(_NOUNS)} number {dice.randint(1, 99)}"
    if curt:
        return wish.lower()
    return f"Hello there! {wish}, please. Could you look into it?" if first else f"{wish}. Thanks!"


def _says(agent: Agent, dice: random.Random) -> str:
    parts = [agent.opening] if dice.random() < 0.7 else ["I see."]
    for _ in range(max(1, round(dice.gauss(agent.chatty, 1)))):
        quote = "\u2019" if dice.random() < agent.curly else "'"
        begin = "\n- " if dice.random() < agent.bullets else " "
        parts.append(f"{begin}I{quote}ll check the {dice.choice(_NOUNS)}, then the {dice.choice(_NOUNS)}.")
    return "".join(parts)
