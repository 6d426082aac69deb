"""Sender -> Collector -> SpanWitness -> Collector -> file: how the parts are put together, and what goes through."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.record import SPANS, exported
from tests.e2e.stack import CONFIGURATIONS, Collector, SpanWitness
from tests.e2e.traffic import logs, recorded, spans

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Serve
    from tests.e2e.record import Rows
    from tests.e2e.stack import Part

COPIES = 2
ARRIVES_S = 300.0
REQUESTS = recorded(COPIES)
SPANS_SENT = Counter(key for key, _ in spans(REQUESTS))
LOGS_SENT = set(logs(REQUESTS))


@dataclass(frozen=True)
class Pipeline:
    """The parts, in the order in which data takes them."""

    before: Collector
    middle: SpanWitness
    behind: Collector

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.before, self.middle, self.behind

    @property
    def files(self) -> list[Path]:
        """What the Collector behind wrote."""
        return sorted((self.behind.folder / "files").glob("*"))


def pipeline(folder: Path, serving: Callable[..., Serve], configuration: str, idle: str) -> Pipeline:
    behind = Collector(
        "behind",
        folder / "behind",
        configurations=[CONFIGURATIONS / "from-spanwitness.yaml", CONFIGURATIONS / "to-files.yaml"],
        settings={"COLLECTOR_FILES": str(folder / "behind/files")},
    )
    middle = SpanWitness(folder / "middle", serving, forward=f"grpc://{behind.grpc}", idle=idle)
    before = Collector(
        "before",
        folder / "before",
        configurations=[CONFIGURATIONS / configuration],
        settings={"SPANWITNESS_GRPC": middle.grpc},
    )
    return Pipeline(before, middle, behind)


def arrived(line: Pipeline) -> bool:
    """Whether the end of the pipeline has everything."""
    found = exported(line.files)
    return {key for key, _ in spans(found)} >= set(SPANS_SENT) and set(logs(found)) >= LOGS_SENT


def stored(found: dict[str, Rows]) -> Counter[tuple[str, str, str]]:
    return Counter((row["TenantId"], row["TraceId"], row["SpanId"]) for row in found[SPANS])
