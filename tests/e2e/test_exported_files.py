"""What the Collector's file exporter wrote gives, imported, the record of the run in which it was written."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.around import REQUESTS
from tests.e2e.record import record
from tests.e2e.stack import CONFIGURATIONS, Collector, SpanWitness
from tests.e2e.traffic import Sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Serve
    from tests.e2e.record import Rows

FORMATS = Path(__file__).with_name("formats.yaml")
# Natively compressed, what is answered may still be in the Collector's memory: it is not killed then.
NATIVE = "exporter.file.nativeCompression"
FORMS = [
    ("", "json"),
    ("", "proto"),
    ("", "json_zstd"),
    ("", "proto_zstd"),
    (NATIVE, "json_zstd"),
    (NATIVE, "proto_zstd"),
]
# Spans have their tags as attributes now, and scores have become log records: the rest is the same.
SAME = ["conversations_latest", "steps_latest", "scores_latest", "model_versions", "model_swaps"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Serve]) -> Callable[[str], Path]:
    """Where a Collector behind SpanWitness wrote a run in every form, by its feature gates; each runs once."""

    @cache
    def run(gates: str) -> Path:
        return exported(tmp_path_factory.mktemp("exported"), serving, gates)

    return run


def exported(folder: Path, serving: Callable[..., Serve], gates: str) -> Path:
    behind = Collector(
        "behind",
        folder / "behind",
        configurations=[CONFIGURATIONS / "from-spanwitness.yaml", FORMATS],
        settings={"COLLECTOR_FILES": str(folder / "files")},
        gates=gates,
    )
    middle = SpanWitness(folder / "middle", serving, forward=f"grpc://{behind.grpc}")

    def kill() -> None:
        behind.kill()
        behind.start()

    try:
        behind.start()
        middle.start()
        Sending(REQUESTS, middle.grpc, middle.http).through(len(REQUESTS) // 2, lambda: None if gates else kill())
        middle.stop()
        behind.stop()
    finally:
        middle.kill()
        behind.kill()
    return folder / "files"


@pytest.mark.parametrize(("gates", "form"), FORMS)
def test_an_import_gives_the_same_record(
    gates: str, form: str, written: Callable[[str], Path], tmp_path: Path, quiet: dict[str, Rows]
) -> None:
    folder = written(gates) / form
    files = sorted(folder.iterdir())
    store = f"chdb://{tmp_path / 'store'}"
    line = [sys.executable, "-m", "spanwitness", "import", *map(str, files), "--store", store]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    damaged = [said for said in done.stderr.splitlines() if said]  # where the kill cut a request that came again
    assert all(f"{folder}" in said and ": offset " in said for said in damaged), done.stderr
    assert done.returncode == (1 if damaged else 0)
    assert f"imported {len(files)} files" in done.stdout
    assert len(files) > 1  # rotated
    found = record(store)
    for table in SAME:
        assert found[table] == quiet[table], table
