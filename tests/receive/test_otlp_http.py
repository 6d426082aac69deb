"""What only HTTP has: methods, paths, types, codings, browsers, the answer in the request's form."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from backports import zstd
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from spanwitness.errors import Busy, Rejected
from spanwitness.receive import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.receive.conftest import Bench

PROTOBUF, JSON = "application/x-protobuf", "application/json"
SMALL = Limits(message_bytes=2**20, in_flight_bytes=2**22)


async def request(
    bench: Bench, content: bytes = b"", kind: str | None = PROTOBUF, path: str = "/v1/traces", **options: Any
) -> httpx.Response:
    headers = {**({} if kind is None else {"content-type": kind}), **options.pop("headers", {})}
    async with httpx.AsyncClient(base_url=f"http://{bench.address}", timeout=30) as client:
        return await client.request(options.pop("method", "POST"), path, content=content, headers=headers)


async def encoded(bench: Bench, content: bytes, coding: str, kind: str = PROTOBUF) -> httpx.Response:
    return await request(bench, content, kind, headers={"content-encoding": coding})


def status(response: httpx.Response) -> Any:
    """The google.rpc.Status of an error, whichever form it has."""
    if response.headers["content-type"] == PROTOBUF:
        return Status.FromString(response.content)
    assert response.headers["content-type"] == JSON
    told = orjson.loads(response.content)
    return Status(code=told["code"], message=told["message"])


@pytest.mark.parametrize(("kind", "body", "answer"), [(PROTOBUF, b"", b""), (JSON, b"{}", b"{}")])
async def test_success_is_empty_in_the_form_of_the_request(
    http_bench: Bench, kind: str, body: bytes, answer: bytes
) -> None:
    async with http_bench.up():
        response = await request(http_bench, body, kind)
    assert (response.status_code, response.headers["content-type"], response.content) == (200, kind, answer)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "Application/Json ;x=y"])
async def test_content_type_is_read_without_case_and_parameters(http_bench: Bench, kind: str) -> None:
    async with http_bench.up():
        response = await request(http_bench, b'{"resourceSpans":[]}', kind)
    assert (response.status_code, response.headers["content-type"]) == (200, JSON)


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/protobuf-ish", "application/"])
async def test_missing_or_other_content_type_is_415(http_bench: Bench, kind: str | None) -> None:
    async with http_bench.up():
        response = await request(http_bench, b"{}", kind)
    assert response.status_code == 415
    assert "application/x-protobuf or application/json" in status(response).message


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_405(http_bench: Bench, method: str) -> None:
    async with http_bench.up():
        response = await request(http_bench, method=method)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert status(response).message == "OTLP/HTTP is POST"


@pytest.mark.parametrize("path", ["/", "/v1/metrics", "/v1development/profiles", "/v1/trace"])
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
async def test_unknown_paths_are_404_in_the_form_of_the_request(http_bench: Bench, path: str, kind: str) -> None:
    async with http_bench.up():
        response = await request(http_bench, kind=kind, path=path)
    assert (response.status_code, response.headers["content-type"]) == (404, kind)
    assert "/v1/traces" in status(response).message


async def test_the_path_of_traceai_is_traces(http_bench: Bench) -> None:
    sent = http_bench.spans()
    async with http_bench.up():
        response = await request(http_bench, sent.SerializeToString(), path="/tracer/v1/traces")
    assert response.status_code == 200
    assert http_bench.ingest.stored == [sent]


CODINGS: Mapping[str, Any] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
async def test_codings_are_undone(http_bench: Bench, coding: str, kind: str) -> None:
    body = http_bench.spans().SerializeToString() if kind == PROTOBUF else b'{"resourceSpans":[{}]}'
    async with http_bench.up():
        response = await encoded(http_bench, CODINGS[coding](body), coding, kind)
    assert response.status_code == 200
    assert http_bench.ingest.stored[0].ByteSize()


@pytest.mark.parametrize("coding", ["br", "snappy", "gzip, gzip", "x"])
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
async def test_unknown_coding_is_415_and_says_which_are_known(http_bench: Bench, coding: str, kind: str) -> None:
    async with http_bench.up():
        response = await encoded(http_bench, b"", coding, kind)
    assert (response.status_code, response.headers["content-type"]) == (415, kind)
    assert "gzip" in response.headers["accept-encoding"]
    assert "gzip" in status(response).message


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
async def test_plain_body_under_a_coding_is_400(http_bench: Bench, coding: str, kind: str) -> None:
    async with http_bench.up():
        response = await encoded(http_bench, b'{"resourceSpans":[]}', coding, kind)
    assert (response.status_code, response.headers["content-type"]) == (400, kind)
    assert (status(response).code, status(response).message) == (3, "the body is not in its content-encoding")


@pytest.mark.parametrize("body", [b"\x0a\xff\x00 cut", b"\x0a\x05\x12\x01"])
async def test_undecodable_protobuf_reaches_the_ingest_as_it_is(http_bench: Bench, body: bytes) -> None:
    async with http_bench.up():
        response = await request(http_bench, body)
    assert (response.status_code, status(response).message) == (400, "not protobuf")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"resourceSpans":{}}', b'"x"', b"null", b"\xff"])
async def test_bad_json_is_400_before_the_ingest(http_bench: Bench, body: bytes) -> None:
    async with http_bench.up():
        response = await request(http_bench, body, JSON)
    assert (response.status_code, status(response).code) == (400, 3)
    assert http_bench.ingest.waiting == 0


async def test_large_json_is_converted_like_small(http_bench: Bench) -> None:
    name = b"x" * 200_000
    async with http_bench.up():
        body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"%b"}]}]}]}' % name
        response = await request(http_bench, body, JSON)
        broken = await request(http_bench, body[:-1], JSON)
    assert (response.status_code, broken.status_code) == (200, 400)
    assert name.decode() in str(http_bench.ingest.stored[0])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
async def test_bomb_is_413_and_costs_no_memory(http_bench: Bench, coding: str) -> None:
    bomb = CODINGS[coding](bytes(256 * 2**20))
    async with http_bench.up(SMALL):
        tracemalloc.start()
        response = await encoded(http_bench, bomb, coding)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (response.status_code, http_bench.ingest.waiting) == (413, 0)
    assert peak < 8 * 2**20


@pytest.mark.parametrize(("delay", "header"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (2.1, "3")])
async def test_busy_is_503_with_whole_seconds(http_bench: Bench, delay: float, header: str) -> None:
    http_bench.ingest.error = Busy("full", retry_after_s=delay)
    async with http_bench.up():
        response = await request(http_bench)
    assert (response.status_code, response.headers["retry-after"]) == (503, header)


async def test_json_status_has_its_details_as_json(http_bench: Bench) -> None:
    async with http_bench.up():
        http_bench.ingest.error = Busy("full", retry_after_s=1.5)
        busy = (await request(http_bench, b"{}", JSON)).json()
        http_bench.ingest.error = Rejected("bad")
        bad = (await request(http_bench, b"{}", JSON)).json()
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500s"}
    assert busy == {"code": 14, "message": "full", "details": [retry]}
    violation = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"description": "bad"}]}
    assert bad == {"code": 3, "message": "bad", "details": [violation]}


async def test_peer_is_who_connected_not_who_a_header_says(http_bench: Bench) -> None:
    async with http_bench.up():
        await request(http_bench, headers={"x-forwarded-for": "8.8.8.8"})
    assert http_bench.ingest.callers[0].peer.startswith("127.0.0.1:")


ORIGINS = ["https://console.example.com", "https://*.apps.example.com"]
FOREIGN = ["https://example.com", "https://elsewhere.com/x.apps.example.com", "http://console.example.com"]


async def preflight(bench: Bench, origin: str) -> httpx.Response:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-tenant"}
    return await request(bench, kind=None, method="OPTIONS", headers={"origin": origin, **asked})


@pytest.mark.parametrize("origin", ["https://console.example.com", "https://a.apps.example.com"])
async def test_allowed_origin_may_send(http_bench: Bench, origin: str) -> None:
    async with http_bench.up(allowed_origins=ORIGINS):
        asked, sent = await preflight(http_bench, origin), await request(http_bench, headers={"origin": origin})
    assert asked.status_code == sent.status_code == 200
    assert asked.headers["access-control-allow-origin"] == sent.headers["access-control-allow-origin"] == origin
    assert "x-tenant" in asked.headers["access-control-allow-headers"]


@pytest.mark.parametrize("origin", FOREIGN)
async def test_foreign_origin_is_told_nothing(http_bench: Bench, origin: str) -> None:
    async with http_bench.up(allowed_origins=ORIGINS):
        asked, sent = await preflight(http_bench, origin), await request(http_bench, headers={"origin": origin})
    assert "access-control-allow-origin" not in asked.headers
    assert "access-control-allow-origin" not in sent.headers


async def test_every_origin_may_be_allowed(http_bench: Bench) -> None:
    async with http_bench.up(allowed_origins=["*"]):
        asked = await preflight(http_bench, "https://anywhere.example")
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "*")


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
async def test_official_exporter_delivers(http_bench: Bench, compression: Compression) -> None:
    def export() -> None:
        provider = TracerProvider(shutdown_on_exit=False)
        exporter = OTLPSpanExporter(f"http://{http_bench.address}/v1/traces", compression=compression)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("agent").start_as_current_span("chat gpt-4o"):
            pass
        provider.shutdown()

    async with http_bench.up():
        await asyncio.to_thread(export)
    (stored,) = http_bench.ingest.stored
    assert "chat gpt-4o" in str(stored)
