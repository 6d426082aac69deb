"""What a server tells its operator in the log: swaps, and what became of what was passed on."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from spanwitness.alert import text

if TYPE_CHECKING:
    from spanwitness.forward import Onward
    from spanwitness.pipeline.review import Sweep

log = logging.getLogger(__name__)
_TELL_S: Final = 60.0


async def tell_now_and_then(onward: Onward) -> None:
    """What became of what was passed on, in the log: every minute in which that changed, and at the end."""
    told = onward.status()
    try:
        while True:
            await asyncio.sleep(_TELL_S)
            if onward.status() != told:
                told = onward.status()
                _tell_status(told)
    finally:
        _tell_status(onward.status())


def _tell_status(status: dict[str, Any]) -> None:
    log.info("passed on since the start: %s", " ".join(f"{name}={value}" for name, value in status.items()))


def tell_swept(swept: Sweep) -> None:
    """What a sweep closed, and the swaps that it found."""
    if swept.closed or swept.revised:
        log.info("closed %d conversations, revised %d", swept.closed, swept.revised)
    for swap in swept.swaps:
        row = text.row_of(swap)
        level = logging.INFO if swap.severity == "info" else logging.WARNING
        log.log(level, "%s; %s; spanwitness swaps show %s", text.summary(row), text.facts(row), swap.id)
