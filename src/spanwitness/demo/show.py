"""The demo's course: a server starts, recorded agents send to it, their conversations close, the record is told."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from spanwitness.access import reach, running_server
from spanwitness.api import Pointer
from spanwitness.app import utc_now
from spanwitness.config import Config, StoreConfig
from spanwitness.demo.cast import AGENTS, TENANT
from spanwitness.demo.play import Part, items, play, run_name, trace_ids
from spanwitness.demo.send import FORMS, Form, Sender
from spanwitness.demo.server import Serving, serving
from spanwitness.demo.tell import announce, more, tell
from spanwitness.errors import SpanWitnessError, StoreHeldError
from spanwitness.receive import Signal
from spanwitness.report import Ask, literal
from spanwitness.report.sql import fetch, matching
from spanwitness.store import Embedded, parse_location

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.status import Status

_SENDERS: Final = 8
_IDLE_S: Final = 3
_CLOSE_S: Final = 120.0
_POLL_S: Final = 0.3
_REVIEWED: Final = """
SELECT count() AS n FROM (
    SELECT TraceId FROM otel_traces_trace_id_ts WHERE {where} AND TraceId IN ({traces})
    GROUP BY TraceId HAVING sum(Batches) <= max(Settled)
)
"""
_CLOSED: Final = "SELECT count() AS n FROM conversations_latest WHERE {where} AND hasAny(TraceIds, [{traces}])"


@dataclass(slots=True)
class Sent:
    """What was sent and acknowledged."""

    forms: Counter[Form] = field(default_factory=Counter)
    items: Counter[Signal] = field(default_factory=Counter)

    def __str__(self) -> str:
        """How much, and how."""
        grpc = sum(number for form, number in self.forms.items() if form.transport == "gRPC")
        json = sum(number for form, number in self.forms.items() if form.json)
        zipped = sum(number for form, number in self.forms.items() if form.gzip)
        return (
            f"{self.items[Signal.TRACES]:,} spans and {self.items[Signal.LOGS]:,} log records in {self.forms.total()}"
            f" requests: {grpc} over gRPC, {self.forms.total() - grpc} over HTTP ({json} as JSON), {zipped} compressed"
        )


def run(store_url: str, console: Console) -> None:
    """Runs the demo on a store and prints what it shows. The server it starts is stopped again, whatever happens.

    Raises:
        ConfigError: the store's URL is none.
        StoreHeldError: a server that runs already owns the store.
        SpanWitnessError: anything else went wrong; where the server did, the message has the end of its log.
    """
    config = Config(store=StoreConfig(url=store_url))
    _refuse_held(config)
    announce(console)
    now = utc_now()
    name = run_name(now)
    with ExitStack() as stack:
        with _busy(console, "starting a server"):
            server = stack.enter_context(serving(store_url, f"{_IDLE_S}s"))
            parts = [part for agent in AGENTS for part in play(agent, name, now)]
        _say(
            console,
            "serving",
            f"process {server.pid}, OTLP/gRPC on {server.addresses['grpc']}, OTLP/HTTP on {server.addresses['http']},"
            f" store {parse_location(store_url)}; {_IDLE_S} s of silence end a conversation",
        )
        begun = time.monotonic()
        sent = _send(parts, server, console)
        _say(console, "sent", f"{sent}; every one stored before it was answered, in {time.monotonic() - begun:.1f} s")
        with reach(config) as access:
            closed = _await_closed(trace_ids(parts), server, access.ask, console)
            _say(console, "closed", f"{closed} conversations, each settled and scored")
            tell(access.ask, name, console)
    more(store_url, name, console)


def _refuse_held(config: Config) -> None:
    location = parse_location(config.store.url)
    if isinstance(location, Embedded) and running_server(config.store.url) is not None:
        pointer = Pointer.read(location.path)
        who = f", process {pointer.pid}" if pointer else ""
        raise StoreHeldError(
            f"{location} is in use by a running spanwitness serve{who}; stop that, or give the demo a store of its own:"
            " spanwitness demo --store chdb://./demo-store"
        )


def _say(console: Console, what: str, how: str) -> None:
    console.print(Text.assemble((f"{what:<9}", "bold"), how))


def _busy(console: Console, doing: str) -> AbstractContextManager[Status | None]:
    return console.status(doing) if console.is_terminal else nullcontext()


def _send(parts: Sequence[Part], server: Serving, console: Console) -> Sent:
    """Sends all requests, several at once as so many agents would. Raises SpanWitnessError for the first that fails."""
    sent = Sent()
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TextColumn("requests"), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress,
        closing(Sender(server.addresses, server.pause)) as sender,
        ThreadPoolExecutor(_SENDERS, "demo-sender") as senders,
    ):
        task = progress.add_task("", total=len(parts))
        forms = [FORMS[number % len(FORMS)] for number in range(len(parts))]
        answers = {
            senders.submit(sender.send, part, form): (part, form) for part, form in zip(parts, forms, strict=True)
        }
        try:
            for answer in as_completed(answers):
                answer.result()
                part, form = answers[answer]
                sent.forms[form] += 1
                sent.items[part.signal] += items(part.request)
                progress.advance(task)
        finally:
            senders.shutdown(wait=False, cancel_futures=True)
    return sent


def _await_closed(traces: set[str], server: Serving, ask: Ask, console: Console) -> int:
    """Returns the number of conversations once every trace is reviewed: each conversation is closed and scored.

    Raises:
        SpanWitnessError: they are not within the time.
    """

    def count(sql: str) -> int:
        listed = ", ".join(map(literal, sorted(traces)))
        return int(fetch(ask, sql.format(where=matching(TenantId=TENANT), traces=listed))[0]["n"])

    deadline = time.monotonic() + _CLOSE_S
    with _busy(console, f"waiting: {_IDLE_S} s of silence close a conversation") as status:
        while (done := count(_REVIEWED)) < len(traces):
            if time.monotonic() > deadline:
                raise SpanWitnessError(
                    f"after {_CLOSE_S:.0f} s, {len(traces) - done} of {len(traces)} traces are still open; the server's"
                    f" log: {server.tail()}"
                )
            if status is not None and done:
                status.update(f"closing and scoring: {done} of {len(traces)} traces")
            server.pause(_POLL_S)
    return count(_CLOSED)
