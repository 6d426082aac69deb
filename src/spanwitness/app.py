"""The server: built from the configuration, sinks first; stopped sources first, flushing on the way."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from spanwitness.api import Pointer, api, forget, new_token
from spanwitness.close import ClosePolicy
from spanwitness.errors import Busy, SpanWitnessError, fault
from spanwitness.evaluators import BUNDLE, Bundle, evaluators_by_name
from spanwitness.forward.connect import open_hop
from spanwitness.forward.direct import Direct
from spanwitness.forward.disk_queue import DiskQueue
from spanwitness.forward.queued import Queued
from spanwitness.forward.settings import HopSettings, hop_settings
from spanwitness.pipeline import Ingestion, IngestRules, Review, ReviewRules, ScoreForwarding, Sweep
from spanwitness.receive import Limits
from spanwitness.receive.otlp_grpc import GrpcReceiver
from spanwitness.receive.otlp_http import HttpReceiver, otlp_routes, unknown_path
from spanwitness.store import Embedded, Store, open_store, parse_location
from spanwitness.store.batch import BatchLimits
from spanwitness.tag import TenantRule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from spanwitness.config import CloseConfig, Config, EvaluateConfig
    from spanwitness.forward import Onward

log = logging.getLogger(__name__)
_GRACE_S = 30.0
_LOOK_S = 30.0
_TELL_S = 60.0
_LOCAL = "127.0.0.1:0"


def utc_now() -> dt.datetime:
    """The clock of a running server."""
    return dt.datetime.now(dt.UTC)


def ingest_rules(config: Config) -> IngestRules:
    """The request lane's rules as configured."""
    return IngestRules(
        tenant=TenantRule(config.tenant.attributes, config.tenant.default),
        tenant_header=config.tenant.header,
        limits=BatchLimits(
            max_bytes=config.ingest.batch,
            enough_bytes=min(config.ingest.batch, BatchLimits().enough_bytes),
            max_wait_s=config.ingest.wait.total_seconds(),
            pending_bytes=config.ingest.buffer,
        ),
    )


def receive_limits(config: Config) -> Limits:
    """The receivers' bounds as configured. Raises ConfigError."""
    return Limits(config.receive.max_request, config.receive.max_in_flight)


def review_rules(config: Config) -> ReviewRules:
    """The review lane's rules as configured. Raises ConfigError."""
    return ReviewRules(close=_policy(config.close), bundle=_bundle(config.evaluate))


def hop_of(config: Config) -> HopSettings | None:
    """The way to the next hop as configured, None where there is none. Raises ConfigError."""
    return hop_settings(config.forward) if config.forward.endpoint else None


def _onward(config: Config) -> Onward | None:
    settings, forward = hop_of(config), config.forward
    if settings is None:
        return None
    hop = partial(open_hop, settings)
    if forward.answer == "store":
        return Queued(hop, partial(DiskQueue, Path(forward.queue), forward.queue_max))
    return Direct(hop)


def _policy(config: CloseConfig) -> ClosePolicy:
    return ClosePolicy(config.idle, config.max_age, config.end_grace, config.idle_by_channel, config.idle_by_tenant)


def _bundle(config: EvaluateConfig) -> Bundle:
    evaluators = evaluators_by_name(config.evaluators) if config.evaluators else BUNDLE.evaluators
    names = {evaluator.name for evaluator in evaluators}
    kept = {name: value for name, value in BUNDLE.thresholds.items() if name in names}
    return Bundle(evaluators, {**kept, **config.thresholds})


class Server:
    """Everything that runs. `start` and `stop` belong to one event loop."""

    def __init__(self, config: Config, store: Store, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._onward = _onward(config)
        self._ingestion = Ingestion(store, ingest_rules(config), clock, self._onward, logs_onward=config.forward.logs)
        self._scores = (
            ScoreForwarding(store, self._onward, clock) if self._onward is not None and config.forward.scores else None
        )
        self._scored = asyncio.Event()
        self._review = Review(store, review_rules(config))
        self._reviewer = ThreadPoolExecutor(1, "spanwitness-review")
        self._receivers: list[GrpcReceiver | HttpReceiver] = []
        self._tasks: list[asyncio.Task[None]] = []
        location = parse_location(config.store.url)
        self._pointer_folder = location.path if isinstance(location, Embedded) else None

    async def start(self) -> dict[str, str]:
        """Accepts data from now on; the bound address of each transport.

        Raises:
            ConfigError: an address cannot be listened on, or a queue not be opened. Nothing is left running.
        """
        try:
            if self._onward is not None:
                await self._onward.start()
            if self._scores is not None:
                self._scores.begin()
            self._ingestion.index.catch_up(self._clock())
            self._ingestion.start()
            bound = await self._listen()
        except SpanWitnessError:
            await self.stop()
            raise
        self._tasks.append(asyncio.create_task(self._sweeps()))
        if self._scores is not None:
            self._tasks.append(asyncio.create_task(self._send_scores(self._scores)))
        if self._onward is not None:
            self._tasks.append(asyncio.create_task(_tell_now_and_then(self._onward)))
        return bound

    async def _listen(self) -> dict[str, str]:
        receive = self._config.receive
        limits = receive_limits(self._config)
        bound = {}
        if receive.grpc:
            bound["grpc"] = await self._serve(GrpcReceiver(self._ingestion, receive.grpc, limits))
        if receive.http:
            routes = [*otlp_routes(self._ingestion, limits), Route("/health", self._health)]
            app = Starlette(routes=routes, exception_handlers={404: unknown_path})
            bound["http"] = await self._serve(HttpReceiver(app, receive.http))
        if self._pointer_folder is not None:
            token = new_token()
            address = await self._serve(HttpReceiver(api(token, self._store.ask, self.close), _LOCAL))
            Pointer(address, token, os.getpid()).write(self._pointer_folder)
        return bound

    async def _serve(self, receiver: GrpcReceiver | HttpReceiver) -> str:
        address = await receiver.start()
        self._receivers.append(receiver)
        return address

    async def _health(self, _request: Request) -> JSONResponse:
        told = {"status": "ok"}
        return JSONResponse(told if self._onward is None else {**told, "forward": self._onward.status()})

    async def stop(self) -> None:
        """Refuses what is new, stores and answers what is in flight, finishes a sweep that runs."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(*(receiver.stop(_GRACE_S) for receiver in self._receivers))
        await self._ingestion.stop()
        if self._onward is not None:
            await self._onward.stop()
        self._reviewer.shutdown()
        if self._pointer_folder is not None and self._receivers:
            forget(self._pointer_folder)

    async def close(self, conversation: str, tenant: str | None) -> dict[str, int]:
        """Closes an open conversation now."""
        swept = await self._in_review(lambda now: self._review.close_one(conversation, now, tenant))
        self._scored.set()
        return swept.counts()

    async def _sweeps(self) -> None:
        interval = sweep_interval(self._config.close)
        while True:
            await asyncio.sleep(interval)
            try:
                swept = await self._in_review(self._review.sweep)
                if swept.scores:
                    self._scored.set()
            except Exception as error:  # noqa: BLE001 - a sweep that fails is tried again; ingestion never stops for it
                why = str(error) if isinstance(error, SpanWitnessError) else fault(error)
                log.error("the review of closed conversations failed and will be tried again: %s", why)

    async def _send_scores(self, scores: ScoreForwarding) -> None:
        """After each sweep that made some; and now and then, since other processes close conversations too."""
        while True:
            wait = _LOOK_S
            try:
                self._scored.clear()
                await scores.run()
            except Busy as busy:
                wait = max(1.0, busy.retry_after_s)
                self._scored.clear()
            except Exception as error:  # noqa: BLE001 - the scores are kept; ingestion never stops for it
                why = str(error) if isinstance(error, SpanWitnessError) else fault(error)
                log.error("scores could not be passed on and will be tried again: %s", why)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._scored.wait()

    def _in_review(self, task: Callable[[dt.datetime], Sweep]) -> Awaitable[Sweep]:
        def review() -> Sweep:
            self._ingestion.flush()
            swept = task(self._clock())
            _tell(swept)  # here, since nobody may wait for it any more: what a sweep finds while we stop is found once
            return swept

        # One thread: two reviews at once would do the same work twice.
        return asyncio.get_running_loop().run_in_executor(self._reviewer, review)


def sweep_interval(config: CloseConfig) -> float:
    """Seconds between two looks at what is over: as configured, shorter where conversations close faster than that."""
    shortest = min([config.idle, *config.idle_by_channel.values(), *config.idle_by_tenant.values()])
    return max(0.25, min(config.sweep.total_seconds(), shortest.total_seconds() / 2))


async def _tell_now_and_then(onward: Onward) -> None:
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


def _tell(swept: Sweep) -> None:
    if swept.closed or swept.revised:
        log.info("closed %d conversations, revised %d", swept.closed, swept.revised)
    for swap in swept.swaps:
        log.warning(
            "%s: tenant=%s service=%s agent=%s: %s -> %s since %s, first conversation %s, first trace %s",
            "model swap" if swap.swap_class == "version" else "served model is not the requested one",
            swap.slot.tenant,
            swap.slot.service or "-",
            swap.slot.agent or "-",
            swap.from_version,
            swap.to_version,
            swap.first_seen.isoformat(timespec="seconds"),
            swap.first_conversation,
            swap.first_trace,
        )


def serve(config: Config, ready: Callable[[str], None]) -> None:
    """Runs a server until SIGTERM or SIGINT, then drains and returns. `ready` gets one line once it accepts data."""
    # What is wrong with the configuration is told before the store is touched.
    review_rules(config)
    receive_limits(config)
    hop_of(config)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would tell of every request that is passed on
    store = open_store(config.store.url)
    try:
        asyncio.run(_until_stopped(Server(config, store), ready))
    finally:
        store.close()


async def _until_stopped(server: Server, ready: Callable[[str], None]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    bound = await server.start()
    ready("ready " + " ".join(f"{name}={address}" for name, address in bound.items()))
    await stopped.wait()
    await server.stop()
