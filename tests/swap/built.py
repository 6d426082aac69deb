"""Uses of models, built from a few words."""

from __future__ import annotations

import datetime as dt
from typing import Any

from spanwitness.model import Slot, Swap, Use

BEGIN = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
SLOT = Slot("acme", "claims", "assistant", "llm")
FULL, MINI, NEW = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "gpt-4.1-2025-04-14"
SERVED = {"A": FULL, "B": MINI, "C": NEW}


def use(talk: int, served: str, *, at: float | None = None, lasts: float = 10, **fields: Any) -> Use:
    """What conversation number `talk` made of a model; it begins `talk` minutes after the beginning."""
    first = BEGIN + dt.timedelta(seconds=talk * 60 if at is None else at)
    usual = {
        "slot": SLOT,
        "conversation_id": f"c{talk:04}",
        "version": f"openai/{served}" if served else "openai/gpt-4o?",
        "provider": "openai",
        "requested": "gpt-4o",
        "served": served,
        "first": first,
        "last": first + dt.timedelta(seconds=lasts),
        "first_trace": f"trace-{talk}",
        "calls": 3,
        "first_ns": round(first.timestamp() * 10**9),
    }
    return Use(**{**usual, **fields})


def talks(letters: str) -> list[Use]:
    """A conversation for each letter: A and B served, ? not told."""
    return [use(number, SERVED.get(letter, "")) for number, letter in enumerate(letters)]


def of_class(swaps: list[Swap], swap_class: str) -> list[Swap]:
    """Those of one class."""
    return [swap for swap in swaps if swap.swap_class == swap_class]
