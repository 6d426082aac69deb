"""Spans and log records to rows of the store: every tag that the item, its resource, its scope and its caller tell."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spanwitness import attributes as names
from spanwitness.identity import CONVERSATION_TRUST, NO_CANDIDATE
from spanwitness.model_names import normalise_provider, parse
from spanwitness.tag.dialect import Dialect, From, keys
from spanwitness.tag.dialects import DIALECTS
from spanwitness.tag.reader import Rows, classify, detect, distinct, empty, read, read_with_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spanwitness.columns import Batch

__all__ = ["TenantRule", "index_traces", "tag_logs", "tag_spans"]

VERDICT = "gen_ai.evaluation.result"
WITH_MODEL = pa.array(["llm", "speech"])
FAILED = pa.array(["true", "error", "failed", "failure", "ERROR"])
AGENT_LIBRARIES = frozenset(
    {"autogen", "crewai", "gcp.vertex.agent", "langchain", "langgraph", "llamaindex", "microsoft.agent_framework"}
    | {"pydantic-ai", "semantic_kernel", "strands-agents"}
)
"""They name themselves where the provider belongs; the model's name is asked instead."""
# Some libraries put the provider's previous response id where the conversation's belongs; scrubbers put one text where
# many ids stood.
ADDRESS = re.compile(r"[\w.-]+:[0-9]+|[0-9]+(\.[0-9]+){3}|localhost")
UNTRUSTED_IDS = ("resp_", "[Scrubbed", "[REDACTED", "[redacted", "[Filtered", "<redacted", "***")
# What an application's own code makes of an id that it does not have; it would be everybody's conversation.
NO_IDS = ("None", "null", "undefined", "none", "NULL", "nil", "NaN")
_CHANNEL = keys(names.CHANNEL)
_INTENT = keys(names.INTENT)
_LANGUAGE = keys(names.LANGUAGE)
_ACTOR = keys(names.ACTOR)
_PROBE = "probe"
_PROBED = keys(names.SERVED_MODEL)
_PROBED_FINGERPRINT = keys(names.SERVED_FINGERPRINT)
_STEP = keys(names.TRAJECTORY_STEP)
_ENDED = keys(names.CONVERSATION_ENDED)


@dataclass(frozen=True, slots=True)
class TenantRule:
    """Where a tenant is read when the caller is not bound to one: resource, then span, then the default."""

    attributes: tuple[str, ...] = (names.TENANT,)
    default: str = "default"


def tag_spans(batch: Batch, callers: Sequence[str], rule: TenantRule, at: dt.datetime) -> pa.Table:
    """The rows of otel_traces.

    Args:
        batch: decoded spans.
        callers: by request, the tenant its caller is bound to, '' where it is bound to none.
        rule: where the tenant stands otherwise.
        at: when the batch arrived.
    """
    tags = _tags(batch)
    return pa.table(
        {
            **batch.columns,
            "ServiceName": _service(batch),
            "ResourceAttributes": batch.resources.maps().take(pa.array(batch.resource)),
            "SpanAttributes": batch.attributes.maps(),
            "TenantId": _tenants(batch, callers, rule),
            **tags,
            "IngestedAt": _constant_time(at, batch.n),
        }
    )


def tag_logs(batch: Batch, callers: Sequence[str], rule: TenantRule, at: dt.datetime) -> pa.Table:
    """The rows of otel_logs; arguments as for tag_spans."""
    return pa.table(
        {
            **batch.columns,
            "ServiceName": _service(batch),
            "ResourceAttributes": batch.resources.maps().take(pa.array(batch.resource)),
            "LogAttributes": batch.attributes.maps(),
            "TenantId": _tenants(batch, callers, rule),
            **_log_conversation(batch),
            "IngestedAt": _constant_time(at, batch.n),
        }
    )


def index_traces(rows: pa.Table) -> pa.Table:
    """The rows of otel_traces_trace_id_ts that a batch of spans or log records adds: one for each of its traces."""
    rows = rows.filter(pc.not_equal(rows["TraceId"], ""))
    rows = rows.append_column("_Candidate", _candidates(rows))
    rows = rows.append_column("_Ended", pc.cast(rows["ConversationEnded"], pa.uint8()))
    aggregates: list[tuple[str, str]] = [
        ("Timestamp", "min"),
        ("Timestamp", "max"),
        ("Timestamp", "count"),
        ("IngestedAt", "max"),
        ("_Candidate", "min"),
        ("_Ended", "max"),
        ("Channel", "max"),
    ]
    # On one thread: handing a few thousand rows to a pool costs more than it saves.
    grouped = rows.group_by(["TenantId", "TraceId"], use_threads=False).aggregate(aggregates)
    return pa.table(
        {
            "TenantId": grouped["TenantId"],
            "TraceId": grouped["TraceId"],
            "Start": pc.floor_temporal(grouped["Timestamp_min"], unit="second").cast(pa.timestamp("s")),
            "End": pc.floor_temporal(grouped["Timestamp_max"], unit="second").cast(pa.timestamp("s")),
            "FirstIngestedAt": grouped["IngestedAt_max"],
            "LastIngestedAt": grouped["IngestedAt_max"],
            "Candidate": grouped["_Candidate_min"],
            "Ended": grouped["_Ended_max"],
            "Channel": grouped["Channel_max"],
            "Batches": pa.array(np.ones(len(grouped), np.uint64)),
            "Spans": grouped["Timestamp_count"].cast(pa.uint64()),
        }
    )


def _candidates(rows: pa.Table) -> pa.Array:
    """Sortable text: the trust of the key, when the span started, the key and the id. The least one names the trace."""
    starts = pc.cast(rows["Timestamp"].cast(pa.int64()), pa.string())
    trust = rows["ConversationTrust"]
    joined = pc.binary_join_element_wise(
        pc.utf8_lpad(pc.cast(trust, pa.string()), width=3, padding="0"),
        pc.utf8_lpad(starts, width=20, padding="0"),
        rows["ConversationIdSource"],
        rows["ConversationId"],
        "|",
    )
    return pc.if_else(pc.equal(rows["ConversationId"], ""), NO_CANDIDATE, joined)


def _log_conversation(batch: Batch) -> dict[str, pa.Array]:
    """A log record may be all that names the conversation of its trace. A verdict on one only repeats the name."""
    identity, source, trust = _conversation(Rows(batch), DIALECTS[-1])
    verdict = pc.equal(batch.columns["EventName"], VERDICT)
    if pc.any(verdict).as_py():
        identity, source = pc.if_else(verdict, "", identity), pc.if_else(verdict, "", source)
    ended = pa.repeat(pa.scalar(value=False), batch.n)
    return {
        "ConversationId": identity,
        "ConversationIdSource": source,
        "ConversationTrust": trust,
        "ConversationEnded": ended,
        "Channel": empty(batch.n),
    }


def _tags(batch: Batch) -> dict[str, pa.Array]:
    found = detect(batch, DIALECTS)
    present = np.unique(found)
    if len(present) == 1:
        return _read_dialect(Rows(batch), DIALECTS[int(present[0])])
    parts, order = [], []
    for index in present:
        rows = np.flatnonzero(found == index)
        parts.append(_read_dialect(Rows(batch, rows), DIALECTS[int(index)]))
        order.append(rows)
    back = pa.array(np.argsort(np.concatenate(order), kind="stable")) if order else pa.array([], pa.int64())
    if not parts:
        return _read_dialect(Rows(batch), DIALECTS[-1])
    return {name: pa.concat_arrays([part[name] for part in parts]).take(back) for name in parts[0]}


def _read_dialect(rows: Rows, dialect: Dialect) -> dict[str, pa.Array]:
    step_kind = classify(rows, dialect.kinds)
    conversation, source, trust = _conversation(rows, dialect)
    return {
        "Dialect": pa.repeat(pa.scalar(dialect.name, pa.string()), rows.n),
        "StepKind": step_kind,
        "ConversationId": conversation,
        "ConversationIdSource": source,
        "ConversationTrust": trust,
        "ConversationEnded": _ended(rows, dialect),
        "TrajectoryStep": _integers(read(rows, _STEP), pa.uint32()),
        "Actor": _actor(rows, dialect, step_kind),
        "AgentName": read(rows, dialect.agent),
        "AgentVersion": _agent_version(rows, dialect),
        "PromptVersion": read(rows, dialect.prompt_version),
        "ToolName": _tool(rows, dialect, step_kind),
        "Channel": read(rows, _CHANNEL),
        "Intent": read(rows, _INTENT),
        "Language": read(rows, _LANGUAGE),
        "StepFailed": pc.is_in(read(rows, dialect.error), FAILED),
        **_model(rows, dialect, step_kind),
    }


def _conversation(rows: Rows, dialect: Dialect) -> tuple[pa.Array, pa.Array, pa.Array]:
    identity, source = read_with_source(
        rows, dialect.conversation, empty(rows.n), lambda origin: origin.key, never=UNTRUSTED_IDS, nothing=NO_IDS
    )
    ranks = pc.index_in(source, pa.array(CONVERSATION_TRUST)).fill_null(len(CONVERSATION_TRUST))
    return identity, source, pc.cast(ranks, pa.uint8())


def _ended(rows: Rows, dialect: Dialect) -> pa.Array:
    told = _is_true(read(rows, _ENDED))
    return pc.or_(told, pc.equal(classify(rows, dialect.end), "end")) if dialect.end else told


def _agent_version(rows: Rows, dialect: Dialect) -> pa.Array:
    told = read(rows, dialect.agent_version)
    return _first_known(told, rows.of_resource("service.version")) if dialect.service_version else told


def _actor(rows: Rows, dialect: Dialect, step_kind: pa.Array) -> pa.Array:
    default = pc.if_else(pc.not_equal(step_kind, ""), "ai", "")
    told = read(rows, _ACTOR)
    return _first_known(_first_known(told, classify(rows, dialect.actors)) if dialect.actors else told, default)


def _tool(rows: Rows, dialect: Dialect, step_kind: pa.Array) -> pa.Array:
    is_tool = pc.equal(step_kind, "tool")
    if not pc.any(is_tool).as_py():
        return empty(rows.n)
    tools = _first_known(read(rows, dialect.tool), rows.column("@name"))
    return pc.if_else(is_tool, tools, "")


def _model(rows: Rows, dialect: Dialect, step_kind: pa.Array) -> dict[str, pa.Array]:
    """Model, tokens and finish reason, on the spans that are model calls alone: wrappers repeat them."""
    calls = pc.is_in(step_kind, WITH_MODEL)
    if not pc.any(calls).as_py():
        return _no_model(rows.n)
    requested = read(rows, dialect.requested)
    served, origin = read_with_source(rows, (*_PROBED, *dialect.served), requested, _served_source)
    served, origin = _without_failures(rows, requested, served, origin)
    provider = read(rows, dialect.provider)
    columns = {"provider": provider, "requested": requested, "served": served}
    provider, version = _versions(columns)
    return {
        "Provider": _where(calls, provider),
        "RequestedModel": _where(calls, requested),
        "ServedModel": _where(calls, served),
        "ServedModelSource": _where(calls, pc.if_else(pc.equal(origin, ""), "unknown", origin)),
        "SystemFingerprint": _where(calls, read(rows, (*_PROBED_FINGERPRINT, *dialect.fingerprint))),
        "ModelVersion": _where(calls, version),
        "InputTokens": _tokens(rows, dialect.input_tokens, calls),
        "OutputTokens": _tokens(rows, dialect.output_tokens, calls),
        "FinishReason": _where(calls, _first_of_list(read(rows, dialect.finish_reason))),
    }


_MODEL_TEXTS = (
    "Provider",
    "RequestedModel",
    "ServedModel",
    "ServedModelSource",
    "SystemFingerprint",
    "ModelVersion",
    "FinishReason",
)


def _no_model(n: int) -> dict[str, pa.Array]:
    texts: dict[str, pa.Array] = {name: empty(n) for name in _MODEL_TEXTS}
    zeros = pa.array(np.zeros(n, np.uint32))
    return {**texts, "InputTokens": zeros, "OutputTokens": zeros}


def _without_failures(
    rows: Rows, requested: pa.StringArray, served: pa.StringArray, origin: pa.StringArray
) -> tuple[pa.StringArray, pa.StringArray]:
    """On a call that failed several libraries leave the requested name for the served one: it proves nothing there."""
    failed = pc.equal(rows.status(), "Error")
    if not pc.any(failed).as_py():
        return served, origin
    same = pc.or_(pc.equal(requested, ""), pc.equal(requested, served))
    unproved = pc.and_(failed, pc.and_(same, pc.not_equal(origin, _PROBE)))
    return pc.if_else(unproved, "", served), pc.if_else(unproved, "", origin)


def _served_source(source: From) -> str:
    if source in _PROBED:
        return _PROBE
    return "payload" if source.path else "response"


def _versions(columns: dict[str, pa.Array]) -> tuple[pa.Array, pa.Array]:
    rows, which = distinct(columns)
    providers, versions = [], []
    for provider, requested, served in rows:
        maker = model_provider(provider, served or requested)
        providers.append(maker)
        versions.append(model_version(maker, requested, served))
    at = pa.array(which)
    return pa.array(providers, pa.string()).take(at), pa.array(versions, pa.string()).take(at)


def model_provider(provider: str, model: str) -> str:
    """The provider as the conventions spell it; where the span names none, the maker that the model's name tells."""
    told = normalise_provider(provider)
    return parse(model).provider if told in AGENT_LIBRARIES or not told else told


def model_version(provider: str, requested: str, served: str) -> str:
    """`<provider>/<served>`; `<provider>/<requested>?` when nobody says which model answered; '' without any name.

    An address (LiveKit gives the endpoint's) is where a model was asked. It stands for the provider only while nobody
    knows what answered: a proxy on another port is no other version of a known model.
    """
    if not served and not requested:
        return ""
    maker = provider or "unknown"
    if served and ADDRESS.fullmatch(maker):
        maker = parse(served).provider or maker
    name = (served or requested).removeprefix(f"{maker}/")
    return f"{maker}/{name}" if served else f"{maker}/{name}?"


def _tokens(rows: Rows, sources: Any, calls: pa.Array) -> pa.Array:
    return pc.if_else(calls, _integers(read(rows, sources), pa.uint32()), pa.scalar(0, pa.uint32()))


def _integers(texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """Whole numbers from text; 0 where it holds none or one that does not fit."""
    plain = pc.match_substring_regex(texts, r"^[0-9]{1,9}(\.0*)?$")
    digits = pc.if_else(plain, texts, "0")
    if pc.any(pc.match_substring(digits, ".")).as_py():
        digits = pc.replace_substring_regex(digits, r"\..*$", "")
    return pc.cast(digits, kind)


def _first_of_list(texts: pa.StringArray) -> pa.StringArray:
    """`["stop"]` -> `stop`; a plain text stays."""
    listed = pc.starts_with(texts, "[")
    if not pc.any(listed).as_py():
        return texts
    first = pc.struct_field(pc.extract_regex(texts, r'^\[\s*"(?P<first>[^"]*)"'), "first").fill_null("")
    return pc.if_else(listed, first, texts)


def _is_true(texts: pa.StringArray) -> pa.Array:
    return pc.equal(texts, "true")


def _where(mask: pa.Array, texts: pa.StringArray) -> pa.StringArray:
    return texts if pc.all(mask).as_py() else pc.if_else(mask, texts, "")


def _first_known(first: pa.Array, second: pa.Array | None) -> pa.Array:
    return first if second is None else pc.if_else(pc.equal(first, ""), second, first).fill_null("")


def _text(column: pa.StringArray | None, n: int) -> pa.StringArray:
    return empty(n) if column is None else column.fill_null("")


def _constant_time(at: dt.datetime, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(at.astimezone(dt.UTC).replace(tzinfo=None), pa.timestamp("ms")), n)


def _service(batch: Batch) -> pa.StringArray:
    # traceAI's resource has no service.name; its project is what stands for it.
    return _first_known(_text(batch.of_resource("service.name"), batch.n), batch.of_resource("project_name"))


def _tenants(batch: Batch, callers: Sequence[str], rule: TenantRule) -> pa.StringArray:
    bound = pa.array(list(callers), pa.string()).take(pa.array(batch.request))
    if not any(not caller for caller in callers):
        return bound
    told = empty(batch.n)
    for column in _tenant_columns(batch, rule.attributes):
        told = _first_known(told, column)
    told = pc.if_else(pc.equal(told, ""), rule.default, told)
    return _first_known(bound, told)


def _tenant_columns(batch: Batch, attributes: Sequence[str]) -> list[pa.StringArray]:
    found = [batch.of_resource(name) for name in attributes]
    found += [batch.attributes.column(name) for name in attributes]
    return [column for column in found if column is not None]
