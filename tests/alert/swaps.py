"""Swaps as the ledger has them, and a receiver that is really there."""

from __future__ import annotations

import datetime as dt
import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from spanwitness.model import swap_id
from spanwitness.testing import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spanwitness.store import Store

A, B = "openai/gpt-4o-2024-08-06", "openai/gpt-4o-mini-2024-07-18"
SEEN = EPOCH - dt.timedelta(hours=1)
_KEY = ("TenantId", "ServiceName", "AgentName", "StepKind", "Class", "FromVersion", "ToVersion", "Occurrence")
_TIMES = {"FirstSeenAt": "ns", "EndedAt": "ns", "DetectedAt": "ms", "UpdatedAt": "ms"}


def a_swap(**changes: Any) -> dict[str, Any]:
    """A silent swap that stands, as a row whose times are aware."""
    row: dict[str, Any] = {
        "TenantId": "acme",
        "ServiceName": "claims",
        "AgentName": "triage",
        "StepKind": "llm",
        "Class": "version",
        "FromVersion": A,
        "ToVersion": B,
        "Occurrence": 1,
        "DetectedAt": SEEN + dt.timedelta(minutes=16),
        "FirstSeenAt": SEEN,
        "FirstTraceId": "0af7651916cd43dd8448eb211c80319c",
        "FirstConversationId": "conv-7",
        "ConversationsBefore": 340,
        "ConversationsAfter": 12,
        "ShareNow": 0.24,
        "Traffic": "part",
        "EndedAt": None,
        "Declared": False,
        "DeclaredBy": "",
        "DeploymentId": "",
        "Evidence": '{"conversations_between":2}',
        "ScoreShift": "{}",
        "Severity": "page",
        "UpdatedAt": EPOCH,
        "Withdrawn": 0,
        **changes,
    }
    return {**row, "SwapId": changes.get("SwapId", swap_id([row[name] for name in _KEY]))}


def write(store: Store, *rows: Mapping[str, Any]) -> None:
    """Puts swaps into the ledger as they are now."""
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    for name, unit in _TIMES.items():
        columns[name] = pa.array([_naive(value) for value in columns[name]], pa.timestamp(unit))
    store.insert("model_swaps", pa.table(columns))


def _naive(moment: dt.datetime | None) -> dt.datetime:
    return (moment or dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).replace(tzinfo=None)


@dataclass(frozen=True)
class Answer:
    """What a receiver says. `cut`: it hangs up instead. `held`: not before this is set."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    held: threading.Event | None = None
    body: bytes = b""


@dataclass(frozen=True)
class Post:
    """What it got."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Listener:
    """Answers with `answers` in order, then that all is well; or as `refusing` says of a body."""

    answers: list[Answer] = field(default_factory=list)
    refusing: bytes = b""
    posts: list[Post] = field(default_factory=list)
    url: str = ""
    connections: int = 0

    def take(self, post: Post) -> Answer:
        self.posts.append(post)
        if self.refusing and self.refusing in post.body:
            return Answer(400)
        return self.answers.pop(0) if self.answers else Answer()

    def told(self) -> list[Any]:
        """The bodies, which are forgotten."""
        posts, self.posts = self.posts, []
        return [post.json for post in posts]


@contextmanager
def listening(port: int = 0) -> Iterator[Listener]:
    """A receiver on loopback."""
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            listener.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = listener.take(Post(self.path, headers, body))
            if answer.held is not None:
                answer.held.wait(30)
            if answer.cut:
                self.close_connection = True
                return
            with suppress(ConnectionError):
                self.send_response(answer.status)
                for name, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    listener.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
