"""ClickHouse's HTTP interface over the embedded engine: enough of it for the client library, with faults on request.

Run as `python http_endpoint.py FOLDER`; prints its port. POST /fault takes {"kind", "match", "times"}: the next so
many statements that contain `match` meet the fault. Kinds: `refuse` (status 503, nothing done), `error` (status 500
after all was done), `cut` (no answer after all was done), `slow` (the answer waits for POST /release).
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tempfile
import threading
from dataclasses import dataclass
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame  # type: ignore[import-untyped]
from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_SETTINGS = {
    "query",
    "query_id",
    "database",
    "default_format",
    "session_id",
    "enable_http_compression",
    "user",
    "password",
    "role",
    "client_protocol_version",
    "wait_end_of_query",
    "buffer_size",
}
DECODERS = {"": bytes, "lz4": lz4.frame.decompress, "gzip": gzip.decompress, "zstd": zstd.decompress}
INSERT = re.compile(rb"(?P<sql>\s*INSERT\s+INTO\b[^\n]*?\bFORMAT\s+\w+)[ \t]*\n(?P<data>.*)", re.IGNORECASE | re.DOTALL)
FORMAT = re.compile(r"(?P<head>.*?)\s+FORMAT\s+(?P<format>\w+)\s*", re.IGNORECASE | re.DOTALL)


@dataclass
class Fault:
    """What the next statements of a kind meet."""

    kind: str
    match: str
    times: int


class Engine:
    """Statements one at a time, each in a session of its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._owner = chdb.connect(folder)  # type: ignore[no-untyped-call]
        self._lock = threading.Lock()

    def run(self, sql: str, data: bytes, options: Mapping[str, str]) -> bytes:
        """Runs a statement. Raises RuntimeError with the engine's message."""
        with self._lock:
            session: Any = chdb.connect(self._folder)  # type: ignore[no-untyped-call]
            try:
                for name, value in sorted(options.items(), key=lambda option: option[0] == "readonly"):
                    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
                    session.query(f"SET {name} = '{quoted}'")
                if data:
                    return self._insert(session, sql, data)
                return bytes(session.query(sql, "TabSeparated").bytes() or b"")
            finally:
                session.close()

    def _insert(self, session: Any, sql: str, data: bytes) -> bytes:
        found = FORMAT.fullmatch(sql)
        if found is None:
            raise RuntimeError("Code: 62. DB::Exception: an insert of data needs a FORMAT")
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            session.query(f"{found['head']} FROM INFILE '{file.name}' FORMAT {found['format']}")
        return b""


class Endpoint(ThreadingHTTPServer):
    """The server, and the fault that is in force."""

    daemon_threads = True

    def __init__(self, folder: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.engine = Engine(folder)
        self.fault: Fault | None = None
        self.release = threading.Event()
        self.seen: list[str] = []

    def fault_of(self, sql: str) -> str:
        """The fault that a statement meets, '' for none."""
        fault = self.fault
        if fault is None or fault.match not in sql.replace("`", "") or fault.times < 1:
            return ""
        fault.times -= 1
        return fault.kind


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self._body()
        path = urlsplit(self.path)
        if path.path == "/fault":
            self.server.fault = Fault(**json.loads(body))
            self.server.release.clear()
            self._answer(200, b"")
        elif path.path == "/release":
            self.server.release.set()
            self._answer(200, b"")
        else:
            self._statement(body, dict(parse_qsl(path.query, keep_blank_values=True)))

    def _form(self, body: bytes) -> dict[str, str]:
        """The fields of a form: what was too long for the address comes so."""
        kind = self.headers.get("content-type", "")
        if not kind.startswith("multipart/form-data"):
            return {}
        form = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        parts = [part for part in form.walk() if not part.is_multipart()]
        return {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True).decode()  # type: ignore[union-attr]
            for part in parts
        }

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            raw = b"".join(parts)
        else:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        return bytes(DECODERS[self.headers.get("content-encoding", "")](raw))

    def _statement(self, body: bytes, options: dict[str, str]) -> None:
        form = self._form(body)
        if form:
            body, options = b"", {**options, **form}
        sql, data = options.get("query", ""), body
        if not sql:
            found = INSERT.fullmatch(body)
            sql, data = (found["sql"].decode(), found["data"]) if found else (body.decode(), b"")
        fault = self.server.fault_of(sql)
        if fault == "refuse":
            self._answer(503, b"Code: 242. DB::Exception: Table is in readonly mode. (TABLE_IS_READ_ONLY)")
            return
        try:
            answer = self.server.engine.run(sql, data, {k: v for k, v in options.items() if k not in NOT_SETTINGS})
        except RuntimeError as error:
            code = re.search(r"Code: (\d+)", str(error))
            self._answer(500, str(error).encode(), {"X-ClickHouse-Exception-Code": code[1] if code else "1"})
            return
        if fault == "cut":
            self.close_connection = True
            self.connection.close()
        elif fault == "error":
            self._answer(500, b"Code: 159. DB::Exception: Timeout exceeded. (TIMEOUT_EXCEEDED)")
        else:
            if fault == "slow":
                self.server.release.wait(60)
            self._answer(200, answer)

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        packed = "gzip" in self.headers.get("accept-encoding", "")
        content = gzip.compress(content, 1) if packed else content
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing: the tests' output is their own."""


if __name__ == "__main__":
    endpoint = Endpoint(sys.argv[1])
    sys.stdout.write(f"{endpoint.server_port}\n")
    sys.stdout.flush()
    endpoint.serve_forever()
