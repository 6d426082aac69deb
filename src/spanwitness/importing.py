"""The import command: files through the request lane, then their conversations closed and scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from spanwitness.app import ingest_rules, review_rules, utc_now
from spanwitness.errors import SpanWitnessError
from spanwitness.importer import Damage, Recorded, Recording
from spanwitness.pipeline import DeploymentWatch, Ingestion, Review, Sweep
from spanwitness.pipeline.contracts import ContractBook
from spanwitness.pipeline.judge_lane import judge_rules, open_judge
from spanwitness.pipeline.judging import Judging
from spanwitness.receive import Signal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from rich.console import Console
    from rich.progress import ProgressColumn

    from spanwitness.config import Config
    from spanwitness.pipeline.judging import Drained
    from spanwitness.store import Store

_BATCH_BYTES = 16_000_000


@dataclass(slots=True)
class Imported:
    """What an import did. `problems`: one line each, by file and offset."""

    files: int = 0
    spans: int = 0
    logs: int = 0
    swept: Sweep = field(default_factory=Sweep)
    problems: list[str] = field(default_factory=list)
    judged: Drained | None = None
    traces: set[tuple[str, str]] = field(default_factory=set)

    def summary(self) -> str:
        """One line for stdout."""
        swaps = sum(swap.swap_class == "version" for swap in self.swept.swaps)
        parts = [
            _count(self.spans, "span"),
            _count(self.logs, "log record") if self.logs else "",
            f"{_count(self.swept.closed, 'conversation')} closed",
            f"{self.swept.revised} revised" if self.swept.revised else "",
            f"{self.swept.unchanged} unchanged" if self.swept.unchanged else "",
            f"{self.swept.failed} could not be reviewed" if self.swept.failed else "",
            f"{_count(swaps, 'new model swap')} (spanwitness swaps)" if swaps else "",
            *(_told(self.judged) if self.judged is not None else ()),
        ]
        return f"imported {_count(self.files, 'file')}: {', '.join(part for part in parts if part)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def import_files(files: Sequence[Path], store: Store, config: Config, console: Console) -> Imported:
    """Imports files; a damaged one is told and the rest is still read. Progress is drawn on a terminal only.

    Raises:
        ConfigError: a contract cannot be put into force, or the judge not be asked. Nothing is read then.
    """
    result, rules = Imported(), review_rules(config)
    contracts = ContractBook(store, rules.bundle, config.contracts.folder)
    contracts.load(utc_now())
    review = Review(store, rules, contracts)
    asking, judge = judge_rules(config.judge), open_judge(config.judge)
    try:
        with _progress(console, DownloadColumn()) as progress:
            ingestion = Ingestion(store, ingest_rules(config), utc_now)
            ingestion.index.catch_up(utc_now())
            _read(files, ingestion, result, progress)
            ingestion.flush()
        if result.traces:
            _close(review, result, console)
            if judge is not None:
                judging = Judging(store, judge, asking, utc_now, review.touched.add)
                _have_judged(judging, review, result, console)
            result.swept.swaps += DeploymentWatch(store, config.deployments.overdue).sweep(utc_now())
    finally:
        if judge is not None:
            judge.close()
    return result


def _close(review: Review, result: Imported, console: Console) -> None:
    with _progress(console, MofNCompleteColumn()) as progress:
        task = progress.add_task("closing and scoring", total=None)
        result.swept = review.close_all(
            utc_now(),
            "import",
            result.traces,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
        review.finish(utc_now())


def _have_judged(judging: Judging, review: Review, result: Imported, console: Console) -> None:
    """Has the judge asked what is waiting, and then what it told of itself taken into the ledger."""
    try:
        with _progress(console, MofNCompleteColumn()) as progress:
            task = progress.add_task("asking the judge", total=None)
            result.judged = judging.drain(lambda done, total: progress.update(task, completed=done, total=total))
    finally:
        judging.finish(0.0)
    result.swept.swaps += review.close_all(utc_now(), "import", set()).swaps


def _told(drained: Drained) -> Iterator[str]:
    yield f"{_count(drained.judged, 'score')} by the judge"
    if drained.given_up:
        yield f"{_count(drained.given_up, 'score')} that it did not give"
    if drained.left:
        yield f"{_count(drained.left, 'score')} still to be asked for (by serve, or the next import)"


def _progress(console: Console, amount: ProgressColumn) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def _read(files: Sequence[Path], ingestion: Ingestion, result: Imported, progress: Progress) -> None:
    task = progress.add_task("reading", total=sum(_size(path) for path in files))
    # Logs after spans or before them makes no difference: both are there before anything is closed.
    for signal, batch in _batches(chain.from_iterable(_requests(path, result, progress, task) for path in files)):
        _take(ingestion, signal, batch, result)


def _size(path: Path) -> int:
    """Bytes of a file, 0 where it cannot be told: reading it says why."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _requests(path: Path, result: Imported, progress: Progress, task: TaskID) -> Iterator[Recorded]:
    recording = Recording(path)
    shown = 0
    try:
        for request in recording.requests():
            progress.advance(task, recording.read - shown)
            shown = recording.read
            yield request
        result.files += 1
    except SpanWitnessError as error:
        result.problems.append(str(error))
    result.problems += [str(damage) for damage in recording.damage]
    progress.advance(task, _size(path) - shown)


def _batches(requests: Iterator[Recorded]) -> Iterator[tuple[Signal, list[Recorded]]]:
    waiting: dict[Signal, list[Recorded]] = {signal: [] for signal in Signal}
    sizes = dict.fromkeys(Signal, 0)
    for request in requests:
        waiting[request.signal].append(request)
        sizes[request.signal] += len(request.body)
        if sizes[request.signal] >= _BATCH_BYTES:
            yield request.signal, waiting[request.signal]
            waiting[request.signal], sizes[request.signal] = [], 0
    yield from ((signal, batch) for signal, batch in waiting.items() if batch)


def _take(ingestion: Ingestion, signal: Signal, batch: Sequence[Recorded], result: Imported) -> None:
    work = ingestion.prepare([request.body for request in batch], [""] * len(batch), signal)
    ingestion.write(work.rows)
    for index, problem in work.problems.items():
        result.problems.append(str(Damage(batch[index].path, batch[index].offset, problem.reason)))
    if signal is Signal.TRACES:
        result.spans += len(work.rows.items)
    else:
        result.logs += len(work.rows.items)
    result.traces |= _keys(work.rows.index)


def _keys(index: pa.Table) -> set[tuple[str, str]]:
    return set(zip(index["TenantId"].to_pylist(), index["TraceId"].to_pylist(), strict=True))
