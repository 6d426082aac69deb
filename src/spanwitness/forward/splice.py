"""Attributes added to a request's own bytes.

Nothing is parsed into objects and written out again: what OTLP does not know yet, what it has given up, and the order
in which an exporter writes its fields come out as they went in. Only the lengths around a change are written anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

# Field numbers, the same for spans and log records: request > resource > scope > item.
_ENVELOPES: Final = 1
_RESOURCE: Final = 1
_SCOPES: Final = 2
_ITEMS: Final = 2
_RESOURCE_ATTRIBUTES: Final = 1
_SPAN_ATTRIBUTES: Final = 9
_KEY: Final = 1
# Wire types.
_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_GROUP: Final = 3
_GROUP_END: Final = 4
_FIXED32: Final = 5
_VARINT_BITS: Final = 70
_MAX_DEPTH: Final = 100
_ITEM_TAG: Final = bytes([_SPAN_ATTRIBUTES << 3 | _BYTES])

_Field = tuple[int, int, int, int, int]
Parts = list[bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Addition:
    """What one span gets.

    Attributes:
        entries: KeyValue messages, the tenant's first.
        appended: all of them as fields of a Span.
    """

    entries: tuple[bytes, ...]
    appended: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "appended", b"".join(map(attribute_field, self.entries)))


OWN: Final = 1
RESOURCES: Final = 2


@dataclass(frozen=True, slots=True)
class Tags:
    """What the spans of a request get, parallel to those that were not refused.

    Attributes:
        claims: whether a span (OWN) or its resource (RESOURCES) has attributes of reserved keys.
        reserved: keys that nobody but us may use. A sender's own attributes of these names are taken out of its spans
            and resources, unless they say what we would say ourselves.
    """

    additions: Sequence[Addition]
    claims: Sequence[int]
    reserved: Collection[bytes]

    def of(self, begin: int, end: int) -> Tags:
        """Those of some of the spans."""
        return Tags(self.additions[begin:end], self.claims[begin:end], self.reserved)


def attribute_field(entry: bytes) -> bytes:
    """A KeyValue message as an attribute of a span."""
    return _ITEM_TAG + varint(len(entry)) + entry


def splice(body: bytes, tags: Tags | None, refused: Collection[int] = ()) -> bytes:
    """The same request with attributes added to its spans.

    Args:
        body: an Export{Trace,Logs}ServiceRequest that was decoded before.
        tags: what is added; None leaves the items as they are.
        refused: places of items, from 0, that are left out.

    Raises:
        ValueError: the body is damaged, or does not hold as many spans as there are tags for.
    """
    if tags is None and not refused:
        return body
    work = _Splice(body, tags, refused)
    parts: Parts = []
    work.request(parts)
    if tags is not None and work.row != len(tags.additions):
        raise ValueError(f"{work.row} spans for {len(tags.additions)} tags")
    return b"".join(parts)


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    if number < 0x80:  # noqa: PLR2004 - seven bits a byte
        return bytes((number,))
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - the same
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class _Splice:
    """One walk over a request. `row` counts the items that are kept, `place` all of them."""

    def __init__(self, body: bytes, tags: Tags | None, refused: Collection[int]) -> None:
        self._body = body
        self._view = memoryview(body)
        self._tags = tags
        self._refused = refused
        # A key stands in the bytes as it is: what holds none of these need not be looked at.
        self._marks = {key.partition(b".")[0] + b"." for key in tags.reserved} if tags else set()
        self.row = 0
        self._place = 0

    def request(self, parts: Parts) -> None:
        copied = 0
        for start, number, wire, begin, end in fields(self._body, 0, len(self._body)):
            if number == _ENVELOPES and wire == _BYTES:
                parts.append(self._view[copied:start])
                self._wrapped(parts, start, self._envelope(begin, end))
                copied = end
        parts.append(self._view[copied:])

    def _wrapped(self, parts: Parts, start: int, content: Parts) -> None:
        """A message of new content under the tag that it had."""
        parts.append(self._view[start : _after_varint(self._body, start)])
        parts.append(varint(sum(map(len, content))))
        parts += content

    def _envelope(self, at: int, stop: int) -> Parts:
        parts: Parts = []
        resources: list[tuple[int, int, int, int]] = []
        first, copied = self.row, at
        for start, number, wire, begin, end in fields(self._body, at, stop):
            if wire != _BYTES:
                continue
            if number == _SCOPES:
                parts.append(self._view[copied:start])
                self._wrapped(parts, start, self._scope(begin, end))
                copied = end
            elif number == _RESOURCE and self._tags is not None:
                parts += (self._view[copied:start], b"")
                resources.append((len(parts) - 1, start, begin, end))
                copied = end
        parts.append(self._view[copied:stop])
        for index, start, begin, end in resources:  # now it is known whose spans they belong to
            parts[index] = self._resource(start, begin, end, first)
        return parts

    def _resource(self, start: int, begin: int, end: int, first: int) -> bytes | memoryview:
        """A resource may say whose it is, if that is what was decided of all its spans."""
        tags = self._tags
        if tags is None or first == self.row or not tags.claims[first] & RESOURCES:
            return self._view[start:end]
        tenants = {addition.entries[0] for addition in tags.additions[first : self.row]}
        agreed = tenants if len(tenants) == 1 else ()
        parts: Parts = []
        self._wrapped(parts, start, self._purged(begin, end, _RESOURCE_ATTRIBUTES, agreed)[0])
        return b"".join(parts)

    def _scope(self, at: int, stop: int) -> Parts:
        parts: Parts = []
        copied = at
        body, view, tags, refused = self._body, self._view, self._tags, self._refused
        for start, number, wire, begin, end in fields(body, at, stop):
            if number != _ITEMS or wire != _BYTES:
                continue
            place = self._place
            self._place = place + 1
            if place in refused:
                parts.append(view[copied:start])
                copied = end
            elif tags is not None:
                row = self.row
                self.row = row + 1
                if row >= len(tags.additions):
                    raise ValueError(f"more spans than {len(tags.additions)} tags")
                parts.append(view[copied : _after_varint(body, start)])
                copied = end
                if tags.claims[row] & OWN:
                    self._item(parts, begin, end, tags.additions[row])
                else:
                    appended = tags.additions[row].appended
                    parts += (varint(end - begin + len(appended)), view[begin:end], appended)
        parts.append(view[copied:stop])
        return parts

    def _item(self, parts: Parts, begin: int, end: int, addition: Addition) -> None:
        """The content of a span that may have attributes of reserved names."""
        content, found = self._purged(begin, end, _SPAN_ATTRIBUTES, addition.entries)
        content += [attribute_field(entry) for entry in addition.entries if entry not in found]
        parts.append(varint(sum(map(len, content))))
        parts += content

    def _next_mark(self, begin: int, end: int) -> int:
        """Where a reserved key may stand next; `end` where there is none."""
        found = [at for at in (self._body.find(mark, begin, end) for mark in self._marks) if at >= 0]
        return min(found, default=end)

    def _purged(self, at: int, stop: int, attributes: int, own: Collection[bytes]) -> tuple[Parts, set[bytes]]:
        """A message without the attributes of reserved names that are not our `own`; and which of those it has."""
        parts: Parts = []
        found: set[bytes] = set()
        reserved = self._tags.reserved if self._tags else ()
        copied = at
        mark = self._next_mark(at, stop)
        for start, number, wire, begin, end in fields(self._body, at, stop):
            if mark >= end:
                continue
            mark = self._next_mark(end, stop)
            if number != attributes or wire != _BYTES or _key_of(self._body, begin, end) not in reserved:
                continue
            entry = self._body[begin:end]
            if entry in own and entry not in found:
                found.add(entry)
            else:
                parts.append(self._view[copied:start])
                copied = end
        parts.append(self._view[copied:stop])
        return parts, found


def _key_of(body: bytes, at: int, stop: int) -> bytes:
    key = b""
    for _, number, wire, begin, end in fields(body, at, stop):
        if number == _KEY and wire == _BYTES:
            key = body[begin:end]
    return key


def fields(body: bytes, at: int, stop: int) -> Iterator[_Field]:
    """The fields of a message: where the tag starts, number, wire type, where the content begins and ends.

    Raises:
        ValueError: the message is damaged.
    """
    while at < stop:
        start = at
        tag = body[at]
        at += 1
        if tag > 0x7F:  # noqa: PLR2004 - seven bits a byte
            tag, at = _varint(body, start, stop)
        wire = tag & 7
        begin = at
        if wire == _BYTES:
            if at < stop and body[at] < 0x80:  # noqa: PLR2004 - the same
                begin = at + 1
                at = begin + body[at]
            else:
                length, begin = _varint(body, at, stop)
                at = begin + length
        else:
            at = _skipped(body, at, stop, tag, 0)
        if at > stop:
            raise ValueError("a field goes beyond its message")
        yield start, tag >> 3, wire, begin, at


def _skipped(body: bytes, at: int, stop: int, tag: int, depth: int) -> int:
    """Where the content of a field that is no length and bytes ends."""
    wire = tag & 7
    if wire == _VARINT:
        return _varint(body, at, stop)[1]
    if wire in (_FIXED64, _FIXED32):
        return at + (8 if wire == _FIXED64 else 4)
    if wire == _GROUP and depth < _MAX_DEPTH:
        return _after_group(body, at, stop, tag >> 3, depth + 1)
    raise ValueError(f"wire type {wire}")


def _after_group(body: bytes, at: int, stop: int, number: int, depth: int) -> int:
    while at < stop:
        tag, at = _varint(body, at, stop)
        if tag & 7 == _GROUP_END:
            if tag >> 3 != number:
                break
            return at
        if tag & 7 == _BYTES:
            length, at = _varint(body, at, stop)
            at += length
        else:
            at = _skipped(body, at, stop, tag, depth)
    raise ValueError("a group without an end")


def _varint(body: bytes, at: int, stop: int) -> tuple[int, int]:
    """A number, and where the next thing begins."""
    number = shift = 0
    while at < stop and shift < _VARINT_BITS:
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the same
            return number, at
        shift += 7
    raise ValueError("a number without an end")


def _after_varint(body: bytes, at: int) -> int:
    while body[at] > 0x7F:  # noqa: PLR2004 - the same
        at += 1
    return at + 1
