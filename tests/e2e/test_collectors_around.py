"""Each part of a pipeline is restarted and killed while it runs.

Whatever happens on the way, the record is that of a quiet run, and the next hop has every span and log record.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from spanwitness.testing import until
from tests.e2e.around import ARRIVES_S, LOGS_SENT, REQUESTS, SPANS_SENT, arrived, pipeline, stored
from tests.e2e.record import SPANS, exported, record
from tests.e2e.traffic import Sending, logs, spans

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Serve
    from tests.e2e.record import Rows
    from tests.e2e.stack import Part

SEED = 20261121
# Attribute of a span that was passed on, and the column of the record that it must agree with.
TAGS = {
    "tenant.id": "TenantId",
    "spanwitness.dialect": "Dialect",
    "spanwitness.step.kind": "StepKind",
    "spanwitness.model.version": "ModelVersion",
    "spanwitness.model.served": "ServedModel",
}
CLOSING = "1s"


def test_the_quiet_run_has_every_span_once_with_conversations_steps_scores_and_swaps(quiet: dict[str, Rows]) -> None:
    assert Counter(SPANS_SENT.values()) == {1: len(SPANS_SENT)}
    assert stored(quiet) == SPANS_SENT
    assert all(quiet.values())


@pytest.mark.parametrize(
    ("configuration", "idle"),
    [
        pytest.param("to-spanwitness.yaml", "6h", id="queue"),
        pytest.param("to-spanwitness-unqueued.yaml", CLOSING, id="unqueued-closing-all-the-while"),
    ],
)
def test_restarts_and_kills_lose_nothing_and_count_nothing_twice(
    configuration: str,
    idle: str,
    tmp_path: Path,
    serving: Callable[..., Serve],
    started: Callable[..., None],
    quiet: dict[str, Rows],
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same run each time
    line = pipeline(tmp_path, serving, configuration, idle)
    started(*line.parts)
    happenings = [(part, how) for part in line.parts for how in ("kill", "kill", "stop")]
    chance.shuffle(happenings)
    requests = list(REQUESTS)
    chance.shuffle(requests)
    share = -(-len(requests) // len(happenings))
    again = 0
    for number, (part, how) in enumerate(happenings):

        def happens(part: Part = part, how: str = how) -> None:
            getattr(part, how)()
            part.start()

        sending = Sending(requests[number * share : (number + 1) * share], line.before.grpc, line.before.http)
        sending.through(chance.randrange(share * 2 // 3), happens)
        assert sending.acknowledged == len(sending.requests)
        again += sending.again
    assert again > 0  # else nothing has happened to a sender

    until(lambda: arrived(line), ARRIVES_S, pause_s=1)
    for part in line.parts:
        part.stop()
    found = record(line.middle.store)
    assert stored(found) == SPANS_SENT
    for table, rows in quiet.items():
        assert settled(found[table], idle) == settled(rows, idle), table
    passed_on = exported(line.files)
    assert {key for key, _ in spans(passed_on)} == set(SPANS_SENT)
    assert set(logs(passed_on)) == LOGS_SENT
    record_of = {(row["TenantId"], row["TraceId"], row["SpanId"]): row for row in found[SPANS]}
    for key, told in spans(passed_on):
        assert {tag: told.get(tag, "") for tag in TAGS} == {tag: record_of[key][column] for tag, column in TAGS.items()}


def settled(rows: Rows, idle: str) -> Rows:
    """Rows without what depends on when a conversation was closed: a swap's evidence is of when it was met."""
    left_out = {"Evidence"} if idle == CLOSING else set()
    return [{column: value for column, value in row.items() if column not in left_out} for row in rows]
