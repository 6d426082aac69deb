"""A model on loopback that speaks as the providers do, and says what it is told to say of itself."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Json: TypeAlias = dict[str, Any]

OLD = ("gpt-4o-2024-08-06", "fp_831e067d82")
NEW = ("gpt-4o-mini-2024-07-18", "fp_0aa8d3e20b")
CLAIM = "CLM-2001"


@dataclass
class Answer:
    """Status, content type and the pieces of a body. Each piece is flushed before the next one is asked for."""

    pieces: Iterable[bytes]
    content_type: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False  # end the connection without ending the body


@dataclass
class ModelServer:
    """`served` is the model and fingerprint that the next answers name; `answer`, if set, answers in place of all."""

    address: str
    served: tuple[str, str] = OLD
    answer: Callable[[str, Json], Answer] | None = None
    encoding: str = ""
    asked: list[str] = field(default_factory=list)

    def reply(self, path: str, body: Json) -> Answer:
        self.asked.append(path)
        if self.answer is not None:
            return self.answer(path, body)
        return compress(self._reply(path.partition("?")[0], body), self.encoding)

    def _reply(self, path: str, body: Json) -> Answer:
        streamed = bool(body.get("stream"))
        if path.endswith("/chat/completions"):
            return chat(self.served, body, streamed=streamed)
        if path.endswith("/responses"):
            return responses(self.served, streamed=streamed)
        if path.endswith("/messages"):
            return messages(self.served, streamed=streamed)
        if path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            return whole({"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage})
        return Answer([b'{"error": {"message": "no such path"}}'], status=404)


def whole(body: Any) -> Answer:
    return Answer([json.dumps(body).encode()])


def events(bodies: Sequence[Any], *, named: bool = False, last: bytes = b"") -> Answer:
    """Server-sent events, one piece each; `named` writes their type as event name too."""
    pieces = [
        (f"event: {body['type']}\n".encode() if named else b"") + b"data: " + json.dumps(body).encode() + b"\n\n"
        for body in bodies
    ]
    return Answer([*pieces, last] if last else pieces, "text/event-stream")


def compress(answer: Answer, encoding: str) -> Answer:
    if not encoding:
        return answer
    if encoding == "gzip":
        pieces = [gzip.compress(b"".join(answer.pieces))]
    else:
        deflate = zlib.compressobj()
        pieces = [deflate.compress(piece) + deflate.flush(zlib.Z_SYNC_FLUSH) for piece in answer.pieces]
        pieces.append(deflate.flush())
    return Answer(pieces, answer.content_type, answer.status, {**answer.headers, "Content-Encoding": encoding})


def chat(served: tuple[str, str], body: Json, *, streamed: bool) -> Answer:
    """Calls the tool for a first word about a claim, and says what the tool found once it has."""
    model, fingerprint = served
    asked = body["messages"][-1]
    calls_tool = asked["role"] == "user" and "claim" in str(asked["content"]) and bool(body.get("tools"))
    message: Json = {"role": "assistant", "content": None if calls_tool else "Your claim is open."}
    if calls_tool:
        name = body["tools"][0]["function"]["name"]
        function = {"name": name, "arguments": json.dumps({"claim_id": CLAIM})}
        message["tool_calls"] = [{"id": f"call_{len(body['messages'])}", "type": "function", "function": function}]
    finish = "tool_calls" if calls_tool else "stop"
    usage = {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47}
    head = {"id": "chatcmpl-1", "created": 1, "model": model, "system_fingerprint": fingerprint}
    if not streamed:
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        return whole({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    if calls_tool:
        message["tool_calls"][0]["index"] = 0
    deltas: list[tuple[Json, str | None]] = [(message, None), ({}, finish)]
    chunks = [
        {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
        for delta, end in deltas
    ]
    chunks.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return events(chunks, last=b"data: [DONE]\n\n")


def responses(served: tuple[str, str], *, streamed: bool) -> Answer:
    text = {"type": "output_text", "text": "Your claim is open.", "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    done = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": served[0],
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    if not streamed:
        return whole(done)
    begun = {**done, "status": "in_progress", "output": []}
    return events(
        [
            {"type": "response.created", "sequence_number": 0, "response": begun},
            {"type": "response.completed", "sequence_number": 1, "response": done},
        ],
        named=True,
    )


def messages(served: tuple[str, str], *, streamed: bool) -> Answer:
    text = {"type": "text", "text": "Your claim is open."}
    usage = {"input_tokens": 40, "output_tokens": 7}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": served[0]}
    if not streamed:
        return whole({**head, "content": [text], "stop_reason": "end_turn", "stop_sequence": None, "usage": usage})
    begun: Json = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    delta = {"type": "text_delta", "text": "Your claim is open."}
    return events(
        [
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
            {"type": "message_stop"},
        ],
        named=True,
    )


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """A server on a free port of 127.0.0.1, gone when the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            answer = server.reply(self.path, body)
            self.send_response(answer.status)
            for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in filter(None, answer.pieces):  # an empty one would end the body
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.flush()
            if answer.cut:
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            """Keeps quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server = ModelServer(f"http://127.0.0.1:{listening.server_port}")
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
