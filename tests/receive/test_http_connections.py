"""HTTP seen from the socket: connections that outlive errors, requests that never end, stops in mid-request."""

from __future__ import annotations

import asyncio
import http.client
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from spanwitness.receive import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.receive.conftest import Bench

SMALL = Limits(message_bytes=2**20, in_flight_bytes=2**22)
HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n"
EMPTY = HEAD + b"content-length: 0\r\n\r\n"
WAITING = HEAD + b"content-length: 100\r\nexpect: 100-continue\r\n\r\n"


class Wire:
    """A connection as a sender holds it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def status(self) -> int:
        """The code of the next answer, past its headers; 0 when the connection closed instead."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return 0
        return int(head.split()[1])


@asynccontextmanager
async def wire(bench: Bench, sent: bytes = b"") -> AsyncIterator[Wire]:
    host, _, port = bench.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


def post(connection: http.client.HTTPConnection, body: bytes) -> int:
    connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
    response = connection.getresponse()
    response.read()
    return response.status


async def test_20_mib_and_one_byte_is_413_and_the_connection_stays(http_bench: Bench) -> None:
    async with http_bench.up():
        connection = http.client.HTTPConnection(http_bench.address)
        assert await asyncio.to_thread(post, connection, bytes(20 * 2**20 + 1)) == 413
        socket = connection.sock
        assert await asyncio.to_thread(post, connection, b"") == 200
        assert connection.sock is socket
        connection.close()


async def test_body_of_unknown_length_is_refused_while_it_is_sent(http_bench: Bench) -> None:
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    async with http_bench.up(SMALL), wire(http_bench, HEAD + b"transfer-encoding: chunked\r\n\r\n") as line:
        for _ in range(17):
            line.write(chunk)
        assert await line.status() == 413


async def test_repeated_header_is_joined(http_bench: Bench) -> None:
    twice = HEAD + b"X-Tenant: acme\r\nx-tenant: evil\r\ncontent-length: 0\r\n\r\n"
    async with http_bench.up(), wire(http_bench, twice) as line:
        assert await line.status() == 200
    assert http_bench.ingest.callers[0].headers["x-tenant"] == "acme, evil"


@pytest.mark.parametrize("head", [b"", b"POST /v1/tr", HEAD])
async def test_slow_header_is_cut_off(http_bench: Bench, head: bytes) -> None:
    async with http_bench.up(header_timeout_s=0.3), wire(http_bench, head) as line:
        assert await line.status() == 0


async def test_request_may_wait_longer_than_its_header_might(http_bench: Bench) -> None:
    async with http_bench.up(header_timeout_s=0.3), wire(http_bench, EMPTY) as line:
        assert await line.status() == 200
        http_bench.ingest.gate = asyncio.Event()
        line.write(EMPTY[:20])
        line.write(EMPTY[20:])
        await http_bench.ingest.arrived(2)
        async with wire(http_bench) as silent:
            assert await silent.status() == 0
        http_bench.ingest.gate.set()
        assert await line.status() == 200


async def test_body_that_goes_on_after_its_answer_is_cut_off(http_bench: Bench) -> None:
    endless = HEAD + b"content-length: 99999999\r\n\r\n"
    async with http_bench.up(SMALL, header_timeout_s=0.3), wire(http_bench, endless) as line:
        assert await line.status() == 413
        line.write(b"x")
        await line.reader.read()
        assert line.reader.at_eof()


async def test_request_being_read_at_stop_is_answered(http_bench: Bench) -> None:
    body = http_bench.spans().SerializeToString()
    begun = HEAD + b"content-length: %d\r\nexpect: 100-continue\r\n\r\n" % len(body)
    async with http_bench.up() as receiver, wire(http_bench, begun) as line:
        assert await line.status() == 100
        stopping = asyncio.create_task(receiver.stop(10))
        await http_bench.refusing()
        line.write(body)
        assert await line.status() == 200
        await stopping
    assert http_bench.ingest.stored == [http_bench.spans()]


async def test_slow_body_holds_up_neither_others_nor_a_stop(http_bench: Bench) -> None:
    async with http_bench.up() as receiver, wire(http_bench, WAITING) as slow, wire(http_bench, EMPTY) as quick:
        assert await slow.status() == 100
        assert await quick.status() == 200
        await receiver.stop(0)
        assert await slow.status() == 503


async def test_sender_that_goes_away_leaves_no_trace(http_bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async with http_bench.up():
        async with wire(http_bench, WAITING) as gone:
            assert await gone.status() == 100
        async with wire(http_bench, EMPTY) as line:
            assert await line.status() == 200
    assert http_bench.ingest.waiting == 1
    assert not caplog.text


async def test_signals_stay_with_the_owner_of_the_process(http_bench: Bench) -> None:
    handled = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in handled]
    async with http_bench.up():
        assert [signal.getsignal(number) for number in handled] == before
