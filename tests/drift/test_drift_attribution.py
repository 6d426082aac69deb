"""What fires tells the cause, without any data: a table of signs."""

from __future__ import annotations

import math

import pytest

from spanwitness.drift.attribution import SETTLING, Signs, attribute, thresholds

NEEDED = thresholds(1.0)
SURE, HINT, NO = 20.0, 7.0, 0.0


def signs(ago: int = 8, *, known: bool = False, others: int = 0, **total: float) -> Signs:
    names = ("model", "style", "text", "tools", "tokens", "prompt", "user", "latency")
    found = {name: total.get(name, NO) for name in names}
    return Signs(found, dict.fromkeys(names, ago), restarts=20, prompt_known=known, other_prompts=others)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (signs(), ""),
        (signs(model=SURE, style=SURE, text=SURE), "model"),
        (signs(model=SURE, tools=SURE), "model"),
        (signs(model=SURE, style=SURE, text=SURE, latency=SURE), "model"),
        (signs(model=SURE, style=SURE, text=SURE, user=HINT), ""),
        (signs(model=SURE, style=SURE, text=SURE, user=SURE), "input"),
        (signs(user=SURE), "input"),
        (signs(prompt=SURE), ""),
        (signs(ago=SETTLING, prompt=SURE), "prompt"),
        (signs(ago=SETTLING, prompt=SURE, user=HINT), ""),
        (signs(ago=SETTLING, prompt=SURE, model=SURE, tools=SURE, tokens=SURE), "prompt"),
        (signs(prompt=SURE, model=SURE, text=SURE, style=SURE), "model"),
        (signs(ago=SETTLING + 1, prompt=SURE, model=SURE, text=SURE, style=SURE), "prompt"),
        (signs(prompt=HINT, model=SURE, style=SURE), ""),
        (signs(prompt=HINT, model=SURE, style=SURE, text=SURE), "model"),
        (signs(known=True, prompt=SURE, model=SURE, style=HINT), "model"),
        (signs(model=SURE, tokens=SURE), ""),
        (signs(ago=SETTLING, model=SURE, tokens=SURE), "prompt"),
        (signs(latency=SURE), ""),
        (signs(ago=SETTLING, latency=SURE), "infrastructure"),
        (signs(others=2), ""),
        (signs(others=3), "prompt"),
        (signs(others=3, model=SURE, text=SURE, style=SURE), "prompt"),
    ],
)
def test_the_cause_of_what_fires(found: Signs, cause: str) -> None:
    assert attribute(found, NEEDED)[0] == cause


def untold(ago: int = 2 * SETTLING, *, tools: bool = True, **total: float) -> Signs:
    """An agent fires of whose prompt nothing is told."""
    found = {"model": SURE, "style": SURE, "tools": SURE, "hand": NO, "text": NO, "single": NO, **total}
    return Signs(found, dict.fromkeys(found, ago), restarts=20, prompt_known=False, other_prompts=0, calls_tools=tools)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (untold(), "prompt"),
        (untold(ago=2 * SETTLING - 1), ""),
        (untold(text=HINT, single=SURE), "prompt"),
        (untold(text=SURE, single=HINT), "model"),
        (untold(hand=HINT), "model"),
        (untold(ago=5, hand=HINT), "model"),
        (untold(tools=False), "model"),
        (untold(user=HINT), ""),
    ],
)
def test_an_agent_that_does_otherwise_and_writes_as_before_has_another_prompt(found: Signs, cause: str) -> None:
    assert attribute(found, NEEDED)[0] == cause


@pytest.mark.parametrize("told", [{"known": True}, {}])
def test_where_the_prompt_is_known_to_be_the_same_it_is_the_model(told: dict[str, bool]) -> None:
    found = signs(ago=2 * SETTLING, model=SURE, style=SURE, tools=SURE, **told)
    found = Signs(found.total, found.ago, 20, found.prompt_known, 0, calls_tools=True)
    assert attribute(found, NEEDED)[0] == "model"


def test_a_cause_is_dated_by_what_showed_it() -> None:
    found = Signs({"user": SURE, "latency": SURE}, {"user": 6, "latency": 30}, 40, prompt_known=False, other_prompts=0)
    assert attribute(found, NEEDED) == ("input", 6)


def test_all_causes_share_the_false_alarms_allowed() -> None:
    assert sum(1000 / math.exp(limit) for limit in thresholds(2.5).values()) == pytest.approx(2.5)


def test_a_group_without_data_never_fires() -> None:
    assert attribute(Signs({}, {}, 4, prompt_known=False, other_prompts=0), NEEDED) == ("", 0)
