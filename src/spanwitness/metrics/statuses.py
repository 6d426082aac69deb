"""What other parts count themselves, as values: taken over when the page is asked for, since it costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spanwitness.metrics import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spanwitness.metrics.meters import Meters
    from spanwitness.metrics.names import Metric

_FORWARD: Final[Mapping[str, Metric]] = {
    "up": names.FORWARD_UP,
    "sent": names.FORWARD_SENT,
    "rejected": names.FORWARD_REJECTED,
    "failed": names.FORWARD_FAILED,
    "retries": names.FORWARD_RETRIES,
    "queued": names.FORWARD_QUEUED,
    "queued_requests": names.FORWARD_QUEUED_REQUESTS,
    "queued_bytes": names.FORWARD_QUEUED_BYTES,
}
_ALERTS: Final[Mapping[str, Metric]] = {
    "up": names.ALERTS_UP,
    "firing": names.ALERTS_FIRING,
    "waiting": names.ALERTS_WAITING,
    "refused": names.ALERTS_REFUSED,
    "sent": names.ALERTS_SENT,
    "failed": names.ALERTS_FAILED,
}


def tell_forward(meters: Meters, status: Mapping[str, object]) -> None:
    """`Onward.status()`; without a queue there is none of it."""
    _tell(meters, _FORWARD, status)


def tell_alerts(meters: Meters, status: Mapping[str, Mapping[str, object]]) -> None:
    """`Alerting.status()`, by receiver."""
    for receiver, told in status.items():
        _tell(meters, _ALERTS, told, receiver)


def _tell(meters: Meters, metrics: Mapping[str, Metric], status: Mapping[str, object], *labels: str) -> None:
    for name, metric in metrics.items():
        value = status.get(name)
        if isinstance(value, int | float):
            meters.put(metric, float(value), *labels)
