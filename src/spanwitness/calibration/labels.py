"""Labelled conversations: a JSON line each, with whether the task was completed, and the group it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from spanwitness.evaluators.chat_file import BadLine, ChatLine
from spanwitness.evaluators.traits import traits_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spanwitness.evaluators import TaskCompletion

GROUPS: Final = ("group", "meta.group", "task", "meta.task")
"""Where a line's group is looked for, where nothing else is said."""

_COMPLETED: Final = ("completed", "labels.completed", "labels.task_completed", "task_completed")
_TRUTHS: Final = (False, True)  # 0 and 1 equal them
_FEWEST_TURNS: Final = 2


@dataclass(slots=True)
class Labels:
    """What was read: a row of traits each, the label and the group beside it.

    Attributes:
        traits: of each conversation, by name.
        grouped: how many lines named a group; each of the others is a group of its own.
        twins: how many are word for word a conversation of another group, and stand in that one's group instead.
        too_short: how many were left out, since the evaluator does not judge them.
        bad: lines that cannot be used, and why.
    """

    traits: list[dict[str, float]] = field(default_factory=list)
    completed: list[bool] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    grouped: int = 0
    twins: int = 0
    too_short: int = 0
    bad: list[BadLine] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.completed)


def read_labels(lines: Iterable[ChatLine | BadLine], evaluator: TaskCompletion, group_key: str = "") -> Labels:
    """The labels of a file, of each conversation its traits alone: memory grows with their number only.

    Args:
        lines: of a chat file.
        evaluator: which knows what a change is.
        group_key: where a line's group stands, with dots where it is nested; '' for the first of GROUPS.
    """
    found, groups = Labels(), dict[int, str]()
    for line in lines:
        if isinstance(line, BadLine):
            found.bad.append(line)
            continue
        try:
            label, group = _label(line.others), _group(line.others, (group_key,) if group_key else GROUPS)
        except ValueError as error:
            found.bad.append(BadLine(line.number, str(error)))
            continue
        _add(found, line, evaluator, label, group, groups)
    return found


def _add(
    found: Labels, line: ChatLine, evaluator: TaskCompletion, label: bool, named: str | None, groups: dict[int, str]
) -> None:
    """`groups`: of each conversation so far the group, by the hash of its messages."""
    messages = line.inputs.conversation.messages
    if sum(message.role == "user" and bool(message.content.strip()) for message in messages) < _FEWEST_TURNS:
        found.too_short += 1
        return
    found.traits.append(traits_of(messages, evaluator.changes))
    found.completed.append(label)
    # No group is named as a line is: its name begins otherwise.
    group = f"line {line.number}" if named is None else f"group {named}"
    found.groups.append(groups.setdefault(hash(messages), group))
    found.twins += found.groups[-1] != group
    found.grouped += named is not None


def _label(fields: Mapping[str, Any]) -> bool:
    given = {key: value for key in _COMPLETED if (value := _at(fields, key)) is not None}
    for key, value in given.items():
        if not isinstance(value, (bool, int)) or value not in _TRUTHS:
            raise ValueError(f"{key} is a JSON {type(value).__name__}; allowed: true or false")
    if not given:
        raise ValueError("holds no label; allowed: completed, or labels.task_completed, as true or false")
    if len(set(given.values())) > 1:
        raise ValueError(f"{' and '.join(given)} contradict each other; allowed: one label")
    return bool(next(iter(given.values())))


def _group(fields: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    for key in keys:
        value = _at(fields, key)
        if value not in (None, ""):  # an empty cell names nothing
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                raise ValueError(f"{key} is a JSON {type(value).__name__}; allowed: text or a whole number")
            return str(value)
    return None


def _at(fields: Mapping[str, Any], key: str) -> Any:
    value: Any = fields
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
