"""Puts a function in the place of a library's, and gives the place back."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Patch:
    """A method of a class that is wrapped until `undo`.

    Args:
        owner: the class.
        name: of its method, a plain or an async one.
        around: makes the wrapper, out of the method.

    Raises:
        AttributeError: the class has no such method.
    """

    def __init__(self, owner: type, name: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self._owner, self._name = owner, name
        self._original: Callable[..., Any] = getattr(owner, name)
        self._in_force = around(self._original)
        wrapper = self._async_wrapper() if inspect.iscoroutinefunction(self._original) else self._wrapper()
        self._placed = functools.wraps(self._original)(wrapper)
        setattr(owner, name, self._placed)

    def undo(self) -> None:
        """Gives the place back. Where somebody else has wrapped the wrapper since, it stays, and only passes on."""
        self._in_force = self._original
        if vars(self._owner).get(self._name) is self._placed:
            setattr(self._owner, self._name, self._original)

    def _wrapper(self) -> Callable[..., Any]:
        def placed(*args: Any, **kwargs: Any) -> Any:
            return self._in_force(*args, **kwargs)

        return placed

    def _async_wrapper(self) -> Callable[..., Any]:
        async def placed(*args: Any, **kwargs: Any) -> Any:
            return await self._in_force(*args, **kwargs)

        return placed
