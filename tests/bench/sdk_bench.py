"""What SpanWitnessProcessor adds to a span, beside the same provider without it, in one run.

    python tests/bench/sdk_bench.py [--spans 20000] [--rounds 15]

Each round starts and ends the same spans without the processor and with it, one after the other, and takes the
processor time of this thread, so that other processes count as little as may be. The median of the rounds' differences
is what is told.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from spanwitness.sdk import SpanWitnessProcessor, conversation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Tracer

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"}
STAMPS = {"tenant": "acme", "agent_version": "1.4.0", "prompt_version": "p-7", "channel": "voice"}


@dataclass(frozen=True, slots=True)
class Figures:
    """Microseconds a span, medians over the rounds."""

    without: float
    with_it: float
    added: float


def tracer(*processors: SpanProcessor) -> Tracer:
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider.get_tracer("bench")


def took(tracer: Tracer, name: str, attributes: Mapping[str, str], spans: int) -> float:
    """Microseconds a span, of this thread's own processor time."""
    begun = time.thread_time_ns()
    for _ in range(spans):
        tracer.start_span(name, attributes=attributes).end()
    return (time.thread_time_ns() - begun) / spans / 1000


def measure(name: str, attributes: Mapping[str, str], conversation_id: str, spans: int, rounds: int) -> Figures:
    plain = tracer(SpanProcessor())  # a provider has some processor, or nothing would come of its spans
    stamping = tracer(SpanProcessor(), SpanWitnessProcessor(**STAMPS))
    with conversation(conversation_id):
        pairs = [(took(plain, name, attributes, spans), took(stamping, name, attributes, spans)) for _ in range(rounds)]
    return Figures(
        statistics.median(without for without, _ in pairs),
        statistics.median(with_it for _, with_it in pairs),
        statistics.median(with_it - without for without, with_it in pairs),
    )


CASES: Mapping[str, tuple[str, Mapping[str, str], str]] = {
    "no conversation": ("chat gpt-4o", CALL, ""),
    "conversation, step": ("chat gpt-4o", CALL, "c-1"),
    "conversation, wrapper": ("invoke_agent claims", {"gen_ai.operation.name": "invoke_agent"}, "c-1"),
    "conversation, tells late": ("ChatOpenAI", {}, "c-1"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--spans", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    print(f"{'us a span':<28}{'without':>10}{'with':>10}{'added':>10}")  # noqa: T201 - it is what a bench is for
    for case, (name, attributes, conversation_id) in CASES.items():
        found = measure(name, attributes, conversation_id, options.spans, options.rounds)
        print(f"{case:<28}{found.without:>10.2f}{found.with_it:>10.2f}{found.added:>10.2f}")  # noqa: T201 - the same


if __name__ == "__main__":
    main()
