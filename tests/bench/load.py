"""Load for a receiver of OTLP/gRPC in a closed loop: a sender sends again once it has its answer.

    python -m tests.bench.load HOST:PORT --payload genai --seconds 10

Prints a line of JSON when the senders are warm and one when they are done.
"""

from __future__ import annotations

import argparse
import itertools
import secrets
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import grpc
import numpy as np
import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.bench.traffic import PAYLOADS, Stream, templates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_TIMEOUT_S: Final = 120.0
_BACK_OFF_S: Final = 0.05
_WARM_UP: Final = 2


@dataclass(slots=True)
class Tally:
    """What one sender did: spans acknowledged, seconds each acknowledged request took, answers that were none."""

    spans: int = 0
    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)


class Sender:
    """One connection, one request at a time."""

    def __init__(self, address: str, requests: Stream) -> None:
        # A pool of its own: else all channels of a process to one address share a connection.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(address, options=options)
        self._export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(_EXPORT)
        self._requests = iter(requests)

    def send(self, tally: Tally) -> None:
        """Sends the next request and waits for its answer."""
        body, spans = next(self._requests)
        begun = time.perf_counter()
        try:
            answer = self._export(body, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            tally.failures[error.code().name] += 1
            time.sleep(_BACK_OFF_S)
            return
        tally.seconds.append(time.perf_counter() - begun)
        refused = ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
        if refused:
            tally.failures["rejected spans"] += refused
        tally.spans += spans - refused

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()


def load(
    address: str, payload: str, spans_per_request: int, concurrency: int, seconds: float, warm: Callable[[], None]
) -> dict[str, object]:
    """Loads a receiver for some seconds; what came of it. `warm` is called when the time begins.

    `acknowledged` counts everything, the requests before that too; all other figures are of the time itself.
    """
    patterns = templates(payload, spans_per_request)
    run = secrets.randbelow(1 << 16)
    senders = [Sender(address, Stream(patterns, number, run)) for number in range(concurrency)]
    early = [Tally() for _ in senders]
    tallies = [Tally() for _ in senders]
    gate = threading.Barrier(concurrency + 1)

    def work(sender: Sender, before: Tally, tally: Tally) -> None:
        for _ in range(_WARM_UP):
            sender.send(before)
        gate.wait()
        gate.wait()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            sender.send(tally)

    with ThreadPoolExecutor(concurrency) as pool:
        done = [pool.submit(work, *each) for each in zip(senders, early, tallies, strict=True)]
        gate.wait()
        warm()
        gate.wait()
        begun = time.perf_counter()
        for each in done:
            each.result()
        elapsed = time.perf_counter() - begun
    for sender in senders:
        sender.close()
    size = sum(len(pattern.body) for pattern in patterns) / sum(pattern.spans for pattern in patterns)
    return {**_summary(early, tallies, elapsed), "bytes_per_span": round(size)}


def _summary(early: Sequence[Tally], tallies: Sequence[Tally], elapsed: float) -> dict[str, object]:
    spans = sum(tally.spans for tally in tallies)
    took = np.array([second for tally in tallies for second in tally.seconds] or [0.0])
    failures = sum((tally.failures for tally in itertools.chain(early, tallies)), Counter[str]())
    return {
        "acknowledged": spans + sum(tally.spans for tally in early),
        "spans": spans,
        "seconds": elapsed,
        "requests": len(took),
        "p50_ms": float(np.percentile(took, 50)) * 1e3,
        "p99_ms": float(np.percentile(took, 99)) * 1e3,
        "failures": dict(failures),
    }


def add_load_options(parser: argparse.ArgumentParser, *, seconds: float) -> None:
    """The options that say how hard the receiver is loaded."""
    parser.add_argument("--seconds", type=float, default=seconds, help="of load (default: %(default)s)")
    parser.add_argument(
        "--concurrency", type=int, default=16, help="senders, one request in flight each (default: %(default)s)"
    )
    parser.add_argument("--spans-per-request", type=int, default=200, help="spans in a request (default: %(default)s)")


def checked(parser: argparse.ArgumentParser, options: argparse.Namespace) -> argparse.Namespace:
    """The options, or wrong usage told and exit status 2."""
    if not 0 < options.concurrency <= 256:  # a stream has one byte for its number
        parser.error(f"--concurrency {options.concurrency}: allowed is 1 to 256")
    if options.spans_per_request < 1:
        parser.error(f"--spans-per-request {options.spans_per_request}: allowed is 1 or more")
    if options.seconds <= 0:
        parser.error(f"--seconds {options.seconds}: allowed is a number above zero")
    return options


def _tell(found: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(found) + b"\n")
    sys.stdout.flush()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description="Loads a receiver of OTLP/gRPC.")
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--payload", choices=PAYLOADS, default="genai", help="content of a span (default: %(default)s)")
    add_load_options(parser, seconds=10)
    options = checked(parser, parser.parse_args())
    _tell(
        load(
            options.address,
            options.payload,
            options.spans_per_request,
            options.concurrency,
            options.seconds,
            lambda: _tell({"warm": True}),
        )
    )


if __name__ == "__main__":
    main()
