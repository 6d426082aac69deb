"""The tags of a batch as OTLP attributes, ready to be spliced in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from spanwitness import attributes as names
from spanwitness.forward.splice import OWN, RESOURCES, Addition

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from spanwitness.columns import Batch

TAGS: Final[Mapping[str, str]] = {
    "TenantId": names.TENANT,  # first: splice looks for it there
    "ConversationId": names.TAG_CONVERSATION,
    "ConversationIdSource": names.TAG_CONVERSATION_SOURCE,
    "StepKind": names.TAG_STEP_KIND,
    "Actor": names.ACTOR,
    "RequestedModel": names.TAG_REQUESTED_MODEL,
    "ServedModel": names.TAG_SERVED_MODEL,
    "ServedModelSource": names.TAG_SERVED_MODEL_SOURCE,
    "ModelVersion": names.TAG_MODEL_VERSION,
    "Dialect": names.TAG_DIALECT,
}
"""By column of otel_traces, the attribute that tells it."""

RESERVED: Final = frozenset(key.encode() for key in TAGS.values())
_TOO_MANY: Final = 2**31


def additions(rows: pa.Table) -> list[Addition]:
    """What each span gets; an empty tag is no attribute. `rows`: of otel_traces. Equal ones are one object."""
    if not len(rows):
        return []
    columns = [rows[column].combine_chunks().dictionary_encode() for column in TAGS]
    entries = [
        [_entry(key, value) for value in column.dictionary.to_pylist()]
        for key, column in zip(TAGS.values(), columns, strict=True)
    ]
    which, first = _distinct(columns)
    codes = np.stack([column.indices.to_numpy()[first] for column in columns], axis=1).tolist()
    found = [Addition(tuple(filter(None, map(list.__getitem__, entries, combination)))) for combination in codes]
    return [found[index] for index in which.tolist()]


def claims(batch: Batch) -> list[int]:
    """What else says what a tag says, for each span: its own attributes (OWN), those of its resource (RESOURCES)."""
    own = batch.attributes.holds(TAGS.values())
    resources = batch.resources.holds(TAGS.values())[batch.resource]
    found: list[int] = (own * OWN + resources * RESOURCES).tolist()
    return found


def _distinct(columns: list[Any]) -> tuple[Any, Any]:
    """Which combination of values each row has, and a row of each combination."""
    which = np.zeros(len(columns[0]), np.int64)
    first, count = np.zeros(1, np.int64), 1
    for column in columns:
        which = which * len(column.dictionary) + column.indices.to_numpy()
        count *= len(column.dictionary)
        if count > _TOO_MANY:  # the next product might not fit
            _, first, which = np.unique(which, return_index=True, return_inverse=True)
            count = len(first)
    _, first, which = np.unique(which, return_index=True, return_inverse=True)
    return which, first


def _entry(key: str, value: str) -> bytes:
    if not value:
        return b""
    return KeyValue(key=key, value=AnyValue(string_value=value)).SerializeToString()
