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
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spanwitness.alert.sending import receivers
from spanwitness.alert.settings import AlertSettings, alert_settings
from spanwitness.api import Pointer, api, deployment_routes, deployment_token, forget, new_token
from spanwitness.close import ClosePolicy
from spanwitness.contract.explain import fields_told
from spanwitness.errors import SpanWitnessError, fault
from spanwitness.forward.connect import open_hop
from spanwitness.forward.direct import Direct
from spanwitness.forward.disk_queue import DiskQueue
from spanwitness.forward.queued import Queued
from spanwitness.forward.settings import HopSettings, hop_settings
from spanwitness.judge.settings import judge_settings
from spanwitness.metrics import Meters
from spanwitness.pipeline import (
    Alerting,
    AlertRules,
    DeploymentDesk,
    DeploymentWatch,
    Ingestion,
    IngestRules,
    MeasuredStore,
    Measures,
    Review,
    ReviewRules,
    ScoreForwarding,
    Sweep,
    WatchRules,
)
from spanwitness.pipeline.bundles import configured_by
from spanwitness.pipeline.calibrations import record_told
from spanwitness.pipeline.contracts import ContractBook, explained, explained_in
from spanwitness.pipeline.judge_lane import JudgeLane, judge_rules
from spanwitness.pipeline.rescoring import Request as RescoreRequest
from spanwitness.pipeline.rescoring import Rescored, Rescoring
from spanwitness.pipeline.telling import tell_now_and_then, tell_swept
from spanwitness.receive import Limits
from spanwitness.receive.otlp_grpc import GrpcReceiver
from spanwitness.receive.otlp_http import HttpReceiver, otlp_routes, unknown_path
from spanwitness.store import Embedded, Store, open_store, parse_location
from spanwitness.store.batch import BatchLimits
from spanwitness.tag import TenantRule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from spanwitness.config import CloseConfig, Config
    from spanwitness.evaluators import Bundle
    from spanwitness.forward import Onward

log = logging.getLogger(__name__)
_GRACE_S = 30.0
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
        declare=config.deployments.from_spans,
    )


def receive_limits(config: Config) -> Limits:
    """The receivers' bounds as configured. Raises ConfigError."""
    return Limits(config.receive.max_request, config.receive.max_in_flight)


def review_rules(config: Config) -> ReviewRules:
    """The review lane's rules as configured. Raises ConfigError."""
    drift = config.drift
    watch = WatchRules(drift.reference, drift.false_alarms_per_1000) if drift.watch else None
    bundle, judge = configured_by(config), config.judge.model
    return ReviewRules(close=_policy(config.close), bundle=bundle, watch=watch, judge=judge)


def usual_bundle(config: Config) -> Bundle:
    """The evaluators that run where no contract and no channel says otherwise. Raises ConfigError."""
    return configured_by(config).bundle


def contracts_explained(config: Config, now: dt.datetime) -> list[tuple[str, list[tuple[str, str]]]]:
    """What the contract files would do: of each whose it is, and labels with lines. Raises ConfigError."""
    return explained_in(config.contracts.folder, configured_by(config), now)


def evaluators_explained(config: Config) -> list[str]:
    """Which evaluators run where no contract says otherwise, a line each. Raises ConfigError."""
    configured = configured_by(config)
    channels = configured.channels.items()
    return [
        *explained(configured.bundle),
        *(f"channel {channel}: {line}" for channel, bundle in channels for line in explained(bundle)),
        *(f"with {line}" for line in fields_told(configured.parameters)),
    ]


def hop_of(config: Config) -> HopSettings | None:
    """The way to the next hop as configured, None where there is none. Raises ConfigError."""
    return hop_settings(config.forward) if config.forward.endpoint else None


def alerts_of(config: Config) -> AlertSettings:
    """Who is told of swaps as configured. Raises ConfigError."""
    return alert_settings(config.alerts)


def _alerting(config: Config, store: Store, clock: Callable[[], dt.datetime]) -> Alerting:
    settings, alerts = alerts_of(config), config.alerts
    for key in settings.in_the_clear:
        log.warning("%s is http://: what is sent with it can be read and replayed on the way; https:// is safe", key)
    return Alerting(store, receivers(settings, clock), AlertRules(alerts.severities, alerts.max_age), clock)


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


class Server:
    """Everything that runs. `start` and `stop` belong to one event loop."""

    def __init__(self, config: Config, store: Store, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self._config = config
        meters = Meters()
        self._store = store = MeasuredStore(store, meters)
        self._measures = Measures(store, meters, config.metrics.max_series if config.metrics.serve else 0)
        self._clock = clock
        self._onward = _onward(config)
        self._ingestion = Ingestion(
            store, ingest_rules(config), clock, self._onward, logs_onward=config.forward.logs, meters=meters
        )
        self._scores = (
            ScoreForwarding(store, self._onward, clock) if self._onward is not None and config.forward.scores else None
        )
        self._scored = asyncio.Event()
        self._alerting = _alerting(config, store, clock)
        rules = review_rules(config)
        self._contracts = ContractBook(store, rules.bundle, config.contracts.folder)
        self._review = Review(store, rules, self._contracts)
        touched = self._review.touched.add
        self._rescoring = Rescoring(store, self._contracts, rules.bundle, rules.judge, touched)
        self._reviewer = ThreadPoolExecutor(1, "spanwitness-review")
        self._judging = JudgeLane.configured(config.judge, store, clock, touched, meters)
        self._declared = DeploymentWatch(store, config.deployments.overdue)
        self._desk = DeploymentDesk(store, self._declared, clock, self._judge)
        self._receivers: list[GrpcReceiver | HttpReceiver] = []
        self._tasks: list[asyncio.Task[None]] = []
        location = parse_location(config.store.url)
        self._pointer_folder = location.path if isinstance(location, Embedded) else None

    async def start(self) -> dict[str, str]:
        """Accepts data from now on; the bound address of each transport.

        Raises:
            ConfigError: an address cannot be listened on, a queue not be opened, or a contract not be put into force.
                Nothing is left running.
        """
        try:
            if self._onward is not None:
                await self._onward.start()
            if self._scores is not None:
                self._scores.begin()
            self._contracts.load(self._clock())
            self._ingestion.index.catch_up(self._clock())
            self._ingestion.start()
            self._measures.begin(self._clock())
            bound = await self._listen()
        except SpanWitnessError:
            await self.stop()
            raise
        self._tasks.append(asyncio.create_task(self._sweeps()))
        if self._judging is not None:
            self._judging.start()
        if self._scores is not None:
            self._tasks.append(asyncio.create_task(self._scores.keep_sending(self._scored)))
        self._tasks += [asyncio.create_task(lane.keep_telling()) for lane in self._alerting.lanes]
        if self._onward is not None:
            self._tasks.append(asyncio.create_task(tell_now_and_then(self._onward)))
        return bound

    async def _listen(self) -> dict[str, str]:
        receive = self._config.receive
        limits, answered = receive_limits(self._config), self._measures.answered
        bound = {}
        if receive.grpc:
            bound["grpc"] = await self._serve(GrpcReceiver(self._ingestion, receive.grpc, limits, answered=answered))
        if receive.http:
            routes = [*otlp_routes(self._ingestion, limits, answered=answered), Route("/health", self._health)]
            if self._config.metrics.serve:
                routes.append(Route("/metrics", self._metrics))
            if token := deployment_token(self._config.deployments):
                routes += deployment_routes(token, self._desk, self._config.tenant.header)
            app = Starlette(routes=routes, exception_handlers={404: unknown_path})
            bound["http"] = await self._serve(HttpReceiver(app, receive.http))
        if self._pointer_folder is not None:
            token = new_token()
            local = api(token, self._store.ask, self.close, self._desk, self._calibrate, self.rescore)
            address = await self._serve(HttpReceiver(local, _LOCAL))
            Pointer(address, token, os.getpid()).write(self._pointer_folder)
        return bound

    async def _serve(self, receiver: GrpcReceiver | HttpReceiver) -> str:
        address = await receiver.start()
        self._receivers.append(receiver)
        return address

    def _calibrate(self, told: dict[str, Any]) -> dict[str, Any]:
        return record_told(self._store, told, self._clock(), configured_by(self._config))

    async def _health(self, _request: Request) -> JSONResponse:
        told: dict[str, Any] = {"status": "ok"}
        if self._onward is not None:
            told["forward"] = self._onward.status()
        if self._alerting.lanes:
            told["alerts"] = self._alerting.status()
        return JSONResponse(told)

    async def _metrics(self, request: Request) -> Response:
        told = (self._onward.status() if self._onward is not None else {}, self._alerting.status())
        # In a thread: with many slots the page is long, and senders are not to wait for it.
        page, content_type = await asyncio.to_thread(self._measures.page, request.headers.get("accept", ""), *told)
        return Response(page, headers={"content-type": content_type})

    async def stop(self) -> None:
        """Refuses what is new, stores and answers what is in flight, lets a sweep finish what it is at."""
        self._review.hurry()
        if self._judging is not None:
            self._judging.hurry()
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._alerting.close()
        await asyncio.gather(*(receiver.stop(_GRACE_S) for receiver in self._receivers))
        await self._ingestion.stop()
        if self._onward is not None:
            await self._onward.stop()
        if self._judging is not None:
            await asyncio.to_thread(self._judging.stop)
        await asyncio.get_running_loop().run_in_executor(self._reviewer, self._finish_review)
        self._reviewer.shutdown()
        if self._pointer_folder is not None and self._receivers:
            forget(self._pointer_folder)

    def _finish_review(self) -> None:
        try:
            self._review.finish(self._clock())
        except SpanWitnessError as error:
            log.warning("how far the watch is was not stored, and the next start reads it again: %s", error)

    async def close(self, conversation: str, tenant: str | None) -> dict[str, int]:
        """Closes an open conversation now."""
        swept = await self._in_review(lambda now: self._review.close_one(conversation, now, tenant))
        self._told_scores()
        self._alerting.look()
        return swept.counts()

    async def rescore(self, told: dict[str, Any]) -> dict[str, Any]:
        """Scores a page of conversations again, between two sweeps."""
        request = RescoreRequest.of(told)

        def page() -> Rescored:
            return self._rescoring.page(request, self._clock())

        done = await asyncio.get_running_loop().run_in_executor(self._reviewer, page)
        self._told_scores()
        return done.told()

    def _told_scores(self) -> None:
        """Conversations have closed, and have scores: they go on, and the judge is to look at them."""
        self._scored.set()
        if self._judging is not None:
            self._judging.wake()

    async def _sweeps(self) -> None:
        interval = sweep_interval(self._config.close)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reviewer, self._measures.refresh, self._clock())
        while True:
            await asyncio.sleep(interval)
            try:
                swept = await self._in_review(self._review.sweep)
                if swept.scores:
                    self._told_scores()
                if swept.closed or swept.revised or swept.swaps:
                    self._alerting.look()
            except Exception as error:  # noqa: BLE001 - a sweep that fails is tried again; ingestion never stops for it
                why = str(error) if isinstance(error, SpanWitnessError) else fault(error)
                log.error("the review of closed conversations failed and will be tried again: %s", why)

    async def _judge(self, tenant: str) -> None:
        def judge() -> None:
            now = self._clock()
            self._review.rejudge(tenant, now)
            self._measures.refresh(now)

        await asyncio.get_running_loop().run_in_executor(self._reviewer, judge)
        self._alerting.look()

    def _in_review(self, task: Callable[[dt.datetime], Sweep]) -> Awaitable[Sweep]:
        def sweep() -> Sweep:
            self._ingestion.flush()
            now = self._clock()
            self._contracts.look(now)
            swept = task(now)
            swept.swaps += self._declared.sweep(now, {swap.slot.tenant for swap in swept.swaps})
            return swept

        def review() -> Sweep:
            swept = self._measures.sweep(sweep, self._clock)
            # Here, since nobody may wait for it any more: what a sweep finds while we stop is found once.
            tell_swept(swept)
            return swept

        # One thread: two reviews at once would do the same work twice.
        return asyncio.get_running_loop().run_in_executor(self._reviewer, review)


def sweep_interval(config: CloseConfig) -> float:
    """Seconds between two looks at what is over: as configured, shorter where conversations close faster than that."""
    shortest = min([config.idle, *config.idle_by_channel.values(), *config.idle_by_tenant.values()])
    return max(0.25, min(config.sweep.total_seconds(), shortest.total_seconds() / 2))


def check(config: Config) -> None:
    """Raises ConfigError for whatever would stop `serve`, without opening anything."""
    review_rules(config)
    contracts_explained(config, utc_now())
    receive_limits(config)
    hop_of(config)
    alerts_of(config)
    judge_rules(config.judge)
    judge_settings(config.judge)
    deployment_token(config.deployments)


def serve(config: Config, ready: Callable[[str], None]) -> None:
    """Runs a server until SIGTERM or SIGINT, then drains and returns. `ready` gets one line once it accepts data."""
    check(config)  # what is wrong with the configuration is told before the store is touched
    for client in ("httpx", "httpx2"):  # they would tell of every request that is passed on, or put to a judge
        logging.getLogger(client).setLevel(logging.WARNING)
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
