"""The tags of a batch as attributes: what is empty is not said, and what is said is what the row says."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from spanwitness.decode import decode_spans
from spanwitness.forward.splice import OWN, RESOURCES
from spanwitness.forward.tags import RESERVED, TAGS, additions, claims
from spanwitness.tag import TenantRule, tag_spans
from spanwitness.testing import EPOCH, chat, tool, trace_request
from tests.decode.built import TRACE_CAPTURES, requests_of


def tagged(*bodies: bytes) -> Any:
    return tag_spans(decode_spans(bodies), [""] * len(bodies), TenantRule(), EPOCH)


def told(entries: tuple[bytes, ...]) -> dict[str, str]:
    pairs = [KeyValue.FromString(entry) for entry in entries]
    return {pair.key: pair.value.string_value for pair in pairs}


def test_a_model_call_says_all_that_is_known_of_it() -> None:
    (found,) = additions(tagged(trace_request([chat(1, 1, 0, "c")])))
    assert told(found.entries) == {
        "tenant.id": "acme",
        "spanwitness.conversation.id": "c",
        "spanwitness.conversation.source": "gen_ai.conversation.id",
        "spanwitness.step.kind": "llm",
        "spanwitness.actor": "ai",
        "spanwitness.model.requested": "gpt-4o",
        "spanwitness.model.served": "gpt-4o-2024-08-06",
        "spanwitness.model.served_source": "response",
        "spanwitness.model.version": "openai/gpt-4o-2024-08-06",
        "spanwitness.dialect": "otel_genai",
    }


def test_what_is_not_known_is_not_said() -> None:
    (found,) = additions(tagged(trace_request([tool(1, 1)])))
    assert told(found.entries).keys() == {
        *("tenant.id", "spanwitness.step.kind", "spanwitness.actor", "spanwitness.dialect")
    }


def test_no_rows_have_no_tags() -> None:
    assert additions(tagged(b"")) == []
    assert claims(decode_spans([b""])) == []


@pytest.mark.parametrize("path", TRACE_CAPTURES, ids=lambda path: path.name)
def test_captures_say_what_their_rows_say(path: Any) -> None:
    rows = tagged(*requests_of(path))
    columns = rows.select(list(TAGS)).to_pylist()
    expected = [{TAGS[name]: value for name, value in row.items() if value} for row in columns]
    assert [told(found.entries) for found in additions(rows)] == expected


def test_many_different_values_are_told_apart() -> None:
    """More combinations than a number holds."""
    spans = [
        chat(n, n, 0, f"c{n}", served=f"gpt-{n}", attributes={"spanwitness.actor": f"a{n}"}) for n in range(1, 900)
    ]
    rows = tagged(*(trace_request([span], tenant=f"t{number}") for number, span in enumerate(spans)))
    found = [told(addition.entries) for addition in additions(rows)]
    assert [one["spanwitness.model.served"] for one in found] == [f"gpt-{n}" for n in range(1, 900)]
    assert [one["tenant.id"] for one in found] == [f"t{n}" for n in range(899)]
    assert [one["spanwitness.actor"] for one in found] == [f"a{n}" for n in range(1, 900)]


def test_equal_tags_are_one_object() -> None:
    first, second, other = additions(tagged(trace_request([tool(1, 1), tool(1, 2), chat(1, 3)])))
    assert first is second
    assert first is not other


def test_who_else_uses_our_names_is_noticed() -> None:
    plain = trace_request([chat(1, 1), chat(1, 2, attributes={"spanwitness.dialect": "mine"})], tenant="acme")
    nameless = trace_request([chat(1, 3)]).replace(b"tenant.id", b"tenant_id")
    assert claims(decode_spans([plain, nameless])) == [RESOURCES, RESOURCES | OWN, 0]


def test_the_tenant_comes_first() -> None:
    assert next(iter(TAGS)) == "TenantId"
    assert set(TAGS.values()) == {key.decode() for key in RESERVED}
