"""What the engine alone costs: the same spans as rows that are ready, by clickhouse-connect's own insert_arrow.

    python -m tests.bench.raw --payload genai --spans 60000

The rows are those that SpanWitness makes of the requests, in its own schema. They are made beforehand and kept in files
that are mapped into memory, so that neither their making nor their size is part of what is measured. Prints a line of
JSON.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import clickhouse_connect
import orjson
import pyarrow as pa

from spanwitness.app import utc_now
from spanwitness.pipeline import Ingestion, IngestRules
from spanwitness.receive import Signal
from spanwitness.store import open_store
from tests.bench.traffic import PAYLOADS, Stream, templates

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH: Final = 10_000
BATCH_BYTES: Final = 64_000_000


def batch_spans(bytes_per_span: float) -> int:
    """Spans in an insert: 10,000, fewer where they would be more than 64 MB."""
    return max(1, min(BATCH, int(BATCH_BYTES / bytes_per_span)))


def measure(payload: str, spans: int, spans_per_request: int, folder: Path) -> dict[str, float]:
    """Inserts about so many spans; what it took.

    Args:
        payload: what a span holds.
        spans: rounded up to whole batches, of whole requests each.
        spans_per_request: of the requests that the rows are made of.
        folder: where the store and the rows are put.
    """
    store_folder = folder / "store"
    store = open_store(f"chdb://{store_folder}")
    ingestion = Ingestion(store, IngestRules(), utc_now)
    files = list(_prepared(ingestion, payload, spans, spans_per_request, folder))
    client = clickhouse_connect.get_client(interface="chdb", path=str(store_folder))
    inserted, begun, cpu = 0, time.perf_counter(), _cpu_seconds()
    for file in files:
        with pa.memory_map(str(file)) as source:
            rows = pa.ipc.open_file(source).read_all()
            client.insert_arrow("otel_traces", rows)
            inserted += len(rows)
    seconds, cpu = time.perf_counter() - begun, _cpu_seconds() - cpu
    stored = int(client.query("SELECT count() FROM otel_traces FINAL").result_rows[0][0])
    client.close()
    store.close()
    return {"spans": inserted, "stored": stored, "seconds": seconds, "cpu_seconds": cpu, "batch": inserted / len(files)}


def _prepared(ingestion: Ingestion, payload: str, spans: int, spans_per_request: int, folder: Path) -> Iterator[Path]:
    patterns = templates(payload, spans_per_request)
    size = sum(len(pattern.body) for pattern in patterns) / sum(pattern.spans for pattern in patterns)
    requests = max(1, batch_spans(size) // spans_per_request)
    stream = iter(Stream(patterns))
    for number in range(-(-spans // (requests * spans_per_request))):
        bodies = [next(stream)[0] for _ in range(requests)]
        rows = ingestion.prepare(bodies, [""] * len(bodies), Signal.TRACES).rows.items.combine_chunks()
        file = folder / f"{number}.arrow"
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows)
        yield file


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.raw", description="The engine's own insert.")
    parser.add_argument("--payload", choices=PAYLOADS, default="genai", help="content of a span (default: %(default)s)")
    parser.add_argument("--spans", type=int, default=60_000, help="to insert (default: %(default)s)")
    parser.add_argument("--spans-per-request", type=int, default=200, help="in a request (default: %(default)s)")
    options = parser.parse_args()
    if options.spans < 1 or options.spans_per_request < 1:
        parser.error("--spans and --spans-per-request: allowed is 1 or more")
    with tempfile.TemporaryDirectory(prefix="spanwitness-raw-") as folder:
        found = measure(options.payload, options.spans, options.spans_per_request, Path(folder))
    sys.stdout.buffer.write(orjson.dumps(found) + b"\n")


if __name__ == "__main__":
    main()
