"""Labels as people write them: where the label and the group stand, and what cannot be used."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from spanwitness.calibration import Labels, read_labels
from spanwitness.evaluators import TaskCompletion
from spanwitness.evaluators.chat_file import chat_lines
from spanwitness.evaluators.traits import TRAITS

TALK = [
    {"role": "user", "content": "Please cancel order 4."},
    {"role": "assistant", "content": "It has been cancelled."},
    {"role": "user", "content": "Thanks."},
]


def read(*lines: Any, group: str = "") -> Labels:
    file = io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    return read_labels(chat_lines(file), TaskCompletion(), group)


@pytest.mark.parametrize(
    "label",
    [{"completed": True}, {"completed": 1}, {"labels": {"task_completed": 1}}, {"labels": {"completed": True}}],
)
def test_a_label_stands_in_several_places(label: dict[str, Any]) -> None:
    found = read({"messages": TALK, **label}, {"messages": TALK, "completed": False})
    assert found.completed == [True, False]
    assert found.traits[0].keys() == TRAITS.keys()
    assert found.bad == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"messages": TALK}, "holds no label"),
        ({"messages": TALK, "completed": "yes"}, "completed is a JSON str; allowed: true or false"),
        ({"messages": TALK, "completed": 0.5}, "completed is a JSON float"),
        ({"messages": TALK, "completed": 2}, "completed is a JSON int"),
        (
            {"messages": TALK, "completed": True, "labels": {"task_completed": 0}},
            "completed and labels.task_completed contradict each other; allowed: one label",
        ),
        (
            {"messages": TALK, "completed": True, "group": ["a"]},
            "group is a JSON list; allowed: text or a whole number",
        ),
        ({"completed": True}, "holds no messages"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_and_left_out(line: dict[str, Any], why: str) -> None:
    found = read(line, {"messages": TALK, "completed": True})
    assert len(found) == 1
    (bad,) = found.bad
    assert bad.number == 1
    assert why in bad.why


def test_a_group_is_looked_for_and_may_be_named() -> None:
    lines = [{"messages": TALK, "completed": True, "meta": {"group": 7}, "customer": {"id": "a"}}] * 2
    assert read(*lines).groups == ["group 7"] * 2
    assert read(*lines, group="customer.id").groups == ["group a"] * 2
    assert read(*lines).grouped == 2


def test_without_a_group_each_is_its_own_and_never_one_that_is_named_so() -> None:
    other = [{"role": "user", "content": "Hello."}, *TALK]
    found = read({"messages": TALK, "completed": True}, {"messages": other, "completed": True, "group": "line 1"})
    assert len(set(found.groups)) == 2
    assert (found.grouped, found.twins) == (1, 0)


def test_an_empty_group_names_none() -> None:
    found = read({"messages": TALK, "completed": True, "group": "", "task": "a"})
    assert (found.groups, found.grouped) == (["group a"], 1)


def test_the_same_conversation_again_is_of_the_group_of_the_first() -> None:
    found = read(*({"messages": TALK, "completed": True, "group": group} for group in ("a", "b", "a")))
    assert (found.groups, found.twins) == (["group a"] * 3, 1)


def test_what_the_evaluator_does_not_judge_is_left_out_and_counted() -> None:
    found = read({"messages": TALK[:2], "completed": True}, {"messages": TALK, "completed": True})
    assert (len(found), found.too_short) == (1, 1)
