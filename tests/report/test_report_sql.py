"""Values in a question: whatever they hold, they stay values; and what the answer looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spanwitness.errors import StoreError
from spanwitness.report import literal, scores
from spanwitness.report.sql import fetch, matching

if TYPE_CHECKING:
    from pathlib import Path

    from spanwitness.store import Store
    from tests.report.conftest import Record

HOSTILE = [
    "it's",
    "' OR 1 = 1 --",
    "\\",
    "\\'",
    "\\x27",
    "'; DROP TABLE scores; --",
    "{id:String}",
    "%s %(id)s",
    "a\x00b",
    "two\nlines\r\n",
    "/* */ -- #",
    "Zürich 保険 🚗",
    "",
    "$$heredoc$$",
    '`name` "name"',
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_literal_stands_for_exactly_its_value(report_store: Store, value: str) -> None:
    assert fetch(report_store.ask, f"SELECT {literal(value)} AS v") == [{"v": value}]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=20))
def test_any_text_comes_back_from_the_engine_as_it_went_in(report_store: Store, values: list[str]) -> None:
    array = ", ".join(map(literal, values))
    assert fetch(report_store.ask, f"SELECT [{array}] AS v") == [{"v": values}]


@given(st.text())
def test_nothing_in_a_literal_can_end_it(value: str) -> None:
    inside = literal(value)[1:-1]
    assert inside.isascii()
    assert "'" not in inside
    assert "\\" not in inside.replace("\\x", "")


def test_bytes_that_are_no_text_are_asked_for_without_an_error(report_store: Store) -> None:
    argument = os.fsdecode(b"\xff\xfe")
    assert fetch(report_store.ask, f"SELECT 1 AS n WHERE 'x' = {literal(argument)}") == []


@pytest.mark.parametrize("value", HOSTILE)
def test_a_filter_finds_its_value_and_no_other(record: Record, value: str) -> None:
    for owner in (value, "somebody else"):
        record.score(TenantId=owner, ConversationId=value)
    record.conversation(TenantId=value, ConversationId=value)
    record.conversation(TenantId="somebody else", ConversationId=value)

    found = scores.rows(record.ask, tenant=value, conversation=value)

    assert [(row["TenantId"], row["ConversationId"]) for row in found] == [(value, value)]


def test_a_condition_without_values_holds_for_every_row() -> None:
    assert matching(TenantId=None, Evaluator=None) == "1"
    assert matching(TenantId="", Evaluator=None) == "TenantId = ''"


def test_integers_are_numbers_and_what_is_no_number_is_null(report_store: Store) -> None:
    sql = "SELECT toUInt64(18446744073709551615) AS big, nan AS mean, CAST(NULL AS Nullable(Float64)) AS score"
    assert fetch(report_store.ask, sql) == [{"big": 18446744073709551615, "mean": None, "score": None}]


def test_an_answer_that_is_no_utf_8_is_still_read(report_store: Store) -> None:
    assert fetch(report_store.ask, r"SELECT 'a\xFFb' AS v") == [{"v": "a\ufffdb"}]


def test_what_the_store_refuses_is_its_error(report_store: Store) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        fetch(report_store.ask, "SELECT 1 FROM nowhere")


def test_times_are_in_utc_whatever_zone_the_machine_is_in(tmp_path: Path) -> None:
    script = """
import sys
from spanwitness.report.sql import fetch
from spanwitness.store import open_store
store = open_store("chdb://" + sys.argv[1])
store.command("INSERT INTO schema_versions VALUES (99, 1795213477)")
print(fetch(store.ask, "SELECT AppliedAt FROM schema_versions WHERE Version = 99")[0]["AppliedAt"])
store.close()
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter; the zone of a process is set before it starts
        [sys.executable, "-c", script, str(tmp_path / "record")],
        env={**os.environ, "TZ": "America/New_York", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "2026-11-20T22:24:37Z"
