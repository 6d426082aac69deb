"""Sender -> Collector with the load-balancing exporter -> two SpanWitness, each over a store of its own."""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from spanwitness.receive import Signal
from spanwitness.testing import until
from tests.e2e.around import ARRIVES_S, REQUESTS, SPANS_SENT, stored
from tests.e2e.record import SPANS, counts, record
from tests.e2e.stack import BALANCER, CONFIGURATIONS, Collector, SpanWitness, binary
from tests.e2e.traffic import Sending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.conftest import Serve
    from tests.e2e.record import Rows
    from tests.e2e.traffic import Request

BY_TRACE = ["load-balancing.yaml"]
BY_TENANT = ["load-balancing.yaml", "load-balancing-by-tenant.yaml"]
# Log records are not routed by attribute, so the spans alone are sent where a tenant is to be whole.
TRACES = [request for request in REQUESTS if request.signal is Signal.TRACES]
LOGS = "otel_logs"
# What a span gets from its conversation, which is in two stores here where it has several traces.
OF_THE_CONVERSATION = {"TrajectoryStep", "ConversationIdSource"}


@dataclass(frozen=True)
class Balanced:
    """One Collector before two SpanWitness."""

    before: Collector
    instances: tuple[SpanWitness, SpanWitness]

    def run(self, requests: Sequence[Request], expected: dict[str, Rows]) -> list[dict[str, Rows]]:
        """Kills the first instance in the middle of requests; the record of each once both have all between them."""

        def happens() -> None:
            self.instances[0].kill()
            self.instances[0].start()

        Sending(requests, self.before.grpc, self.before.http).through(len(requests) // 2, happens)
        until(lambda: self._stored() >= (len(expected[SPANS]), len(expected[LOGS])), ARRIVES_S, pause_s=1)
        self.before.stop()
        for instance in self.instances:
            instance.stop()
        return [record(instance.store) for instance in self.instances]

    def _stored(self) -> tuple[int, int]:
        found = [counts(instance.store) for instance in self.instances]
        return sum(spans for spans, _ in found), sum(logs for _, logs in found)


def balanced(folder: Path, serving: Callable[..., Serve], names: Sequence[str]) -> Balanced:
    one, two = (SpanWitness(folder / name, serving, name=name) for name in ("one", "two"))
    before = Collector(
        "before",
        folder / "before",
        configurations=[CONFIGURATIONS / name for name in names],
        settings={"SPANWITNESS_GRPC_1": one.grpc, "SPANWITNESS_GRPC_2": two.grpc},
        built=BALANCER,
    )
    return Balanced(before, (one, two))


def alone(folder: Path, serving: Callable[..., Serve], requests: Sequence[Request]) -> dict[str, Rows]:
    """The record of one SpanWitness that is sent everything, with nothing before it."""
    only = SpanWitness(folder / "alone", serving)
    try:
        only.start()
        Sending(requests, only.grpc, only.http).through()
        only.stop()
    finally:
        only.kill()
    return record(only.store)


def own(spans: Rows) -> Rows:
    return [{column: value for column, value in span.items() if column not in OF_THE_CONVERSATION} for span in spans]


def in_order(rows: Rows) -> list[str]:
    return sorted(map(repr, rows))


@pytest.mark.parametrize("names", [BY_TRACE, BY_TENANT], ids=["by-trace", "by-tenant"])
@pytest.mark.parametrize("files", [[], ["to-files.yaml"]], ids=["", "and-files"])
def test_the_configuration_is_accepted(names: list[str], files: list[str]) -> None:
    line = [binary(BALANCER), "validate", *(f"--config={CONFIGURATIONS / name}" for name in names + files)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_by_trace_each_span_is_stored_once_and_each_trace_in_one_place(
    tmp_path: Path, serving: Callable[..., Serve], started: Callable[..., None]
) -> None:
    expected = alone(tmp_path, serving, REQUESTS)
    line = balanced(tmp_path, serving, BY_TRACE)
    started(line.before, *line.instances)
    found = line.run(REQUESTS, expected)
    assert sum((stored(one) for one in found), Counter()) == SPANS_SENT
    first, second = ({row["TraceId"] for row in one[SPANS]} for one in found)
    assert first
    assert second
    assert not first & second
    assert in_order(own(found[0][SPANS] + found[1][SPANS])) == in_order(own(expected[SPANS]))
    # A record without a trace id goes anywhere, and elsewhere when it is sent again.
    assert set(in_order(found[0][LOGS] + found[1][LOGS])) == set(in_order(expected[LOGS]))


def test_by_tenant_two_stores_hold_the_record_of_one(
    tmp_path: Path, serving: Callable[..., Serve], started: Callable[..., None]
) -> None:
    expected = alone(tmp_path, serving, TRACES)
    line = balanced(tmp_path, serving, BY_TENANT)
    started(line.before, *line.instances)
    found = line.run(TRACES, expected)
    first, second = ({row["TenantId"] for row in one[SPANS]} for one in found)
    assert first
    assert second
    assert not first & second
    for table, rows in expected.items():
        assert in_order(found[0][table] + found[1][table]) == in_order(rows), table
