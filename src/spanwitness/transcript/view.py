"""A running list of units as numbers, equal where the units are the same, so that histories compare fast."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from spanwitness.model import Message

Key: TypeAlias = tuple[str, str, str]


class View:
    """One way to look at the list.

    The exact view holds every unit. The gist leaves out tool calls, and the ids of tool results: it is for libraries
    that do not keep them in a history (traceAI's LangChain).

    Args:
        numbers: of keys; shared by all views of a conversation.
        gist: which of the two it is.
    """

    def __init__(self, numbers: dict[Key, int], *, gist: bool) -> None:
        self.keys: list[int] = []
        self.places: defaultdict[int, list[int]] = defaultdict(list)
        self._asked: list[int] = []
        self._numbers = numbers
        self._gist = gist

    @property
    def asked(self) -> int:
        """How many units there are up to the last user's text."""
        return self._asked[-1] if self._asked else 0

    def holds(self, unit: Message) -> bool:
        return not (self._gist and unit.tool_calls)

    def number(self, unit: Message) -> int:
        """The number of a unit. A call goes by its name: OpenLLMetry gives one call two ids."""
        detail = unit.tool_calls[0].name if unit.tool_calls else "" if self._gist else unit.tool_call_id
        key = (unit.role, " ".join(unit.content.split()), detail)
        return self._numbers.setdefault(key, len(self._numbers))

    def add(self, unit: Message) -> None:
        if not self.holds(unit):
            return
        self.places[self.number(unit)].append(len(self.keys))
        self.keys.append(self.number(unit))
        if unit.role == "user":
            self._asked.append(len(self.keys))

    def drop(self, unit: Message) -> None:
        """Takes back the last unit, which was `unit`."""
        if not self.holds(unit):
            return
        self.places[self.keys.pop()].pop()
        if self.asked > len(self.keys):
            self._asked.pop()
