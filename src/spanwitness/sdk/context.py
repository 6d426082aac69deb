"""Which conversation the running code belongs to.

The id stands in W3C baggage, in OpenTelemetry's context. So it goes wherever that context goes: into awaited calls and
new tasks, and with a propagator into the services that are called. Some of those are other companies' (the model's
vendor is one), so it should be an id and no personal data.
"""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from opentelemetry import baggage, trace
from opentelemetry.context import Context, attach, detach, get_current

from spanwitness import attributes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

P = ParamSpec("P")
R = TypeVar("R")

# What was attached here, innermost last. It is the running task's and not the manager's, so that several tasks may
# enter one manager at once.
_attached: ContextVar[tuple[Token[Context], ...]] = ContextVar("spanwitness_attached", default=())


class _Within:
    def __init__(self, conversation_id: str) -> None:
        self._id = conversation_id

    def __enter__(self) -> None:
        context = baggage.set_baggage(attributes.CONVERSATION, self._id) if self._id else get_current()
        _attached.set((*_attached.get(), attach(context)))

    def __exit__(self, *_: object) -> None:
        attached = _attached.get()
        if attached:  # empty where an abandoned async generator is closed: by another task, that attached nothing
            _attached.set(attached[:-1])
            detach(attached[-1])

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                "conversation() cannot decorate a generator: its body runs in its caller's context, which changes"
                " between two items. Put `with conversation(...)` around the loop that reads it."
            )
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", self._around_coroutine(function))

        @functools.wraps(function)
        def within(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return function(*args, **kwargs)

        return within

    def _around_coroutine(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(function)
        async def within(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **kwargs)

        return within


def conversation(conversation_id: str) -> _Within:
    """Says that what runs inside belongs to the conversation `conversation_id`.

    A context manager for `with`, in plain and async code, and a decorator for functions and coroutine functions. Inside
    another conversation the inner one counts. '' changes nothing, for code that has no id at hand: an invented one
    would tear a conversation apart.

    Raises:
        TypeError: it decorates a generator.
    """
    return _Within(conversation_id)


def current_conversation(context: Context | None = None) -> str:
    """The conversation of `context`, by default the running code's, whoever set it; '' when there is none."""
    value = baggage.get_baggage(attributes.CONVERSATION, context)
    if type(value) is str:
        return value
    return "" if value is None else str(value)


def end_conversation() -> bool:
    """Marks the current span: nothing more will come in this conversation, it may be closed and scored at once.

    A span that was started outside gets the id of the conversation too, or nobody would know which one ended.

    Returns:
        False when no span is recording here, so that nothing was marked. The conversation then ends by its silence.
    """
    span = trace.get_current_span()
    if not span.is_recording():
        return False
    span.set_attribute(attributes.CONVERSATION_ENDED, value=True)
    conversation_id = current_conversation()
    if conversation_id and attributes.CONVERSATION not in (getattr(span, "attributes", None) or {}):
        span.set_attribute(attributes.CONVERSATION, conversation_id)
    return True
