"""Attributes are added and nothing else is touched, whatever an exporter wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from spanwitness.decode import decode_logs, decode_spans
from spanwitness.forward.splice import OWN, RESOURCES, Addition, Tags, attribute_field, fields, splice, varint
from tests.decode.built import LOG_CAPTURES, TRACE_CAPTURES, field, request, requests_of, span
from tests.decode.generated import PATIENT, log_bodies, trace_bodies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

TENANT = b"tenant.id"
STEP = b"spanwitness.step.kind"
RESERVED = frozenset({TENANT, STEP})


def entry(key: bytes, value: str) -> bytes:
    return KeyValue(key=key.decode(), value=AnyValue(string_value=value)).SerializeToString()


def addition(number: int = 0) -> Addition:
    return Addition((entry(TENANT, "acme"), entry(STEP, f"step {number}")))


def tags(count: int, claims: int = 0) -> Tags:
    return Tags([addition(number) for number in range(count)], [claims] * count, RESERVED)


def parsed(body: bytes) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(body)


def spans(message: ExportTraceServiceRequest) -> list[Span]:
    return [one for part in message.resource_spans for scope in part.scope_spans for one in scope.spans]


def told(one: Any) -> list[tuple[str, str]]:
    return [(pair.key, pair.value.string_value) for pair in one.attributes]


def kept_of(body: bytes) -> tuple[int, frozenset[int]]:
    """How many spans are stored, and which are not."""
    batch = decode_spans([body])
    return batch.n, batch.refused.get(0, frozenset())


def without(body: bytes, additions: Sequence[Addition]) -> bytes:
    """The inverse, on its own terms: what stands at the end of each span is taken off and the lengths made smaller."""
    left = iter(additions)

    def envelope(content: bytes, depth: int) -> bytes:
        out = b""
        for start, number, wire, begin, end in fields(content, 0, len(content)):
            inner = content[begin:end]
            if wire == 2 and number == (1, 2, 2)[depth]:
                new = taken_off(inner, next(left)) if depth == 2 else envelope(inner, depth + 1)
                out += content[start : start + 1] + varint(len(new)) + new
            else:
                out += content[start:end]
        return out

    return envelope(body, 0)


def taken_off(one: bytes, added: Addition) -> bytes:
    assert one.endswith(added.appended)
    return one.removesuffix(added.appended)


@PATIENT
@given(trace_bodies)
def test_a_parsed_request_is_the_original_with_its_attributes(body: bytes) -> None:
    """Generated: every field at every level, wrong ids, fields that nobody has defined, in messages and in values."""
    count, refused = kept_of(body)
    after = parsed(splice(body, tags(count), refused))
    expected = parsed(body)
    place = row = 0
    for part in expected.resource_spans:
        for scope in part.scope_spans:
            kept = []
            for one in list(scope.spans):
                if place not in refused:
                    one.MergeFromString(addition(row).appended)
                    kept.append(one)
                    row += 1
                place += 1
            del scope.spans[:]
            scope.spans.extend(kept)
    assert after == expected
    assert row == count


@PATIENT
@given(trace_bodies)
def test_what_was_added_taken_off_again_gives_the_same_bytes(body: bytes) -> None:
    count = len(spans(parsed(body)))
    wanted = tags(count)
    assert without(splice(body, wanted), wanted.additions) == body


@PATIENT
@given(log_bodies)
def test_log_records_go_on_as_they_came_but_for_those_refused(body: bytes) -> None:
    batch = decode_logs([body])
    refused = batch.refused.get(0, frozenset())
    after = splice(body, None, refused)
    assert decode_logs([after]).n == batch.n
    if not refused:
        assert after == body


@pytest.mark.parametrize("path", [*TRACE_CAPTURES, *LOG_CAPTURES], ids=lambda path: path.name)
def test_captures_come_out_as_they_went_in(path: Path) -> None:
    for body in requests_of(path):
        if path in LOG_CAPTURES:
            assert splice(body, None) == body
            continue
        wanted = tags(len(spans(parsed(body))))
        after = splice(body, wanted)
        assert without(after, wanted.additions) == body
        assert [told(one)[-2:] for one in spans(parsed(after))] == [
            [("tenant.id", "acme"), ("spanwitness.step.kind", f"step {n}")] for n in range(len(wanted.additions))
        ]


@PATIENT
@given(trace_bodies, st.binary(min_size=1, max_size=6), st.integers(0, 400))
def test_damage_is_a_value_error_and_never_anything_else(body: bytes, noise: bytes, at: int) -> None:
    damaged = body[: at % (len(body) + 1)] + noise + body[at % (len(body) + 1) :]
    try:
        count = len(spans(parsed(damaged)))
    except (DecodeError, ValueError):
        count = 1
    try:
        after = splice(damaged, tags(count))
    except ValueError:
        return
    assert isinstance(after, bytes)


class TestOddities:
    """What exporters may write and protobuf libraries read, though no library of theirs would write it so."""

    def wire(self, *parts: bytes) -> bytes:
        return b"".join(parts)

    def one(self, extra: bytes = b"") -> bytes:
        return self.wire(field(1, b"\1" * 16), field(2, b"\2" * 8), extra)

    @pytest.mark.parametrize(
        "odd",
        [
            b"\x0b\x08\x01\x12\x01a\x1b\x1c\x0c",  # groups within groups
            b"\xc0\x80\x00\x07",  # a tag with more bytes than it needs
            b"\x10\x80\x80\x00",  # field 2 as a number: not a span, not a scope
            b"\x1d\1\2\3\4\x19\1\2\3\4\5\6\7\x08",  # fixed width
            b"\xf8\xff\xff\xff\x0f\x01",  # the greatest field number
        ],
    )
    @pytest.mark.parametrize("level", range(4))
    def test_unknown_fields_of_any_wire_type_stay_at_every_level(self, odd: bytes, level: int) -> None:
        extras = [odd if number == level else b"" for number in range(4)]
        one = self.one(extras[3])
        scope = self.wire(extras[2], field(2, one), extras[2])
        part = self.wire(extras[1], field(2, scope), extras[1])
        body = self.wire(extras[0], field(1, part), extras[0])
        after = splice(body, tags(1))
        assert without(after, [addition()]) == body
        (found,) = spans(parsed(after))
        assert told(found) == [("tenant.id", "acme"), ("spanwitness.step.kind", "step 0")]

    def test_lengths_with_more_bytes_than_they_need(self) -> None:
        body = _overlong(self.one())
        assert len(spans(parsed(body))) == 1
        (found,) = spans(parsed(splice(body, tags(1))))
        assert found.trace_id == b"\1" * 16
        assert told(found)[-1] == ("spanwitness.step.kind", "step 0")

    def test_a_field_in_pieces_and_out_of_order(self) -> None:
        """A resource after its spans, in two parts; a schema before them; attributes before the ids."""
        first = field(1, field(1, entry(b"service.name", "claims")))
        second = field(1, field(1, entry(b"service.version", "1")))
        one = self.wire(field(9, entry(b"a", "1")), self.one(), field(9, entry(b"b", "2")))
        part = self.wire(field(3, b"schema"), field(2, field(2, one)), second, field(2, b""), first)
        body = field(1, part)
        after = splice(body, tags(1))
        assert without(after, [addition()]) == body
        assert [key for key, _ in told(spans(parsed(after))[0])] == ["a", "b", "tenant.id", "spanwitness.step.kind"]

    @pytest.mark.parametrize("size", [0, 1, 100, 127 - 26, 128, 16_383, 16_384, 2_100_000])
    def test_lengths_grow_over_every_boundary(self, size: int) -> None:
        body = request(span(attributes=[KeyValue(key="k", value=AnyValue(string_value="x" * size))]))
        after = splice(body, tags(1))
        assert without(after, [addition()]) == body


def _long(number: int) -> bytes:
    raw = bytearray(varint(number))
    raw[-1] |= 0x80
    return bytes(raw) + b"\x80\x00"


def _overlong(one: bytes) -> bytes:
    scope = b"\x12" + _long(len(one)) + one
    part = b"\x12" + _long(len(scope)) + scope
    return b"\x0a" + _long(len(part)) + part


class TestRefusedSpans:
    def test_they_are_left_out_and_the_others_keep_their_own_tags(self) -> None:
        body = request(span(name="a"), span(name="b", span_id=b"short"), span(name="c"), span(name="d", trace_id=b""))
        count, refused = kept_of(body)
        assert (count, sorted(refused)) == (2, [1, 3])
        found = spans(parsed(splice(body, tags(count), refused)))
        assert [(one.name, told(one)[1][1]) for one in found] == [("a", "step 0"), ("c", "step 1")]

    def test_places_are_counted_for_each_request_alone(self) -> None:
        bodies = [request(span(), span()), request(span(span_id=b""), span()), request(span(), span(span_id=b""))]
        assert decode_spans(bodies).refused == {1: {0}, 2: {1}}

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_tags_for_another_number_of_spans_are_refused(self, count: int) -> None:
        """Rather no forwarding than somebody else's tags."""
        with pytest.raises(ValueError, match="spans"):
            splice(request(span(), span()), tags(count))


class TestReservedNames:
    """A sender that writes our names itself does not speak for us."""

    def spliced(self, *pairs: tuple[bytes, str], resource: Sequence[tuple[bytes, str]] = ()) -> Any:
        message = parsed(request(span(attributes=[KeyValue.FromString(entry(*pair)) for pair in pairs])))
        message.resource_spans[0].resource.MergeFromString(b"".join(field(1, entry(*pair)) for pair in resource))
        self.body = message.SerializeToString()
        self.after = splice(self.body, tags(1, OWN | RESOURCES))
        return parsed(self.after).resource_spans[0]

    def told(self, *pairs: tuple[bytes, str]) -> list[tuple[str, str]]:
        return told(self.spliced(*pairs).scope_spans[0].spans[0])

    def test_another_value_is_replaced_by_ours(self) -> None:
        assert self.told((b"a", "1"), (TENANT, "evil"), (b"b", "2")) == [
            *(("a", "1"), ("b", "2")),
            *(("tenant.id", "acme"), ("spanwitness.step.kind", "step 0")),
        ]

    def test_our_own_value_is_not_added_twice(self) -> None:
        """A SpanWitness behind a SpanWitness."""
        assert self.told((TENANT, "acme"), (b"b", "2"), (TENANT, "acme")) == [
            *(("tenant.id", "acme"), ("b", "2"), ("spanwitness.step.kind", "step 0")),
        ]

    def test_a_second_pass_changes_no_byte(self) -> None:
        body = request(span(), span())
        once = splice(body, tags(2))
        assert splice(once, tags(2, OWN)) == once

    def test_a_name_of_ours_that_we_do_not_say_does_not_get_through(self) -> None:
        body = request(span(attributes=[KeyValue.FromString(entry(STEP, "llm"))]))
        only_tenant = Tags([Addition((entry(TENANT, "acme"),))], [OWN], RESERVED)
        assert told(spans(parsed(splice(body, only_tenant)))[0]) == [("tenant.id", "acme")]

    @pytest.mark.parametrize(
        "disguised",
        [
            field(2, field(1, b"evil")) + field(1, TENANT),  # the value before the key
            field(1, b"harmless") + field(1, TENANT) + field(2, field(1, b"evil")),  # the last key counts
            b"\x0a\x89\x00tenant.id" + field(2, field(1, b"evil")),  # a length with a byte too many
            field(1, TENANT) + field(2, b"\x18\x07"),  # a number
            field(1, TENANT),  # no value at all
        ],
    )
    def test_a_disguise_does_not_help(self, disguised: bytes) -> None:
        body = field(1, field(2, field(2, field(1, b"\1" * 16) + field(2, b"\2" * 8) + field(9, disguised))))
        assert decode_spans([body]).attributes.holds(["tenant.id"]).tolist() == [True]
        assert told(spans(parsed(splice(body, tags(1, OWN))))[0])[0] == ("tenant.id", "acme")
        assert len(told(spans(parsed(splice(body, tags(1, OWN))))[0])) == 2

    def test_our_names_inside_content_are_content(self) -> None:
        text = entry(TENANT, "evil").decode() + " tenant.id spanwitness.step.kind"
        assert self.told((b"message", text))[0] == ("message", text)

    def test_a_resource_may_name_the_tenant_that_was_decided(self) -> None:
        named = self.spliced(resource=[(b"service.name", "claims"), (TENANT, "acme")])
        assert told(named.resource) == [("service.name", "claims"), ("tenant.id", "acme")]

    def test_a_resource_may_not_name_another_tenant(self) -> None:
        named = self.spliced(resource=[(TENANT, "evil"), (b"service.name", "claims"), (STEP, "llm")])
        assert told(named.resource) == [("service.name", "claims")]

    def test_a_resource_of_spans_of_several_tenants_names_none(self) -> None:
        message = parsed(request(span(), span()))
        message.resource_spans[0].resource.MergeFromString(field(1, entry(TENANT, "acme")))
        several = [Addition((entry(TENANT, tenant),)) for tenant in ("acme", "other")]
        after = splice(message.SerializeToString(), Tags(several, [RESOURCES] * 2, RESERVED))
        (part,) = parsed(after).resource_spans
        assert told(part.resource) == []
        assert [told(one) for one in spans(parsed(after))] == [[("tenant.id", "acme")], [("tenant.id", "other")]]


def test_a_message_that_ends_too_early_is_told() -> None:
    for bad in (
        b"\x0a",
        b"\x0a\x05ab",
        b"\x08",
        b"\x08" + b"\xff" * 11,
        b"\x0b\x08\x01",
        b"\x0b\x14",
        b"\x0c",
        b"\x0f",
    ):
        with pytest.raises(ValueError, match=r"field|number|group|wire"):
            list(fields(bad, 0, len(bad)))


def numbers() -> Iterator[int]:
    yield from (0, 1, 127, 128, 300, 16_383, 16_384, 2**21, 2**35)


def test_numbers_are_written_as_protobuf_writes_them() -> None:
    for number in numbers():
        raw = varint(number) + b"\x08\x01"
        assert next(iter(fields(b"\x08" + raw, 0, len(raw) + 1)))[4] == len(varint(number)) + 1
    assert attribute_field(b"x" * 300)[:3] == b"\x4a\xac\x02"
