"""Labelled conversations of a desk where customers thank when it is done, and some that are all alike."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def talk(completed: bool, chance: random.Random) -> list[dict[str, Any]]:
    """A conversation that tells how it ended most of the time."""
    told = completed if chance.random() < 0.9 else not completed
    asked = [{"role": "user", "content": f"Could you please renew my licence number {chance.randrange(100_000)}?"}]
    work = [{"role": "assistant", "content": "Let me look at that for you."}] * chance.randrange(1, 4)
    end = (
        ("It has been renewed.", "Thank you, that is all.") if told else ("I was unable to.", "It still does not work.")
    )
    return [*asked, *work, {"role": "assistant", "content": end[0]}, {"role": "user", "content": end[1]}]


def labelled(number: int, *, told: bool = True, groups: int = 0, seed: int = 7) -> list[dict[str, Any]]:
    """Lines of a file of labels, half of them completed. `told`: whether the label shows in what is said."""
    chance = random.Random(seed)  # noqa: S311 - the same at each run
    lines = []
    for at in range(number):
        completed = at % 2 == 0
        line = {"messages": talk(completed if told else chance.random() < 0.5, chance), "completed": completed}
        lines.append({**line, "group": f"customer {chance.randrange(groups)}"} if groups else line)
    return lines


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
