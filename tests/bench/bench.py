"""Durable throughput of `spanwitness serve` beside what the engine's own insert costs, in one run on one machine.

    python -m tests.bench.bench --json result.json

A round, for each payload: `serve` on an embedded store of its own is loaded over OTLP/gRPC from another process; it is
stopped and its spans are counted by a third; then a fresh process inserts the same spans as ready rows by
clickhouse-connect's insert_arrow. Rounds repeat all of it, so that whatever else the machine does hits both sides, and
medians are told. Exit status 1 where the store does not hold exactly what was acknowledged.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

# Run as a plain script, Python looks for modules beside this file only.
_ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))

from spanwitness.demo.server import serving  # noqa: E402 - see above
from tests.bench.load import add_load_options, checked  # noqa: E402 - the same
from tests.bench.process import cpu_seconds, memory_bytes  # noqa: E402 - the same
from tests.bench.traffic import PAYLOADS  # noqa: E402 - the same

Row = dict[str, Any]
_RAW_BYTES: Final = 250_000_000
_MOST_RAW_SPANS: Final = 200_000
_PER: Final = 100_000
_COUNT: Final = "SELECT count() FROM otel_traces"


def serve_round(payload: str, options: argparse.Namespace) -> Row:
    """Loads a server; what it stored, how fast, and what that took."""
    with tempfile.TemporaryDirectory(prefix="spanwitness-bench-") as folder:
        store = f"chdb://{folder}/store"
        with serving(store, "1h") as server:
            found = _loaded(payload, options, server.addresses["grpc"], server.pid)
        found["stored"] = int(_ours("-m", "spanwitness", "query", _COUNT, "--format", "csv", "--store", store)[-1])
    return found


def _loaded(payload: str, options: argparse.Namespace, address: str, pid: int) -> Row:
    """The load's own account, and the server's processor time from when it is warm to when the last answer is in."""
    command = [sys.executable, "-m", "tests.bench.load", address, "--payload", payload]
    command += ["--seconds", str(options.seconds), "--concurrency", str(options.concurrency)]
    command += ["--spans-per-request", str(options.spans_per_request)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, env=_environment()) as load:  # noqa: S603 - ours
        if load.stdout is None or not load.stdout.readline():
            raise SystemExit("bench: the load generator failed, see above")
        before = cpu_seconds(pid)
        line = load.stdout.readline()
        used = cpu_seconds(pid) - before
        if not line:
            raise SystemExit("bench: the load generator failed, see above")
    memory, meaning = memory_bytes(pid)
    return {**orjson.loads(line), "cpu_seconds": used, "memory_bytes": memory, "memory_is": meaning}


def raw_round(payload: str, options: argparse.Namespace, bytes_per_span: int) -> Row:
    """Inserts as many spans as make 250 MB of requests, 200,000 at most."""
    spans = min(_MOST_RAW_SPANS, _RAW_BYTES // bytes_per_span)
    told = _ours(
        *("-m", "tests.bench.raw", "--payload", payload, "--spans", str(spans)),
        *("--spans-per-request", str(options.spans_per_request)),
    )
    found: Row = orjson.loads(told[-1])
    if found["stored"] != found["spans"]:
        raise SystemExit(f"bench: insert_arrow was given {found['spans']:,} spans and stored {found['stored']:,}")
    return found


def _ours(*arguments: str) -> list[str]:
    """The lines that a process of this interpreter prints."""
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=False, cwd=_ROOT, env=_environment()
    )
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(arguments[:3])} failed with exit status {done.returncode}, see above")
    return done.stdout.splitlines()


def _environment() -> dict[str, str]:
    """Children are started in the repository's root: what PYTHONPATH says from here must be true there too."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(folder).resolve()) for folder in folders if folder)}


def summed_up(payload: str, served: list[Row], raw: list[Row]) -> Row:
    """The medians of the rounds: per second, per 100,000 spans, and of the two sides' ratios."""

    def median(rounds: list[Row], figure: str, per: str = "") -> float:
        return statistics.median([float(row[figure]) / (row[per] if per else 1) for row in rounds])

    def ratio(figure: str, per: str) -> float:
        # Of each round by itself: its two sides ran one after the other, beside much the same other work.
        pairs = zip(served, raw, strict=True)
        return statistics.median([float((s[figure] / s[per]) / (r[figure] / r[per])) for s, r in pairs])

    return {
        "payload": payload,
        "bytes_per_span": served[0]["bytes_per_span"],
        "serve_spans_per_s": median(served, "spans", "seconds"),
        "serve_cpu_s_per_100k": median(served, "cpu_seconds", "spans") * _PER,
        "serve_p50_ms": median(served, "p50_ms"),
        "serve_p99_ms": median(served, "p99_ms"),
        "serve_memory_bytes": max(row["memory_bytes"] for row in served),
        "serve_memory_is": served[0]["memory_is"],
        "raw_spans_per_s": median(raw, "spans", "seconds"),
        "raw_cpu_s_per_100k": median(raw, "cpu_seconds", "spans") * _PER,
        "raw_batch_spans": round(raw[0]["batch"]),
        "acknowledged": sum(row["acknowledged"] for row in served),
        "stored": sum(row["stored"] for row in served),
        "exact": all(row["stored"] == row["acknowledged"] for row in served),
        "failures": dict(sum((Counter(row["failures"]) for row in served), Counter[str]())),
        "cpu_ratio": ratio("cpu_seconds", "spans"),
        "throughput_ratio": ratio("spans", "seconds"),
        "rounds": {"serve": served, "raw": raw},
    }


def table(results: list[Row]) -> Table:
    """A column for each payload; the ratios, which the machine's speed is not part of, in bold."""
    found = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    found.add_column("\nbytes of a span as sent", no_wrap=True)
    for result in results:
        found.add_column(f"{result['payload']}\n{result['bytes_per_span']:,}", justify="right", no_wrap=True)
    peak = results[0]["serve_memory_is"] == "peak"
    for label, cell in (
        ("serve: durable spans/s", lambda row: f"{row['serve_spans_per_s']:,.0f}"),
        ("serve: CPU s per 100,000 spans", lambda row: f"{row['serve_cpu_s_per_100k']:.2f}"),
        ("serve: request p50, ms", lambda row: f"{row['serve_p50_ms']:,.0f}"),
        ("serve: request p99, ms", lambda row: f"{row['serve_p99_ms']:,.0f}"),
        (f"serve: {'peak ' if peak else ''}memory, MB", lambda row: f"{row['serve_memory_bytes'] / 1e6:,.0f}"),
        ("insert_arrow: spans/s", lambda row: f"{row['raw_spans_per_s']:,.0f}"),
        ("insert_arrow: CPU s per 100,000 spans", lambda row: f"{row['raw_cpu_s_per_100k']:.2f}"),
        ("insert_arrow: spans in a batch", lambda row: f"{row['raw_batch_spans']:,}"),
        ("[bold]CPU a span: serve / insert_arrow", lambda row: f"[bold]{row['cpu_ratio']:.2f}"),
        ("[bold]spans/s: serve / insert_arrow", lambda row: f"[bold]{row['throughput_ratio']:.2f}"),
        (
            "acknowledged, and found in the store",
            lambda row: f"{row['acknowledged']:,}{'' if row['exact'] else ' (!)'}",
        ),
    ):
        found.add_row(label, *map(cell, results))
    return found


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.bench",
        description=__doc__.partition("\n")[0],
        epilog="A round of a payload takes about 8 s more than --seconds: two servers are started, rows are made.",
    )
    parser.add_argument(
        "--payload",
        choices=PAYLOADS,
        action="append",
        help="only this content of a span; may be repeated (default: all; small: none, genai: 3 KB, large: 30 KB)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each payload (default: %(default)s)")
    add_load_options(parser, seconds=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round and the medians to a file")
    options = checked(parser, parser.parse_args(arguments))
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: allowed is 1 or more")
    return options


def main() -> None:
    """The command."""
    options = parsed()
    console = Console(highlight=False)
    chosen = options.payload or list(PAYLOADS)
    served: dict[str, list[Row]] = {payload: [] for payload in chosen}
    raw: dict[str, list[Row]] = {payload: [] for payload in chosen}
    for number in range(options.rounds):
        for payload in chosen:
            served[payload].append(serve_round(payload, options))
            raw[payload].append(raw_round(payload, options, served[payload][-1]["bytes_per_span"]))
            line = f"round {number + 1} of {options.rounds}, {payload}: {_line(served[payload][-1], raw[payload][-1])}"
            console.print(line, soft_wrap=True)
    results = [summed_up(payload, served[payload], raw[payload]) for payload in chosen]
    console.print("", table(results))
    if options.json:
        options.json.write_bytes(orjson.dumps(_document(options, results), option=orjson.OPT_INDENT_2))
    for row in results:
        if not row["exact"] or row["failures"]:
            raise SystemExit(
                f"bench: {row['payload']}: {row['acknowledged']:,} spans acknowledged, {row['stored']:,} stored;"
                f" requests that failed: {row['failures'] or 'none'}"
            )


def _line(served: Row, raw: Row) -> str:
    speeds = [row["spans"] / row["seconds"] for row in (served, raw)]
    costs = [row["cpu_seconds"] / row["spans"] * _PER for row in (served, raw)]
    return (
        f"serve {speeds[0]:,.0f} spans/s, {costs[0]:.2f} CPU s per 100,000;"
        f" insert_arrow {speeds[1]:,.0f} and {costs[1]:.2f}"
    )


def _document(options: argparse.Namespace, results: list[Row]) -> Row:
    told = {"seconds", "rounds", "concurrency", "spans_per_request"}
    return {
        "options": {name: value for name, value in vars(options).items() if name in told},
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "chdb": version("chdb"),
            "clickhouse-connect": version("clickhouse-connect"),
        },
        "results": results,
    }


if __name__ == "__main__":
    main()
