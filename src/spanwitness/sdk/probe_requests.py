"""The probe's hook for requests. Bodies that are read at once are looked at; streamed ones are left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from spanwitness.sdk.lineage import recording_span
from spanwitness.sdk.patching import Patch
from spanwitness.sdk.watching import watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import Span

    from spanwitness.sdk.watching import Endpoints


def patches(library: Any, endpoints: Endpoints) -> list[Patch]:
    """Wraps `Session.send`, through which every request goes.

    Args:
        library: the module requests.
        endpoints: which requests are looked at.
    """

    def around(send: Callable[..., Any]) -> Callable[..., Any]:
        def sending(session: Any, request: Any, **kwargs: Any) -> Any:
            span = _span_for(request, endpoints)
            response = send(session, request, **kwargs)
            if span is not None and not kwargs.get("stream", session.stream):
                _look(response, span)
            return response

        return sending

    return [Patch(library.Session, "send", around)]


def _span_for(request: Any, endpoints: Endpoints) -> Span | None:
    try:
        address = urlsplit(request.url)
        if endpoints.are_called(request.method, address.hostname or "", address.path):
            return recording_span()
    except Exception:  # noqa: BLE001 - the application must not fail for its telemetry
        return None
    return None


def _look(response: Any, span: Span) -> None:
    try:
        found = watch(response.status_code, response.headers, span, encoded=False)
        if found is not None:
            found.see(response.content)
            found.end()
    except Exception:  # noqa: BLE001 - the same
        return
