"""Scores as `gen_ai.evaluation.result` events: OTLP log records, linked to a span of the conversation.

A conversation's verdict belongs to the conversation, which is no span. The conventions want the event on the operation
that was judged; it stands on the root of the conversation's first trace where that is stored, since this is what a
backend opens, else on the first step; and it names the conversation.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from spanwitness import __version__
from spanwitness import attributes as names
from spanwitness.forward import Parcel
from spanwitness.identity import SOURCE_TRACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EVENT: Final = "gen_ai.evaluation.result"
_NAMESPACE: Final = uuid.UUID("6a8f1a52-3d0c-5a0e-9d0b-5f4c2f7f5b1e")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class ScoreRecord:
    """A score as the record has it, and the span that it is linked to (lower hex, '' for none)."""

    tenant: str
    conversation_id: str
    conversation_source: str
    revision: int
    evaluator: str
    evaluator_version: str
    judge: str
    status: str
    mode: str
    score: float | None
    label: str
    threshold: float | None
    passed: bool | None
    explanation: str
    scored_at: dt.datetime
    trace_id: str
    span_id: str
    judge_served: str = ""
    scoring: int = 0

    @property
    def uid(self) -> str:
        """The same for the same score, however often it is sent; another for every revision and every verdict.

        A judge's failure is no verdict: what takes its place on record is another one.
        """
        judged = (self.tenant, self.conversation_id, str(self.revision))
        failed = ["failed"] if self.judge and self.status == "failed" else []
        again = [str(self.scoring), *failed] if self.scoring or failed else []
        parts = (*judged, self.evaluator, self.evaluator_version, self.judge, *again)
        return str(uuid.uuid5(_NAMESPACE, "\0".join(parts)))


def evaluation_events(scores: Iterable[ScoreRecord]) -> Parcel:
    """A logs request with one event a score; one resource a tenant. The same scores make the same bytes."""
    request = ExportLogsServiceRequest()
    by_tenant: dict[str, Any] = {}
    items = 0
    for score in scores:
        if score.tenant not in by_tenant:
            by_tenant[score.tenant] = _scope(request, score.tenant)
        by_tenant[score.tenant].log_records.append(_event(score))
        items += 1
    return Parcel("logs", request.SerializeToString(), items)


def _scope(request: ExportLogsServiceRequest, tenant: str) -> Any:
    resource = request.resource_logs.add()
    told = {"service.name": "spanwitness", "service.version": __version__, names.TENANT: tenant}
    resource.resource.attributes.extend(_attributes(told))
    scope = resource.scope_logs.add()
    scope.scope.name, scope.scope.version = "spanwitness", __version__
    return scope


def _event(score: ScoreRecord) -> LogRecord:
    at = (score.scored_at - _EPOCH) // dt.timedelta(microseconds=1) * 1000
    return LogRecord(
        time_unix_nano=at,
        observed_time_unix_nano=at,
        event_name=EVENT,
        trace_id=bytes.fromhex(score.trace_id),
        span_id=bytes.fromhex(score.span_id),
        attributes=_attributes(_told(score)),
    )


def _told(score: ScoreRecord) -> Mapping[str, Any]:
    """What is None or '' is not said."""
    failed = score.status == "failed"
    return {
        "gen_ai.evaluation.name": score.evaluator,
        "gen_ai.evaluation.score.value": None if score.status != "completed" else score.score,
        "gen_ai.evaluation.score.label": score.label,
        "gen_ai.evaluation.explanation": score.explanation,
        "error.type": "_OTHER" if failed else "",
        # Where nothing named the conversation, its trace's id stands for one: nobody is to take that for a name.
        names.CONVERSATION: "" if score.conversation_source == SOURCE_TRACE else score.conversation_id,
        names.TAG_CONVERSATION: score.conversation_id,
        names.TAG_CONVERSATION_SOURCE: score.conversation_source,
        names.CONVERSATION_REVISION: score.revision,
        names.EVALUATION_STATUS: score.status,
        names.EVALUATOR_VERSION: score.evaluator_version,
        names.EVALUATION_THRESHOLD: score.threshold,
        names.EVALUATION_PASSED: score.passed,
        names.EVALUATION_MODE: score.mode,
        names.EVALUATION_JUDGE: score.judge,
        names.EVALUATION_JUDGE_SERVED: score.judge_served,
        names.EVALUATION_SCORING: score.scoring or None,
        names.TENANT: score.tenant,
        "log.record.uid": score.uid,
    }


def _attributes(told: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in told.items() if value is not None and value != ""]


def _value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(double_value=value) if isinstance(value, float) else AnyValue(string_value=value)
