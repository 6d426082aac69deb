"""How values become text."""

from __future__ import annotations

import io
import shlex
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table

from spanwitness.report.text import (
    Clipped,
    Middle,
    Runnable,
    Timeline,
    Whole,
    clock,
    command,
    count,
    cut,
    line,
    percent,
    place,
    plain,
    prose,
    shortened,
    span,
    verified,
)

if TYPE_CHECKING:
    from tests.report.conftest import Printed

LONG = "bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("two\nlines", "two\\nlines"),
        ("ab\u202ecd", "ab\\u202ecd"),
        ("a  b", "a  b"),
        ("Zürich 保険", "Zürich 保険"),
    ],
)
def test_what_a_terminal_may_act_on_is_told_as_its_escape(value: str, text: str) -> None:
    assert plain(value) == text


@given(st.text(st.characters(exclude_categories=())))
def test_no_value_reaches_the_terminal_but_as_printable_text(value: str) -> None:
    assert plain(value).isprintable()
    assert prose(value).isprintable()


def test_markup_in_a_value_is_no_markup(printed: Printed) -> None:
    assert printed(line("[bold]x[/bold] [/]")) == "[bold]x[/bold] [/]\n"


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [("abcdefghij", 10, "abcdefghij"), ("abcdefghijk", 10, "abcde…hijk"), ("abc", 1, "…"), ("abc", 0, "")],
)
def test_an_id_keeps_both_its_ends(value: str, width: int, text: str) -> None:
    assert shortened(value, width) == text


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "M"))), st.integers(0, 40))
def test_shortening_and_cutting_keep_to_the_width(value: str, width: int) -> None:
    assert cell_len(shortened(value, width)) <= max(width, 0)
    assert cell_len(cut(value, width)) <= max(width, 0)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (1.0, "verified"),
        (0.99999, "99 % verified"),
        (0.625, "62 % verified"),
        (0.01, "1 % verified"),
        (0.001, "under 1 % verified"),
        (0.0, "not told by the instrumentation"),
    ],
)
def test_a_share_of_verified_calls_is_never_rounded_up(share: float, words: str) -> None:
    assert verified(share) == words


def test_numbers_have_their_nouns() -> None:
    assert [count(n, "call") for n in (0, 1, 1402)] == ["no calls", "1 call", "1,402 calls"]
    assert count(2, "company", "companies") == "2 companies"


def test_a_time_is_told_without_t_and_z() -> None:
    assert clock("2026-11-20T22:24:37.901851000Z") == "2026-11-20 22:24:37"
    assert clock("2026-11-20T22:24:37.901851000Z", milliseconds=True) == "2026-11-20 22:24:37.901"
    assert clock("2026-11-20T22:24:37Z", milliseconds=True) == "2026-11-20 22:24:37"


@pytest.mark.parametrize(
    ("identity", "shell"),
    [
        ("c-1", "spanwitness conversation c-1"),
        ("call of Anna's", """spanwitness conversation 'call of Anna'"'"'s'"""),
        ("-rf", "spanwitness conversation -- -rf"),
    ],
)
def test_a_command_can_be_pasted_into_a_shell(identity: str, shell: str) -> None:
    assert command("conversation", identity) == shell


def test_a_place_names_what_is_missing() -> None:
    row = {"TenantId": "acme", "ServiceName": "", "AgentName": "", "StepKind": "llm"}
    assert place(row) == "acme / (no service) / (no agent), llm"


def test_the_judge_is_not_taken_for_an_agent() -> None:
    row = {"TenantId": "acme", "ServiceName": "spanwitness", "AgentName": "judge", "StepKind": "judge"}
    assert place(row) == "acme / spanwitness / judge, judge (the judge that scores)"
    assert place({**row, "StepKind": "llm"}) == "acme / spanwitness / judge, llm"


def test_in_a_table_ids_give_way_and_versions_do_not(printed: Printed) -> None:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row(Whole(LONG), Middle("0123456789abcdef" * 4))
    text = printed(table, width=80)
    assert text.split() == [LONG, "0123456789abc…3456789abcdef"]


def test_a_version_wider_than_the_console_is_broken_and_complete(printed: Printed) -> None:
    assert printed(Whole(LONG), width=20).replace("\n", "") == LONG


def test_prose_is_cut_after_so_many_lines(printed: Printed) -> None:
    words = "the tool that the task needed returned an error and was not called again"
    assert printed(Clipped(words, 2), width=30) == "the tool that the task needed\nreturned an error and was not…\n"
    assert printed(Clipped("short\n  enough", 2), width=30) == "short enough\n"
    assert printed(Clipped("", 2), width=30).strip() == ""


def test_a_timeline_tells_none_from_no_call(printed: Printed) -> None:
    assert printed(Timeline([1.0, 0.5, 0.01, 0.0, None, 1.0])) == "█▅▁· █\n"


def test_a_console_without_unicode_gets_digits_and_dots() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    console = Console(file=out, width=20, color_system=None)
    console.print(Timeline([1.0, 0.0, 0.01]))
    console.print(Middle("0123456789abcdefghijklmnop"))
    out.flush()
    assert raw.getvalue().split() == [b"8.1", b"012345678...ijklmnop"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (90061, "1 d 1 h"),
    ],
)
def test_how_long_in_the_two_largest_units(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0 %"), (0.004, "under 1 %"), (0.29, "29 %"), (0.999, "99 %"), (1, "100 %")]
)
def test_a_share_is_rounded_down(share: float, words: str) -> None:
    assert percent(share) == words


def test_a_command_that_is_too_long_can_still_be_pasted() -> None:
    words = command("deployment", "declare", "--agent", "claims agent", "--by", "YOU")
    out = io.StringIO()
    Console(file=out, width=40, color_system=None).print(Group(Runnable(words, indent=2)))
    first, *others = out.getvalue().splitlines()
    assert first == "  spanwitness deployment declare \\"
    assert others == ["    --agent 'claims agent' --by YOU"]
    assert shlex.split(out.getvalue().replace("\\\n", "")) == shlex.split(words)


def test_a_timeline_in_two_parts_meets_at_the_change(printed: Printed) -> None:
    assert printed(Timeline([1.0, 0.5], [0.0])) == "  █▅|·\n"
