"""Between store and next hop: what goes on of each request, when its sender is answered, and the scores after it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spanwitness.columns import Problem
from spanwitness.decode import decode_spans
from spanwitness.errors import Busy, Rejected, StoreError
from spanwitness.forward import Parcel, Tally
from spanwitness.forward.direct import Direct
from spanwitness.pipeline import Ingestion, IngestRules
from spanwitness.pipeline.parcels import Packer
from spanwitness.receive import Caller, Signal
from spanwitness.store.batch import BatchLimits
from spanwitness.tag import TenantRule, tag_spans
from spanwitness.testing import EPOCH, FakeSpan, chat, log_request, tool, trace_request
from tests.forward.conftest import MemoryHop, reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from spanwitness.receive import Outcome
    from tests.conftest import Lanes

AT_ONCE = BatchLimits(max_wait_s=0.05, early_bytes=1)
NOBODY = Caller("grpc", {}, "")


@dataclass
class Chain:
    """The request lane with a next hop behind it."""

    lanes: Lanes
    hop: MemoryHop = field(default_factory=MemoryHop)
    rules: IngestRules = field(default_factory=lambda: IngestRules(limits=AT_ONCE))
    now: float = 0.0

    @asynccontextmanager
    async def up(self, *answers: Problem | Exception | None, logs: bool = True) -> AsyncIterator[Ingestion]:
        self.hop.answers = list(answers)
        self.direct = Direct(lambda: self.hop, lambda: self.now)
        await self.direct.start()
        ingestion = Ingestion(self.lanes.store, self.rules, self.lanes.clock, self.direct, logs_onward=logs)
        ingestion.start()
        try:
            yield ingestion
        finally:
            await ingestion.stop()
            await self.direct.stop()

    def send(self, *bodies: bytes, answers: Sequence[Problem | Exception | None] = (), **options: Any) -> list[Any]:
        """Sends requests at once; what each sender is told."""

        async def run() -> list[Any]:
            async with self.up(*answers) as ingestion:
                kind, caller = options.get("signal", Signal.TRACES), options.get("caller", NOBODY)
                sent = (ingestion(body, kind, caller) for body in bodies)
                return await asyncio.gather(*sent, return_exceptions=True)

        return asyncio.run(run())

    def spans(self) -> list[Any]:
        """All that the hop took."""
        requests = [ExportTraceServiceRequest.FromString(one.body) for one in self.hop.taken if one.kind == "traces"]
        return [
            span
            for request in requests
            for part in request.resource_spans
            for scope in part.scope_spans
            for span in scope.spans
        ]

    def stored(self, what: str = "count()") -> Any:
        (row,) = self.lanes.rows(f"SELECT {what} AS n FROM otel_traces FINAL")
        return row["n"]


@pytest.fixture
def chain(lanes: Lanes) -> Chain:
    return Chain(lanes)


def told(owner: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in owner.attributes}


def with_bad_span(*good: FakeSpan) -> bytes:
    request = ExportTraceServiceRequest.FromString(trace_request(good))
    request.resource_spans[0].scope_spans[0].spans.insert(0, FakeSpan(9, 9).proto())
    request.resource_spans[0].scope_spans[0].spans[0].span_id = b"short"
    return request.SerializeToString()


class TestRequests:
    def test_each_request_goes_on_as_a_request_with_its_own_tags(self, chain: Chain) -> None:
        first = trace_request([chat(1, 1, 0, "a"), tool(1, 2)])
        second = trace_request([chat(2, 3, 0, "b", served="gpt-4o-mini-2024-07-18")], tenant="other")
        assert [(answer.rejected, answer.reason) for answer in chain.send(first, second)] == [(0, "")] * 2
        assert sorted(one.items for one in chain.hop.taken) == [1, 2]
        found = {span.span_id.hex(): told(span) for span in chain.spans()}
        assert len(found) == 3
        assert found[chat(1, 1).span_id]["spanwitness.model.version"] == "openai/gpt-4o-2024-08-06"
        assert found[tool(1, 2).span_id]["spanwitness.step.kind"] == "tool"
        third = found[chat(2, 3).span_id]
        assert third["tenant.id"] == "other"
        assert third["spanwitness.model.version"] == "openai/gpt-4o-mini-2024-07-18"

    def test_a_span_that_was_refused_is_not_passed_on_and_told_once(self, chain: Chain) -> None:
        (answer,) = chain.send(with_bad_span(chat(1, 1)))
        assert answer.rejected == 1
        assert [span.span_id.hex() for span in chain.spans()] == [chat(1, 1).span_id]

    def test_what_is_not_stored_is_not_passed_on(self, chain: Chain) -> None:
        answers = chain.send(b"nonsense", b"", with_bad_span())
        assert [type(answer).__name__ for answer in answers] == ["Rejected", "Outcome", "Rejected"]
        assert chain.hop.taken == []

    def test_a_store_that_is_away_passes_nothing_on(self, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object) -> None:
            raise StoreError("away")

        monkeypatch.setattr(chain.lanes.store, "insert", away)
        (answer,) = chain.send(trace_request([chat(1, 1)]))
        assert isinstance(answer, Busy)
        assert chain.hop.taken == []

    def test_what_the_hop_rejects_is_told_with_what_we_refused(self, chain: Chain) -> None:
        """Conformance 48: partial_success of the next hop is passed on."""
        (answer,) = chain.send(with_bad_span(chat(1, 1), chat(1, 2)), answers=[Problem(1, "the next hop: too old")])
        assert answer.rejected == 2
        assert answer.reason.startswith("1 of 3 spans refused")
        assert answer.reason.endswith("; the next hop: too old")
        assert chain.stored() == 2

    def test_a_warning_of_the_hop_reaches_the_sender(self, chain: Chain) -> None:
        (answer,) = chain.send(trace_request([chat(1, 1)]), answers=[Problem(0, "the next hop: deprecated")])
        assert (answer.rejected, answer.reason) == (0, "the next hop: deprecated")

    def test_a_hop_that_is_away_makes_the_sender_retry_and_no_row_double(self, chain: Chain) -> None:
        """Conformance 48: a 503 of the next hop does not lead to a double insert on the client's retry."""
        body = trace_request([chat(1, 1, 0, "c"), chat(1, 2, 1, "c")])
        other = trace_request([chat(2, 1, 0, "c")])
        (answer,) = chain.send(body, answers=[Busy("away", retry_after_s=7.0)])
        assert isinstance(answer, Busy)
        assert answer.retry_after_s == 7.0
        assert chain.stored() == 2, "it is in the record already"
        assert [type(again).__name__ for again in chain.send(body, other)] == ["Outcome"] * 2
        assert chain.stored() == 3
        assert chain.stored("uniqExact(TraceId, SpanId)") == 3
        assert len(chain.spans()) == 3
        assert chain.lanes.close_everything().closed == 1
        assert chain.lanes.rows("SELECT Steps FROM conversations FINAL") == [{"Steps": 3}]

    def test_a_retry_after_the_close_reopens_nothing(self, chain: Chain) -> None:
        body = trace_request([chat(1, 1, 0, "c")])
        chain.send(body, answers=[Busy("away")])
        assert chain.lanes.close_everything().closed == 1
        chain.send(body)
        swept = chain.lanes.close_everything()
        assert (swept.closed, swept.revised) == (0, 0)
        assert chain.stored() == 1

    def test_only_the_sender_whose_request_the_hop_did_not_take_retries(self, chain: Chain) -> None:
        bodies = [trace_request([chat(number, 1)]) for number in range(1, 4)]
        answers = chain.send(*bodies, answers=[None, Busy("away"), None])
        assert sorted(type(answer).__name__ for answer in answers) == ["Busy", "Outcome", "Outcome"]
        assert chain.stored() == 3

    def test_a_refusal_for_good_ends_in_an_answer_and_not_in_a_retry(self, chain: Chain) -> None:
        (answer,) = chain.send(
            trace_request([chat(1, 1), chat(1, 2)]),
            answers=[Rejected("the next hop refused the request for good (400)")],
        )
        assert answer.rejected == 2
        assert answer.reason.startswith("in the record of SpanWitness, but the next hop refused")
        assert chain.stored() == 2

    def test_while_the_hop_is_away_the_store_is_not_filled_with_copies(self, chain: Chain) -> None:
        body = trace_request([chat(1, 1)])

        async def run() -> None:
            async with chain.up(Busy("away")) as ingestion:
                for _ in range(5):
                    with suppress(Busy):
                        await ingestion(body, Signal.TRACES, NOBODY)
                assert chain.lanes.rows("SELECT toUInt32(sum(Batches)) AS n FROM otel_traces_trace_id_ts") == [{"n": 0}]
                ingestion.flush()
                assert chain.lanes.rows("SELECT toUInt32(sum(Batches)) AS n FROM otel_traces_trace_id_ts") == [{"n": 1}]
                chain.now += 1
                await ingestion(body, Signal.TRACES, NOBODY)

        asyncio.run(run())
        assert len(chain.hop.taken) == 1

    def test_a_slow_hop_keeps_nobody_from_being_stored(self, chain: Chain) -> None:
        release = asyncio.Event()

        class Slow(MemoryHop):
            async def send(self, parcel: Parcel) -> Problem | None:
                await release.wait()
                return await super().send(parcel)

        chain.hop = Slow()

        async def run() -> None:
            async with chain.up() as ingestion:
                sent = []
                for number in range(1, 6):  # more batches than may be under way in the store
                    body = trace_request([chat(number, 1)])
                    sent.append(asyncio.ensure_future(ingestion(body, Signal.TRACES, NOBODY)))
                    await reached(lambda wanted=number: chain.stored() == wanted)  # type: ignore[misc]
                assert not any(one.done() for one in sent)
                release.set()
                await asyncio.gather(*sent)

        asyncio.run(run())

    def test_requests_on_their_way_to_the_hop_count_as_pending(self, chain: Chain) -> None:
        """Memory is bounded by the buffer, however slow the hop is."""
        body = trace_request([chat(1, 1)])
        chain.rules = IngestRules(limits=BatchLimits(max_wait_s=0.01, early_bytes=1, pending_bytes=3 * len(body)))
        release = asyncio.Event()

        class Slow(MemoryHop):
            async def send(self, parcel: Parcel) -> Problem | None:
                await release.wait()
                return await super().send(parcel)

        chain.hop = Slow()

        async def run() -> None:
            async with chain.up() as ingestion:
                sent = [asyncio.ensure_future(ingestion(body, Signal.TRACES, NOBODY)) for _ in range(3)]
                await asyncio.sleep(0.2)
                with pytest.raises(Busy, match="buffer is full"):
                    await ingestion(body, Signal.TRACES, NOBODY)
                release.set()
                await asyncio.gather(*sent)

        asyncio.run(run())

    def test_what_cannot_be_followed_is_stored_told_and_not_retried_for_ever(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        tally = Tally()
        body = trace_request([chat(1, 1), chat(1, 2)])
        batch = decode_spans([body])
        tagged = tag_spans(batch, [""], TenantRule(), EPOCH)
        work = Packer(tally, {Signal.TRACES}).work(tagged, [body + b"\x0f"], batch, tagged, Signal.TRACES)
        assert work.onward == {}
        assert work.problems == {0: Problem(2, "stored, but not passed on: its bytes could not be followed")}
        assert tally.failed == 2
        assert "cannot be passed on" in caplog.text


class TestTenants:
    def test_the_caller_that_is_bound_to_a_tenant_decides_for_those_downstream_too(self, chain: Chain) -> None:
        """Whatever its resource and spans claim."""
        chain.rules = IngestRules(tenant_header="x-tenant", limits=AT_ONCE)
        body = trace_request([chat(1, 1, attributes={"tenant.id": "evil", "spanwitness.model.served": "evil"})])
        chain.send(body, caller=Caller("http", {"x-tenant": "bound"}, ""))
        (parcel,) = chain.hop.taken
        (part,) = ExportTraceServiceRequest.FromString(parcel.body).resource_spans
        assert told(part.resource) == {"service.name": "claims"}
        (span,) = chain.spans()
        assert told(span)["tenant.id"] == "bound"
        assert told(span)["spanwitness.model.served"] == "gpt-4o-2024-08-06"
        assert b"evil" not in parcel.body
        assert chain.stored("any(TenantId)") == "bound"


class TestLogs:
    def test_they_go_on_unchanged(self, chain: Chain) -> None:
        body = log_request("hello", trace=1, span=1)
        chain.send(body, signal=Signal.LOGS)
        assert chain.hop.taken == [Parcel("logs", body, 1)]

    def test_or_not_at_all_and_then_a_hop_that_is_away_does_not_matter(self, chain: Chain) -> None:
        async def run() -> Outcome:
            async with chain.up(Busy("away"), logs=False) as ingestion:
                with pytest.raises(Busy):
                    await ingestion(trace_request([chat(1, 1)]), Signal.TRACES, NOBODY)
                return await ingestion(log_request("hello", trace=1, span=1), Signal.LOGS, NOBODY)

        assert asyncio.run(run()).rejected == 0
        assert chain.hop.taken == []
        assert len(chain.lanes.rows("SELECT Body FROM otel_logs")) == 1
