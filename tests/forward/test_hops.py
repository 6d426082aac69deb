"""Both clients against real servers: one contract, two wires."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from spanwitness.columns import Problem
from spanwitness.errors import Busy, Rejected, TooLarge
from spanwitness.forward import Hop, Parcel, Throttled
from spanwitness.forward.connect import open_hop
from spanwitness.forward.settings import HopSettings
from tests.forward.conftest import CERTIFICATE, Answer, Server, busy, reached
from tests.forward.test_replies import status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BODY = b"\x0a\x00" * 50
PARCEL = Parcel("traces", BODY, 1)


class Wire:
    """One of the two transports, and what its server would say."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.server = Server()

    @asynccontextmanager
    async def hop(self, *, gzip: bool = False, timeout_s: float = 5.0) -> AsyncIterator[Hop]:
        serving = self.server.grpc() if self.scheme == "grpc" else self.server.http()
        async with serving as endpoint:
            hop = open_hop(HopSettings(endpoint, gzip, timeout_s, headers={"x-key": "secret"}))
            try:
                yield hop
            finally:
                await hop.close()

    def refusal(self, grpc: str, http: int, message: str = "", retry_s: float | None = None) -> Answer:
        if self.scheme == "grpc":
            return Answer(grpc, status(message, retry_s) if retry_s is not None else b"", {"message": message})
        headers = {} if retry_s is None else {"retry-after": f"{retry_s:g}"}
        return Answer(http, status(message), headers)


@pytest.fixture(params=["grpc", "http"])
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(request.param)


@pytest.mark.parametrize("gzip", [False, True])
async def test_bytes_arrive_as_they_are_with_the_headers_at_the_right_place(wire: Wire, gzip: bool) -> None:
    async with wire.hop(gzip=gzip) as hop:
        assert await hop.send(PARCEL) is None
        assert await hop.send(Parcel("logs", b"\x0a\x00", 1)) is None
    assert [(parcel.kind, parcel.body) for parcel in wire.server.taken] == [("traces", BODY), ("logs", b"\x0a\x00")]
    assert [headers["x-key"] for headers in wire.server.headers] == ["secret"] * 2
    assert "spanwitness/" in wire.server.headers[0]["user-agent"]


async def test_what_the_hop_rejects_is_told(wire: Wire) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    wire.server.answers = [Answer(body=ExportTraceServiceResponse(partial_success=partial).SerializeToString())]
    async with wire.hop() as hop:
        assert await hop.send(PARCEL) == Problem(3, "the next hop: too old")
        assert await hop.send(PARCEL) is None


async def test_a_hop_that_wants_time_gets_it(wire: Wire) -> None:
    wire.server.answers = [wire.refusal("UNAVAILABLE", 503, retry_s=7.0), wire.refusal("UNAVAILABLE", 503)]
    async with wire.hop() as hop:
        asked = await busy(hop.send(PARCEL))
        assert (type(asked), asked.retry_after_s) == (Throttled, 7.0)
        assert type(await busy(hop.send(PARCEL))) is not Throttled
        assert await hop.send(PARCEL) is None


async def test_a_refusal_for_good_is_one(wire: Wire) -> None:
    wire.server.answers = [
        wire.refusal("INVALID_ARGUMENT", 400, "bad id"),
        wire.refusal("RESOURCE_EXHAUSTED", 413, "too much"),
    ]
    async with wire.hop() as hop:
        with pytest.raises(Rejected, match="bad id"):
            await hop.send(PARCEL)
        with pytest.raises(TooLarge, match="too much"):
            await hop.send(PARCEL)
        assert await hop.send(PARCEL) is None


async def test_a_slow_hop_is_given_up_and_used_again(wire: Wire) -> None:
    wire.server.gate = asyncio.Event()
    async with wire.hop(timeout_s=1.0) as hop:  # short, and long enough for the answer that comes
        await busy(hop.send(PARCEL))
        wire.server.gate.set()
        assert await hop.send(PARCEL) is None


async def test_many_requests_are_under_way_at_once(wire: Wire) -> None:
    wire.server.gate = asyncio.Event()
    async with wire.hop() as hop:
        sending = [asyncio.create_task(hop.send(PARCEL)) for _ in range(20)]
        await reached(lambda: wire.server.together == 20)
        wire.server.gate.set()
        assert await asyncio.gather(*sending) == [None] * 20


async def test_nobody_listening_is_no_reason_to_drop_anything(wire: Wire) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"{wire.scheme}://127.0.0.1:{taken.getsockname()[1]}"
    hop = open_hop(HopSettings(endpoint, timeout_s=5.0))
    await busy(hop.send(PARCEL))
    await hop.close()


async def test_a_hop_that_was_away_at_the_start_is_found_once_it_is_there(wire: Wire) -> None:
    """By itself gRPC would look again after a second, then later and later, up to two minutes."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hop = open_hop(HopSettings(f"{wire.scheme}://127.0.0.1:{port}", timeout_s=1.0))
    for _ in range(10):
        await busy(hop.send(PARCEL))
    async with wire.server.grpc(port) if wire.scheme == "grpc" else wire.server.http(port):
        async with asyncio.timeout(10):
            while not wire.server.taken:
                with suppress(Busy):
                    await hop.send(PARCEL)
                await asyncio.sleep(0.02)
        await hop.close()


class TestTls:
    @asynccontextmanager
    async def sent(self, wire: Wire, ca: bytes | None) -> AsyncIterator[Hop]:
        async with wire.server.grpc(tls=True) if wire.scheme == "grpc" else wire.server.http(tls=True) as endpoint:
            hop = open_hop(HopSettings(endpoint, timeout_s=5.0, ca=ca))
            yield hop
            await hop.close()

    async def test_a_certificate_of_the_given_authority_is_trusted(self, wire: Wire) -> None:
        async with self.sent(wire, CERTIFICATE.read_bytes()) as hop:
            assert await hop.send(PARCEL) is None
        assert len(wire.server.taken) == 1

    async def test_another_is_not_and_nothing_is_sent(self, wire: Wire) -> None:
        async with self.sent(wire, None) as hop:
            await busy(hop.send(PARCEL))
        assert wire.server.taken == []


class TestHttp:
    async def test_connections_are_used_again(self) -> None:
        wire = Wire("http")
        async with wire.hop() as hop:
            for _ in range(5):
                await hop.send(PARCEL)
        assert wire.server.connections == 1

    async def test_a_connection_that_is_cut_is_no_answer(self) -> None:
        wire = Wire("http")
        wire.server.answers = [Answer(), Answer(cut=True)]
        async with wire.hop() as hop:
            assert await hop.send(PARCEL) is None
            await busy(hop.send(PARCEL))
            assert await hop.send(PARCEL) is None

    async def test_a_prefix_stands_before_the_path(self) -> None:
        server = Server()
        async with server.http() as base:
            hop = open_hop(HopSettings(f"{base}/"))
            assert await hop.send(PARCEL) is None
            await hop.close()
        assert server.taken[0].kind == "traces"

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(body=b'{"partialSuccess":{}}', headers={"content-type": "application/json"}),
            Answer(body=b"\x0a" * 100_000),
            Answer(body=b"<html>", headers={"content-type": "text/html"}),
            Answer(status=202),
        ],
    )
    async def test_an_answer_of_another_kind_is_one_all_the_same(self, answer: Answer) -> None:
        wire = Wire("http")
        wire.server.answers = [answer]
        async with wire.hop() as hop:
            assert await hop.send(PARCEL) is None

    async def test_an_error_page_does_not_hide_its_status(self) -> None:
        wire = Wire("http")
        page = {"content-type": "text/html"}
        wire.server.answers = [Answer(502, b"<html>", page), Answer(404, b"<html>", page)]
        async with wire.hop() as hop:
            await busy(hop.send(PARCEL))
            with pytest.raises(Rejected, match="404"):
                await hop.send(PARCEL)

    async def test_a_date_to_come_back_at_counts_from_now(self) -> None:
        wire = Wire("http")
        later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)
        wire.server.answers = [Answer(429, headers={"retry-after": later.strftime("%a, %d %b %Y %H:%M:%S GMT")})]
        async with wire.hop() as hop:
            assert 50 < (await busy(hop.send(PARCEL))).retry_after_s <= 60
