"""What OTLP asks of a server whatever the transport: one suite over gRPC, HTTP protobuf and HTTP JSON."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.errors import Busy, ConfigError, Rejected, StoreError, TooLarge
from spanwitness.receive import Limits

if TYPE_CHECKING:
    from tests.receive.conftest import Answer, Bench, Client

CONTENT = "my card is 4111 1111 1111 1111"
LIMITS = Limits(message_bytes=64 * 1024, in_flight_bytes=2**20)


async def blocked(bench: Bench, client: Client, count: int = 1) -> list[asyncio.Task[Answer]]:
    """Requests that have reached the ingest and wait there."""
    bench.ingest.gate = asyncio.Event()
    tasks = [asyncio.create_task(client.send(bench.spans())) for _ in range(count)]
    await bench.ingest.arrived(count)
    return tasks


def release(bench: Bench) -> None:
    assert bench.ingest.gate is not None
    bench.ingest.gate.set()


async def test_answer_waits_until_the_request_is_stored(bench: Bench) -> None:
    async with bench.calling() as client:
        (sending,) = await blocked(bench, client)
        assert not sending.done()
        release(bench)
        assert (await sending).kind == "stored"
    assert bench.ingest.stored == [bench.spans()]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_request_arrives_unchanged(bench: Bench, packed: bool) -> None:
    async with bench.calling() as client:
        answer = await client.send(bench.spans(name="chat gpt-4o"), packed=packed)
    assert (answer.kind, answer.rejected, answer.reason) == ("stored", 0, "")
    assert bench.ingest.stored == [bench.spans(name="chat gpt-4o")]


@pytest.mark.parametrize("parts", [[], [{}], [{"scope_spans": [{}]}]])
async def test_request_without_spans_succeeds(bench: Bench, parts: list[object]) -> None:
    async with bench.calling() as client:
        empty = ExportTraceServiceRequest(resource_spans=parts)  # type: ignore[arg-type]
        assert (await client.send(empty)).kind == "stored"


async def test_logs_are_told_from_traces(bench: Bench) -> None:
    async with bench.calling() as client:
        assert (await client.send(bench.logs("hello"))).kind == "stored"
    assert bench.ingest.stored == [bench.logs("hello")]


async def test_ingest_learns_headers_and_peer(bench: Bench) -> None:
    async with bench.calling() as client:
        await client.send(bench.spans(), headers={"x-tenant": "acme"})
    (caller,) = bench.ingest.callers
    assert caller.transport == ("grpc" if bench.form == "grpc" else "http")
    assert caller.headers["x-tenant"] == "acme"
    assert caller.peer.startswith("127.0.0.1:")


async def test_bad_items_are_told_as_partial_success(bench: Bench) -> None:
    async with bench.calling() as client:
        spans = await client.send(bench.spans(b"s" * 8, b"short", b""))
    assert (spans.kind, spans.rejected, spans.reason) == ("stored", 2, "bad ids")


async def test_warning_is_told_without_rejecting_anything(bench: Bench) -> None:
    bench.ingest.warning = "spans of the future"
    async with bench.calling() as client:
        for request in (bench.spans(), bench.logs("hello")):
            answer = await client.send(request)
            assert (answer.kind, answer.rejected, answer.reason) == ("stored", 0, "spans of the future")


async def test_busy_is_retryable_with_a_delay_and_passes(bench: Bench) -> None:
    bench.ingest.error = Busy("the buffer is full", retry_after_s=2.5)
    async with bench.calling() as client:
        answer = await client.send(bench.spans())
        assert (answer.kind, answer.reason, answer.retry_after_s) == ("retry", "the buffer is full", 2.5)
        assert not answer.bad_request
        bench.ingest.error = None
        assert (await client.send(bench.spans())).kind == "stored"


async def test_rejected_is_final_and_says_why(bench: Bench) -> None:
    bench.ingest.error = Rejected("every id is bad")
    async with bench.calling() as client:
        answer = await client.send(bench.spans())
    assert (answer.kind, answer.reason) == ("final", "every id is bad")
    assert answer.retry_after_s is None
    assert answer.bad_request


async def test_too_large_is_final(bench: Bench) -> None:
    bench.ingest.error = TooLarge("over the limit")
    async with bench.calling() as client:
        answer = await client.send(bench.spans())
    assert (answer.kind, answer.reason, answer.retry_after_s) == ("too large", "over the limit", None)


@pytest.mark.parametrize("fault", [StoreError(f"cannot parse {CONTENT}"), KeyError(CONTENT), OSError(28, CONTENT)])
async def test_fault_of_ours_is_retryable_and_tells_no_content(
    bench: Bench, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    bench.ingest.error = fault
    async with bench.calling() as client:
        answer = await client.send(bench.spans(name=CONTENT))
    assert (answer.kind, answer.retry_after_s) == ("retry", 1.0)
    assert CONTENT not in answer.reason
    assert CONTENT not in caplog.text
    assert type(fault).__name__ in caplog.text


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_request_over_the_limit_is_refused_and_the_next_is_not(bench: Bench, packed: bool) -> None:
    async with bench.calling(LIMITS) as client:
        answer = await client.send(bench.spans(name="x" * LIMITS.message_bytes), packed=packed)
        assert (answer.kind, answer.retry_after_s) == ("too large", None)
        assert (await client.send(bench.spans())).kind == "stored"
    assert bench.ingest.stored == [bench.spans()]


async def test_bytes_in_flight_are_bounded_and_room_comes_back(bench: Bench) -> None:
    large = bench.spans(name="x" * 600)
    async with bench.calling(Limits(message_bytes=1000, in_flight_bytes=1000)) as client:
        bench.ingest.gate = asyncio.Event()
        sending = asyncio.create_task(client.send(large))
        await bench.ingest.arrived(1)
        second = await client.send(large)
        assert (second.kind, second.reason, second.retry_after_s) == ("retry", "too many requests in flight", 1.0)
        release(bench)
        assert (await sending).kind == "stored"
        assert (await client.send(large)).kind == "stored"


async def test_two_hundred_requests_wait_side_by_side(bench: Bench) -> None:
    async with bench.calling() as client:
        tasks = await blocked(bench, client, 200)
        release(bench)
        assert {answer.kind for answer in await asyncio.gather(*tasks)} == {"stored"}
    assert len(bench.ingest.stored) == 200


async def test_stop_answers_what_is_in_flight_and_refuses_the_rest(bench: Bench) -> None:
    async with bench.up() as receiver:
        client, late = bench.client(), bench.client()
        (sending,) = await blocked(bench, client)
        stopping = asyncio.create_task(receiver.stop(10))
        await bench.refusing()
        assert (await late.send(bench.spans())).kind == "retry"
        assert not sending.done()
        release(bench)
        assert (await sending).kind == "stored"
        await stopping
        await asyncio.gather(client.close(), late.close())
    assert len(bench.ingest.stored) == 1


async def test_stop_out_of_grace_is_retryable(bench: Bench) -> None:
    async with bench.up() as receiver:
        client = bench.client()
        (sending,) = await blocked(bench, client)
        await receiver.stop(0)
        assert (await sending).kind == "retry"
        await client.close()
    assert not bench.ingest.stored


async def test_port_in_use_is_one_line_that_names_the_key(bench: Bench) -> None:
    key = "receive.grpc" if bench.form == "grpc" else "receive.http"
    async with bench.up():
        with pytest.raises(ConfigError, match=f"^{key}: cannot listen on {bench.address}: Address already in use; "):
            await bench.receiver(bench.address).start()


async def test_port_is_free_again_after_stop(bench: Bench) -> None:
    async with bench.up() as first:
        await first.stop(1)
        again = bench.receiver(bench.address)
        assert await again.start() == bench.address
        await again.stop(1)


@pytest.mark.parametrize("address", ["", "4317", ":4317", "localhost:", "localhost:http", "localhost:70000"])
async def test_malformed_address_says_what_is_allowed(bench: Bench, address: str) -> None:
    with pytest.raises(ConfigError, match=r"allowed is HOST:PORT or \[IPV6\]:PORT"):
        await bench.receiver(address).start()


async def test_foreign_address_says_why(bench: Bench) -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:0: "):
        await bench.receiver("192.0.2.1:0").start()


async def test_receiver_that_never_started_stops(bench: Bench) -> None:
    await bench.receiver().stop(1)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
async def test_ipv6_address_is_bound_and_told_in_brackets(bench: Bench) -> None:
    receiver = bench.receiver("[::1]:0")
    bench.address = await receiver.start()
    assert bench.address.startswith("[::1]:")
    client = bench.client()
    assert (await client.send(bench.spans())).kind == "stored"
    assert bench.ingest.callers[0].peer.startswith("[::1]:")
    await client.close()
    await receiver.stop(1)


def test_limits_under_which_nothing_would_pass_are_refused() -> None:
    with pytest.raises(ConfigError, match="max_request: 10 is not allowed; allowed is 1 to "):
        Limits(message_bytes=10, in_flight_bytes=9)
