"""The list of dialects: every file is in it, each is found by its scopes, and the last takes what is left."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from spanwitness.tag import dialects
from spanwitness.tag.dialect import Dialect
from spanwitness.tag.dialects import DIALECTS
from tests.tag.spans import tagged

FILES = sorted(path.stem for path in Path(dialects.__file__).parent.glob("*.py"))
NAMES = [name for name in FILES if name not in ("__init__", "common")]


def declared(name: str) -> Dialect:
    found = importlib.import_module(f"spanwitness.tag.dialects.{name}").DIALECT
    assert isinstance(found, Dialect)
    return found


def test_every_file_is_in_the_list_once() -> None:
    assert sorted(map(id, DIALECTS)) == sorted(id(declared(name)) for name in NAMES)


def test_every_dialect_has_the_name_of_its_file() -> None:
    assert {declared(name).name for name in NAMES if name != "plain"} == set(NAMES) - {"plain"}


@pytest.mark.parametrize("name", NAMES)
def test_every_dialect_says_where_its_facts_stand(name: str) -> None:
    assert "| what | where |" in (importlib.import_module(f"spanwitness.tag.dialects.{name}").__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
def test_every_dialect_has_a_test_of_its_name(name: str) -> None:
    assert (Path(__file__).parent / f"test_{name}.py").exists()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_dialect_takes_the_spans_of_its_scopes(dialect: Dialect) -> None:
    told = dict.fromkeys(dialect.requires, "x")
    for scope in dialect.scopes:
        assert tagged(told, scope=scope.replace("*", "never_seen"))["Dialect"] == dialect.name


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_dialect_takes_the_spans_of_unknown_scopes_that_bear_its_marks(dialect: Dialect) -> None:
    for marker in dialect.markers:
        assert tagged({marker: "x"}, scope="com.acme")["Dialect"] == dialect.name


def test_a_known_scope_is_not_overruled_by_another_dialects_marks() -> None:
    marks = {marker: "x" for dialect in DIALECTS for marker in dialect.markers}
    assert tagged(marks, scope="openinference.instrumentation.openai")["Dialect"] == "openinference_openai"
    assert tagged(marks, scope="traceai_pgvector")["Dialect"] == "traceai_pgvector"


def test_the_last_takes_what_no_other_does() -> None:
    assert DIALECTS[-1].name == ""
    assert (DIALECTS[-1].scopes, DIALECTS[-1].markers, DIALECTS[-1].kinds) == ((), (), ())
    assert tagged({"http.route": "/"}, scope="com.acme")["Dialect"] == ""
