"""Reads which model really answered, from the provider's HTTP response, where an instrumentation does not tell.

    from spanwitness.sdk import probe

    probe.install()

From then on the model that an answer names, and its system fingerprint, stand on the span of the model call as
`spanwitness.served.model` and `spanwitness.served.fingerprint`. Nothing else is read, nothing is delayed or kept.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from spanwitness.sdk import probe_aiohttp, probe_httpx, probe_requests
from spanwitness.sdk.lineage import keep_by_id
from spanwitness.sdk.watching import MODEL_PATHS, Endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spanwitness.sdk.patching import Patch

__all__ = ["MODEL_PATHS", "hooks", "install", "uninstall"]

_log = logging.getLogger(__name__)

_LIBRARIES: Final[Mapping[str, Callable[[Any, Endpoints], list[Patch]]]] = {
    "httpx": probe_httpx.patches,
    "httpx2": probe_httpx.patches,
    "aiohttp": probe_aiohttp.patches,
    "requests": probe_requests.patches,
}
_lock = threading.Lock()
_installed: list[Patch] = []


def install(*, paths: Sequence[str] = MODEL_PATHS, hosts: Sequence[str] = ()) -> tuple[str, ...]:
    """Looks from now on at the answers that models give to this process, whatever client asks them.

    It hooks httpx, httpx2, aiohttp and requests, those of them that are installed; clients that exist already are
    included. A second call replaces the first.

    Args:
        paths: regular expressions; a POST to an address whose path ends with one of them is a model call.
        hosts: regular expressions for the whole host name; none for any host.

    Returns:
        The libraries that are hooked.

    Raises:
        ValueError: a path or a host is no regular expression.
    """
    endpoints = Endpoints(paths, hosts)
    keep_by_id()
    uninstall()
    hooked = []
    with _lock:
        for name, patches in _LIBRARIES.items():
            try:
                if importlib.util.find_spec(name) is not None:
                    _installed.extend(patches(importlib.import_module(name), endpoints))
                    hooked.append(name)
            except Exception as error:  # noqa: BLE001 - a library that is broken, or built otherwise, is none of ours
                _log.warning("The served-model probe cannot hook %s: %s", name, type(error).__name__)
    return tuple(hooked)


def uninstall() -> None:
    """Gives everything back. Answers that are under way are no longer looked at once they are over."""
    with _lock:
        while _installed:
            _installed.pop().undo()


def hooks(client: Any, *, paths: Sequence[str] = MODEL_PATHS, hosts: Sequence[str] = ()) -> Callable[[], None]:
    """Looks at the answers to one client alone.

    Args:
        client: an httpx or httpx2 client, or one of OpenAI's or Anthropic's, which have one inside.
        paths: as for `install`.
        hosts: as for `install`.

    Returns:
        What takes the hook off again.

    Raises:
        TypeError: the client has no event hooks.
        ValueError: a path or a host is no regular expression.
    """
    keep_by_id()
    return probe_httpx.hook(client, Endpoints(paths, hosts))
