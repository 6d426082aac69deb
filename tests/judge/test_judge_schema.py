"""The schemas are within what every strict endpoint takes, and our check of them agrees with jsonschema's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanwitness.judge import QUESTIONS
from spanwitness.judge.schema import INTEGER, PROOF, TEXT, listing, mismatch, one_of, table
from tests.judge.answers import answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMA = table(items=listing(table(number=INTEGER, proof=PROOF)), state=one_of("kept", "broken"), why=TEXT)
NO_PROOF = {"source": "none", "index": -1, "quote": ""}
GOOD: dict[str, Any] = {"items": [{"number": 1, "proof": NO_PROOF}], "state": "kept", "why": ""}
# Without floats: jsonschema takes 3.0 for a whole number, and nobody who is asked for one writes it so.
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["kept", "none", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["items", "state", "why"]), inner),
    max_leaves=6,
)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_the_check_agrees_with_jsonschema(data: st.DataObject) -> None:
    answer: Any = data.draw(answers(SCHEMA))
    if data.draw(st.booleans()):
        key = data.draw(st.sampled_from([*answer, "verdict"]))
        answer = {**answer, key: data.draw(anything)}
    elif data.draw(st.booleans()):
        answer = data.draw(anything)
    assert (mismatch(answer, SCHEMA) is None) == jsonschema.Draft202012Validator(SCHEMA).is_valid(answer)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"state": "secret"}, "answer.state: allowed is kept or broken"),
        ({"why": None}, "answer.why: allowed is a text"),
        ({"items": {}}, "answer.items: allowed is a list"),
        ({"items": [3]}, "answer.items[0]: allowed is an object with number, proof"),
        ({"items": [{"number": True, "proof": NO_PROOF}]}, "answer.items[0].number: allowed is a whole number"),
        ({"verdict": "secret"}, "answer: allowed is an object with items, state, why"),
    ],
)
def test_what_is_wrong_is_told_by_its_place_without_its_value(change: Mapping[str, Any], place: str) -> None:
    assert mismatch({**GOOD, **change}, SCHEMA) == place
    assert mismatch(GOOD, SCHEMA) is None


def parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for inner in [*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])]:
        yield from parts(inner)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_keeps_to_what_every_strict_endpoint_takes(name: str) -> None:
    """All properties required, no others, and no key but these: limits on numbers or lengths are refused by some."""
    schema = QUESTIONS[name].schema
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    for part in parts(schema):
        assert part.keys() <= {"type", "properties", "required", "additionalProperties", "items", "enum"}
        if part["type"] == "object":
            assert list(part["properties"]) == part["required"]
            assert part["additionalProperties"] is False
