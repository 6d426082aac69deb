"""A judge on loopback that speaks as an OpenAI-compatible endpoint does: well, badly, slowly, or not to the end."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Json: TypeAlias = dict[str, Any]

MODEL = "judge-large"
SNAPSHOT = "judge-large-2026-09-01"
PATIENCE_S = 10.0


@dataclass(frozen=True)
class Says:
    """One answer over HTTP.

    Attributes:
        held: nothing is answered until the server is released.
        drips: a blank goes out every 20 ms instead of the body, until the server is released.
        cut: the connection ends in the middle of the body.
    """

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    held: bool = False
    drips: bool = False
    cut: bool = False


@dataclass
class ModelJudge:
    """Gives the answers of `says` in turn, and the last of them for ever. `requests`: all it was asked."""

    url: str
    says: list[Says | Callable[[Json], Says]]
    requests: list[Json] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, path: str, headers: Mapping[str, str], body: Json) -> Says:
        with self.lock:
            self.paths.append(path)
            self.headers.append(headers)
            self.requests.append(body)
            says = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        self.arrived.release()
        return says if isinstance(says, Says) else says(body)


def completion(content: object, **changes: Any) -> Says:
    """A chat completion. `content`: text, or a value that is told as JSON. `message`, `finish`: of its one choice."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    message = {"role": "assistant", "content": text, "refusal": None, **changes.pop("message", {})}
    tree: Json = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": SNAPSHOT,
        "choices": [{"index": 0, "message": message, "finish_reason": changes.pop("finish", "stop"), "logprobs": None}],
        "usage": {"prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500},
        **changes,
    }
    return Says(json.dumps({name: value for name, value in tree.items() if value is not None}).encode())


def refuses_to_say(why: str) -> Says:
    """As models do that were trained to: 200, no content, and a refusal in its place."""
    return completion(None, message={"refusal": why})


def error(status: int, message: str = "no", *, code: str = "", param: str | None = None, **headers: str) -> Says:
    tree = {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code or None}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Says(json.dumps(tree).encode(), status, named)


@contextmanager
def model_judge(*says: Says | Callable[[Json], Says]) -> Iterator[ModelJudge]:
    """A server on a free port of 127.0.0.1, gone when the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            answer = judge.reply(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            if answer.held:
                judge.released.wait(PATIENCE_S)
            try:
                self._send(answer)
            except OSError:  # who asked has given up
                self.close_connection = True

        def _send(self, answer: Says) -> None:
            self.send_response(answer.status)
            length = len(answer.body) + 1000 * (answer.cut or answer.drips)
            headers = {"Content-Type": "application/json", "Content-Length": str(length), **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            while answer.drips and not judge.released.wait(0.02):
                self.wfile.write(b" ")
                self.wfile.flush()
            self.wfile.write(answer.body)
            self.close_connection = answer.cut or answer.drips

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            """Keeps quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = False
    judge = ModelJudge(f"http://127.0.0.1:{listening.server_port}/v1", list(says))
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield judge
    finally:
        judge.released.set()
        listening.shutdown()
        listening.server_close()
        thread.join()


def proof(source: str = "none", index: int = -1, quote: str = "") -> Json:
    """As the schema has it; without arguments: no proof."""
    return {"source": source, "index": index, "quote": quote}


def said(index: int, quote: str) -> Json:
    """A proof from a message."""
    return proof("message", index, quote)


def clause(quote: str) -> Json:
    """A proof from the policy."""
    return proof("policy", 0, quote)


def call(name: str, number: str = "1", **arguments: object) -> Sequence[Json]:
    """The tool calls of a chat message that asks for one."""
    return [{"id": number, "name": name, "arguments": arguments}]
