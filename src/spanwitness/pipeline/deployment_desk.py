"""Where a running server takes declarations: recorded at once, what they cover judged anew in the review's turn."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from spanwitness.deployment import NotAllowed, told
from spanwitness.errors import SpanWitnessError, StoreError, fault
from spanwitness.pipeline.deployments import OtherDeployment, Register, UnknownDeployment

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Coroutine, Mapping

    from spanwitness.deployment import Source
    from spanwitness.pipeline.deployment_watch import DeploymentWatch
    from spanwitness.store import Store

log = logging.getLogger(__name__)
_STATUS = {NotAllowed: 400, UnknownDeployment: 404, OtherDeployment: 409, StoreError: 503}


class DeploymentDesk:
    """Belongs to one event loop.

    Args:
        store: where declarations are kept.
        watch: what came of them.
        clock: what time it is.
        judge: judges the swaps of a tenant anew, in the review's thread, after what runs there.
    """

    def __init__(
        self,
        store: Store,
        watch: DeploymentWatch,
        clock: Callable[[], dt.datetime],
        judge: Callable[[str], Coroutine[Any, Any, None]],
    ) -> None:
        self._register = Register(store)
        self._watch = watch
        self._clock = clock
        self._anew = judge
        self._judging: set[asyncio.Task[None]] = set()

    async def declare(self, fields: Mapping[str, Any], source: Source, *, wait: bool) -> dict[str, Any]:
        """As Register.declare. `wait`: until what it covers is judged anew; else that comes after the answer."""
        now = self._clock()
        done = await asyncio.to_thread(self._register.declare, fields, now, source)
        await self._judge(done.deployment.tenant, wait=wait)
        return done.told()

    async def withdraw(self, tenant: str, identity: str, *, wait: bool) -> dict[str, Any]:
        """As Register.withdraw."""
        gone = await asyncio.to_thread(self._register.withdraw, tenant, identity, self._clock())
        await self._judge(tenant, wait=wait)
        return told(gone)

    async def listed(self, tenant: str | None) -> list[dict[str, Any]]:
        """As DeploymentWatch.listed."""
        return await asyncio.to_thread(self._watch.listed, tenant, self._clock())

    def refusal(self, error: SpanWitnessError) -> tuple[int, dict[str, str]]:
        """How an error is told over HTTP: the status, and what the answer says."""
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
        field = {"field": error.field} if isinstance(error, NotAllowed) else {}
        return status, {"error": str(error), **field}

    async def _judge(self, tenant: str, *, wait: bool) -> None:
        if wait:
            await self._anew(tenant)
            return
        task = asyncio.create_task(self._anew(tenant))
        self._judging.add(task)
        task.add_done_callback(self._judged)

    def _judged(self, task: asyncio.Task[None]) -> None:
        """What failed is done by the next sweep: the record itself says that there is something to do."""
        self._judging.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            why = str(error) if isinstance(error, SpanWitnessError) else fault(error)
            log.warning("a declared change is recorded, and held against the ledger later: %s", why)
