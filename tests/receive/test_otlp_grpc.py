"""What only gRPC has: services by name, its own size errors, metadata, draining of open connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from spanwitness.errors import Busy, Rejected, SpanWitnessError, TooLarge
from spanwitness.receive import Limits, Signal
from spanwitness.receive.otlp_grpc import SERVICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.receive.conftest import Bench

TRACES = f"/{SERVICES[Signal.TRACES]}/Export"
PACKAGE = "opentelemetry.proto.collector"


async def call(
    address: str, body: bytes, method: str = TRACES, metadata: Sequence[tuple[str, str | bytes]] = (), **options: Any
) -> grpc.aio.AioRpcError | bytes:
    """One call on a channel of its own: the answer's bytes, or the error as a client meets it."""
    async with grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel:
        export: Any = channel.unary_unary(method)
        try:
            answer: bytes = await export(body, metadata=metadata, **options)
        except grpc.aio.AioRpcError as error:
            return error
        return answer


async def failed(address: str, body: bytes, **options: Any) -> grpc.aio.AioRpcError:
    answer = await call(address, body, **options)
    assert isinstance(answer, grpc.aio.AioRpcError)
    return answer


def details(error: grpc.aio.AioRpcError) -> bytes | str | None:
    return dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")


async def test_success_is_an_empty_message(grpc_bench: Bench) -> None:
    async with grpc_bench.up():
        assert await call(grpc_bench.address, grpc_bench.spans().SerializeToString()) == b""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Busy("full"), grpc.StatusCode.UNAVAILABLE),
        (Rejected("bad"), grpc.StatusCode.INVALID_ARGUMENT),
        (TooLarge("big"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (ZeroDivisionError("ours"), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_code_follows_the_error_and_the_details_repeat_it(
    grpc_bench: Bench, error: Exception, code: grpc.StatusCode
) -> None:
    grpc_bench.ingest.error = error
    async with grpc_bench.up():
        refused = await failed(grpc_bench.address, b"")
    status = Status.FromString(details(refused))
    assert refused.code() == code
    assert (status.code, status.message) == (code.value[0], refused.details())
    if isinstance(error, SpanWitnessError):
        assert refused.details() == str(error)


async def test_long_reason_fits_into_the_trailers(grpc_bench: Bench) -> None:
    grpc_bench.ingest.error = Rejected("ä" * 100_000)
    async with grpc_bench.up():
        refused = await failed(grpc_bench.address, b"")
    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refused.details() == "ä" * 300


async def test_undecodable_bytes_reach_the_ingest_as_they_are(grpc_bench: Bench) -> None:
    async with grpc_bench.up():
        refused = await failed(grpc_bench.address, b"\x0a\xff\x00 cut")
    assert (refused.code(), refused.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "not protobuf")


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_over_20_mib_is_resource_exhausted_without_retry_info(
    grpc_bench: Bench, compression: grpc.Compression
) -> None:
    async with grpc_bench.up():
        refused = await failed(grpc_bench.address, bytes(20 * 2**20 + 1), compression=compression)
    assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(refused) is None
    assert grpc_bench.ingest.waiting == 0


async def test_20_mib_pass(grpc_bench: Bench) -> None:
    frame = len(grpc_bench.spans(name="x" * 2**24).SerializeToString()) - 2**24
    full = grpc_bench.spans(name="x" * (20 * 2**20 - frame))
    async with grpc_bench.up():
        assert await call(grpc_bench.address, full.SerializeToString()) == b""


@pytest.mark.parametrize(
    "method",
    [
        f"/{PACKAGE}.metrics.v1.MetricsService/Export",
        f"/{PACKAGE}.profiles.v1development.ProfilesService/Export",
        f"/{PACKAGE}.trace.v1.TraceService/Import",
    ],
)
async def test_other_services_are_unimplemented(grpc_bench: Bench, method: str) -> None:
    async with grpc_bench.up():
        refused = await failed(grpc_bench.address, b"", method=method)
    assert refused.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_repeated_metadata_is_joined_and_binary_left_out(grpc_bench: Bench) -> None:
    metadata: list[tuple[str, str | bytes]] = [("x-tenant", "acme"), ("x-tenant", "evil"), ("trace-bin", b"\x01")]
    async with grpc_bench.up():
        await call(grpc_bench.address, b"", metadata=metadata)
    headers = grpc_bench.ingest.callers[0].headers
    assert headers["x-tenant"] == "acme, evil"
    assert "trace-bin" not in headers


async def test_sender_that_gives_up_leaves_the_server_well(grpc_bench: Bench) -> None:
    grpc_bench.ingest.gate = asyncio.Event()
    async with grpc_bench.up():
        gone = asyncio.create_task(call(grpc_bench.address, b""))
        await grpc_bench.ingest.arrived(1)
        gone.cancel()
        grpc_bench.ingest.gate.set()
        assert await call(grpc_bench.address, b"") == b""


async def test_new_call_on_an_open_connection_is_retryable_while_draining(grpc_bench: Bench) -> None:
    grpc_bench.ingest.gate = asyncio.Event()
    async with grpc_bench.up() as receiver, grpc.aio.insecure_channel(grpc_bench.address) as channel:
        export: Any = channel.unary_unary(TRACES)
        first = export(b"")
        await grpc_bench.ingest.arrived(1)
        stopping = asyncio.create_task(receiver.stop(10))
        await grpc_bench.refusing()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await export(b"")
        # Which of the two depends on whether the connection heard of the stop before the call; OTLP retries both.
        assert refused.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        grpc_bench.ingest.gate.set()
        assert await first == b""
        await stopping


@pytest.fixture
def provider() -> TracerProvider:
    return TracerProvider(shutdown_on_exit=False)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_official_exporter_delivers(
    grpc_bench: Bench, provider: TracerProvider, compression: grpc.Compression
) -> None:
    def export() -> None:
        exporter = OTLPSpanExporter(f"http://{grpc_bench.address}", insecure=True, compression=compression)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("agent").start_as_current_span("chat gpt-4o"):
            pass
        provider.shutdown()

    async with grpc_bench.up(Limits(message_bytes=4096)):
        await asyncio.to_thread(export)
    (request,) = grpc_bench.ingest.stored
    assert "chat gpt-4o" in str(request)
