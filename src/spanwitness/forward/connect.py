"""The way to the next hop that its endpoint asks for. Each client is imported when it is used, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spanwitness.forward import Hop
    from spanwitness.forward.settings import HopSettings


def open_hop(settings: HopSettings) -> Hop:
    """Call inside the event loop. Nothing is connected yet."""
    if settings.over_grpc:
        from spanwitness.forward.grpc_hop import GrpcHop

        return GrpcHop(settings)
    from spanwitness.forward.http_hop import HttpHop

    return HttpHop(settings)
