"""The reader's parts that are functions of plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from spanwitness.decode import decode_spans
from spanwitness.tag.dialect import SPAN_NAME, Dialect, From, Kind, keys
from spanwitness.tag.reader import Rows, classify, detect, dig, distinct, read, read_with_source, speaks
from tests.tag.spans import request

if TYPE_CHECKING:
    from collections.abc import Mapping


def rows(*attributes: Mapping[str, str], names: tuple[str, ...] = ()) -> Rows:
    """Spans with these attributes."""
    named = names or ("",) * len(attributes)
    return Rows(decode_spans([request(told, name=name) for told, name in zip(attributes, named, strict=True)]))


@pytest.mark.parametrize(
    ("text", "path", "found"),
    [
        ('{"a": "x"}', ("a",), "x"),
        ('{"a": [{"b": "x"}]}', ("a", 0, "b"), "x"),
        ('{"a": []}', ("a", 0, "b"), None),
        ('{"a": {"0": "x"}}', ("a", 0), None),
        ('["x"]', ("a",), None),
        ('{"a": 7}', ("a",), "7"),
        ('{"a": -7}', ("a",), "-7"),
        ('{"a": 7.5}', ("a",), None),
        ('{"a": true}', ("a",), None),
        ('{"a": {}}', ("a",), None),
        ('"x"', (), "x"),
        ("x", (), None),
        ('{"a": null}', ("a",), None),
        ('{"a": ""}', ("a",), ""),
        ("{", ("a",), None),
        ("", ("a",), None),
        ("7", ("a", "b"), None),
        (None, ("a",), None),
    ],
)
def test_a_fact_inside_json_is_a_text_a_whole_number_or_nothing(
    text: str | None, path: tuple[str | int, ...], found: str | None
) -> None:
    assert dig(text, path) == found


@pytest.mark.parametrize(
    ("scopes", "scope", "spoken"),
    [
        (("a.b",), "a.b", True),
        (("a.b",), "a.bc", False),
        (("a.*",), "a.b", True),
        (("a.*",), "a", False),
        (("x", "a.*"), "a.b", True),
        ((), "", False),
        (("a",), "", False),
    ],
)
def test_a_star_matches_what_follows(scopes: tuple[str, ...], scope: str, spoken: object) -> None:
    assert speaks(Dialect("d", scopes=scopes), scope) is spoken


def test_the_first_source_that_says_something_wins() -> None:
    told = rows({"a": "1", "b": "2"}, {"a": "", "b": "2"}, {"b": ""}, {})
    assert read(told, keys("a", "b")).to_pylist() == ["1", "2", "", ""]


def test_a_value_is_told_with_the_source_it_came_from() -> None:
    told = rows({"a": "1", "b": "2"}, {"b": "2"}, {})
    values, sources = read_with_source(told, keys("a", "b"), pa.array([""] * 3), lambda source: source.key)
    assert (values.to_pylist(), sources.to_pylist()) == (["1", "2", ""], ["a", "b", ""])


def test_a_value_that_is_never_the_fact_is_passed_over() -> None:
    told = rows({"a": "no-1", "b": "2"}, {"a": "no", "b": "-3"})
    values, _ = read_with_source(
        told, keys("a", "b"), pa.array([""] * 2), lambda source: source.key, never=("no-", "-")
    )
    assert values.to_pylist() == ["2", "no"]


def test_a_value_that_stands_for_nothing_is_passed_over() -> None:
    told = rows({"a": "None", "b": "2"}, {"a": "Nonesuch", "b": "3"})
    values, _ = read_with_source(told, keys("a", "b"), pa.array([""] * 2), lambda source: source.key, nothing=("None",))
    assert values.to_pylist() == ["2", "Nonesuch"]


def test_a_source_may_hold_on_spans_of_some_names_only() -> None:
    told = rows({"a": "1"}, {"a": "2"}, names=("yes", "no"))
    assert read(told, (From("a", spans=("yes", "other")),)).to_pylist() == ["1", ""]
    assert read(told, (From("a", spans=("nobody",)),)).to_pylist() == ["", ""]


def test_a_source_may_hold_where_another_attribute_says_so() -> None:
    told = rows({"a": "1", "kind": "AGENT"}, {"a": "2", "kind": "CHAIN"}, {"a": "3"})
    assert read(told, (From("a", where=("kind", "AGENT")),)).to_pylist() == ["1", "", ""]
    assert read(told, (From("a", where=("nobody.has.it", "AGENT")),)).to_pylist() == ["", "", ""]


def test_a_source_may_hold_on_spans_of_all_names_but_some() -> None:
    told = rows({"a": "1"}, {"a": "2"}, names=("no", "yes"))
    assert read(told, (From("a", beside=("no", "other")),)).to_pylist() == ["", "2"]


def test_a_source_may_hold_where_another_attribute_is_missing() -> None:
    told = rows({"a": "1", "b": "x"}, {"a": "2", "b": ""}, {"a": "3"})
    assert read(told, (From("a", without="b"),)).to_pylist() == ["", "", "3"]
    assert read(told, (From("a", without="nobody.has.it"),)).to_pylist() == ["1", "2", "3"]


def test_all_conditions_of_a_source_hold_together() -> None:
    both = From("a", spans=("yes",), where=("kind", "AGENT"), without="b")
    told = [{"a": "1", "kind": "AGENT"}, {"a": "2", "kind": "AGENT", "b": "x"}, {"a": "3", "kind": "CHAIN"}]
    assert read(rows(*told, names=("yes",) * 3), (both,)).to_pylist() == ["1", "", ""]
    assert read(rows(*told, names=("no",) * 3), (both,)).to_pylist() == ["", "", ""]


def test_a_text_may_be_quoted_as_json() -> None:
    told = rows({"a": '"x"'}, {"a": "x"}, {"a": '""'}, {"a": "7"})
    assert read(told, (From("a", quoted=True),)).to_pylist() == ["x", "", "", "7"]
    assert read(told, (From("a", quoted=True), From("a"))).to_pylist() == ["x", "x", '""', "7"]


def test_what_only_repeats_the_request_is_not_believed() -> None:
    told = rows({"a": "asked"}, {"a": "answered"}, {"a": "answered"})
    requested = pa.array(["asked", "asked", ""])
    assert read(told, (From("a", unless_requested=True),), requested).to_pylist() == ["", "answered", ""]


def test_what_repeats_the_request_without_its_routers_prefix_is_not_believed_either() -> None:
    told = rows({"a": "gpt-4o"}, {"a": "openai/gpt-4o"}, {"a": "openai/gpt-4o-2024-08-06"}, {"a": "gpt-4o-mini"})
    requested = pa.array(["openai/gpt-4o", "gpt-4o", "gpt-4o", "azure/gpt-4o"])
    believed = ["", "", "openai/gpt-4o-2024-08-06", "gpt-4o-mini"]
    assert read(told, (From("a", unless_requested=True),), requested).to_pylist() == believed


def test_an_exact_value_goes_before_a_prefix_and_an_unknown_one_to_the_next_kind() -> None:
    kinds = (
        Kind(From(SPAN_NAME), {"handoff to *": "handoff", "handoff to nobody": ""}),
        Kind(From("kind"), {"TOOL": "tool", "*": ""}),
    )
    told = rows({"kind": "TOOL"}, {"kind": "TOOL"}, {"kind": "TOOL"}, {"kind": "NEW"}, {}, names=tuple(NAMED))
    assert classify(told, kinds).to_pylist() == list(NAMED.values())


def test_a_leading_star_matches_an_ending_and_a_value_goes_before_any_pattern() -> None:
    kinds = (Kind(From(SPAN_NAME), {"*.chat": "llm", "*": "", "helper.chat": "tool"}),)
    told = rows({}, {}, {}, {}, names=("openai.chat", "helper.chat", "chat", ".chat"))
    assert classify(told, kinds).to_pylist() == ["llm", "tool", "", "llm"]


NAMED = {"handoff to claims": "handoff", "handoff to nobody": "", "get_claim": "tool", "x": "", "y": ""}


def test_of_two_dialects_that_claim_a_scope_the_first_takes_it() -> None:
    batch = decode_spans([request({"mark": "1"}, scope="both"), request(scope="both"), request(scope="none")])
    picky = Dialect("picky", scopes=("both",), requires=("mark",))
    loose = Dialect("loose", scopes=("both",))
    assert detect(batch, (picky, loose, Dialect(""))).tolist() == [0, 1, 2]
    assert detect(batch, (loose, picky, Dialect(""))).tolist() == [0, 0, 2]


def test_distinct_rows_are_told_once_and_found_again() -> None:
    columns = {"a": pa.array(["x", "y", "x", "x"]), "b": pa.array(["1", "1", "1", "2"])}
    found, which = distinct(columns)
    assert [found[at] for at in which] == [("x", "1"), ("y", "1"), ("x", "1"), ("x", "2")]
    assert len(found) == 3


def test_no_rows_have_no_distinct_ones() -> None:
    found, which = distinct({"a": pa.array([], pa.string())})
    assert (found, which.tolist()) == ([], [])
