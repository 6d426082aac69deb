"""Sender -> Rotel -> SpanWitness. Rotel answers once a request is in its memory, so nothing is killed here.

What it has answered is lost with it; and what is on a connection that breaks it drops ("Exporting failed, dropping
data"), instead of sending it again. A restart of SpanWitness breaks no connection of gRPC, which is told in time; one
of HTTP, kept alive, may be closed just when a request begins on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spanwitness.testing import until
from tests.e2e.around import ARRIVES_S, REQUESTS, SPANS_SENT, stored
from tests.e2e.record import counts, record
from tests.e2e.stack import Rotel, SpanWitness
from tests.e2e.traffic import Sending

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Serve
    from tests.e2e.record import Rows


@pytest.mark.parametrize(("protocol", "restarted"), [("grpc", True), ("http", False)])
def test_all_arrives_and_over_grpc_a_restart_of_spanwitness_loses_nothing(
    protocol: str,
    restarted: bool,
    tmp_path: Path,
    serving: Callable[..., Serve],
    started: Callable[..., None],
    quiet: dict[str, Rows],
) -> None:
    middle = SpanWitness(tmp_path / "middle", serving)
    target = middle.grpc if protocol == "grpc" else middle.http
    before = Rotel("rotel", tmp_path / "rotel", protocol=protocol, target=target)
    started(before, middle)

    def restart() -> None:
        middle.stop()
        middle.start()

    Sending(REQUESTS, before.grpc, before.http).through(len(REQUESTS) // 2, restart if restarted else lambda: None)
    until(lambda: counts(middle.store) == (len(SPANS_SENT), len(quiet["otel_logs"])), ARRIVES_S, pause_s=1)
    before.stop()
    middle.stop()
    found = record(middle.store)
    assert stored(found) == SPANS_SENT
    for table, rows in quiet.items():
        assert found[table] == rows, table
