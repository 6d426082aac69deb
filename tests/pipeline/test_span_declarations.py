"""Changes that spans declare: on record once their sender is answered, whatever they look like and however often."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from spanwitness.app import ingest_rules
from spanwitness.config import parse
from spanwitness.errors import StoreError
from spanwitness.model import Deployment
from spanwitness.pipeline import Ingestion, IngestRules, Register
from spanwitness.receive import Signal
from spanwitness.store.deployments import deployments_of
from spanwitness.testing import EPOCH, FakeSpan, chat, trace_request

if TYPE_CHECKING:
    from tests.conftest import Lanes

OURS = "spanwitness.deployment."
SAID = {"deployment.id": "1208", f"{OURS}to_model": "gpt-4o-mini-2024-07-18"}


def deploying(attributes: dict[str, Any], *, at: float = 5.0, span: int = 1) -> FakeSpan:
    return FakeSpan(9, span, at, "", "deploy", "deploy", attributes=attributes)


def on_resource(spans: list[FakeSpan], attributes: dict[str, str], **other: str) -> bytes:
    request = ExportTraceServiceRequest.FromString(trace_request(spans, **other))
    request.resource_spans[0].resource.attributes.extend(
        KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()
    )
    return request.SerializeToString()


def declared(lanes: Lanes, attributes: dict[str, Any], tenant: str = "acme") -> list[Deployment]:
    lanes.clock.advance(minutes=1)
    assert lanes.ingest([trace_request([deploying(attributes)], tenant=tenant)]) == {}
    return deployments_of(lanes.store, tenant)


def test_a_span_that_says_what_it_brings_is_a_declaration(lanes: Lanes) -> None:
    assert declared(lanes, SAID) == [
        Deployment(
            tenant="acme",
            deployment_id="1208",
            to_version="gpt-4o-mini-2024-07-18",
            valid_from=EPOCH + dt.timedelta(seconds=5),
            declared_at=EPOCH + dt.timedelta(minutes=1),
            service="claims",
            declared_by="claims",
            reason="deployment 1208",
            source="span",
        )
    ]


def test_all_that_can_be_said_is_taken(lanes: Lanes) -> None:
    said = {
        "deployment.name": "deploy claims",
        "deployment.status": "succeeded",
        f"{OURS}to_model": "gpt-4o-mini",
        f"{OURS}from_model": "gpt-4o",
        f"{OURS}service": "claims-voice",
        f"{OURS}agent": "claims_agent",
        f"{OURS}by": "jane",
        f"{OURS}from": "2026-11-21T09:00:00Z",
        f"{OURS}until": "2026-11-22T09:00:00Z",
    }
    (found,) = declared(lanes, said)
    assert (found.service, found.agent, found.from_version) == ("claims-voice", "claims_agent", "gpt-4o")
    assert (found.declared_by, found.reason) == ("jane", "deploy claims")
    assert found.valid_from == dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC)
    assert found.valid_until == dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"deployment.id": "1208"},
        {"deployment.environment.name": "prod", f"{OURS}to_model": "gpt-4o-mini"},
        {f"{OURS}to_model": "gpt-4o-mini"},
        {"deployment.id": "1208", f"{OURS}reason": "because"},
        {"deployment.id": "1208", f"{OURS}by": "jane"},
        {**SAID, "deployment.status": "failed"},
        {**SAID, f"{OURS}to_model": ""},
        {**SAID, f"{OURS}until": "tomorrow"},
    ],
)
def test_what_says_less_declares_nothing(lanes: Lanes, said: dict[str, Any]) -> None:
    assert declared(lanes, said) == []


def test_what_is_not_allowed_is_logged_and_stored_as_a_span(lanes: Lanes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert declared(lanes, {**SAID, f"{OURS}until": "tomorrow"}) == []
    assert "tenant acme, service claims declares nothing: until = 'tomorrow'" in caplog.text
    assert len(lanes.rows("SELECT SpanId FROM otel_traces")) == 1


def test_a_release_alone_declares_nothing(lanes: Lanes) -> None:
    body = on_resource([chat(1, 1, 0, "c")], {"service.version": "2.5.0", "deployment.id": "1208"})
    assert lanes.ingest([body]) == {}
    assert deployments_of(lanes.store, "acme") == []


def test_who_deploys_by_name_declares_the_release_that_the_spans_tell(lanes: Lanes) -> None:
    said = {"service.version": "2.5.0", "deployment.id": "1208", f"{OURS}by": "jane"}
    assert lanes.ingest([on_resource([chat(1, 1, 0, "c"), chat(2, 1, 9, "d")], said)]) == {}
    (found,) = deployments_of(lanes.store, "acme")
    assert (found.kind, found.to_version, found.declared_by) == ("agent", "2.5.0", "jane")


def test_a_model_a_prompt_and_an_agent_may_come_in_one_deployment(lanes: Lanes) -> None:
    said = {**SAID, f"{OURS}to_prompt": "p-8", f"{OURS}to_agent_version": "2.5.0"}
    found = {one.deployment_id: (one.kind, one.to_version) for one in declared(lanes, said)}
    assert found == {
        "1208:model": ("model", "gpt-4o-mini-2024-07-18"),
        "1208:prompt": ("prompt", "p-8"),
        "1208:agent": ("agent", "2.5.0"),
    }


def test_every_service_of_the_tenant_is_named_by_a_star(lanes: Lanes) -> None:
    (found,) = declared(lanes, {**SAID, f"{OURS}service": "*"})
    assert found.service == ""


def test_a_span_declares_for_its_own_tenant_alone(lanes: Lanes) -> None:
    declared(lanes, {**SAID, f"{OURS}tenant": "globex"}, tenant="acme")
    assert len(deployments_of(lanes.store, "acme")) == 1
    assert deployments_of(lanes.store, "globex") == []


def test_a_caller_that_is_bound_to_a_tenant_declares_for_that_one(lanes: Lanes) -> None:
    lanes.ingest([trace_request([deploying(SAID)], tenant="globex")], tenants=["acme"])
    assert len(deployments_of(lanes.store, "acme")) == 1
    assert deployments_of(lanes.store, "globex") == []


def test_said_on_every_span_it_is_one_declaration_from_the_first_of_them_on(lanes: Lanes) -> None:
    for begin in (100, 10, 200):
        spans = [chat(begin + at, 1, begin + at, "c") for at in range(5, 0, -1)]
        assert lanes.ingest([on_resource(spans, SAID)]) == {}
        lanes.clock.advance(minutes=1)
    lanes.restart()
    assert lanes.ingest([on_resource([chat(1, 2, 300, "c")], SAID)]) == {}
    (found,) = deployments_of(lanes.store, "acme")
    assert (found.valid_from, found.declared_at) == (EPOCH + dt.timedelta(seconds=101), EPOCH)


def test_the_span_is_asked_before_its_resource(lanes: Lanes) -> None:
    spans = [deploying({f"{OURS}to_model": "gpt-4.1"}, span=1), deploying({}, span=2)]
    assert lanes.ingest([on_resource(spans, SAID)]) == {}
    (found,) = deployments_of(lanes.store, "acme")
    assert found.to_version == "gpt-4.1", "the id stands for one content: what the second span says is another"


def test_a_deployment_that_is_named_for_something_else_is_logged(
    lanes: Lanes, caplog: pytest.LogCaptureFixture
) -> None:
    declared(lanes, SAID)
    with caplog.at_level(logging.WARNING):
        (found,) = declared(lanes, {**SAID, f"{OURS}to_model": "gpt-4.1"})
    assert found.to_version == "gpt-4o-mini-2024-07-18"
    assert "id = '1208': is on record for" in caplog.text


def test_what_was_withdrawn_stays_so_while_a_process_goes_on_to_say_it(lanes: Lanes) -> None:
    declared(lanes, SAID)
    Register(lanes.store).withdraw("acme", "1208", lanes.clock())
    lanes.restart()
    (found,) = declared(lanes, SAID)
    assert found.withdrawn


def test_where_spans_may_not_declare_they_are_stored_and_no_more(lanes: Lanes) -> None:
    rules = ingest_rules(parse({"deployments": {"from_spans": False}}))
    lanes.ingestion = Ingestion(lanes.store, rules, lanes.clock)
    assert declared(lanes, SAID) == []
    assert len(lanes.rows("SELECT SpanId FROM otel_traces")) == 1


class FailingOnce:
    """A store that refuses declarations once."""

    def __init__(self, lanes: Lanes) -> None:
        self._store = lanes.store
        self.refusing = True

    def insert(self, table: str, *arguments: Any) -> None:
        if table == "deployments" and self.refusing:
            self.refusing = False
            raise StoreError("insert into deployments: away")
        self._store.insert(table, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_batch_whose_declaration_was_not_recorded_is_not_acknowledged_and_a_retry_records_it(lanes: Lanes) -> None:
    store: Any = FailingOnce(lanes)
    ingestion = Ingestion(store, IngestRules(), lanes.clock)
    work = ingestion.prepare([trace_request([deploying(SAID)])], [""], Signal.TRACES)
    with pytest.raises(StoreError, match="away"):
        ingestion.write(work.rows)
    ingestion.write(work.rows)
    assert len(deployments_of(lanes.store, "acme")) == 1
    assert len(lanes.rows("SELECT SpanId FROM otel_traces FINAL")) == 1


class Counting:
    """A store that counts what is asked of declarations."""

    def __init__(self, lanes: Lanes) -> None:
        self._store = lanes.store
        self.asked = 0

    def rows(self, *arguments: Any) -> Any:
        self.asked += 1
        return self._store.rows(*arguments)

    def insert(self, table: str, *arguments: Any) -> None:
        self.asked += table == "deployments"
        self._store.insert(table, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_however_many_a_batch_declares_the_store_is_asked_twice(lanes: Lanes) -> None:
    store: Any = Counting(lanes)
    lanes.ingestion = Ingestion(store, IngestRules(), lanes.clock)
    before = store.asked
    spans = [deploying({**SAID, "deployment.id": f"d-{number}"}, span=number) for number in range(1, 51)]
    assert lanes.ingest([trace_request(spans)]) == {}
    assert store.asked - before == 2
    assert len(deployments_of(lanes.store, "acme")) == 50


def test_of_two_in_one_batch_that_want_the_same_id_one_is_taken(lanes: Lanes, caplog: pytest.LogCaptureFixture) -> None:
    spans = [deploying({**SAID, f"{OURS}to_model": name}, span=at) for at, name in enumerate(("gpt-4.1", "o3"), 1)]
    with caplog.at_level(logging.WARNING):
        assert lanes.ingest([trace_request(spans)]) == {}
    assert len(deployments_of(lanes.store, "acme")) == 1
    assert "id = '1208': is on record for" in caplog.text


def test_no_more_than_a_hundred_of_one_batch_are_taken(lanes: Lanes, caplog: pytest.LogCaptureFixture) -> None:
    spans = [deploying({**SAID, "deployment.id": f"d-{number}"}, span=number) for number in range(1, 121)]
    with caplog.at_level(logging.WARNING):
        assert lanes.ingest([trace_request(spans)]) == {}
    assert len(deployments_of(lanes.store, "acme")) == 100
    assert "declare 120 changes; 100 are taken" in caplog.text
