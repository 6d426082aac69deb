"""The receivers over HTTP: Alertmanager, and any webhook. Connections are kept and used again."""

from __future__ import annotations

import asyncio
import datetime as dt
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import httpx

from spanwitness.alert import Outcome, alertmanager, webhook
from spanwitness.alert.settings import is_here

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spanwitness.alert import Alert, Receiver
    from spanwitness.alert.settings import AlertSettings

_ALERTS_A_REQUEST: Final = 50  # of which each may be told twice, when its severity changes: 100 entries
_PATIENCE: Final = dt.timedelta(minutes=5)
_LEAST_PATIENCE: Final = dt.timedelta(seconds=1)
_ANSWER_BYTES: Final = 64 * 1024
_IDLE_S: Final = 20.0
_OK: Final = range(200, 300)
_SERVER_FAULTS: Final = range(500, 600)
_TIMEOUT, _TOO_MANY = 408, 429
_AWAY: Final = frozenset({_TOO_MANY, 502, 503, 504})
_ABOUT_CONTENT: Final = frozenset({400, 413, 422})


def receivers(settings: AlertSettings, clock: Callable[[], dt.datetime]) -> list[Receiver]:
    """Those that are configured. Connects when first needed."""
    found: list[Receiver] = []
    if settings.alertmanager:
        found.append(Alertmanager(settings))
    if settings.webhook:
        found.append(Webhook(settings, clock))
    return found


class Alertmanager:
    """See alert.Receiver."""

    name = "alertmanager"
    together = _ALERTS_A_REQUEST

    def __init__(self, settings: AlertSettings) -> None:
        self.repeat = settings.resend
        # While it is away its alerts run out. So it is not left alone for longer than it takes them.
        self.patience = max(_LEAST_PATIENCE, min(_PATIENCE, settings.resend))
        self._post = _Post(settings.alertmanager + alertmanager.PATH, settings)

    async def send(self, alerts: Sequence[Alert], now: dt.datetime) -> Outcome:
        """See alert.Receiver."""
        content = alertmanager.payload(alerts, now, self.repeat)
        return await self._post(content, {"content-type": "application/json"})

    async def close(self) -> None:
        """See alert.Receiver."""
        await self._post.close()


class Webhook:
    """See alert.Receiver. `clock`: by which signatures are dated, since a receiver refuses those that are old."""

    name = "webhook"
    together = 1
    repeat = None
    patience = _PATIENCE

    def __init__(self, settings: AlertSettings, clock: Callable[[], dt.datetime]) -> None:
        self._secret = settings.secret
        self._clock = clock
        self._post = _Post(settings.webhook, settings)

    async def send(self, alerts: Sequence[Alert], now: dt.datetime) -> Outcome:  # noqa: ARG002 - the contract's
        """See alert.Receiver."""
        (alert,) = alerts
        content = webhook.body(alert)
        return await self._post(content, webhook.headers(alert.delivery, content, self._secret, self._clock()))

    async def close(self) -> None:
        """See alert.Receiver."""
        await self._post.close()


class _Post:
    """Posts to one URL. Neither the URL nor what was answered is ever told: either may hold a credential."""

    def __init__(self, url: str, settings: AlertSettings) -> None:
        self._url = url
        self._timeout_s = settings.timeout_s
        self._client = httpx.AsyncClient(
            headers={**settings.headers, "user-agent": settings.agent, "accept-encoding": "identity"},
            timeout=None,  # noqa: S113 - one for the whole request stands around it
            limits=httpx.Limits(max_connections=4, keepalive_expiry=_IDLE_S),
            trust_env=not is_here(url),
        )

    async def __call__(self, content: bytes, headers: Mapping[str, str]) -> Outcome:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(content, headers)
        except TimeoutError:
            return Outcome("later", f"no answer within {self._timeout_s:g} s", away=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Outcome("later", type(error).__name__, away=True)

    async def _exchange(self, content: bytes, headers: Mapping[str, str]) -> Outcome:
        async with self._client.stream("POST", self._url, content=content, headers=dict(headers)) as response:
            read = 0
            async for part in response.aiter_raw():  # to its end, so that the connection can be used again
                read += len(part)
                if read > _ANSWER_BYTES:
                    break
            return outcome(response.status_code, response.headers.get("retry-after"), dt.datetime.now(dt.UTC))

    async def close(self) -> None:
        await self._client.aclose()


def outcome(status: int, retry_after: str | None, now: dt.datetime) -> Outcome:
    """What a status means to us."""
    if status in _OK:
        return Outcome("taken")
    if status in _SERVER_FAULTS or status in {_TIMEOUT, _TOO_MANY}:
        return Outcome("later", f"status {status}", _seconds(retry_after, now), away=status in _AWAY)
    return Outcome("refused", f"status {status}", divisible=status in _ABOUT_CONTENT)


def _seconds(text: str | None, now: dt.datetime) -> float | None:
    """Retry-After: seconds or a date."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or dt.UTC) - now).total_seconds())
