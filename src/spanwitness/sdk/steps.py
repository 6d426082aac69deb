"""Numbers the steps of each conversation, as far as one process sees them."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict


class StepCounter:
    """Hands out 1, 2, 3, ... by conversation. Thread safe; its memory is bounded.

    Args:
        conversations: how many are remembered. Beyond that the one that was silent longest is forgotten, and begins
            at 1 again should it speak once more.
    """

    def __init__(self, conversations: int = 16_384) -> None:
        self._limit = conversations
        self._taken: OrderedDict[str, list[int]] = OrderedDict()  # the last number, and when that step started
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):  # a fork may happen while another thread holds the lock
            renew = weakref.WeakMethod(self._renew_lock)
            os.register_at_fork(after_in_child=lambda: (method := renew()) and method())

    def take(self, conversation: str, started: int) -> int:
        """The number of the step that started at `started`, in nanoseconds since the epoch.

        Returns:
            0 where a later step has its number already: then there is none left for this one.
        """
        with self._lock:
            taken = self._taken.get(conversation)
            if taken is None:
                taken = self._taken[conversation] = [0, 0]
                if len(self._taken) > self._limit:
                    self._taken.popitem(last=False)
            else:
                self._taken.move_to_end(conversation)
            if started < taken[1]:
                return 0
            taken[0] += 1
            taken[1] = started
            return taken[0]

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()
