"""Wire bytes to flat columns: one row a span or log record, nothing interpreted yet.

Several requests are decoded together; each item knows its request, so that what is wrong with one of them is told to
its sender alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError

from spanwitness.columns import Attributes, Batch, BoolArray, IntArray, Problem
from spanwitness.decode.values import text_of
from spanwitness.decode.wire import MessageName, to_arrow, undecodable

__all__ = ["decode_logs", "decode_spans"]

_Build = Callable[[pa.Array, IntArray, dict[int, Problem]], Batch]
# The trace index counts whole seconds in 32 bits (DateTime, as the Collector has it): to February 2106, less a day.
_MAX_TIME = np.uint64((2**32 - 86_400) * 10**9)
_KINDS = pa.array(["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"])
_STATUSES = pa.array(["Unset", "Ok", "Error"])
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


@dataclass(frozen=True, slots=True)
class _Envelope:
    """Where each item stands in its request. Indexes are parallel to the items."""

    items: pa.StructArray
    request: IntArray
    resource: IntArray
    resources: Attributes
    scope_name: pa.StringArray
    scope_version: pa.StringArray


def decode_spans(bodies: Sequence[bytes]) -> Batch:
    """ExportTraceServiceRequest bodies to columns. Never raises for what a body holds: see `problems`, by body."""
    return _decode(bodies, "Traces", _spans)


def decode_logs(bodies: Sequence[bytes]) -> Batch:
    """ExportLogsServiceRequest bodies to columns; as decode_spans."""
    return _decode(bodies, "Logs", _logs)


def _spans(lists: pa.Array, kept: IntArray, problems: dict[int, Problem]) -> Batch:
    envelope = _unnest(lists, kept, "scope_spans", "spans")
    good = _valid_ids(envelope.items) & _valid_times(envelope.items)
    _count_rejected(problems, envelope, good, "span")
    refused = _places(envelope.request, good)
    envelope = _keep(envelope, good)
    spans = envelope.items
    attributes = _attributes(spans.field("attributes"))
    start = spans.field("start_time_unix_nano").to_numpy(zero_copy_only=False)
    columns = {
        "Timestamp": _timestamps(start),
        "TraceId": _hex(spans.field("trace_id"), 16),
        "SpanId": _hex(spans.field("span_id"), 8),
        "ParentSpanId": _parent_hex(spans.field("parent_span_id")),
        "TraceState": spans.field("trace_state"),
        "SpanName": spans.field("name"),
        "SpanKind": _named(spans.field("kind"), _KINDS),
        "ScopeName": envelope.scope_name,
        "ScopeVersion": envelope.scope_version,
        "Duration": _durations(start, spans.field("end_time_unix_nano").to_numpy(zero_copy_only=False)),
        "StatusCode": _named(spans.field("status").field("code").fill_null(0), _STATUSES),
        "StatusMessage": spans.field("status").field("message").fill_null(""),
        **_events(spans.field("events")),
        **_links(spans.field("links")),
    }
    owners = envelope.request, envelope.resource, envelope.resources
    return Batch(len(spans), *owners, attributes, columns, problems, refused)


def _logs(lists: pa.Array, kept: IntArray, problems: dict[int, Problem]) -> Batch:
    envelope = _unnest(lists, kept, "scope_logs", "log_records")
    times = _log_times(envelope.items)
    good = times <= _MAX_TIME
    _count_rejected(problems, envelope, good, "log record")
    refused = _places(envelope.request, good)
    envelope = _keep(envelope, good)
    records = envelope.items
    columns = {
        "Timestamp": _timestamps(times[good]),
        "TraceId": _hex(records.field("trace_id"), 16),
        "SpanId": _hex(records.field("span_id"), 8),
        "TraceFlags": pc.cast(pc.bit_wise_and(records.field("flags"), pa.scalar(255, pa.uint32())), pa.uint8()),
        "SeverityText": records.field("severity_text"),
        "SeverityNumber": pc.cast(
            pc.min_element_wise(pc.max_element_wise(records.field("severity_number"), 0), 255), pa.uint8()
        ),
        "Body": text_of(records.field("body")),
        "ScopeName": envelope.scope_name,
        "ScopeVersion": envelope.scope_version,
        "EventName": records.field("event_name"),
    }
    return Batch(
        len(records),
        envelope.request,
        envelope.resource,
        envelope.resources,
        _attributes(records.field("attributes")),
        columns,
        problems,
        refused,
    )


def _attributes(lists: pa.ListArray) -> Attributes:
    entries = lists.values
    return Attributes(lists.offsets.to_numpy().astype(np.int64), entries.field("key"), text_of(entries.field("value")))


def _decode(bodies: Sequence[bytes], message: MessageName, build: _Build) -> Batch:
    every = np.arange(len(bodies), dtype=np.int64)
    try:
        return build(to_arrow(bodies, message), every, {})
    except (ValueError, DecodeError):  # damage inside an array or a map shows only when that value is read
        bad = set(undecodable(bodies, message))
    reason = f"the body is not an OTLP {'trace' if message == 'Traces' else 'logs'} export request"
    problems = {index: Problem(0, reason, fatal=True) for index in bad}
    kept = [index for index in range(len(bodies)) if index not in bad]
    return build(to_arrow([bodies[index] for index in kept], message), every[kept], problems)


def _unnest(lists: pa.ListArray, kept: IntArray, scopes_field: str, items_field: str) -> _Envelope:
    envelopes = lists.values
    scopes_lists = envelopes.field(scopes_field)
    scopes = scopes_lists.values
    item_lists = scopes.field(items_field)
    items_per_scope = np.diff(item_lists.offsets.to_numpy())
    scope_of_item = np.repeat(np.arange(len(scopes), dtype=np.int64), items_per_scope)
    resource_of_scope = np.repeat(np.arange(len(envelopes), dtype=np.int64), np.diff(scopes_lists.offsets.to_numpy()))
    request_of_resource = np.repeat(kept, np.diff(lists.offsets.to_numpy()))
    resource = resource_of_scope[scope_of_item]
    scope_rows = pa.array(scope_of_item)
    return _Envelope(
        items=item_lists.values,
        request=request_of_resource[resource],
        resource=resource,
        resources=_attributes(envelopes.field("resource").field("attributes")),
        scope_name=scopes.field("scope").field("name").fill_null("").take(scope_rows),
        scope_version=scopes.field("scope").field("version").fill_null("").take(scope_rows),
    )


def _keep(envelope: _Envelope, good: BoolArray) -> _Envelope:
    if good.all():
        return envelope
    rows = pa.array(np.flatnonzero(good))
    return _Envelope(
        items=envelope.items.take(rows),
        request=envelope.request[good],
        resource=envelope.resource[good],
        resources=envelope.resources,
        scope_name=envelope.scope_name.take(rows),
        scope_version=envelope.scope_version.take(rows),
    )


def _count_rejected(
    problems: dict[int, Problem],
    envelope: _Envelope,
    good: BoolArray,
    noun: str,
) -> None:
    if good.all():
        return
    totals = np.bincount(envelope.request)
    bad = np.bincount(envelope.request[~good])
    for request in np.flatnonzero(bad):
        reason = f"{bad[request]} of {totals[request]} {noun}s refused: {_WHY[noun]}"
        problems[int(request)] = Problem(int(bad[request]), reason, fatal=bool(bad[request] == totals[request]))


def _places(request: IntArray, good: BoolArray) -> dict[int, frozenset[int]]:
    bad = np.flatnonzero(~good)
    if not len(bad):
        return {}
    places = bad - np.searchsorted(request, request[bad])
    return {int(owner): frozenset(places[request[bad] == owner].tolist()) for owner in np.unique(request[bad])}


_WHY = {
    "span": "a trace id must be 16 bytes, a span id 8 bytes, neither all zero, and times before the year 2106",
    "log record": "times must be before the year 2106",
}


def _valid_ids(spans: pa.StructArray) -> BoolArray:
    return _usable_id(spans.field("trace_id"), 16) & _usable_id(spans.field("span_id"), 8)


def _usable_id(ids: pa.BinaryArray, width: int) -> BoolArray:
    right_width = pc.equal(pc.binary_length(ids), width)
    return np.asarray(pc.and_(right_width, pc.not_equal(ids, bytes(width))).to_numpy(zero_copy_only=False))


def _valid_times(spans: pa.StructArray) -> BoolArray:
    start = spans.field("start_time_unix_nano").to_numpy(zero_copy_only=False)
    end = spans.field("end_time_unix_nano").to_numpy(zero_copy_only=False)
    return np.asarray((start <= _MAX_TIME) & (end <= _MAX_TIME))


def _log_times(records: pa.StructArray) -> np.ndarray[Any, np.dtype[np.uint64]]:
    # An event may leave its time unset; the observed time then stands for it (OTLP logs data model).
    times = records.field("time_unix_nano").to_numpy(zero_copy_only=False)
    observed = records.field("observed_time_unix_nano").to_numpy(zero_copy_only=False)
    return np.asarray(np.where(times == 0, observed, times))


def _timestamps(nanoseconds: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(nanoseconds.astype(np.int64)).cast(pa.timestamp("ns"))


def _durations(start: np.ndarray[Any, Any], end: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(np.where(end > start, end - start, np.uint64(0)).astype(np.uint64))


def _named(codes: pa.Array, names: pa.Array) -> pa.Array:
    known = pc.and_(pc.greater_equal(codes, 0), pc.less(codes, len(names)))
    return names.take(pc.if_else(known, codes, 0))


def _hex(ids: pa.BinaryArray, width: int) -> pa.StringArray:
    """Lower hex; an id that is not `width` bytes becomes '' (log records may have none)."""
    usable = pc.equal(pc.binary_length(ids), width)
    if not pc.all(usable).as_py():
        texts = [raw.hex() if len(raw) == width else "" for raw in ids.to_pylist()]
        return pa.array(texts, pa.string())
    if not len(ids):
        return pa.array([], pa.string())
    offsets = ids.offsets.to_numpy() if hasattr(ids, "offsets") else np.frombuffer(ids.buffers()[1], np.int32)
    first = int(offsets[ids.offset])
    raw = np.frombuffer(ids.buffers()[2], np.uint8)[first : first + len(ids) * width]
    digits = np.empty(len(raw) * 2, np.uint8)
    digits[0::2] = _HEX[raw >> 4]
    digits[1::2] = _HEX[raw & 15]
    ends = np.arange(0, (len(ids) + 1) * width * 2, width * 2, dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(ends), pa.py_buffer(digits))


def _parent_hex(ids: pa.BinaryArray) -> pa.StringArray:
    # Roots have no parent, so the fast path would never hold: the roots are set apart first.
    usable = pc.and_(pc.equal(pc.binary_length(ids), 8), pc.not_equal(ids, bytes(8)))
    rows = np.flatnonzero(usable.to_numpy(zero_copy_only=False))
    source = np.full(len(ids), -1, dtype=np.int64)
    source[rows] = np.arange(len(rows))
    return _hex(ids.take(pa.array(rows)), 8).take(pa.array(source, mask=source < 0)).fill_null("")


def _relist(lists: pa.ListArray, values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(lists.offsets, values)


def _events(lists: pa.ListArray) -> dict[str, pa.Array]:
    events = lists.values
    times = np.minimum(events.field("time_unix_nano").to_numpy(zero_copy_only=False), _MAX_TIME)
    return {
        "Events.Timestamp": _relist(lists, _timestamps(times)),
        "Events.Name": _relist(lists, events.field("name")),
        "Events.Attributes": _relist(lists, _attributes(events.field("attributes")).maps()),
    }


def _links(lists: pa.ListArray) -> dict[str, pa.Array]:
    links = lists.values
    return {
        "Links.TraceId": _relist(lists, _hex(links.field("trace_id"), 16)),
        "Links.SpanId": _relist(lists, _hex(links.field("span_id"), 8)),
        "Links.TraceState": _relist(lists, links.field("trace_state")),
        "Links.Attributes": _relist(lists, _attributes(links.field("attributes")).maps()),
    }
