"""How a command gets at the record: through the server that owns an embedded store, else by opening the store."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from spanwitness.api import Pointer, ServeClient
from spanwitness.app import review_rules, utc_now
from spanwitness.deployment import told
from spanwitness.errors import StoreHeldError
from spanwitness.pipeline import DeploymentWatch, Register, Review, TraceIndex
from spanwitness.pipeline.bundles import configured_by
from spanwitness.pipeline.calibrations import record_told
from spanwitness.pipeline.contracts import ContractBook
from spanwitness.pipeline.ledger import Ledger
from spanwitness.pipeline.rescoring import Request, Rescoring
from spanwitness.pipeline.score_shift import ScoreShifts
from spanwitness.pipeline.touched import Touched
from spanwitness.store import Embedded, Store, open_store, parse_location
from spanwitness.store.rescoring import Selection

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from spanwitness.config import Config
    from spanwitness.pipeline import ReviewRules


class Access(Protocol):
    """What the reading commands need."""

    def ask(self, sql: str, fmt: str) -> bytes:
        """As Store.ask."""

    def close(self, conversation: str, tenant: str | None) -> dict[str, int]:
        """Closes an open conversation now."""

    def declare(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """As ServeClient.declare."""

    def withdraw(self, tenant: str, identity: str) -> dict[str, Any]:
        """As ServeClient.withdraw."""

    def deployments(self, tenant: str | None) -> list[dict[str, Any]]:
        """As ServeClient.deployments."""

    def calibrate(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """As ServeClient.calibrate."""

    def rescore(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """As ServeClient.rescore."""


class _Direct:
    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self.ask = store.ask
        self._touched = Touched(store)

    def close(self, conversation: str, tenant: str | None) -> dict[str, int]:
        now: dt.datetime = utc_now()
        TraceIndex(self._store).catch_up(now)
        swept = Review(self._store, self._rules).close_one(conversation, now, tenant)
        return swept.counts()

    def declare(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        now = utc_now()
        done = Register(self._store).declare(fields, now, "cli")
        Ledger(self._store).rejudge(done.deployment.tenant, now)
        return done.told()

    def withdraw(self, tenant: str, identity: str) -> dict[str, Any]:
        now = utc_now()
        gone = Register(self._store).withdraw(tenant, identity, now)
        Ledger(self._store).rejudge(tenant, now)
        return told(gone)

    def deployments(self, tenant: str | None) -> list[dict[str, Any]]:
        return DeploymentWatch(self._store, self._config.deployments.overdue).listed(tenant, utc_now())

    def calibrate(self, told: Mapping[str, Any]) -> dict[str, Any]:
        return record_told(self._store, told, utc_now(), configured_by(self._config))

    def rescore(self, told: Mapping[str, Any]) -> dict[str, Any]:
        request, now = Request.of(told), utc_now()
        done = self._rescoring.page(request, now)
        if done.after is None and not request.dry_run:  # no review runs here that would do it
            self._touched.refresh(Ledger(self._store), ScoreShifts(self._store), now)
        return done.told()

    @cached_property
    def _rules(self) -> ReviewRules:
        """Made when first needed: most commands only read."""
        return review_rules(self._config)

    @cached_property
    def _rescoring(self) -> Rescoring:
        """One for all pages of a request: what is configured and agreed is not loaded again for each."""
        rules = self._rules
        contracts = ContractBook(self._store, rules.bundle)
        return Rescoring(self._store, contracts, rules.bundle, rules.judge, self._touched.add)


def rescore_request(
    *, since: dt.datetime | None, until: dt.datetime | None, tenant: str | None, conversation: str | None, **more: Any
) -> dict[str, Any]:
    """The first page that `rescore` is asked for. `more`: as pipeline.rescoring.Request has it."""
    return Request(Selection(since, until, tenant, conversation), **more).told()


@contextmanager
def reach(config: Config) -> Iterator[Access]:
    """The record of the configured store.

    Raises:
        ConfigError, StoreError: as open_store.
    """
    running = running_server(config.store.url)
    if running is not None:
        yield running
        return
    store = open_store(config.store.url)
    try:
        yield _Direct(store, config)
    finally:
        store.close()


def running_server(url: str) -> ServeClient | None:
    """The server of this machine that owns an embedded store, None where there is none."""
    location = parse_location(url)
    if not isinstance(location, Embedded):
        return None
    pointer = Pointer.read(location.path)
    client = ServeClient(pointer) if pointer else None
    return client if client is not None and client.alive() else None


def refuse_held(config: Config) -> None:
    """Raises StoreHeldError where a running server owns the store.

    Asked before the store is opened, since the engine itself would put its own complaint on stderr.
    """
    location = parse_location(config.store.url)
    pointer = Pointer.read(location.path) if isinstance(location, Embedded) else None
    if pointer is not None and ServeClient(pointer).alive():
        raise StoreHeldError(
            f"{location} is held by a running spanwitness serve, process {pointer.pid}; "
            "stop it, or send to it over OTLP instead"
        )


def own(config: Config) -> Store:
    """Opens the store to write to it. Raises StoreHeldError, ConfigError or StoreError."""
    refuse_held(config)
    return open_store(config.store.url)
