"""A lane goes on telling, at once when it is to look, and over a store that is away for a moment."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from spanwitness.alert.sending import receivers
from spanwitness.alert.settings import AlertSettings
from spanwitness.errors import StoreError
from spanwitness.pipeline import Alerting, AlertRules
from spanwitness.store import alerts
from spanwitness.testing import ManualClock, until
from tests.alert.swaps import a_swap, listening, write

if TYPE_CHECKING:
    import pytest

    from spanwitness.store import Store


def test_it_looks_again_when_told_to_after_whatever_went_wrong(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[Exception] = [StoreError("query on clickhouse://here: away"), ValueError("what a customer said")]
    due = alerts.due

    def failing(*told: object) -> object:
        if faults:
            raise faults.pop(0)
        return due(*told)  # type: ignore[arg-type]

    monkeypatch.setattr("spanwitness.store.alerts.due", failing)
    write(store, a_swap())

    def logged(times: int) -> bool:
        return len(caplog.records) == times

    async def tell() -> None:
        clock = ManualClock()
        with listening() as hook:
            alerting = Alerting(store, receivers(AlertSettings(webhook=hook.url), clock), AlertRules(), clock)
            (lane,) = alerting.lanes
            task = asyncio.create_task(lane.keep_telling())
            for told in (1, 2):
                await asyncio.to_thread(until, partial(logged, told))
                alerting.look()
            await asyncio.to_thread(until, lambda: lane.status()["firing"] == 1, 5)  # sooner than it looks by itself
            assert len(hook.posts) == 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await alerting.close()

    asyncio.run(tell())
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "alerts could not be sent to webhook and will be tried again: query on clickhouse://here: away"
    assert second.startswith("alerts could not be sent to webhook and will be tried again: ValueError at ")
    assert "customer" not in caplog.text
