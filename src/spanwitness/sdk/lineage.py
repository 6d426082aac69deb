"""Which open span of this process stands above another: the SDK keeps a parent's id alone."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, TypeGuard

from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import Span

_PARENT = "_spanwitness_parent"
_DEEPEST = 32
_open: weakref.WeakValueDictionary[int, Span] | None = None


def is_local(parent: object, span: Span) -> TypeGuard[Span]:
    """`parent` is a span of this process, made by the same SDK. Cheaper than isinstance, which asks an ABC here."""
    return type(parent) is type(span)


def remember(span: Span, parent: Span) -> None:
    """Notes the local parent of a span, weakly: it lives no longer for it."""
    setattr(span, _PARENT, weakref.ref(parent))


def lineage(span: Span) -> Iterator[Span]:
    """The span, and what was remembered above it, nearest first, at most 32."""
    above: Span | None = span
    for _ in range(_DEEPEST):
        if above is None:
            return
        yield above
        reference = getattr(above, _PARENT, None)
        above = None if reference is None else reference()


def keep_by_id() -> None:
    """Lets the spans that are noted from now on be found by their id, weakly."""
    global _open  # noqa: PLW0603 - one process, one set of open spans
    if _open is None:
        _open = weakref.WeakValueDictionary()


def note(span: Span) -> None:
    """Lets a span be found by its id, if `keep_by_id` was called: it costs, and the probe alone wants it."""
    if _open is not None:
        _open[span.get_span_context().span_id] = span


def recording_span() -> Span | None:
    """The current span where it can be stamped, else None.

    A library that traces itself, but not to this provider, puts a stand-in in the place of the current span: with the
    same ids, recording nothing. Anthropic's client does. Then it is the span behind that is meant.
    """
    current: Any = trace.get_current_span()
    if not current.is_recording():
        current = None if _open is None else _open.get(current.get_span_context().span_id)
    return current if current is not None and current.is_recording() and hasattr(current, "attributes") else None
